/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs instructions on the CPU that runs the test, to compare. */
#ifndef TESTS_UNIT_NATIVE_H
#define TESTS_UNIT_NATIVE_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

struct native {
    uint64_t rax, rcx, rdx, rbx, rsi, rdi, flags;
};
void native_call(struct native *state, const void *code);
__asm__(".text\n"
        "native_call:\n"
        "    push %rbx\n    push %rbp\n    push %r12\n"
        "    mov %rdi, %r12\n    mov %rsi, %rbp\n"
        "    mov 0(%r12), %rax\n    mov 8(%r12), %rcx\n    mov 16(%r12), %rdx\n"
        "    mov 24(%r12), %rbx\n    mov 32(%r12), %rsi\n    mov 40(%r12), %rdi\n"
        "    push 48(%r12)\n    popfq\n"
        "    call *%rbp\n"
        "    pushfq\n    pop 48(%r12)\n    cld\n"
        "    mov %rax, 0(%r12)\n    mov %rcx, 8(%r12)\n    mov %rdx, 16(%r12)\n"
        "    mov %rbx, 24(%r12)\n    mov %rsi, 32(%r12)\n    mov %rdi, 40(%r12)\n"
        "    pop %r12\n    pop %rbp\n    pop %rbx\n    ret\n");

static uint8_t *native_code;

static void run_native(struct native *state, const uint8_t *code, uint32_t size)
{
    if (!native_code)
        native_code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(native_code, code, size);
    native_code[size] = 0xc3;
    native_call(state, native_code);
}

#endif
