/* SPDX-License-Identifier: BSD-2-Clause */
/* Is it there, and start on each CPU. (AMD APM vol. 2, "Enabling SVM".) */
#include "svm/svm.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/platform.h"
#include "kernel/slab.h"
#include "virt/msr.h"
#include "kernel/machine.h"

#define MSR_VM_CR       0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define VM_CR_SVMDIS    (1ull << 4)

#define SVM_LEAF         0x8000000au
#define SVM_NP           (1u << 0)
#define SVM_NRIPS        (1u << 3)
#define SVM_CLEAN        (1u << 5)
#define SVM_FLUSH_ASID   (1u << 6)
#define SVM_DECODE       (1u << 7)
#define SVM_TSC_RATIO    (1u << 4)
#define SVM_PAUSE_FILTER (1u << 10)
#define SVM_PAUSE_THRESH (1u << 12)

struct svm_assists svm_assists;

/* Nested page tables are walked as a user's. (AMD APM vol. 2, "Nested Paging".) */
static struct pt_format npt_format = {
    .table = 0x7, /* present, writable, user */
    .leaf = 0x65, /* present, user, accessed, dirty */
    .large = 0x80,
    .present = 0x1,
    .read = 0,
    .write = 0x2,
    .exec = 0,
    .noexec = 1ull << 63,
    .dirty = 0x40,
    .uncached = 0x18, /* entry 3 of the host's PAT */
    .wc = 0x08,       /* entry 1 */
    .writeback = 0,
    .wc_large = 0x08,
    .max_level = 2,
    .levels = 4,
};

static void find_assists(void)
{
    struct cpuid_regs r = cpuid(SVM_LEAF, 0);
    svm_assists.asids = r.ebx;
    svm_assists.next_rip = (r.edx & SVM_NRIPS) && !cmdline_has("nonrip");
    svm_assists.decode = (r.edx & SVM_DECODE) && !cmdline_has("nodecode");
    svm_assists.flush_asid = (r.edx & SVM_FLUSH_ASID) && !cmdline_has("noflushasid");
    svm_assists.clean_bits = (r.edx & SVM_CLEAN) && !cmdline_has("nocleanbits");
    svm_assists.pause_filter =
        (r.edx & SVM_PAUSE_FILTER) && (r.edx & SVM_PAUSE_THRESH) && !cmdline_has("nopausefilter");
    svm_assists.tsc_ratio = (r.edx & SVM_TSC_RATIO) && !cmdline_has("notscscaling");
    svm_assists.qemu = features.tcg;
    svm_assists.clean_mask = svm_assists.clean_bits ? CLEAN_ALL : 0;
    svm_assists.barriers = mitigations.verw || mitigations.l1d_flush || mitigations.rsb_fill ||
                           mitigations.untrain_ret;
    virt_assists |= ASSIST_DIRTY | ASSIST_FAST_STRINGS |
                    (svm_assists.next_rip ? ASSIST_NEXT_RIP : 0) |
                    (svm_assists.decode ? ASSIST_DECODE : 0) |
                    (svm_assists.flush_asid ? ASSIST_FLUSH_ASID : 0) |
                    (svm_assists.clean_bits ? ASSIST_CLEAN_BITS : 0) |
                    (svm_assists.pause_filter ? ASSIST_PAUSE_FILTER : 0) |
                    (svm_assists.tsc_ratio ? ASSIST_TSC_SCALING : 0);
    kprintf("svm: %u ASIDs, next RIP %d, decode %d, flush by ASID %d, clean bits %d, pause %d, TSC "
            "ratio %d\n",
            svm_assists.asids, svm_assists.next_rip, svm_assists.decode, svm_assists.flush_asid,
            svm_assists.clean_bits, svm_assists.pause_filter, svm_assists.tsc_ratio);
}

static bool svm_probe(void)
{
    if (!features.svm) {
        if (features.vendor == VENDOR_AMD)
            kprintf("svm: this CPU has no SVM, so guests cannot run\n");
        return false;
    }
    struct cpuid_regs r = cpuid(SVM_LEAF, 0);
    if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
        kprintf("svm: switched off by the firmware: enable \"SVM\" in its setup to run guests\n");
        return false;
    }
    if (!(r.edx & SVM_NP)) {
        kprintf("svm: this CPU has no nested paging, so guests cannot run\n");
        return false;
    }
    if (r.ebx < 2) {
        kprintf("svm: this CPU offers no address space identifiers, so guests cannot run\n");
        return false;
    }
    npt_format.max_level = features.page1gb ? 3 : 2;
    find_assists();
    if (!svm_maps_init()) {
        kprintf("svm: no memory for the permission maps\n");
        return false;
    }
    return true;
}

static bool svm_cpu_enable(struct cpu *cpu)
{
    if (!(cpuid(0x80000001, 0).ecx & 4) || (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)) {
        kprintf("svm: CPU %u cannot run guests, unlike the boot CPU\n", cpu->id);
        return false;
    }
    struct virt_cpu *own = slab_alloc(sizeof(*own));
    void *hsave = kmem_pages(0), *host = kmem_pages(0);
    if (!own || !hsave || !host) {
        kprintf("svm: no memory for CPU %u\n", cpu->id);
        if (own)
            slab_free(own, sizeof(*own));
        if (hsave)
            kmem_free_pages(hsave, 0);
        if (host)
            kmem_free_pages(host, 0);
        return false;
    }
    *own = (struct virt_cpu){
        .host = host, .host_pa = kva_to_hpa(host), .hsave = hsave, .tsc_ratio = TSC_RATIO_ONE};
    own->next_asid = svm_assists.asids; /* the first vCPU starts a generation */
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, kva_to_hpa(hsave).v);
    cpu->virt = own;
    return true;
}

const struct virt_ops svm_ops = {
    .name = "AMD SVM with nested paging",
    .kind = VIRT_SVM,
    .nested = &npt_format,
    .probe = svm_probe,
    .cpu_enable = svm_cpu_enable,
    .vcpu_init = svm_vcpu_init,
    .vcpu_fini = svm_vcpu_fini,
    .enter = svm_enter,
    .leave = svm_leave,
    .run = svm_run,
    .offer = svm_offer,
    .put = svm_put,
    .save = svm_save,
    .load = svm_load,
    .get = svm_get,
    .set = svm_set,
};
