/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients of the driver under test, and the model of what their disks must hold. Each sector of 512
 * bytes carries its number and a version that only grows, so that a write done twice after a later
 * one, a torn sector or one of another place shows. */
#ifndef TESTS_UNIT_AHCI_CLIENT_H
#define TESTS_UNIT_AHCI_CLIENT_H

#include "tests/unit/ahci_sim.h"

#define CLIENTS     16u
#define CLIENT_MEM  (2u << 20)
#define CLIENT_BASE 0x200000000ull
#define DMA_BASE    0x10000000ull
#define SECTORS_MAX (SIM_BLOCKS * 8)

struct sector {
    uint64_t version;   /* acknowledged */
    uint64_t attempted; /* highest that was ever sent */
    uint64_t durable;   /* must survive a power cut */
    uint64_t zero_at;   /* version that was zeroes */
    uint64_t any_at;    /* version that was a discard: the content may be anything */
    uint64_t epoch;     /* when `version` was acknowledged */
    int32_t users;      /* requests in flight: readers, or -1: a writer */
};

struct pending {
    uint32_t op;
    bool busy, fua, bad;
    uint64_t sector, sectors, version, epoch, offset;
};

struct client {
    struct blk_channel *shared;
    uint8_t *memory;
    struct ahci_attach attach;
    uint32_t index, depth;
    uint64_t sequence;
    struct pending slot[BLK_SLOTS];
    uint64_t ended[BLK_GONE + 1], bytes;
    bool attached;
    uint32_t reads_only, biggest; /* biggest: blocks a request */
    uint32_t seen;                /* generation */
};

static struct client client[CLIENTS];
static struct sector sector[SIM_PORTS][SECTORS_MAX];
static uint64_t next_version, epoch, rung; /* rung: bits at the driver's notification */
static uint8_t *dma_memory;
static struct ahci_status status_page;
static struct hba *hba;
static const char *wrong; /* what the model has found */

static void complain(const char *what)
{
    if (!wrong)
        wrong = what;
}

static void fill_sector(uint8_t *to, uint32_t port, uint64_t number, uint64_t version)
{
    uint64_t word[64];
    for (uint32_t i = 0; i < 64; i++)
        word[i] = (version * 0x9e3779b97f4a7c15ull) ^ (number << 20) ^ ((uint64_t)port << 8) ^ i;
    word[0] = version;
    memcpy(to, word, 512);
}

/* The version that a sector holds; 0: zeroes; ~0: nothing that was ever written there. */
static uint64_t held_version(const uint8_t *from, uint32_t port, uint64_t number)
{
    static const uint8_t zeroes[512];
    uint8_t expected[512];
    uint64_t version;
    if (!memcmp(from, zeroes, 512))
        return 0;
    memcpy(&version, from, 8);
    fill_sector(expected, port, number, version);
    return memcmp(from, expected, 512) ? ~0ull : version;
}

/* from: the oldest version that may be there. */
static bool acceptable(const struct sector *s, uint64_t held, uint64_t from)
{
    if (s->any_at && s->any_at >= from)
        return true;
    if (held == 0)
        return from == 0 || s->zero_at >= from;
    return held >= from && held <= s->attempted;
}

static struct sector *sector_at(const struct client *c, uint64_t number)
{
    return &sector[c->attach.port][c->attach.first_sector + number];
}

static void check_read(const struct client *c, const struct pending *p)
{
    for (uint64_t i = 0; i < p->sectors; i++) {
        const struct sector *s = sector_at(c, p->sector + i);
        uint64_t held = held_version(c->memory + p->offset + i * 512, c->attach.port,
                                     c->attach.first_sector + p->sector + i);
        if (!acceptable(s, held, s->version) && getenv("AHCI_LOG"))
            printf("sector %llu: version %llu, expected %llu..%llu, zero at %llu\n",
                   (unsigned long long)(p->sector + i), (unsigned long long)held,
                   (unsigned long long)s->version, (unsigned long long)s->attempted,
                   (unsigned long long)s->zero_at);
        if (!acceptable(s, held, s->version))
            complain("a read brought something else than was written");
    }
}

/* --- requests --- */

static void ring_bell(struct client *c, uint32_t slot)
{
    __atomic_store_n(&c->shared->slot[slot].state, BLK_SUBMITTED, __ATOMIC_RELEASE);
    if (!__atomic_fetch_or(&c->shared->submitted, 1ull << slot, __ATOMIC_ACQ_REL))
        rung |= AHCI_BIT_CHANNEL(c->index);
}

static bool claim(struct client *c, const struct pending *p)
{
    bool write = p->op != BLK_READ;
    for (uint64_t i = 0; i < p->sectors; i++) {
        int32_t users = sector_at(c, p->sector + i)->users;
        if (users < 0 || (write && users))
            return false;
    }
    for (uint64_t i = 0; i < p->sectors; i++) {
        struct sector *s = sector_at(c, p->sector + i);
        s->users = write ? -1 : s->users + 1;
        if (!write)
            continue;
        s->attempted = p->version;
        if (p->op == BLK_WRITE_ZEROES)
            s->zero_at = p->version;
        if (p->op == BLK_DISCARD)
            s->any_at = p->version;
    }
    return true;
}

/* Cuts the buffer into pieces of all sizes. */
static uint32_t cut_segments(struct blk_slot *slot, uint64_t offset, uint64_t bytes)
{
    uint32_t n = 0;
    while (bytes) {
        uint64_t piece = (uint64_t)(1 + sim_random(6000)) * 2;
        if (piece > bytes || n == BLK_SEGMENTS_MAX - 1 || sim_random(3) == 0)
            piece = bytes;
        slot->segment[n++] =
            (struct blk_segment){.offset = offset, .length = (uint32_t)piece, .memory = 0};
        offset += piece;
        bytes -= piece;
    }
    return n;
}

static void send(struct client *c, uint32_t index, const struct pending *request)
{
    struct blk_slot *slot = &c->shared->slot[index];
    struct pending *p = &c->slot[index];
    *p = *request;
    p->busy = true;
    p->epoch = epoch;
    slot->op = p->op;
    slot->flags = p->fua ? BLK_FUA : 0;
    slot->sector = p->sector;
    slot->sectors = p->sectors;
    slot->sequence = ++c->sequence;
    slot->segments = 0;
    if (p->op == BLK_READ || p->op == BLK_WRITE)
        slot->segments = cut_segments(slot, p->offset, p->sectors * 512);
    for (uint64_t i = 0; p->op == BLK_WRITE && i < p->sectors; i++)
        fill_sector(c->memory + p->offset + i * 512, c->attach.port,
                    c->attach.first_sector + p->sector + i, p->version);
    ring_bell(c, index);
}

static void submit_random(struct client *c)
{
    uint32_t index = sim_random(c->depth);
    const struct sim_disk *d = &sim.port[c->attach.port].disk;
    uint32_t per_block = d->block_size / 512, dice = sim_random(100);
    if (c->slot[index].busy)
        return;
    struct pending p = {.op = BLK_READ, .version = ++next_version};
    if (!c->reads_only)
        p.op = dice < 45   ? BLK_READ
               : dice < 85 ? BLK_WRITE
               : dice < 92 ? BLK_FLUSH
               : dice < 96 ? BLK_WRITE_ZEROES
                           : BLK_DISCARD;
    if (p.op == BLK_DISCARD && !d->trim)
        p.op = BLK_WRITE;
    p.fua = p.op == BLK_WRITE && sim_random(8) == 0;
    p.offset = (uint64_t)index * (CLIENT_MEM / BLK_SLOTS);
    uint64_t blocks = c->attach.sectors / per_block;
    if (p.op != BLK_FLUSH) {
        uint32_t most = c->biggest ? c->biggest : (CLIENT_MEM / BLK_SLOTS) / d->block_size;
        uint64_t count = 1 + sim_random(sim_random(2) ? most : 2);
        uint64_t first = sim_random((uint32_t)(blocks - count + 1));
        p.sector = first * per_block;
        p.sectors = count * per_block;
        if (!claim(c, &p))
            return;
    }
    send(c, index, &p);
}

static void flushed(struct client *c, const struct pending *p)
{
    for (uint64_t i = 0; i < c->attach.sectors; i++) {
        struct sector *s = sector_at(c, i);
        if (s->epoch <= p->epoch && s->version > s->durable)
            s->durable = s->version;
    }
}

static void acknowledged(struct client *c, const struct pending *p, bool ok)
{
    epoch++;
    for (uint64_t i = 0; i < p->sectors; i++) {
        struct sector *s = sector_at(c, p->sector + i);
        s->users = p->op == BLK_READ ? s->users - 1 : 0;
        if (p->op == BLK_READ || !ok)
            continue;
        s->version = p->version;
        s->epoch = epoch;
        if (p->fua)
            s->durable = p->version;
    }
}

static void finish(struct client *c, uint32_t index)
{
    struct pending *p = &c->slot[index];
    struct blk_slot *slot = &c->shared->slot[index];
    if (!p->busy) /* told twice: harmless */
        return;
    if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != BLK_ENDED) {
        complain("a slot that is not ended is told to be");
        return;
    }
    uint32_t status = slot->status <= BLK_GONE ? slot->status : BLK_INVALID;
    slot->state = BLK_FREE;
    p->busy = false;
    c->ended[status]++;
    c->bytes += p->sectors * 512;
    if (p->bad)
        return;
    if (status == BLK_OK && p->op == BLK_READ)
        check_read(c, p);
    if (status == BLK_OK && p->op == BLK_FLUSH)
        flushed(c, p);
    if (p->op != BLK_FLUSH)
        acknowledged(c, p, status == BLK_OK);
}

static void take_ended(struct client *c)
{
    uint64_t bits = __atomic_exchange_n(&c->shared->ended, 0, __ATOMIC_ACQ_REL);
    for (uint32_t i = 0; i < BLK_SLOTS; i++) {
        if (bits >> i & 1)
            finish(c, i);
    }
}

static bool client_busy(const struct client *c)
{
    for (uint32_t i = 0; i < BLK_SLOTS; i++) {
        if (c->slot[i].busy)
            return true;
    }
    return false;
}

/* --- the world --- */

static void client_setup(uint32_t index, uint32_t port, uint64_t first, uint64_t sectors)
{
    struct client *c = &client[index];
    struct blk_channel *shared = c->shared;
    uint8_t *memory = c->memory;
    *c = (struct client){.index = index, .depth = 32};
    c->shared = shared ? shared : aligned_alloc(4096, (sizeof(*shared) + 4095) & ~4095ul);
    c->memory = memory ? memory : malloc(CLIENT_MEM);
    memset(c->shared, 0, sizeof(*c->shared));
    uint64_t base = CLIENT_BASE + (uint64_t)index * CLIENT_MEM * 2;
    sim.region[1 + index] = (struct sim_region){base, CLIENT_MEM, c->memory};
    c->attach = (struct ahci_attach){.port = port,
                                     .first_sector = first,
                                     .sectors = sectors,
                                     .client_bits = 1ull << index,
                                     .memory = {{base, CLIENT_MEM}}};
    snprintf(c->attach.name, sizeof(c->attach.name), "client %u", index);
}

static void world_init(uint64_t seed)
{
    sim_init(seed);
    memset(sector, 0, sizeof(sector));
    memset(&status_page, 0, sizeof(status_page));
    next_version = epoch = rung = 0;
    wrong = NULL;
    dma_memory = dma_memory ? dma_memory : aligned_alloc(4096, AHCI_DMA_BYTES);
    memset(dma_memory, 0, AHCI_DMA_BYTES);
    sim.region[0] = (struct sim_region){DMA_BASE, AHCI_DMA_BYTES, dma_memory};
    for (uint32_t i = 0; i < CLIENTS; i++)
        client[i].depth = 0;
}

static void driver_end(void)
{
    for (uint32_t i = 0; hba && i < AHCI_CHANNELS; i++)
        free(hba->channel[i]);
    free(hba);
    hba = NULL;
    sim.irq = false;
    sim.die_in = 0;
    for (uint32_t i = 0; i < CLIENTS; i++)
        client[i].attached = false;
}

/* Time goes on to whatever comes next; false: nothing will. */
static bool sleep_world(void)
{
    uint64_t next = hba_wake(hba);
    for (uint32_t i = 0; i < SIM_PORTS; i++) {
        const struct sim_port *p = &sim.port[i];
        if (p->linking && (!next || p->ready_at < next))
            next = p->ready_at;
    }
    if (next > sim.now)
        sim.now = next;
    return next;
}

/* One event for the driver, one of the controller's. False: all is quiet. */
static bool world_step(void)
{
    bool moved = sim_step();
    uint64_t wake = hba_wake(hba);
    sim.now += sim_random(20000);
    if (sim.irq && sim_random(3)) {
        sim.irq = false;
        hba_interrupt(hba);
        moved = true;
    }
    if (rung && sim_random(2)) {
        uint64_t bits = rung;
        rung = 0;
        hba_doorbells(hba, bits);
        moved = true;
    }
    if (wake && wake <= sim.now) {
        hba_timer(hba);
        moved = true;
    }
    return moved || rung || sim.irq || sleep_world();
}

static void attach_all(void)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct client *c = &client[i];
        if (!c->depth || c->attached)
            continue;
        c->attached = channel_attach(hba, i, &c->attach, c->shared, i + 1) == AHCI_REFUSED_NOT;
    }
}

static void driver_start(void)
{
    hba = calloc(1, sizeof(*hba));
    hba->dma = dma_memory;
    hba->dma_base = DMA_BASE;
    hba->size = 0x1100;
    hba->status = &status_page;
    if (hba_reset(hba)) {
        complain("the controller is refused");
        return;
    }
    hba_start(hba);
    for (uint32_t i = 0; i < 100000 && !hba_settled(hba); i++)
        world_step();
    attach_all();
}

static void clients_step(bool submit)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct client *c = &client[i];
        if (!c->depth)
            continue;
        if (submit && sim_random(2))
            submit_random(c);
        if (sim_random(2))
            take_ended(c);
    }
}

static bool any_busy(void)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (client[i].depth && client_busy(&client[i]))
            return true;
    }
    return false;
}

/* So many steps under load, then until all is ended. */
static void run(uint32_t steps)
{
    for (uint32_t i = 0; i < steps && !wrong; i++) {
        clients_step(true);
        world_step();
    }
    for (uint32_t i = 0; i < 200000 && any_busy() && !wrong; i++) {
        clients_step(false);
        world_step();
    }
    if (any_busy())
        complain("a request never ends");
}

/* After a power cut. */
static void check_medium(uint32_t port)
{
    const struct sim_disk *d = &sim.port[port].disk;
    uint64_t sectors = (uint64_t)d->blocks * d->block_size / 512;
    for (uint64_t i = 0; i < sectors; i++) {
        struct sector *s = &sector[port][i];
        uint64_t held = held_version(d->medium + i * 512, port, i);
        if (!acceptable(s, held, s->durable))
            complain("the medium has lost what was flushed");
    }
}

#endif
