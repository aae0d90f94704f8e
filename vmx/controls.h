/* SPDX-License-Identifier: BSD-2-Clause */
/* VM-execution, exit and entry controls from the capability MSRs. */
#ifndef VMX_CONTROLS_H
#define VMX_CONTROLS_H

#include "lib/types.h"

/* A capability MSR: low half, bits that must be 1; high half, bits that may be 1. *controls gets
 * `needed`, what of `wanted` the CPU has, and what must be 1. Returns the bits of `needed` that may
 * not be 1, and the bits of `refused` that must be 1: 0 is success. (Intel SDM vol. 3, Appendix A
 * "VMX Capability Reporting Facility".) */
uint32_t controls_compute(uint64_t capability, uint32_t needed, uint32_t wanted, uint32_t refused,
                          uint32_t *controls);
/* Bits of a control register that a guest may own: both values are allowed by the fixed-bit MSRs.
 * `relaxed`: bits that another control frees. */
uint64_t controls_free_bits(uint64_t fixed0, uint64_t fixed1, uint64_t relaxed);

#endif
