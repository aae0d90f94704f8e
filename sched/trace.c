/* SPDX-License-Identifier: BSD-2-Clause */
#include "sched/trace.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/kmem.h"

#define TRACE_CPUS 256u /* the others are not traced */

/* The writer fills an entry, then raises head (release); the reader loads head before it copies and
 * again behind it (acquire), and drops what may have been overwritten meanwhile. */
struct trace_ring {
    struct trace_entry *entry; /* TRACE_ENTRIES of them; NULL: never switched on */
    uint64_t head;             /* events ever written */
};

uint32_t trace_on;
static struct trace_ring rings[TRACE_CPUS];

bool trace_switch(bool on)
{
    for (uint32_t i = 0; on && i < MIN(cpu_count, TRACE_CPUS); i++) {
        struct trace_ring *ring = &rings[i];
        if (!ring->entry)
            ring->entry = kmem_pages(kmem_order(TRACE_ENTRIES * sizeof(ring->entry[0])));
        if (!ring->entry)
            return false;
    }
    __atomic_store_n(&trace_on, on, __ATOMIC_RELEASE); /* partner: trace_put() */
    return true;
}

void trace_put(enum trace_event event, uint32_t sc, uint32_t cpu)
{
    uint32_t own = cpu_self()->id;
    struct trace_ring *ring = &rings[own % TRACE_CPUS];
    if (own >= TRACE_CPUS || !ring->entry)
        return;
    ring->entry[ring->head % TRACE_ENTRIES] = (struct trace_entry){
        .tsc = rdtsc(), .sc = sc, .event = (uint16_t)event, .cpu = (uint16_t)cpu};
    __atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
}

/* The entry at head - TRACE_ENTRIES may be half overwritten. */
static uint64_t oldest(uint64_t head)
{
    return head >= TRACE_ENTRIES ? head - TRACE_ENTRIES + 1 : 0;
}

void trace_read(uint32_t cpu, uint64_t position, struct trace_reply *reply)
{
    const uint64_t room = sizeof(reply->entry) / sizeof(reply->entry[0]);
    const struct trace_ring *ring = &rings[cpu % TRACE_CPUS];
    reply->count = 0;
    reply->next = position;
    if (cpu >= TRACE_CPUS || !ring->entry)
        return;
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
    uint64_t from = MIN(MAX(position, oldest(head)), head);
    uint64_t count = MIN(head - from, room);
    for (uint64_t i = 0; i < count; i++)
        reply->entry[i] = ring->entry[(from + i) % TRACE_ENTRIES];
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    uint64_t lost = oldest(__atomic_load_n(&ring->head, __ATOMIC_RELAXED));
    uint64_t skip = lost > from ? MIN(lost - from, count) : 0;
    for (uint64_t i = 0; i + skip < count; i++)
        reply->entry[i] = reply->entry[i + skip];
    reply->count = count - skip;
    reply->next = from + count;
}
