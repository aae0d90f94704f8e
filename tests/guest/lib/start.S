/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry of a test guest: multiboot 1 and PVH share it (32-bit protected mode, paging off, EBX
 * points at the boot information). Goes to long mode on an identity map of the low 4 GiB. */
#include "layout.h"

    .section .multiboot, "a"
    .balign 4
    .long 0x1badb002
    .long 0x00000003
    .long -(0x1badb002 + 0x00000003)

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long start32

    .text
    .code32
    .globl start32
start32:
    cli
    cld
    movl %eax, boot_magic
    movl %ebx, boot_info
    movl $boot_stack_top, %esp
    movl $0x620, %eax           /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x901, %eax            /* NXE, LME, SCE */
    wrmsr
    movl $0x80010033, %eax      /* PG, WP, NE, ET, MP, PE */
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $SEL_CODE64, $start64

    .code64
start64:
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $boot_stack_top, %rsp
    call guest_start
1:  cli
    hlt
    jmp 1b

/* Interrupt entries: 16 bytes each, all 256, so that the address follows from the vector. */
    .balign 16
    .globl isr_entries
isr_entries:
    .set vector, 0
    .rept 256
    .balign 16
    .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21)
    .else
    pushq $0
    .endif
    pushq $vector
    jmp isr_common
    .set vector, vector + 1
    .endr

isr_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    movq %rsp, %rdi
    movq %rsp, %rbp
    andq $-16, %rsp
    call isr_dispatch
    movq %rbp, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

/* Start of an application processor: copied to AP_TRAMPOLINE, entered in real mode by SIPI. */
    .code16
    .balign 16
    .globl ap_trampoline, ap_trampoline_end
ap_trampoline:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl (ap_gdt_pointer - ap_trampoline)
    movl $0x620, %eax
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x901, %eax
    wrmsr
    movl $0x80010033, %eax
    movl %eax, %cr0
    ljmpl $SEL_CODE64, $ap_start64
    .balign 8
ap_gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
ap_trampoline_end:

    .code64
ap_start64:
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $1, %eax
    lock xaddl %eax, ap_arrivals
    leal 1(%eax), %edi
    movl %edi, %ecx
    shll $AP_STACK_SHIFT, %ecx
    leaq ap_stacks(%rcx), %rsp
    call ap_entered
1:  cli
    hlt
    jmp 1b

    .data
    .balign 4096
    .globl pml4, pdpt, page_directories
pml4:
    .quad pdpt + 3
    .fill 511, 8, 0
pdpt:
    .quad page_directories + 0x0003, page_directories + 0x1003
    .quad page_directories + 0x2003, page_directories + 0x3003
    .fill 508, 8, 0
page_directories:
    .set entry, 0
    .rept 2048
    .quad (entry << 21) | 0xe3
    .set entry, entry + 1
    .endr

    .balign 16
    .globl gdt, gdt_end, gdt_pointer, gdt_tss
gdt:
    .quad 0
    .quad 0x00af9b000000ffff    /* SEL_CODE64 */
    .quad 0x00cf93000000ffff    /* SEL_DATA */
    .quad 0x00cf9b000000ffff    /* SEL_CODE32 */
    .quad 0x00009b000000ffff    /* SEL_CODE16 */
    .quad 0x000093000000ffff    /* SEL_DATA16 */
    .quad 0x00cff3000000ffff    /* SEL_USER_DATA */
    .quad 0x00affb000000ffff    /* SEL_USER_CODE */
gdt_tss:
    .quad 0, 0                  /* SEL_TSS */
    .quad 0, 0, 0, 0, 0, 0      /* SEL_FREE and on: the tests' own */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .globl boot_magic, boot_info, ap_arrivals
    .balign 4
boot_magic:
    .long 0
boot_info:
    .long 0
ap_arrivals:
    .long 0

    .bss
    .balign 16
    .globl boot_stack_top
    .skip 32768
boot_stack_top:
    .globl ap_stacks
ap_stacks:
    .skip (AP_MAX + 1) << AP_STACK_SHIFT
    .section .note.GNU-stack, "", @progbits
