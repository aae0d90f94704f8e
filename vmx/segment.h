/* SPDX-License-Identifier: BSD-2-Clause */
/* Segment attributes between the ABI (VMCB layout) and VMX's access rights. (Intel SDM vol. 3,
 * "Format of Access Rights".) */
#ifndef VMX_SEGMENT_H
#define VMX_SEGMENT_H

#include "abi/vmx_state.h"
#include "lib/types.h"

/* The CPU wants the accessed and busy bits set and TR usable, where an AMD CPU, whose layout the
 * ABI has, does not care; those are put right here. *limit: with G the low 12 bits must be ones. */
uint32_t segment_access(enum vcpu_seg which, uint16_t attr, uint32_t *limit);
uint16_t segment_attr(uint32_t access);

#endif
