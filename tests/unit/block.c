/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "fake_syscalls.h"
#include "user/block.c"
#include <pthread.h>
#include <sched.h>

static uint64_t signals;

int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    if (notif != 7 || bits != 0x30)
        abort();
    __atomic_fetch_add(&signals, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static struct blk_channel *channel;
static struct blk_client client;
static uint32_t tag;
static enum blk_status status;

/* On the heap, exact: ASan sees accesses behind it. */
static void fresh(void)
{
    free(channel);
    channel = aligned_alloc(64, sizeof(*channel));
    memset(channel, 0, sizeof(*channel));
    channel->present = channel->generation = 1;
    blk_client_init(&client, channel, 7, 0x30);
    signals = 0;
}

static void submit(enum blk_op op, uint64_t sector, uint32_t number)
{
    struct blk_segment *segment = blk_client_segments(&client);
    segment[0] = (struct blk_segment){.offset = sector * 512, .length = 512};
    struct blk_request request = {
        .op = op, .sector = sector, .sectors = 1, .segments = 1, .tag = number};
    blk_client_submit(&client, &request);
}

static void end(unsigned slot, uint32_t said)
{
    channel->slot[slot].status = said;
    __atomic_store_n(&channel->slot[slot].state, BLK_ENDED, __ATOMIC_RELEASE);
    __atomic_fetch_or(&channel->ended, 1ull << slot, __ATOMIC_SEQ_CST);
}

TEST(a_request_and_its_answer)
{
    fresh();
    submit(BLK_WRITE, 9, 77);
    CHECK_EQ(channel->submitted, 0);
    blk_client_ring(&client);
    CHECK_EQ(channel->submitted, 1);
    CHECK_EQ(signals, 1);
    const struct blk_slot *slot = &channel->slot[0];
    CHECK_EQ(slot->state, BLK_SUBMITTED);
    CHECK_EQ(slot->op, BLK_WRITE);
    CHECK_EQ(slot->sector, 9);
    CHECK_EQ(slot->sequence, 1);
    CHECK_EQ(slot->segment[0].offset, 9 * 512);
    CHECK(!blk_client_take(&client, &tag, &status));
    end(0, BLK_READ_ONLY);
    CHECK(blk_client_take(&client, &tag, &status));
    CHECK_EQ(tag, 77);
    CHECK_EQ(status, BLK_READ_ONLY);
    CHECK_EQ(slot->state, BLK_FREE);
    CHECK(!blk_client_take(&client, &tag, &status));
}

TEST(one_signal_a_batch)
{
    fresh();
    for (uint32_t i = 0; i < 3; i++)
        submit(BLK_READ, i, i);
    blk_client_ring(&client);
    submit(BLK_READ, 3, 3);
    blk_client_ring(&client); /* the driver has not taken the word yet: it will see this one */
    blk_client_ring(&client);
    CHECK_EQ(signals, 1);
    CHECK_EQ(channel->submitted, 15);
    channel->submitted = 0;
    submit(BLK_READ, 4, 4);
    blk_client_ring(&client);
    CHECK_EQ(signals, 2);
}

TEST(all_slots_then_none)
{
    fresh();
    for (uint32_t i = 0; i < BLK_SLOTS; i++)
        submit(BLK_READ, i, 1000 + i);
    CHECK(blk_client_full(&client));
    CHECK(!blk_client_segments(&client));
    end(41, BLK_OK);
    end(3, BLK_OK);
    CHECK(blk_client_take(&client, &tag, &status));
    CHECK_EQ(tag, 1003);
    CHECK(blk_client_take(&client, &tag, &status));
    CHECK_EQ(tag, 1041);
    CHECK(!blk_client_full(&client));
    submit(BLK_FLUSH, 0, 5);
    CHECK_EQ(channel->slot[3].sequence, BLK_SLOTS + 1);
}

TEST(a_driver_that_lies)
{
    fresh();
    submit(BLK_READ, 0, 1);
    channel->ended = ~0ull; /* of slots never submitted, and of one that has not ended */
    CHECK(!blk_client_take(&client, &tag, &status));
    CHECK_EQ(client.lies, BLK_SLOTS);
    CHECK_EQ(client.busy, 1);
    end(0, 4711);
    CHECK(blk_client_take(&client, &tag, &status));
    CHECK_EQ(status, BLK_IO_ERROR);
    end(0, BLK_OK); /* twice */
    CHECK(!blk_client_take(&client, &tag, &status));
    CHECK_EQ(client.busy, 0);
}

TEST(geometry_is_made_plausible)
{
    struct blk_geometry geometry;
    fresh();
    memset(&channel->geometry, 0xff, sizeof(channel->geometry));
    blk_client_geometry(&client, &geometry);
    CHECK_EQ(geometry.sectors, 0);
    CHECK_EQ(geometry.block_size, 512);
    CHECK_EQ(geometry.physical_size, 512);
    CHECK_EQ(geometry.discard_align, 512);
    CHECK_EQ(strlen(geometry.serial), sizeof(geometry.serial) - 1);
    CHECK_EQ(strlen(geometry.model), sizeof(geometry.model) - 1);
    channel->geometry.sectors = 1001;
    channel->geometry.block_size = channel->geometry.physical_size = 4096;
    blk_client_geometry(&client, &geometry);
    CHECK_EQ(geometry.sectors, 1000);
    CHECK_EQ(geometry.physical_size, 4096);
}

TEST(a_driver_that_died)
{
    fresh();
    for (uint32_t i = 0; i < 4; i++)
        submit(BLK_WRITE, i, i);
    blk_client_ring(&client);
    channel->submitted = 0;             /* taken by the one that died */
    channel->slot[2].state = BLK_ENDED; /* which did not come to say so */
    CHECK(!blk_client_changed(&client));
    channel->present = 0;
    CHECK(!blk_client_changed(&client));
    CHECK(!blk_client_take(&client, &tag, &status));
    channel->present = 1;
    CHECK(blk_client_changed(&client));
    CHECK_EQ(signals, 2);
    CHECK_EQ(channel->submitted, 11);
    CHECK(blk_client_take(&client, &tag, &status));
    CHECK_EQ(tag, 2);
    CHECK_EQ(status, BLK_OK);
    CHECK(!blk_client_changed(&client));
    channel->generation++; /* so quick that nobody saw it gone */
    CHECK(blk_client_changed(&client));
    CHECK_EQ(signals, 3);
}

/* The driver that follows tells of slots that the client finds by itself: nothing may stay in the
 * word, or the next answer comes without a signal. */
TEST(answers_that_are_told_twice)
{
    unsigned answers = 0;
    fresh();
    submit(BLK_READ, 1, 1);
    blk_client_ring(&client);
    channel->slot[0].state = BLK_ENDED;
    channel->ended = 1;
    channel->generation++;
    CHECK(blk_client_differs(&client) && blk_client_changed(&client));
    while (blk_client_has_answers(&client) && blk_client_take(&client, &tag, &status))
        answers++;
    CHECK_EQ(answers, 1);
    CHECK_EQ(client.busy, 0);
    CHECK_EQ(channel->ended, 0);
    CHECK(!blk_client_differs(&client));
}

/* --- against a driver of another thread that dies now and then --- */

#define VOLUME 256u
#define ROUNDS 20000u

static uint32_t volume[VOLUME], memory[BLK_SLOTS];
static uint32_t quit, deaths;

static void do_slot(struct blk_slot *slot)
{
    uint32_t *mine = &memory[slot->segment[0].offset / 512];
    if (slot->op == BLK_WRITE)
        volume[slot->sector] = *mine;
    else
        *mine = volume[slot->sector];
}

/* One life: serves until it dies, at any of its steps. */
static void live(unsigned *seed)
{
    uint64_t work = 0;
    for (unsigned i = 0; i < BLK_SLOTS; i++) { /* the order of sequence does not matter here: */
        if (__atomic_load_n(&channel->slot[i].state, __ATOMIC_ACQUIRE) == BLK_SUBMITTED)
            work |= 1ull << i; /* the client has one request a sector */
    }
    for (;;) {
        work |= __atomic_exchange_n(&channel->submitted, 0, __ATOMIC_SEQ_CST);
        if (!work && __atomic_load_n(&quit, __ATOMIC_ACQUIRE))
            return;
        for (; work; work &= work - 1) {
            struct blk_slot *slot = &channel->slot[__builtin_ctzll(work)];
            if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != BLK_SUBMITTED)
                continue;
            unsigned step = (unsigned)rand_r(seed) % 64;
            if (step == 0)
                return;
            do_slot(slot);
            if (step == 1)
                return;
            slot->status = BLK_OK;
            __atomic_store_n(&slot->state, BLK_ENDED, __ATOMIC_RELEASE);
            if (step == 2)
                return;
            __atomic_fetch_or(&channel->ended, work & -work, __ATOMIC_SEQ_CST);
        }
        sched_yield();
    }
}

static void *driver_thread(void *arg)
{
    unsigned seed = 1;
    (void)arg;
    while (!__atomic_load_n(&quit, __ATOMIC_ACQUIRE)) {
        live(&seed);
        deaths++;
        __atomic_fetch_add(&channel->generation, 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static uint32_t expected[VOLUME];
static uint32_t slot_of_tag[BLK_SLOTS];
static bool tag_busy[BLK_SLOTS], tag_reads[BLK_SLOTS], wrong;

static void take_all(unsigned *in_flight)
{
    blk_client_changed(&client);
    while (blk_client_take(&client, &tag, &status)) {
        wrong |= status != BLK_OK || !tag_busy[tag];
        wrong |= tag_reads[tag] && memory[tag] != expected[slot_of_tag[tag]];
        tag_busy[tag] = false;
        --*in_flight;
    }
}

/* Tag t works on the sectors t, t + 64, ...: no two requests in flight meet. */
TEST(nothing_is_lost_with_a_driver_that_dies)
{
    pthread_t thread;
    unsigned in_flight = 0, seed = 2;
    fresh();
    CHECK_EQ(pthread_create(&thread, NULL, driver_thread, NULL), 0);
    for (unsigned done = 0; done < ROUNDS || in_flight;) {
        uint32_t t = (uint32_t)rand_r(&seed) % BLK_SLOTS;
        if (done < ROUNDS && !tag_busy[t] && !blk_client_full(&client)) {
            uint32_t sector = t + BLK_SLOTS * ((uint32_t)rand_r(&seed) % (VOLUME / BLK_SLOTS));
            tag_busy[t] = true;
            tag_reads[t] = rand_r(&seed) & 1;
            slot_of_tag[t] = sector;
            memory[t] = tag_reads[t] ? 0xdead : (expected[sector] = (uint32_t)rand_r(&seed));
            blk_client_segments(&client)[0] =
                (struct blk_segment){.offset = t * 512, .length = 512};
            struct blk_request request = {.op = tag_reads[t] ? BLK_READ : BLK_WRITE,
                                          .sector = sector,
                                          .sectors = 1,
                                          .segments = 1,
                                          .tag = t};
            blk_client_submit(&client, &request);
            blk_client_ring(&client);
            in_flight++;
            done++;
        } else {
            sched_yield();
        }
        take_all(&in_flight);
    }
    __atomic_store_n(&quit, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    CHECK(!wrong);
    CHECK(deaths > 10);
    CHECK(!memcmp(volume, expected, sizeof(volume)));
    CHECK_EQ(client.busy, 0);
}
