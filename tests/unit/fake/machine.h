/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine of several CPUs for kernel code on the host, in one thread: fake_cpu says which one
 * executes. Include it before the .c files under test: it takes the place of the instructions and
 * of the kernel's window onto physical memory (here physical addresses are the host's pointers). */
#ifndef TESTS_UNIT_FAKE_MACHINE_H
#define TESTS_UNIT_FAKE_MACHINE_H

#include "tests/unit/test.h"

#include <stdarg.h>
#include <unistd.h>

#define cpu_self real_cpu_self
#include "arch/x86_64/cpu.h"
#undef cpu_self

#define hpa_to_kva real_hpa_to_kva
#define kva_to_hpa real_kva_to_hpa
#include "arch/x86_64/kmem.h"
#undef hpa_to_kva
#undef kva_to_hpa

#define rdtsc            real_rdtsc
#define wrmsr            real_wrmsr
#define read_cr2         real_read_cr2
#define read_cr3         real_read_cr3
#define write_cr3        real_write_cr3
#define cpu_pause        real_cpu_pause
#define irq_enable       real_irq_enable
#define irq_disable      real_irq_disable
#define cache_write_back real_cache_write_back
#include "arch/x86_64/insn.h"
#undef rdtsc
#undef wrmsr
#undef read_cr2
#undef read_cr3
#undef write_cr3
#undef cpu_pause
#undef irq_enable
#undef irq_disable
#undef cache_write_back

#include "arch/x86_64/apic.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/platform.h"

#ifndef FAKE_CPUS
#define FAKE_CPUS 4u
#endif
#define FAKE_KHZ 1000000u /* the fake TSC counts nanoseconds */

static struct cpu fake_cpus[FAKE_CPUS];
static struct cpu *fake_cpu_list[FAKE_CPUS];
struct cpu **cpus = fake_cpu_list;
uint32_t cpu_count = FAKE_CPUS;
uint64_t tsc_khz = FAKE_KHZ;

static uint32_t fake_cpu; /* who executes */
static uint64_t fake_tsc = 1000;
static uint64_t fake_ahead[FAKE_CPUS];     /* of fake_tsc, a CPU's own clock */
static uint32_t fake_ipis[FAKE_CPUS];      /* bit 0: VEC_RESCHED, 1: VEC_SHOOTDOWN, 2: others */
static uint64_t fake_deadline[FAKE_CPUS];  /* of the APIC timers; UINT64_MAX: none */
static uint64_t fake_cr3[FAKE_CPUS];       /* value */
static uint32_t fake_cr3_loads[FAKE_CPUS]; /* TLB flushes */
static uint32_t fake_spins;
static void (*fake_on_pause)(void); /* lets the other CPUs do something */

static inline struct cpu *cpu_self(void)
{
    return cpus[fake_cpu];
}
static inline void *hpa_to_kva(hpa_t pa)
{
    return (void *)pa.v;
}
static inline hpa_t kva_to_hpa(const void *kva)
{
    return hpa((uint64_t)kva);
}
static inline uint64_t rdtsc(void)
{
    return fake_tsc + fake_ahead[fake_cpu];
}
static inline void wrmsr(uint32_t index, uint64_t value)
{
    (void)index, (void)value;
}
static inline uint64_t read_cr2(void)
{
    return 0;
}
static inline uint64_t read_cr3(void)
{
    return fake_cr3[fake_cpu];
}
static inline void write_cr3(uint64_t value)
{
    fake_cr3[fake_cpu] = value;
    fake_cr3_loads[fake_cpu]++;
}
static void (*fake_on_write_back)(const void *start, uint64_t size);
static inline void cache_write_back(const void *start, uint64_t size)
{
    if (fake_on_write_back)
        fake_on_write_back(start, size);
}
static inline void irq_enable(void)
{
}
static inline void irq_disable(void)
{
}

/* Only one CPU executes, so whoever spins waits for something that happens in fake_on_pause, or
 * never. */
static inline void cpu_pause(void)
{
    if (fake_spins++ > 100000) {
        printf("CPU %u spins for ever\n", fake_cpu);
        abort();
    }
    if (fake_on_pause)
        fake_on_pause();
}

static inline void fake_machine_init(void)
{
    fake_cpu = 0;
    fake_spins = 0;
    for (uint32_t i = 0; i < FAKE_CPUS; i++) {
        fake_cpus[i] = (struct cpu){.id = i};
        cpus[i] = &fake_cpus[i];
        fake_ipis[i] = 0;
        fake_deadline[i] = UINT64_MAX;
    }
}

void apic_ipi(uint32_t cpu, uint8_t vector)
{
    fake_ipis[cpu] |= vector == VEC_RESCHED ? 1 : vector == VEC_SHOOTDOWN ? 2 : 4;
}
void apic_timer_set(uint64_t tsc)
{
    fake_deadline[fake_cpu] = tsc;
}
void apic_eoi(void)
{
}
uint64_t tsc_from_us(uint64_t us)
{
    return us * (FAKE_KHZ / 1000);
}
uint64_t tsc_to_us(uint64_t tsc)
{
    return tsc / (FAKE_KHZ / 1000);
}

void panic_regs(const struct regs *regs, const char *format, ...)
{
    (void)regs;
    va_list args;
    va_start(args, format);
    printf("panic: ");
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    abort();
}
/* What was printed last. */
static char fake_log[8192];
void kprintf(const char *format, ...)
{
    size_t used = strlen(fake_log);
    if (used > sizeof(fake_log) / 2)
        used = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(fake_log + used, sizeof(fake_log) - used, format, args);
    va_end(args);
}

/* A generator with a seed of its own per test: xorshift64*, good enough to pick operations. */
static uint64_t fake_seed = 1;
static inline uint64_t fake_random(uint64_t below)
{
    fake_seed ^= fake_seed >> 12;
    fake_seed ^= fake_seed << 25;
    fake_seed ^= fake_seed >> 27;
    return (fake_seed * 0x2545f4914f6cdd1dull >> 20) % below;
}

#endif
