/* SPDX-License-Identifier: BSD-2-Clause */
/* From any loader to boot_main() in 64-bit mode, wherever in the low 4 GiB the image lies.
 *
 * boot_entry32: 32-bit protected mode, flat segments, paging off, EBX = the loader's structure,
 * EDI = BOOT_KIND_*. EBP is from then on the distance from link to load address.
 * The image's zero-initialised part has been cleared by the loader, as each protocol demands. */
#include "boot/layout.h"

#define PA(symbol) (symbol - KERNEL_VMA)

#define SEL_CODE64 0x08
#define SEL_DATA   0x10

#define MSR_EFER     0xc0000080
#define EFER_LME     0x100
#define EFER_NXE     0x800
#define CR0_PE_MP_ET_NE_WP 0x10033
#define CR0_PG       0x80000000
#define CR4_PAE      0x20
#define CR4_PCIDE    0x20000
#define PTE_PW       0x03
#define PTE_PW_LARGE 0x83
#define COM1         0x3f8

    .text

/* Mullion's UEFI loader comes here: 64-bit mode, identity map, RDI = struct uefi_handoff below
 * 4 GiB. Through 32-bit mode, so that there is one path, and because 5-level paging can only be
 * left so. */
    .code64
    .globl boot_entry_uefi
boot_entry_uefi:
    cli
    cld
    movl %edi, %ebx
    movq %cr4, %rax
    andl $~CR4_PCIDE, %eax /* set, it forbids leaving 64-bit mode */
    movq %rax, %cr4
    leaq boot_stack_top(%rip), %rsp
    leaq boot_gdt(%rip), %rax
    pushq %rax
    subq $8, %rsp
    movw $(boot_gdt_end - boot_gdt - 1), 6(%rsp)
    lgdt 6(%rsp)
    leaq 1f(%rip), %rax
    pushq $BOOT_SEL_CODE32
    pushq %rax
    lretq
    .code32
1:  movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $CR0_PE_MP_ET_NE_WP, %eax
    movl %eax, %cr0
    movl $MSR_EFER, %ecx
    xorl %eax, %eax
    xorl %edx, %edx
    wrmsr
    movl %eax, %cr4
    movl $BOOT_KIND_UEFI, %edi
    jmp boot_entry32

/* A further CPU while the boot stack is free: 32-bit mode, paging off, EBX = a page for its use. */
    .globl boot_entry_cpu
boot_entry_cpu:
    movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $BOOT_KIND_CPU, %edi

    .globl boot_entry32
boot_entry32:
    cli
    cld
    /* No stack is promised; the call goes through the second word of the loader's structure. */
    movl 4(%ebx), %eax
    leal 8(%ebx), %esp
    call 1f
1:  popl %ebp
    movl %eax, 4(%ebx)
    subl $PA(1b), %ebp
    leal PA(boot_stack_top)(%ebp), %esp
    movl %edi, PA(boot_kind)(%ebp)

    call check_cpu
    rdtsc
    movl %eax, PA(boot_tsc)(%ebp)
    movl %edx, PA(boot_tsc) + 4(%ebp)
    call fill_tables

    movl $CR4_PAE, %eax
    movl %eax, %cr4
    leal PA(boot_pml4)(%ebp), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    xorl %edx, %edx
    movl $(EFER_LME | EFER_NXE), %eax
    wrmsr
    movl $(CR0_PG | CR0_PE_MP_ET_NE_WP), %eax
    movl %eax, %cr0
    leal PA(boot_gdt)(%ebp), %eax
    pushl %eax
    pushw $(boot_gdt_end - boot_gdt - 1)
    lgdt (%esp)
    leal PA(entry64)(%ebp), %eax
    pushl $SEL_CODE64
    pushl %eax
    lretl

    .code64
entry64:
    movq $1f, %rax /* to the high mapping */
    jmp *%rax
1:  movl $SEL_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $boot_stack_top, %rsp
    movl boot_kind, %edi
    movl %ebx, %esi
    leal KERNEL_LINK_PA(%rbp), %edx /* where the image lies */
    movq boot_tsc, %rcx
    xorl %ebp, %ebp
    call boot_main
    ud2

    .code32
/* Does not come back on a CPU without CPUID, long mode or NX. Clobbers EAX, ECX, EDX, ESI. */
check_cpu:
    pushfl
    popl %eax
    movl %eax, %ecx
    xorl $0x200000, %eax /* EFLAGS.ID can be changed where CPUID exists */
    pushl %eax
    popfl
    pushfl
    popl %eax
    leal PA(text_no_long_mode)(%ebp), %esi
    cmpl %eax, %ecx
    je print_and_halt
    pushl %ebx
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb print_and_halt
    movl $0x80000001, %eax
    cpuid
    popl %ebx
    btl $29, %edx
    jnc print_and_halt
    leal PA(text_no_nx)(%ebp), %esi
    btl $20, %edx
    jnc print_and_halt
    ret

/* `count` entries from EDI on, the first of them EAX. */
.macro FILL_TABLE count, step
    movl $\count, %ecx
1:  movl %eax, (%edi)
    addl $\step, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b
.endm

/* Low 4 GiB identity, the image high, an empty window for early_map(). Clobbers EAX, ECX, EDI. */
fill_tables:
    leal PA(boot_pd_low)(%ebp), %edi
    movl $PTE_PW_LARGE, %eax
    FILL_TABLE 2048, 0x200000
    leal PA(boot_pdpt_low)(%ebp), %edi
    leal PA(boot_pd_low) + PTE_PW(%ebp), %eax
    FILL_TABLE 4, 4096
    leal PA(boot_pd_high) + 8 * (KERNEL_LINK_PA >> 21)(%ebp), %edi
    leal KERNEL_LINK_PA + PTE_PW_LARGE(%ebp), %eax
    FILL_TABLE __kernel_large_pages, 0x200000
    leal PA(boot_pd_high) + PTE_PW(%ebp), %eax
    movl %eax, PA(boot_pdpt_high) + 510 * 8(%ebp)
    leal PA(boot_pd_window) + PTE_PW(%ebp), %eax
    movl %eax, PA(boot_pdpt_high) + 511 * 8(%ebp)
    leal PA(boot_pdpt_low) + PTE_PW(%ebp), %eax
    movl %eax, PA(boot_pml4)(%ebp)
    leal PA(boot_pdpt_high) + PTE_PW(%ebp), %eax
    movl %eax, PA(boot_pml4) + 511 * 8(%ebp)
    ret

/* The text at ESI on COM1 (115200 8N1) and in the first line of VGA text. */
print_and_halt:
    leal PA(uart_setup)(%ebp), %ebx
    movl $(uart_setup_end - uart_setup) / 2, %ecx
1:  movzbl (%ebx), %edx
    addl $COM1, %edx
    movb 1(%ebx), %al
    outb %al, %dx
    addl $2, %ebx
    decl %ecx
    jnz 1b
    movl $0xb8000, %edi
2:  lodsb
    testb %al, %al
    jz 5f
    movb $0x0f, %ah
    movw %ax, (%edi)
    addl $2, %edi
    movb %al, %bl
    movl $100000, %ecx /* without a UART the wait must end */
3:  movl $(COM1 + 5), %edx
    inb %dx, %al
    testb $0x20, %al
    jnz 4f
    decl %ecx
    jnz 3b
4:  movb %bl, %al
    movl $COM1, %edx
    outb %al, %dx
    jmp 2b
5:  cli
    hlt
    jmp 5b

    .balign 8
    .globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* SEL_CODE64 */
    .quad 0x00cf93000000ffff /* SEL_DATA */
    .quad 0x00cf9b000000ffff /* BOOT_SEL_CODE32 */
boot_gdt_end:

/* Register offset and value: 115200 baud, 8N1, FIFO on, DTR and RTS. */
uart_setup:
    .byte 1, 0, 3, 0x80, 0, 1, 1, 0, 3, 3, 2, 7, 4, 3
uart_setup_end:
text_no_long_mode:
    .asciz "Mullion cannot start: this CPU has no 64-bit mode (long mode).\r\n"
text_no_nx:
    .ascii "Mullion cannot start: this CPU has no execute-disable (NX), or firmware turned it"
    .asciz " off.\r\n"

    .section .bss.page_aligned, "aw", @nobits
    .balign 4096
    .globl boot_pd_window
boot_pml4:      .skip 4096
boot_pdpt_low:  .skip 4096
boot_pdpt_high: .skip 4096
boot_pd_high:   .skip 4096
boot_pd_window: .skip 4096
boot_pd_low:    .skip 4 * 4096
boot_stack:     .skip BOOT_STACK_SIZE
boot_stack_top:
boot_tsc:       .skip 8
boot_kind:      .skip 4

    .section .note.GNU-stack, "", @progbits
