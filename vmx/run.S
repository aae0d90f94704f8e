/* SPDX-License-Identifier: BSD-2-Clause */
/* uint64_t vmx_world_switch(uint64_t *gpr (RDI), uint64_t *rax (RSI), uint64_t launched (RDX),
 *                           uint64_t *host_rsp (RCX))
 *
 * IF is 0 here and on return. Clobbers what the ABI lets a function clobber; the callee-saved
 * registers are on the stack, because the guest has its own in them. gpr[] is in the order of enum
 * vcpu_gpr; RAX has a place of its own, RSP is the VMCS's. */
#define HOST_RSP 0x6c14

        .text
        .globl  vmx_world_switch
        .type   vmx_world_switch, @function
vmx_world_switch:
        push    %rbp
        push    %rbx
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        push    %rsi
        push    %rdi
        /* The stack is as deep as last time, nearly always. */
        cmp     %rsp, (%rcx)
        je      1f
        mov     %rsp, (%rcx)
        mov     $HOST_RSP, %eax
        vmwrite %rsp, %rax
1:      test    %edx, %edx              /* MOV leaves the flags alone */
        mov     (%rsi), %rax
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
        jz      2f
        vmresume
        jmp     3f
2:      vmlaunch
        /* Still here: VMfail. Nothing has run, so nothing is stored. */
3:      mov     $1, %eax
        add     $16, %rsp
        jmp     4f

        .globl  vmx_exit_entry
vmx_exit_entry:
        push    %rdi
        mov     8(%rsp), %rdi
        mov     %rcx, 0x08(%rdi)
        mov     %rdx, 0x10(%rdi)
        mov     %rbx, 0x18(%rdi)
        mov     %rbp, 0x28(%rdi)
        mov     %rsi, 0x30(%rdi)
        pop     0x38(%rdi)
        mov     %r8, 0x40(%rdi)
        mov     %r9, 0x48(%rdi)
        mov     %r10, 0x50(%rdi)
        mov     %r11, 0x58(%rdi)
        mov     %r12, 0x60(%rdi)
        mov     %r13, 0x68(%rdi)
        mov     %r14, 0x70(%rdi)
        mov     %r15, 0x78(%rdi)
        pop     %rcx                    /* gpr */
        pop     %rcx                    /* where RAX goes */
        mov     %rax, (%rcx)
        xor     %eax, %eax
4:      pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbx
        pop     %rbp
        ret
        .size   vmx_world_switch, . - vmx_world_switch
        .section .note.GNU-stack, "", @progbits
