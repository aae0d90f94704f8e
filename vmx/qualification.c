/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/qualification.h"

#define EPT_WRITE       (1u << 1)
#define EPT_FETCH       (1u << 2)
#define EPT_GLA_VALID   (1u << 7)
#define EPT_TRANSLATION (1u << 8) /* 0: the access was to a guest page table */

#define DR6_CAUSES 0x600full /* B0-B3, BD, BS: as in the qualification */
#define DR6_B      0xfull
#define DR6_FIXED  0xffff0ff0ull

struct cr_access qualification_cr(uint64_t qualification)
{
    return (struct cr_access){.number = qualification & 0xf,
                              .type = qualification >> 4 & 3,
                              .gpr = qualification >> 8 & 0xf,
                              .source = (uint16_t)(qualification >> 16)};
}

void qualification_ept(uint64_t qualification, struct vexit_info *x)
{
    uint32_t q = (uint32_t)qualification;
    x->gla_valid = (q & EPT_GLA_VALID) != 0;
    x->flags = q & EPT_FETCH ? MMIO_FETCH : q & EPT_WRITE ? MMIO_WRITE : MMIO_READ;
    if (x->gla_valid && !(q & EPT_TRANSLATION))
        x->flags |= MMIO_PAGEWALK;
}

void qualification_task(uint64_t qualification, struct vexit_info *x)
{
    x->task.selector = (uint16_t)qualification;
    x->task.source = qualification >> 30 & 3;
}

uint64_t qualification_dr6(uint64_t qualification, uint64_t dr6)
{
    return (dr6 & ~DR6_B) | (qualification & DR6_CAUSES) | DR6_FIXED;
}
