/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that makes system calls with random numbers and arguments, in a domain of its own. */
#include "tests/ring3/ktest.h"

#include <string.h>

#define CODE_VA  0x10000000ull
#define STACK_VA 0x20000000ull
#define CALLS    200000u

/* Copied into the domain, so it calls nothing and has no data: arg is the seed. Calls that end,
 * block or suspend the caller by design are left out. */
__attribute__((section(".text.random_calls"), noinline, optimize("no-jump-tables"))) static void
random_calls(uint64_t arg)
{
    uint64_t x = arg;
    for (uint32_t i = 0; i < CALLS; i++) {
        uint64_t a[7];
        for (int j = 0; j < 7; j++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            uint64_t kind = x & 3, v = x >> 8;
            a[j] = kind == 0 ? v % 8 : kind == 1 ? v % CAP_SLOTS : kind == 2 ? (v % 64) << 12 : x;
        }
        uint64_t number = (x >> 20) % 64;
        if (number == 1 || number == 2 || number == 9 || number == 15 ||
            (number >= 21 && number <= 23) || number == 26 || number == 44 || number == 55)
            continue;
        register uint64_t rax __asm__("rax") = number;
        register uint64_t rdi __asm__("rdi") = a[0];
        register uint64_t rsi __asm__("rsi") = a[1];
        register uint64_t rdx __asm__("rdx") = a[2];
        register uint64_t r10 __asm__("r10") = a[3];
        register uint64_t r8 __asm__("r8") = a[4];
        register uint64_t r9 __asm__("r9") = a[5];
        __asm__ volatile("syscall"
                         : "+a"(rax), "+r"(rdi), "+r"(rsi)
                         : "r"(rdx), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
    }
    register uint64_t rax __asm__("rax") = SYS_THREAD_EXIT;
    __asm__ volatile("syscall" : "+a"(rax) : : "rcx", "r11", "memory");
}

static uint64_t fault_vector(uint32_t thread)
{
    sys_thread_info(thread);
    const struct thread_info *info = (const struct thread_info *)utcb_self()->mr;
    return info->state == THREAD_FAULTED ? info->fault_vector : 0;
}

static void one_run(uint32_t mem, uint64_t seed)
{
    uint32_t pd = slot_alloc(), thread = slot_alloc(), sc = slot_alloc(), n = slot_alloc();
    uint64_t bits;
    CHECK_OK(sys_notif_create(n));
    CHECK_OK(sys_pd_create(pd, 512 << 10));
    CHECK_OK(sys_thread_create(thread, pd, PROGRAM_UTCB_VA));
    CHECK_OK(sys_sc_create(sc, SLOT_MACHINE, 0, 10, 0, 0));
    CHECK_OK(sys_sc_bind(sc, thread));
    CHECK_OK(sys_thread_on_fault(thread, n, 1));
    CHECK_OK(sys_mem_map(pd, mem, CODE_VA, 0, 0x2000, MAP_READ | MAP_EXEC));
    CHECK_OK(sys_mem_map(pd, mem, STACK_VA, 0x2000, 0x2000, MAP_READ | MAP_WRITE));
    CHECK_OK(sys_cap_copy(pd, 1, pd, RIGHT_COPY | RIGHT_CONTROL, 0));
    CHECK_OK(sys_cap_copy(pd, 2, mem, RIGHT_ALL, 0));
    CHECK_OK(sys_cap_copy(pd, 3, sc, RIGHT_COPY, 0));
    CHECK_OK(sys_thread_start(thread, CODE_VA, STACK_VA + 0x2000 - 8, seed));
    /* It may cut off its own code or stack: then it faults (14), which is as good an end as an
     * exit. */
    CHECK_OK(sys_notif_wait(n, time_tsc() + time_ns_to_tsc(60000000000ull), &bits));
    uint64_t vector = fault_vector(thread);
    CHECK(vector == THREAD_EXIT_VECTOR || vector == 14);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, thread));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, sc));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, n));
    CHECK_OK(sys_cap_revoke(pd));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, pd));
    slot_free(pd);
    slot_free(thread);
    slot_free(sc);
    slot_free(n);
}

void test_random_calls(void)
{
    const uint64_t va = 0x0000520000000000ull;
    uint32_t mem = slot_alloc();
    uint64_t used[2];
    CHECK_OK(sys_mem_derive(mem, ktest_ram(64 << 20), 32 << 20, 0x4000, RIGHT_ALL));
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, mem, va, 0, 0x4000, MAP_READ | MAP_WRITE));
    memcpy((void *)va, (const void *)random_calls, 0x1000);
    CHECK_OK(sys_mem_unmap(SLOT_SELF_PD, va, 0x4000));
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t seed = 0x9e3779b97f4a7c15ull * (i + 1);
        one_run(mem, seed);
        CHECK_OK(sys_cap_revoke(mem));
        sys_pd_info(SLOT_SELF_PD);
        used[i ? 1 : 0] = ((const struct pd_info *)utcb_self()->mr)->kmem_used;
    }
    /* Whatever the calls made, it is gone with the domain. */
    CHECK(used[0] == used[1]);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, mem));
}
