/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/controls.h"

uint32_t controls_compute(uint64_t capability, uint32_t needed, uint32_t wanted, uint32_t refused,
                          uint32_t *controls)
{
    uint32_t must = (uint32_t)capability, may = (uint32_t)(capability >> 32);
    *controls = ((needed | wanted) & may) | must;
    return (needed & ~may) | (refused & must);
}

uint64_t controls_free_bits(uint64_t fixed0, uint64_t fixed1, uint64_t relaxed)
{
    return fixed1 & (~fixed0 | relaxed);
}
