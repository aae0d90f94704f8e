/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries from ring 3 and from interrupts, and the one way back.
 *
 * From ring 3 the CPU pushes its frame straight into the current thread's struct regs: TSS.RSP0 and
 * cpu->user_regs both point behind it. Only then is the CPU's kernel stack loaded. In ring 0
 * interrupts are on in two places only (idle, and the exit loop's window), so an interrupt
 * from ring 0 simply returns to where it was. NMI, #DF, #MC and #DB have stacks of their own. */
#include "arch/offsets.h"

#define VECTOR_SYSCALL -1

.macro SAVE_REGS
    .irp reg, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
    push %\reg
    .endr
.endm

.macro RESTORE_REGS
    .irp reg, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
    pop %\reg
    .endr
.endm

/* Nothing of ring 3 may steer ring 0 speculatively: all general registers are cleared after
 * saving. */
.macro CLEAR_REGS
    .irp reg, ebx, ebp, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d
    xor %\reg, %\reg
    .endr
.endm

.section .text.entry, "ax"

.global syscall_entry
syscall_entry:
    swapgs
    mov %rsp, %gs:CPU_SCRATCH
    mov %gs:CPU_USER_REGS, %rsp
    push $SEL_UDATA_C
    push %gs:CPU_SCRATCH
    push %r11
    push $SEL_UCODE_C
    push %rcx
    push $0
    push $VECTOR_SYSCALL
    SAVE_REGS
    CLEAR_REGS
    mov %gs:CPU_KERNEL_STACK, %rsp
    call syscall_dispatch
    /* RAX: struct regs of the thread to run. */
.global return_to_user
return_to_user:
    mov %rax, %rsp
    cmpq $VECTOR_SYSCALL, REGS_VECTOR(%rax)
    RESTORE_REGS
    jne 1f
    /* RCX and R11 are dead after a system call: SYSRET. RIP is below USER_TOP, hence canonical. */
    mov 16(%rsp), %rcx
    mov 32(%rsp), %r11
    mov 40(%rsp), %rsp
    swapgs
    sysretq
1:  add $16, %rsp
    swapgs
    iretq

/* Stack: vector, error, RIP, CS, RFLAGS, RSP, SS. */
interrupt_common:
    testb $3, 24(%rsp)
    jz 2f
    swapgs
    SAVE_REGS
    CLEAR_REGS
    mov %gs:CPU_KERNEL_STACK, %rsp
    cld
    call user_interrupt
    jmp return_to_user
2:  SAVE_REGS
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call kernel_interrupt
    mov %rbp, %rsp
    RESTORE_REGS
    add $16, %rsp
    iretq

/* On a stack of its own, from anywhere, even between SWAPGS and the stack switch: GS is not
 * touched. */
interrupt_ist:
    SAVE_REGS
    cld
    mov %rsp, %rdi
    mov %rsp, %rbx
    and $-16, %rsp
    call ist_interrupt
    test %eax, %eax
    jnz 3f
    mov %rbx, %rsp
    RESTORE_REGS
    add $16, %rsp
    iretq
    /* A thread's #DB: its registers were copied to the thread; go on as a normal entry. */
3:  swapgs
    mov %gs:CPU_KERNEL_STACK, %rsp
    call user_interrupt
    jmp return_to_user

/* void return_to_user_regs(struct regs *): the first way out of a CPU's start-up. */
.global return_to_user_regs
return_to_user_regs:
    mov %rdi, %rax
    jmp return_to_user

/* void call_on_kernel_stack(void (*fn)(void), uint64_t stack): leaves the boot stack for good. */
.global call_on_kernel_stack
call_on_kernel_stack:
    mov %rsi, %rsp
    xor %ebp, %ebp
    call *%rdi
    ud2

.altmacro
.macro ENTRY_POINT n
entry_\n:
    .if (\n == 8) || (\n >= 10 && \n <= 14) || (\n == 17) || (\n == 21) || (\n >= 29 && \n <= 30)
    /* the CPU pushes an error code */
    .else
    push $0
    .endif
    push $\n
    .if (\n == 1) || (\n == 2) || (\n == 8) || (\n == 18)
    jmp interrupt_ist
    .else
    jmp interrupt_common
    .endif
.endm
.macro ENTRY_ADDRESS n
    .quad entry_\n
.endm

.set i, 0
.rept 256
    ENTRY_POINT %i
    .set i, i + 1
.endr

.section .rodata
.balign 8
.global idt_entry
idt_entry:
.set i, 0
.rept 256
    ENTRY_ADDRESS %i
    .set i, i + 1
.endr

.section .note.GNU-stack, "", @progbits
