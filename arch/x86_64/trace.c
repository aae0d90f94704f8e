/* SPDX-License-Identifier: BSD-2-Clause */
/* Recent events: each CPU writes its own ring, the panic screen reads them all. */
#include "arch/x86_64/cpublock.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/klog_panic.h"
#include "arch/x86_64/platform.h"

#define TRACE_SHOWN 12u

static bool tracing;

void trace_start(void)
{
    tracing = cpu_self() == cpus[0];
}

void trace(const char *what, uint64_t a, uint64_t b)
{
    if (unlikely(!tracing))
        return;
    struct cpu_block *block = cpu_block(cpu_self());
    block->trace[block->trace_next++ % TRACE_ENTRIES] = (struct trace_entry){rdtsc(), what, a, b};
}

static void print_one(struct cpu_block *block, uint64_t now)
{
    uint32_t next = block->trace_next;
    uint32_t shown = MIN(next, TRACE_SHOWN);

    for (uint32_t i = next - shown; i != next; i++) {
        const struct trace_entry *e = &block->trace[i % TRACE_ENTRIES];
        kprintf("  CPU %u, %lu us ago: %s %lx %lx\n", block->cpu.id, tsc_to_us(now - e->tsc),
                e->what ? e->what : "-", e->a, e->b);
    }
}

void trace_print(void)
{
    uint64_t now = rdtsc();

    if (!tracing)
        return;
    kprintf("last events:\n");
    for (uint32_t i = 0; i < cpu_count; i++)
        print_one(cpu_block(cpus[i]), now);
}
