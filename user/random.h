/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bytes for hash salts, identifiers and the guests' virtio-rng. */
#ifndef USER_RANDOM_H
#define USER_RANDOM_H

#include <stddef.h>

/* Fills data. Thread-safe. ChaCha20 with fast key erasure, seeded from RDRAND where the CPU has it
 * and from TSC jitter everywhere, mixed in again at each call. */
void random_bytes(void *data, size_t size);

#endif
