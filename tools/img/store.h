/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool in a file, or on a disk of the host, for the host's tools: the engine of drivers/pool,
 * waited for. */
#ifndef TOOLS_IMG_STORE_H
#define TOOLS_IMG_STORE_H

#include "drivers/pool/pool.h"

struct place {
    const char *path;
    const char *partition; /* label or UUID of a GPT partition; NULL: offset and size */
    uint64_t offset, size; /* bytes; size 0: to the end */
};

struct store;

/* Ends the program with a message if the file cannot be opened. */
struct store *store_open_file(const struct place *place, bool write);
/* Reads the pool. False: store_reason(). */
bool store_open_pool(struct store *store, bool check);
/* Makes an empty pool; NULL, or why not. force: over what is there. */
const char *store_format(struct store *store, bool force);
struct pool *store_pool(struct store *store);
const char *store_reason(const struct store *store);
/* Things that a check has found. */
uint32_t store_errors(const struct store *store);
/* NULL, or why not. */
const char *store_order(struct store *store, struct pool_order *order);
/* Reads or writes a volume: bytes, multiples of 512. NULL, or why not. */
const char *store_transfer(struct store *store, const char *volume, uint32_t op, uint64_t offset,
                           void *data, uint64_t size);
/* Commits. NULL, or why not. */
const char *store_close(struct store *store);

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

#endif
