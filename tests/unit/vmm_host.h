/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine without a kernel below it: time that the test moves, interrupts that it counts.
 * Includes the bus (vmm/device.c, vmm/timer.c), and stands in for the parts of user/ that devices
 * call. */
#ifndef TESTS_UNIT_VMM_HOST_H
#define TESTS_UNIT_VMM_HOST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake/mutex.h"
#include "vmm/device.h"
#include "vmm/timer.c"
#include "vmm/device.c"

#define FAKE_RAM  0x200000u
#define FAKE_MSIS 64u

static struct {
    uint64_t ns, deadline;
    bool extint;
    unsigned extint_changes;
    bool line[24];
    unsigned edges[24];
    struct {
        uint64_t address;
        uint32_t data;
    } msi[FAKE_MSIS];
    unsigned msis;
    unsigned events[4];
    unsigned logs;
    char log[256];
    bool doorbells_work;
    unsigned doorbells;
    uint16_t doorbell_port[DOORBELLS];
    uint64_t released, reclaimed, release_calls, last_gpa;
    unsigned timer_programs;
} fake;
static struct machine vm;
static uint8_t *fake_ram;

void log_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fake.log, sizeof fake.log, format, args);
    va_end(args);
    fake.logs++;
}

void fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    abort();
}

static void fake_msi_send(void *host, uint64_t address, uint32_t data)
{
    (void)host;
    fake.msi[fake.msis % FAKE_MSIS].address = address;
    fake.msi[fake.msis % FAKE_MSIS].data = data;
    fake.msis++;
}

static void fake_extint(void *host, bool level)
{
    (void)host;
    fake.extint = level;
    fake.extint_changes++;
}

static uint64_t fake_clock_ns(void *host)
{
    (void)host;
    return fake.ns;
}

static uint64_t fake_clock_tsc(void *host)
{
    (void)host;
    return fake.ns * 3;
}

static void fake_timer_program(void *host, uint64_t deadline_ns)
{
    (void)host;
    fake.deadline = deadline_ns;
    fake.timer_programs++;
}

static bool fake_doorbell_add(void *host, uint16_t port, unsigned index)
{
    (void)host;
    fake.doorbells += fake.doorbells_work;
    fake.doorbell_port[index] = port;
    return fake.doorbells_work;
}

static void fake_doorbell_remove(void *host, uint16_t port)
{
    (void)host, (void)port;
    fake.doorbells--;
}

static void fake_event(void *host, enum machine_event event, const char *reason)
{
    (void)host, (void)reason;
    fake.events[event]++;
}

static void fake_release(void *host, uint64_t gpa, uint64_t count)
{
    (void)host;
    fake.released += count;
    fake.release_calls++;
    fake.last_gpa = gpa;
}

static void fake_reclaim(void *host, uint64_t gpa, uint64_t count)
{
    (void)host;
    fake.reclaimed += count;
    fake.last_gpa = gpa;
}

static void fake_irq_set(struct machine *m, unsigned gsi, bool level)
{
    (void)m;
    if (gsi >= 24)
        abort();
    if (level && !fake.line[gsi])
        fake.edges[gsi]++;
    fake.line[gsi] = level;
}

static const struct host_ops fake_ops = {.msi_send = fake_msi_send,
                                         .extint = fake_extint,
                                         .clock_ns = fake_clock_ns,
                                         .clock_tsc = fake_clock_tsc,
                                         .timer_program = fake_timer_program,
                                         .doorbell_add = fake_doorbell_add,
                                         .doorbell_remove = fake_doorbell_remove,
                                         .event = fake_event,
                                         .pages_release = fake_release,
                                         .pages_reclaim = fake_reclaim};

/* A fresh machine, at an odd instant so that rounding shows. */
static inline void fake_start(void)
{
    if (!fake_ram)
        fake_ram = malloc(FAKE_RAM);
    memset(fake_ram, 0, FAKE_RAM);
    memset(&fake, 0, sizeof fake);
    memset(&vm, 0, sizeof vm);
    fake.ns = 5 * NS_PER_S + 12345;
    fake.deadline = UINT64_MAX;
    vm.host = &fake_ops;
    vm.guest_base = fake_ram;
    vm.ram_low = FAKE_RAM;
    vm.tsc_khz = vm.guest_tsc_khz = 3000000;
    vm.irq_set = fake_irq_set;
    vm.timers.programmed_ns = UINT64_MAX;
}

/* Lets time pass, timers firing when they are due. */
static inline void fake_advance(uint64_t ns)
{
    uint64_t end = fake.ns + ns;
    while (fake.deadline <= end) {
        if (fake.deadline > fake.ns)
            fake.ns = fake.deadline;
        fake.deadline = UINT64_MAX; /* one-shot */
        machine_run_timers(&vm);
    }
    fake.ns = end;
}

static inline uint8_t inb(uint16_t port)
{
    return (uint8_t)machine_pio_read(&vm, port, 1);
}

static inline void outb(uint16_t port, unsigned value)
{
    machine_pio_write(&vm, port, 1, value);
}

#endif
