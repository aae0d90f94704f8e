/* SPDX-License-Identifier: BSD-2-Clause */
/* Capturing: the manager as the owner of a port to which a switch mirrors frames. */
#include "test.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#define USER_SYSCALL_STUBS_H
#include "abi/object.h"
#include "abi/utcb.h"
#include "user/program.h"

static int64_t sys_mem_map(uint32_t pd, uint32_t slot, uint64_t va, uint64_t offset, uint64_t size,
                           uint64_t flags)
{
    (void)pd, (void)slot, (void)offset, (void)flags;
    void *at = mmap((void *)va, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return at == (void *)va ? 0 : -1;
}
static int64_t sys_mem_unmap(uint32_t pd, uint64_t va, uint64_t size)
{
    (void)pd;
    return munmap((void *)va, size);
}
static int64_t sys_notif_create(uint32_t slot)
{
    (void)slot;
    return 0;
}
static uint32_t signals;
static int64_t sys_notif_signal(uint32_t slot, uint64_t bits)
{
    signals += slot == 31 && bits == 1u << 18;
    return 0;
}
uint32_t slot_alloc(void)
{
    return 50;
}
void slot_free(uint32_t slot)
{
    (void)slot;
}

#include "user/frame_owner.c"
#include "manager/network/capture.c"

int64_t physmem_alloc(struct mem_block *block, uint64_t size, uint64_t align, uint32_t node)
{
    (void)align, (void)node;
    *block = (struct mem_block){.size = size, .slot = 7};
    return 0;
}
void physmem_free(struct mem_block *block)
{
    *block = (struct mem_block){0};
}
int64_t window_zero(const struct mem_block *block)
{
    (void)block;
    return 0;
}
static struct network lan = {.name = "lan"}, wan = {.name = "wan"};
const struct network *network_find(const char *name)
{
    return !strcmp(name, "lan") ? &lan : !strcmp(name, "wan") ? &wan : NULL;
}
uint32_t network_index(const struct network *network)
{
    return network == &wan;
}

struct netport {
    struct switch_port config;
};
static struct netport guest = {.config = {.name = "alpha vnet0"}}, own;
static bool is_open, is_slow;
const char *netport_open(const struct netport_request *r, struct netport **out,
                         struct netport_grant *granted)
{
    own.config = r->port;
    is_open = true;
    *out = &own;
    *granted = (struct netport_grant){
        .channel = 30, .channel_bytes = frame_channel_bytes(1), .bell = 31, .bell_bits = 1u << 18};
    return NULL;
}
int64_t netport_attach(struct netport *p, uint32_t at, uint64_t bits)
{
    (void)p;
    return at == 50 && bits == 1 ? 0 : -1;
}
const struct netport *netport_at(uint32_t index)
{
    return index == 3 ? &guest : index == 4 && is_open ? &own : NULL;
}
const struct switch_port *netport_config(const struct netport *p)
{
    return &p->config;
}
void netport_mirror(const struct netport *of, const struct netport *to)
{
    ((struct netport *)(uintptr_t)of)->config.mirror = to ? 5 : 0;
}
bool netport_mirrors_to(const struct netport *of, const struct netport *to)
{
    return to == &own && of->config.mirror == 5;
}
void netport_stats(const struct netport *p, uint64_t stat[SWITCH_PORT_STATS])
{
    (void)p;
    memset(stat, 0, SWITCH_PORT_STATS * sizeof(stat[0]));
    stat[SWITCH_RX_DROPPED] = 9;
}
bool netport_close_all(const void *whose)
{
    (void)whose;
    is_open = is_open && is_slow;
    return is_open;
}

static struct frame_channel *channel(void)
{
    return (struct frame_channel *)MANAGER_CAPTURE_VA;
}

/* What the switch does: a record in the next buffers. */
static void mirror(uint32_t length)
{
    struct frame_ring *ring = &channel()->pair[0].receive;
    const uint32_t head[4] = {12, 34, length, length};
    uint32_t left = RECORD + length, n = (left + BUFFER - 1) / BUFFER, first = ring->ended;
    for (uint32_t i = 0; i < n; i++) {
        struct frame_entry *e = &ring->entry[(first + i) % FRAME_ENTRIES];
        uint8_t *to = (uint8_t *)AREA_VA + e->offset;
        CHECK_EQ(e->length, BUFFER);
        e->length = left < BUFFER ? left : BUFFER;
        e->buffers = i ? 0 : (uint16_t)n;
        memset(to, (int)(0x40 + first + i), e->length);
        if (!i)
            memcpy(to, head, sizeof(head));
        left -= e->length;
    }
    ring->ended += n;
}

static void begin(void)
{
    CHECK(!capture_begin("lan", "alpha vnet0"));
    CHECK_EQ(guest.config.mirror, 5);
    CHECK_EQ(own.config.kind, SWITCH_PORT_CAPTURE);
    channel()->switch_epoch = channel()->epoch;
}

static uint8_t bytes[MGR_PAYLOAD_BYTES];

static uint32_t word(uint32_t at)
{
    uint32_t value;
    memcpy(&value, bytes + at, sizeof(value));
    return value;
}

TEST(frames_come_cut)
{
    CHECK(!strcmp(capture_begin("lan", "beta"), "network 'lan' has no port 'beta'"));
    CHECK(capture_begin("wan", "alpha vnet0") && capture_begin("none", "alpha vnet0"));
    CHECK_EQ(capture_read(bytes, sizeof(bytes)), 0);
    begin();
    CHECK_EQ(capture_read(bytes, sizeof(bytes)), 0);
    CHECK_EQ(channel()->pair[0].receive.posted, BUFFERS);
    mirror(60);
    mirror(65000);
    CHECK_EQ(capture_read(bytes, sizeof(bytes)), RECORD + 60 + RECORD + MGR_CAPTURE_SNAP);
    CHECK_EQ(word(0), 12);
    CHECK_EQ(word(8), 60);
    CHECK_EQ(word(12), 60);
    CHECK_EQ(word(RECORD + 60 + 8), MGR_CAPTURE_SNAP);
    CHECK_EQ(word(RECORD + 60 + 12), 65000);
    CHECK_EQ(capture_lost(), 9);
    capture_end();
    CHECK(!guest.config.mirror && !is_open);
}

TEST(many_frames_and_full_replies)
{
    uint32_t frames = 0;
    begin();
    capture_read(bytes, sizeof(bytes));
    for (uint32_t round = 0; round < 40; round++) {
        for (uint32_t i = 0; i < 60; i++)
            mirror(1500 + 20 * i);
        for (uint32_t used; (used = capture_read(bytes, sizeof(bytes))) != 0;) {
            CHECK(used <= sizeof(bytes));
            frames += used / (RECORD + MGR_CAPTURE_SNAP);
            CHECK_EQ(used % (RECORD + MGR_CAPTURE_SNAP), 0);
        }
    }
    CHECK_EQ(frames, 2400);
    capture_end();
}

/* A switch that says what cannot be. */
TEST(lies)
{
    struct frame_ring *ring;
    begin();
    capture_read(bytes, sizeof(bytes));
    ring = &channel()->pair[0].receive;
    mirror(60);
    ring->entry[0].length = UINT32_MAX;
    ring->entry[0].buffers = UINT16_MAX;
    CHECK_EQ(capture_read(bytes, sizeof(bytes)), RECORD + MGR_CAPTURE_SNAP);
    ring->entry[1].length = 3;
    ring->ended++;
    CHECK_EQ(capture_read(bytes, sizeof(bytes)), 0);
    ring->ended += 100000;
    CHECK_EQ(capture_read(bytes, sizeof(bytes)), 0);
    capture_end();
}

TEST(a_port_that_is_still_closing)
{
    begin();
    is_slow = true;
    capture_end();
    CHECK(capture_begin("lan", "alpha vnet0") && !guest.config.mirror);
    is_slow = false;
    begin();
    capture_end();
}
