/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/window.h"

#include <stddef.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "user/syscall_stubs.h"

void *window_open(const struct mem_block *block)
{
    int64_t status = sys_mem_map(SLOT_SELF_PD, block->slot, MANAGER_WINDOW_VA, 0, block->size,
                                 MAP_READ | MAP_WRITE);
    return status == OK ? (void *)MANAGER_WINDOW_VA : NULL;
}

void window_close(const struct mem_block *block)
{
    sys_mem_unmap(SLOT_SELF_PD, MANAGER_WINDOW_VA, block->size);
}

int64_t window_zero(const struct mem_block *block)
{
    void *to = window_open(block);
    uint64_t words = block->size / 8;
    if (!to)
        return ERR_NOMEM;
    /* One instruction for gigabytes: microcode and hypervisors below us know it. */
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0ull) : "memory");
    window_close(block);
    return OK;
}
