/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/storage/probe.h"

#include <stdio.h>
#include "abi/map.h"
#include "abi/object.h"
#include "abi/status.h"
#include "manager/window.h"
#include "user/block_client.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define CHANNEL_VA  (MANAGER_DISKS_VA + 0x10000000ull)
#define BUFFER_VA   (CHANNEL_VA + 0x1000000ull)
#define PATIENCE_NS 30000000000ull

static struct {
    enum { PROBE_IDLE, PROBE_READS, PROBE_CLOSES } state;
    struct ahci *ahci;
    uint32_t port;
    struct channel *channel;
    struct blk_client client;
    uint64_t deadline;
    struct gpt gpt;
    bool cancelled;
    bool grows; /* a partition */
    uint64_t grow_first, grow_blocks;
    struct gpt_grow grow;
} probe;
static struct mem_block buffer;
static uint32_t notif;
static uint64_t notif_bits;
static uint32_t driver_notif; /* slot: the driver's, as a client has it */

void probe_init(uint32_t notif_slot, uint64_t bits)
{
    notif = notif_slot;
    notif_bits = bits;
}

static const char *take_buffer(void)
{
    if (buffer.slot)
        return NULL;
    if (physmem_alloc_below(&buffer, GPT_GROW_BYTES, PHYSMEM_PAGE, 1ull << 32) != OK)
        return "there is no memory to read its partition table";
    if (sys_mem_map(SLOT_SELF_PD, buffer.slot, BUFFER_VA, 0, buffer.size, MAP_READ | MAP_WRITE) ==
        OK)
        return NULL;
    physmem_free(&buffer);
    return "memory for its partition table cannot be mapped";
}

static void ask(enum blk_op op, uint64_t block, uint32_t blocks, uint32_t offset)
{
    uint32_t bytes = blocks * probe.gpt.block_size;
    uint32_t per_block = probe.gpt.block_size / BLK_SECTOR;
    struct blk_segment *segment = blk_client_segments(&probe.client);
    segment[0] = (struct blk_segment){.offset = offset, .length = bytes, .memory = 0};
    struct blk_request request = {.op = op,
                                  .sector = block * per_block,
                                  .sectors = bytes / BLK_SECTOR,
                                  .segments = op == BLK_FLUSH ? 0 : 1};
    blk_client_submit(&probe.client, &request);
    blk_client_ring(&probe.client);
}

static void submit(void)
{
    static const enum blk_op op[] = {
        [GROW_OP_READ] = BLK_READ, [GROW_OP_WRITE] = BLK_WRITE, [GROW_OP_FLUSH] = BLK_FLUSH};
    const struct gpt_grow *g = &probe.grow;
    if (probe.gpt.step != GPT_DONE)
        ask(BLK_READ, probe.gpt.want_block, probe.gpt.want_blocks, 0);
    else
        ask(op[g->op], g->want_block, g->want_blocks, g->offset);
}

static bool is_done(void)
{
    return probe.gpt.step == GPT_DONE && (!probe.grows || probe.grow.step == GROW_DONE);
}

static const char *open_channel(struct ahci *a, uint32_t port, const struct ahci_disk *disk)
{
    struct channel_request request = {.owner = &probe,
                                      .port = port,
                                      .disk = disk->geometry,
                                      .sectors = disk->geometry.sectors,
                                      .read_only = !probe.grows,
                                      .memory = &buffer,
                                      .memory_count = 1,
                                      .name = "manager"};
    struct channel *c = ahci_new_channel(a);
    if (!c)
        return "all channels of its controller are in use";
    if (ahci_let_reach(a, &buffer, 1) != OK)
        return "its controller cannot reach the manager's buffer";
    const char *why = channel_prepare(c, &request);
    if (why)
        return why;
    probe.channel = c;
    uint64_t bit = AHCI_BIT_CHANNEL(ahci_channel_index(a, c));
    driver_notif = slot_alloc();
    if (!driver_notif ||
        sys_cap_copy(SLOT_SELF_PD, driver_notif, a->notif, RIGHT_WRITE, bit) != OK ||
        sys_mem_map(SLOT_SELF_PD, c->memory.slot, CHANNEL_VA, 0, c->memory.size,
                    MAP_READ | MAP_WRITE) != OK ||
        channel_attach(c, notif, notif_bits) != OK)
        return "its channel cannot be set up";
    blk_client_init(&probe.client, (struct blk_channel *)CHANNEL_VA, driver_notif, bit);
    return NULL;
}

static void close_channel(void)
{
    if (probe.channel)
        sys_mem_unmap(SLOT_SELF_PD, CHANNEL_VA, probe.channel->memory.size);
    if (driver_notif)
        slot_free(driver_notif);
    driver_notif = 0;
    probe.channel = NULL;
    probe.state = ahci_close_all(&probe) ? PROBE_CLOSES : PROBE_IDLE;
}

static const char *start(struct ahci *a, uint32_t port, const struct ahci_disk *disk)
{
    probe.ahci = a;
    probe.port = port;
    probe.cancelled = false;
    probe.deadline = time_tsc() + time_ns_to_tsc(PATIENCE_NS);
    const char *why = take_buffer();
    if (!why)
        why = open_channel(a, port, disk);
    if (why) {
        close_channel();
        return why;
    }
    uint32_t per_block = disk->geometry.block_size / BLK_SECTOR;
    gpt_begin(&probe.gpt, disk->geometry.block_size, disk->geometry.sectors / per_block);
    probe.state = PROBE_READS;
    if (probe.gpt.step != GPT_DONE)
        submit();
    else
        sys_notif_signal(notif, notif_bits);
    ahci_job(a);
    return NULL;
}

const char *probe_start(struct ahci *a, uint32_t port, const struct ahci_disk *disk)
{
    probe.grows = false;
    return start(a, port, disk);
}

const char *probe_grow(struct ahci *a, uint32_t port, const struct ahci_disk *disk, uint64_t first,
                       uint64_t blocks)
{
    probe.grows = true;
    probe.grow_first = first;
    probe.grow_blocks = blocks;
    probe.grow = (struct gpt_grow){0};
    return start(a, port, disk);
}

bool probe_is_busy(void)
{
    if (probe.state == PROBE_CLOSES && !ahci_has_channels(&probe))
        probe.state = PROBE_IDLE;
    return probe.state != PROBE_IDLE;
}

uint64_t probe_deadline(void)
{
    return probe.state == PROBE_READS ? probe.deadline : 0;
}

void probe_cancel(const struct ahci *a, uint32_t port)
{
    if (probe.state == PROBE_READS && probe.ahci == a && probe.port == port)
        probe.cancelled = true;
}

/* The table is read: what is to be changed in it? */
static void plan(void)
{
    const char *why = gpt_grow_begin(&probe.grow, &probe.gpt, probe.grow_first, probe.grow_blocks);
    if (why)
        probe.grow = (struct gpt_grow){.step = GROW_DONE, .why = why};
}

static void take(bool good)
{
    if (probe.gpt.step == GPT_DONE) {
        gpt_grow_done(&probe.grow, good, (uint8_t *)BUFFER_VA);
        return;
    }
    gpt_feed(&probe.gpt, good ? (const void *)BUFFER_VA : NULL);
    if (probe.gpt.step == GPT_DONE && probe.grows)
        plan();
}

/* True: it has ended, well or not. */
static bool go_on(uint64_t now)
{
    enum blk_status status;
    uint32_t tag;
    if (probe.state != PROBE_READS)
        return false;
    /* A driver that came after another is told again what it may have missed. */
    blk_client_changed(&probe.client);
    blk_client_ring(&probe.client);
    while (!is_done() && blk_client_take(&probe.client, &tag, &status)) {
        take(status == BLK_OK);
        if (!is_done())
            submit();
    }
    if (is_done())
        return true;
    if (now < probe.deadline && !probe.cancelled)
        return false;
    probe.gpt.count = 0;
    snprintf(probe.gpt.reason, sizeof(probe.gpt.reason),
             "its partition table cannot be read: no answer");
    probe.grow.why = "its disk does not answer";
    return true;
}

const struct gpt *probe_result(uint64_t now, uint32_t *controller, uint32_t *port)
{
    if (probe.grows || !go_on(now))
        return NULL;
    *controller = probe.ahci->index;
    *port = probe.port;
    close_channel();
    return probe.cancelled ? NULL : &probe.gpt;
}

const struct gpt_grow *probe_grown(uint64_t now)
{
    if (!probe.grows || !go_on(now))
        return NULL;
    close_channel();
    return &probe.grow;
}
