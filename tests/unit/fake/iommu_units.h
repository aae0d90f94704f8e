/* SPDX-License-Identifier: BSD-2-Clause */
/* Simulated DMA remapping units, Intel's and AMD's: registers, invalidation, table walks as the
 * manuals have them, with caches that forget nothing unless they are told to. Physical addresses
 * are host pointers. */
#ifndef TESTS_UNIT_FAKE_IOMMU_UNITS_H
#define TESTS_UNIT_FAKE_IOMMU_UNITS_H

#define TESTS_UNIT_FAKE_IOMMU_H /* the real code, not the empty one */
#define ARCH_MMIO_H             /* registers are ours */

#include "tests/unit/fake/machine.h"

static uint32_t mmio_read32(const volatile uint8_t *reg);
static uint64_t mmio_read64(const volatile uint8_t *reg);
static void mmio_write32(volatile uint8_t *reg, uint32_t value);
static void mmio_write64(volatile uint8_t *reg, uint64_t value);

#include "arch/x86_64/amdvi.c"
#include "arch/x86_64/iommu.c"
#include "arch/x86_64/vtd.c"

#define UNIT_BASE 0xfed90000ull
#define UNIT_SIZE 0x4000u
#define SIM_CACHE 4096u

struct sim_translation {
    uint32_t function, domain;
    uint64_t page, pa; /* 4 KiB */
    bool read, write, valid;
};

static struct {
    bool amd, caching; /* caching: also what is not present */
    bool interrupts, msi;
    uint64_t cap, ecap;
    uint8_t reg[UNIT_SIZE];
    uint32_t gsts;
    uint64_t root, head;
    struct {
        uint32_t function;
        uint64_t entry[2];
        bool valid;
    } context[64];
    struct sim_translation tlb[SIM_CACHE];
    uint32_t contexts, translations, invalidations, next_fault;
    uint64_t irte[256]; /* as cached */
    bool irte_cached[256];
    bool misuse; /* something that the manual forbids */
} sim;

/* What memory holds, if the unit does not look into the CPUs' caches. */
#define SHADOW 0x100000u
static struct {
    uint64_t address, value;
} shadow[SHADOW];

static uint32_t shadow_at(uint64_t address)
{
    uint32_t i = (uint32_t)(address / 8 * 0x9e3779b97f4a7c15ull >> 44);
    while (shadow[i].address && shadow[i].address != address)
        i = (i + 1) % SHADOW;
    return i;
}

static void sim_write_back(const void *start, uint64_t size)
{
    for (uint64_t done = 0; done < size; done += 8) {
        uint64_t address = (uint64_t)start + done;
        uint32_t i = shadow_at(address);
        shadow[i].address = address;
        memcpy(&shadow[i].value, (const void *)address, 8);
    }
}

static uint64_t sim_memory(uint64_t address)
{
    uint64_t value;
    if (!sim.amd && !(sim.ecap & ECAP_C)) {
        uint32_t i = shadow_at(address);
        return shadow[i].address ? shadow[i].value : 0x1234567890abcdefull;
    }
    memcpy(&value, (const void *)address, 8);
    return value;
}

static uint64_t sim_get(uint32_t reg)
{
    uint64_t value;
    memcpy(&value, sim.reg + reg, 8);
    return value;
}
static void sim_put(uint32_t reg, uint64_t value)
{
    memcpy(sim.reg + reg, &value, 8);
}

static void forget_contexts(uint32_t function) /* UINT32_MAX: all */
{
    sim.invalidations++;
    for (uint32_t i = 0; i < ARRAY_LEN(sim.context); i++)
        if (function == UINT32_MAX || sim.context[i].function == function)
            sim.context[i].valid = false;
}

static void forget_domain(uint32_t domain) /* UINT32_MAX: all */
{
    sim.invalidations++;
    for (uint32_t i = 0; i < SIM_CACHE; i++)
        if (domain == UINT32_MAX || sim.tlb[i].domain == domain)
            sim.tlb[i].valid = false;
}

static void vtd_sim_queue(uint64_t tail)
{
    uint64_t queue = sim_get(VTD_IQA) & ~0xfffull;
    for (; sim.head != tail; sim.head = (sim.head + 16) % 4096) {
        uint64_t low, high;
        memcpy(&low, (const void *)(queue + sim.head), 8);
        memcpy(&high, (const void *)(queue + sim.head + 8), 8);
        uint32_t type = low & 15, granularity = low >> 4 & 3, status = (uint32_t)(low >> 32);
        if (type == 1 && granularity == 1)
            forget_contexts(UINT32_MAX);
        else if (type == 2 && granularity && granularity < 3)
            forget_domain(granularity == 1 ? UINT32_MAX : low >> 16 & 0xffff);
        else if (type == 4)
            sim.invalidations++, memset(sim.irte_cached, 0, sizeof(sim.irte_cached));
        else if (type == 5 && (low & 0x20))
            memcpy((void *)high, &status, 4);
        else
            sim.misuse = true;
    }
}

static void vtd_sim_command(uint32_t value)
{
    sim.misuse |= __builtin_popcount((value ^ sim.gsts) & GSTS_KEPT) > 1;
    if (value & GCMD_SRTP)
        sim.root = sim_get(VTD_RTADDR);
    sim.misuse |= (value & GCMD_TE) && !sim.root;
    if ((value & GCMD_QIE) && !(sim.gsts & GCMD_QIE))
        sim.head = 0;
    sim.misuse |= (value & GCMD_IRE) && !(sim.gsts & GCMD_IRE) && !(sim.gsts & GCMD_SIRTP);
    sim.gsts = (value & GSTS_KEPT) | ((sim.gsts | value) & (GCMD_SRTP | GCMD_SIRTP));
}

static void vtd_sim_write(uint32_t reg, uint64_t value, bool wide)
{
    uint32_t iotlb = ECAP_IRO(sim.ecap) + 8, faults = CAP_FRO(sim.cap);
    bool queued = sim.gsts & GCMD_QIE;
    if (reg == VTD_GCMD) {
        vtd_sim_command((uint32_t)value);
    } else if (reg == VTD_IQT && queued) {
        sim_put(reg, value);
        vtd_sim_queue(value);
    } else if (reg == VTD_CCMD && wide && value >> 63) {
        sim.misuse |= queued || (value >> 61 & 3) != 1;
        forget_contexts(UINT32_MAX);
        sim_put(reg, value & ~(1ull << 63));
    } else if (reg == iotlb && wide && value >> 63) {
        uint32_t granularity = value >> 60 & 3;
        sim.misuse |= queued || !granularity || granularity == 3;
        forget_domain(granularity == 1 ? UINT32_MAX : value >> 32 & 0xffff);
        sim_put(reg, value & ~(1ull << 63));
    } else if (reg >= faults && reg < faults + 16 * (CAP_NFR(sim.cap) + 1)) {
        if (reg % 16 == 12 && value >> 31)
            memset(sim.reg + reg, 0, 4);
    } else if (reg == VTD_FSTS) {
        sim_put(reg, sim_get(reg) & ~(value & 0xffffffff));
    } else if (wide) {
        sim_put(reg, value);
    } else {
        uint32_t narrow = (uint32_t)value;
        memcpy(sim.reg + reg, &narrow, 4);
    }
}

static void amd_sim_commands(void)
{
    uint64_t queue = sim_get(AMD_COMMAND_BUFFER) & 0xffffffffff000ull;
    if (!(sim_get(AMD_CONTROL) & CONTROL_COMMANDS) || !(sim_get(AMD_CONTROL) & CONTROL_ENABLE))
        return;
    for (; sim.head != sim_get(AMD_COMMAND_TAIL); sim.head = (sim.head + 16) % 4096) {
        uint64_t low, high;
        memcpy(&low, (const void *)(queue + sim.head), 8);
        memcpy(&high, (const void *)(queue + sim.head + 8), 8);
        if (low >> 60 == 1 && (low & 1))
            memcpy((void *)(low & 0xffffffffffff8ull), &high, 8);
        else if (low >> 60 == 2)
            forget_contexts(low & 0xffff);
        else if (low >> 60 == 5 || low >> 60 == 8)
            memset(sim.irte_cached, 0, sizeof(sim.irte_cached));
        else if (low >> 60 == 3 && high == 0x7ffffffffffff003ull)
            forget_domain(low >> 32 & 0xffff);
        else
            sim.misuse = true;
    }
}

static void amd_sim_write(uint32_t reg, uint64_t value)
{
    if (reg == AMD_STATUS) {
        sim_put(reg, sim_get(reg) & ~(value & 7));
        return;
    }
    sim_put(reg, value);
    if (reg == AMD_CONTROL && !(value & CONTROL_EVENT_LOG))
        sim_put(AMD_STATUS, sim_get(AMD_STATUS) & ~(uint64_t)STATUS_LOG_RUNS);
    else if (reg == AMD_CONTROL)
        sim_put(AMD_STATUS, sim_get(AMD_STATUS) | STATUS_LOG_RUNS);
    if (reg == AMD_COMMAND_HEAD)
        sim.head = value;
    amd_sim_commands();
}

static uint32_t sim_offset(const volatile uint8_t *reg, uint32_t size)
{
    uint64_t offset = (uint64_t)reg - UNIT_BASE;
    if (offset + size > UNIT_SIZE || offset % size) {
        printf("register access at %p\n", (void *)(uintptr_t)reg);
        abort();
    }
    return (uint32_t)offset;
}
static uint32_t mmio_read32(const volatile uint8_t *reg)
{
    uint32_t value, offset = sim_offset(reg, 4);
    memcpy(&value, sim.reg + offset, 4);
    return offset == VTD_GSTS && !sim.amd ? sim.gsts : value;
}
static uint64_t mmio_read64(const volatile uint8_t *reg)
{
    return sim_get(sim_offset(reg, 8));
}
static void mmio_write32(volatile uint8_t *reg, uint32_t value)
{
    uint32_t offset = sim_offset(reg, 4);
    if (sim.amd)
        amd_sim_write(offset, value);
    else
        vtd_sim_write(offset, value, false);
}
static void mmio_write64(volatile uint8_t *reg, uint64_t value)
{
    uint32_t offset = sim_offset(reg, 8);
    if (sim.amd)
        amd_sim_write(offset, value);
    else
        vtd_sim_write(offset, value, true);
}

/* Context or device table entry, through the cache. */
static void sim_context(uint32_t function, uint64_t entry[2])
{
    for (uint32_t i = 0; i < ARRAY_LEN(sim.context); i++)
        if (sim.context[i].valid && sim.context[i].function == function) {
            memcpy(entry, sim.context[i].entry, 16);
            return;
        }
    uint64_t at = sim.root + (function >> 8) * 16, present = 1;
    if (sim.amd) {
        at = (sim_get(AMD_DEVICE_TABLE) & 0xffffffffff000ull) + function * 32;
    } else {
        uint64_t bus = sim_memory(at);
        present = bus & 1;
        at = (bus & ~0xfffull) + (function & 0xff) * 16;
    }
    entry[0] = present ? sim_memory(at) : 0;
    entry[1] = present ? sim_memory(at + 8) : 0;
    if (!(entry[0] & 1) && !sim.caching)
        return;
    uint32_t i = sim.contexts++ % ARRAY_LEN(sim.context);
    sim.context[i].function = function;
    sim.context[i].valid = true;
    memcpy(sim.context[i].entry, entry, 16);
}

/* Walks; rights of what was found in t. */
static void vtd_sim_walk(const uint64_t context[2], struct sim_translation *t)
{
    uint32_t level = (context[1] & 7) + 2;
    uint64_t table = context[0] & ~0xfffull;
    t->read = t->write = true;
    sim.misuse |= !(CAP_SAGAW(sim.cap) & 1u << (context[1] & 7));
    for (;; level--) {
        uint64_t entry = sim_memory(table + (t->page >> (12 + 9 * (level - 1)) & 511) * 8);
        bool large = level > 1 && (entry & 0x80);
        t->read &= entry & 1;
        t->write &= entry >> 1 & 1;
        if (!(entry & 3))
            return;
        if (large && (level > 3 || !(CAP_SLLPS(sim.cap) & 1u << (level - 2))))
            sim.misuse = true;
        if ((entry & SNP) && !(sim.ecap & ECAP_SC))
            sim.misuse = true;
        table = entry & ENTRY_ADDRESS;
        if (level == 1 || large) {
            t->pa = table + (t->page & ((1ull << (12 + 9 * (level - 1))) - 1));
            return;
        }
    }
}

static void amd_sim_walk(const uint64_t context[2], struct sim_translation *t)
{
    uint32_t level = context[0] >> 9 & 7;
    uint64_t entry = context[0];
    t->read = t->write = true;
    while (level) {
        uint32_t shift = 12 + 9 * (level - 1);
        t->read &= entry >> 61 & 1;
        t->write &= entry >> 62 & 1;
        entry = sim_memory((entry & ENTRY_ADDRESS) + (t->page >> shift & 511) * 8);
        uint32_t next = entry >> 9 & 7;
        if (!(entry & 1)) {
            t->read = t->write = false;
            return;
        }
        sim.misuse |= next >= level;
        if (!next)
            t->pa = (entry & ENTRY_ADDRESS) + (t->page & ((1ull << shift) - 1));
        level = next;
    }
    t->read &= entry >> 61 & 1;
    t->write &= entry >> 62 & 1;
}

static void sim_fault(uint32_t function, uint64_t address, bool write, uint32_t code)
{
    if (sim.amd) {
        uint32_t tail = (uint32_t)sim_get(AMD_EVENT_TAIL);
        uint64_t log = sim_get(AMD_EVENT_LOG) & 0xffffffffff000ull;
        uint64_t event[2] = {2ull << 60 | (write ? EVENT_WRITE : 0) | function, address};
        if ((tail + 16) % 4096 == sim_get(AMD_EVENT_HEAD)) {
            sim_put(AMD_STATUS, sim_get(AMD_STATUS) | STATUS_OVERFLOW);
        } else {
            memcpy((void *)(log + tail), event, 16);
            sim_put(AMD_EVENT_TAIL, (tail + 16) % 4096);
            sim_put(AMD_STATUS, sim_get(AMD_STATUS) | 2);
        }
        if (sim.interrupts && sim.msi && (sim_get(AMD_CONTROL) & 8))
            iommu_interrupt();
        return;
    }
    uint32_t reg = CAP_FRO(sim.cap) + 16 * (sim.next_fault++ % (CAP_NFR(sim.cap) + 1));
    if (sim_get(reg + 8) >> 63) {
        sim_put(VTD_FSTS, sim_get(VTD_FSTS) | 1);
    } else {
        sim_put(reg, address & ~0xfffull);
        sim_put(reg + 8, 1ull << 63 | (write ? 0 : 1ull << 62) | (uint64_t)code << 32 | function);
    }
    if (sim.interrupts && !(sim_get(VTD_FECTL) >> 31 & 1))
        iommu_interrupt();
}

/* A request of a device: true, and where it goes. */
static bool sim_dma(uint32_t function, uint64_t address, bool write, uint64_t *pa)
{
    uint64_t entry[2];
    bool on = sim.amd ? sim_get(AMD_CONTROL) & CONTROL_ENABLE : (sim.gsts & GCMD_TE) != 0;
    *pa = address;
    if (!on)
        return true;
    if (sim.amd && function >= ((sim_get(AMD_DEVICE_TABLE) & 0x1ff) + 1) * 128)
        return false;
    sim_context(function, entry);
    if (sim.amd && !(entry[0] & 1))
        return true;
    struct sim_translation t = {.function = function, .page = address & ~0xfffull, .valid = true};
    t.domain = sim.amd ? entry[1] & 0xffff : entry[1] >> 8 & 0xffff;
    if (!sim.amd && !(entry[0] & 1)) {
        sim_fault(function, address, write, 2);
        return false;
    }
    uint32_t i = 0;
    while (i < SIM_CACHE &&
           !(sim.tlb[i].valid && sim.tlb[i].page == t.page && sim.tlb[i].domain == t.domain))
        i++;
    if (i < SIM_CACHE) {
        t = sim.tlb[i];
    } else {
        (sim.amd ? amd_sim_walk : vtd_sim_walk)(entry, &t);
        if (t.read || t.write || sim.caching)
            sim.tlb[sim.translations++ % SIM_CACHE] = t;
    }
    *pa = t.pa + (address & 0xfff);
    if (write ? t.write : t.read)
        return true;
    sim_fault(function, address, write, write ? 5 : 6);
    return false;
}

/* A device writes to the interrupt range: true, and which vector the CPU with this APIC id gets;
 * 0x100 for anything but a fixed interrupt. */
static bool sim_interrupt(uint32_t function, uint64_t address, uint32_t data, uint32_t *vector,
                          uint32_t *apic_id)
{
    uint64_t context[2], table = sim_get(VTD_IRTA) & ~0xfffull;
    uint32_t index = (uint32_t)(address >> 5) & 0x7fff, size = 16;
    bool remapped = sim.gsts & GCMD_IRE, possible = (address & 0x10) && index < 256;
    remapped &= (address & 0x10) || !(sim.gsts & GCMD_CFI);
    if (sim.amd) {
        sim_context(function, context);
        uint64_t entry =
            sim_memory((sim_get(AMD_DEVICE_TABLE) & 0xffffffffff000ull) + function * 32 + 16);
        remapped = entry & 1;
        index = data & 0x7ff;
        possible = (entry >> 60 & 3) == 2 && index < 1u << (entry >> 1 & 15);
        table = entry & 0xfffffffffffc0ull;
        size = 4;
    }
    *vector = data & 0x700 ? 0x100 : data & 0xff;
    *apic_id = (uint32_t)(address >> 12) & 0xff;
    if (!remapped || !possible)
        return !remapped;
    if (!sim.irte_cached[index]) {
        sim.irte[index] =
            sim_memory((table + index * size) & ~7ull) >> (sim.amd && index % 2 ? 32 : 0);
        sim.irte_cached[index] = true;
    }
    uint64_t irte = sim.irte[index];
    *vector = (uint32_t)(irte >> 16) & 0xff;
    *apic_id = sim.amd ? irte >> 8 & 0xff : irte >> 40 & 0xff;
    return irte & 1;
}

#endif
