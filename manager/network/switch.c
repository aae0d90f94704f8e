/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/answer.h"
#include "manager/network/switch.h"

#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/bootpkg.h"
#include "manager/life.h"
#include "manager/network/netport_jobs.h"
#include "manager/network/network.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define SWITCH_QUOTA    (1u << 20)
#define SWITCH_PRIORITY 26u /* as the disks' drivers: above the console and all VMMs */
#define ANSWER_NS       30000000000ull

static struct switch_setup setup;
static struct life life;
static const struct package_file *program_file;
static uint32_t notif; /* outlives the process, as owners of ports have it */
static struct mem_block status_memory;
static uint64_t quota;

uint32_t switch_notif(void)
{
    return notif;
}

const struct switch_status *switch_status(void)
{
    return notif ? (const struct switch_status *)MANAGER_SWITCH_VA : NULL;
}

uint64_t switch_time_ns(void)
{
    return program_time_ns(&life.program);
}

static const char *take_all(void)
{
    int64_t status =
        physmem_alloc(&status_memory, SWITCH_STATUS_BYTES, PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (status == OK)
        status = window_zero(&status_memory);
    if (status == OK)
        status = sys_mem_map(SLOT_SELF_PD, status_memory.slot, MANAGER_SWITCH_VA, 0,
                             status_memory.size, MAP_READ);
    if (status != OK)
        return "there is no memory for its status";
    uint32_t slot = slot_alloc();
    if (!slot || sys_notif_create(slot) != OK)
        return "no notification";
    notif = slot;
    return NULL;
}

static const char *spawn(void)
{
    const struct spawn_cap cap = {SWITCH_SLOT_STATUS, status_memory.slot, RIGHT_READ | RIGHT_WRITE,
                                  0};
    struct switch_config config = {.magic = SWITCH_CONFIG_MAGIC, .restarts = life.restarts};
    /* Wherever a CPU is idle: what it copies is then done beside the guests. */
    struct sc_params params = {.class = SC_FIXED, .priority = SWITCH_PRIORITY};
    memset(params.affinity, 0xff, sizeof(params.affinity));
    quota = SWITCH_QUOTA + netport_tables();
    struct spawn_request request = {
        .file = program_file,
        .name = "switch",
        .heap_size = SWITCH_HEAP_BYTES,
        .quota = quota,
        .params = &params,
        .badge = SWITCH_BADGE,
        .portal = setup.portal,
        .fault_notif = setup.notif,
        .fault_bits = SWITCH_FAULT_BIT,
        .notif = notif,
        .data = &config,
        .data_size = sizeof(config),
        .caps = &cap,
        .cap_count = 1,
    };
    const char *why = setup.ensure_kernel_memory(quota);
    return why ? why : spawn_program(&life.program, &request);
}

static void start(void)
{
    life_began(&life, "switch", spawn(), ANSWER_NS);
}

void switch_start(const struct switch_setup *with)
{
    if (!network_count())
        return;
    setup = *with;
    program_file = bootpkg_find("switch");
    const char *why = program_file ? take_all() : "the boot package has no such program";
    if (why)
        log_line("switch: guests have no network: %s", why);
    else
        start();
}

uint64_t switch_tick(uint64_t now)
{
    if (!notif)
        return 0;
    enum life_state state = life_check(&life, now);
    if (state != LIFE_GOES_ON) {
        life_tell(&life, "switch", state);
        life_end(&life);
        netport_switch_died();
    }
    if (life_is_due(&life, now))
        start();
    return life_next(&life);
}

void switch_job(void)
{
    if (!life.program.alive)
        return; /* the next one asks unasked */
    life_expect(&life, ANSWER_NS);
    sys_notif_signal(notif, SWITCH_BIT_JOB);
}

const char *switch_allow_tables(uint64_t bytes)
{
    uint64_t needed = SWITCH_QUOTA + bytes;
    if (!life.program.alive || needed <= quota)
        return NULL;
    const char *why = setup.ensure_kernel_memory(needed - quota);
    if (why)
        return why;
    if (sys_pd_quota(life.program.pd, needed) != OK)
        return "there is no kernel memory for the switch to map it";
    quota = needed;
    return NULL;
}

uint64_t switch_serve(struct utcb *utcb)
{
    uint64_t out;
    switch (utcb->mr[0]) {
    case SWITCH_EVENT_NEXT:
        out = netport_next(utcb);
        if (utcb->mr[1] == SWITCH_JOB_NONE && !netport_is_busy())
            life.answer_by = 0;
        return out;
    case SWITCH_EVENT_MEMORY:
        return netport_memory(utcb, utcb->mr[1], utcb->mr[2]);
    case SWITCH_EVENT_DONE:
        if (!netport_done(utcb->mr[1], utcb->mr[2], utcb->mr[3]))
            return answer(utcb, ERR_ARG);
        return answer(utcb, OK);
    default:
        return answer(utcb, ERR_ARG);
    }
}
