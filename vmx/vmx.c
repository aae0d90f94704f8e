/* SPDX-License-Identifier: BSD-2-Clause */
/* Is it there, and start on each CPU. (Intel SDM vol. 3, "Enabling and Entering VMX Operation",
 * Appendix A "VMX Capability Reporting Facility".) */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/platform.h"
#include "kernel/machine.h"
#include "vmx/controls.h"
#include "vmx/vmx.h"

#define MSR_MISC_ENABLE     0x1a0u
#define MISC_FAST_STRINGS   (1ull << 0)
#define MSR_FEATURE_CONTROL 0x3au
#define FEATURE_LOCKED      (1ull << 0)
#define FEATURE_VMX         (1ull << 2) /* outside SMX */

#define MSR_VMX_BASIC      0x480u
#define MSR_VMX_PIN        0x481u /* primary 482, exit 483, entry 484; true ones from 48d on */
#define MSR_VMX_MISC       0x485u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_SECONDARY  0x48bu
#define MSR_VMX_EPT_VPID   0x48cu
#define MSR_VMX_TRUE_PIN   0x48du
#define BASIC_TRUE         (1ull << 55)

#define EPT_WALK_4        (1ull << 6)
#define EPT_WRITE_BACK    (1ull << 14)
#define EPT_2M            (1ull << 16)
#define EPT_1G            (1ull << 17)
#define EPT_INVEPT        (1ull << 20)
#define EPT_DIRTY         (1ull << 21)
#define EPT_INVEPT_SINGLE (1ull << 25)
#define EPT_INVEPT_ALL    (1ull << 26)
#define EPTP_WRITE_BACK   6ull
#define EPTP_WALK_4       (3ull << 3)

#define CR0_PE (1ull << 0)
#define CR0_PG (1ull << 31)
/* MP, EM, TS, ET, WP, AM; PE and PG where unrestricted. Not CD, NW: they would reach the real
 * caches; not NE: must be 1. ET is 1 whatever is written: masked, a 0 would exit again and again.
 */
#define CR0_GUEST 0x0005001eull
/* VME, PVI, TSD, DE, PSE, PAE, PGE, PCE, OSFXSR, OSXMMEXCPT, UMIP, FSGSBASE, PCIDE, OSXSAVE, SMEP,
 * SMAP, PKE, LA57. Not MCE: without it a machine check would stop the machine. */
#define CR4_GUEST 0x00771fbfull

#define BOCHS_LONGEST 50000u /* TSC cycles, 1 ms there */

#define PIN_NEEDED (PIN_EXTINT | PIN_NMI | PIN_VIRTUAL_NMIS)
#define PRIMARY_NEEDED                                                               \
    (PRIMARY_TSC_OFFSET | PRIMARY_HLT | PRIMARY_MWAIT | PRIMARY_RDPMC | PRIMARY_IO | \
     PRIMARY_MONITOR | PRIMARY_MOV_DR | PRIMARY_SECONDARY)
#define SECONDARY_NEEDED (SECONDARY_EPT | SECONDARY_WBINVD)
#define EXIT_NEEDED                                                                       \
    (EXIT_SAVE_DEBUG | EXIT_HOST_64BIT | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | \
     EXIT_LOAD_EFER)
#define ENTRY_NEEDED (ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER)

struct vmx_caps vmx_caps;

static struct pt_format ept_format = {
    .table = 0x7, /* read, write, execute */
    .leaf = 0,
    .large = 0x80,
    .present = 0x7,
    .read = 0x1,
    .write = 0x2,
    .exec = 0x4,
    .noexec = 0,
    .dirty = 0x200,   /* while EPTP_DIRTY is set */
    .uncached = 0x00, /* memory type in bits 5:3 */
    .wc = 0x08,
    .writeback = 0x30,
    .wc_large = 0x08,
    .max_level = 1,
    .levels = 4,
};

static bool feature_control(uint32_t cpu)
{
    uint64_t control = rdmsr(MSR_FEATURE_CONTROL);
    if (!(control & FEATURE_LOCKED)) {
        wrmsr(MSR_FEATURE_CONTROL, control | FEATURE_LOCKED | FEATURE_VMX);
        control = rdmsr(MSR_FEATURE_CONTROL);
    }
    if (control & FEATURE_VMX)
        return true;
    kprintf("vmx: switched off by the firmware on CPU %u: enable \"VT-x\" in its setup to run "
            "guests\n",
            cpu);
    return false;
}

static bool controls(const char *name, uint32_t msr, uint32_t needed, uint32_t wanted,
                     uint32_t refused, uint32_t *out)
{
    uint32_t bad = controls_compute(rdmsr(msr), needed, wanted, refused, out);
    if (!bad)
        return true;
    kprintf("vmx: this CPU's %s controls %#x cannot be set as needed, so guests cannot run\n", name,
            bad);
    return false;
}

/* Off in Bochs: of two Linux guests on one CPU one deadlocked there (docs/caveats.md). */
static bool delivery_wanted(void)
{
    if (cmdline_has("novirtintr"))
        return false;
    if (!features.bochs || cmdline_has("virtintr"))
        return true;
    kprintf("vmx: this is Bochs: interrupts are delivered by software\n");
    return false;
}

/* Virtual-interrupt delivery, for guests in x2APIC mode: their EOIs need the MSR bitmap to pass. */
static void find_delivery(struct vmx_caps *c, uint32_t exits)
{
    uint32_t all = SECONDARY_X2APIC | SECONDARY_VIRT_INTR | SECONDARY_APIC_REGS;
    uint32_t needed = SECONDARY_X2APIC | SECONDARY_VIRT_INTR;
    bool can = (c->secondary & needed) == needed && c->tpr_shadow && c->msr_bitmaps;
    c->delivery = can ? c->secondary & all : 0;
    c->secondary &= ~all;
    c->posted = can && (c->pin & PIN_POSTED) && (exits & EXIT_ACKNOWLEDGE);
    c->pin &= ~PIN_POSTED;
}

static bool find_controls(void)
{
    bool true_controls = (rdmsr(MSR_VMX_BASIC) & BASIC_TRUE) != 0;
    uint32_t first = true_controls ? MSR_VMX_TRUE_PIN : MSR_VMX_PIN;
    struct vmx_caps *c = &vmx_caps;
    uint32_t tpr = cmdline_has("notprshadow") ? 0 : PRIMARY_TPR_SHADOW;
    uint32_t bitmaps = cmdline_has("nomsrbitmap") ? 0 : PRIMARY_MSR_BITMAPS;
    uint32_t second = SECONDARY_RDTSCP | SECONDARY_INVPCID;
    second |= cmdline_has("nounrestricted") ? 0 : SECONDARY_UNRESTRICTED;
    second |= cmdline_has("novpid") ? 0 : SECONDARY_VPID;
    second |= cmdline_has("nopausefilter") ? 0 : SECONDARY_PAUSE_LOOP;
    second |= cmdline_has("notscscaling") ? 0 : SECONDARY_TSC_SCALING;
    second |= cmdline_has("nopml") ? 0 : SECONDARY_PML;
    second |= delivery_wanted() ? SECONDARY_X2APIC | SECONDARY_VIRT_INTR : 0;
    second |= cmdline_has("noapicregs") ? 0 : SECONDARY_APIC_REGS;
    /* Without true controls CR3 accesses would exit. */
    uint32_t pin = cmdline_has("nopreempttimer") ? 0 : PIN_TIMER;
    pin |= cmdline_has("nopostedintr") ? 0 : PIN_POSTED;
    if (!controls("pin-based", first, PIN_NEEDED, pin, 0, &c->pin) ||
        !controls("primary", first + 1, PRIMARY_NEEDED, tpr | bitmaps,
                  PRIMARY_CR3_LOAD | PRIMARY_CR3_STORE, &c->primary) ||
        !controls("secondary", MSR_VMX_SECONDARY, SECONDARY_NEEDED, second, 0, &c->secondary) ||
        !controls("VM-exit", first + 2, EXIT_NEEDED, 0, 0, &c->exit) ||
        !controls("VM-entry", first + 3, ENTRY_NEEDED, 0, ENTRY_GUEST_64BIT, &c->entry))
        return false;
    c->tpr_shadow = (c->primary & PRIMARY_TPR_SHADOW) != 0;
    c->msr_bitmaps = (c->primary & PRIMARY_MSR_BITMAPS) != 0;
    c->unrestricted = (c->secondary & SECONDARY_UNRESTRICTED) != 0;
    c->vpid = (c->secondary & SECONDARY_VPID) != 0;
    c->pause_loop = (c->secondary & SECONDARY_PAUSE_LOOP) != 0;
    c->timer = (c->pin & PIN_TIMER) != 0;
    c->tsc_scaling = (c->secondary & SECONDARY_TSC_SCALING) != 0;
    find_delivery(c, (uint32_t)(rdmsr(first + 2) >> 32));
    c->timer_rate = rdmsr(MSR_VMX_MISC) & 0x1f;
    /* Bochs lets no interrupt of the host end a guest that runs on with IF clear
     * (docs/caveats.md): there the timer does, for one of the host's to be let in. */
    c->timer_idle = features.bochs ? BOCHS_LONGEST >> c->timer_rate : UINT32_MAX;
    if (!c->tpr_shadow)
        c->primary |= PRIMARY_CR8_LOAD | PRIMARY_CR8_STORE;
    c->primary &= ~(PRIMARY_INT_WINDOW | PRIMARY_NMI_WINDOW);
    return true;
}

static bool find_ept(void)
{
    uint64_t cap = rdmsr(MSR_VMX_EPT_VPID);
    uint64_t needed = EPT_WALK_4 | EPT_WRITE_BACK | EPT_INVEPT;
    if ((cap & needed) != needed || !(cap & (EPT_INVEPT_SINGLE | EPT_INVEPT_ALL))) {
        kprintf("vmx: this CPU's EPT lacks four levels, write-back tables or INVEPT, so guests "
                "cannot run\n");
        return false;
    }
    vmx_caps.eptp_bits = EPTP_WRITE_BACK | EPTP_WALK_4;
    vmx_caps.dirty = (cap & EPT_DIRTY) && !cmdline_has("noeptdirty");
    vmx_caps.pml = vmx_caps.dirty && (vmx_caps.secondary & SECONDARY_PML);
    vmx_caps.secondary &= ~SECONDARY_PML; /* a vCPU's own */
    vmx_caps.invept_single = (cap & EPT_INVEPT_SINGLE) != 0;
    ept_format.max_level = cap & EPT_2M ? cap & EPT_1G ? 3 : 2 : 1;
    return true;
}

static void find_fixed_bits(void)
{
    struct vmx_caps *c = &vmx_caps;
    c->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
    c->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED0 + 1);
    c->cr4_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0 + 2);
    c->cr4_fixed1 = rdmsr(MSR_VMX_CR0_FIXED0 + 3);
    uint64_t mode = c->unrestricted ? CR0_PE | CR0_PG : 0;
    c->cr0_guest = controls_free_bits(c->cr0_fixed0, c->cr0_fixed1, mode) & (CR0_GUEST | mode);
    c->cr4_guest = controls_free_bits(c->cr4_fixed0, c->cr4_fixed1, 0) & CR4_GUEST;
    if (c->unrestricted)
        c->cr0_fixed0 &= ~(CR0_PE | CR0_PG);
}

static bool vmx_probe(void)
{
    if (!features.vmx) {
        if (features.vendor == VENDOR_INTEL)
            kprintf("vmx: this CPU has no VMX, so guests cannot run\n");
        return false;
    }
    if (!feature_control(0))
        return false;
    /* Whether there are secondary controls is itself a control. */
    uint64_t primary = rdmsr(MSR_VMX_PIN + 1);
    if (!(primary >> 32 & PRIMARY_SECONDARY) || !(rdmsr(MSR_VMX_SECONDARY) >> 32 & SECONDARY_EPT)) {
        kprintf("vmx: this CPU has no extended page tables, so guests cannot run\n");
        return false;
    }
    vmx_caps.revision = (uint32_t)rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
    if (!find_controls() || !find_ept())
        return false;
    find_fixed_bits();
    vmx_caps.barriers = mitigations.verw || mitigations.l1d_flush || mitigations.rsb_fill ||
                        mitigations.untrain_ret;
    if (!vmx_bitmap_init()) {
        kprintf("vmx: no memory for the MSR bitmap\n");
        return false;
    }
    const struct vmx_caps *c = &vmx_caps;
    virt_assists |= ASSIST_NEXT_RIP | (c->unrestricted ? ASSIST_UNRESTRICTED : 0) |
                    (c->vpid ? ASSIST_FLUSH_ASID : 0) | (c->pause_loop ? ASSIST_PAUSE_FILTER : 0) |
                    (c->timer ? ASSIST_PREEMPT_TIMER : 0) | (c->delivery ? ASSIST_VIRT_INTR : 0) |
                    (c->delivery & SECONDARY_APIC_REGS ? ASSIST_APIC_REGS : 0) |
                    (c->tsc_scaling ? ASSIST_TSC_SCALING : 0) | (c->dirty ? ASSIST_DIRTY : 0) |
                    (c->pml ? ASSIST_PML : 0) | (c->posted ? ASSIST_POSTED_INTR : 0) |
                    (rdmsr(MSR_MISC_ENABLE) & MISC_FAST_STRINGS ? ASSIST_FAST_STRINGS : 0);
    kprintf("vmx: unrestricted guest %d, VPID %d, TPR shadow %d, MSR bitmap %d, pause %d\n",
            c->unrestricted, c->vpid, c->tpr_shadow, c->msr_bitmaps, c->pause_loop);
    kprintf("vmx: timer %d, interrupt delivery %d, APIC registers %d, posted interrupts %d\n",
            c->timer, c->delivery != 0, (c->delivery & SECONDARY_APIC_REGS) != 0, c->posted);
    kprintf("vmx: TSC scaling %d, dirty bits %d, PML %d, pages up to %s\n", c->tsc_scaling,
            c->dirty, c->pml,
            ept_format.max_level == 3   ? "1 GiB"
            : ept_format.max_level == 2 ? "2 MiB"
                                        : "4 KiB");
    return true;
}

/* A CPU with other capabilities than the boot CPU's would fail VM entries later. */
static bool vmx_cpu_enable(struct cpu *cpu)
{
    if (!(cpuid(1, 0).ecx & 1u << 5)) {
        kprintf("vmx: CPU %u cannot run guests, unlike the boot CPU\n", cpu->id);
        return false;
    }
    return feature_control(cpu->id) && vmx_on(cpu);
}

const struct virt_ops vmx_ops = {
    .name = "Intel VMX with extended page tables",
    .kind = VIRT_VMX,
    .nested = &ept_format,
    .probe = vmx_probe,
    .cpu_enable = vmx_cpu_enable,
    .vcpu_init = vmx_vcpu_init,
    .vcpu_fini = vmx_vcpu_fini,
    .enter = vmx_enter,
    .leave = vmx_leave,
    .run = vmx_run,
    .offer = vmx_offer,
    .put = vmx_put,
    .save = vmx_save,
    .load = vmx_load,
    .get = vmx_get,
    .set = vmx_set,
};
