/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads every MSR of the architectural ranges and writes garbage to all but those whose loss takes
 * the guest itself down (mode, paging attributes, APIC base, segment bases of the running code). */
#include "lib/guest.h"

static uint32_t reads, writes, faults;
static uint64_t garbage = 0x9e3779b97f4a7c15ull;

static uint64_t next(void)
{
    garbage ^= garbage << 13;
    garbage ^= garbage >> 7;
    garbage ^= garbage << 17;
    return garbage;
}

static bool own_life(uint32_t index)
{
    if (index == MSR_APIC_BASE || index == MSR_EFER || index == 0x277)
        return true;
    if (index >= 0x200 && index <= 0x2ff)
        return true; /* MTRRs: bare they would change the memory types of this very code */
    return index >= 0x800 && index <= 0x8ff && index != 0x8ff; /* x2APIC: may send INIT to itself */
}

static void one(uint32_t index)
{
    uint32_t lo, hi;
    reads++;
    if (TRY("rdmsr", "=a"(lo), "=d"(hi) : "c"(index) : "memory") != NO_FAULT)
        faults++;
    if (own_life(index))
        return;
    uint64_t value = next();
    for (unsigned i = 0; i < 2; i++) {
        writes++;
        if (TRY("wrmsr",
                : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                : "memory") != NO_FAULT)
            faults++;
        value = i ? 0 : value & 0xff;
    }
}

static void range(uint32_t start, uint32_t end)
{
    for (uint32_t i = start; i < end; i++)
        one(i);
}

void guest_main(void)
{
    range(0, 0x2000);
    check("hostile_msrs.intel_range", true);
    range(0x40000000u, 0x40000200u);
    range(0x4b564d00u, 0x4b564d20u);
    check("hostile_msrs.hypervisor_range", true);
    range(0xc0000000u, 0xc0002000u);
    check("hostile_msrs.amd_range", true);
    range(0xc0010000u, 0xc0012000u);
    check("hostile_msrs.amd_k8_range", true);
    for (unsigned i = 0; i < 2000; i++)
        one((uint32_t)next() | 0x20000000u);
    check("hostile_msrs.random", true);
    say("info %u reads, %u writes, %u faults\n", reads, writes, faults);
}
