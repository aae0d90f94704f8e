/* SPDX-License-Identifier: BSD-2-Clause */
/* How a program starts and what the runtime gives it.
 *
 * The spawner (manager/spawn.c) maps the ELF segments, a stack, the UTCB and one read-only page of
 * arguments, fills the slots of abi/object.h, and starts the first thread with RDI = the arguments
 * page. The root task alone gets struct root_info instead; its entry is root_main(). */
#ifndef USER_PROGRAM_H
#define USER_PROGRAM_H

#include <stdint.h>
#include "abi/utcb.h"

#define PROGRAM_STACK_TOP  0x00007ffff0000000ull /* first thread's stack ends here */
#define PROGRAM_STACK_SIZE 0x10000ull
#define PROGRAM_UTCB_VA    0x00007ffff0010000ull /* first thread's; others at 0x1000 steps */
#define PROGRAM_ARGS_VA    0x00007fffe0000000ull /* struct program_args, one page later data */
#define PROGRAM_HEAP_VA    0x0000600000000000ull /* malloc() arena: SLOT_HEAP mapped by crt0 */
#define PROGRAM_MAGIC      0x4d554c4c41524753ull

/* What the spawner tells the program. `data` (data_size bytes, for example a struct vmm_config)
 * follows at PROGRAM_ARGS_VA + 4096. */
struct program_args {
    uint64_t magic;
    uint64_t heap_size;
    uint64_t data_size;
    uint64_t first_free_slot; /* slots from here on are the program's own */
    char name[64];            /* for messages: "vmm:alpha", "console" */
    uint32_t slot[160];       /* program-specific capabilities, by index (e.g. enum vmm_slot) */
};

/* Programs define this. Returning, or exit(), ends the first thread; the manager sees it. */
int program_main(const struct program_args *args, const void *data);

/* --- capability slots --- */
/* A free slot of the own table; 0 when all are used. Thread-safe. */
uint32_t slot_alloc(void);
/* n consecutive free slots. */
uint32_t slot_alloc_range(uint32_t n);
void slot_free(uint32_t slot); /* deletes the capability, too, if one is there */

/* --- who started this program --- */
/* Calls it: event, a, b, c and what stands in the UTCB from mr[4] on, `words` in all. The first
 * word of the answer, or ERR_*; the rest of the answer stands in the UTCB. */
int64_t ask_parent(uint64_t event, uint64_t a, uint64_t b, uint64_t c, uint32_t words);
/* Maps all of a memory object that came with the start (MAP_*). What: for the message if that
 * fails, which is the end. */
void *map_given(uint32_t slot, uint64_t va, uint64_t size, uint32_t flags, const char *what);

/* --- this thread --- */
static inline struct utcb *utcb_self(void)
{
    struct utcb *utcb;
    /* The kernel sets FS.base to the UTCB in every ring-3 thread; not every CPU has RDFSBASE. */
    __asm__("mov %%fs:%c1, %0" : "=r"(utcb) : "i"(__builtin_offsetof(struct utcb, self)));
    return utcb;
}

/* --- threads of the own domain --- */
struct user_thread {
    uint32_t slot;    /* OBJ_THREAD */
    uint32_t sc_slot; /* OBJ_SC */
    uint32_t notif;   /* bound notification, also used by mutexes */
    void *stack;
};
/* Starts fn(arg) on a new thread: host CPU, priority. Status of the failing system call, or OK. */
int64_t thread_spawn(struct user_thread *thread, void (*fn)(void *), void *arg, uint32_t cpu,
                     uint32_t priority);
/* The same on a scheduling context that somebody else has made. */
int64_t thread_spawn_on(struct user_thread *thread, void (*fn)(void *), void *arg,
                        uint32_t sc_slot);

/* --- mutual exclusion: three instructions when free, sleeps in the kernel when not --- */
struct mutex {
    uint32_t state; /* 0 free, 1 taken, 2 taken with waiters */
    uint32_t notif; /* created on first contention */
};
void mutex_sleep(struct mutex *mutex);
void mutex_wake(struct mutex *mutex);
static inline void mutex_lock(struct mutex *mutex)
{
    uint32_t free = 0;
    if (__builtin_expect(!__atomic_compare_exchange_n(&mutex->state, &free, 1, 0, __ATOMIC_ACQUIRE,
                                                      __ATOMIC_RELAXED),
                         0))
        mutex_sleep(mutex);
}
static inline void mutex_unlock(struct mutex *mutex)
{
    if (__builtin_expect(__atomic_exchange_n(&mutex->state, 0, __ATOMIC_RELEASE) == 2, 0))
        mutex_wake(mutex);
}

/* --- time --- */
uint64_t time_tsc(void);               /* now */
uint64_t time_ns(void);                /* monotonic since boot, from TSC and kinfo */
uint64_t time_ns_to_tsc(uint64_t ns);  /* duration */
uint64_t time_tsc_to_ns(uint64_t tsc); /* duration */

/* --- messages: to the kernel log (klog_write), one line a call, led by the program's name --- */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);
/* Logs and ends the program. */
__attribute__((format(printf, 1, 2), noreturn)) void fatal(const char *format, ...);

#endif
