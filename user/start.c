/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/program.h"
#include "user/heap.h"
#include "user/runtime.h"
#include "user/syscall_stubs.h"
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include <stdlib.h>
#include <string.h>

#define ARGS_PAGE 4096u

_Noreturn void program_entry(const struct program_args *args);

static void map_heap(uint64_t size)
{
    if (size == 0)
        return;
    int64_t status =
        sys_mem_map(SLOT_SELF_PD, SLOT_HEAP, PROGRAM_HEAP_VA, 0, size, MAP_READ | MAP_WRITE);
    if (status != OK)
        fatal("heap of %lu bytes cannot be mapped: status %ld", size, status);
    heap_init((void *)PROGRAM_HEAP_VA, size);
}

_Noreturn __attribute__((used)) void program_entry(const struct program_args *args)
{
    /* The spawner is trusted, a spawner of another version is not understood. */
    if (args->magic != PROGRAM_MAGIC ||
        strnlen(args->name, sizeof(args->name)) == sizeof(args->name)) {
        runtime_init("program", CAP_SLOTS - 1);
        fatal("arguments page has magic %#lx, expected %#llx", args->magic, PROGRAM_MAGIC);
    }
    runtime_init(args->name, (uint32_t)args->first_free_slot);
    map_heap(args->heap_size);
    const void *data = args->data_size ? (const char *)args + ARGS_PAGE : NULL;
    exit(program_main(args, data));
}

/* RSP is 16-byte aligned at entry; RBP 0 ends stack walks. */
__asm__(".pushsection .text.start, \"ax\"\n"
        ".globl _start\n"
        ".type _start, @function\n"
        "_start:\n"
        "    xor %ebp, %ebp\n"
        "    call program_entry\n"
        "    ud2\n"
        ".size _start, . - _start\n"
        ".popsection\n");
