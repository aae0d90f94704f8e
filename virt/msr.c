/* SPDX-License-Identifier: BSD-2-Clause */
#include "virt/msr.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "virt/guest.h"
#include "virt/vcpu.h"

#define CPUID_LA57     (1u << 16)
#define CR0_PG         (1ull << 31)
#define DEBUGCTL_VALID 0x3ull /* LBR, BTF */
#define SPEC_IBRS      (1ull << 0)
#define SPEC_STIBP     (1ull << 1)
#define SPEC_SSBD      (1ull << 2)
#define PRED_IBPB      (1ull << 0)

bool msr_is_kernels(uint32_t index)
{
    switch (index) {
    case MSR_TSC:
    case MSR_APIC_BASE:
    case MSR_TSC_ADJUST:
    case MSR_SPEC_CTRL:
    case MSR_PRED_CMD:
    case MSR_SYSENTER_CS ... MSR_SYSENTER_EIP:
    case MSR_DEBUGCTL:
    case MSR_PAT:
    case MSR_TSC_DEADLINE:
    case X2APIC_MSR_FIRST ... X2APIC_MSR_LAST:
    case MSR_EFER ... MSR_SFMASK:
    case MSR_FS_BASE ... MSR_TSC_AUX:
    case MSR_KVM_STEAL_TIME ... MSR_KVM_PV_EOI_EN:
        return true;
    default:
        return false;
    }
}

int64_t msr_rule_set(struct msr_rules *rules, uint32_t first, uint32_t count, uint32_t rule,
                     uint64_t value)
{
    if (count == 0 || count - 1 > UINT32_MAX - first || rule >= MSR_RULES)
        return ERR_ARG;
    uint32_t last = first + (count - 1), at = 0;
    while (at < rules->used && rules->range[at].first + (rules->range[at].count - 1) < first)
        at++;
    struct msr_range *there = at < rules->used ? &rules->range[at] : NULL;
    bool same = there && there->first == first && there->count == count;
    if (!same && there && there->first <= last)
        return ERR_ARG;
    if (count <= 4096)
        for (uint32_t i = 0; i < count; i++)
            if (msr_is_kernels(first + i))
                return ERR_ARG;
    uint32_t cell = same ? there->cell : rules->cells;
    bool had = same && there->rule == MSR_RULE_SHADOW;
    if (rule == MSR_RULE_SHADOW && !had) {
        if (count > MSR_SHADOW_MAX - rules->cells)
            return ERR_NOMEM;
        cell = rules->cells;
    }
    if (!same && rules->used == MSR_RULES_MAX)
        return ERR_NOMEM;
    if (rule == MSR_RULE_SHADOW && !had)
        rules->cells += count;
    if (!same) {
        for (uint32_t i = rules->used++; i > at; i--)
            rules->range[i] = rules->range[i - 1];
    }
    rules->range[at] = (struct msr_range){
        .first = first, .count = count, .rule = rule, .cell = cell, .value = value};
    return OK;
}

const struct msr_range *msr_rule_find(const struct msr_rules *rules, uint32_t index)
{
    uint32_t low = 0, high = MIN(rules->used, MSR_RULES_MAX);
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        const struct msr_range *range = &rules->range[middle];
        if (index < range->first)
            high = middle;
        else if (index - range->first >= range->count)
            low = middle + 1;
        else
            return range;
    }
    return NULL;
}

bool efer_valid(uint64_t value)
{
    /* Fast FXSAVE is AMD's: elsewhere the CPU refuses such a guest. */
    uint64_t mask = EFER_SCE | EFER_LME | EFER_LMA | (features.svm ? EFER_FFXSR : 0);
    if (features.nx)
        mask |= EFER_NXE;
    return (value & ~mask) == 0;
}

/* (Intel SDM vol. 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features".) */
bool xcr0_valid(uint64_t value)
{
    if (!features.xsave || (value & 1) == 0 || (value & ~features.xcr0) != 0)
        return false;
    if ((value & 4) && !(value & 2))
        return false; /* AVX needs SSE */
    if ((value & 0xe0) && ((value & 0xe0) != 0xe0 || (value & 6) != 6))
        return false; /* AVX-512 is three components, on top of AVX */
    if ((value & 0x18) && (value & 0x18) != 0x18)
        return false; /* MPX is two */
    return !(value & 0x60000) || (value & 0x60000) == 0x60000;
}

bool pat_valid(uint64_t value)
{
    for (uint32_t i = 0; i < 8; i++, value >>= 8) {
        uint64_t type = value & 0xff;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

/* By what the guest's CPU has, CR4.LA57 or not; never beyond the host's, which loads it. (Intel SDM
 * vol. 3, "Canonicality Checking".) */
static bool canonical(const struct vcpu *vcpu, uint64_t address)
{
    const struct cpuid_entry *seven = cpuid_find(&vcpu->guest->tables->cpuid, 7, 0);
    uint32_t bits = seven && seven->regs.ecx & CPUID_LA57 ? features.linear_bits : 48;
    int64_t sign = (int64_t)(address << (64 - bits)) >> (64 - bits);
    return (uint64_t)sign == address;
}

void vcpu_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
    struct vcpu_page p = {.tsc_offset = offset, .tsc_scale = vcpu->tsc_scale};
    vcpu->tsc_offset = offset;
    (void)virt->load(vcpu, &p, VCPU_GROUP_TIME);
    vlapic_tsc_changed(vcpu);
}

/* MSRs whose home is the CPU's or the VMCB's register. */
static int vreg_of(uint32_t index)
{
    switch (index) {
    case MSR_SYSENTER_CS:
        return VREG_SYSENTER_CS;
    case MSR_SYSENTER_ESP:
        return VREG_SYSENTER_ESP;
    case MSR_SYSENTER_EIP:
        return VREG_SYSENTER_EIP;
    case MSR_STAR:
        return VREG_STAR;
    case MSR_LSTAR:
        return VREG_LSTAR;
    case MSR_CSTAR:
        return VREG_CSTAR;
    case MSR_SFMASK:
        return VREG_SFMASK;
    case MSR_FS_BASE:
        return VREG_FS_BASE;
    case MSR_GS_BASE:
        return VREG_GS_BASE;
    case MSR_KERNEL_GS:
        return VREG_KERNEL_GS_BASE;
    case MSR_EFER:
        return VREG_EFER;
    case MSR_PAT:
        return VREG_PAT;
    case MSR_DEBUGCTL:
        return VREG_DEBUGCTL;
    default:
        return -1;
    }
}

static enum msr_result rule_read(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
    const struct msr_range *range = msr_rule_find(&vcpu->guest->tables->msr, index);
    switch (range ? range->rule : MSR_RULE_FAULT) {
    case MSR_RULE_CONSTANT:
    case MSR_RULE_READONLY:
        *value = range->value;
        return MSR_DONE;
    case MSR_RULE_SHADOW:
        /* Cells hold the difference to the rule's value, so that a new page means "as started". */
        *value = vcpu->shadow[(range->cell + index - range->first) % MSR_SHADOW_MAX] ^ range->value;
        return MSR_DONE;
    case MSR_RULE_VMM:
        return MSR_TO_VMM;
    default:
        return MSR_FAULTS;
    }
}

static enum msr_result rule_write(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    const struct msr_range *range = msr_rule_find(&vcpu->guest->tables->msr, index);
    switch (range ? range->rule : MSR_RULE_FAULT) {
    case MSR_RULE_CONSTANT:
        return MSR_DONE;
    case MSR_RULE_SHADOW:
        vcpu->shadow[(range->cell + index - range->first) % MSR_SHADOW_MAX] = value ^ range->value;
        return MSR_DONE;
    case MSR_RULE_VMM:
        return MSR_TO_VMM;
    default:
        return MSR_FAULTS;
    }
}

static enum msr_result from_lapic(enum vlapic_result result)
{
    return result == VLAPIC_OK ? MSR_DONE : result == VLAPIC_EOI ? MSR_EOI : MSR_FAULTS;
}

enum msr_result msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
    if (index - X2APIC_MSR_FIRST <= X2APIC_MSR_LAST - X2APIC_MSR_FIRST)
        return from_lapic(vlapic_rdmsr(vcpu, index, value));
    switch (index) {
    case MSR_TSC:
        *value = vcpu_tsc(vcpu, rdtsc());
        return MSR_DONE;
    case MSR_TSC_ADJUST:
        *value = vcpu->tsc_adjust;
        return MSR_DONE;
    case MSR_TSC_DEADLINE:
        *value = vlapic_deadline(&vcpu->lapic);
        return MSR_DONE;
    case MSR_APIC_BASE:
        *value = vcpu->lapic.base;
        return MSR_DONE;
    case MSR_SPEC_CTRL:
        *value = vcpu->spec_ctrl;
        return features.ibrs || features.stibp || features.ssbd ? MSR_DONE : MSR_FAULTS;
    case MSR_TSC_AUX:
        *value = vcpu->tsc_aux;
        return features.rdtscp ? MSR_DONE : MSR_FAULTS;
    case MSR_KVM_STEAL_TIME:
    case MSR_KVM_PV_EOI_EN:
        return pv_rdmsr(vcpu, index, value) ? MSR_DONE : MSR_FAULTS;
    default:
        break;
    }
    int reg = vreg_of(index);
    if (reg < 0)
        return rule_read(vcpu, index, value);
    *value = virt->get(vcpu, (enum vreg)reg);
    return MSR_DONE;
}

static enum msr_result write_vreg(struct vcpu *vcpu, enum vreg reg, uint64_t value)
{
    switch (reg) {
    case VREG_EFER: {
        uint64_t old = virt->get(vcpu, VREG_EFER);
        bool paging = (virt->get(vcpu, VREG_CR0) & CR0_PG) != 0;
        /* LMA is the CPU's own; LME may not change under paging. */
        value = (value & ~EFER_LMA) | (old & EFER_LMA);
        if (!efer_valid(value) || (paging && ((old ^ value) & EFER_LME)))
            return MSR_FAULTS;
        break;
    }
    case VREG_PAT:
        if (!pat_valid(value))
            return MSR_FAULTS;
        break;
    case VREG_DEBUGCTL:
        if (value & ~DEBUGCTL_VALID)
            return MSR_FAULTS;
        break;
    case VREG_LSTAR:
    case VREG_CSTAR:
    case VREG_FS_BASE:
    case VREG_GS_BASE:
    case VREG_KERNEL_GS_BASE:
        if (!canonical(vcpu, value))
            return MSR_FAULTS;
        break;
    default:
        break;
    }
    virt->set(vcpu, reg, value);
    return MSR_DONE;
}

static enum msr_result write_speculation(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    if (index == MSR_PRED_CMD) {
        if (!features.ibpb || (value & ~PRED_IBPB))
            return MSR_FAULTS;
        if (value)
            wrmsr(MSR_PRED_CMD, value);
        return MSR_DONE;
    }
    uint64_t valid = (features.ibrs ? SPEC_IBRS : 0) | (features.stibp ? SPEC_STIBP : 0) |
                     (features.ssbd ? SPEC_SSBD : 0);
    if (!valid || (value & ~valid))
        return MSR_FAULTS;
    vcpu->spec_ctrl = value;
    return MSR_DONE;
}

enum msr_result msr_write(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
    if (index - X2APIC_MSR_FIRST <= X2APIC_MSR_LAST - X2APIC_MSR_FIRST)
        return from_lapic(vlapic_wrmsr(vcpu, index, value));
    switch (index) {
    case MSR_TSC_DEADLINE:
        vlapic_set_deadline(vcpu, *value);
        return MSR_DONE;
    case MSR_TSC: {
        uint64_t offset = *value - tsc_scaled(rdtsc(), vcpu->tsc_scale);
        vcpu->tsc_adjust += offset - vcpu->tsc_offset;
        vcpu_set_tsc_offset(vcpu, offset);
        return MSR_DONE;
    }
    case MSR_TSC_ADJUST: {
        uint64_t delta = *value - vcpu->tsc_adjust;
        vcpu->tsc_adjust = *value;
        vcpu_set_tsc_offset(vcpu, vcpu->tsc_offset + delta);
        return MSR_DONE;
    }
    case MSR_APIC_BASE:
        return vlapic_set_base(vcpu, *value) ? MSR_DONE : MSR_FAULTS;
    case MSR_SPEC_CTRL:
    case MSR_PRED_CMD:
        return write_speculation(vcpu, index, *value);
    case MSR_TSC_AUX:
        if (!features.rdtscp || *value > UINT32_MAX)
            return MSR_FAULTS;
        vcpu->tsc_aux = *value;
        vcpu->aux_loaded = true;
        wrmsr(MSR_TSC_AUX, *value);
        return MSR_DONE;
    case MSR_KVM_STEAL_TIME:
    case MSR_KVM_PV_EOI_EN:
        return pv_wrmsr(vcpu, index, *value) ? MSR_DONE : MSR_FAULTS;
    default:
        break;
    }
    int reg = vreg_of(index);
    return reg < 0 ? rule_write(vcpu, index, *value) : write_vreg(vcpu, (enum vreg)reg, *value);
}
