/* SPDX-License-Identifier: BSD-2-Clause */
#include "svm/svm.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/platform.h"

#define PERIOD_US 4000u

/* This CPU's exit was the remedy for itself; the others may have lost the very interrupt of their
 * own beat. */
static void beat(struct timer *timer)
{
    (void)timer;
    for (uint32_t i = 0; i < cpu_count; i++)
        if (cpus[i] != cpu_self() && cpus[i]->in_guest)
            apic_ipi(i, VEC_RESCHED);
}

void svm_heartbeat_init(struct virt_cpu *own)
{
    timer_init(&own->heartbeat, beat);
}

void svm_heartbeat(struct virt_cpu *own)
{
    if (!own->heartbeat.cpu)
        timer_arm(&own->heartbeat, rdtsc() + tsc_from_us(PERIOD_US));
}
