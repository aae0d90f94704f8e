/* SPDX-License-Identifier: BSD-2-Clause */
/* void svm_world_switch(uint64_t *gpr (RDI), uint64_t vmcb_pa (RSI))
 *
 * GIF is 0 and IF is 1 here and on return. Clobbers what the ABI lets a function clobber; the
 * callee-saved registers are on the stack, because the guest has its own in them. gpr[] is in the
 * order of enum vcpu_gpr; 0 (RAX) and 4 (RSP) are the VMCB's. */
#include "virt/world_switch.inc"

        .text
        .globl  svm_world_switch
        .type   svm_world_switch, @function
svm_world_switch:
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        push    %rdi
        mov     %rsi, %rax
        LOAD_GUEST_REGS
        vmrun   %rax
        /* RAX and RSP are the host's again. */
        pop     %rax
        mov     %rdi, 0x38(%rax)
        SAVE_GUEST_REGS %rax
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret
        .size   svm_world_switch, . - svm_world_switch
        .section .note.GNU-stack, "", @progbits
