/* SPDX-License-Identifier: BSD-2-Clause */
/* User thread control block: one kernel-owned page a thread, mapped into its domain. All data that
 * a system call takes or returns beyond registers goes through it, so the kernel never dereferences
 * a user pointer. */
#ifndef ABI_UTCB_H
#define ABI_UTCB_H

#include <stdint.h>

#define UTCB_WORDS 480u
#define UTCB_CAPS  4u

struct utcb_cap {
    uint32_t slot;   /* sender: source slot */
    uint32_t rights; /* sender: rights to keep */
};

struct utcb {
    uint64_t mr[UTCB_WORDS];         /* message words */
    struct utcb_cap send[UTCB_CAPS]; /* capabilities to pass with a call or reply */
    uint32_t recv_slot; /* first of UTCB_CAPS free slots for capabilities received; 0: refuse */
    uint32_t pad0;
    uint64_t self; /* the UTCB's own address, set by the kernel; FS.base points here */
    uint64_t pad1[26];
};

_Static_assert(sizeof(struct utcb) == 4096, "the UTCB is one page");

#endif
