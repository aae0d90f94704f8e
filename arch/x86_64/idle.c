/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/idle.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"

uint64_t idle_poll_most;

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

void idle_poll(struct cpu *cpu, uint64_t start)
{
    /* seq_cst partner: cpu_reschedule() sets resched, then looks whether an interrupt is needed. */
    __atomic_store_n((bool *)&cpu->watches, true, __ATOMIC_SEQ_CST);
    while (!cpu->resched && rdtsc() - start < cpu->poll_tsc)
        __asm__ volatile("pause; sti; nop; cli" ::: "memory"); /* QEMU: no window behind PAUSE */
    __atomic_store_n((bool *)&cpu->watches, false, __ATOMIC_SEQ_CST);
}
