/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers: those the kernel handles itself, and the VM owner's rules. */
#ifndef VIRT_MSR_H
#define VIRT_MSR_H

#include "lib/types.h"

#define MSR_TSC          0x10u
#define MSR_APIC_BASE    0x1bu
#define MSR_TSC_ADJUST   0x3bu
#define MSR_SPEC_CTRL    0x48u
#define MSR_PRED_CMD     0x49u
#define MSR_SYSENTER_CS  0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_DEBUGCTL     0x1d9u
#define MSR_PAT          0x277u
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_EFER         0xc0000080u
#define MSR_STAR         0xc0000081u
#define MSR_LSTAR        0xc0000082u
#define MSR_CSTAR        0xc0000083u
#define MSR_SFMASK       0xc0000084u
#define MSR_FS_BASE      0xc0000100u
#define MSR_GS_BASE      0xc0000101u
#define MSR_KERNEL_GS    0xc0000102u
#define MSR_TSC_AUX      0xc0000103u

#define EFER_SCE   (1ull << 0)
#define EFER_LME   (1ull << 8)
#define EFER_LMA   (1ull << 10)
#define EFER_NXE   (1ull << 11)
#define EFER_SVME  (1ull << 12)
#define EFER_FFXSR (1ull << 14)

#define MSR_RULES_MAX  64u
#define MSR_SHADOW_MAX 512u /* cells of a vCPU's shadow page */

struct msr_range {
    uint32_t first, count;
    uint32_t rule; /* enum msr_rule */
    uint32_t cell; /* first shadow cell */
    uint64_t value;
};

/* Sorted by first; ranges do not overlap. */
struct msr_rules {
    uint32_t used, cells;
    struct msr_range range[MSR_RULES_MAX];
};

/* OK; ERR_ARG: overlaps another range in part, or a register the kernel handles; ERR_NOMEM: full.
 * A range equal to one that is there replaces its rule. */
int64_t msr_rule_set(struct msr_rules *rules, uint32_t first, uint32_t count, uint32_t rule,
                     uint64_t value);
const struct msr_range *msr_rule_find(const struct msr_rules *rules, uint32_t index);
/* The kernel handles it, whatever the rules say. */
bool msr_is_kernels(uint32_t index);

struct vcpu;
enum msr_result { MSR_DONE, MSR_FAULTS, MSR_TO_VMM, MSR_EOI /* *value: vector for the VMM */ };
enum msr_result msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value);
enum msr_result msr_write(struct vcpu *vcpu, uint32_t index, uint64_t *value);

/* Values that the CPU would refuse. */
bool efer_valid(uint64_t value);
bool xcr0_valid(uint64_t value);
bool pat_valid(uint64_t value);
/* A new time stamp counter for the guest. */
void vcpu_set_tsc_offset(struct vcpu *vcpu, uint64_t offset);

#endif
