/* SPDX-License-Identifier: BSD-2-Clause */
/* One function a group of the manual's; each gives the sentence of the rule, or NULL. */
#include "vmm/vmx_rules.h"

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Fields of the VMCS: access rights, entry controls, interruption information, interruptibility. */
#define ENTRY_GUEST_64BIT       (1u << 9)
#define INTERRUPTION_TYPE(info) ((info) >> 8 & 7u)
#define INTERRUPTION_VALID      (1u << 31)
#define TYPE_EXTINT             0u
#define TYPE_NMI                2u
#define BLOCK_STI               (1u << 0)
#define BLOCK_MOV_SS            (1u << 1)
#define BLOCK_SMI               (1u << 2)
#define BLOCK_NMI               (1u << 3)

#define CR0_PE        (1ull << 0)
#define CR0_PG        (1ull << 31)
#define CR0_CACHE     (3ull << 29)
#define CR4_PAE       (1ull << 5)
#define CR4_PCIDE     (1ull << 17)
#define EFER_LME      (1ull << 8)
#define EFER_LMA      (1ull << 10)
#define EFER_KNOWN    0xd01ull
#define DEBUGCTL_MASK 0xffdfull
#define RFLAGS_TF     (1ull << 8)
#define RFLAGS_IF     (1ull << 9)
#define RFLAGS_VM     (1ull << 17)
#define RFLAGS_ZERO   0xffffffffffc08028ull
#define PENDING_BS    (1ull << 14)
#define PENDING_ZERO  0xfffffffffffeaff0ull
#define DEBUGCTL_BTF  (1ull << 1)
#define ACTIVITY_HLT  1u

struct rule {
    bool broken;
    const char *text;
};

static const char *first_broken(const struct rule *rules, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (rules[i].broken)
            return rules[i].text;
    return NULL;
}
#define FIRST_BROKEN(rules) first_broken(rules, ARRAY_LEN(rules))

static bool canonical(const struct vmx_state *s, uint64_t address)
{
    uint32_t unused = 64 - s->linear_bits;
    return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

static bool in_64(const struct vmx_state *s)
{
    return (s->entry & ENTRY_GUEST_64BIT) != 0;
}

static bool pat_valid(uint64_t pat)
{
    for (uint32_t i = 0; i < 8; i++, pat >>= 8)
        if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
            return false;
    return true;
}

static const char *control_registers(const struct vmx_state *s)
{
    bool paging = (s->cr0 & CR0_PG) != 0, lma = (s->efer & EFER_LMA) != 0;
    uint64_t must = s->cr0_fixed0 & ~CR0_CACHE;
    const struct rule rules[] = {
        {(s->cr0 & must) != must, "CR0: a bit that VMX fixes to 1 is 0"},
        {s->cr0 & ~s->cr0_fixed1 & ~CR0_CACHE, "CR0: a bit that VMX fixes to 0 is 1"},
        {paging && !(s->cr0 & CR0_PE), "CR0: PG without PE"},
        {(s->cr4 & s->cr4_fixed0) != s->cr4_fixed0, "CR4: a bit that VMX fixes to 1 is 0"},
        {s->cr4 & ~s->cr4_fixed1, "CR4: a bit that VMX fixes to 0 is 1"},
        {s->debugctl & ~DEBUGCTL_MASK, "DEBUGCTL: a reserved bit is 1"},
        {in_64(s) && !paging, "IA-32e mode guest without CR0.PG"},
        {in_64(s) && !(s->cr4 & CR4_PAE), "IA-32e mode guest without CR4.PAE"},
        {!in_64(s) && (s->cr4 & CR4_PCIDE), "CR4.PCIDE outside IA-32e mode"},
        {s->phys_bits < 64 && s->cr3 >> s->phys_bits,
         "CR3: a bit beyond the physical address width"},
        {s->dr7 >> 32, "DR7: bits 63:32 are not 0"},
        {!canonical(s, s->sysenter_esp), "SYSENTER_ESP is not canonical"},
        {!canonical(s, s->sysenter_eip), "SYSENTER_EIP is not canonical"},
        {!pat_valid(s->pat), "PAT: an entry is no memory type"},
        {s->efer & ~EFER_KNOWN, "EFER: a reserved bit is 1"},
        {lma != in_64(s), "EFER.LMA differs from IA-32e mode guest"},
        {paging && lma != ((s->efer & EFER_LME) != 0), "EFER.LMA differs from LME under paging"},
    };
    return FIRST_BROKEN(rules);
}

static const char *virtual_8086(const struct vmx_state *s)
{
    for (uint32_t i = SEG_ES; i <= SEG_GS; i++) {
        const struct vmx_segment *g = &s->seg[i];
        const struct rule rules[] = {
            {g->base != (uint64_t)g->selector << 4, "virtual-8086: base is not selector * 16"},
            {g->limit != 0xffff, "virtual-8086: limit is not ffff"},
            {g->access != 0xf3, "virtual-8086: access rights are not f3"},
        };
        const char *text = FIRST_BROKEN(rules);
        if (text)
            return text;
    }
    return NULL;
}

static bool limit_broken(const struct vmx_segment *g)
{
    bool large = (g->access & ACCESS_G) != 0;
    return ((g->limit & 0xfff) != 0xfff && large) || (g->limit >> 20 && !large);
}

static const char *code_segment(const struct vmx_state *s)
{
    const struct vmx_segment *cs = &s->seg[SEG_CS], *ss = &s->seg[SEG_SS];
    uint32_t type = cs->access & ACCESS_TYPE, dpl = ACCESS_DPL(cs->access);
    uint32_t stack = ACCESS_DPL(ss->access);
    bool data = s->unrestricted && type == 3, conforming = type == 13 || type == 15;
    const struct rule rules[] = {
        {cs->access & ACCESS_UNUSABLE, "CS: unusable"},
        {type != 9 && type != 11 && !conforming && !data, "CS: type is no accessed code segment"},
        {!(cs->access & ACCESS_S), "CS: a system segment"},
        {data && dpl != 0, "CS: read/write data with DPL other than 0"},
        {(type == 9 || type == 11) && dpl != stack, "CS: DPL differs from that of SS"},
        {conforming && dpl > stack, "CS: conforming, DPL above that of SS"},
        {!(cs->access & ACCESS_P), "CS: not present"},
        {cs->access & ACCESS_RESERVED, "CS: reserved access rights"},
        {in_64(s) && (cs->access & ACCESS_L) && (cs->access & ACCESS_DB), "CS: L and D together"},
        {limit_broken(cs), "CS: G does not fit the limit"},
        {cs->base >> 32, "CS: base bits 63:32 are not 0"},
    };
    return FIRST_BROKEN(rules);
}

static const char *stack_segment(const struct vmx_state *s)
{
    const struct vmx_segment *ss = &s->seg[SEG_SS], *cs = &s->seg[SEG_CS];
    uint32_t type = ss->access & ACCESS_TYPE, dpl = ACCESS_DPL(ss->access);
    bool usable = !(ss->access & ACCESS_UNUSABLE), real = !(s->cr0 & CR0_PE);
    const struct rule rules[] = {
        {!s->unrestricted && ((ss->selector ^ cs->selector) & 3),
         "SS: RPL differs from that of CS"},
        {usable && type != 3 && type != 7, "SS: type is no accessed writable data"},
        {!s->unrestricted && dpl != (ss->selector & 3u), "SS: DPL differs from RPL"},
        {((cs->access & ACCESS_TYPE) == 3 || real) && dpl != 0, "SS: DPL is not 0 in real mode"},
        {usable && !(ss->access & ACCESS_S), "SS: a system segment"},
        {usable && !(ss->access & ACCESS_P), "SS: not present"},
        {usable && (ss->access & ACCESS_RESERVED), "SS: reserved access rights"},
        {usable && limit_broken(ss), "SS: G does not fit the limit"},
        {usable && ss->base >> 32, "SS: base bits 63:32 are not 0"},
    };
    return FIRST_BROKEN(rules);
}

static const char *data_segment(const struct vmx_state *s, const struct vmx_segment *g)
{
    uint32_t type = g->access & ACCESS_TYPE;
    bool upper = g == &s->seg[SEG_FS] || g == &s->seg[SEG_GS];
    if (upper && !canonical(s, g->base))
        return "FS or GS: base is not canonical";
    if (g->access & ACCESS_UNUSABLE)
        return NULL;
    const struct rule rules[] = {
        {!(type & 1), "data segment: not accessed"},
        {(type & 8) && !(type & 2), "data segment: code that is not readable"},
        {!(g->access & ACCESS_S), "data segment: a system segment"},
        {!s->unrestricted && type <= 11 && ACCESS_DPL(g->access) < (g->selector & 3u),
         "data segment: DPL below RPL"},
        {!(g->access & ACCESS_P), "data segment: not present"},
        {g->access & ACCESS_RESERVED, "data segment: reserved access rights"},
        {limit_broken(g), "data segment: G does not fit the limit"},
        {!upper && g->base >> 32, "DS or ES: base bits 63:32 are not 0"},
    };
    return FIRST_BROKEN(rules);
}

static const char *system_segments(const struct vmx_state *s)
{
    const struct vmx_segment *tr = &s->seg[SEG_TR], *ldtr = &s->seg[SEG_LDTR];
    uint32_t type = tr->access & ACCESS_TYPE;
    bool usable = !(ldtr->access & ACCESS_UNUSABLE);
    const struct rule rules[] = {
        {tr->selector & 4, "TR: TI is 1"},
        {type != 11 && (type != 3 || in_64(s)), "TR: type is no busy TSS"},
        {tr->access & ACCESS_S, "TR: not a system segment"},
        {!(tr->access & ACCESS_P), "TR: not present"},
        {tr->access & (ACCESS_RESERVED | ACCESS_UNUSABLE),
         "TR: reserved access rights or unusable"},
        {limit_broken(tr), "TR: G does not fit the limit"},
        {!canonical(s, tr->base), "TR: base is not canonical"},
        {usable && (ldtr->selector & 4), "LDTR: TI is 1"},
        {usable && (ldtr->access & ACCESS_TYPE) != 2, "LDTR: type is no LDT"},
        {usable && (ldtr->access & ACCESS_S), "LDTR: not a system segment"},
        {usable && !(ldtr->access & ACCESS_P), "LDTR: not present"},
        {usable && (ldtr->access & ACCESS_RESERVED), "LDTR: reserved access rights"},
        {usable && limit_broken(ldtr), "LDTR: G does not fit the limit"},
        {usable && !canonical(s, ldtr->base), "LDTR: base is not canonical"},
        {!canonical(s, s->gdtr.base), "GDTR: base is not canonical"},
        {!canonical(s, s->idtr.base), "IDTR: base is not canonical"},
        {s->gdtr.limit >> 16, "GDTR: limit bits 31:16 are not 0"},
        {s->idtr.limit >> 16, "IDTR: limit bits 31:16 are not 0"},
    };
    return FIRST_BROKEN(rules);
}

static const char *segments(const struct vmx_state *s)
{
    const char *text = NULL;
    if (s->rflags & RFLAGS_VM) {
        text = virtual_8086(s);
    } else {
        static const uint8_t data[] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};
        text = code_segment(s);
        if (!text)
            text = stack_segment(s);
        for (uint32_t i = 0; i < ARRAY_LEN(data) && !text; i++)
            text = data_segment(s, &s->seg[data[i]]);
    }
    return text ? text : system_segments(s);
}

static const char *rip_and_rflags(const struct vmx_state *s)
{
    bool long_code = in_64(s) && (s->seg[SEG_CS].access & ACCESS_L);
    bool extint = (s->event & INTERRUPTION_VALID) && INTERRUPTION_TYPE(s->event) == TYPE_EXTINT;
    const struct rule rules[] = {
        {!long_code && s->rip >> 32, "RIP: bits 63:32 are not 0 outside 64-bit mode"},
        {long_code && !canonical(s, s->rip), "RIP is not canonical"},
        {s->rflags & RFLAGS_ZERO, "RFLAGS: a reserved bit is 1"},
        {!(s->rflags & 2), "RFLAGS: bit 1 is 0"},
        {(s->rflags & RFLAGS_VM) && (in_64(s) || !(s->cr0 & CR0_PE)),
         "RFLAGS.VM in IA-32e or real mode"},
        {extint && !(s->rflags & RFLAGS_IF), "external interrupt injected with RFLAGS.IF clear"},
    };
    return FIRST_BROKEN(rules);
}

static const char *non_registers(const struct vmx_state *s)
{
    uint32_t block = s->interruptibility, shadow = block & (BLOCK_STI | BLOCK_MOV_SS);
    bool event = (s->event & INTERRUPTION_VALID) != 0;
    uint32_t type = INTERRUPTION_TYPE(s->event);
    bool stepping = (s->rflags & RFLAGS_TF) && !(s->debugctl & DEBUGCTL_BTF);
    bool bs = (s->pending_debug & PENDING_BS) != 0;
    const struct rule rules[] = {
        {s->activity > 3, "activity state: unknown"},
        {s->activity == ACTIVITY_HLT && ACCESS_DPL(s->seg[SEG_SS].access), "HLT above ring 0"},
        {s->activity != 0 && shadow, "interrupt shadow in a CPU that is not active"},
        {block >> 5, "interruptibility: a reserved bit is 1"},
        {shadow == (BLOCK_STI | BLOCK_MOV_SS), "interruptibility: STI and MOV SS together"},
        {(block & BLOCK_STI) && !(s->rflags & RFLAGS_IF), "STI shadow with RFLAGS.IF clear"},
        {event && type == TYPE_EXTINT && shadow, "external interrupt injected into a shadow"},
        {event && type == TYPE_NMI && (block & BLOCK_MOV_SS), "NMI injected into a MOV SS shadow"},
        {event && type == TYPE_NMI && (block & BLOCK_NMI), "NMI injected while NMIs are blocked"},
        {block & BLOCK_SMI, "SMIs blocked outside SMM"},
        {s->pending_debug & PENDING_ZERO, "pending debug exceptions: a reserved bit is 1"},
        {shadow && stepping && !bs, "single step in a shadow without pending BS"},
        {shadow && !stepping && bs, "pending BS in a shadow without single step"},
        {s->link != UINT64_MAX, "VMCS link pointer is set"},
    };
    return FIRST_BROKEN(rules);
}

static const char *page_pointers(const struct vmx_state *s)
{
    if (!(s->cr0 & CR0_PG) || !(s->cr4 & CR4_PAE) || in_64(s))
        return NULL;
    uint64_t reserved = 0x1e6ull | (s->phys_bits < 64 ? ~0ull << s->phys_bits : 0);
    for (uint32_t i = 0; i < 4; i++)
        if ((s->pdpte[i] & 1) && (s->pdpte[i] & reserved))
            return "PDPTE: a reserved bit is 1";
    return NULL;
}

const char *vmx_rule(const struct vmx_state *s)
{
    static const char *(*const groups[])(const struct vmx_state *) = {
        control_registers, segments, rip_and_rflags, non_registers, page_pointers};
    for (uint32_t i = 0; i < ARRAY_LEN(groups); i++) {
        const char *text = groups[i](s);
        if (text)
            return text;
    }
    return NULL;
}
