/* SPDX-License-Identifier: BSD-2-Clause */
/* The mutex on real threads, with notifications made of condition variables. */
#include "test.h"
#include "fake_syscalls.h"
#include "user/mutex.c"
#include <pthread.h>
#include <sched.h>

#define NOTIFS 64u

static pthread_mutex_t kernel = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t signalled = PTHREAD_COND_INITIALIZER;
static uint64_t pending[NOTIFS];
static uint32_t next_slot, live_slots, sleeps, signals;
static int no_notifs;

uint32_t slot_alloc(void)
{
    __atomic_fetch_add(&live_slots, 1, __ATOMIC_RELAXED);
    return __atomic_add_fetch(&next_slot, 1, __ATOMIC_RELAXED);
}

void slot_free(uint32_t slot)
{
    (void)slot;
    __atomic_fetch_sub(&live_slots, 1, __ATOMIC_RELAXED);
}

int64_t sys_notif_create(uint32_t dst)
{
    return no_notifs || dst >= NOTIFS ? ERR_QUOTA : OK;
}

int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    pthread_mutex_lock(&kernel);
    pending[notif] |= bits;
    signals++;
    pthread_cond_broadcast(&signalled); /* all look, one finds the bits */
    pthread_mutex_unlock(&kernel);
    return OK;
}

int64_t sys_notif_wait(uint32_t notif, uint64_t deadline, uint64_t *bits_out)
{
    (void)deadline;
    pthread_mutex_lock(&kernel);
    sleeps++;
    while (!pending[notif])
        pthread_cond_wait(&signalled, &kernel);
    *bits_out = pending[notif];
    pending[notif] = 0;
    pthread_mutex_unlock(&kernel);
    return OK;
}

int64_t sys_thread_yield(void)
{
    sched_yield();
    return OK;
}

static struct mutex mutex;
static uint64_t counter;

static void *count(void *rounds)
{
    for (int i = 0; i < *(int *)rounds; i++) {
        mutex_lock(&mutex);
        uint64_t seen = counter;
        if (i % 64 == 0)
            sched_yield();
        counter = seen + 1;
        mutex_unlock(&mutex);
    }
    return NULL;
}

static uint64_t run_threads(int rounds)
{
    pthread_t thread[4];
    memset(&mutex, 0, sizeof(mutex));
    counter = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, count, &rounds);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    return counter;
}

TEST(free_mutex_makes_no_system_call)
{
    memset(&mutex, 0, sizeof(mutex));
    sleeps = signals = 0;
    mutex_lock(&mutex);
    CHECK_EQ(mutex.state, 1);
    mutex_unlock(&mutex);
    CHECK_EQ(mutex.state, 0);
    CHECK_EQ(sleeps + signals + mutex.notif, 0);
}

TEST(excludes_and_loses_no_wakeup)
{
    CHECK_EQ(run_threads(50000), 200000);
    CHECK_EQ(mutex.state, 0);
    CHECK(live_slots <= 1);
}

TEST(works_without_a_notification)
{
    no_notifs = 1;
    CHECK_EQ(run_threads(2000), 8000);
    no_notifs = 0;
}

TEST(waiter_sleeps_and_is_woken)
{
    pthread_t thread;
    int once = 1;
    memset(&mutex, 0, sizeof(mutex));
    sleeps = 0;
    counter = 0;
    mutex_lock(&mutex);
    pthread_create(&thread, NULL, count, &once);
    while (!__atomic_load_n(&sleeps, __ATOMIC_RELAXED))
        sched_yield();
    CHECK_EQ(mutex.state, 2);
    CHECK_EQ(counter, 0);
    mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    CHECK_EQ(counter, 1);
}
