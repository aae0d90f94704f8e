/* SPDX-License-Identifier: BSD-2-Clause */
/* An owner that changes entries, indices and frames while the switch reads them: a thread of its
 * own scribbles over channel and area, and the others' frames go on. */
#include "test.h"
#include <pthread.h>
#include "switch_world.h"

#define ROUNDS 3000u

static volatile bool stop;

static uint32_t random_of(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Mostly plausible, so that it gets far. */
static void scribble_entry(struct frame_entry *e, uint32_t *r)
{
    volatile struct frame_entry *v = e;
    uint32_t what = random_of(r);
    v->offset = what & 1 ? random_of(r) % AREA_BYTES : (uint64_t)random_of(r) << (what >> 8 & 31);
    v->length = what & 2 ? random_of(r) % 3000 : random_of(r);
    v->flags = (uint16_t)(what >> 2 & (what & 0x1000 ? 0xff : 0));
    v->gso_size = (uint16_t)(random_of(r) % 2000);
    v->csum_start = (uint16_t)(random_of(r) % 80);
    v->csum_offset = (uint16_t)(random_of(r) % 20);
}

static void scribble_once(struct end *e, uint32_t *r)
{
    struct frame_channel *c = e->channel;
    uint32_t index = random_of(r) % 2;
    bool sends = random_of(r) % 2;
    struct frame_ring *ring = sends ? &c->pair[index].send : &c->pair[index].receive;
    const struct ring_side *side = sends ? &e->port->send[index] : &e->port->receive[index];
    uint32_t next = __atomic_load_n(&side->next, __ATOMIC_RELAXED);
    scribble_entry(&ring->entry[random_of(r) % FRAME_ENTRIES], r);
    uint32_t what = random_of(r) % 64;
    if (what < 16)
        __atomic_store_n(&ring->posted, next + random_of(r) % 600, __ATOMIC_RELAXED);
    else if (what < 20)
        ring->ended = random_of(r);
    else if (what < 24)
        c->list_macs = random_of(r);
    else if (what < 28)
        c->listens = random_of(r);
    else if (what == 28)
        c->takes = random_of(r), c->pairs = random_of(r), c->headroom = random_of(r), c->epoch++;
    else if (what < 40)
        ((volatile uint8_t *)e->area)[random_of(r) % 256] = (uint8_t)random_of(r);
}

static void *scribble(void *end)
{
    uint32_t r = 12345;
    while (!stop)
        scribble_once(end, &r);
    return NULL;
}

TEST(others_go_on)
{
    world_reset();
    for (uint32_t i = 0; i < 3; i++) {
        struct switch_port c = guest(i);
        if (i == 0)
            c.filters = SWITCH_FILTER_MAC;
        CHECK(end_make(i, &c, FRAME_TAKES_MERGE, 256));
    }
    for (uint32_t i = 0; i < AREA_BYTES; i += 64) /* its frames go to everybody, from it */
        make_frame(ends[0].area + i, everybody, (uint8_t[6]){0x52}, ETHERTYPE_IPV4, 64);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, scribble, &ends[0]), 0);
    const uint64_t *other = status.port_stat[0];
    uint32_t lost = 0, r = 54321;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        for (uint32_t n = 0; n < 16; n++) /* the host may give the thread a CPU late, or none */
            scribble_once(&ends[0], &r);
        uint8_t bytes[2048];
        struct frame_entry first;
        bool found = false;
        __atomic_fetch_or(&bells, SWITCH_BIT_PORT(0), __ATOMIC_RELAXED);
        end_send_to(1, 2, 60 + i % 1400);
        fabric_set_now(&fabric, world_ns += 100000);
        fabric_signalled(&fabric, bells);
        bells = 0;
        for (uint32_t turn = 0; turn < 8; turn++)
            fabric_run(&fabric);
        uint32_t n;
        while ((n = end_receive(2, bytes, sizeof(bytes), &first))) {
            found |= n == 60 + i % 1400 && bytes[11] == 1 && bytes[20] == (uint8_t)(140 + n);
            end_buffers(2, first.buffers ? first.buffers : 1);
        }
        end_sent(1, NULL);
        while (end_receive(1, bytes, sizeof(bytes), &first))
            end_buffers(1, first.buffers ? first.buffers : 1);
        lost += !found;
    }
    stop = true;
    pthread_join(thread, NULL);
    printf("  %u of %u lost; the other one: %llu frames, %llu errors, %llu filtered\n", lost,
           ROUNDS, (unsigned long long)other[SWITCH_TX_FRAMES],
           (unsigned long long)other[SWITCH_TX_ERRORS],
           (unsigned long long)other[SWITCH_TX_FILTERED]);
    CHECK(lost <= ROUNDS / 100);
    CHECK(other[SWITCH_TX_FRAMES] > 100);
    CHECK(other[SWITCH_TX_ERRORS] > 100);
}
