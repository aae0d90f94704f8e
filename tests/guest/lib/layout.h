/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that assembly and C of the test guests share. */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define SEL_CODE64     0x08
#define SEL_DATA       0x10
#define SEL_CODE32     0x18
#define SEL_CODE16     0x20
#define SEL_DATA16     0x28
#define SEL_USER_DATA  0x30
#define SEL_USER_CODE  0x38
#define SEL_TSS        0x40
#define SEL_FREE       0x50
#define AP_TRAMPOLINE  0x8000 /* page aligned, below 1 MiB: the SIPI vector is its page number */
#define MODES_LOW      0x9000 /* where the mode tests' 16-bit code runs */
#define AP_MAX         64
#define AP_STACK_SHIFT 13

#endif
