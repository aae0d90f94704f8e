/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot CPU fills in at the end of the copied trampoline. Also read by trampoline.S. */
#ifndef ARCH_TRAMPOLINE_H
#define ARCH_TRAMPOLINE_H

#define TRAMPOLINE_DATA 0xf00 /* offset in the page */

#define TRAMPOLINE_GDTR  0x00
#define TRAMPOLINE_FAR32 0x08
#define TRAMPOLINE_FAR64 0x10
#define TRAMPOLINE_CR3   0x18
#define TRAMPOLINE_STACK 0x20
#define TRAMPOLINE_ENTRY 0x28
#define TRAMPOLINE_GDT   0x30

#define TRAMPOLINE_SEL_CODE32 0x08
#define TRAMPOLINE_SEL_CODE64 0x10
#define TRAMPOLINE_SEL_DATA   0x18

#endif
