/* SPDX-License-Identifier: BSD-2-Clause */
/* Application processors: INIT, SIPI, then each waits for work given with smp_run(). */
#include "guest.h"

struct ap {
    cpu_work volatile work;
    volatile uint32_t apic;
    volatile uint32_t busy;
};
static struct ap aps[AP_MAX + 1];
static volatile uint32_t aps_ready;

void ap_entered(uint32_t cpu)
{
    trap_load();
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if (apic_x2)
        wrmsr(MSR_APIC_BASE, base | 0xc00u);
    else
        apic_write(APIC_DFR, 0xffffffffu);
    apic_write(APIC_SVR, 0x1ff);
    struct ap *ap = &aps[cpu];
    ap->apic = apic_id();
    __atomic_fetch_add(&aps_ready, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        cpu_work work = ap->work;
        if (work) {
            work(cpu);
            ap->work = NULL;
            __atomic_store_n(&ap->busy, 0, __ATOMIC_RELEASE);
        }
        pause_cpu();
    }
}

uint32_t smp_start(void)
{
    size_t size = (size_t)(ap_trampoline_end - ap_trampoline);
    uint32_t self = apic_id(), others = 0;
    memcpy((void *)AP_TRAMPOLINE, ap_trampoline, size);
    for (uint32_t i = 0; i < acpi.cpus; i++) {
        if (acpi.apic_id[i] == self)
            continue;
        others++;
        apic_icr(acpi.apic_id[i], ICR_INIT);
        delay_us(200);
        apic_icr(acpi.apic_id[i], ICR_SIPI | AP_TRAMPOLINE >> 12);
        for (uint32_t wait = 0; aps_ready < others && wait < 2000; wait++)
            delay_us(1000);
    }
    return aps_ready;
}

void smp_run(uint32_t cpu, cpu_work work)
{
    aps[cpu].busy = 1;
    __atomic_store_n(&aps[cpu].work, work, __ATOMIC_SEQ_CST);
}

bool smp_done(uint32_t cpu, uint32_t us)
{
    for (uint32_t i = 0; i < us / 50 + 1 && aps[cpu].busy; i++)
        delay_us(50);
    return !aps[cpu].busy;
}

uint32_t smp_apic_id(uint32_t cpu)
{
    return aps[cpu].apic;
}
