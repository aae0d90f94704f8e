/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to the calls of programs that the manager has started, and their words. */
#ifndef MANAGER_ANSWER_H
#define MANAGER_ANSWER_H

#include <stddef.h>
#include <stdint.h>
#include "abi/utcb.h"

/* A status alone: gives the number of words in the message. */
static inline uint64_t answer(struct utcb *utcb, int64_t status)
{
    utcb->mr[0] = (uint64_t)status;
    return 1;
}

/* Text that comes from a program or a device is ended and shown without control characters. */
static inline void clean_text(char *text, size_t size)
{
    text[size - 1] = 0;
    for (char *p = text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
}

#endif
