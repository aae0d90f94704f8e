/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/runtime.h"
#include "abi/kinfo.h"

void runtime_init(const char *name, uint32_t first_free_slot)
{
    const struct kinfo *kinfo = (const struct kinfo *)KINFO_VA;
    slot_init(first_free_slot);
    time_init(kinfo->tsc_khz);
    log_init(name);
}
