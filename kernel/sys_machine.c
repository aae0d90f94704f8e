/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls on the machine, the kernel log and per-CPU figures. */
#include "kernel/syscall.h"

#include "abi/kinfo.h"
#include "arch/x86_64/iommu.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/platform.h"
#include "lib/string.h"
#include "sched/trace.h"

#define KLOG_WRITE_MAX 512u

int64_t sys_machine_info(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rdi, OBJ_MACHINE, RIGHT_CONTROL);
    struct machine_info *info = (struct machine_info *)self->utcb->mr;
    *info = (struct machine_info){.kmem_total = kmem_total(),
                                  .kmem_free = kmem_available(),
                                  .klog_head = klog_head(),
                                  .dma = iommu.kind,
                                  .dma_bits = iommu.bits};
    for (uint32_t i = 0; i < OBJ_TYPES; i++)
        info->objects[i] = obj_live[i];
    return OK;
}

_Static_assert(MACHINE_LEVELS == SCHED_LEVELS, "what the call gives is what the scheduler takes");

static int64_t cpu_control(uint64_t op, uint64_t cpu, const uint64_t *mr)
{
    struct cpuset near[SCHED_LEVELS] = {0};
    if (cpu >= MIN(cpu_count, SC_AFFINITY_CPUS))
        return ERR_ARG;
    if (op == MACHINE_CPU_OFFLINE)
        return sched_offline((uint32_t)cpu) ? OK : ERR_ADMISSION;
    if (op == MACHINE_CPU_ONLINE)
        sched_online((uint32_t)cpu);
    for (uint32_t i = 0; op == MACHINE_NEAR && i < SCHED_LEVELS; i++)
        memcpy(near[i].word, mr + i * SC_AFFINITY_CPUS / 64, SC_AFFINITY_CPUS / 8);
    if (op == MACHINE_NEAR)
        sched_near((uint32_t)cpu, near);
    return OK;
}

int64_t sys_machine_control(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rdi, OBJ_MACHINE, RIGHT_CONTROL);
    switch (r->rsi) {
    case MACHINE_RESET:
        machine_reset();
    case MACHINE_CONSOLE:
        klog_set_quiet(r->rdx);
        return OK;
    case MACHINE_PANIC:
        panic_regs(&self->regs, "requested by the root task");
    case MACHINE_TRACE:
        return trace_switch(r->rdx != 0) ? OK : ERR_NOMEM;
    case MACHINE_TRACE_READ:
        trace_read(r->rdx & 0xffff, r->rdx >> 16, (struct trace_reply *)self->utcb->mr);
        return OK;
    case MACHINE_NEAR:
    case MACHINE_CPU_OFFLINE:
    case MACHINE_CPU_ONLINE:
        return cpu_control(r->rsi, r->rdx, self->utcb->mr);
    default:
        return ERR_ARG;
    }
}

int64_t sys_cpu_info(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rdi, OBJ_MACHINE, RIGHT_CONTROL);
    if (r->rsi >= cpu_count)
        return ERR_ARG;
    const struct cpu *cpu = cpus[r->rsi];
    struct cpu_info *info = (struct cpu_info *)self->utcb->mr;
    *info = cpu->info;
    info->apic_id = cpu->apic_id;
    info->node = cpu->node;
    return OK;
}

int64_t sys_klog_write(struct thread *self, struct regs *r)
{
    if (r->rdi > KLOG_WRITE_MAX)
        return ERR_ARG;
    unsigned char text[KLOG_WRITE_MAX];
    memcpy(text, self->utcb->mr, r->rdi);
    /* What a program writes must not be able to steer a terminal. */
    for (uint64_t i = 0; i < r->rdi; i++)
        if ((text[i] < ' ' && text[i] != '\n' && text[i] != '\t') || text[i] >= 0x7f)
            text[i] = '?';
    klog_write((const char *)text, r->rdi);
    return OK;
}

int64_t sys_klog_read(struct thread *self, struct regs *r)
{
    ARG_OBJECT(struct obj, machine, r->rdi, OBJ_MACHINE, RIGHT_READ);
    uint64_t position = r->rsi;
    r->rdi = klog_read(&position, (char *)self->utcb->mr, UTCB_WORDS * sizeof(uint64_t));
    r->rsi = position;
    return OK;
}
