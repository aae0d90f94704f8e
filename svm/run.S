/* SPDX-License-Identifier: BSD-2-Clause */
/* void svm_world_switch(uint64_t *gpr (RDI), uint64_t vmcb_pa (RSI))
 *
 * GIF is 0 and IF is 1 here and on return. Clobbers what the ABI lets a function clobber; the
 * callee-saved registers are on the stack, because the guest has its own in them. gpr[] is in the
 * order of enum vcpu_gpr; 0 (RAX) and 4 (RSP) are the VMCB's. */
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
        mov     0x08(%rdi), %rcx
        mov     0x10(%rdi), %rdx
        mov     0x18(%rdi), %rbx
        mov     0x28(%rdi), %rbp
        mov     0x30(%rdi), %rsi
        mov     0x40(%rdi), %r8
        mov     0x48(%rdi), %r9
        mov     0x50(%rdi), %r10
        mov     0x58(%rdi), %r11
        mov     0x60(%rdi), %r12
        mov     0x68(%rdi), %r13
        mov     0x70(%rdi), %r14
        mov     0x78(%rdi), %r15
        mov     0x38(%rdi), %rdi
        vmrun   %rax
        /* RAX and RSP are the host's again. */
        pop     %rax
        mov     %rcx, 0x08(%rax)
        mov     %rdx, 0x10(%rax)
        mov     %rbx, 0x18(%rax)
        mov     %rbp, 0x28(%rax)
        mov     %rsi, 0x30(%rax)
        mov     %rdi, 0x38(%rax)
        mov     %r8, 0x40(%rax)
        mov     %r9, 0x48(%rax)
        mov     %r10, 0x50(%rax)
        mov     %r11, 0x58(%rax)
        mov     %r12, 0x60(%rax)
        mov     %r13, 0x68(%rax)
        mov     %r14, 0x70(%rax)
        mov     %r15, 0x78(%rax)
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret
        .size   svm_world_switch, . - svm_world_switch
        .section .note.GNU-stack, "", @progbits
