/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction sequences of the mitigations leave registers and stack as they were. */
#include "test.h"

#include "arch/x86_64/mitigations.c"

struct cpu_features features;

TEST(return_stack_fill_keeps_the_stack)
{
    uint64_t before, after;
    volatile uint64_t canary[4] = {1, 2, 3, 4};

    __asm__ volatile("mov %%rsp, %0" : "=r"(before));
    fill_rsb();
    __asm__ volatile("mov %%rsp, %0" : "=r"(after));
    CHECK_EQ(after, before);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_EQ(canary[i], i + 1);
}

TEST(buffer_clear_does_not_fault)
{
    clear_buffers();
}

TEST(nothing_is_done_before_a_decision)
{
    /* Any privileged instruction would end this program. */
    mitigate_switch();
    mitigate_exit(true);
    mitigate_vmexit();
    mitigations_init_cpu();
    CHECK_EQ(host_spec_ctrl, 0);
}
