/* SPDX-License-Identifier: BSD-2-Clause */
/* The process: what it is given, what the manager wants of it, the loop around hba.h. */
#include <stdio.h>
#include <string.h>
#include "abi/map.h"
#include "abi/object.h"
#include "abi/status.h"
#include "drivers/ahci/channel.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define ABAR_VA    0x0000000010000000ull
#define DMA_VA     0x0000000020000000ull
#define STATUS_VA  0x0000000030000000ull
#define CHANNEL_VA 0x0000000040000000ull /* a STEP each */
#define STEP       ((sizeof(struct blk_channel) + 4095u) & ~4095ull)
#define TEXT_BYTES 256u

static struct hba hba;
static struct bell bell;
static const struct program_args *args;
static uint64_t armed_ns;
static uint32_t memory_slot[AHCI_CHANNELS];
static bool told;          /* the manager knows the disks */
static uint64_t detaching; /* bits of channels that are asked for, and not free yet */

static _Noreturn void refuse(const char *why)
{
    snprintf((char *)&utcb_self()->mr[AHCI_PAYLOAD], TEXT_BYTES, "%s", why);
    ask_parent(AHCI_EVENT_FAILED, 0, 0, 0, AHCI_PAYLOAD + TEXT_BYTES / 8);
    fatal("%s", why);
}

static void map_all(const struct ahci_config *config)
{
    uint64_t size = (config->abar_offset + config->abar_size + 4095) & ~4095ull;
    uint8_t *abar = map_given(args->slot[AHCI_SLOT_ABAR], ABAR_VA, size,
                              MAP_READ | MAP_WRITE | MAP_UNCACHED, "the registers");
    hba.registers = abar + config->abar_offset;
    hba.size = config->abar_size;
    hba.dma = map_given(args->slot[AHCI_SLOT_DMA], DMA_VA, AHCI_DMA_BYTES, MAP_READ | MAP_WRITE,
                        "DMA memory");
    hba.dma_base = config->dma_base;
    hba.status = map_given(args->slot[AHCI_SLOT_STATUS], STATUS_VA, AHCI_STATUS_BYTES,
                           MAP_READ | MAP_WRITE, "the status memory");
}

static void *channel_va(uint64_t index)
{
    return (void *)(CHANNEL_VA + index * STEP);
}

static void done(enum ahci_job job, uint64_t index, enum ahci_refusal refusal)
{
    ask_parent(AHCI_EVENT_DONE, job, index, refusal, 4);
}

/* What came with the job: the channel's memory, the client's notification. */
static void attach(uint64_t index, const struct ahci_attach *job, uint32_t memory)
{
    enum ahci_refusal refusal = AHCI_REFUSED_CHANNEL;
    struct blk_channel *shared = channel_va(index);
    if (index < AHCI_CHANNELS && !hba.channel[index]) {
        refusal = AHCI_REFUSED_MEMORY;
        if (sys_mem_map(SLOT_SELF_PD, memory, (uint64_t)shared, 0, STEP, MAP_READ | MAP_WRITE) ==
            OK) {
            refusal = channel_attach(&hba, (uint32_t)index, job, shared, memory + 1);
            if (refusal != AHCI_REFUSED_NOT)
                sys_mem_unmap(SLOT_SELF_PD, (uint64_t)shared, STEP);
        }
    }
    if (refusal == AHCI_REFUSED_NOT) {
        memory_slot[index] = memory;
    } else {
        slot_free(memory + 1);
        slot_free(memory);
    }
    log_line("%s: channel %llu to port %u, sector %llu: %s", job->name, (unsigned long long)index,
             job->port, (unsigned long long)job->first_sector, refusal ? "refused" : "served");
    done(AHCI_JOB_ATTACH, index, refusal);
}

static void finish_detach(void)
{
    for (uint32_t i = 0; i < AHCI_CHANNELS; i++) {
        uint32_t notif;
        if (!(detaching >> i & 1) || !channel_detach(&hba, i))
            continue;
        detaching &= ~(1ull << i);
        struct blk_channel *shared = channel_free(&hba, i, &notif);
        sys_mem_unmap(SLOT_SELF_PD, (uint64_t)shared, STEP);
        slot_free(notif);
        slot_free(memory_slot[i]);
        done(AHCI_JOB_DETACH, i, AHCI_REFUSED_NOT);
    }
}

static void detach(uint64_t index)
{
    if (index >= AHCI_CHANNELS || !hba.channel[index])
        done(AHCI_JOB_DETACH, index, AHCI_REFUSED_CHANNEL);
    else
        detaching |= 1ull << index;
}

static void take_jobs(void)
{
    struct utcb *utcb = utcb_self();
    for (;;) {
        struct ahci_attach job;
        uint32_t slots = slot_alloc_range(UTCB_CAPS);
        if (!slots)
            fatal("no capability slots are left");
        utcb->recv_slot = slots;
        int64_t status = ask_parent(AHCI_EVENT_NEXT, 0, 0, 0, 1);
        utcb->recv_slot = 0;
        uint64_t kind = status == OK ? utcb->mr[1] : AHCI_JOB_NONE, index = utcb->mr[2];
        memcpy(&job, &utcb->mr[AHCI_PAYLOAD], sizeof(job));
        job.name[sizeof(job.name) - 1] = 0;
        for (uint32_t i = kind == AHCI_JOB_ATTACH ? 2 : 0; i < UTCB_CAPS; i++)
            slot_free(slots + i);
        if (kind == AHCI_JOB_ATTACH)
            attach(index, &job, slots);
        else if (kind == AHCI_JOB_DETACH)
            detach(index);
        else if (kind == AHCI_JOB_RESIZE)
            done(AHCI_JOB_RESIZE, index, channel_resize(&hba, (uint32_t)index, job.sectors));
        else
            return;
    }
}

/* What events have left to be said. */
static void report(void)
{
    if (hba.changed && (told || hba_settled(&hba))) {
        bool first = !told;
        hba.changed = false;
        told = true;
        ask_parent(AHCI_EVENT_DISKS, 0, 0, 0, 1);
        if (first)
            take_jobs();
    }
    if (detaching)
        finish_detach();
    if (hba_stopped(&hba)) {
        ask_parent(AHCI_EVENT_STOPPED, 0, 0, 0, 1);
        log_line("all disks are flushed");
        sys_thread_exit();
    }
}

/* An earlier timer does no harm: it finds nothing to do, and a later one is armed then. So the
 * common case, commands that come and go, costs no system call. */
static void arm_timer(void)
{
    uint64_t wake = hba_wake(&hba);
    if (!wake || (armed_ns && armed_ns <= wake))
        return;
    armed_ns = wake;
    uint64_t now = time_ns(), in = wake > now ? wake - now : 0;
    sys_notif_timer(SLOT_NOTIF, time_tsc() + time_ns_to_tsc(in), AHCI_BIT_TIMER);
}

static void handle(const struct ahci_config *config, uint64_t bits)
{
    if (bits & AHCI_BIT_IRQ) {
        hba_interrupt(&hba);
        if (config->irq_level)
            sys_irq_ack(args->slot[AHCI_SLOT_IRQ]);
    }
    if (bits >> 16)
        hba_doorbells(&hba, bits);
    if (bits & AHCI_BIT_TIMER) {
        armed_ns = 0;
        hba_timer(&hba);
    }
    if (bits & AHCI_BIT_JOB && told)
        take_jobs();
    if (bits & AHCI_BIT_STOP)
        hba_stop(&hba);
}

int program_main(const struct program_args *program, const void *data)
{
    const struct ahci_config *config = data;
    args = program;
    if (args->data_size < sizeof(*config) || config->magic != AHCI_CONFIG_MAGIC)
        fatal("this is no configuration of an AHCI driver");
    map_all(config);
    bell.owner = utcb_self();
    hba.bell = &bell;
    const char *why = hba_reset(&hba);
    if (why)
        refuse(why);
    ask_parent(AHCI_EVENT_RESET, 0, 0, 0, 1);
    int64_t status = sys_irq_bind(args->slot[AHCI_SLOT_IRQ], SLOT_NOTIF, AHCI_BIT_IRQ);
    if (status != OK)
        fatal("its interrupt cannot be bound: status %lld", (long long)status);
    log_line("ports %08x, %u command slots%s", hba.ports, CAP_NCS(hba.cap),
             hba.cap & CAP_SNCQ ? ", NCQ" : "");
    hba_start(&hba);
    for (;;) {
        uint64_t bits = 0;
        report();
        arm_timer();
        if (bell_wait(&bell, SLOT_NOTIF, &bits) == OK)
            handle(config, bits);
    }
}
