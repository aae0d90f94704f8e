/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/root.h"
#include "user/runtime.h"
#include "abi/object.h"

_Noreturn void root_entry(const struct root_info *info);

_Noreturn __attribute__((used)) void root_entry(const struct root_info *info)
{
    runtime_init("manager", SLOT_ROOT_MEM + info->mem_count);
    root_main(info);
}

/* RSP is 16-byte aligned at entry; RBP 0 ends stack walks. */
__asm__(".pushsection .text.start, \"ax\"\n"
        ".globl root_start\n"
        ".type root_start, @function\n"
        "root_start:\n"
        "    xor %ebp, %ebp\n"
        "    call root_entry\n"
        "    ud2\n"
        ".size root_start, . - root_start\n"
        ".popsection\n");
