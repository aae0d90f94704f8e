/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the counters that a VMM keeps in memory shared with the manager. They are the VMM's word:
 * shown, never acted on. */
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "abi/vcpu.h"
#include "manager/vm.h"
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
    const struct vmm_stats *stats = open_stats(vm);
    uint64_t tsc = 0;
    if (!stats)
        return 0;
    for (uint32_t i = 0; i < vm->def.vcpus; i++)
        tsc += stats->vcpu[i].stat[STAT_RUN_TSC];
    close_stats(vm);
    return time_tsc_to_ns(tsc);
}

/* A torn copy is tried again, but no VMM can keep the manager here. */
static void copy_vcpu(const struct vmm_stats *stats, uint32_t vcpu, struct mgr_stats *out)
{
    for (int tries = 0; tries < 16; tries++) {
        uint64_t before = __atomic_load_n(&stats->sequence, __ATOMIC_ACQUIRE);
        out->state = (uint32_t)stats->vcpu[vcpu].state;
        out->balloon_pages = stats->balloon_pages;
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
    out->host_cpu = vm->host_cpu[vcpu];
    memcpy(out->cpuset, vm->def.cpuset, sizeof(out->cpuset));
    if (!vm->def.has_cpuset)
        memset(out->cpuset, 0xff, sizeof(out->cpuset));
    const struct vmm_stats *stats = open_stats(vm);
    if (!stats)
        return true;
    copy_vcpu(stats, vcpu, out);
    close_stats(vm);
    out->run_ns = time_tsc_to_ns(out->stat[STAT_RUN_TSC]);
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
