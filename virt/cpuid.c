/* SPDX-License-Identifier: BSD-2-Clause */
#include "virt/cpuid.h"

#include "abi/status.h"
#include "abi/vcpu.h"
#include "arch/x86_64/platform.h"
#include "virt/guest.h"
#include "virt/vcpu.h"

#define BIT(n) (1u << (n))

#define L1_XSAVE    BIT(26)
#define L1_OSXSAVE  BIT(27)
#define L1_EDX_APIC BIT(9)
#define L7_PKU      BIT(3)
#define L7_OSPKE    BIT(4)

/* The host's own table of component sizes: offset in EBX, size in EAX, alignment in ECX bit 1. */
static uint32_t xsave_size(uint64_t components, bool compacted)
{
    uint32_t end = 512 + 64;
    for (uint32_t i = 2; i < 63; i++) {
        if (!(components >> i & 1))
            continue;
        struct cpuid_regs r = cpuid(0xd, i);
        if (compacted)
            end = ((r.ecx & 2) ? (uint32_t)align_up(end, 64) : end) + r.eax;
        else
            end = MAX(end, r.ebx + r.eax);
    }
    return end;
}

static uint32_t slot_of(uint32_t leaf)
{
    return (leaf ^ leaf >> 24) & (CPUID_SLOTS - 1);
}

const struct cpuid_entry *cpuid_find(const struct cpuid_table *table, uint32_t leaf,
                                     uint32_t subleaf)
{
    uint32_t at = slot_of(leaf);
    for (uint32_t i = 0; i < CPUID_SLOTS; i++, at = (at + 1) & (CPUID_SLOTS - 1)) {
        const struct cpuid_entry *entry = &table->entry[at];
        if (!(entry->flags & CPUID_USED))
            return NULL;
        if (entry->leaf == leaf &&
            (!(entry->flags & CPUID_KEY_SUBLEAF) || entry->subleaf == subleaf))
            return entry;
    }
    return NULL;
}

int64_t cpuid_set(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf, uint32_t flags,
                  struct cpuid_regs regs)
{
    uint32_t at = slot_of(leaf);
    for (uint32_t i = 0; i < CPUID_SLOTS; i++, at = (at + 1) & (CPUID_SLOTS - 1)) {
        struct cpuid_entry *entry = &table->entry[at];
        bool used = (entry->flags & CPUID_USED) != 0;
        if (used && (entry->leaf != leaf || (entry->flags & ~CPUID_USED) != flags ||
                     ((flags & CPUID_KEY_SUBLEAF) && entry->subleaf != subleaf)))
            continue;
        /* One slot stays free: it ends every search. */
        if (!used && table->used >= CPUID_SLOTS - 1)
            return ERR_NOMEM;
        table->used += !used;
        entry->leaf = leaf;
        entry->subleaf = subleaf;
        entry->regs = regs;
        __atomic_store_n(&entry->flags, flags | CPUID_USED, __ATOMIC_RELEASE);
        return OK;
    }
    return ERR_NOMEM;
}

#define CR4_OSXSAVE (1ull << 18)
#define CR4_PKE     (1ull << 22)

/* What depends on the vCPU and on its registers. Out of line: most leaves do not. */
#define DYNAMIC_LEAVES (BIT(0x1) | BIT(0x7) | BIT(0xb) | BIT(0xd) | BIT(0x1f))
static NOINLINE void dynamic(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                             struct cpuid_regs *r)
{
    switch (leaf) {
    case 1:
        r->ebx = (r->ebx & 0x00ffffffu) | vcpu->apic_id << 24;
        if (r->ecx & L1_XSAVE && virt->get(vcpu, VREG_CR4) & CR4_OSXSAVE)
            r->ecx |= L1_OSXSAVE;
        if (!(vcpu->lapic.base & APIC_BASE_ENABLE))
            r->edx &= ~L1_EDX_APIC;
        break;
    case 7:
        if (subleaf == 0 && r->ecx & L7_PKU && virt->get(vcpu, VREG_CR4) & CR4_PKE)
            r->ecx |= L7_OSPKE;
        break;
    case 0xb:
    case 0x1f:
        r->ecx |= subleaf & 0xff;
        r->edx = vcpu->apic_id;
        break;
    case 0xd:
        /* The guest's XCR0 is in the CPU; where XSETBV does not exit, only there. */
        if (features.xsave && subleaf < 2)
            r->ebx = xsave_size(xgetbv0(), subleaf == 1);
        break;
    case 0x8000001e:
        r->eax = vcpu->apic_id;
        break;
    default:
        break;
    }
}

void cpuid_execute(struct vcpu *vcpu)
{
    struct vcpu_page *page = vcpu->page;
    uint32_t leaf = (uint32_t)vcpu->rax, subleaf = (uint32_t)page->gpr[GPR_RCX];
    const struct cpuid_entry *entry = cpuid_find(&vcpu->guest->tables->cpuid, leaf, subleaf);
    struct cpuid_regs r = {0};
    if (entry)
        r = entry->regs;
    if (leaf < 32 ? DYNAMIC_LEAVES >> leaf & 1 : leaf == 0x8000001e)
        dynamic(vcpu, leaf, subleaf, &r);
    vcpu->rax = r.eax;
    page->gpr[GPR_RBX] = r.ebx;
    page->gpr[GPR_RCX] = r.ecx;
    page->gpr[GPR_RDX] = r.edx;
}
