/* SPDX-License-Identifier: BSD-2-Clause */
/* Each rule with a state that breaks it and no rule before it. */
#include "test.h"

#include "vmm/vmx_rules.c"

#define TSS 0x8bu

/* 64-bit code in ring 0. */
static struct vmx_state good(void)
{
    struct vmx_state s = {
        .cr0 = 0x80050033,
        .cr3 = 0x1000,
        .cr4 = 0x20a0 | CR4_PAE,
        .efer = 0xd01,
        .pat = 0x0007040600070406ull,
        .dr7 = 0x400,
        .cr0_fixed0 = 0x20,
        .cr0_fixed1 = 0xffffffff,
        .cr4_fixed0 = 0x2000,
        .cr4_fixed1 = 0x3767ff,
        .rip = 0xffffffff81000000ull,
        .rflags = 0x202,
        .link = UINT64_MAX,
        .entry = ENTRY_GUEST_64BIT,
        .phys_bits = 40,
        .linear_bits = 48,
        .unrestricted = true,
    };
    for (uint32_t i = SEG_ES; i <= SEG_GS; i++)
        s.seg[i] = (struct vmx_segment){.limit = 0xffffffff, .access = 0xc093, .selector = 0x18};
    s.seg[SEG_CS] = (struct vmx_segment){.limit = 0xffffffff, .access = 0xa09b, .selector = 0x10};
    s.seg[SEG_TR] = (struct vmx_segment){.limit = 0x67, .access = TSS, .selector = 0x40};
    s.seg[SEG_LDTR].access = ACCESS_UNUSABLE;
    s.gdtr.limit = s.idtr.limit = 0xffff;
    return s;
}

static struct vmx_state good_v86(void)
{
    struct vmx_state s = good();
    s.entry = 0;
    s.efer = 0;
    s.cr4 = 0x2000;
    s.rip = 0x100;
    s.rflags = 0x20202;
    for (uint32_t i = SEG_ES; i <= SEG_GS; i++)
        s.seg[i] = (struct vmx_segment){
            .base = 0x1000, .limit = 0xffff, .access = 0xf3, .selector = 0x100};
    return s;
}

TEST(good_states_pass)
{
    struct vmx_state s = good();
    CHECK(vmx_rule(&s) == NULL);
    s = good_v86();
    CHECK(vmx_rule(&s) == NULL);
}

#define BREAKS(name, from, text, ...)    \
    TEST(name)                           \
    {                                    \
        struct vmx_state s = from();     \
        struct vmx_segment *seg = s.seg; \
        (void)seg;                       \
        __VA_ARGS__;                     \
        const char *rule = vmx_rule(&s); \
        CHECK(rule != NULL);             \
        if (strcmp(rule, text))          \
            printf("got: %s\n", rule);   \
        CHECK(strcmp(rule, text) == 0);  \
        CHECK(strlen(rule) < 64);        \
    }

BREAKS(cr0_one, good, "CR0: a bit that VMX fixes to 1 is 0", s.cr0 &= ~0x20ull)
BREAKS(cr0_zero, good, "CR0: a bit that VMX fixes to 0 is 1", s.cr0 |= 1ull << 33)
BREAKS(cr0_pg, good, "CR0: PG without PE", s.cr0 &= ~1ull)
BREAKS(cr4_one, good, "CR4: a bit that VMX fixes to 1 is 0", s.cr4 &= ~0x2000ull)
BREAKS(cr4_zero, good, "CR4: a bit that VMX fixes to 0 is 1", s.cr4 |= 1ull << 30)
BREAKS(debugctl, good, "DEBUGCTL: a reserved bit is 1", s.debugctl = 0x20)
BREAKS(long_pg, good, "IA-32e mode guest without CR0.PG", s.cr0 &= ~CR0_PG)
BREAKS(long_pae, good, "IA-32e mode guest without CR4.PAE", s.cr4 &= ~CR4_PAE)
BREAKS(pcide, good, "CR4.PCIDE outside IA-32e mode", s.entry = 0; s.cr4 |= CR4_PCIDE)
BREAKS(cr3, good, "CR3: a bit beyond the physical address width", s.cr3 = 1ull << 40)
BREAKS(dr7, good, "DR7: bits 63:32 are not 0", s.dr7 |= 1ull << 32)
BREAKS(esp, good, "SYSENTER_ESP is not canonical", s.sysenter_esp = 1ull << 47)
BREAKS(eip, good, "SYSENTER_EIP is not canonical", s.sysenter_eip = 1ull << 50)
BREAKS(pat, good, "PAT: an entry is no memory type", s.pat = 2)
BREAKS(efer, good, "EFER: a reserved bit is 1", s.efer |= 2)
BREAKS(lma, good, "EFER.LMA differs from IA-32e mode guest", s.efer &= ~EFER_LMA)
BREAKS(lme, good, "EFER.LMA differs from LME under paging", s.efer &= ~EFER_LME)

BREAKS(v86_base, good_v86, "virtual-8086: base is not selector * 16", seg[SEG_DS].base = 0)
BREAKS(v86_limit, good_v86, "virtual-8086: limit is not ffff", seg[SEG_GS].limit = 0xfffff)
BREAKS(v86_access, good_v86, "virtual-8086: access rights are not f3", seg[SEG_CS].access = 0x9b)

BREAKS(cs_unusable, good, "CS: unusable", seg[SEG_CS].access |= ACCESS_UNUSABLE)
BREAKS(cs_type, good, "CS: type is no accessed code segment", seg[SEG_CS].access = 0xa09a)
BREAKS(cs_system, good, "CS: a system segment", seg[SEG_CS].access = 0xa08b)
BREAKS(cs_data, good, "CS: read/write data with DPL other than 0", seg[SEG_CS].access = 0xc0f3)
BREAKS(cs_dpl, good, "CS: DPL differs from that of SS", seg[SEG_CS].access = 0xa0fb)
BREAKS(cs_conforming, good, "CS: conforming, DPL above that of SS", seg[SEG_CS].access = 0xa0fd)
BREAKS(cs_present, good, "CS: not present", seg[SEG_CS].access = 0xa01b)
BREAKS(cs_reserved, good, "CS: reserved access rights", seg[SEG_CS].access |= 0x100)
BREAKS(cs_long, good, "CS: L and D together", seg[SEG_CS].access |= ACCESS_DB)
BREAKS(cs_limit, good, "CS: G does not fit the limit", seg[SEG_CS].limit = 0xfffff000)
BREAKS(cs_base, good, "CS: base bits 63:32 are not 0", seg[SEG_CS].base = 1ull << 32)

BREAKS(ss_rpl, good, "SS: RPL differs from that of CS", s.unrestricted = false;
       seg[SEG_SS].selector = 0x1b)
BREAKS(ss_type, good, "SS: type is no accessed writable data", seg[SEG_SS].access = 0xc091)
BREAKS(ss_dpl, good, "SS: DPL differs from RPL", s.unrestricted = false;
       seg[SEG_SS].access = 0xc0f3; seg[SEG_CS].access = 0xa0fb)
BREAKS(ss_real, good, "SS: DPL is not 0 in real mode", s.cr0 = 0x30; s.entry = 0; s.efer = 0;
       s.rip = 0; seg[SEG_SS].access = 0xf3; seg[SEG_SS].limit = 0xffff; seg[SEG_CS].access = 0xfb;
       seg[SEG_CS].limit = 0xffff)
BREAKS(ss_system, good, "SS: a system segment", seg[SEG_SS].access = 0xc083)
BREAKS(ss_present, good, "SS: not present", seg[SEG_SS].access = 0xc013)
BREAKS(ss_reserved, good, "SS: reserved access rights", seg[SEG_SS].access |= 0x400)
BREAKS(ss_limit, good, "SS: G does not fit the limit", seg[SEG_SS].access = 0x4093)
BREAKS(ss_base, good, "SS: base bits 63:32 are not 0", seg[SEG_SS].base = 1ull << 40)

BREAKS(fs_base, good, "FS or GS: base is not canonical", seg[SEG_FS].base = 1ull << 48)
BREAKS(ds_accessed, good, "data segment: not accessed", seg[SEG_DS].access = 0xc092)
BREAKS(ds_code, good, "data segment: code that is not readable", seg[SEG_DS].access = 0xc099)
BREAKS(ds_system, good, "data segment: a system segment", seg[SEG_ES].access = 0xc083)
BREAKS(ds_dpl, good, "data segment: DPL below RPL", s.unrestricted = false;
       seg[SEG_DS].selector = 0x1b)
BREAKS(ds_present, good, "data segment: not present", seg[SEG_GS].access = 0xc013)
BREAKS(ds_reserved, good, "data segment: reserved access rights", seg[SEG_DS].access |= 0x800)
BREAKS(ds_limit, good, "data segment: G does not fit the limit", seg[SEG_DS].limit = 0xffffff00)
BREAKS(ds_base, good, "DS or ES: base bits 63:32 are not 0", seg[SEG_DS].base = 1ull << 32)

BREAKS(tr_ti, good, "TR: TI is 1", seg[SEG_TR].selector = 4)
BREAKS(tr_type, good, "TR: type is no busy TSS", seg[SEG_TR].access = 0x83)
BREAKS(tr_system, good, "TR: not a system segment", seg[SEG_TR].access = 0x9b)
BREAKS(tr_present, good, "TR: not present", seg[SEG_TR].access = 0x0b)
BREAKS(tr_reserved, good, "TR: reserved access rights or unusable",
       seg[SEG_TR].access |= ACCESS_UNUSABLE)
BREAKS(tr_limit, good, "TR: G does not fit the limit", seg[SEG_TR].access |= ACCESS_G)
BREAKS(tr_base, good, "TR: base is not canonical", seg[SEG_TR].base = 1ull << 48)
BREAKS(ldtr_ti, good, "LDTR: TI is 1", seg[SEG_LDTR].access = 0x82; seg[SEG_LDTR].selector = 4;
       seg[SEG_LDTR].limit = 0)
BREAKS(ldtr_type, good, "LDTR: type is no LDT", seg[SEG_LDTR].access = 0x83)
BREAKS(ldtr_system, good, "LDTR: not a system segment", seg[SEG_LDTR].access = 0x92)
BREAKS(ldtr_present, good, "LDTR: not present", seg[SEG_LDTR].access = 0x02)
BREAKS(ldtr_reserved, good, "LDTR: reserved access rights", seg[SEG_LDTR].access = 0x182)
BREAKS(ldtr_limit, good, "LDTR: G does not fit the limit", seg[SEG_LDTR].access = 0x8082;
       seg[SEG_LDTR].limit = 7)
BREAKS(ldtr_base, good, "LDTR: base is not canonical", seg[SEG_LDTR].access = 0x82;
       seg[SEG_LDTR].limit = 0; seg[SEG_LDTR].base = 1ull << 48)
BREAKS(gdtr_base, good, "GDTR: base is not canonical", s.gdtr.base = 1ull << 48)
BREAKS(idtr_base, good, "IDTR: base is not canonical", s.idtr.base = 1ull << 48)
BREAKS(gdtr_limit, good, "GDTR: limit bits 31:16 are not 0", s.gdtr.limit = 0x10000)
BREAKS(idtr_limit, good, "IDTR: limit bits 31:16 are not 0", s.idtr.limit = 0x10000)

BREAKS(rip_32, good, "RIP: bits 63:32 are not 0 outside 64-bit mode", seg[SEG_CS].access = 0xc09b)
BREAKS(rip_64, good, "RIP is not canonical", s.rip = 1ull << 47)
BREAKS(rflags_zero, good, "RFLAGS: a reserved bit is 1", s.rflags |= 8)
BREAKS(rflags_one, good, "RFLAGS: bit 1 is 0", s.rflags = 0x200)
BREAKS(rflags_vm, good_v86, "RFLAGS.VM in IA-32e or real mode", s.cr0 = 0x30)
BREAKS(rflags_if, good, "external interrupt injected with RFLAGS.IF clear", s.rflags = 2;
       s.event = INTERRUPTION_VALID | 0x20)

BREAKS(activity, good, "activity state: unknown", s.activity = 4)
BREAKS(hlt_ring, good, "HLT above ring 0", s.activity = 1; seg[SEG_SS].access = 0xc0f3;
       seg[SEG_CS].access = 0xa0fb)
BREAKS(hlt_shadow, good, "interrupt shadow in a CPU that is not active", s.activity = 2;
       s.interruptibility = BLOCK_STI)
BREAKS(block_reserved, good, "interruptibility: a reserved bit is 1", s.interruptibility = 0x20)
BREAKS(block_both, good, "interruptibility: STI and MOV SS together", s.interruptibility = 3)
BREAKS(sti_if, good, "STI shadow with RFLAGS.IF clear", s.rflags = 2; s.interruptibility = 1)
BREAKS(extint_shadow, good, "external interrupt injected into a shadow", s.interruptibility = 2;
       s.event = INTERRUPTION_VALID | 0x20)
BREAKS(nmi_shadow, good, "NMI injected into a MOV SS shadow", s.interruptibility = 2;
       s.event = INTERRUPTION_VALID | 0x202)
BREAKS(nmi_blocked, good, "NMI injected while NMIs are blocked", s.interruptibility = BLOCK_NMI;
       s.event = INTERRUPTION_VALID | 0x202)
BREAKS(smi, good, "SMIs blocked outside SMM", s.interruptibility = BLOCK_SMI)
BREAKS(pending, good, "pending debug exceptions: a reserved bit is 1", s.pending_debug = 0x10)
BREAKS(step_without, good, "single step in a shadow without pending BS", s.rflags |= RFLAGS_TF;
       s.interruptibility = 1)
BREAKS(step_with, good, "pending BS in a shadow without single step", s.pending_debug = PENDING_BS;
       s.interruptibility = 1)
BREAKS(link, good, "VMCS link pointer is set", s.link = 0)
BREAKS(pdpte, good, "PDPTE: a reserved bit is 1", s.entry = 0; s.efer = 0;
       seg[SEG_CS].access = 0xc09b; s.rip = 0; s.pdpte[2] = 3)
