/* SPDX-License-Identifier: BSD-2-Clause */
/* What every system call returns in RAX. Negative: nothing was changed. */
#ifndef ABI_STATUS_H
#define ABI_STATUS_H

enum status {
    OK = 0,
    NOTIFIED = 1,       /* the wait ended because a bound notification fired; bits in result 0 */
    ERR_ARG = -1,       /* an argument is out of range, misaligned or contradicts another */
    ERR_CAP = -2,       /* the slot is empty, or holds an object of another type */
    ERR_RIGHTS = -3,    /* the capability lacks a right that the call needs */
    ERR_QUOTA = -4,     /* the domain's kernel memory quota does not allow it */
    ERR_NOMEM = -5,     /* the kernel's own memory is exhausted */
    ERR_EXISTS = -6,    /* the slot, address or identity is already taken */
    ERR_GONE = -7,      /* the peer was destroyed while we waited */
    ERR_TIMEOUT = -8,   /* the deadline passed */
    ERR_STATE = -9,     /* the object is not in a state that allows the call */
    ERR_CPU = -10,      /* this CPU cannot do it */
    ERR_SYSCALL = -11,  /* no such system call */
    ERR_ADMISSION = -12 /* well formed, but more than the CPUs have left to promise */
};

#endif
