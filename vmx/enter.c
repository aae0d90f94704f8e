/* SPDX-License-Identifier: BSD-2-Clause */
/* Into the guest and back. Host interrupts wait because IF is 0; one that comes while the guest
 * runs ends it, and stays pending until leave(). */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/mitigations.h"
#include "virt/event.h"
#include "virt/lazy.h"
#include "virt/msr.h"
#include "vmx/vmx.h"

#define INVEPT_SINGLE 1ull
#define INVEPT_ALL    2ull
#define TPR           0x80u
#define DR7_ENABLES   0xffull
#define GDT_LIMIT     (8u * 8 - 1)
#define TSS_BUSY      (2ull << 40)

/* Written only when it differs: the MSRs that VMX does not switch. */
static inline void msr_switch(uint32_t msr, uint64_t from, uint64_t to)
{
    if (from != to)
        wrmsr(msr, to);
}

void vmx_enter(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    struct cpu *cpu = cpu_self();
    vmcs_activate(vmx, cpu);
    uint64_t cr0 = read_cr0(), cr3 = read_cr3();
    if (cr0 != vmx->host_cr0)
        vmwriten(VMCS_HOST_CR0, vmx->host_cr0 = cr0);
    if (cr3 != vmx->host_cr3)
        vmwriten(VMCS_HOST_CR3, vmx->host_cr3 = cr3);
    write_cr2(vmx->cr2);
    wrmsr(MSR_STAR, vmx->star);
    wrmsr(MSR_LSTAR, vmx->lstar);
    wrmsr(MSR_SFMASK, vmx->sfmask);
    msr_switch(MSR_CSTAR, cpu->virt->cstar, vmx->cstar);
    cpu->virt->cstar = vmx->cstar;
    msr_switch(MSR_KERNEL_GS, 0, vmx->kernel_gs);
    vmx->inside = true;
    /* Breakpoints that are armed must find their addresses, which leave with vcpu_run. */
    if (unlikely(!vcpu->dr_loaded && (vmreadn(VMCS_GUEST_DR7) & DR7_ENABLES)))
        lazy_load_dr(vcpu);
}

/* A VM exit leaves the limits of GDTR and TR at fixed values, which would give ring 3 descriptors
 * beyond the table and take its I/O bitmap away. CSTAR stays: the host has no 32-bit code. */
void vmx_leave(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    struct cpu *cpu = cpu_self();
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdtr = {GDT_LIMIT, (uint64_t)cpu->gdt};
    vmx->inside = false;
    vmx->cr2 = read_cr2();
    vmx->kernel_gs = rdmsr(MSR_KERNEL_GS);
    msr_switch(MSR_KERNEL_GS, vmx->kernel_gs, 0);
    wrmsr(MSR_STAR, cpu->virt->star);
    wrmsr(MSR_LSTAR, cpu->virt->lstar);
    wrmsr(MSR_SFMASK, cpu->virt->sfmask);
    __asm__ volatile("lgdt %0" ::"m"(gdtr));
    cpu->gdt[SEL_TSS >> 3] &= ~TSS_BUSY;
    __asm__ volatile("ltr %w0" ::"r"(SEL_TSS) : "memory");
    __asm__ volatile("sti\n\tnop\n\tcli" ::: "memory");
}

static void invept(const struct vmx_vcpu *vmx)
{
    struct {
        uint64_t eptp, zero;
    } descriptor = {vmx->eptp, 0};
    uint64_t type = vmx_caps.invept_single ? INVEPT_SINGLE : INVEPT_ALL;
    /* With EPT all translations are derived from it: those of every VPID go too. */
    __asm__ volatile("invept %0, %1" ::"m"(descriptor), "r"(type) : "cc", "memory");
}

static void prepare_rare(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    window_prepare(vcpu, vmx);
    if (vcpu->flush) {
        vcpu->flush = false;
        invept(vmx);
    }
}

/* Rounded up: the timer's first step comes anywhere within a step's time, and an exit before the
 * time is one in vain. What stays in the VMCS of a deadline that is given up ends the guest once.
 */
static void set_timer(uint64_t due)
{
    uint64_t now = rdtsc(), steps = ((due - now) >> vmx_caps.timer_rate) + 2;
    vmwrite32(VMCS_PREEMPTION_TIMER, due <= now ? 0 : (uint32_t)MIN(steps, TIMER_IDLE));
}

/* SPEC_CTRL and what the CPU must forget, before and after. */
static __attribute__((noinline)) void guard_entry(const struct vcpu *vcpu)
{
    if (vcpu->spec_ctrl != 0)
        wrmsr(MSR_SPEC_CTRL, vcpu->spec_ctrl);
    mitigate_exit(true);
}

static __attribute__((noinline)) void guard_exit(const struct vcpu *vcpu)
{
    mitigate_vmexit();
    if (vcpu->spec_ctrl != 0)
        wrmsr(MSR_SPEC_CTRL, host_spec_ctrl);
}

static inline void prepare(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    if (vcpu->rip != vmx->rip)
        vmwriten(VMCS_GUEST_RIP, vmx->rip = vcpu->rip);
    /* One branch for all that is rare. */
    if (unlikely(vcpu->event.type | vcpu->irq.state | vcpu->nmi_pending | vmx->attention |
                 vcpu->flush | vcpu->block | vmx->interruptibility))
        prepare_rare(vcpu, vmx);
    if (unlikely(vmx->vapic[TPR] != vcpu->lapic.tpr))
        vmx->vapic[TPR] = vcpu->lapic.tpr;
    if (vcpu->lapic.due)
        set_timer(vcpu->lapic.due);
}

static void set_blocks(struct vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t blocked)
{
    vmx->interruptibility = blocked;
    vcpu->block = (blocked & BLOCK_NMI ? VCPU_BLOCK_NMI : 0) |
                  (blocked & (BLOCK_STI | BLOCK_MOV_SS) ? VCPU_BLOCK_SHADOW : 0);
}

/* The instruction failed: nothing of the guest has run. */
static enum vexit failed(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    vmx->injected = false;
    return vmx_refuse(vcpu, VMX_EXIT_ENTRY_FAILED, vmread32(VMCS_INSTRUCTION_ERROR),
                      "VMLAUNCH or VMRESUME failed; info: VM-instruction error");
}

enum vexit vmx_run(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    prepare(vcpu, vmx);
    uint64_t guarded = vcpu->spec_ctrl | vmx_caps.barriers;
    if (unlikely(guarded))
        guard_entry(vcpu);
    uint64_t fail = vmx_world_switch(vcpu->page->gpr, &vcpu->rax, vmx->launched, &vmx->host_rsp);
    if (unlikely(guarded))
        guard_exit(vcpu);
    if (unlikely(fail))
        return failed(vcpu, vmx);
    vmx->launched = true;
    vcpu->rip = vmx->rip = vmreadn(VMCS_GUEST_RIP);
    uint32_t blocked = vmread32(VMCS_GUEST_INTERRUPTIBILITY);
    if (unlikely(blocked | vmx->interruptibility))
        set_blocks(vcpu, vmx, blocked);
    if (unlikely(vmx->vapic[TPR] != vcpu->lapic.tpr))
        vcpu->lapic.tpr = vmx->vapic[TPR];
    uint32_t reason = vmread32(VMCS_EXIT_REASON);
    uint8_t plain = reason < ARRAY_LEN(vmx_plain) ? vmx_plain[reason] : 0;
    /* An instruction that exits is never in the middle of an event's delivery. */
    uint32_t info = likely(plain) ? 0 : vmread32(VMCS_IDT_VECTORING_INFO);
    if (unlikely(vmx->injected | (info >> 31)))
        window_interrupted(vcpu, vmx, reason, info);
    if (unlikely(!plain))
        return vmx_decode(vcpu, vmx, reason);
    vcpu->x.insn_len = (uint8_t)vmread32(VMCS_EXIT_INSTRUCTION_LENGTH);
    vcpu->x.insn_count = 0;
    return plain;
}
