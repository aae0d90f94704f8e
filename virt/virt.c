/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/x86_64/klog.h"
#include "arch/x86_64/platform.h"
#include "kernel/machine.h"
#include "virt/vcpu.h"

const struct virt_ops *virt;
uint64_t virt_assists;

static const struct virt_ops *const vendors[] = {&svm_ops, &vmx_ops};

void virt_init(void)
{
    for (uint32_t i = 0; i < ARRAY_LEN(vendors); i++) {
        if (!vendors[i]->probe())
            continue;
        virt = vendors[i];
        kprintf("virt: %s\n", virt->name);
        return;
    }
    kprintf("virt: this machine cannot run guests\n");
}

bool virt_init_cpu(struct cpu *cpu)
{
    return virt && virt->cpu_enable(cpu);
}

enum virt_kind virt_kind(void)
{
    return virt ? virt->kind : VIRT_NONE;
}
