/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest may know and set: CPUID table, MSR rules and the kernel's own MSRs. */
#include "test.h"

#include "fake/virt_world.h"

#include "virt/cpuid.c"
#include "virt/doorbell.c"
#include "virt/guest.c"
#include "virt/msr.c"
#include "virt/vlapic.c"
#include "virt/vlapic_timer.c"
#include "virt/vlapic_vectors.c"

static uint64_t pv_value;
void pv_eoi_sync(struct vcpu *vcpu, bool cancel)
{
    (void)vcpu;
    (void)cancel;
}
void pv_unmap(struct vcpu *vcpu, uint64_t address, uint64_t size)
{
    (void)vcpu;
    (void)address;
    (void)size;
}
bool pv_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    (void)vcpu;
    (void)msr;
    pv_value = value;
    return value != 13;
}
bool pv_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    (void)vcpu;
    (void)msr;
    *value = pv_value;
    return true;
}

static struct vcpu *const vcpu0 = &fake_vcpu[0];

static enum msr_result wr(uint32_t index, uint64_t value)
{
    return msr_write(vcpu0, index, &value);
}
static uint64_t rd(uint32_t index)
{
    uint64_t value = 0;
    return msr_read(vcpu0, index, &value) == MSR_DONE ? value : 0xfa017ull;
}

static void features_all(void)
{
    features = (struct cpu_features){.linear_bits = 48,
                                     .nx = true,
                                     .xsave = true,
                                     .xcr0 = 0xe7,
                                     .rdtscp = true,
                                     .ibrs = true,
                                     .ibpb = true};
}

TEST(rules)
{
    struct msr_rules r = {0};
    CHECK_EQ(msr_rule_set(&r, 0x100, 0, MSR_RULE_CONSTANT, 0), ERR_ARG);
    CHECK_EQ(msr_rule_set(&r, 0xffffffff, 2, MSR_RULE_CONSTANT, 0), ERR_ARG);
    CHECK_EQ(msr_rule_set(&r, 0x100, 1, MSR_RULES, 0), ERR_ARG);
    CHECK_EQ(msr_rule_set(&r, 0x200, 16, MSR_RULE_SHADOW, 7), OK);
    CHECK_EQ(msr_rule_set(&r, 0x1f8, 8, MSR_RULE_CONSTANT, 1), OK);
    CHECK_EQ(msr_rule_set(&r, 0x210, 4, MSR_RULE_READONLY, 2), OK);
    CHECK_EQ(msr_rule_set(&r, 0x20f, 2, MSR_RULE_VMM, 0), ERR_ARG);
    CHECK_EQ(msr_rule_set(&r, 0x1f0, 100, MSR_RULE_VMM, 0), ERR_ARG);
    CHECK_EQ(msr_rule_set(&r, 0x800, 1, MSR_RULE_VMM, 0), ERR_ARG);
    CHECK_EQ(msr_rule_set(&r, 0xc0000082, 1, MSR_RULE_VMM, 0), ERR_ARG);
    CHECK_EQ(msr_rule_set(&r, 0xffffffff, 1, MSR_RULE_VMM, 0), OK);
    CHECK(msr_rule_find(&r, 0x1f7) == NULL);
    CHECK_EQ(msr_rule_find(&r, 0x1ff)->value, 1);
    CHECK_EQ(msr_rule_find(&r, 0x20f)->value, 7);
    CHECK_EQ(msr_rule_find(&r, 0x213)->value, 2);
    CHECK(msr_rule_find(&r, 0x214) == NULL);
    CHECK_EQ(msr_rule_find(&r, 0xffffffff)->rule, MSR_RULE_VMM);
    uint32_t cell = msr_rule_find(&r, 0x200)->cell;
    CHECK_EQ(msr_rule_set(&r, 0x200, 16, MSR_RULE_SHADOW, 8), OK); /* replaced in place */
    CHECK_EQ(msr_rule_find(&r, 0x200)->cell, cell);
    CHECK_EQ(msr_rule_set(&r, 0x3000, MSR_SHADOW_MAX, MSR_RULE_SHADOW, 0), ERR_NOMEM);
    for (uint32_t i = r.used; i < MSR_RULES_MAX; i++)
        CHECK_EQ(msr_rule_set(&r, 0x4000 + i, 1, MSR_RULE_CONSTANT, 0), OK);
    CHECK_EQ(msr_rule_set(&r, 0x5000, 1, MSR_RULE_CONSTANT, 0), ERR_NOMEM);
}

TEST(ruled_access)
{
    fake_world();
    features_all();
    msr_rule_set(&fake_tables.msr, 0x300, 4, MSR_RULE_SHADOW, 9);
    msr_rule_set(&fake_tables.msr, 0x310, 1, MSR_RULE_CONSTANT, 5);
    msr_rule_set(&fake_tables.msr, 0x311, 1, MSR_RULE_READONLY, 6);
    msr_rule_set(&fake_tables.msr, 0x312, 1, MSR_RULE_VMM, 0);
    CHECK_EQ(rd(0x301), 9);
    CHECK_EQ(wr(0x301, 0x1234), MSR_DONE);
    CHECK_EQ(rd(0x301), 0x1234);
    CHECK_EQ(rd(0x302), 9);
    uint64_t other = 0;
    CHECK_EQ(msr_read(&fake_vcpu[1], 0x301, &other), MSR_DONE);
    CHECK_EQ(other, 9); /* a cell a vCPU */
    CHECK_EQ(wr(0x310, 1), MSR_DONE);
    CHECK_EQ(rd(0x310), 5);
    CHECK_EQ(wr(0x311, 1), MSR_FAULTS);
    CHECK_EQ(rd(0x311), 6);
    CHECK_EQ(wr(0x312, 1), MSR_TO_VMM);
    CHECK_EQ(wr(0x313, 1), MSR_FAULTS);
    CHECK_EQ(rd(0x313), 0xfa017);
}

TEST(kernel_msrs)
{
    fake_world();
    features_all();
    CHECK_EQ(wr(MSR_EFER, EFER_SVME), MSR_FAULTS);
    CHECK_EQ(wr(MSR_EFER, 1ull << 20), MSR_FAULTS);
    CHECK_EQ(wr(MSR_EFER, EFER_LME | EFER_NXE | EFER_SCE), MSR_DONE);
    CHECK_EQ(wr(MSR_EFER, EFER_LME | EFER_LMA), MSR_DONE);
    CHECK_EQ(fake_reg[VREG_EFER], EFER_LME); /* LMA is not written */
    fake_reg[VREG_CR0] = 1ull << 31;
    fake_reg[VREG_EFER] = EFER_LME | EFER_LMA;
    CHECK_EQ(wr(MSR_EFER, 0), MSR_FAULTS); /* LME under paging */
    CHECK_EQ(wr(MSR_EFER, EFER_LME | EFER_SCE), MSR_DONE);
    CHECK_EQ(fake_reg[VREG_EFER], EFER_LME | EFER_LMA | EFER_SCE);
    features.nx = false;
    CHECK_EQ(wr(MSR_EFER, EFER_LME | EFER_NXE), MSR_FAULTS);
    CHECK_EQ(wr(MSR_PAT, 0x0007040600070406ull), MSR_DONE);
    CHECK_EQ(wr(MSR_PAT, 0x0007040600070402ull), MSR_FAULTS);
    CHECK_EQ(wr(MSR_LSTAR, 0x0000800000000000ull), MSR_FAULTS);
    CHECK_EQ(wr(MSR_LSTAR, 0xffff800000000000ull), MSR_DONE);
    features.linear_bits = 57; /* the guest's CPU decides, not the host's */
    CHECK_EQ(wr(MSR_LSTAR, 0x0000800000000000ull), MSR_FAULTS);
    cpuid_set(&fake_tables.cpuid, 7, 0, CPUID_KEY_SUBLEAF, (struct cpuid_regs){.ecx = 1u << 16});
    CHECK_EQ(wr(MSR_LSTAR, 0x0000800000000000ull), MSR_DONE);
    CHECK_EQ(wr(MSR_LSTAR, 0x0100000000000000ull), MSR_FAULTS);
    features.linear_bits = 48; /* whatever the guest's table says */
    CHECK_EQ(wr(MSR_LSTAR, 0x0000800000000000ull), MSR_FAULTS);
    CHECK_EQ(wr(MSR_DEBUGCTL, 4), MSR_FAULTS);
    CHECK_EQ(wr(MSR_TSC_AUX, 1ull << 32), MSR_FAULTS);
    CHECK_EQ(wr(MSR_TSC_AUX, 3), MSR_DONE);
    CHECK_EQ(rd(MSR_TSC_AUX), 3);
    CHECK_EQ(wr(MSR_SPEC_CTRL, 1), MSR_DONE);
    CHECK_EQ(wr(MSR_SPEC_CTRL, 2), MSR_FAULTS); /* no STIBP here */
    CHECK_EQ(wr(MSR_PRED_CMD, 1), MSR_DONE);
    CHECK_EQ(wr(MSR_PRED_CMD, 2), MSR_FAULTS);
    CHECK_EQ(wr(MSR_KVM_PV_EOI_EN, 13), MSR_FAULTS);
}

TEST(tsc)
{
    fake_world();
    features_all();
    CHECK_EQ(rd(MSR_TSC), fake_tsc);
    CHECK_EQ(wr(MSR_TSC, 5000), MSR_DONE);
    CHECK_EQ(rd(MSR_TSC), 5000);
    CHECK_EQ(rd(MSR_TSC_ADJUST), 5000 - fake_tsc);
    fake_tsc += 100;
    CHECK_EQ(rd(MSR_TSC), 5100);
    CHECK_EQ(wr(MSR_TSC_ADJUST, 0), MSR_DONE);
    CHECK_EQ(rd(MSR_TSC), fake_tsc);
    CHECK_EQ(vcpu0->tsc_offset, 0);
}

TEST(tsc_of_another_frequency)
{
    fake_world();
    features_all();
    vcpu0->tsc_scale = tsc_ratio(5, 2);
    vcpu0->tsc_offset = 7;
    CHECK_EQ(rd(MSR_TSC), fake_tsc / 2 * 5 + 7);
    CHECK_EQ(wr(MSR_TSC, 5000), MSR_DONE);
    CHECK_EQ(rd(MSR_TSC), 5000);
    fake_tsc += 100;
    CHECK_EQ(rd(MSR_TSC), 5250);
    vcpu0->tsc_scale = 0;
}

TEST(xcr0)
{
    features_all();
    CHECK(!xcr0_valid(0));
    CHECK(xcr0_valid(1));
    CHECK(xcr0_valid(3));
    CHECK(!xcr0_valid(5)); /* AVX without SSE */
    CHECK(xcr0_valid(7));
    CHECK(!xcr0_valid(0x27));
    CHECK(xcr0_valid(0xe7));
    CHECK(!xcr0_valid(0xe3));
    CHECK(!xcr0_valid(0x207)); /* the host has no PKRU */
    features.xsave = false;
    CHECK(!xcr0_valid(1));
}

static struct cpuid_regs host_all(uint32_t leaf, uint32_t subleaf)
{
    if (leaf == 0xd && subleaf >= 2)
        return (struct cpuid_regs){subleaf == 2 ? 256 : 64, subleaf == 2 ? 576 : 1024, 2, 0};
    return (struct cpuid_regs){~0u, ~0u, ~0u, ~0u};
}

TEST(cpuid_table)
{
    struct cpuid_table t = {0};
    CHECK_EQ(cpuid_set(&t, 4, 0, CPUID_KEY_SUBLEAF, (struct cpuid_regs){.eax = 10}), OK);
    CHECK_EQ(cpuid_set(&t, 4, 1, CPUID_KEY_SUBLEAF, (struct cpuid_regs){.eax = 11}), OK);
    CHECK_EQ(cpuid_set(&t, 4 + CPUID_SLOTS, 0, 0, (struct cpuid_regs){.eax = 12}),
             OK); /* same slot */
    CHECK_EQ(cpuid_set(&t, 1, 0, 0, (struct cpuid_regs){.eax = 1}), OK);
    CHECK_EQ(cpuid_find(&t, 4, 1)->regs.eax, 11);
    CHECK(cpuid_find(&t, 4, 2) == NULL);
    CHECK_EQ(cpuid_find(&t, 4 + CPUID_SLOTS, 77)->regs.eax, 12);
    CHECK_EQ(cpuid_find(&t, 1, 5)->regs.eax, 1);
    CHECK_EQ(cpuid_set(&t, 4, 1, CPUID_KEY_SUBLEAF, (struct cpuid_regs){.eax = 99}), OK);
    CHECK_EQ(cpuid_find(&t, 4, 1)->regs.eax, 99);
    uint32_t used = t.used;
    for (uint32_t i = used; i < CPUID_SLOTS - 1; i++)
        CHECK_EQ(cpuid_set(&t, 0x1000 + i * 7, 0, 0, (struct cpuid_regs){0}), OK);
    CHECK_EQ(cpuid_set(&t, 0x9999, 0, 0, (struct cpuid_regs){0}), ERR_NOMEM);
    CHECK(cpuid_find(&t, 0x9999, 0) == NULL); /* and the search ends */
}

TEST(cpuid_dynamic)
{
    fake_world();
    features_all();
    fake_cpuid = host_all;
    struct vcpu *vcpu = &fake_vcpu[3];
    cpuid_set(&fake_tables.cpuid, 1, 0, 0,
              (struct cpuid_regs){.ebx = 0x800, .ecx = 1u << 26, .edx = 1u << 9});
    cpuid_set(&fake_tables.cpuid, 0xb, 1, CPUID_KEY_SUBLEAF, (struct cpuid_regs){.ecx = 0x200});
    cpuid_set(&fake_tables.cpuid, 0xd, 0, CPUID_KEY_SUBLEAF, (struct cpuid_regs){.eax = 7});
    vcpu->rax = 0xffffffff00000001ull;
    cpuid_execute(vcpu);
    CHECK_EQ(vcpu->page->gpr[GPR_RBX], 0x03000800);
    CHECK_EQ(vcpu->page->gpr[GPR_RCX] >> 27 & 1, 0);
    CHECK_EQ(vcpu->page->gpr[GPR_RDX] >> 9 & 1, 1);
    CHECK_EQ(vcpu->rax, 0);
    fake_reg[VREG_CR4] = 1ull << 18;
    vcpu->lapic.base &= ~(APIC_BASE_ENABLE | APIC_BASE_EXTD);
    vcpu->rax = 1;
    cpuid_execute(vcpu);
    CHECK_EQ(vcpu->page->gpr[GPR_RCX] >> 27 & 1, 1);
    CHECK_EQ(vcpu->page->gpr[GPR_RDX] >> 9 & 1, 0);
    vcpu->rax = 0xb;
    vcpu->page->gpr[GPR_RCX] = 1;
    cpuid_execute(vcpu);
    CHECK_EQ(vcpu->page->gpr[GPR_RDX], 3);
    CHECK_EQ(vcpu->page->gpr[GPR_RCX], 0x201);
    fake_xcr0 = 7; /* in the CPU; what was saved last is older */
    vcpu->fpu.xcr0 = 3;
    vcpu->rax = 0xd;
    vcpu->page->gpr[GPR_RCX] = 0;
    cpuid_execute(vcpu);
    CHECK_EQ(vcpu->page->gpr[GPR_RBX], 832);
    CHECK_EQ(xsave_size(3, false), 576);
    CHECK_EQ(xsave_size(0x27, true), 576 + 256 + 64);
    fake_cpuid = NULL;
}
