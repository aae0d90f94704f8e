/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a CPU begins after its start-up IPI: real mode, CS = page << 8, IP = 0. It goes through
 * protected mode into long mode with a page table that maps this page to itself, and on to the
 * kernel. Runs as a copy: all addresses come from the page's base (EBX) or from the data that
 * smp.c wrote. */
#include "arch/x86_64/trampoline.h"

#define CR0_PE        0x00000011 /* with ET */
#define CR0_PG_WP_PE  0x80010011
#define CR4_PAE       0x20
#define MSR_EFER      0xc0000080
#define EFER_LME_NXE  0x900

#define DATA(field) (TRAMPOLINE_DATA + TRAMPOLINE_##field)

    .section .trampoline, "ax"
    .code16
trampoline:
    cli
    cld
    xorl %ebx, %ebx
    movw %cs, %bx
    movw %bx, %ds
    shll $4, %ebx
    lgdtl DATA(GDTR)
    movl $CR0_PE, %eax
    movl %eax, %cr0
    ljmpl *DATA(FAR32)

    .code32
    .globl trampoline_32
trampoline_32:
    movw $TRAMPOLINE_SEL_DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl DATA(CR3)(%ebx), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    xorl %edx, %edx
    movl $EFER_LME_NXE, %eax
    wrmsr
    movl $CR0_PG_WP_PE, %eax
    movl %eax, %cr0
    ljmpl *DATA(FAR64)(%ebx)

    .code64
    .globl trampoline_64
trampoline_64:
    movq DATA(STACK)(%rbx), %rsp
    xorl %ebp, %ebp
    movq DATA(ENTRY)(%rbx), %rax
    call *%rax
    ud2

    .section .note.GNU-stack, "", @progbits
