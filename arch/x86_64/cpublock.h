/* SPDX-License-Identifier: BSD-2-Clause */
/* What belongs to one CPU beside struct cpu, in one allocation. */
#ifndef ARCH_CPUBLOCK_H
#define ARCH_CPUBLOCK_H

#include "arch/x86_64/cpu.h"

#define GDT_ENTRIES 8u /* null, four segments (the fourth slot is empty), TSS in two */
#define IOPM_BYTES  8192u

struct cpu_block {
    struct cpu cpu;
    uint64_t gdt[GDT_ENTRIES];
    bool l1d_dirty; /* another domain ran here since the last L1D flush */
    /* The CPU wants the part of the TSS that it reads in one piece: no page boundary inside. */
    struct tss tss __attribute__((aligned(128)));
    uint8_t iopm[IOPM_BYTES + 1]; /* the last byte is all ones: "Task-State Segment", SDM vol. 1,
                                     "I/O Permission Bit Map" */
};
_Static_assert(offsetof(struct cpu_block, iopm) == offsetof(struct cpu_block, tss) + 104,
               "the bitmap follows the TSS");

#define CPU_BLOCK_ORDER 2u
_Static_assert(sizeof(struct cpu_block) <= PAGE_SIZE << CPU_BLOCK_ORDER,
               "allocation of cpu_create");

static inline struct cpu_block *cpu_block(struct cpu *cpu)
{
    return container_of(cpu, struct cpu_block, cpu);
}

#endif
