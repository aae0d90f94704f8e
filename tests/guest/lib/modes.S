/* SPDX-License-Identifier: BSD-2-Clause */
/* run_modes(): long -> compatibility -> unpaged -> real -> unpaged -> legacy paging
 * -> virtual-8086 -> PAE paging -> long mode. Linked in the first 16 MiB, identity mapped in
 * every mode. */
#include "layout.h"

#define R_UNPAGED_CR0   0
#define R_UNPAGED_SUM   4
#define R_REAL_MARKER   8
#define R_REAL_INT      12
#define R_REAL_SEGMENT  16
#define R_REAL_BIG      20
#define R_REAL_STRING   24
#define R_LEGACY_CR0    28
#define R_LEGACY_VALUE  32
#define R_PAE_VALUE     36
#define R_V86_VECTOR    40
#define R_V86_FLAGS     44
#define R_V86_MARKER    48
#define R_COMPAT_VALUE  52
#define R_REAL_CPUID    56
#define R_REAL_PORT     60
#define R_UNPAGED_CPUID 64

#define LOW(symbol) (symbol - modes_low_start + MODES_LOW)

    .text
    .code64
    .globl run_modes
run_modes:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, saved_rsp
    pushq $SEL_CODE32
    pushq $compatibility
    lretq

    .code32
compatibility:
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $modes_stack_top, %esp
    movl magic, %eax
    movl %eax, mode_result + R_COMPAT_VALUE

    movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    movl $0xc0000080, %ecx
    rdmsr
    andl $~0x100, %eax
    wrmsr
    xorl %eax, %eax
    movl %eax, %cr4
    movl %cr0, %eax
    movl %eax, mode_result + R_UNPAGED_CR0
    movl $100, %ecx
    xorl %eax, %eax
1:  addl %ecx, %eax
    loop 1b
    movl %eax, mode_result + R_UNPAGED_SUM
    xorl %eax, %eax
    cpuid
    movl %ebx, mode_result + R_UNPAGED_CPUID

    ljmp $SEL_CODE16, $LOW(protected16)
back_from_real:
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movl $modes_stack_top, %esp

    /* Legacy 32-bit paging, 4 MiB pages. */
    movl $0x10, %eax
    movl %eax, %cr4
    movl $legacy_directory, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    jmp 1f
1:  movl %cr0, %eax
    movl %eax, mode_result + R_LEGACY_CR0
    movl magic + 0x40000000, %eax
    movl %eax, mode_result + R_LEGACY_VALUE

    /* Virtual-8086: its INT 3 needs IOPL 3 for INT n; with IOPL 0 it raises #GP. */
    movl $v86_fault, %eax
    movw %ax, v86_gate
    shrl $16, %eax
    movw %ax, v86_gate + 6
    lidt idt32_pointer
    movl $tss32, %eax
    movw %ax, gdt + SEL_FREE + 2
    shrl $16, %eax
    movb %al, gdt + SEL_FREE + 4
    movb %ah, gdt + SEL_FREE + 7
    movw $103, gdt + SEL_FREE
    movb $0x89, gdt + SEL_FREE + 5
    movb $0, gdt + SEL_FREE + 6
    movl $modes_stack_top - 1024, tss32 + 4
    movl $SEL_DATA, tss32 + 8
    movw $SEL_FREE, %ax
    ltr %ax
    movl %esp, saved_esp
    pushl $0                    /* GS, FS, DS, ES */
    pushl $0
    pushl $MODES_LOW >> 4
    pushl $0
    pushl $MODES_LOW >> 4       /* SS, ESP */
    pushl $0xf00
    pushl $0x20002              /* VM */
    pushl $MODES_LOW >> 4
    pushl $(v86_code - modes_low_start)
    iret
v86_fault:
    /* Leaving virtual-8086 mode nulls DS to GS: any access through them would fault. */
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl $13, mode_result + R_V86_VECTOR
    movl 12(%esp), %eax         /* error, EIP, CS, EFLAGS */
    movl %eax, mode_result + R_V86_FLAGS
    movl $SEL_DATA, %eax
    movl %eax, %ss
    movl LOW(v86_result), %eax
    movl %eax, mode_result + R_V86_MARKER
    movl saved_esp, %esp

    /* PAE paging. */
    movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    movl $0x20, %eax
    movl %eax, %cr4
    movl $pae_directory, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    jmp 1f
1:  movl magic + 0x40000000, %eax
    movl %eax, mode_result + R_PAE_VALUE

    /* Back to long mode. */
    movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    movl $0x620, %eax
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    ljmp $SEL_CODE64, $again64
    .code64
again64:
    movq saved_rsp, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

/* Copied to MODES_LOW. */
    .globl modes_low_start, modes_low_end
modes_low_start:
    .code16
protected16:
    movw $SEL_DATA16, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $SEL_DATA, %ax         /* FS keeps a 4 GiB limit in real mode */
    movw %ax, %fs
    movl %cr0, %eax
    andl $0xfffffffe, %eax
    movl %eax, %cr0
    ljmp $(MODES_LOW >> 4), $(real - modes_low_start)
real:
    movw %cs, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0xf00, %sp
    lidtl real_idt - modes_low_start
    xorw %ax, %ax
    movw %ax, %es
    movl $0x4ea1, %ecx
    movl $mode_result, %ebp     /* 32-bit address: it lies beyond 64 KiB */
    movl %ecx, %fs:R_REAL_MARKER(%ebp)
    /* INT through the IVT at 0. */
    movl %es:(0x66 * 4), %esi
    movw $(real_handler - modes_low_start), %es:(0x66 * 4)
    movw %cs, %es:(0x66 * 4 + 2)
    xorl %ebx, %ebx
    int $0x66
    movl %ebx, %fs:R_REAL_INT(%ebp)
    movl %esi, %es:(0x66 * 4)
    /* The same byte by two segment:offset pairs. */
    movw $0x7a5e, cell - modes_low_start
    movw $(MODES_LOW >> 4) - 0x10, %ax
    movw %ax, %es
    movzwl %es:(cell - modes_low_start + 0x100), %eax
    movl %eax, %fs:R_REAL_SEGMENT(%ebp)
    /* Beyond 64 KiB through FS. */
    movl $big_cell, %edi
    movl $0xfeedface, %fs:(%edi)
    movl %fs:(%edi), %eax
    movl %eax, %fs:R_REAL_BIG(%ebp)
    /* String I/O with 16-bit addresses. */
    movw %cs, %ax
    movw %ax, %es
    movw $(cell - modes_low_start), %di
    movw $4, %cx
    movw $0x3ff, %dx
    cld
    rep insb
    movl cell - modes_low_start, %eax
    movl %eax, %fs:R_REAL_STRING(%ebp)
    xorl %eax, %eax
    cpuid
    movl %ebx, %fs:R_REAL_CPUID(%ebp)
    movw $0x3ff, %dx
    xorl %eax, %eax
    inb %dx, %al
    movl %eax, %fs:R_REAL_PORT(%ebp)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $SEL_CODE32, $back_from_real
real_handler:
    movw $0xbeef, %bx
    iret
v86_code:
    movl $0x8086, v86_result - modes_low_start
    int $0x21
    hlt
    .balign 4
cell:
    .long 0
v86_result:
    .long 0
real_idt:
    .word 0x3ff
    .long 0
modes_low_end:

    .data
    .balign 8
magic:
    .long 0x1337c0de
big_cell:
    .long 0
saved_esp:
    .long 0
    .balign 8
saved_rsp:
    .quad 0
idt32_pointer:
    .word idt32_end - idt32 - 1
    .long idt32
    .balign 8
idt32:
    .fill 13, 8, 0
v86_gate:
    .word 0, SEL_CODE32, 0x8e00, 0 /* the offset is filled in at run time */
idt32_end:
    .globl mode_result, legacy_directory, pae_directory
    .balign 8
mode_result:
    .skip 128

    .bss
    .balign 4096
legacy_directory:
    .skip 4096
pae_directory:
    .skip 8192
tss32:
    .skip 128
    .balign 16
    .skip 8192
modes_stack_top:
    .section .note.GNU-stack, "", @progbits
