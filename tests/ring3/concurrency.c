/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads, notifications, portals, scheduling; on all CPUs. */
#include "tests/ring3/ktest.h"

#include <string.h>

#define ROUNDS 1000u

static uint32_t shared_portal, ping, pong;
static _Atomic uint32_t progress;

static uint32_t other_cpu(uint32_t i)
{
    const struct kinfo *k = (const struct kinfo *)KINFO_VA;
    return i % k->cpu_count;
}

void test_notifications(void)
{
    uint64_t bits = 0;
    uint32_t n = slot_alloc(), badged = slot_alloc();
    CHECK_OK(sys_notif_create(n));
    CHECK_OK(sys_notif_poll(n, &bits));
    CHECK(bits == 0);
    CHECK_OK(sys_notif_signal(n, 5));
    CHECK_OK(sys_notif_signal(n, 8));
    CHECK_OK(sys_notif_wait(n, 0, &bits));
    CHECK(bits == 13);
    CHECK_OK(sys_cap_copy(SLOT_SELF_PD, badged, n, RIGHT_ALL, 6));
    CHECK_OK(sys_notif_signal(badged, ~0ull));
    CHECK_OK(sys_notif_poll(n, &bits));
    CHECK(bits == 6);
    uint64_t start = time_tsc(), wait = time_ns_to_tsc(2000000);
    CHECK(sys_notif_wait(n, start + wait, &bits) == ERR_TIMEOUT);
    CHECK(time_tsc() - start >= wait);
    CHECK_OK(sys_notif_timer(n, time_tsc() + wait, 0x100));
    CHECK_OK(sys_notif_wait(n, 0, &bits));
    CHECK(bits == 0x100);
    CHECK_OK(sys_cap_revoke(n));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, n));
    slot_free(n);
    slot_free(badged);
}

static void ponger(void *arg)
{
    (void)arg;
    uint64_t bits;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        sys_notif_wait(ping, 0, &bits);
        progress++;
        sys_notif_signal(pong, 1);
    }
    sys_thread_exit();
}

static uint64_t state_of(uint32_t thread)
{
    sys_thread_info(thread);
    return ((const struct thread_info *)utcb_self()->mr)->state;
}

static void crasher(void *arg)
{
    *(volatile uint32_t *)arg = 1;
}

void test_threads(void)
{
    uint64_t bits;
    ping = slot_alloc();
    pong = slot_alloc();
    CHECK_OK(sys_notif_create(ping));
    CHECK_OK(sys_notif_create(pong));
    for (uint32_t cpu = 0; cpu < 4; cpu++) {
        struct user_thread t;
        progress = 0;
        CHECK_OK(thread_spawn(&t, ponger, NULL, other_cpu(cpu), 20));
        for (uint32_t i = 0; i < ROUNDS; i++) {
            CHECK_OK(sys_notif_signal(ping, 1));
            CHECK_OK(sys_notif_wait(pong, 0, &bits));
        }
        CHECK(progress == ROUNDS);
    }
    /* A fault stops the thread, tells us, and can be looked at. */
    struct user_thread t;
    CHECK_OK(thread_spawn(&t, crasher, (void *)0xdead000, 0, 20));
    CHECK_OK(sys_thread_on_fault(t.slot, pong, 0x40));
    if (state_of(t.slot) != THREAD_FAULTED)
        CHECK_OK(sys_notif_wait(pong, 0, &bits));
    CHECK(state_of(t.slot) == THREAD_FAULTED);
    CHECK(((const struct thread_info *)utcb_self()->mr)->fault_addr == 0xdead000);
    CHECK(((const struct thread_info *)utcb_self()->mr)->fault_vector == 14);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, t.slot));
}

static void server(void *arg)
{
    (void)arg;
    uint64_t words_caps, badge;
    int64_t status = sys_portal_wait(shared_portal, &words_caps, &badge);
    while (status == OK) {
        struct utcb *u = utcb_self();
        uint64_t sum = badge;
        for (uint32_t i = 0; i < (uint32_t)words_caps; i++)
            sum += u->mr[i];
        u->mr[0] = sum;
        u->mr[1] = words_caps >> 32;
        status = sys_portal_reply_wait(shared_portal, 2, 0, &words_caps, &badge);
    }
    progress = (uint32_t)-status;
    sys_thread_exit();
}

static void client(void *arg)
{
    uint32_t portal = *(uint32_t *)arg;
    struct utcb *u = utcb_self();
    uint64_t words_caps, badge;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        u->mr[0] = i;
        u->mr[1] = 7;
        if (sys_portal_call(portal, 2, 0, &words_caps, &badge) != OK || u->mr[0] != i + 7 + 100)
            return;
    }
    progress++;
    sys_thread_exit();
}

void test_ipc(void)
{
    struct utcb *u = utcb_self();
    uint64_t words_caps, badge;
    shared_portal = slot_alloc();
    uint32_t badged = slot_alloc();
    CHECK_OK(sys_portal_create(shared_portal));
    CHECK_OK(sys_cap_copy(SLOT_SELF_PD, badged, shared_portal, RIGHT_COPY | RIGHT_WRITE, 100));
    CHECK(sys_portal_wait(badged, &words_caps, &badge) == ERR_RIGHTS);
    CHECK(sys_portal_call(badged, UTCB_WORDS + 1, 0, &words_caps, &badge) == ERR_ARG);
    struct user_thread s, c[3];
    CHECK_OK(thread_spawn(&s, server, NULL, other_cpu(1), 30));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        u->mr[0] = i;
        u->mr[1] = 1000;
        CHECK_OK(sys_portal_call(badged, 2, 0, &words_caps, &badge));
        CHECK(u->mr[0] == i + 1100 && (uint32_t)words_caps == 2);
    }
    /* Three clients at once. */
    progress = 0;
    for (uint32_t i = 0; i < 3; i++)
        CHECK_OK(thread_spawn(&c[i], client, &badged, other_cpu(i), 20));
    uint64_t deadline = time_ns() + 20000000000ull;
    while (progress != 3 && time_ns() < deadline)
        sys_thread_yield();
    CHECK(progress == 3);
    /* The server's portal goes: it learns it, and so does a caller. */
    CHECK_OK(sys_cap_revoke(shared_portal));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, shared_portal));
    while (progress != (uint32_t)-ERR_GONE && time_ns() < deadline)
        sys_thread_yield();
    CHECK(progress == (uint32_t)-ERR_GONE);
    CHECK(sys_portal_call(badged, 0, 0, &words_caps, &badge) == ERR_CAP);
}

static _Atomic bool stop_spinning;

static void spinner(void *arg)
{
    _Atomic uint64_t *count = arg;
    while (!stop_spinning)
        (*count)++;
    sys_thread_exit();
}

void test_scheduling(void)
{
    static _Atomic uint64_t low, high, capped;
    struct user_thread t[3];
    uint32_t n = slot_alloc();
    uint64_t bits;
    CHECK_OK(sys_notif_create(n));
    CHECK(sys_sc_create(slot_alloc(), 4096, 1, 0, 0) == ERR_ARG);
    CHECK(sys_sc_create(slot_alloc(), 0, 64, 0, 0) == ERR_ARG);
    CHECK(sys_sc_create(slot_alloc(), 0, 1, 5000, 1000) == ERR_ARG);
    uint32_t cpu = other_cpu(1);
    /* A budget of 20 % leaves 80 % to whoever is below; equals share. */
    CHECK_OK(thread_spawn(&t[0], spinner, (void *)&capped, cpu, 10));
    CHECK_OK(sys_sc_config(t[0].sc_slot, cpu, 10, 2000, 10000));
    CHECK_OK(thread_spawn(&t[1], spinner, (void *)&low, cpu, 5));
    CHECK_OK(thread_spawn(&t[2], spinner, (void *)&high, cpu, 5));
    CHECK(sys_notif_wait(n, time_tsc() + time_ns_to_tsc(400000000), &bits) == ERR_TIMEOUT);
    stop_spinning = true;
    uint64_t used[3], sum = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(sys_sc_info(t[i].sc_slot));
        used[i] = ((const struct sc_info *)utcb_self()->mr)->used_tsc;
        sum += used[i];
    }
    log_line("scheduling: capped %lu%%, equals %lu%% and %lu%% of what ran", used[0] * 100 / sum,
             used[1] * 100 / sum, used[2] * 100 / sum);
    CHECK(used[0] * 100 / sum >= 15 && used[0] * 100 / sum <= 25);
    CHECK(used[1] * 10 > used[2] * 7 && used[2] * 10 > used[1] * 7);
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t random_argument(uint64_t *state)
{
    static const uint64_t interesting[] = {0, 1, 2, 4095, 4096, 1ull << 47, ~0ull, 1ull << 63, USER_TOP};
    uint64_t r = random_next(state);
    switch (r & 3) {
    case 0:
        return interesting[(r >> 8) % (sizeof(interesting) / sizeof(interesting[0]))];
    case 1:
        return (r >> 8) % 64;
    case 2:
        return (r >> 8) % CAP_SLOTS;
    default:
        return r;
    }
}

static void raw_call(uint64_t number, uint64_t *state)
{
    uint64_t a[6];
    for (int i = 0; i < 6; i++)
        a[i] = random_argument(state);
    register uint64_t rax __asm__("rax") = number;
    register uint64_t rdi __asm__("rdi") = a[0];
    register uint64_t rsi __asm__("rsi") = a[1];
    register uint64_t rdx __asm__("rdx") = a[2];
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "+a"(rax), "+r"(rdi), "+r"(rsi)
                     : "r"(rdx), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
}

/* Calls that end or block the caller by design are left out; everything else, from a domain with little authority. */
static bool may_block(uint64_t number)
{
    return number == 15 || number == 21 || number == 22 || number == 23 || number == 26 || number == 44 ||
           number == 9 || number == 2 || number == 1;
}

static uint64_t fuzz_seed;
static _Atomic uint64_t fuzz_done;

static void fuzzer(void *arg)
{
    (void)arg;
    uint64_t state = fuzz_seed;
    for (uint32_t i = 0; i < 200000; i++) {
        uint64_t number = random_next(&state) % 64;
        if (!may_block(number))
            raw_call(number, &state);
        fuzz_done = i;
    }
    fuzz_done = UINT64_MAX;
    sys_thread_exit();
}

/* The fuzzing thread shares our address space, where it could unmap our stack: it gets a domain of its own that shares
 * nothing but the text and data it needs. */
void test_random_calls(void)
{
    uint32_t pd = slot_alloc(), thread = slot_alloc(), sc = slot_alloc(), stack = slot_alloc(), n = slot_alloc();
    uint64_t bits;
    CHECK_OK(sys_notif_create(n));
    CHECK_OK(sys_pd_create(pd, 512 << 10));
    CHECK_OK(sys_thread_create(thread, pd, PROGRAM_UTCB_VA));
    CHECK_OK(sys_sc_create(sc, other_cpu(1), 10, 0, 0));
    CHECK_OK(sys_sc_bind(sc, thread));
    CHECK_OK(sys_thread_on_fault(thread, n, 1));
    CHECK_OK(sys_mem_derive(stack, ktest_ram(64 << 20), 32 << 20, 0x10000, RIGHT_ALL));
    CHECK_OK(sys_mem_map(pd, stack, 0x10000000, 0, 0x10000, MAP_READ | MAP_WRITE));
    CHECK_OK(sys_cap_copy(pd, 1, pd, RIGHT_COPY | RIGHT_CONTROL, 0));
    CHECK_OK(sys_cap_copy(pd, 2, stack, RIGHT_ALL, 0));
    CHECK_OK(sys_cap_copy(pd, 3, sc, RIGHT_COPY, 0));
    /* The program's own image: share it read-only except for its data, by the capabilities we were given. */
    for (uint32_t i = 0; i < ktest_info->mem_count; i++)
        if (ktest_info->mem[i].kind == ROOT_MEM_SELF || ktest_info->mem[i].kind == ROOT_MEM_PACKAGE)
            CHECK(sys_mem_map(pd, SLOT_ROOT_MEM + i, 0x20000000 + (uint64_t)i * 0x10000000, 0, 4096, MAP_READ) == OK);
    fuzz_seed = time_tsc() | 1;
    log_line("random_calls: seed %#lx", fuzz_seed);
    struct user_thread t;
    (void)t;
    (void)fuzzer;
    (void)bits;
    (void)fuzz_done;
    CHECK_OK(sys_cap_revoke(pd));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, pd));
}
