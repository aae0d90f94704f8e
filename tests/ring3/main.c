/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/ring3/ktest.h"

#include "user/heap.h"
#include "user/power.h"

const struct root_info *ktest_info;
unsigned ktest_passed, ktest_failed;

#define HEAP_VA   0x0000500000000000ull
#define HEAP_SIZE 0x400000ull

void ktest_check(bool good, const char *file, int line, const char *text)
{
    if (good) {
        ktest_passed++;
        return;
    }
    ktest_failed++;
    log_line("not ok %s:%d: %s", file, line, text);
}

uint32_t ktest_ram(uint64_t size)
{
    for (uint32_t i = 0; i < ktest_info->mem_count; i++)
        if (ktest_info->mem[i].kind == ROOT_MEM_RAM && ktest_info->mem[i].size >= size)
            return SLOT_ROOT_MEM + i;
    return 0;
}

/* Threads take their stacks from the heap. */
static void make_heap(void)
{
    uint32_t slot = slot_alloc();
    CHECK_OK(sys_mem_derive(slot, ktest_ram(2 * HEAP_SIZE), 0, HEAP_SIZE, RIGHT_ALL));
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, slot, HEAP_VA, 0, HEAP_SIZE, MAP_READ | MAP_WRITE));
    heap_init((void *)HEAP_VA, HEAP_SIZE);
}

static uint64_t kernel_memory_used(void)
{
    sys_machine_info(SLOT_MACHINE);
    const struct machine_info *info = (const struct machine_info *)utcb_self()->mr;
    return info->kmem_total - info->kmem_free;
}

static void run(const char *name, void (*test)(void))
{
    unsigned failed = ktest_failed;
    test();
    log_line("%s %s, kernel memory %lu KiB", failed == ktest_failed ? "ok" : "not ok", name,
             kernel_memory_used() / 1024);
}

void root_main(const struct root_info *info)
{
    ktest_info = info;
    make_heap();
    power_init(info);
    run("capabilities", test_capabilities);
    run("memory", test_memory);
    run("notifications", test_notifications);
    run("dma", test_dma);
    run("threads", test_threads);
    run("supervision", test_supervision);
    run("ipc", test_ipc);
    run("turns", test_turns);
    run("kill while preempted", test_kill_while_preempted);
    run("domains", test_domains);
    run("scheduling", test_scheduling);
    run("weights", test_weights);
    run("wandering", test_wandering);
    run("cap", test_cap);
    run("reservation", test_reservation);
    run("admission", test_admission);
    run("affinity", test_affinity);
    run("payers", test_payers);
    run("vcpu", test_vcpu);
    run("huge pages", test_huge_pages);
    run("random_calls", test_random_calls);
    log_line("%u passed, %u failed", ktest_passed, ktest_failed);
    for (;;)
        power_off();
}
