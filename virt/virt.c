/* SPDX-License-Identifier: BSD-2-Clause */
#include "virt/virt.h"

#include "arch/x86_64/klog.h"
#include "arch/x86_64/platform.h"
#include "kernel/kinfo.h"
#include "kernel/machine.h"
#include "virt/vcpu.h"

const struct virt_ops *virt;
uint64_t virt_assists;

static const struct virt_ops *const vendors[] = {&svm_ops};

void virt_init(void)
{
    for (uint32_t i = 0; i < ARRAY_LEN(vendors); i++) {
        if (!vendors[i]->probe())
            continue;
        virt = vendors[i];
        kinfo->virt = virt->kind;
        kinfo->assists |= virt_assists;
        kprintf("virt: %s\n", virt->name);
        return;
    }
    kprintf("virt: this machine cannot run guests\n");
}

void virt_cpu_init(void)
{
    if (virt)
        (void)virt->cpu_enable(cpu_self());
}
