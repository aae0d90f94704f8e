/* SPDX-License-Identifier: BSD-2-Clause */
/* TLB shoot-down for ring-3 address spaces. Initiators hold the object lock, so there is one at a
 * time; a CPU that spins for any lock still answers (shootdown_poll). */
#include "kernel/space.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/kpaging.h"
#include "kernel/shootdown.h"

/* Carries out a request, if there is one for this CPU. */
void shootdown_poll(void)
{
    struct cpu *cpu = cpu_self();
    uint32_t want = __atomic_load_n((uint32_t *)&cpu->flush_request, __ATOMIC_ACQUIRE);
    if (want == cpu->flush_done)
        return;
    write_cr3(read_cr3());
    cpu->info.shootdowns++;
    __atomic_store_n((uint32_t *)&cpu->flush_done, want, __ATOMIC_RELEASE);
}

void space_flush(struct space *space)
{
    struct cpu *self = cpu_self();
    /* Partner: the CPU that loads the space stores cpu->active before CR3 (thread_switch). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];
        if (__atomic_load_n(&cpu->active, __ATOMIC_RELAXED) != space)
            continue;
        if (cpu == self) {
            write_cr3(read_cr3());
            continue;
        }
        __atomic_fetch_add((uint32_t *)&cpu->flush_request, 1, __ATOMIC_RELEASE);
        apic_ipi(i, VEC_SHOOTDOWN);
    }
    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];
        if (cpu == self)
            continue;
        while (__atomic_load_n((uint32_t *)&cpu->flush_done, __ATOMIC_ACQUIRE) !=
               __atomic_load_n((uint32_t *)&cpu->flush_request, __ATOMIC_RELAXED))
            cpu_pause();
    }
}
