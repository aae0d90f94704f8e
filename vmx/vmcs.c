/* SPDX-License-Identifier: BSD-2-Clause */
/* A VMCS is active on one CPU at most, from its first entry there until put(); outside that time it
 * is clear, in memory, and whoever owns the vCPU may load it for a moment. */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/platform.h"
#include "kernel/slab.h"
#include "virt/event.h"
#include "virt/guest.h"
#include "virt/msr.h"
#include "vmx/vmx.h"

#define CR4_VMXE  (1ull << 13)
#define EXC_MC    18u
#define GDT_LIMIT (8u * 8 - 1)
/* #DB and #AC: a guest could make the CPU deliver them without end, with interrupts shut out. */
#define EXC_ALWAYS ((1u << EXC_DB) | (1u << EXC_AC) | (1u << EXC_MC))

#define PLE_GAP      128u  /* TSC cycles between two PAUSEs of one loop */
#define PLE_WINDOW   4096u /* TSC cycles of spinning */
#define DR6_INIT     0xffff0ff0ull
#define LINK_NONE    UINT64_MAX
#define VPIDS        4096u
#define BITMAP_HIGH  0x400u /* reads of c0000000.. */
#define BITMAP_WRITE 0x800u

#define X2APIC_TPR  0x808u
#define X2APIC_PPR  0x80au
#define X2APIC_EOI  0x80bu
#define X2APIC_ISR  0x810u
#define X2APIC_IRR  0x820u
#define X2APIC_SELF 0x83fu

static uint8_t *msr_bitmap, *direct_bitmap;  /* the latter where the CPU delivers interrupts */
static uint64_t vpid_used[VPIDS / 64] = {1}; /* 0 is the host's; atomic */

/* (Intel SDM vol. 3, "MSR-Bitmap Address".) */
static void pass_read(uint8_t *bitmap, uint32_t index)
{
    uint32_t base = index >= 0xc0000000u ? BITMAP_HIGH : 0, n = index & 0x1fffu;
    bitmap[base + n / 8] &= (uint8_t) ~(1u << n % 8);
}

static void pass_write(uint8_t *bitmap, uint32_t index)
{
    pass_read(bitmap + BITMAP_WRITE, index);
}

/* Guests have these to themselves: VMCS fields, and KERNEL_GS_BASE, which SWAPGS changes anyway.
 * STAR, LSTAR, CSTAR and SFMASK exit: guests write them once, and a leave() that need not read them
 * back is worth more. EFER exits as in SVM. */
static const uint32_t passed[] = {MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
                                  MSR_FS_BASE,     MSR_GS_BASE,      MSR_KERNEL_GS};

static uint8_t *make_bitmap(void)
{
    uint8_t *bitmap = kmem_pages(0);
    for (uint32_t i = 0; bitmap && i < PAGE_SIZE; i++)
        bitmap[i] = 0xff;
    for (uint32_t i = 0; bitmap && i < ARRAY_LEN(passed); i++) {
        pass_read(bitmap, passed[i]);
        pass_write(bitmap, passed[i]);
    }
    return bitmap;
}

/* The registers that the CPU keeps in the virtual-APIC page; all others exit. */
static void pass_delivery(uint8_t *bitmap)
{
    pass_read(bitmap, X2APIC_TPR);
    pass_write(bitmap, X2APIC_TPR);
    pass_write(bitmap, X2APIC_EOI);
    pass_write(bitmap, X2APIC_SELF);
    if (!(vmx_caps.delivery & SECONDARY_APIC_REGS))
        return;
    pass_read(bitmap, X2APIC_PPR);
    for (uint32_t i = 0; i < 8; i++) {
        pass_read(bitmap, X2APIC_ISR + i);
        pass_read(bitmap, X2APIC_IRR + i);
    }
}

bool vmx_bitmap_init(void)
{
    msr_bitmap = make_bitmap();
    direct_bitmap = make_bitmap();
    if (!msr_bitmap || !direct_bitmap)
        return false;
    pass_delivery(direct_bitmap);
    return true;
}

static uint16_t vpid_alloc(void)
{
    for (uint32_t i = 0; i < ARRAY_LEN(vpid_used); i++) {
        uint64_t old = __atomic_load_n(&vpid_used[i], __ATOMIC_RELAXED);
        while (~old) {
            uint32_t bit = (uint32_t)__builtin_ctzll(~old);
            if (__atomic_compare_exchange_n(&vpid_used[i], &old, old | 1ull << bit, false,
                                            __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                return (uint16_t)(i * 64 + bit);
        }
    }
    return 0; /* all in use: this vCPU goes without */
}

static void vpid_free(uint16_t vpid)
{
    if (vpid)
        __atomic_fetch_and(&vpid_used[vpid / 64], ~(1ull << vpid % 64), __ATOMIC_RELAXED);
}

bool vmx_on(struct cpu *cpu)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4() | CR4_VMXE;
    if ((cr0 & vmx_caps.cr0_fixed0) != vmx_caps.cr0_fixed0 ||
        (cr4 & vmx_caps.cr4_fixed0) != vmx_caps.cr4_fixed0 || (cr4 & ~vmx_caps.cr4_fixed1)) {
        kprintf("vmx: CPU %u refuses CR0 %#llx or CR4 %#llx in VMX operation\n", cpu->id,
                (unsigned long long)cr0, (unsigned long long)cr4);
        return false;
    }
    struct virt_cpu *own = slab_alloc(sizeof(*own));
    uint32_t *region = kmem_pages(0);
    if (!own || !region) {
        kprintf("vmx: no memory for CPU %u\n", cpu->id);
        if (own)
            slab_free(own, sizeof(*own));
        if (region)
            kmem_free_pages(region, 0);
        return false;
    }
    *region = vmx_caps.revision;
    *own = (struct virt_cpu){.vmxon = region,
                             .star = rdmsr(MSR_STAR),
                             .lstar = rdmsr(MSR_LSTAR),
                             .sfmask = rdmsr(MSR_SFMASK),
                             .gdtr = {GDT_LIMIT, (uint64_t)cpu->gdt}};
    write_cr4(cr4);
    uint64_t pa = kva_to_hpa(region).v;
    bool failed;
    __asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(pa) : "memory");
    if (failed) {
        kprintf("vmx: VMXON failed on CPU %u\n", cpu->id);
        write_cr4(cr4 & ~CR4_VMXE);
        slab_free(own, sizeof(*own));
        kmem_free_pages(region, 0);
        return false;
    }
    wrmsr(MSR_CSTAR, 0);
    cpu->virt = own;
    return true;
}

static void vmclear(const struct vmx_vcpu *vmx)
{
    uint64_t pa = vmx->vmcs_pa.v;
    __asm__ volatile("vmclear %0" ::"m"(pa) : "cc", "memory");
}

static void vmptrld(const struct vmx_vcpu *vmx)
{
    uint64_t pa = vmx->vmcs_pa.v;
    bool failed;
    __asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(pa) : "memory");
    ASSERT(!failed);
}

bool vmcs_load(struct vmx_vcpu *vmx)
{
    vmptrld(vmx);
    cpu_self()->virt->current = vmx;
    return vmx->cpu == NULL;
}

void vmcs_clear(struct vmx_vcpu *vmx)
{
    vmclear(vmx);
    vmx->sw = (struct vmx_switch){0};
    cpu_self()->virt->current = NULL;
}

void vmcs_activate(struct vmx_vcpu *vmx, struct cpu *cpu)
{
    struct virt_cpu *own = cpu->virt;
    if (own->current != vmx) {
        vmptrld(vmx);
        own->current = vmx;
    }
    if (vmx->cpu == cpu)
        return;
    vmx->cpu = cpu;
    vmwriten(VMCS_HOST_GS_BASE, (uint64_t)cpu);
    vmwriten(VMCS_HOST_TR_BASE, (uint64_t)cpu->tss);
    vmwriten(VMCS_HOST_GDTR_BASE, (uint64_t)cpu->gdt);
    vmwriten(VMCS_HOST_CR4, read_cr4());
}

void vmx_put(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    struct virt_cpu *own = cpu_self()->virt;
    if (vmx->cpu != cpu_self())
        return;
    vmclear(vmx);
    vmx->sw = (struct vmx_switch){0};
    vmx->cpu = NULL;
    if (own->current == vmx)
        own->current = NULL;
}

/* What leave() and the CPU at a VM exit bring back; FS is the running thread's, by enter(). */
static void write_host(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr;
    __asm__ volatile("sidt %0" : "=m"(idtr));
    vmwrite16(VMCS_HOST_CS_SELECTOR, SEL_KCODE);
    vmwrite16(VMCS_HOST_SS_SELECTOR, SEL_KDATA);
    vmwrite16(VMCS_HOST_DS_SELECTOR, SEL_KDATA);
    vmwrite16(VMCS_HOST_ES_SELECTOR, SEL_KDATA);
    vmwrite16(VMCS_HOST_FS_SELECTOR, 0);
    vmwrite16(VMCS_HOST_GS_SELECTOR, 0);
    vmwrite16(VMCS_HOST_TR_SELECTOR, SEL_TSS);
    vmwrite64(VMCS_HOST_PAT, rdmsr(MSR_PAT));
    vmwrite64(VMCS_HOST_EFER, rdmsr(MSR_EFER));
    vmwrite32(VMCS_HOST_SYSENTER_CS, 0);
    vmwriten(VMCS_HOST_SYSENTER_ESP, 0);
    vmwriten(VMCS_HOST_SYSENTER_EIP, 0);
    vmwriten(VMCS_HOST_FS_BASE, 0);
    vmwriten(VMCS_HOST_IDTR_BASE, idtr.base);
    vmwriten(VMCS_HOST_RIP, (uint64_t)vmx_exit_entry);
}

void vmcs_write_controls(const struct vmx_vcpu *vmx)
{
    const struct vmx_caps *c = &vmx_caps;
    uint32_t secondary = c->secondary | (vmx->direct ? c->delivery : 0) |
                         (vmx->log && (vmx->eptp & EPTP_DIRTY) ? SECONDARY_PML : 0);
    vmwrite32(VMCS_SECONDARY_CONTROLS, vmx->vpid ? secondary : secondary & ~SECONDARY_VPID);
    bool posted = vmx->direct && c->posted;
    vmwrite32(VMCS_PIN_CONTROLS, c->pin | (posted ? PIN_POSTED : 0));
    vmwrite32(VMCS_EXIT_CONTROLS, c->exit | (posted ? EXIT_ACKNOWLEDGE : 0));
    if (c->msr_bitmaps)
        vmwrite64(VMCS_MSR_BITMAP, kva_to_hpa(vmx->direct ? direct_bitmap : msr_bitmap).v);
}

static void write_controls(const struct vmx_vcpu *vmx)
{
    const struct vmx_caps *c = &vmx_caps;
    vmwrite32(VMCS_PRIMARY_CONTROLS, c->primary);
    vmcs_write_controls(vmx);
    vmwrite32(VMCS_ENTRY_CONTROLS, c->entry);
    vmwrite32(VMCS_EXCEPTION_BITMAP, EXC_ALWAYS);
    vmwrite32(VMCS_PAGE_FAULT_ERROR_MASK, 0);
    vmwrite32(VMCS_PAGE_FAULT_ERROR_MATCH, 0);
    vmwrite32(VMCS_CR3_TARGET_COUNT, 0);
    vmwrite32(VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmwrite32(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmwrite32(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmwrite32(VMCS_ENTRY_INTERRUPTION_INFO, 0);
    vmwrite64(VMCS_EPT_POINTER, vmx->eptp);
    vmwrite64(VMCS_TSC_OFFSET, 0);
    if (c->tsc_scaling)
        vmwrite64(VMCS_TSC_MULTIPLIER, TSC_MULTIPLIER_ONE);
    vmwriten(VMCS_CR0_MASK, ~c->cr0_guest);
    vmwriten(VMCS_CR4_MASK, ~c->cr4_guest);
    if (c->vpid)
        vmwrite16(VMCS_VPID, vmx->vpid);
    if (c->tpr_shadow) {
        vmwrite64(VMCS_VIRTUAL_APIC_ADDRESS, kva_to_hpa(vmx->vapic).v);
        vmwrite32(VMCS_TPR_THRESHOLD, 0);
    }
    if (c->timer)
        vmwrite32(VMCS_PREEMPTION_TIMER, c->timer_idle);
    if (vmx->log) {
        vmwrite64(VMCS_PML_ADDRESS, kva_to_hpa(vmx->log).v);
        vmwrite16(VMCS_PML_INDEX, LOG_ENTRIES - 1);
    }
    if (c->posted) {
        vmwrite16(VMCS_POSTED_VECTOR, VEC_POSTED);
        vmwrite64(VMCS_POSTED_DESCRIPTOR, kva_to_hpa(vmx->posted).v);
    }
    for (uint32_t i = 0; c->delivery && i < ARRAY_LEN(vmx->eoi_exit); i++)
        vmwrite64(VMCS_EOI_EXIT(i), vmx->eoi_exit[i]);
    if (c->pause_loop) {
        vmwrite32(VMCS_PLE_GAP, PLE_GAP);
        vmwrite32(VMCS_PLE_WINDOW, PLE_WINDOW);
    }
}

static void write_guest(void)
{
    vmwrite64(VMCS_LINK_POINTER, LINK_NONE);
    vmwrite64(VMCS_GUEST_DEBUGCTL, 0);
    vmwrite32(VMCS_GUEST_INTERRUPTIBILITY, 0);
    vmwrite32(VMCS_GUEST_ACTIVITY, 0);
    vmwriten(VMCS_GUEST_PENDING_DEBUG, 0);
    vmwriten(VMCS_GUEST_RIP, 0);
}

/* Pages of a vCPU; those made are given back by vmx_vcpu_fini. */
static int64_t make_pages(struct vcpu *vcpu, struct vmx_vcpu *vmx)
{
    int64_t status = OK;
    vmx->vmcs = pd_pages(vcpu->obj.payer, 0, &status);
    if (!vmx->vmcs)
        return status;
    vmx->vmcs_pa = kva_to_hpa(vmx->vmcs);
    vmx->vapic = pd_pages(vcpu->obj.payer, 0, &status);
    if (vmx->vapic && vmx_caps.pml)
        vmx->log = pd_pages(vcpu->obj.payer, 0, &status);
    if (status == OK && vmx_caps.posted)
        vcpu->lapic.irr = vmx->posted = pd_pages(vcpu->obj.payer, 0, &status);
    return status;
}

int64_t vmx_vcpu_init(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = slab_alloc(sizeof(*vmx));
    if (!vmx)
        return ERR_NOMEM;
    *vmx = (struct vmx_vcpu){.dr6 = DR6_INIT, .primary = vmx_caps.primary, .attention = true};
    vcpu->hw = vmx;
    int64_t status = make_pages(vcpu, vmx);
    if (status != OK) {
        vmx_vcpu_fini(vcpu);
        return status;
    }
    vmx->vpid = vmx_caps.vpid ? vpid_alloc() : 0;
    if (vmx_caps.delivery)
        vcpu->lapic.page = (uint32_t *)(void *)vmx->vapic;
    vmx->eptp = kva_to_hpa(vcpu->guest->space.ptab.root).v | vmx_caps.eptp_bits;
    *(uint32_t *)vmx->vmcs = vmx_caps.revision;
    vmclear(vmx);
    bool clear = vmcs_hold(vmx);
    write_controls(vmx);
    write_host();
    write_guest();
    vmcs_drop(vmx, clear);
    return OK;
}

/* The vCPU is referenced while its VMCS is active somewhere, so here it is clear. */
void vmx_vcpu_fini(struct vcpu *vcpu)
{
    struct vmx_vcpu *vmx = vmx_of(vcpu);
    void *pages[] = {vmx->vmcs, vmx->vapic, vmx->log, vmx->posted};
    vpid_free(vmx->vpid);
    for (uint32_t i = 0; i < ARRAY_LEN(pages); i++)
        if (pages[i])
            pd_free_pages(vcpu->obj.payer, pages[i], 0);
    slab_free(vmx, sizeof(*vmx));
    vcpu->hw = NULL;
}
