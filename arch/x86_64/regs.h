/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of ring 3, saved at each kernel entry; the tail is what the CPU itself pushes. */
#ifndef ARCH_REGS_H
#define ARCH_REGS_H

#include "lib/types.h"

struct regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct regs) == 22 * 8, "entry.S pushes exactly this");

#endif
