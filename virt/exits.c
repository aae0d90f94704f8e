/* SPDX-License-Identifier: BSD-2-Clause */
/* One function a class of exit. They run inside: guest state loaded, host interrupts held. */
#include "arch/x86_64/platform.h"
#include "virt/event.h"
#include "virt/guest.h"
#include "virt/init.h"
#include "virt/lazy.h"

#define CR4_OSXSAVE (1ull << 18)
#define DR6_BS      (1ull << 14)

/* (Intel SDM vol. 3, "Single-Step Exception Condition".) */
enum verdict vcpu_step_trap(struct vcpu *vcpu)
{
    virt->set(vcpu, VREG_DR6, virt->get(vcpu, VREG_DR6) | DR6_BS);
    return event_exception(vcpu, EXC_DB, false, 0);
}

static enum verdict exit_intr(struct vcpu *vcpu)
{
    vcpu->stat[STAT_INTR]++;
    return HOST;
}

/* The guest can take an interrupt: only an ExtINT needs to know. */
static enum verdict exit_window(struct vcpu *vcpu)
{
    vcpu->irq.state = IRQ_IDLE;
    virt->offer(vcpu);
    if (!event_extint(vcpu)) {
        vcpu_note(vcpu, REQ_IRQ);
        return RUN;
    }
    vcpu->x.insn_len = vcpu->x.insn_count = 0;
    return vcpu_to_vmm(vcpu, VCPU_EXIT_EXTINT, VCPU_GROUP_CORE);
}

static enum verdict exit_nmi_window(struct vcpu *vcpu)
{
    if (vcpu->nmi_pending)
        vcpu_note(vcpu, REQ_NMI);
    return RUN;
}

static enum verdict exit_timer(struct vcpu *vcpu)
{
    vcpu_note(vcpu, REQ_TIMER);
    return RUN;
}

static enum verdict exit_eoi(struct vcpu *vcpu)
{
    vcpu->stat[STAT_EOI]++;
    vcpu->x.insn_len = vcpu->x.insn_count = 0;
    vcpu->page->exit.eoi.vector = vcpu->x.vector;
    return vcpu_to_vmm(vcpu, VCPU_EXIT_EOI, VCPU_GROUP_CORE);
}

/* A trap: the instruction is done. */
static enum verdict exit_apic_write(struct vcpu *vcpu)
{
    (void)vlapic_wrmsr(vcpu, X2APIC_MSR_FIRST + vcpu->x.number, &vcpu->x.info);
    return RUN;
}

#define PIO_AT __builtin_offsetof(struct vexit_info, port)
_Static_assert(__builtin_offsetof(struct vexit_info, size) == PIO_AT + 2 &&
                   __builtin_offsetof(struct vexit_info, flags) == PIO_AT + 3 &&
                   __builtin_offsetof(struct vcpu_page, exit.pio.size) ==
                       __builtin_offsetof(struct vcpu_page, exit) + 2,
               "as in the page");

static inline bool port_rings(const struct vcpu *vcpu)
{
    const struct vexit_info *x = &vcpu->x;
    const struct doorbell_table *table = &vcpu->guest->tables->doorbells;
    return doorbell_may_ring(table, DOORBELL_PIO, x->port) &&
           doorbell_ring(table, DOORBELL_PIO, x->port,
                         vcpu->rax & (UINT32_MAX >> (32 - 8 * x->size)));
}

static enum verdict exit_pio(struct vcpu *vcpu)
{
    const struct vexit_info *x = &vcpu->x;
    vcpu->stat[STAT_PIO]++;
    if (!(x->flags & (PIO_IN | PIO_STRING)) && port_rings(vcpu)) {
        vcpu->stat[STAT_DOORBELL]++;
        return vcpu_skip(vcpu);
    }
    struct vcpu_page *page = vcpu->page;
    __builtin_memcpy(&page->exit, (const char *)x + PIO_AT, 4); /* port, size, flags */
    page->exit.pio.next_rip = vcpu->rip + x->insn_len;
    if (unlikely(x->flags & PIO_STRING))
        return vcpu_to_vmm(vcpu, VCPU_EXIT_PIO, VCPU_GROUP_SEGS | VCPU_GROUP_CTRL);
    return vcpu_to_vmm(vcpu, VCPU_EXIT_PIO, VCPU_GROUP_CORE);
}

static enum verdict exit_npf(struct vcpu *vcpu)
{
    const struct vexit_info *x = &vcpu->x;
    vcpu->stat[STAT_NPF]++;
    /* Ringing needs the instruction's length, which few CPUs tell here; the VMM decodes then. A
     * value to match is never known without decoding. */
    if ((x->flags & (MMIO_WRITE | MMIO_PAGEWALK)) == MMIO_WRITE && x->insn_len != 0 &&
        doorbell_ring_any(&vcpu->guest->tables->doorbells, DOORBELL_MMIO, x->gpa)) {
        vcpu->stat[STAT_DOORBELL]++;
        return vcpu_skip(vcpu);
    }
    vcpu->stat[STAT_MMIO]++;
    struct vcpu_page *page = vcpu->page;
    page->exit.mmio.gpa = x->gpa;
    page->exit.mmio.gla = x->gla;
    page->exit.mmio.gla_valid = x->gla_valid;
    page->exit.mmio.flags = x->flags;
    if (unlikely(vcpu->event.type == EVENT_EXC)) /* its delivery was cut short */
        page->exit.mmio.flags |= MMIO_DELIVERY;
    return vcpu_to_vmm(vcpu, VCPU_EXIT_MMIO, VCPU_GROUP_CODE | VCPU_GROUP_CTRL);
}

static enum verdict exit_cpuid(struct vcpu *vcpu)
{
    vcpu->stat[STAT_CPUID]++;
    cpuid_execute(vcpu);
    return vcpu_skip(vcpu);
}

static enum verdict msr_fault(struct vcpu *vcpu)
{
    vcpu->stat[STAT_MSR_FAULT]++;
    return event_exception(vcpu, EXC_GP, true, 0);
}

static enum verdict msr_to_vmm(struct vcpu *vcpu, enum vcpu_exit reason, uint32_t index,
                               uint64_t value)
{
    vcpu->page->exit.msr.index = index;
    vcpu->page->exit.msr.value = value;
    return vcpu_to_vmm(vcpu, reason, VCPU_GROUP_CORE);
}

static enum verdict exit_rdmsr(struct vcpu *vcpu)
{
    uint32_t index = (uint32_t)vcpu->page->gpr[GPR_RCX];
    uint64_t value = 0;
    vcpu->stat[STAT_RDMSR]++;
    switch (msr_read(vcpu, index, &value)) {
    case MSR_DONE:
    case MSR_EOI:
        vcpu->rax = (uint32_t)value;
        vcpu->page->gpr[GPR_RDX] = value >> 32;
        return vcpu_skip(vcpu);
    case MSR_TO_VMM:
        return msr_to_vmm(vcpu, VCPU_EXIT_RDMSR, index, 0);
    case MSR_FAULTS:
        break;
    }
    return msr_fault(vcpu);
}

static NOINLINE enum verdict write_msr(struct vcpu *vcpu, uint32_t index)
{
    uint64_t value = vcpu->page->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->rax;
    switch (msr_write(vcpu, index, &value)) {
    case MSR_DONE:
        return vcpu_skip(vcpu);
    case MSR_TO_VMM:
        return msr_to_vmm(vcpu, VCPU_EXIT_WRMSR, index, value);
    case MSR_EOI:
        vcpu_skip(vcpu);
        vcpu->x.insn_len = 0; /* nothing is left to skip */
        vcpu->page->exit.eoi.vector = (uint32_t)value;
        return vcpu_to_vmm(vcpu, VCPU_EXIT_EOI, VCPU_GROUP_CORE);
    case MSR_FAULTS:
        break;
    }
    return msr_fault(vcpu);
}

/* The end of an interrupt ahead of all others: each interrupt has one. */
static enum verdict exit_wrmsr(struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->page->gpr;
    uint32_t index = (uint32_t)gpr[GPR_RCX];
    vcpu->stat[STAT_WRMSR]++;
    if (index != X2APIC_MSR_EOI || ((uint32_t)vcpu->rax | (uint32_t)gpr[GPR_RDX]) != 0 ||
        vcpu->pv.eoi_armed || !vlapic_eoi_alone(&vcpu->lapic))
        return write_msr(vcpu, index);
    vcpu->stat[STAT_EOI]++;
    return vcpu_skip(vcpu);
}

static enum verdict exit_hlt(struct vcpu *vcpu)
{
    vcpu->stat[STAT_HLT]++;
    vcpu_skip(vcpu);
    if (event_wakes(vcpu))
        return RUN;
    vcpu->run_state = VCPU_RUN_HALTED;
    return HOST;
}

/* The guest spins, perhaps for what a vCPU of its own holds that waits for a CPU. */
static enum verdict exit_pause(struct vcpu *vcpu)
{
    vcpu->stat[STAT_PAUSE]++;
    vcpu_yield(vcpu, GUEST_VCPUS);
    return vcpu_skip(vcpu);
}

static enum verdict exit_hypercall(struct vcpu *vcpu)
{
    vcpu->stat[STAT_HYPERCALL]++;
    pv_hypercall(vcpu);
    return vcpu_skip(vcpu);
}

static enum verdict exit_xsetbv(struct vcpu *vcpu)
{
    uint64_t value = vcpu->page->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->rax;
    vcpu->stat[STAT_XSETBV]++;
    if (!(virt->get(vcpu, VREG_CR4) & CR4_OSXSAVE))
        return event_exception(vcpu, EXC_UD, false, 0);
    if (virt->get(vcpu, VREG_CPL) != 0 || (uint32_t)vcpu->page->gpr[GPR_RCX] != 0 ||
        !xcr0_valid(value))
        return event_exception(vcpu, EXC_GP, true, 0);
    /* The guest's extended state is in the registers while it is entered. */
    vcpu->fpu.xcr0 = value;
    xsetbv0(value);
    return vcpu_skip(vcpu);
}

/* Intercepted only because the CPU could be caught in an endless delivery. */
static enum verdict exit_exc(struct vcpu *vcpu)
{
    vcpu->stat[STAT_EXC]++;
    return event_exception(vcpu, vcpu->x.vector, vcpu->x.has_error, vcpu->x.error);
}

static enum verdict exit_dr(struct vcpu *vcpu)
{
    lazy_load_dr(vcpu);
    return RUN;
}

static enum verdict exit_ud(struct vcpu *vcpu)
{
    return event_exception(vcpu, EXC_UD, false, 0);
}

static enum verdict exit_gp(struct vcpu *vcpu)
{
    return event_exception(vcpu, EXC_GP, true, 0);
}

static enum verdict exit_again(struct vcpu *vcpu)
{
    (void)vcpu;
    return RUN;
}

static enum verdict exit_insn(struct vcpu *vcpu)
{
    vcpu->stat[STAT_CR]++;
    vcpu->page->exit.insn_exit.which = vcpu->x.number;
    vcpu->page->exit.insn_exit.number = vcpu->x.vector;
    vcpu->page->exit.insn_exit.info = vcpu->x.info;
    return vcpu_to_vmm(vcpu, VCPU_EXIT_INSN, VCPU_GROUP_SEGS | VCPU_GROUP_CTRL);
}

static enum verdict exit_task(struct vcpu *vcpu)
{
    struct vcpu_page *page = vcpu->page;
    page->exit.task.selector = vcpu->x.task.selector;
    page->exit.task.source = vcpu->x.task.source;
    page->exit.task.has_error = vcpu->x.has_error;
    page->exit.task.error = vcpu->x.error;
    page->exit.task.event = vcpu->event;
    vcpu->event.type = EVENT_NONE;
    return vcpu_to_vmm(vcpu, VCPU_EXIT_TASK_SWITCH, VCPU_GROUP_ALL);
}

/* The host's handler decides; it needs the host's task register. */
static enum verdict exit_mce(struct vcpu *vcpu)
{
    virt->leave(vcpu);
    __asm__ volatile("int $18" ::: "memory");
    virt->enter(vcpu);
    return HOST;
}

static enum verdict exit_shutdown(struct vcpu *vcpu)
{
    return vcpu_to_vmm(vcpu, VCPU_EXIT_SHUTDOWN, VCPU_GROUP_ALL);
}

static enum verdict exit_invalid(struct vcpu *vcpu)
{
    vcpu->page->exit.invalid.code = vcpu->x.code;
    vcpu->page->exit.invalid.info = vcpu->x.info;
    char *rule = vcpu->page->exit.invalid.rule;
    const char *text = vcpu->x.rule ? vcpu->x.rule : "";
    uint32_t i = 0;
    for (; text[i] && i < sizeof(vcpu->page->exit.invalid.rule) - 1; i++)
        rule[i] = text[i];
    rule[i] = '\0';
    vcpu->x.rule = NULL;
    return vcpu_to_vmm(vcpu, VCPU_EXIT_INVALID, VCPU_GROUP_ALL);
}

const exit_handler exit_handlers[VEXITS] = {
    [VEXIT_INTR] = exit_intr,
    [VEXIT_WINDOW] = exit_window,
    [VEXIT_NMI_WINDOW] = exit_nmi_window,
    [VEXIT_TIMER] = exit_timer,
    [VEXIT_EOI] = exit_eoi,
    [VEXIT_APIC_WRITE] = exit_apic_write,
    [VEXIT_PIO] = exit_pio,
    [VEXIT_NPF] = exit_npf,
    [VEXIT_CPUID] = exit_cpuid,
    [VEXIT_RDMSR] = exit_rdmsr,
    [VEXIT_WRMSR] = exit_wrmsr,
    [VEXIT_HLT] = exit_hlt,
    [VEXIT_PAUSE] = exit_pause,
    [VEXIT_HYPERCALL] = exit_hypercall,
    [VEXIT_XSETBV] = exit_xsetbv,
    [VEXIT_EXC] = exit_exc,
    [VEXIT_DR] = exit_dr,
    [VEXIT_UD] = exit_ud,
    [VEXIT_GP] = exit_gp,
    [VEXIT_SKIP] = vcpu_skip,
    [VEXIT_INSN] = exit_insn,
    [VEXIT_TASK] = exit_task,
    [VEXIT_MCE] = exit_mce,
    [VEXIT_AGAIN] = exit_again,
    [VEXIT_SHUTDOWN] = exit_shutdown,
    [VEXIT_INVALID] = exit_invalid,
};
