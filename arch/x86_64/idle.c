/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/idle.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"

void idle_wait(void)
{
    struct cpu *cpu = cpu_self();

    if (!features.mwait) {
        __asm__ volatile("sti; hlt; cli" ::: "memory");
        return;
    }
    __asm__ volatile("monitor" ::"a"(&cpu->resched), "c"(0), "d"(0));
    /* A store before MONITOR would be missed, so look again. */
    if (!__atomic_load_n((uint32_t *)&cpu->resched, __ATOMIC_ACQUIRE))
        __asm__ volatile("mwait" ::"a"(0), "c"(1) : "memory");
    __asm__ volatile("sti; nop; cli" ::: "memory");
}
