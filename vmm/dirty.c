/* SPDX-License-Identifier: BSD-2-Clause */
/* How much the guest writes: pages of its RAM that it changes between two points in time. Event
 * thread only. */
#include "abi/kinfo.h"
#include "abi/status.h"
#include "user/program.h"
#include "user/syscall_stubs.h"
#include "vmm/vmm.h"

static uint64_t started; /* TSC */

/* Sum of guest_dirty() over a piece of RAM, or ERR_*. */
static int64_t sweep_piece(const struct vmm *vmm, uint64_t gpa, uint64_t size, uint32_t log)
{
    int64_t sum = 0;
    for (uint64_t done = 0; done < size; done += GUEST_DIRTY_STEP) {
        uint64_t part = size - done < GUEST_DIRTY_STEP ? size - done : GUEST_DIRTY_STEP, pages = 0;
        int64_t status = sys_guest_dirty(vmm->guest, gpa + done, part, log, &pages);
        if (status != OK)
            return status;
        sum += (int64_t)pages;
    }
    return sum;
}

static int64_t sweep(const struct vmm *vmm, uint32_t log)
{
    int64_t low = sweep_piece(vmm, 0, vmm->mem.low_size, log);
    if (low < 0)
        return low;
    int64_t high = sweep_piece(vmm, GUEST_HIGH_BASE, vmm->mem.high_size, log);
    return high < 0 ? high : low + high;
}

/* Up to 1/50 of a second a GiB: while its large pages are cut, a guest goes on. */
void dirty_start(struct vmm *vmm)
{
    const struct kinfo *kinfo = (const struct kinfo *)KINFO_VA;
    int64_t status = sweep(vmm, 1);
    vmm->dirty = (struct vmm_dirty){.status = status < 0 ? status : ERR_STATE,
                                    .logged = (kinfo->assists & ASSIST_PML) != 0};
    started = status < 0 ? 0 : time_tsc();
}

void dirty_stop(struct vmm *vmm)
{
    if (!started)
        return;
    uint64_t ns = time_tsc_to_ns(time_tsc() - started);
    int64_t pages = sweep(vmm, 0);
    started = 0;
    vmm->dirty.status = pages < 0 ? pages : OK;
    vmm->dirty.pages = pages < 0 ? 0 : (uint64_t)pages;
    vmm->dirty.ns = ns;
}
