/* SPDX-License-Identifier: BSD-2-Clause */
/* gpr (RDI), rax (RSI), switch (RCX, struct vmx_switch): see world_switch() in enter.c, the only
 * caller. CF: VMLAUNCH or VMRESUME itself failed. The result in RCX is rax.
 *
 * IF is 0 here and on return. Of the registers only RBP and RSP are what they were: the caller
 * names all others as clobbered, because the guest has its own in them. */
#include "virt/world_switch.inc"

#define HOST_RSP 0x6c14

        .text
        .globl  vmx_world_switch
        .type   vmx_world_switch, @function
vmx_world_switch:
        push    %rbp
        push    %rsi
        push    %rdi
        /* The stack is as deep as last time, nearly always. */
        cmp     %rsp, (%rcx)
        jne     2f
        mov     (%rsi), %rax
        LOAD_GUEST_REGS
        vmresume
        /* Still here: VMfail. Nothing has run, so nothing is stored. */
1:      pop     %rcx
        pop     %rcx
        pop     %rbp
        stc
        ret
        /* Always so after VMCLEAR, when it is to be launched. */
2:      mov     %rsp, (%rcx)
        mov     $HOST_RSP, %eax
        vmwrite %rsp, %rax
        mov     (%rsi), %rax
        cmpb    $0, 8(%rcx)
        movb    $1, 8(%rcx)
        LOAD_GUEST_REGS                 /* MOV leaves the flags alone */
        jne     3f
        vmlaunch
        jmp     1b
3:      vmresume
        jmp     1b

        .globl  vmx_exit_entry
vmx_exit_entry:
        push    %rdi
        mov     8(%rsp), %rdi
        SAVE_GUEST_REGS %rdi
        pop     0x38(%rdi)
        pop     %rcx                    /* gpr */
        pop     %rcx                    /* rax */
        mov     %rax, (%rcx)
        pop     %rbp
        clc
        ret
        .size   vmx_world_switch, . - vmx_world_switch
        .section .note.GNU-stack, "", @progbits
