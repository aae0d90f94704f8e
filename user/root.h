/* SPDX-License-Identifier: BSD-2-Clause */
/* The root task's start. The kernel gives it RDI = struct root_info, a mapped stack of
 * PROGRAM_STACK_SIZE bytes below PROGRAM_STACK_TOP and the UTCB at PROGRAM_UTCB_VA; slots, time and
 * log work when root_main() runs, malloc() only after its call of heap_init() (user/heap.h). */
#ifndef USER_ROOT_H
#define USER_ROOT_H

#include "abi/kinfo.h"

/* The root task defines this. It must not return. */
_Noreturn void root_main(const struct root_info *info);

#endif
