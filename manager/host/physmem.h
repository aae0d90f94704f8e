/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's free memory: ranges that the kernel handed over, parts of them given out and taken
 * back. What is given out is a memory capability of the manager's own, derived from the range's. */
#ifndef MANAGER_HOST_PHYSMEM_H
#define MANAGER_HOST_PHYSMEM_H

#include <stdint.h>

#define PHYSMEM_PAGE     4096ull
#define PHYSMEM_LARGE    0x200000ull
#define PHYSMEM_HUGE     0x40000000ull
#define PHYSMEM_ANY_NODE UINT32_MAX

/* slot 0: nothing. */
struct mem_block {
    uint64_t base, size; /* host-physical, bytes */
    uint32_t slot;       /* the manager's capability */
    uint32_t node;
};

struct physmem_node {
    uint64_t total, free, largest; /* bytes; largest free piece */
};

/* Adds a range behind a memory capability. Status: ERR_ARG if it overlaps what is there. */
int64_t physmem_add(uint32_t slot, uint64_t base, uint64_t size, uint32_t node);
/* size: a multiple of 4 KiB; align: a power of two from 4 KiB up; node: preferred. The content is
 * whatever its last user left: window_zero() before it goes to another. ERR_NOMEM if no piece of
 * memory is that large, else the status of mem_derive. */
int64_t physmem_alloc(struct mem_block *block, uint64_t size, uint64_t align, uint32_t node);
/* The same, all of it below a physical address: for devices that cannot reach more. */
int64_t physmem_alloc_below(struct mem_block *block, uint64_t size, uint64_t align, uint64_t end);
/* Memory for a guest: up to max pieces whose sum is size, 2 MiB aligned and as few and as large as
 * can be; the rest below 2 MiB is the last piece. nodes, a bit a node: of these only; 0: of any,
 * `node` preferred. On failure nothing is taken. */
int64_t physmem_alloc_pieces(struct mem_block *blocks, uint32_t max, uint64_t size, uint32_t node,
                             uint64_t nodes, uint32_t *count);
/* Revokes every copy of the capability, which unmaps the memory everywhere, and takes it back. An
 * empty block is fine. The block is empty afterwards. */
void physmem_free(struct mem_block *block);
/* Gives a block away for good (machine_donate): it leaves the accounts. */
void physmem_forget(struct mem_block *block);
struct physmem_node physmem_stats(uint32_t node);
uint64_t physmem_free_bytes(void);
/* Blocks given out and not yet back. */
uint32_t physmem_blocks(void);

#endif
