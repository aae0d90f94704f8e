/* SPDX-License-Identifier: BSD-2-Clause */
/* Segment attributes between the ABI (VMCB layout) and VMX's access rights. (Intel SDM vol. 3,
 * "Format of Access Rights".) */
#ifndef VMX_SEGMENT_H
#define VMX_SEGMENT_H

#include "abi/vcpu.h"
#include "lib/types.h"

#define ACCESS_TYPE     0x0000fu
#define ACCESS_S        0x00010u
#define ACCESS_DPL(a)   ((a) >> 5 & 3u)
#define ACCESS_P        0x00080u
#define ACCESS_RESERVED 0xfffe0f00u
#define ACCESS_L        0x02000u
#define ACCESS_DB       0x04000u
#define ACCESS_G        0x08000u
#define ACCESS_UNUSABLE 0x10000u

/* The CPU wants the accessed and busy bits set and TR usable, where an AMD CPU, whose layout the
 * ABI has, does not care; those are put right here. *limit: with G the low 12 bits must be ones. */
uint32_t segment_access(enum vcpu_seg which, uint16_t attr, uint32_t *limit);
uint16_t segment_attr(uint32_t access);

#endif
