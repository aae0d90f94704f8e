/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/quiesce.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/spinlock.h"

static bool passed(struct cpu *cpu, uint32_t seen)
{
    return !(seen & 1) || __atomic_load_n((uint32_t *)&cpu->section, __ATOMIC_SEQ_CST) != seen;
}

void quiesce(void)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];
        if (cpu == cpu_self())
            continue;
        uint32_t seen = __atomic_load_n((uint32_t *)&cpu->section, __ATOMIC_SEQ_CST);
        if (passed(cpu, seen))
            continue;
        if (cpu->in_guest)
            apic_ipi(i, VEC_RESCHED);
        while (!passed(cpu, seen)) {
            cpu_pause();
            /* It may have entered the guest only after we looked. */
            if (cpu->in_guest)
                apic_ipi(i, VEC_RESCHED);
        }
    }
}
