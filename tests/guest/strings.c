/* SPDX-License-Identifier: BSD-2-Clause */
/* INS and OUTS with REP, both directions, all widths, faults in the middle. */
#include "lib/guest.h"

#define SCRATCH 0x3ffu
static uint8_t buffer[8192] __attribute__((aligned(4096)));

static void outs(void)
{
    for (uint32_t i = 0; i < 16; i++)
        buffer[i] = (uint8_t)(0x10 + i);
    const void *from = buffer;
    uint64_t count = 16;
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(SCRATCH) : "memory");
    check_eq("strings.outsb_last_byte", inb(SCRATCH), 0x1f);
    check_eq("strings.outsb_count", count, 0);
    check_eq("strings.outsb_pointer", (uint64_t)from, (uint64_t)buffer + 16);
    from = buffer + 7;
    count = 4;
    __asm__ volatile("std; rep outsb; cld"
                     : "+S"(from), "+c"(count)
                     : "d"(SCRATCH)
                     : "memory", "cc");
    check_eq("strings.outsb_backwards", inb(SCRATCH), 0x14);
    check_eq("strings.outsb_backwards_pointer", (uint64_t)from, (uint64_t)buffer + 3);
    from = buffer + 3;
    __asm__ volatile("outsb" : "+S"(from) : "d"(SCRATCH) : "memory");
    check_eq("strings.outsb_single", inb(SCRATCH), 0x13);
    from = buffer;
    count = 0;
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(SCRATCH) : "memory");
    check_eq("strings.outsb_zero_count", inb(SCRATCH), 0x13);
}

static void ins(void)
{
    outb(SCRATCH, 0xa7);
    memset(buffer, 0, 64);
    void *to = buffer;
    uint64_t count = 32;
    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(SCRATCH) : "memory");
    bool all = true;
    for (uint32_t i = 0; i < 32; i++)
        all = all && buffer[i] == 0xa7;
    check("strings.insb_all", all);
    check_eq("strings.insb_stops", buffer[32], 0);
    check_eq("strings.insb_count", count, 0);
    outl(0xcf8, 0x80000000u);
    uint32_t id = inl(0xcfc);
    uint32_t *words = (uint32_t *)buffer;
    to = buffer;
    count = 3;
    __asm__ volatile("rep insl" : "+D"(to), "+c"(count) : "d"(0xcfc) : "memory");
    check("strings.insl", words[0] == id && words[1] == id && words[2] == id);
    to = buffer;
    __asm__ volatile("insw" : "+D"(to) : "d"(0xcfc) : "memory");
    check_eq("strings.insw", *(uint16_t *)buffer, id & 0xffff);
    check_eq("strings.insw_pointer", (uint64_t)to, (uint64_t)buffer + 2);
}

static void segment_override(void)
{
    uint64_t old = rdmsr(MSR_FS_BASE);
    buffer[100] = 0x77;
    wrmsr(MSR_FS_BASE, (uint64_t)buffer);
    uint64_t from = 100;
    __asm__ volatile("fs outsb" : "+S"(from) : "d"(SCRATCH) : "memory");
    wrmsr(MSR_FS_BASE, old);
    check_eq("strings.fs_override", inb(SCRATCH), 0x77);
}

static void address_size(void)
{
    uint64_t from = (uint64_t)(buffer + 100) | 0xff00000000ull;
    buffer[100] = 0x78;
    __asm__ volatile("addr32 outsb" : "+S"(from) : "d"(SCRATCH) : "memory");
    check_eq("strings.address_size_32", inb(SCRATCH), 0x78);
    check_eq("strings.address_size_32_wraps", from, (uint64_t)(buffer + 101) & 0xffffffff);
}

/* A REP INS that runs into a missing page stops exactly there, and goes on once the page is there.
 */
static void fault_in_the_middle(void)
{
    static uint64_t pd[512] __attribute__((aligned(4096)));
    static uint64_t pt[512] __attribute__((aligned(4096)));
    uint64_t window = 10ull << 30;
    pd[0] = (uint64_t)pt | 3;
    pt[0] = (uint64_t)buffer | 3;
    pt[1] = 0;
    pdpt[10] = (uint64_t)pd | 3;
    outb(SCRATCH, 0x3c);
    uint64_t to = window + 4096 - 8, count = 20;
    int r = TRY("rep insb", "+D"(to), "+c"(count) : "d"(SCRATCH) : "memory");
    check_eq("strings.fault_in_ins", (uint64_t)r, PF);
    check_eq("strings.fault_address", fault.cr2, window + 4096);
    check_eq("strings.fault_error", fault.error, 2);
    check_eq("strings.fault_count", count, 12);
    check_eq("strings.fault_pointer", to, window + 4096);
    pt[1] = ((uint64_t)buffer + 4096) | 3;
    r = TRY("rep insb", "+D"(to), "+c"(count) : "d"(SCRATCH) : "memory");
    check_eq("strings.goes_on", (uint64_t)r, (uint64_t)NO_FAULT);
    check_eq("strings.goes_on_count", count, 0);
    check_eq("strings.second_page_filled", buffer[4096 + 11], 0x3c);
}

void guest_main(void)
{
    outs();
    ins();
    segment_override();
    address_size();
    fault_in_the_middle();
}
