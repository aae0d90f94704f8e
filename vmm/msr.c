/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules for the model-specific registers that the kernel does not keep itself: those that stock
 * kernels touch on the way up. All others fault. */
#include "abi/status.h"
#include "user/syscall_stubs.h"
#include "vmm/kvmclock.h"
#include "vmm/vmm.h"

struct rule {
    uint32_t first;
    uint16_t count;
    uint8_t rule; /* enum msr_rule */
    uint64_t value;
};

#define MTRR_WB_ALL 0x0606060606060606ull

static const struct rule rules[] = {
    {0x17, 1, MSR_RULE_CONSTANT, 0},                   /* IA32_PLATFORM_ID */
    {0x2a, 1, MSR_RULE_CONSTANT, 0},                   /* EBL_CR_POWERON */
    {0x34, 1, MSR_RULE_READONLY, 0},                   /* SMI_COUNT */
    {0x3a, 1, MSR_RULE_READONLY, 1},                   /* FEATURE_CONTROL: locked, no VMX */
    {0x79, 1, MSR_RULE_CONSTANT, 0},                   /* microcode update trigger */
    {0x8b, 1, MSR_RULE_CONSTANT, 0x01000065ull << 32}, /* microcode revision */
    {0xcd, 1, MSR_RULE_READONLY, 3},          /* FSB_FREQ: 166 MHz, so that nobody divides by 0 */
    {0xce, 1, MSR_RULE_READONLY, 0},          /* PLATFORM_INFO */
    {0xfe, 1, MSR_RULE_READONLY, 0x508},      /* MTRRCAP: WC, fixed ranges, 8 variable ones */
    {0x140, 1, MSR_RULE_READONLY, 0},         /* MISC_FEATURES_ENABLES */
    {0x179, 1, MSR_RULE_READONLY, 0},         /* MCG_CAP: no banks */
    {0x17a, 1, MSR_RULE_SHADOW, 0},           /* MCG_STATUS */
    {0x198, 2, MSR_RULE_CONSTANT, 0},         /* PERF_STATUS, PERF_CTL */
    {0x19a, 3, MSR_RULE_CONSTANT, 0},         /* thermal */
    {0x1a0, 1, MSR_RULE_SHADOW, 0x1801},      /* MISC_ENABLE: fast strings, no BTS, no PEBS */
    {0x1db, 4, MSR_RULE_CONSTANT, 0},         /* last branch and exception */
    {0x202, 14, MSR_RULE_SHADOW, 0},          /* MTRR pairs 1 to 7; 0 is set below */
    {0x250, 1, MSR_RULE_SHADOW, MTRR_WB_ALL}, /* 0 to 512 KiB */
    {0x258, 1, MSR_RULE_SHADOW, MTRR_WB_ALL}, /* 512 to 640 KiB */
    {0x259, 1, MSR_RULE_SHADOW, 0},           /* 640 to 768 KiB: uncached */
    {0x268, 8, MSR_RULE_SHADOW, MTRR_WB_ALL}, /* 768 KiB to 1 MiB */
    {0x2ff, 1, MSR_RULE_SHADOW, 0xc06},       /* MTRR_DEF_TYPE: on, fixed on, write-back */
    {0x345, 1, MSR_RULE_READONLY, 0},         /* PERF_CAPABILITIES */
    {0x606, 60, MSR_RULE_CONSTANT, 0},        /* RAPL */
    {0xc0010000, 8, MSR_RULE_CONSTANT, 0},    /* PERF_CTL and PERF_CTR 0 to 3 */
    {0xc0010010, 1, MSR_RULE_CONSTANT, 0},    /* SYS_CFG */
    {0xc0010015, 1, MSR_RULE_SHADOW, 1ull << 24}, /* HWCR: the TSC counts at the P0 rate */
    {0xc001001f, 1, MSR_RULE_CONSTANT, 0},        /* NB_CFG */
    {0xc0010055, 1, MSR_RULE_CONSTANT, 0},        /* interrupt pending message */
    {0xc0010058, 1, MSR_RULE_READONLY, 0}, /* MMIO_CONF_BASE: the ECAM is found through ACPI */
    {0xc0010112, 2, MSR_RULE_CONSTANT, 0}, /* SMM TSEG address and mask */
    {0xc0010114, 1, MSR_RULE_CONSTANT, 0}, /* VM_CR */
    {0xc0011020, 4, MSR_RULE_CONSTANT, 0}, /* LS_CFG, IC_CFG, DC_CFG */
    {0xc0011029, 1, MSR_RULE_SHADOW, 2},   /* DE_CFG: LFENCE is serialising */
    {0xc001102a, 1, MSR_RULE_CONSTANT, 0}, /* BU_CFG2 */
};

static void set(const struct vmm *vmm, uint32_t first, uint32_t count, uint32_t rule,
                uint64_t value)
{
    int64_t status = sys_guest_msr(vmm->guest, first, count, rule, value);
    /* ERR_ARG: the kernel keeps this register itself, which is better still. */
    if (status != OK && status != ERR_ARG)
        refuse("rule for MSR %#x cannot be set: status %lld", first, (long long)status);
}

void msr_policy(struct vmm *vmm)
{
    uint64_t space = (1ull << vmm->phys_bits) - 1;
    for (uint32_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        set(vmm, rules[i].first, rules[i].count, rules[i].rule, rules[i].value);
    /* MTRR pair 0: the PCI hole is uncached. */
    set(vmm, 0x200, 1, MSR_RULE_SHADOW, GUEST_LOW_LIMIT);
    set(vmm, 0x201, 1, MSR_RULE_SHADOW, (space & ~0x3fffffffull) | 0x800);
    if (!vmm->config->has_kvm_pv)
        return;
    set(vmm, MSR_KVM_WALL_CLOCK, 2, MSR_RULE_VMM, 0);
    set(vmm, MSR_KVM_WALL_CLOCK_NEW, 2, MSR_RULE_VMM, 0);
}
