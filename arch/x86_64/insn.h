/* SPDX-License-Identifier: BSD-2-Clause */
/* Single instructions. */
#ifndef ARCH_INSN_H
#define ARCH_INSN_H

#include "lib/types.h"

static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
    return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}
struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}
/* All zero if the CPU has no such leaf: the last one's content would be read otherwise. */
static inline struct cpuid_regs cpuid_leaf(uint32_t leaf, uint32_t subleaf)
{
    uint32_t first = leaf & 0xc0000000, last = cpuid(first, 0).eax;
    return last >= leaf && last - first < 0x10000 ? cpuid(leaf, subleaf) : (struct cpuid_regs){0};
}

#define PORT_ACCESSORS(suffix, type)                                                \
    static inline type in##suffix(uint16_t port)                                    \
    {                                                                               \
        type v;                                                                     \
        __asm__ volatile("in" #suffix " %1, %0" : "=a"(v) : "Nd"(port) : "memory"); \
        return v;                                                                   \
    }                                                                               \
    static inline void out##suffix(uint16_t port, type v)                           \
    {                                                                               \
        __asm__ volatile("out" #suffix " %0, %1" ::"a"(v), "Nd"(port) : "memory");  \
    }
PORT_ACCESSORS(b, uint8_t)
PORT_ACCESSORS(l, uint32_t)

#define CR_ACCESSORS(n)                                             \
    static inline uint64_t read_cr##n(void)                         \
    {                                                               \
        uint64_t v;                                                 \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v)::"memory"); \
        return v;                                                   \
    }                                                               \
    static inline void write_cr##n(uint64_t v)                      \
    {                                                               \
        __asm__ volatile("mov %0, %%cr" #n ::"r"(v) : "memory");    \
    }
CR_ACCESSORS(0)
CR_ACCESSORS(2)
CR_ACCESSORS(3)
CR_ACCESSORS(4)

static inline uint64_t xgetbv0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}
static inline void xsetbv0(uint64_t v)
{
    __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
static inline void cpu_pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}
static inline void irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}
static inline void irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}
/* Until memory has it, for what does not look into caches. 64: the smallest line of all CPUs with
 * long mode. */
static inline void cache_write_back(const void *start, uint64_t size)
{
    for (uint64_t done = 0; done < size; done += 64)
        __asm__ volatile("clflush (%0)" ::"r"((const char *)start + done) : "memory");
    __asm__ volatile("mfence" ::: "memory");
}
static inline void invlpg(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

#endif
