/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest that runs on a leaf of 1 GiB, which is then cut: by taking a page out of it, and by
 * looking what is written. Without paging, so that each address is guest-physical. */
#include "tests/ring3/ktest.h"

#include "abi/kinfo.h"
#include "abi/vcpu.h"
#include <string.h>

#define GIB      0x40000000ull
#define LARGE    0x200000ull
#define LARGES   512u
#define RAM_VA   0x0000510000000000ull
#define PAGE_VA  0x0000520000000000ull
#define HUGE_VA  0x0000530000000000ull
#define HUGE_GPA GIB
#define HOLE     (HUGE_GPA + LARGE + 0x1000)
#define LOGGED   (HUGE_GPA + GIB / 2)
#define LOW_SIZE 0x200000ull
#define CODE     0x10000u
#define TABLE    4096u

__asm__("        .section .rodata\n"
        "        .code32\n"
        "huge_guest_start:\n"
        "        mov     $0x40000000, %ebx\n"
        "        mov     $512, %ecx\n"
        "1:      cmp     %ebx, (%ebx)\n" /* the test has written each address to its place */
        "        jne     2f\n"
        "        mov     %ecx, 4(%ebx)\n"
        "        add     $0x200000, %ebx\n"
        "        dec     %ecx\n"
        "        jnz     1b\n"
        "2:      mov     %ecx, %eax\n"
        "        out     %eax, $0x10\n" /* now the test takes HOLE away */
        "        mov     0x40201000, %eax\n"
        "        out     %eax, $0x11\n"
        "        mov     0x40200000, %eax\n"
        "        out     %eax, $0x12\n" /* now what is written is logged */
        "        movl    $7, 0x60001004\n"
        "        out     %eax, $0x13\n"
        "huge_guest_end:\n"
        "        .code64\n"
        "        .text\n");

extern const char huge_guest_start[], huge_guest_end[];

static struct vcpu_page *const page = (struct vcpu_page *)PAGE_VA;

static uint32_t *at(uint64_t gpa)
{
    return (uint32_t *)(HUGE_VA + (gpa - HUGE_GPA));
}

static uint64_t memory_used(void)
{
    sys_pd_info(SLOT_SELF_PD);
    return ((const struct pd_info *)utcb_self()->mr)->kmem_used;
}

/* 1 GiB of RAM that lies as a leaf of that size must. */
static bool find_gib(uint32_t slot)
{
    for (uint32_t i = 0; i < ktest_info->mem_count; i++) {
        const struct root_mem *mem = &ktest_info->mem[i];
        uint64_t skip = -mem->base & (GIB - 1);
        if (mem->kind != ROOT_MEM_RAM || mem->size < skip || mem->size - skip < GIB)
            continue;
        CHECK_OK(sys_mem_derive(slot, SLOT_ROOT_MEM + i, skip, GIB, RIGHT_ALL));
        return true;
    }
    return false;
}

static void set_state(uint32_t vcpu)
{
    for (uint32_t i = 0; i < SEG_COUNT; i++)
        page->seg[i] = (struct vcpu_segment){.limit = 0xffffffff, .selector = 0x10, .attr = 0x0c93};
    page->seg[SEG_CS] = (struct vcpu_segment){.limit = 0xffffffff, .selector = 8, .attr = 0x0c9b};
    page->seg[SEG_LDTR] = (struct vcpu_segment){.attr = SEG_ATTR_UNUSABLE};
    page->seg[SEG_TR] = (struct vcpu_segment){.limit = 0x67, .attr = 0x008b};
    page->cr0 = 0x31;
    page->rip = CODE;
    page->rflags = 2;
    CHECK_OK(sys_vcpu_set(vcpu, VCPU_GROUP_CORE | VCPU_GROUP_SEGS | VCPU_GROUP_CTRL));
}

/* Runs to the next OUT to that port; what the guest said. */
static uint32_t run_to(uint32_t vcpu, uint16_t port)
{
    uint64_t bits;
    int64_t status = sys_vcpu_run(vcpu, &bits);
    while (status == OK && page->reason == VCPU_EXIT_NONE)
        status = sys_vcpu_run(vcpu, &bits);
    CHECK_OK(status);
    CHECK(page->reason == VCPU_EXIT_PIO && page->exit.pio.port == port);
    page->rip = page->exit.pio.next_rip;
    page->dirty = VCPU_GROUP_CORE;
    return (uint32_t)page->gpr[GPR_RAX];
}

static void check_all_of_it(uint32_t vcpu)
{
    for (uint64_t i = 0; i < LARGES; i++)
        *at(HUGE_GPA + i * LARGE) = (uint32_t)(HUGE_GPA + i * LARGE);
    CHECK(run_to(vcpu, 0x10) == 0);
    for (uint64_t i = 0; i < LARGES; i++)
        CHECK(at(HUGE_GPA + i * LARGE)[1] == LARGES - i);
}

static void check_hole(uint32_t vcpu, uint32_t guest)
{
    uint64_t bits;
    CHECK_OK(sys_mem_unmap(guest, HOLE, 0x1000));
    CHECK_OK(sys_vcpu_run(vcpu, &bits));
    CHECK(page->reason == VCPU_EXIT_MMIO && page->exit.mmio.gpa == HOLE);
    page->gpr[GPR_RAX] = 0xbeef;
    page->rip += 5; /* MOV EAX, moffs32 */
    page->dirty = VCPU_GROUP_CORE;
    CHECK(run_to(vcpu, 0x11) == 0xbeef);
    CHECK(run_to(vcpu, 0x12) == HUGE_GPA + LARGE);
}

static void check_log(uint32_t vcpu, uint32_t guest)
{
    uint64_t pages = 0;
    int64_t status = sys_guest_dirty(guest, LOGGED, LARGE, 1, &pages);
    if (status == ERR_CPU)
        return;
    CHECK_OK(status);
    run_to(vcpu, 0x13);
    CHECK(at(LOGGED)[0x1004 / 4] == 7);
    CHECK(sys_guest_dirty(guest, LOGGED, LARGE, 0, &pages) == OK && pages == 1);
}

static void run_guest(uint32_t guest, uint32_t huge)
{
    uint32_t low = slot_alloc(), vcpu = slot_alloc();
    CHECK_OK(sys_mem_derive(low, ktest_ram(0x2000000), 0x1000000, LOW_SIZE, RIGHT_ALL));
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, low, RAM_VA, 0, LOW_SIZE, MAP_READ | MAP_WRITE));
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, huge, HUGE_VA, 0, GIB, MAP_READ | MAP_WRITE));
    CHECK_OK(sys_mem_map(guest, low, 0, 0, LOW_SIZE, MAP_READ | MAP_WRITE | MAP_EXEC));
    memcpy((char *)RAM_VA + CODE, huge_guest_start, (size_t)(huge_guest_end - huge_guest_start));
    uint64_t before = memory_used();
    CHECK_OK(sys_mem_map(guest, huge, HUGE_GPA, 0, GIB, MAP_READ | MAP_WRITE));
    CHECK(memory_used() < before + TABLE); /* leaves of 2 MiB would need a table */
    CHECK_OK(sys_vcpu_create(vcpu, guest, 0, PAGE_VA));
    set_state(vcpu);
    check_all_of_it(vcpu);
    check_hole(vcpu, guest);
    CHECK(memory_used() > before + 2 * TABLE);
    check_log(vcpu, guest);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, vcpu));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, low));
}

void test_huge_pages(void)
{
    uint32_t guest = slot_alloc(), huge = slot_alloc();
    int64_t status = sys_guest_create(guest);
    if (status == ERR_CPU || !find_gib(huge)) {
        log_line("info no guest on a page of 1 GiB: status %lld", (long long)status);
        return;
    }
    CHECK_OK(status);
    run_guest(guest, huge);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, guest));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, huge));
}
