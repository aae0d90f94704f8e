/* SPDX-License-Identifier: BSD-2-Clause */
/* Into the guest and back. Host interrupts wait because IF is 0; one that comes while the guest
 * runs ends it, and stays pending until leave(). */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/mitigations.h"
#include "kernel/dispatch.h"
#include "virt/event.h"
#include "virt/guest.h"
#include "virt/lazy.h"
#include "virt/msr.h"
#include "vmx/qualification.h"
#include "vmx/vmx.h"

#define INVEPT_SINGLE 1ull
#define INVEPT_ALL    2ull
#define TPR           0x80u
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
    struct virt_cpu *own = cpu->virt;
    if (unlikely(own->current != vmx || vmx->cpu != cpu))
        vmcs_activate(vmx, cpu);
    uint64_t cr0 = read_cr0(), cr3 = read_cr3();
    if (cr0 != vmx->host_cr0)
        vmwriten(VMCS_HOST_CR0, vmx->host_cr0 = cr0);
    if (cr3 != vmx->host_cr3)
        vmwriten(VMCS_HOST_CR3, vmx->host_cr3 = cr3);
    if (unlikely(cpu->current->utcb_va != vmx->host_fs))
        vmwriten(VMCS_HOST_FS_BASE, vmx->host_fs = cpu->current->utcb_va);
    write_cr2(vmx->cr2);
    wrmsr(MSR_STAR, vmx->star);
    wrmsr(MSR_LSTAR, vmx->lstar);
    wrmsr(MSR_SFMASK, vmx->sfmask);
    if (unlikely(own->cstar != vmx->cstar))
        wrmsr(MSR_CSTAR, own->cstar = vmx->cstar);
    msr_switch(MSR_KERNEL_GS, 0, vmx->kernel_gs);
    vmx->inside = true;
    /* Breakpoints that are armed must find their addresses, which leave with vcpu_run. */
    if (unlikely(vmx->armed && !vcpu->dr_loaded))
        lazy_load_dr(vcpu);
}

static NOINLINE void take_acknowledged(struct vmx_vcpu *vmx)
{
    struct regs taken = {.vector = vmx->acknowledged};
    vmx->acknowledged = 0;
    kernel_interrupt(&taken);
}

/* A VM exit leaves the limits of GDTR and TR at fixed values, which would give ring 3 descriptors
 * beyond the table and take its I/O bitmap away. CSTAR stays: the host has no 32-bit code. */
void vmx_leave(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    const struct cpu *cpu = cpu_self();
    const struct virt_cpu *own = cpu->virt;
    vmx->inside = false;
    if (unlikely(vmx->eptp & EPTP_DIRTY) && vmx->log)
        vmx_log_drain(vcpu);
    vcpu->rsp = vmreadn(VMCS_GUEST_RSP);
    vcpu->rflags = vmreadn(VMCS_GUEST_RFLAGS);
    vmx->cr2 = read_cr2();
    vmx->kernel_gs = rdmsr(MSR_KERNEL_GS);
    msr_switch(MSR_KERNEL_GS, vmx->kernel_gs, 0);
    wrmsr(MSR_STAR, own->star);
    wrmsr(MSR_LSTAR, own->lstar);
    wrmsr(MSR_SFMASK, own->sfmask);
    __asm__ volatile("lgdt %0" ::"m"(own->gdtr));
    cpu->gdt[SEL_TSS >> 3] &= ~TSS_BUSY;
    __asm__ volatile("ltr %w0" ::"r"(SEL_TSS) : "memory");
    if (unlikely(vmx->acknowledged))
        take_acknowledged(vmx);
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

void vmx_log_drain(struct vcpu *vcpu)
{
    uint16_t next = vmread16(VMCS_PML_INDEX); /* 65535: full */
    vcpu->stat[STAT_DIRTY] += (uint16_t)(LOG_ENTRIES - 1 - next);
    vmwrite16(VMCS_PML_INDEX, LOG_ENTRIES - 1);
}

/* Only while writes are told does the CPU keep accessed and dirty bits: with them its walks of a
 * guest's page tables count as writes. */
static void set_log(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    bool wanted = __atomic_load_n(&vcpu->guest->log, __ATOMIC_RELAXED);
    vmx->log_hurts &= wanted;
    uint64_t eptp = (vmx->eptp & ~EPTP_DIRTY) | (wanted && !vmx->log_hurts ? EPTP_DIRTY : 0);
    if (eptp == vmx->eptp)
        return;
    if (vmx->log)
        vmx_log_drain(vcpu);
    vmwrite64(VMCS_EPT_POINTER, vmx->eptp = eptp);
    vmcs_write_controls(vmx);
}

static NOINLINE void prepare_rare(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    window_prepare(vcpu, vmx);
    if (vcpu->flush) {
        vcpu->flush = false;
        set_log(vcpu, vmx);
        invept(vmx);
    }
}

/* Rounded up: the timer's first step comes anywhere within a step's time, and an exit before the
 * time is one in vain. What stays in the VMCS of a deadline that is given up ends the guest once.
 */
static void set_timer(uint64_t due)
{
    uint64_t now = rdtsc(), steps = ((due - now) >> vmx_caps.timer_rate) + 2;
    vmwrite32(VMCS_PREEMPTION_TIMER, due <= now ? 0 : (uint32_t)MIN(steps, vmx_caps.timer_idle));
}

/* SPEC_CTRL and what the CPU must forget, before and after. */
static NOINLINE void guard_entry(const struct vcpu *vcpu)
{
    if (vcpu->spec_ctrl != 0)
        wrmsr(MSR_SPEC_CTRL, vcpu->spec_ctrl);
    mitigate_exit(true);
}

static NOINLINE void guard_exit(const struct vcpu *vcpu)
{
    mitigate_vmexit();
    if (vcpu->spec_ctrl != 0)
        wrmsr(MSR_SPEC_CTRL, host_spec_ctrl);
}

static inline void prepare(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    vmwriten(VMCS_GUEST_RIP, vcpu->rip); /* nearly every exit moves it */
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

/* The instruction failed: nothing of the guest has run. What it left of the launch state is not
 * asked: the next is a launch. */
static enum vexit entry_failed(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    uint32_t error = vmread32(VMCS_INSTRUCTION_ERROR);
    vmx->injected = false;
    vmx_put(vcpu);
    vmcs_activate(vmx, cpu_self());
    return vmx_refuse(vcpu, VMX_EXIT_ENTRY_FAILED, error,
                      "VMLAUNCH or VMRESUME failed; info: VM-instruction error");
}

/* Loads the guest's general registers, enters by VMLAUNCH or VMRESUME, stores them back; *failed:
 * the instruction itself did. No call in C: what the caller's caller keeps in registers is on the
 * stack already. The vCPU is what the assembly found again by its RAX: nothing need be kept over
 * it. */
static inline struct vcpu *world_switch(struct vcpu *vcpu, struct vmx_vcpu *vmx, bool *failed)
{
    uint64_t *gpr = vcpu->page->gpr, *rax = &vcpu->rax;
    void *place = &vmx->sw;
    __asm__ volatile("call vmx_world_switch"
                     : "=@ccc"(*failed), "+D"(gpr), "+S"(rax), "+c"(place)
                     :
                     : "rax", "rbx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "memory");
    return container_of(place, struct vcpu, rax);
}

static inline enum vexit decode_io(struct vcpu *vcpu)
{
    qualification_io(vmreadn(VMCS_EXIT_QUALIFICATION), &vcpu->x);
    return VEXIT_PIO;
}

static NOINLINE enum vexit sort_out(struct vcpu *vcpu, struct vmx_vcpu *vmx, uint32_t reason,
                                    int8_t plain)
{
    /* An instruction that exits is never in the middle of an event's delivery. */
    uint32_t info = plain ? 0 : vmread32(VMCS_IDT_VECTORING_INFO);
    if (unlikely(vmx->injected | (info >> 31)))
        window_interrupted(vcpu, vmx, reason, info);
    if (!plain)
        return vmx_decode(vcpu, vmx, reason);
    vcpu->x.insn_len = (uint8_t)vmread32(VMCS_EXIT_INSTRUCTION_LENGTH);
    return plain > 0 ? (enum vexit)plain : decode_io(vcpu);
}

static inline __attribute__((always_inline)) enum vexit run(struct vcpu *vcpu, bool guarded)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    bool failed;
    if (guarded)
        guard_entry(vcpu);
    vcpu = world_switch(vcpu, vmx, &failed);
    vmx = vmx_of(vcpu);
    if (guarded)
        guard_exit(vcpu);
    if (unlikely(failed))
        return entry_failed(vcpu, vmx);
    vcpu->rip = vmreadn(VMCS_GUEST_RIP);
    uint32_t blocked = vmread32(VMCS_GUEST_INTERRUPTIBILITY);
    if (unlikely(blocked | vmx->interruptibility))
        set_blocks(vcpu, vmx, blocked);
    if (unlikely(vmx->vapic[TPR] != vcpu->lapic.tpr))
        vcpu->lapic.tpr = vmx->vapic[TPR];
    uint32_t reason = vmread32(VMCS_EXIT_REASON);
    int8_t plain = reason < ARRAY_LEN(vmx_plain) ? vmx_plain[reason] : 0;
    if (unlikely(!plain || vmx->injected))
        return sort_out(vcpu, vmx, reason, plain);
    vcpu->x.insn_len = (uint8_t)vmread32(VMCS_EXIT_INSTRUCTION_LENGTH);
    return likely(plain > 0) ? (enum vexit)plain : decode_io(vcpu);
}

static NOINLINE enum vexit run_guarded(struct vcpu *vcpu)
{
    return run(vcpu, true);
}

enum vexit vmx_run(struct vcpu *vcpu)
{
    prepare(vcpu, vmx_of(vcpu));
    return unlikely(vcpu->spec_ctrl | vmx_caps.barriers) ? run_guarded(vcpu) : run(vcpu, false);
}
