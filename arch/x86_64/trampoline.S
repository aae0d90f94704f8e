/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a CPU begins after its start-up IPI: real mode, CS = page << 8, IP = 0. Runs as a copy with
 * the two addresses that smp.c writes into it, and goes on at boot_entry_cpu. */
#include "boot/layout.h"

#define CR0_PE_ET 0x11

    .section .trampoline, "ax"
    .code16
trampoline:
    cli
    cld
    xorl %ebx, %ebx
    movw %cs, %bx
    movw %bx, %ds
    shll $4, %ebx
    lgdtl gdtr - trampoline
    movl $CR0_PE_ET, %eax
    movl %eax, %cr0
    ljmpl *(trampoline_entry - trampoline)
gdtr:
    .short 4 * 8 - 1
    .globl trampoline_gdt, trampoline_entry
trampoline_gdt:
    .long 0
trampoline_entry:
    .long 0
    .short BOOT_SEL_CODE32

    .section .note.GNU-stack, "", @progbits
