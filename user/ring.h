/* SPDX-License-Identifier: BSD-2-Clause */
/* Byte ring over shared memory between two programs that do not trust each other: single producer,
 * single consumer. Each side keeps its own index privately and treats the peer's as untrusted input
 * (a difference above the size is clamped and reported). */
#ifndef USER_RING_H
#define USER_RING_H

#include <stdint.h>
#include <stddef.h>

struct ring_shared {
    uint32_t head; /* written by the producer only; counts bytes, wraps at 2^32 */
    uint32_t pad0[15];
    uint32_t tail;           /* written by the consumer only */
    uint32_t consumer_waits; /* 1: the consumer wants a signal when bytes arrive */
    uint32_t producer_waits; /* 1: the producer wants a signal when room appears */
    uint32_t pad1[13];
    uint8_t data[];
};

struct ring {
    struct ring_shared *shared;
    uint32_t size;        /* power of two, bytes of data[] */
    uint32_t index;       /* own index, authoritative */
    uint32_t peer_errors; /* times the peer's index was impossible */
    uint32_t notif;       /* slot of the peer's notification */
    uint64_t bits;        /* signalled there */
};

/* Both sides start on zeroed shared memory. size: a power of two; notif 0: never signal. */
void ring_init(struct ring *ring, void *shared, uint32_t size, uint32_t notif, uint64_t bits);
/* Bytes written (0..len); signals the consumer if it waits. */
size_t ring_write(struct ring *ring, const void *data, size_t len);
/* Bytes read (0..len); signals the producer if it waits for room. */
size_t ring_read(struct ring *ring, void *data, size_t len);
/* The consumer (producer) is about to sleep: asks for a signal. Returns bytes readable (writable)
 * after asking, so that no wake-up is lost. */
size_t ring_consumer_arm(struct ring *ring);
size_t ring_producer_arm(struct ring *ring);

#endif
