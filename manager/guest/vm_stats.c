/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the counters that a VMM keeps in memory shared with the manager. They are the VMM's word:
 * shown, never acted on. */
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "abi/vcpu.h"
#include "manager/host/cpus.h"
#include "manager/guest/vm.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

static const struct vmm_stats *open_stats(const struct vm *vm)
{
    if (!vm->stats.slot || sys_mem_map(SLOT_SELF_PD, vm->stats.slot, MANAGER_STATS_VA, 0,
                                       vm->stats.size, MAP_READ) != OK)
        return NULL;
    return (const struct vmm_stats *)MANAGER_STATS_VA;
}

static void close_stats(const struct vm *vm)
{
    sys_mem_unmap(SLOT_SELF_PD, MANAGER_STATS_VA, vm->stats.size);
}

uint64_t vm_run_time_ns(const struct vm *vm)
{
    struct sc_info info;
    uint64_t tsc = 0;
    for (uint32_t i = 0; i < vm->sc_count; i++)
        tsc += vm_sched_info(vm, i, &info) ? info.used_tsc : 0;
    tsc += vm_sched_info(vm, TUNE_EMULATOR, &info) ? info.used_tsc : 0;
    return time_tsc_to_ns(tsc);
}

static void read_sched(const struct vm *vm, uint32_t i, struct mgr_sched *out)
{
    struct sc_info info;
    if (!vm_sched_info(vm, i, &info))
        return;
    *out = (struct mgr_sched){
        .cpu = (uint32_t)info.cpu,
        .id = info.id,
        .class = (uint32_t)info.class,
        .priority = (uint32_t)info.priority,
        .weight = (uint32_t)info.weight,
        .budget_us = info.budget_us,
        .period_us = info.period_us,
        .used_ns = time_tsc_to_ns(info.used_tsc),
        .wait_ns = time_tsc_to_ns(info.wait_tsc),
        .throttled_ns = time_tsc_to_ns(info.throttled_tsc),
        .switches = info.switches,
        .migrations = info.migrations,
        .deadline_misses = info.deadline_misses,
    };
}

/* A torn copy is tried again, but no VMM can keep the manager here. */
static void copy_vcpu(const struct vmm_stats *stats, uint32_t vcpu, struct mgr_stats *out)
{
    for (int tries = 0; tries < 16; tries++) {
        uint64_t before = __atomic_load_n(&stats->sequence, __ATOMIC_ACQUIRE);
        out->state = (uint32_t)stats->vcpu[vcpu].state;
        out->balloon_pages = stats->balloon_pages;
        out->dirty = stats->dirty;
        memcpy(out->stat, stats->vcpu[vcpu].stat, sizeof(out->stat));
        memcpy(out->exits, stats->vcpu[vcpu].vmm_exits, sizeof(out->exits));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && __atomic_load_n(&stats->sequence, __ATOMIC_RELAXED) == before)
            return;
    }
}

bool vm_read_stats(const struct vm *vm, uint32_t vcpu, struct mgr_stats *out)
{
    *out = (struct mgr_stats){0};
    out->vcpus = vm->def.vcpus;
    out->vm_state = vm->state;
    out->memory = vm->def.memory;
    if (vcpu >= vm->def.vcpus)
        return false;
    const struct tune *tune = lifecycle_has_vmm(vm->state) ? &vm->tune : &vm->def.tune;
    struct tune_set mine = cpus_of(tune), allowed = tune_allowed(tune, vcpu, NULL, NULL);
    out->cpuset = tune_set_both(&mine, &allowed);
    out->domain_ns = vm_run_time_ns(vm);
    read_sched(vm, vcpu, &out->sched);
    read_sched(vm, TUNE_EMULATOR, &out->emulator);
    const struct vmm_stats *stats = open_stats(vm);
    if (!stats)
        return true;
    copy_vcpu(stats, vcpu, out);
    close_stats(vm);
    out->guest_ns = time_tsc_to_ns(out->stat[STAT_RUN_TSC]);
    out->steal_ns = time_tsc_to_ns(out->stat[STAT_STEAL_TSC]);
    return true;
}

void vm_read_disk_stats(const struct vm *vm, struct mgr_disk *disks)
{
    const struct vmm_stats *stats = open_stats(vm);
    if (!stats)
        return;
    for (int tries = 0; tries < 16; tries++) {
        uint64_t before = __atomic_load_n(&stats->sequence, __ATOMIC_ACQUIRE);
        for (uint32_t i = 0; i < vm->def.disk_count; i++) {
            disks[i].sectors = stats->disk[i].sectors;
            memcpy(disks[i].stat, stats->disk[i].stat, sizeof(disks[i].stat));
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && __atomic_load_n(&stats->sequence, __ATOMIC_RELAXED) == before)
            break;
    }
    close_stats(vm);
}
