/* SPDX-License-Identifier: BSD-2-Clause */
/* The process: what the manager wants of it, the memory of its ports, the loop around fabric.h. */
#include <stdlib.h>
#include <string.h>
#include "abi/map.h"
#include "abi/object.h"
#include "abi/status.h"
#include "net/switch/fabric.h"
#include "user/program.h"
#include "user/random.h"
#include "user/syscall_stubs.h"

#define STATUS_VA    0x0000000030000000ull
#define CHANNEL_VA   0x0000000040000000ull /* CHANNEL_STEP each */
#define CHANNEL_STEP 0x0000000000100000ull
#define AREA_VA      0x0000100000000000ull /* AREA_STEP each */
#define AREA_STEP    0x0000004000000000ull

static struct fabric fabric;
static const struct program_args *args;
static uint64_t armed_ns;

/* What else a port has. */
static struct port_memory {
    uint32_t channel, notif, memories;
    uint32_t memory[SWITCH_MEMORIES_MAX]; /* slots */
    uint64_t mapped;                      /* bytes of the area */
} memory_of[SWITCH_PORTS];

static void *channel_va(uint64_t index)
{
    return (void *)(CHANNEL_VA + index * CHANNEL_STEP);
}

static void *area_va(uint64_t index)
{
    return (void *)(AREA_VA + index * AREA_STEP);
}

/* Takes the area's memory objects, UTCB_CAPS at a time. */
static bool take_area(uint64_t index, const struct switch_attach *job, struct port_memory *m)
{
    struct utcb *utcb = utcb_self();
    while (m->memories < job->memories) {
        uint32_t slots = slot_alloc_range(UTCB_CAPS);
        if (!slots)
            return false;
        utcb->recv_slot = slots;
        int64_t status = ask_parent(SWITCH_EVENT_MEMORY, index, m->memories, 0, 4);
        utcb->recv_slot = 0;
        uint64_t came = status == OK ? utcb->mr[1] : 0;
        for (uint32_t i = 0; i < UTCB_CAPS; i++) {
            if (i < came && m->memories < job->memories)
                m->memory[m->memories++] = slots + i;
            else
                slot_free(slots + i);
        }
        if (!came)
            return false;
    }
    return true;
}

static bool map_all(uint64_t index, const struct switch_attach *job, struct port_memory *m)
{
    const uint32_t rw = MAP_READ | MAP_WRITE;
    uint64_t bytes = frame_channel_bytes(job->pairs);
    if (sys_mem_map(SLOT_SELF_PD, m->channel, (uint64_t)channel_va(index), 0, bytes, rw) != OK ||
        !take_area(index, job, m))
        return false;
    for (uint32_t i = 0; i < m->memories; i++) {
        uint64_t size = job->memory_size[i];
        if (size > AREA_STEP - m->mapped ||
            sys_mem_map(SLOT_SELF_PD, m->memory[i], (uint64_t)area_va(index) + m->mapped, 0, size,
                        rw) != OK)
            return false;
        m->mapped += size;
    }
    return true;
}

static void unmap_all(uint64_t index, struct port_memory *m)
{
    sys_mem_unmap(SLOT_SELF_PD, (uint64_t)channel_va(index), CHANNEL_STEP);
    if (m->mapped)
        sys_mem_unmap(SLOT_SELF_PD, (uint64_t)area_va(index), m->mapped);
    for (uint32_t i = 0; i < m->memories; i++)
        slot_free(m->memory[i]);
    slot_free(m->channel);
    slot_free(m->notif);
    *m = (struct port_memory){0};
}

static enum switch_refusal attach(uint64_t index, const struct switch_attach *job, uint32_t slots)
{
    struct port_memory *m = index < SWITCH_PORTS ? &memory_of[index] : NULL;
    if (!m || fabric.port[index] || !job->pairs || job->pairs > FRAME_PAIRS_MAX ||
        job->memories > SWITCH_MEMORIES_MAX) {
        slot_free(slots);
        slot_free(slots + 1);
        return m && !fabric.port[index] ? SWITCH_REFUSED_CONFIG : SWITCH_REFUSED_PORT;
    }
    *m = (struct port_memory){.channel = slots, .notif = slots + 1};
    enum switch_refusal refusal = SWITCH_REFUSED_MEMORY;
    struct port *port = calloc(1, sizeof(*port));
    if (port && map_all(index, job, m)) {
        port->id = (uint32_t)index;
        port->channel = channel_va(index);
        port->area = area_va(index);
        port->area_size = m->mapped;
        port->room_pairs = job->pairs;
        port->notif = m->notif;
        port->owner_bits = job->owner_bits;
        port->config = job->port;
        refusal = fabric_attach(&fabric, port, job->fresh != 0);
    }
    if (refusal != SWITCH_REFUSED_NOT) {
        free(port);
        unmap_all(index, m);
    }
    return refusal;
}

static enum switch_refusal detach(uint64_t index)
{
    struct port *port = fabric_detach(&fabric, index);
    if (!port)
        return SWITCH_REFUSED_PORT;
    unmap_all(index, &memory_of[index]);
    free(port);
    return SWITCH_REFUSED_NOT;
}

/* False: there was none. */
static bool take_job(void)
{
    union {
        struct switch_attach attach;
        struct switch_network network;
        struct switch_port port;
    } job;
    struct utcb *utcb = utcb_self();
    uint32_t slots = slot_alloc_range(UTCB_CAPS);
    if (!slots)
        fatal("no capability slots are left");
    utcb->recv_slot = slots;
    int64_t status = ask_parent(SWITCH_EVENT_NEXT, 0, 0, 0, 4);
    utcb->recv_slot = 0;
    uint64_t kind = status == OK ? utcb->mr[1] : SWITCH_JOB_NONE, index = utcb->mr[2];
    enum switch_refusal refusal = SWITCH_REFUSED_NOT;
    memcpy(&job, &utcb->mr[SWITCH_PAYLOAD], sizeof(job));
    for (uint32_t i = kind == SWITCH_JOB_ATTACH ? 2 : 0; i < UTCB_CAPS; i++)
        slot_free(slots + i);
    switch (kind) {
    case SWITCH_JOB_NETWORK:
        refusal = fabric_network(&fabric, index, &job.network);
        break;
    case SWITCH_JOB_ATTACH:
        refusal = attach(index, &job.attach, slots);
        break;
    case SWITCH_JOB_CHANGE:
        refusal = fabric_change(&fabric, index, &job.port);
        break;
    case SWITCH_JOB_DETACH:
        refusal = detach(index);
        break;
    default:
        return false;
    }
    ask_parent(SWITCH_EVENT_DONE, kind, index, refusal, 4);
    return true;
}

/* An earlier timer does no harm: it finds nothing to do, and a later one is armed then. */
static void arm_timer(void)
{
    uint64_t wake = fabric_wake(&fabric);
    if (!wake || (armed_ns && armed_ns <= wake))
        return;
    armed_ns = wake;
    uint64_t in = wake > fabric.now_ns ? wake - fabric.now_ns : 0;
    sys_notif_timer(SLOT_NOTIF, time_tsc() + time_ns_to_tsc(in), SWITCH_BIT_TIMER);
}

static void handle(uint64_t bits)
{
    fabric_set_now(&fabric, time_ns());
    if (bits & SWITCH_BIT_JOB) {
        while (take_job())
            ;
    }
    if (bits & SWITCH_BIT_TIMER) {
        armed_ns = 0;
        fabric.status->timers++;
        fabric_timer(&fabric);
    }
    fabric_signalled(&fabric, bits);
}

int program_main(const struct program_args *program, const void *data)
{
    const struct switch_config *config = data;
    uint64_t seed, bits = SWITCH_BIT_JOB;
    args = program;
    if (args->data_size < sizeof(*config) || config->magic != SWITCH_CONFIG_MAGIC)
        fatal("this is no configuration of the switch");
    struct switch_status *status =
        map_given(args->slot[SWITCH_SLOT_STATUS], STATUS_VA, SWITCH_STATUS_BYTES,
                  MAP_READ | MAP_WRITE, "the status memory");
    random_bytes(&seed, sizeof(seed));
    fabric_init(&fabric, status, seed, time_ns());
    fabric.status->restarts = config->restarts;
    log_line("up, %u restarts", config->restarts);
    for (;;) {
        handle(bits);
        bits = 0;
        if (fabric_run(&fabric)) {
            sys_notif_poll(SLOT_NOTIF, &bits);
            continue;
        }
        arm_timer();
        while (sys_notif_wait(SLOT_NOTIF, 0, &bits) != OK)
            ;
        fabric.status->wakeups++;
    }
}
