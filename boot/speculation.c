/* SPDX-License-Identifier: BSD-2-Clause */
/* Speculation: what this CPU needs, from CPUID, IA32_ARCH_CAPABILITIES and AMD's leaves 80000008h
 * and 80000021h. The kernel maps nothing but its own memory, so what is guarded here are guests and
 * domains against each other, and the registers that the kernel keeps for them. */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/msr.h"
#include "boot/program.h"
#include "lib/string.h"

/* IA32_ARCH_CAPABILITIES. */
#define CAP_RDCL_NO    (1ull << 0)
#define CAP_IBRS_ALL   (1ull << 1)
#define CAP_SKIP_L1DFL (1ull << 3)
#define CAP_MDS_NO     (1ull << 5)
#define CAP_TAA_NO     (1ull << 8)
#define CAP_FB_CLEAR   (1ull << 17)
#define CAP_PBRSB_NO   (1ull << 24)
#define CAP_RFDS_CLEAR (1ull << 28)

/* CPUID 7 EDX, 7 EBX. */
#define C7_MD_CLEAR  (1u << 10)
#define C7_L1D_FLUSH (1u << 28)
#define C7_ARCH_CAP  (1u << 29)
#define C7_RTM       (1u << 11)

/* CPUID 80000008h EBX, 80000021h EAX. */
#define C8_STIBP_ALWAYS   (1u << 17)
#define C21_LFENCE_SERIAL (1u << 2)
#define C21_AUTO_IBRS     (1u << 8)
#define C21_SRSO_NO       (1u << 29)

#define FAMILY_ZEN   0x17u /* Zen, Zen+, Zen 2 */
#define FAMILY_HYGON 0x18u
#define FAMILY_ZEN3  0x19u /* Zen 3, Zen 4 */

static struct mitigations mitigations;

static uint64_t arch_capabilities(struct cpuid_regs seven)
{
    return seven.edx & C7_ARCH_CAP ? rdmsr(IA32_ARCH_CAPABILITIES) : 0;
}

static bool has_smt(void)
{
    if (cpuid(0, 0).eax < 0xb)
        return (cpuid(1, 0).edx >> 28 & 1) && (cpuid(1, 0).ebx >> 16 & 0xff) > 1;
    return (cpuid(0xb, 0).ebx & 0xffff) > 1;
}

static void decide_intel(const struct cpu_features *features)
{
    struct cpuid_regs seven = cpuid_leaf(7, 0);
    uint64_t cap = arch_capabilities(seven);
    bool enhanced = (cap & CAP_IBRS_ALL) != 0;
    bool taa = (seven.ebx & C7_RTM) && !(cap & CAP_TAA_NO);

    mitigations.ibrs = features->ibrs;
    mitigations.stibp = features->stibp && has_smt() && !enhanced;
    mitigations.rsb_fill = !enhanced || !(cap & CAP_PBRSB_NO);
    mitigations.verw = (seven.edx & C7_MD_CLEAR) &&
                       (!(cap & CAP_MDS_NO) || taa || (cap & (CAP_FB_CLEAR | CAP_RFDS_CLEAR)));
    mitigations.l1d_flush = (seven.edx & C7_L1D_FLUSH) && !(cap & (CAP_RDCL_NO | CAP_SKIP_L1DFL));
}

static void decide_amd(const struct cpu_features *features)
{
    uint32_t c8 = cpuid_leaf(0x80000008, 0).ebx, c21 = cpuid_leaf(0x80000021, 0).eax;
    bool retbleed = features->family == FAMILY_ZEN || features->family == FAMILY_HYGON;
    bool srso = features->family == FAMILY_ZEN3 && !(c21 & C21_SRSO_NO);

    mitigations.auto_ibrs = (c21 & C21_AUTO_IBRS) != 0;
    mitigations.ibrs = features->ibrs && !mitigations.auto_ibrs;
    mitigations.stibp = features->stibp && (has_smt() || (c8 & C8_STIBP_ALWAYS));
    mitigations.rsb_fill = !mitigations.auto_ibrs;
    mitigations.untrain_ret = features->ibpb && (retbleed || srso);
    /* LFENCE waits for all before it only when told so, on families with the MSR (AMD, "Software
     * Techniques for Managing Speculation"). Under a hypervisor that is the hypervisor's business.
     */
    mitigations.lfence_serial = features->family >= 0x10 && features->family != 0x11 &&
                                features->family <= FAMILY_ZEN3 && !(c21 & C21_LFENCE_SERIAL) &&
                                !features->hypervisor;
}

static void list(bool on, const char *text)
{
    if (on)
        boot_note("mitigations: %s\n", text);
}

static void list_all(void)
{
    const struct mitigations *m = &mitigations;
    list(m->ibpb_on_switch, "IBPB when a CPU goes from one domain to another (Spectre v2)");
    list(m->stibp, "STIBP: sibling threads do not steer each other's branches");
    list(m->ibrs, "IBRS on in ring 0 (Spectre v2)");
    list(m->auto_ibrs, "automatic IBRS (Spectre v2)");
    list(m->rsb_fill, "return stack filled after each #VMEXIT (SpectreRSB)");
    list(m->verw, "VERW clears CPU buffers before ring 3 and guests (MDS, TAA, MMIO, RFDS)");
    list(m->l1d_flush, "L1D flushed before a guest after another domain ran (L1TF)");
    list(m->untrain_ret, "IBPB after each #VMEXIT (Retbleed, SRSO)");
    list(m->lfence_serial, "LFENCE made serializing (Spectre v1)");
}

void mitigations_decide(struct bootinfo *info, const char *choice)
{
    const struct cpu_features *features = &info->features;

    if (choice && !strncmp(choice, "off", 3)) {
        boot_note("mitigations: switched off on the command line\n");
        return;
    }
    /* QEMU's TCG executes in order, whatever model it shows. */
    if (features->hypervisor && signature_is(0x40000000, "TCGTCGTCGTCG")) {
        boot_note("mitigations: none needed, this CPU is emulated without speculation\n");
        return;
    }
    mitigations.decided = true;
    mitigations.ibpb_on_switch = features->ibpb;
    if (features->vendor == VENDOR_INTEL)
        decide_intel(features);
    else if (features->vendor == VENDOR_AMD)
        decide_amd(features);
    list_all();
    info->mitigations = mitigations;
}
