/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills struct vmm_stats; sequence is odd meanwhile. Event thread only. */
#include <string.h>

#include "abi/status.h"
#include "user/syscall_stubs.h"
#include "vmm/machine.h"
#include "vmm/vmm.h"

#define STATE_SUSPENDED 3u

_Static_assert(VCPU_STATS <= 32 && VCPU_EXITS <= 32, "counters fit into struct vmm_stats");

void stats_refresh(struct vmm *vmm, bool paused)
{
    struct vmm_stats *stats = vmm->stats;
    if (!stats)
        return;
    uint64_t balloon = machine_balloon_pages(&vmm->machine);
    __atomic_fetch_add(&stats->sequence, 1, __ATOMIC_ACQ_REL);
    stats->vcpu_count = vmm->config->vcpus;
    stats->balloon_pages = balloon;
    stats->dirty = vmm->dirty;
    for (uint32_t i = 0; i < vmm->config->vcpus; i++) {
        const struct vmm_vcpu *vcpu = &vmm->vcpu[i];
        stats->vcpu[i].state = paused ? STATE_SUSPENDED : vcpu->page->run_state;
        if (sys_vcpu_stats(vcpu->slot) == OK)
            memcpy(stats->vcpu[i].stat, utcb_self()->mr, VCPU_STATS * sizeof(uint64_t));
        memcpy(stats->vcpu[i].vmm_exits, vcpu->exits, sizeof(vcpu->exits));
    }
    stats->disk_count = vmm->config->disk_count;
    for (uint32_t i = 0; i < vmm->config->disk_count; i++)
        stats->disk[i].sectors = machine_disk_stats(&vmm->machine, i, stats->disk[i].stat);
    __atomic_fetch_add(&stats->sequence, 1, __ATOMIC_RELEASE);
}
