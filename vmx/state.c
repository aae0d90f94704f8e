/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest registers between the VMCS, struct vmx_vcpu and the page of the vCPU. */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "virt/msr.h"
#include "vmx/segment.h"
#include "vmx/vmx.h"

static void save_segment(struct vcpu_page *to, enum vcpu_seg i)
{
    to->seg[i] = (struct vcpu_segment){.base = vmreadn(VMCS_GUEST_BASE(i)),
                                       .limit = vmread32(VMCS_GUEST_LIMIT(i)),
                                       .selector = vmread16(VMCS_GUEST_SELECTOR(i)),
                                       .attr = segment_attr(vmread32(VMCS_GUEST_ACCESS(i)))};
}

static void save_segments(struct vcpu_page *to)
{
    for (uint32_t i = 0; i < SEG_COUNT; i++)
        save_segment(to, (enum vcpu_seg)i);
    to->gdtr = (struct vcpu_table){.base = vmreadn(VMCS_GUEST_GDTR_BASE),
                                   .limit = vmread32(VMCS_GUEST_GDTR_LIMIT)};
    to->idtr = (struct vcpu_table){.base = vmreadn(VMCS_GUEST_IDTR_BASE),
                                   .limit = vmread32(VMCS_GUEST_IDTR_LIMIT)};
}

static void load_segments(const struct vcpu_page *from)
{
    for (uint32_t i = 0; i < SEG_COUNT; i++) {
        const struct vcpu_segment *s = &from->seg[i];
        uint32_t limit = s->limit;
        vmwrite32(VMCS_GUEST_ACCESS(i), segment_access((enum vcpu_seg)i, s->attr, &limit));
        vmwrite32(VMCS_GUEST_LIMIT(i), limit);
        vmwrite16(VMCS_GUEST_SELECTOR(i), s->selector);
        vmwriten(VMCS_GUEST_BASE(i), s->base);
    }
    vmwriten(VMCS_GUEST_GDTR_BASE, from->gdtr.base);
    vmwrite32(VMCS_GUEST_GDTR_LIMIT, from->gdtr.limit & 0xffff);
    vmwriten(VMCS_GUEST_IDTR_BASE, from->idtr.base);
    vmwrite32(VMCS_GUEST_IDTR_LIMIT, from->idtr.limit & 0xffff);
}

/* LMA decides between 64-bit and legacy entry. From then on the CPU itself keeps the control in
 * step with the guest. */
static void set_efer(uint64_t value)
{
    uint32_t entry = vmread32(VMCS_ENTRY_CONTROLS) & ~ENTRY_GUEST_64BIT;
    vmwrite32(VMCS_ENTRY_CONTROLS, entry | (value & EFER_LMA ? ENTRY_GUEST_64BIT : 0));
    vmwrite64(VMCS_GUEST_EFER, value);
}

static uint64_t get_dr6(const struct vmx_vcpu *vmx)
{
    uint64_t value = vmx->dr6;
    if (vmx->dr6_loaded)
        __asm__ volatile("mov %%db6, %0" : "=r"(value));
    return value;
}

static void set_dr6(struct vmx_vcpu *vmx, uint64_t value)
{
    vmx->dr6 = value;
    if (vmx->dr6_loaded)
        __asm__ volatile("mov %0, %%db6" ::"r"(value));
}

static void save_syscall(const struct vmx_vcpu *vmx, struct vcpu_page *to)
{
    to->star = vmx->star;
    to->lstar = vmx->lstar;
    to->cstar = vmx->cstar;
    to->sfmask = vmx->sfmask;
    to->kernel_gs_base = vmx->kernel_gs;
    to->sysenter_cs = vmread32(VMCS_GUEST_SYSENTER_CS);
    to->sysenter_esp = vmreadn(VMCS_GUEST_SYSENTER_ESP);
    to->sysenter_eip = vmreadn(VMCS_GUEST_SYSENTER_EIP);
}

void vmx_save(struct vcpu *vcpu, struct vcpu_page *to, uint32_t groups)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    bool clear = vmcs_hold(vmx);
    if (groups & VCPU_GROUP_CODE) {
        to->seg[SEG_CS].base = vmreadn(VMCS_GUEST_BASE(SEG_CS));
        to->seg[SEG_CS].attr = segment_attr(vmread32(VMCS_GUEST_ACCESS(SEG_CS)));
        to->seg[SEG_SS].attr = segment_attr(vmread32(VMCS_GUEST_ACCESS(SEG_SS)));
    }
    if (groups & VCPU_GROUP_SEGS)
        save_segments(to);
    if (groups & VCPU_GROUP_CTRL) {
        to->cr0 = control_cr0();
        to->cr2 = vmx->cr2;
        to->cr3 = vmreadn(VMCS_GUEST_CR3);
        to->cr4 = control_cr4();
        to->efer = vmread64(VMCS_GUEST_EFER);
    }
    if (groups & VCPU_GROUP_DEBUG) {
        to->dr6 = get_dr6(vmx);
        to->dr7 = vmreadn(VMCS_GUEST_DR7);
    }
    if (groups & VCPU_GROUP_SYSCALL)
        save_syscall(vmx, to);
    vmcs_drop(vmx, clear);
}

/* WRMSR would fault on these, in the host. */
static bool canonical(uint64_t address)
{
    uint32_t unused = 64 - features.linear_bits;
    return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

static int64_t load_syscall(struct vmx_vcpu *vmx, const struct vcpu_page *from)
{
    if (!canonical(from->lstar) || !canonical(from->cstar) || !canonical(from->kernel_gs_base) ||
        from->sfmask > UINT32_MAX)
        return ERR_ARG;
    vmx->star = from->star;
    vmx->lstar = from->lstar;
    vmx->cstar = from->cstar;
    vmx->sfmask = from->sfmask;
    vmx->kernel_gs = from->kernel_gs_base;
    vmwrite32(VMCS_GUEST_SYSENTER_CS, (uint32_t)from->sysenter_cs);
    vmwriten(VMCS_GUEST_SYSENTER_ESP, from->sysenter_esp);
    vmwriten(VMCS_GUEST_SYSENTER_EIP, from->sysenter_eip);
    return OK;
}

static int64_t load_held(struct vmx_vcpu *vmx, const struct vcpu_page *from, uint32_t groups)
{
    if (groups & VCPU_GROUP_CTRL) {
        if (!efer_valid(from->efer) || !control_load(vmx, from->cr0, from->cr4))
            return ERR_ARG;
        vmx->cr2 = from->cr2;
        vmwriten(VMCS_GUEST_CR3, from->cr3);
        set_efer(from->efer);
    }
    if (groups & VCPU_GROUP_CORE) {
        vmwriten(VMCS_GUEST_RSP, from->gpr[GPR_RSP]);
        vmwriten(VMCS_GUEST_RFLAGS, from->rflags);
    }
    if (groups & VCPU_GROUP_SEGS)
        load_segments(from);
    if (groups & VCPU_GROUP_DEBUG) {
        set_dr6(vmx, from->dr6);
        vmwriten(VMCS_GUEST_DR7, from->dr7);
        vmx->armed = (from->dr7 & DR7_ENABLES) != 0;
    }
    if (groups & VCPU_GROUP_TIME) {
        vmwrite64(VMCS_TSC_OFFSET, from->tsc_offset);
        if (vmx_caps.tsc_scaling)
            vmwrite64(VMCS_TSC_MULTIPLIER, from->tsc_scale ? from->tsc_scale : TSC_MULTIPLIER_ONE);
    }
    return groups & VCPU_GROUP_SYSCALL ? load_syscall(vmx, from) : OK;
}

/* Values that the CPU refuses end in VEXIT_INVALID with the rule's name, which hurts nobody; those
 * checked here are the ones that would reach the host. */
int64_t vmx_load(struct vcpu *vcpu, const struct vcpu_page *from, uint32_t groups)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    bool clear = vmcs_hold(vmx);
    int64_t status = load_held(vmx, from, groups);
    vmcs_drop(vmx, clear);
    return status;
}

/* Those that are nothing but a field of natural width. */
static const vmcsn_t field_of[VREGS] = {
    [VREG_RSP] = VMCS_GUEST_RSP,
    [VREG_RFLAGS] = VMCS_GUEST_RFLAGS,
    [VREG_FS_BASE] = VMCS_GUEST_BASE(SEG_FS),
    [VREG_GS_BASE] = VMCS_GUEST_BASE(SEG_GS),
    [VREG_SYSENTER_ESP] = VMCS_GUEST_SYSENTER_ESP,
    [VREG_SYSENTER_EIP] = VMCS_GUEST_SYSENTER_EIP,
};

static uint64_t get_held(const struct vmx_vcpu *vmx, enum vreg which)
{
    if (field_of[which].encoding)
        return vmreadn(field_of[which]);
    switch (which) {
    case VREG_CR0:
        return control_cr0();
    case VREG_CR4:
        return control_cr4();
    case VREG_EFER:
        return vmread64(VMCS_GUEST_EFER);
    case VREG_PAT:
        return vmread64(VMCS_GUEST_PAT);
    case VREG_DEBUGCTL:
        return vmread64(VMCS_GUEST_DEBUGCTL);
    case VREG_STAR:
        return vmx->star;
    case VREG_LSTAR:
        return vmx->lstar;
    case VREG_CSTAR:
        return vmx->cstar;
    case VREG_SFMASK:
        return vmx->sfmask;
    case VREG_KERNEL_GS_BASE:
        return vmx->inside ? rdmsr(MSR_KERNEL_GS) : vmx->kernel_gs;
    case VREG_SYSENTER_CS:
        return vmread32(VMCS_GUEST_SYSENTER_CS);
    default:
        return ACCESS_DPL(vmread32(VMCS_GUEST_ACCESS(SEG_SS)));
    }
}

uint64_t vmx_get(struct vcpu *vcpu, enum vreg which)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    bool clear = vmcs_hold(vmx);
    uint64_t value = get_held(vmx, which);
    vmcs_drop(vmx, clear);
    return value;
}

/* Registers that VMX does not switch: kept here, and in the CPU while the guest is entered. */
static void set_msr(const struct vmx_vcpu *vmx, uint64_t *copy, uint32_t msr, uint64_t value)
{
    *copy = value;
    if (!vmx->inside)
        return;
    wrmsr(msr, value);
    if (msr == MSR_CSTAR)
        cpu_self()->virt->cstar = value;
}

static void set_held(struct vmx_vcpu *vmx, enum vreg which, uint64_t value)
{
    switch (which) {
    case VREG_CR0:
        (void)control_load(vmx, value, control_cr4());
        break;
    case VREG_CR4:
        (void)control_load(vmx, control_cr0(), value);
        break;
    case VREG_EFER:
        set_efer(value);
        break;
    case VREG_PAT:
        vmwrite64(VMCS_GUEST_PAT, value);
        break;
    case VREG_DEBUGCTL:
        vmwrite64(VMCS_GUEST_DEBUGCTL, value);
        break;
    case VREG_SYSENTER_CS:
        vmwrite32(VMCS_GUEST_SYSENTER_CS, (uint32_t)value);
        break;
    default:
        break;
    }
}

void vmx_set(struct vcpu *vcpu, enum vreg which, uint64_t value)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    switch (which) {
    case VREG_STAR:
        set_msr(vmx, &vmx->star, MSR_STAR, value);
        return;
    case VREG_LSTAR:
        set_msr(vmx, &vmx->lstar, MSR_LSTAR, value);
        return;
    case VREG_CSTAR:
        set_msr(vmx, &vmx->cstar, MSR_CSTAR, value);
        return;
    case VREG_SFMASK:
        set_msr(vmx, &vmx->sfmask, MSR_SFMASK, value & UINT32_MAX);
        return;
    case VREG_KERNEL_GS_BASE:
        set_msr(vmx, &vmx->kernel_gs, MSR_KERNEL_GS, value);
        return;
    default:
        break;
    }
    bool clear = vmcs_hold(vmx);
    if (field_of[which].encoding)
        vmwriten(field_of[which], value);
    else
        set_held(vmx, which, value);
    vmcs_drop(vmx, clear);
}
