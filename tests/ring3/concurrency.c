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
    CHECK_OK(sys_notif_timer(badged, start, 0xff));
    CHECK_OK(sys_notif_wait(n, 0, &bits));
    CHECK(bits == 6);
    start = time_tsc();
    CHECK(sys_notif_wait(n, start + wait, &bits) == ERR_TIMEOUT);
    CHECK(time_tsc() - start >= wait);
    CHECK_OK(sys_notif_timer(n, time_tsc() + wait, 0x100));
    CHECK_OK(sys_notif_wait(n, 0, &bits));
    CHECK(bits == 0x100);
    CHECK_OK(sys_notif_signal_wait(n, 0, badged, 0xff, &bits)); /* to itself */
    CHECK(bits == 6);
    CHECK(sys_notif_signal_wait(n, 0, SLOT_SELF_PD, 1, &bits) == ERR_CAP);
    CHECK_OK(sys_cap_revoke(n));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, n));
    slot_free(n);
    slot_free(badged);
}

static void ponger(void *arg)
{
    (void)arg;
    uint64_t bits;
    sys_notif_wait(ping, 0, &bits);
    for (uint32_t i = 1; i < ROUNDS; i++) {
        progress++;
        sys_notif_signal_wait(ping, 0, pong, 1, &bits);
    }
    progress++;
    sys_notif_signal(pong, 1);
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
    CHECK_OK(sys_pd_info(SLOT_SELF_PD));
    const struct pd_info *pd = (const struct pd_info *)utcb_self()->mr;
    CHECK(pd->faults == 1 && pd->fault.fault_addr == 0xdead000);
}

static void parent(void *arg)
{
    static struct user_thread child;
    CHECK_OK(thread_spawn(&child, crasher, arg, 0, 20));
    sys_thread_exit();
}

/* Who watches over a thread hears of the threads that it makes, in the bits it may signal. */
void test_supervision(void)
{
    uint64_t bits = 0;
    uint32_t n = slot_alloc(), badged = slot_alloc();
    struct user_thread first;
    CHECK_OK(sys_notif_create(n));
    CHECK_OK(sys_cap_copy(SLOT_SELF_PD, badged, n, RIGHT_ALL, 0x30));
    CHECK_OK(sys_thread_on_fault(SLOT_SELF_THREAD, badged, 0xf0));
    CHECK_OK(thread_spawn(&first, parent, (void *)0xbad000, 0, 20));
    for (uint32_t ended = 0; ended < 2;) {
        CHECK_OK(sys_notif_wait(n, 0, &bits));
        CHECK(bits == 0x30);
        CHECK_OK(sys_pd_info(SLOT_SELF_PD));
        bool faulted = ((const struct pd_info *)utcb_self()->mr)->faults == 2;
        ended = faulted && state_of(first.slot) == THREAD_FAULTED ? 2 : 1;
    }
    CHECK_OK(sys_pd_info(SLOT_SELF_PD));
    /* The first fault is the one that is kept. */
    CHECK(((const struct pd_info *)utcb_self()->mr)->fault.fault_addr == 0xdead000);
}

/* Lets threads of any priority run. */
static void pause_ms(uint64_t ms)
{
    uint64_t bits;
    sys_notif_wait(pong, time_tsc() + time_ns_to_tsc(ms * 1000000), &bits);
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
        pause_ms(1);
    CHECK(progress == 3);
    /* The server's portal goes: it learns it, waiting already (ERR_GONE) or just about to
     * (ERR_CAP), and so does a caller. */
    CHECK_OK(sys_cap_revoke(shared_portal));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, shared_portal));
    deadline = time_ns() + 20000000000ull;
    while (progress == 3 && time_ns() < deadline)
        pause_ms(1);
    CHECK(progress == (uint32_t)-ERR_GONE || progress == (uint32_t)-ERR_CAP);
    CHECK(sys_portal_call(badged, 0, 0, &words_caps, &badge) == ERR_CAP);
}

static void caller(void *arg)
{
    uint64_t words_caps, badge;
    while (sys_portal_call(*(uint32_t *)arg, 0, 0, &words_caps, &badge) == OK)
        progress++;
    sys_thread_exit();
}

/* Callers and signals that never cease: they take turns. */
void test_turns(void)
{
    struct user_thread c[2];
    uint64_t result, badge, seen[2] = {0, 0};
    uint32_t n = slot_alloc(), p = slot_alloc();
    CHECK_OK(sys_notif_create(n));
    CHECK_OK(sys_thread_bind(SLOT_SELF_THREAD, n));
    CHECK_OK(sys_portal_create(p));
    /* Below the callers, which must get to call again. */
    CHECK_OK(sys_sc_info(SLOT_SELF_SC));
    uint32_t priority = (uint32_t)((const struct sc_info *)utcb_self()->mr)->priority;
    CHECK_OK(sys_sc_config(SLOT_SELF_SC, 0, 30, 0, 0));
    for (uint32_t i = 0; i < 2; i++)
        CHECK_OK(thread_spawn(&c[i], caller, &p, 0, 40));
    for (uint32_t i = 0; i < 2; i++)
        while (state_of(c[i].slot) != THREAD_BLOCKED)
            pause_ms(1);
    int64_t status = sys_portal_wait(p, &result, &badge);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(status == OK || status == NOTIFIED);
        seen[status == NOTIFIED]++;
        sys_notif_signal(n, 1);
        status = sys_portal_reply_wait(p, 0, 0, &result, &badge);
    }
    log_line("turns: %lu calls, %lu notifications", seen[0], seen[1]);
    CHECK(seen[0] == 50 && seen[1] == 50);
    CHECK_OK(sys_sc_config(SLOT_SELF_SC, 0, priority, 0, 0));
    CHECK_OK(sys_notif_poll(n, &result)); /* it stays bound, and silent */
    CHECK_OK(sys_cap_revoke(p));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, p));
}

static void spin_for_ever(void)
{
    for (;;)
        progress++;
}

static void busy_us(uint64_t us)
{
    for (uint64_t end = time_tsc() + time_ns_to_tsc(us * 1000); time_tsc() < end;)
        ;
}

static _Atomic bool stop_interrupting;

static void interrupter(void *arg)
{
    uint64_t bits;
    while (!stop_interrupting && sys_notif_wait(*(uint32_t *)arg, 0, &bits) == OK)
        busy_us(200);
    sys_thread_exit();
}

static void waker(void *arg)
{
    for (; !stop_interrupting; busy_us(300))
        sys_notif_signal(*(uint32_t *)arg, 1);
    sys_notif_signal(*(uint32_t *)arg, 1);
    sys_thread_exit();
}

/* A thread is deleted while it runs on another CPU, where at that moment one of higher priority
 * wakes: nothing of it may stay in that CPU's queue. The memory is used again at once. */
void test_kill_while_preempted(void)
{
    static uint8_t stack[4096] __attribute__((aligned(16)));
    const uint64_t utcb = PROGRAM_UTCB_VA + 0x1000000;
    struct user_thread high, other;
    uint32_t n = slot_alloc(), thread = slot_alloc(), sc = slot_alloc();
    CHECK_OK(sys_notif_create(n));
    CHECK_OK(thread_spawn(&high, interrupter, &n, other_cpu(1), 40));
    CHECK_OK(thread_spawn(&other, waker, &n, other_cpu(2), 1));
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t before = progress;
        CHECK_OK(sys_thread_create(thread, SLOT_SELF_PD, utcb));
        CHECK_OK(sys_sc_create(sc, SLOT_MACHINE, other_cpu(1), 10, 0, 0));
        CHECK_OK(sys_sc_bind(sc, thread));
        CHECK_OK(sys_thread_start(thread, (uintptr_t)spin_for_ever,
                                  (uintptr_t)stack + sizeof(stack) - 8, 0));
        /* A busy host may leave an emulated CPU alone for some time. */
        for (uint32_t k = 0; k < 1000 && progress == before; k++)
            pause_ms(1);
        CHECK(progress != before);
        CHECK_OK(sys_cap_delete(SLOT_SELF_PD, thread));
        CHECK_OK(sys_cap_delete(SLOT_SELF_PD, sc));
    }
    stop_interrupting = true;
    while (state_of(high.slot) != THREAD_FAULTED || state_of(other.slot) != THREAD_FAULTED)
        pause_ms(1);
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
    CHECK(sys_sc_create(slot_alloc(), SLOT_MACHINE, 4096, 1, 0, 0) == ERR_ARG);
    CHECK(sys_sc_create(slot_alloc(), SLOT_MACHINE, 0, 64, 0, 0) == ERR_ARG);
    CHECK(sys_sc_create(slot_alloc(), SLOT_MACHINE, 0, 1, 5000, 1000) == ERR_ARG);
    uint32_t cpu = other_cpu(1);
    /* A budget of 20 % leaves 80 % to whoever is below; equals share. A long period, because a busy
     * host that emulates this stretches each of the capped thread's turns. */
    CHECK_OK(thread_spawn(&t[0], spinner, (void *)&capped, cpu, 10));
    CHECK_OK(sys_sc_config(t[0].sc_slot, cpu, 10, 40000, 200000));
    CHECK_OK(thread_spawn(&t[1], spinner, (void *)&low, cpu, 5));
    CHECK_OK(thread_spawn(&t[2], spinner, (void *)&high, cpu, 5));
    CHECK(sys_notif_wait(n, time_tsc() + time_ns_to_tsc(2000000000), &bits) == ERR_TIMEOUT);
    stop_spinning = true;
    uint64_t used[3], sum = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(sys_sc_info(t[i].sc_slot));
        used[i] = ((const struct sc_info *)utcb_self()->mr)->used_tsc;
        sum += used[i];
    }
    log_line("scheduling: capped %lu%%, equals %lu%% and %lu%% of what ran", used[0] * 100 / sum,
             used[1] * 100 / sum, used[2] * 100 / sum);
    /* The exact shares are unit tests (tests/unit/runq.c): here an emulator on a busy machine keeps
     * the time. */
    CHECK(used[0] && used[1] && used[2]);
}
