/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk of the guest's page tables, in each paging mode. */
#include "test.h"
#include <stdint.h>
#include "vmm/guest_mem.c"
#include "vmm/paging_walk.c"
#include "vmm/x86.h"

#define RAM    0x200000u
#define DATA   0x110000u
#define TABLES 0x1000u

static uint8_t ram[RAM];
static struct guest_mem mem;

static void put64(uint32_t gpa, uint64_t value)
{
    memcpy(ram + gpa, &value, 8);
}

/* Long mode: 2 MiB pages 1:1, all permissions; small_page() refines the first of them. */
static void setup(void)
{
    memset(ram, 0, sizeof(ram));
    memset(&mem, 0, sizeof(mem));
    guest_mem_add(&mem, 0, RAM, ram, true);
    put64(TABLES, (TABLES + 0x1000) | 7);
    put64(TABLES + 0x1000, (TABLES + 0x2000) | 7);
    for (uint32_t i = 0; i < 512; i++)
        put64(TABLES + 0x2000 + 8 * i, (uint64_t)i << 21 | 0x87);
}

static void small_page(uint32_t linear, uint64_t flags)
{
    /* One page table under the first 2 MiB. */
    put64(TABLES + 0x2000, 0x8000 | 7);
    for (uint32_t i = 0; i < 512; i++)
        if (!(ram[0x8000 + 8 * i] & 1))
            put64(0x8000 + 8 * i, (uint64_t)i << 12 | 7);
    put64(0x8000 + 8 * (linear >> 12), (linear & ~0xfffu) | flags);
}

TEST(smap_smep_nx)
{
    setup();
    uint64_t gpa;
    uint32_t error = 0;
    struct paging paging = {.cr0 = CR0_PE | CR0_PG | CR0_WP,
                            .cr3 = TABLES,
                            .cr4 = CR4_PAE | CR4_SMAP | CR4_SMEP,
                            .efer = EFER_LME | EFER_LMA | EFER_NXE,
                            .phys_bits = 40};
    CHECK(!paging_walk(&mem, &paging, DATA, 0, &gpa, &error));
    CHECK_EQ(error, PF_PRESENT);
    paging.rflags = RFLAGS_AC;
    CHECK(paging_walk(&mem, &paging, DATA, 0, &gpa, &error));
    CHECK(!paging_walk(&mem, &paging, DATA, WALK_IMPLICIT, &gpa, &error));
    CHECK(!paging_walk(&mem, &paging, DATA, WALK_FETCH, &gpa, &error));
    CHECK_EQ(error, PF_PRESENT | PF_FETCH);
    paging.cr4 = CR4_PAE;
    small_page(DATA, 7 | 1ull << 63);
    CHECK(!paging_walk(&mem, &paging, DATA, WALK_FETCH, &gpa, &error));
    CHECK(paging_walk(&mem, &paging, DATA, 0, &gpa, &error));
}

TEST(legacy_paging)
{
    setup();
    uint64_t gpa;
    uint32_t error = 0, entry = 0x3000 | 3, large = 0x00400000 | 1u << 13 | 0x83;
    memcpy(ram + 0x2000, &entry, 4);
    memcpy(ram + 0x2004, &large, 4);
    entry = 0x5000 | 3;
    memcpy(ram + 0x3000 + 4 * 7, &entry, 4);
    struct paging paging = {.cr0 = CR0_PE | CR0_PG, .cr3 = 0x2000, .cr4 = CR4_PSE, .phys_bits = 40};
    CHECK(paging_walk(&mem, &paging, 0x7123, 0, &gpa, &error));
    CHECK_EQ(gpa, 0x5123);
    CHECK(paging_walk(&mem, &paging, 0x00512345, 0, &gpa, &error));
    CHECK_EQ(gpa, 0x100512345ull); /* PSE-36 */
    CHECK(!paging_walk(&mem, &paging, 0x7123, WALK_USER, &gpa, &error));
    CHECK_EQ(error, PF_PRESENT | PF_USER);
    paging.cr0 = CR0_PE;
    CHECK(paging_walk(&mem, &paging, 0xfee00020, 0, &gpa, &error));
    CHECK_EQ(gpa, 0xfee00020);
}

TEST(pae_paging)
{
    setup();
    uint64_t gpa;
    uint32_t error = 0;
    put64(0x2020, 0x3000 | 1);
    put64(0x3000, 0x4000 | 7);
    put64(0x3008, 0x40000000 | 0x87);
    put64(0x4000 + 8 * 5, 0x9000 | 5);
    struct paging paging = {
        .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = 0x2020, .cr4 = CR4_PAE, .phys_bits = 40};
    CHECK(paging_walk(&mem, &paging, 0x5678, WALK_USER, &gpa, &error));
    CHECK_EQ(gpa, 0x9678);
    CHECK(!paging_walk(&mem, &paging, 0x5678, WALK_WRITE, &gpa, &error));
    CHECK(paging_walk(&mem, &paging, 0x234567, 0, &gpa, &error));
    CHECK_EQ(gpa, 0x40034567);
}

/* The short form and the full walk agree: the first call sets accessed and dirty bits the long way,
 * the second takes the short one. */
TEST(short_form)
{
    setup();
    uint64_t slow = 0, fast = 0;
    uint32_t error = 0;
    struct paging paging = {.cr0 = CR0_PE | CR0_PG | CR0_WP,
                            .cr3 = TABLES,
                            .cr4 = CR4_PAE,
                            .efer = EFER_LME | EFER_LMA | EFER_NXE,
                            .phys_bits = 40};
    for (uint64_t linear = 0x1234; linear < 0x40000000; linear += 0x1357913) {
        CHECK(!walk_long_mode(&mem, &paging, linear, WALK_WRITE, &fast, NULL));
        CHECK(paging_walk(&mem, &paging, linear, WALK_WRITE, &slow, &error));
        CHECK(walk_long_mode(&mem, &paging, linear, WALK_WRITE | WALK_USER, &fast, NULL));
        CHECK_EQ(fast, slow);
    }
    small_page(DATA, 0x65); /* read-only */
    CHECK(!walk_long_mode(&mem, &paging, DATA, WALK_WRITE, &fast, NULL));
    small_page(DATA, 0x67 | 1ull << 45); /* reserved */
    CHECK(!walk_long_mode(&mem, &paging, DATA, 0, &fast, NULL));
    put64(TABLES, (TABLES + 0x1000) | 0x21); /* supervisor, one level up */
    CHECK(!walk_long_mode(&mem, &paging, 0x400000, WALK_USER, &fast, NULL));
}

/* A walk that was kept goes the same way until a register or an entry on it changes. */
TEST(a_trail_is_left)
{
    setup();
    small_page(DATA, 7);
    struct walk_trail trail;
    uint64_t gpa = 0;
    uint32_t error;
    struct paging paging = {.cr0 = CR0_PE | CR0_PG | CR0_WP,
                            .cr3 = TABLES,
                            .cr4 = CR4_PAE,
                            .efer = EFER_LME | EFER_LMA | EFER_NXE,
                            .phys_bits = 40};
    CHECK(!paging_trail(&mem, &paging, DATA, WALK_FETCH, &gpa, &trail)); /* not accessed yet */
    CHECK(paging_walk(&mem, &paging, DATA, WALK_FETCH, &gpa, &error));
    CHECK(paging_trail(&mem, &paging, DATA + 5, WALK_FETCH, &gpa, &trail));
    CHECK_EQ(gpa, DATA + 5);
    CHECK(paging_unchanged(&trail, &paging));
    for (uint32_t level = 0; level < 4; level++) {
        uint64_t at = (uint64_t)((const uint8_t *)trail.at[level] - ram);
        put64((uint32_t)at, trail.entry[level] ^ 2);
        CHECK(!paging_unchanged(&trail, &paging));
        put64((uint32_t)at, trail.entry[level]);
    }
    CHECK(paging_unchanged(&trail, &paging));
    uint64_t *const registers[] = {&paging.cr0, &paging.cr3, &paging.cr4, &paging.efer};
    for (uint32_t i = 0; i < 4; i++) {
        *registers[i] ^= 0x1000;
        CHECK(!paging_unchanged(&trail, &paging));
        *registers[i] ^= 0x1000;
    }
    paging.efer &= ~EFER_LMA;
    CHECK(!paging_trail(&mem, &paging, DATA, WALK_FETCH, &gpa, &trail));
}
