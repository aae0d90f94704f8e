/* SPDX-License-Identifier: BSD-2-Clause */
/* The process: what it is given, and the loop around nic.h. */
#include <stdio.h>
#include "abi/map.h"
#include "abi/object.h"
#include "abi/status.h"
#include "drivers/nic/nic.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define REGISTERS_VA 0x0000000010000000ull
#define RINGS_VA     0x0000000020000000ull
#define POOL_VA      0x0000000030000000ull
#define STATUS_VA    0x0000000040000000ull
#define CHANNEL_VA   0x0000000050000000ull
#define TEXT_BYTES   256u

static struct nic nic;
static const struct program_args *args;
static uint64_t armed_ns;

void nic_tell(const struct nic *of, uint64_t event, const char *text)
{
    (void)of;
    snprintf((char *)&utcb_self()->mr[NIC_PAYLOAD], TEXT_BYTES, "%s", text);
    ask_parent(event, 0, 0, 0, NIC_PAYLOAD + TEXT_BYTES / 8);
}

static _Noreturn void refuse(const char *why)
{
    __atomic_store_n(&nic.status->state, NIC_FAILED, __ATOMIC_RELAXED);
    nic_tell(&nic, NIC_EVENT_FAILED, why);
    fatal("%s", why);
}

static void map_all(const struct nic_config *config)
{
    const uint32_t rw = MAP_READ | MAP_WRITE;
    uint64_t size = (config->registers_offset + config->registers_size + 4095) & ~4095ull;
    uint8_t *registers = map_given(args->slot[NIC_SLOT_REGISTERS], REGISTERS_VA, size,
                                   rw | MAP_UNCACHED, "the registers");
    uint8_t *rings =
        map_given(args->slot[NIC_SLOT_RINGS], RINGS_VA, NIC_RINGS_BYTES, rw, "the rings");
    uint8_t *pool = map_given(args->slot[NIC_SLOT_POOL], POOL_VA, NIC_POOL_BYTES, rw, "the frames");
    nic.registers = registers + config->registers_offset;
    nic.status = map_given(args->slot[NIC_SLOT_STATUS], STATUS_VA, NIC_STATUS_BYTES, rw,
                           "the status memory");
    for (uint32_t i = 0; i < NIC_PAIRS; i++) {
        struct nic_queue *q = &nic.queue[i];
        q->nic = &nic;
        q->index = i;
        q->rings = rings + (uint64_t)i * NIC_RINGS_PAIR;
        q->rings_base = config->rings_base + (uint64_t)i * NIC_RINGS_PAIR;
        q->pool_offset = i * NIC_POOL_PAIR;
        q->pool = pool + q->pool_offset;
        q->pool_base = config->pool_base + q->pool_offset;
    }
    if (!config->channel_pairs)
        return;
    struct frame_channel *channel = map_given(args->slot[NIC_SLOT_CHANNEL], CHANNEL_VA,
                                              config->channel_bytes, rw, "the channel");
    frame_owner_init(&nic.owner, channel, config->channel_pairs, args->slot[NIC_SLOT_BELL],
                     config->bell_bits);
    nic.has_channel = true;
}

static void bind_interrupts(const struct nic_config *config)
{
    for (uint32_t i = 0; i < config->irqs && i < NIC_IRQS; i++) {
        int64_t status = sys_irq_bind(args->slot[NIC_SLOT_IRQ + i], SLOT_NOTIF, NIC_BIT_IRQ(i));
        if (status != OK)
            fatal("its interrupt cannot be bound: status %lld", (long long)status);
    }
}

/* An earlier timer does no harm: it finds nothing to do, and a later one is armed then. */
static void arm_timer(void)
{
    uint64_t wake = nic_wake(&nic), now = time_ns();
    if (!wake || (armed_ns && armed_ns <= wake))
        return;
    armed_ns = wake;
    uint64_t in = wake > now ? wake - now : 0;
    sys_notif_timer(SLOT_NOTIF, time_tsc() + time_ns_to_tsc(in), NIC_BIT_TIMER);
}

static void handle(const struct nic_config *config, uint64_t bits)
{
    for (uint32_t i = 0; i < config->irqs && i < NIC_IRQS; i++) {
        if (!(bits & NIC_BIT_IRQ(i)))
            continue;
        nic_interrupt(&nic, i);
        if (config->irq_level)
            sys_irq_ack(args->slot[NIC_SLOT_IRQ + i]);
    }
    if (bits & NIC_BIT_TIMER)
        armed_ns = 0;
}

/* Until there is nothing left to do. */
static void work(void)
{
    do {
        do {
            nic.now = time_ns();
            nic_channel(&nic);
            nic_tick(&nic);
        } while (nic_poll(&nic));
        const char *why = nic_mend(&nic);
        if (why)
            refuse(why);
    } while (nic_arm(&nic));
}

static const struct nic_chip *chip_of(uint32_t kind)
{
    static const struct nic_chip *const chips[NIC_KINDS] = {
        [NIC_E1000] = &nic_e1000,
        [NIC_E1000E] = &nic_e1000e,
        [NIC_IGB] = &nic_igb,
        [NIC_VIRTIO] = &nic_virtio,
    };
    return kind < NIC_KINDS ? chips[kind] : NULL;
}

int program_main(const struct program_args *program, const void *data)
{
    const struct nic_config *config = data;
    args = program;
    if (args->data_size < sizeof(*config) || config->magic != NIC_CONFIG_MAGIC ||
        !chip_of(config->kind))
        fatal("this is no configuration of a NIC's driver");
    nic.config = config;
    nic.chip = chip_of(config->kind);
    map_all(config);
    nic.now = time_ns();
    const char *why = nic_open(&nic);
    if (why)
        refuse(why);
    nic_tell(&nic, NIC_EVENT_RESET, "");
    bind_interrupts(config);
    const uint8_t *m = nic.mac;
    log_line("%s at %s: address %02x:%02x:%02x:%02x:%02x:%02x, %u pairs of rings", config->chip,
             config->address, m[0], m[1], m[2], m[3], m[4], m[5], nic.pairs);
    for (;;) {
        uint64_t bits = 0;
        work();
        arm_timer();
        if (sys_notif_wait(SLOT_NOTIF, 0, &bits) == OK)
            handle(config, bits);
    }
}
