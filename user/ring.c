/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/ring.h"
#include "user/syscall_stubs.h"
#include <string.h>

void ring_init(struct ring *ring, void *shared, uint32_t size, uint32_t notif, uint64_t bits)
{
    ring->shared = shared;
    ring->size = size;
    ring->index = 0;
    ring->peer_errors = 0;
    ring->notif = notif;
    ring->bits = bits;
}

/* Bytes between the indices. More than the ring holds is the peer's lie: taken as a full ring,
 * which keeps every access inside data[]. */
static uint32_t ring_distance(struct ring *ring, uint32_t head, uint32_t tail)
{
    uint32_t used = head - tail;
    if (used > ring->size) {
        ring->peer_errors++;
        used = ring->size;
    }
    return used;
}

/* Acquire: pairs with the peer's release store of its index, so that the bytes before it are there.
 */
static uint32_t ring_used(struct ring *ring)
{
    uint32_t head = __atomic_load_n(&ring->shared->head, __ATOMIC_ACQUIRE);
    return ring_distance(ring, head, ring->index);
}

static uint32_t ring_room(struct ring *ring)
{
    uint32_t tail = __atomic_load_n(&ring->shared->tail, __ATOMIC_ACQUIRE);
    return ring->size - ring_distance(ring, ring->index, tail);
}

/* Publishes the own index and wakes the peer if it asked for it. The fence orders the index before
 * the look at the wish; the peer's arm functions do the same the other way round. */
static void ring_publish(struct ring *ring, uint32_t *index, uint32_t *peer_waits, uint32_t moved)
{
    ring->index += moved;
    __atomic_store_n(index, ring->index, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(peer_waits, __ATOMIC_RELAXED) &&
        __atomic_exchange_n(peer_waits, 0, __ATOMIC_RELAXED))
        sys_notif_signal(ring->notif, ring->bits);
}

/* Bytes up to the wrap, at most n. */
static uint32_t ring_straight(const struct ring *ring, uint32_t n)
{
    uint32_t to_end = ring->size - (ring->index & (ring->size - 1));
    return n < to_end ? n : to_end;
}

size_t ring_write(struct ring *ring, const void *data, size_t len)
{
    uint32_t n = ring_room(ring);
    if (len < n)
        n = (uint32_t)len;
    if (n == 0)
        return 0;
    uint32_t first = ring_straight(ring, n);
    memcpy(ring->shared->data + (ring->index & (ring->size - 1)), data, first);
    memcpy(ring->shared->data, (const char *)data + first, n - first);
    ring_publish(ring, &ring->shared->head, &ring->shared->consumer_waits, n);
    return n;
}

size_t ring_read(struct ring *ring, void *data, size_t len)
{
    uint32_t n = ring_used(ring);
    if (len < n)
        n = (uint32_t)len;
    if (n == 0)
        return 0;
    uint32_t first = ring_straight(ring, n);
    memcpy(data, ring->shared->data + (ring->index & (ring->size - 1)), first);
    memcpy((char *)data + first, ring->shared->data, n - first);
    ring_publish(ring, &ring->shared->tail, &ring->shared->producer_waits, n);
    return n;
}

size_t ring_consumer_arm(struct ring *ring)
{
    __atomic_store_n(&ring->shared->consumer_waits, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_used(ring);
}

size_t ring_producer_arm(struct ring *ring)
{
    __atomic_store_n(&ring->shared->producer_waits, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_room(ring);
}
