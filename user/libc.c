/* SPDX-License-Identifier: BSD-2-Clause */
/* What picolibc asks of its environment: locks, the end of the program, standard output. */
#include "user/program.h"
#include "user/runtime.h"
#include "user/syscall_stubs.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/lock.h>

/* Recursive: a thread is known by its UTCB. */
struct __lock {
    struct mutex mutex;
    uint32_t depth;     /* (m) */
    struct utcb *owner; /* written by the owner only; others see "not me" in any case */
};

struct __lock __lock___libc_recursive_mutex;

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    struct utcb *self = utcb_self();
    if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != self) {
        mutex_lock(&lock->mutex);
        __atomic_store_n(&lock->owner, self, __ATOMIC_RELAXED);
    }
    lock->depth++;
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (--lock->depth)
        return;
    __atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
    mutex_unlock(&lock->mutex);
}

void exit(int code)
{
    fflush(stdout);
    if (code)
        log_line("exit code %d", code);
    for (;;)
        sys_thread_exit();
}

void abort(void)
{
    fatal("abort()");
}

void __assert_no_args(void);
void __assert_no_args(void)
{
    fatal("assertion failed at %p", __builtin_return_address(0));
}

char *getenv(const char *name)
{
    (void)name;
    return NULL; /* a program's only surroundings are its arguments page */
}

/* --- stdout and stderr: whole lines to the log --- */
static struct mutex out_mutex;
static char out_line[256]; /* (o) */
static size_t out_length;  /* (o) */

static void out_flush(void)
{
    if (out_length)
        log_text(out_line, out_length);
    out_length = 0;
}

static int out_put(char c, FILE *file)
{
    (void)file;
    mutex_lock(&out_mutex);
    if (c != '\n')
        out_line[out_length++] = c;
    if (c == '\n' || out_length == sizeof(out_line))
        out_flush();
    mutex_unlock(&out_mutex);
    return (unsigned char)c;
}

static int out_sync(FILE *file)
{
    (void)file;
    mutex_lock(&out_mutex);
    out_flush();
    mutex_unlock(&out_mutex);
    return 0;
}

static FILE out_file = FDEV_SETUP_STREAM(out_put, NULL, out_sync, _FDEV_SETUP_WRITE);
FILE *const stdout = &out_file;
FILE *const stderr = &out_file;
