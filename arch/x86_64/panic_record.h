/* SPDX-License-Identifier: BSD-2-Clause */
/* What a panic leaves in memory that a warm reset does not clear. */
#ifndef ARCH_PANIC_RECORD_H
#define ARCH_PANIC_RECORD_H

#include "lib/types.h"

#define PANIC_RECORD_MAGIC 0x31434e50544c554dull /* "MULTPNC1" in memory order */

struct panic_record {
    uint64_t magic;
    uint32_t length;   /* bytes of text */
    uint32_t checksum; /* of text */
    char text[];
};

/* Completes a record of `size` bytes of memory whose text, `length` bytes, is in place. */
void panic_record_seal(struct panic_record *record, uint64_t size, uint32_t length);
/* Whether the memory, `size` bytes, holds an intact record. */
bool panic_record_valid(const struct panic_record *record, uint64_t size);

#endif
