/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel log: a ring in memory that survives a warm reset, echoed to the early serial line and
 * screen until ring 3 takes them over. */
#ifndef ARCH_KLOG_H
#define ARCH_KLOG_H

#include "lib/types.h"

struct bootinfo;
/* The serial line as early as possible; memory and screen when they can be mapped. Until there is
 * memory, what is logged is only shown. */
void klog_init_serial(void);
void klog_init_screen(const struct bootinfo *info);
/* Memory for the panic record and the log, not cleared by a warm reset. */
void klog_init_memory(void *kept, uint64_t size);
/* Reports a record left by the run before the reset. */
void klog_last_run(void);

/* Formats: %s %c %d %u %x %p %% with width, 0, #, l, ll; nothing else. A line starts with seconds
 * since boot. */
__attribute__((format(printf, 1, 2))) void kprintf(const char *format, ...);
void klog_write(const char *text, size_t length);
/* Copies from absolute position *position (moved up to the oldest byte kept); returns bytes, moves
 * it on. */
size_t klog_read(uint64_t *position, char *buffer, size_t size);
uint64_t klog_head(void);
/* true: ring 3 owns serial line and screen. */
void klog_set_quiet(bool quiet);

/* For panic: this CPU prints alone from now on, no lock, and out on every device. Returns the log's
 * head. */
uint64_t klog_enter_panic(void);
/* Keeps the log from a little before `start` for the run after the reset. */
void klog_keep(uint64_t start);

struct regs;
/* Prints the last events, registers (regs may be NULL), symbolised stack; keeps them across a warm
 * reset; stops the other CPUs; halts or, with panic=reboot, resets. */
__attribute__((noreturn, format(printf, 2, 3))) void panic_regs(const struct regs *regs,
                                                                const char *format, ...);
#define panic(...) panic_regs(NULL, __VA_ARGS__)
/* A broken invariant of the kernel itself, never a caller's or a guest's mistake. */
#define ASSERT(condition)                                       \
    do {                                                        \
        if (unlikely(!(condition)))                             \
            panic("%s:%d: %s", __FILE__, __LINE__, #condition); \
    } while (0)

#endif
