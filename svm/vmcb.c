/* SPDX-License-Identifier: BSD-2-Clause */
#include "svm/svm.h"

#include "arch/x86_64/kmem.h"
#include "arch/x86_64/platform.h"
#include "kernel/slab.h"
#include "virt/event.h"
#include "virt/guest.h"

#define IOPM_ORDER  2u /* 12 KiB are used */
#define MSRPM_ORDER 1u

#define MISC1_ALWAYS                                                                            \
    (MISC1_INTR | MISC1_NMI | MISC1_INIT | MISC1_RDPMC | MISC1_CPUID | MISC1_INVD | MISC1_HLT | \
     MISC1_INVLPGA | MISC1_IOIO | MISC1_MSR | MISC1_FERR | MISC1_SHUTDOWN)
#define MISC2_ALWAYS                                                                               \
    (MISC2_VMRUN | MISC2_VMMCALL | MISC2_VMLOAD | MISC2_VMSAVE | MISC2_STGI | MISC2_CLGI |         \
     MISC2_SKINIT | MISC2_WBINVD | MISC2_MONITOR | MISC2_MWAIT | MISC2_MWAIT_COND | MISC2_XSETBV | \
     MISC2_RDPRU)
#define MISC3_ALWAYS (MISC3_INVLPGB | MISC3_MCOMMIT | MISC3_TLBSYNC)

#define PAUSE_COUNT     3000u
#define PAUSE_THRESHOLD 128u

static uint8_t *iopm, *msrpm;

/* Two bits an MSR, 2 KiB a range: 0, c0000000, c0010000. (AMD APM vol. 2, "MSR Intercepts".) */
static void msr_pass(uint32_t index, bool writes)
{
    uint32_t base = index >= 0xc0000000u ? 0x800u : 0, n = index & 0x1fffu;
    msrpm[base + n / 4] &= (uint8_t) ~((writes ? 3u : 1u) << (n % 4 * 2));
}

/* What VMLOAD and VMSAVE switch is the guest's own; all other MSRs are intercepted. EFER is,
 * because SVME must stay set; PAT is, because not every implementation keeps the guest's apart. */
static const uint32_t passed[] = {
    MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR, MSR_SFMASK,
};

/* WRMSR of an address that is not canonical faults; on QEMU (found by trying, in 7.2) it does not,
 * so there writes are looked at here. */
static const uint32_t addresses[VREGS] = {
    [VREG_LSTAR] = MSR_LSTAR,
    [VREG_CSTAR] = MSR_CSTAR,
    [VREG_FS_BASE] = MSR_FS_BASE,
    [VREG_GS_BASE] = MSR_GS_BASE,
    [VREG_KERNEL_GS_BASE] = MSR_KERNEL_GS,
};

bool svm_maps_init(void)
{
    iopm = kmem_pages(IOPM_ORDER);
    msrpm = kmem_pages(MSRPM_ORDER);
    if (!iopm || !msrpm)
        return false;
    for (uint32_t i = 0; i < PAGE_SIZE << IOPM_ORDER; i++)
        iopm[i] = 0xff;
    for (uint32_t i = 0; i < PAGE_SIZE << MSRPM_ORDER; i++)
        msrpm[i] = 0xff;
    for (uint32_t i = 0; i < ARRAY_LEN(passed); i++)
        msr_pass(passed[i], true);
    for (uint32_t i = 0; i < VREGS; i++)
        if (addresses[i])
            msr_pass(addresses[i], !svm_assists.qemu);
    return true;
}

int64_t svm_vcpu_init(struct vcpu *vcpu)
{
    int64_t status = OK;
    struct svm_vcpu *svm = slab_alloc(sizeof(*svm));
    if (!svm)
        return ERR_NOMEM;
    struct vmcb *vmcb = pd_pages(vcpu->obj.payer, 0, &status);
    if (!vmcb) {
        slab_free(svm, sizeof(*svm));
        return status;
    }
    *svm = (struct svm_vcpu){.vmcb = vmcb, .vmcb_pa = kva_to_hpa(vmcb), .tsc_ratio = TSC_RATIO_ONE};
    vcpu->hw = svm;
    vmcb->intercept_misc1 = MISC1_ALWAYS;
    vmcb->intercept_misc2 = MISC2_ALWAYS;
    vmcb->intercept_misc3 = MISC3_ALWAYS;
    vmcb->intercept_exceptions = EXC_ALWAYS;
    if (svm_assists.pause_filter) {
        vmcb->pause_count = PAUSE_COUNT;
        vmcb->pause_threshold = PAUSE_THRESHOLD;
    }
    vmcb->iopm_base = kva_to_hpa(iopm).v;
    vmcb->msrpm_base = kva_to_hpa(msrpm).v;
    vmcb->int_control = INT_MASKING;
    vmcb->np_enable = 1;
    vmcb->n_cr3 = kva_to_hpa(vcpu->guest->space.ptab.root).v;
    vmcb->efer = EFER_SVME;
    svm_intercepts(vcpu);
    return OK;
}

void svm_vcpu_fini(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    pd_free_pages(vcpu->obj.payer, svm->vmcb, 0);
    slab_free(svm, sizeof(*svm));
    vcpu->hw = NULL;
}

void svm_intercepts(struct vcpu *vcpu)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct vmcb *vmcb = svm->vmcb;
    /* DR0-3 are loaded at the first use; DR6 and DR7 the CPU switches itself. */
    uint16_t dr = vcpu->dr_loaded ? 0 : 0xff;
    uint32_t misc1 = vmcb->intercept_misc1 & ~(MISC1_VINTR | MISC1_IRET | MISC1_PAUSE);
    if (vcpu->irq.state == IRQ_WINDOW)
        misc1 |= MISC1_VINTR;
    if ((vcpu->block & VCPU_BLOCK_NMI) && !svm->nmi_iret)
        misc1 |= MISC1_IRET;
    bool careful = svm_assists.qemu && vcpu->irq.state != IRQ_IDLE;
    vmcb->intercept_cr_write = careful ? 1u << 8 : 0;
    if (careful || svm_assists.pause_filter)
        misc1 |= MISC1_PAUSE;
    vmcb->intercept_dr_read = vmcb->intercept_dr_write = dr;
    vmcb->intercept_misc1 = misc1;
    svm->clean &= ~CLEAN_I;
}

/* Where the VMCB has the segments of the ABI's order. */
static const uint16_t segment_at[SEG_COUNT] = {
    [SEG_ES] = offsetof(struct vmcb, es),     [SEG_CS] = offsetof(struct vmcb, cs),
    [SEG_SS] = offsetof(struct vmcb, ss),     [SEG_DS] = offsetof(struct vmcb, ds),
    [SEG_FS] = offsetof(struct vmcb, fs),     [SEG_GS] = offsetof(struct vmcb, gs),
    [SEG_LDTR] = offsetof(struct vmcb, ldtr), [SEG_TR] = offsetof(struct vmcb, tr),
};

static struct vmcb_segment *segment(struct vmcb *vmcb, uint32_t which)
{
    return (struct vmcb_segment *)((char *)vmcb + segment_at[which]);
}

/* Attributes: the VMCB packs type..P in 7:0 and AVL..G in 11:8, as the ABI does; what is not
 * present is unusable. The low word of both structures is selector, attributes, limit. */
static inline void save_segment(const struct vmcb_segment *from, struct vcpu_segment *to)
{
    uint64_t low;
    __builtin_memcpy(&low, from, sizeof(low));
    low |= (~low >> 23 & 1) << 28;
    __builtin_memcpy(to, &low, sizeof(low));
    to->base = from->base;
}
_Static_assert(SEG_ATTR_P << 16 == 1u << 23 && (uint64_t)SEG_ATTR_UNUSABLE << 16 == 1u << 28,
               "save_segment's shifts");

static void save_segments(struct vmcb *vmcb, struct vcpu_page *to)
{
    for (uint32_t i = 0; i < SEG_COUNT; i++)
        save_segment(segment(vmcb, i), &to->seg[i]);
    to->gdtr = (struct vcpu_table){.base = vmcb->gdtr.base, .limit = vmcb->gdtr.limit};
    to->idtr = (struct vcpu_table){.base = vmcb->idtr.base, .limit = vmcb->idtr.limit};
}

static void load_segments(struct vmcb *vmcb, const struct vcpu_page *from)
{
    for (uint32_t i = 0; i < SEG_COUNT; i++) {
        const struct vcpu_segment *s = &from->seg[i];
        uint16_t attr = s->attr & SEG_ATTR_UNUSABLE ? 0 : s->attr & 0xfff;
        *segment(vmcb, i) = (struct vmcb_segment){
            .selector = s->selector, .attr = attr, .limit = s->limit, .base = s->base};
    }
    /* CPL is SS's DPL; real mode has 0, virtual-8086 mode 3 in its SS as well. */
    vmcb->cpl = SEG_ATTR_DPL(from->seg[SEG_SS].attr);
    vmcb->gdtr.base = from->gdtr.base;
    vmcb->gdtr.limit = from->gdtr.limit & 0xffff;
    vmcb->idtr.base = from->idtr.base;
    vmcb->idtr.limit = from->idtr.limit & 0xffff;
}

void svm_save(struct vcpu *vcpu, struct vcpu_page *to, uint32_t groups)
{
    struct vmcb *vmcb = svm_of(vcpu)->vmcb;
    if (groups & VCPU_GROUP_CODE) {
        save_segment(&vmcb->cs, &to->seg[SEG_CS]);
        save_segment(&vmcb->ss, &to->seg[SEG_SS]);
    }
    if (groups & VCPU_GROUP_SEGS)
        save_segments(vmcb, to);
    if (groups & VCPU_GROUP_CTRL) {
        to->cr0 = vmcb->cr0;
        to->cr2 = vmcb->cr2;
        to->cr3 = vmcb->cr3;
        to->cr4 = vmcb->cr4;
        to->efer = vmcb->efer & ~EFER_SVME;
    }
    if (groups & VCPU_GROUP_DEBUG) {
        to->dr6 = vmcb->dr6;
        to->dr7 = vmcb->dr7;
    }
    if (groups & VCPU_GROUP_SYSCALL) {
        to->star = vmcb->star;
        to->lstar = vmcb->lstar;
        to->cstar = vmcb->cstar;
        to->sfmask = vmcb->sfmask;
        to->kernel_gs_base = vmcb->kernel_gs_base;
        to->sysenter_cs = vmcb->sysenter_cs;
        to->sysenter_esp = vmcb->sysenter_esp;
        to->sysenter_eip = vmcb->sysenter_eip;
    }
}

static int64_t load_control(struct vmcb *vmcb, const struct vcpu_page *from)
{
    if (!efer_valid(from->efer))
        return ERR_ARG;
    vmcb->cr0 = from->cr0;
    vmcb->cr2 = from->cr2;
    vmcb->cr3 = from->cr3;
    vmcb->cr4 = from->cr4;
    vmcb->efer = from->efer | EFER_SVME;
    return OK;
}

/* Values that the CPU refuses end in VMEXIT_INVALID, which hurts nobody; those checked here are the
 * ones that would reach the host. */
int64_t svm_load(struct vcpu *vcpu, const struct vcpu_page *from, uint32_t groups)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    struct vmcb *vmcb = svm->vmcb;
    svm->clean = 0;
    if ((groups & VCPU_GROUP_CTRL) && load_control(vmcb, from) != OK)
        return ERR_ARG;
    if (groups & VCPU_GROUP_CORE) {
        vmcb->rsp = from->gpr[GPR_RSP];
        vmcb->rflags = from->rflags;
    }
    if (groups & VCPU_GROUP_SEGS)
        load_segments(vmcb, from);
    if (groups & VCPU_GROUP_DEBUG) {
        vmcb->dr6 = from->dr6;
        vmcb->dr7 = from->dr7;
    }
    if (groups & VCPU_GROUP_SYSCALL) {
        vmcb->star = from->star;
        vmcb->lstar = from->lstar;
        vmcb->cstar = from->cstar;
        vmcb->sfmask = from->sfmask;
        vmcb->kernel_gs_base = from->kernel_gs_base;
        vmcb->sysenter_cs = from->sysenter_cs;
        vmcb->sysenter_esp = from->sysenter_esp;
        vmcb->sysenter_eip = from->sysenter_eip;
    }
    if (groups & VCPU_GROUP_TIME) {
        vmcb->tsc_offset = from->tsc_offset;
        svm_of(vcpu)->tsc_ratio = from->tsc_scale ? from->tsc_scale >> 16 : TSC_RATIO_ONE;
    }
    return OK;
}

/* Never asked inside for what VMSAVE stores: reads of those MSRs are not intercepted. */
static const uint16_t field_at[VREGS] = {
    [VREG_RSP] = offsetof(struct vmcb, rsp),
    [VREG_RFLAGS] = offsetof(struct vmcb, rflags),
    [VREG_DR6] = offsetof(struct vmcb, dr6),
    [VREG_CR0] = offsetof(struct vmcb, cr0),
    [VREG_CR4] = offsetof(struct vmcb, cr4),
    [VREG_EFER] = offsetof(struct vmcb, efer),
    [VREG_PAT] = offsetof(struct vmcb, pat),
    [VREG_DEBUGCTL] = offsetof(struct vmcb, debugctl),
    [VREG_STAR] = offsetof(struct vmcb, star),
    [VREG_LSTAR] = offsetof(struct vmcb, lstar),
    [VREG_CSTAR] = offsetof(struct vmcb, cstar),
    [VREG_SFMASK] = offsetof(struct vmcb, sfmask),
    [VREG_KERNEL_GS_BASE] = offsetof(struct vmcb, kernel_gs_base),
    [VREG_FS_BASE] = offsetof(struct vmcb, fs.base),
    [VREG_GS_BASE] = offsetof(struct vmcb, gs.base),
    [VREG_SYSENTER_CS] = offsetof(struct vmcb, sysenter_cs),
    [VREG_SYSENTER_ESP] = offsetof(struct vmcb, sysenter_esp),
    [VREG_SYSENTER_EIP] = offsetof(struct vmcb, sysenter_eip),
};

static uint64_t *field(struct vmcb *vmcb, enum vreg which)
{
    return (uint64_t *)((char *)vmcb + field_at[which]);
}

uint64_t svm_get(struct vcpu *vcpu, enum vreg which)
{
    struct vmcb *vmcb = svm_of(vcpu)->vmcb;
    if (which == VREG_CPL)
        return vmcb->cpl;
    uint64_t value = *field(vmcb, which);
    return which == VREG_EFER ? value & ~EFER_SVME : value;
}

void svm_set(struct vcpu *vcpu, enum vreg which, uint64_t value)
{
    struct svm_vcpu *svm = svm_of(vcpu);
    if (which == VREG_CPL)
        return;
    if (addresses[which]) { /* between enter and leave it is in the CPU */
        wrmsr(addresses[which], value);
        return;
    }
    *field(svm->vmcb, which) = which == VREG_EFER ? value | EFER_SVME : value;
    if (which == VREG_EFER)
        svm->clean &= ~CLEAN_CR;
    else if (which == VREG_DR6)
        svm->clean &= ~CLEAN_DR;
    else if (which == VREG_PAT)
        svm->clean &= ~CLEAN_NP;
    else if (which == VREG_DEBUGCTL)
        svm->clean &= ~CLEAN_LBR;
}
