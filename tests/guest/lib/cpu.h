/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions, one function each. */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MSR_TSC          0x10u
#define MSR_APIC_BASE    0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_EFER         0xc0000080u
#define MSR_STAR         0xc0000081u
#define MSR_LSTAR        0xc0000082u
#define MSR_SFMASK       0xc0000084u
#define MSR_FS_BASE      0xc0000100u
#define MSR_GS_BASE      0xc0000101u
#define MSR_KERNEL_GS    0xc0000102u
#define MSR_TSC_AUX      0xc0000103u

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

#define GUEST_IO(suffix, type)                                                \
    static inline void out##suffix(uint16_t port, type value)                 \
    {                                                                         \
        __asm__ volatile("out %0, %1" : : "a"(value), "Nd"(port) : "memory"); \
    }                                                                         \
    static inline type in##suffix(uint16_t port)                              \
    {                                                                         \
        type value;                                                           \
        __asm__ volatile("in %1, %0" : "=a"(value) : "Nd"(port) : "memory");  \
        return value;                                                         \
    }
GUEST_IO(b, uint8_t)
GUEST_IO(w, uint16_t)
GUEST_IO(l, uint32_t)
#undef GUEST_IO

static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(index) : "memory");
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
    return (uint64_t)hi << 32 | lo;
}

#define GUEST_CONTROL_REGISTER(name)                                        \
    static inline uint64_t read_##name(void)                                \
    {                                                                       \
        uint64_t value;                                                     \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory"); \
        return value;                                                       \
    }                                                                       \
    static inline void write_##name(uint64_t value)                         \
    {                                                                       \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");     \
    }
GUEST_CONTROL_REGISTER(cr0)
GUEST_CONTROL_REGISTER(cr2)
GUEST_CONTROL_REGISTER(cr3)
GUEST_CONTROL_REGISTER(cr4)
GUEST_CONTROL_REGISTER(cr8)
GUEST_CONTROL_REGISTER(dr0)
GUEST_CONTROL_REGISTER(dr1)
GUEST_CONTROL_REGISTER(dr2)
GUEST_CONTROL_REGISTER(dr3)
GUEST_CONTROL_REGISTER(dr6)
GUEST_CONTROL_REGISTER(dr7)
#undef GUEST_CONTROL_REGISTER

static inline uint64_t read_flags(void)
{
    uint64_t value;
    __asm__ volatile("pushfq; popq %0" : "=r"(value) : : "memory");
    return value;
}

static inline void interrupts_on(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void interrupts_off(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* STI's shadow covers HLT: no interrupt can slip in between and leave the CPU asleep. Returns with
 * interrupts off again. */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

static inline void pause_cpu(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void invlpg(const void *address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

#endif
