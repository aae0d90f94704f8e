/* SPDX-License-Identifier: BSD-2-Clause */
/* What volumes may hold: for each sector all that was written since it was last certain, so that
 * after a power cut each sector is one of them, and after anything else the last. */
#ifndef TESTS_UNIT_POOL_MODEL_H
#define TESTS_UNIT_POOL_MODEL_H

#include "tests/unit/pool_sim.h"

/* Model sectors are two windows of a volume: its first blocks, and some around the end of a leaf.
 */
#define MODEL_HALF    512u
#define MODEL_SECTORS (2 * MODEL_HALF)
#define MODEL_SECOND  (POOL_LEAF_BLOCKS * POOL_BLOCK_SECTORS - 256u)
#define MODEL_SIZE    (MODEL_SECOND + MODEL_HALF)
#define MODEL_DEPTH   96u
#define MODEL_VOLUMES 12u
#define MODEL_FLIGHT  6u

struct model_volume {
    bool there, snapshot, perhaps; /* perhaps: an order that makes or deletes it is under way */
    char name[2 * POOL_NAME];
    uint32_t value[MODEL_SECTORS][MODEL_DEPTH];
    uint8_t count[MODEL_SECTORS], sure[MODEL_SECTORS], ended[MODEL_SECTORS];
};

struct model_request {
    bool busy;
    struct pool_request request;
    struct blk_segment segment[2];
    struct model_volume *volume;
    uint32_t first, sectors;      /* of the model */
    uint8_t floor[MODEL_SECTORS]; /* a flush: what it makes sure */
    enum blk_status status;
};

struct model {
    struct sim sim;
    struct model_volume volume[MODEL_VOLUMES];
    struct model_request flight[MODEL_FLIGHT + 1]; /* the last: for looking at volumes */
    uint32_t stamp, dice;
    const char *fault;
    char fault_text[512];
};

static uint32_t model_dice(struct model *m, uint32_t sides)
{
    m->dice = m->dice * 1103515245u + 12345u;
    return (m->dice >> 8) % sides;
}

static uint64_t model_sector(uint32_t at)
{
    return at < MODEL_HALF ? at : MODEL_SECOND + at - MODEL_HALF;
}

static void model_begin(struct model_volume *v, const char *name)
{
    memset(v, 0, sizeof(*v));
    v->there = true;
    snprintf(v->name, sizeof(v->name), "%s", name);
    memset(v->count, 1, sizeof(v->count));
}

/* Only the last of each sector is left. */
static void model_settle(struct model_volume *v)
{
    for (uint32_t i = 0; i < MODEL_SECTORS; i++) {
        v->value[i][0] = v->value[i][v->count[i] - 1];
        v->count[i] = 1;
        v->sure[i] = v->ended[i] = 0;
    }
}

static uint8_t *model_memory(struct model *m, uint32_t flight)
{
    return m->sim.memory + ((size_t)flight << 20);
}

static bool model_is_full(const struct model_volume *v)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < MODEL_SECTORS; i++)
        most = v->count[i] > most ? v->count[i] : most;
    return most + MODEL_FLIGHT + 2 > MODEL_DEPTH;
}

/* True if some request in flight touches them. */
static bool model_is_busy(const struct model *m, const struct model_volume *v, uint32_t first,
                          uint32_t sectors)
{
    for (uint32_t i = 0; i < MODEL_FLIGHT; i++) {
        const struct model_request *r = &m->flight[i];
        if (r->busy && r->volume == v && r->first < first + sectors &&
            first < r->first + r->sectors)
            return true;
    }
    return false;
}

/* Two segments, unevenly cut. */
static void model_segments(struct model *m, struct model_request *r, uint32_t bytes)
{
    uint32_t index = (uint32_t)(r - m->flight);
    uint32_t head = bytes > 1024 ? (bytes / 3) & ~1u : bytes;
    uint64_t base = (uint64_t)index << 20;
    r->segment[0] = (struct blk_segment){.offset = base, .length = head};
    r->segment[1] = (struct blk_segment){.offset = base + head, .length = bytes - head};
    r->request.segment = r->segment;
    r->request.segments = bytes > head ? 2 : 1;
}

static bool model_changes(uint32_t op, uint64_t sector, uint64_t first, uint64_t sectors)
{
    uint64_t part = sector - sector % POOL_PART_SECTORS;
    return op != BLK_DISCARD || (part >= first && part + POOL_PART_SECTORS <= first + sectors);
}

static void model_submit(struct model *m, struct model_volume *v, uint32_t op, uint32_t flags,
                         uint32_t first, uint32_t sectors)
{
    uint32_t i = 0;
    while (m->flight[i].busy)
        i++;
    struct model_request *r = &m->flight[i];
    memset(r, 0, sizeof(*r));
    r->busy = true;
    r->volume = v;
    r->first = first;
    r->sectors = op == BLK_FLUSH ? 0 : sectors;
    r->request.volume = pool_find(m->sim.pool, v->name);
    r->request.op = op;
    r->request.flags = flags;
    r->request.sector = model_sector(first);
    r->request.sectors = sectors;
    model_segments(m, r, sectors * POOL_SECTOR);
    uint32_t stamp = op == BLK_WRITE ? ++m->stamp : 0;
    for (uint32_t k = 0; k < r->sectors && op != BLK_READ; k++) {
        uint32_t at = first + k;
        if (op == BLK_WRITE)
            memset(model_memory(m, i) + k * POOL_SECTOR, 0, POOL_SECTOR);
        if (op == BLK_WRITE)
            memcpy(model_memory(m, i) + k * POOL_SECTOR, &stamp, sizeof(stamp));
        if (model_changes(op, model_sector(at), r->request.sector, sectors))
            v->value[at][v->count[at]++] = stamp;
    }
    if (op == BLK_FLUSH)
        memcpy(r->floor, v->ended, sizeof(r->floor));
    pool_submit(m->sim.pool, &r->request);
}

static void model_fault(struct model *m, const char *what, const struct model_volume *v,
                        uint32_t at, uint32_t value)
{
    if (m->fault)
        return;
    snprintf(m->fault_text, sizeof(m->fault_text), "%s: '%s' sector %u is %u, last %u", what,
             v->name, at, value, v->value[at][v->count[at] - 1]);
    m->fault = m->fault_text;
}

static void sim_ended(void *context, struct pool_request *request, enum blk_status status)
{
    /* The model begins with the simulated disk. */
    struct model *m = context;
    for (uint32_t i = 0; i <= MODEL_FLIGHT; i++) {
        struct model_request *r = &m->flight[i];
        if (&r->request != request || !r->busy)
            continue;
        struct model_volume *v = r->volume;
        r->busy = false;
        r->status = status;
        bool fua = request->flags & BLK_FUA;
        for (uint32_t k = 0; k < r->sectors && request->op != BLK_READ && status == BLK_OK; k++) {
            uint32_t at = r->first + k;
            v->ended[at] = (uint8_t)(v->count[at] - 1);
            if (fua)
                v->sure[at] = v->ended[at];
        }
        for (uint32_t k = 0; k < MODEL_SECTORS && request->op == BLK_FLUSH && status == BLK_OK; k++)
            v->sure[k] = r->floor[k] > v->sure[k] ? r->floor[k] : v->sure[k];
        return;
    }
}

/* LOOK_ADOPT: what is there is what it is from now on. */
enum model_look { LOOK_ANY, LOOK_LAST, LOOK_ADOPT };

/* All of a volume, by another process on another disk (`other`), against what it may be. */
static void model_compare(struct model *m, struct model *other, struct model_volume *v,
                          enum model_look look, const char *what)
{
    struct model_request *r = &other->flight[MODEL_FLIGHT];
    struct pool_volume *volume = pool_find(other->sim.pool, v->name);
    if (!volume) {
        if (!v->perhaps)
            model_fault(m, "missing", v, 0, 0);
        return;
    }
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t first = half * MODEL_HALF;
        memset(r, 0, sizeof(*r));
        r->busy = true;
        r->request = (struct pool_request){
            .volume = volume, .op = BLK_READ, .sector = model_sector(first), .sectors = MODEL_HALF};
        r->first = first;
        model_segments(other, r, MODEL_HALF * POOL_SECTOR);
        memset(model_memory(other, MODEL_FLIGHT), 0xee, MODEL_HALF * POOL_SECTOR);
        pool_submit(other->sim.pool, &r->request);
        while (r->busy && sim_step(&other->sim))
            continue;
        for (uint32_t i = 0; i < MODEL_HALF; i++) {
            uint32_t at = first + i, value, k;
            memcpy(&value, model_memory(other, MODEL_FLIGHT) + i * POOL_SECTOR, sizeof(value));
            k = look == LOOK_LAST ? v->count[at] - 1u : v->sure[at];
            while (k < v->count[at] && v->value[at][k] != value)
                k++;
            if (k == v->count[at])
                model_fault(m, what, v, at, value);
            v->value[at][0] = look == LOOK_ADOPT ? value : v->value[at][0];
        }
    }
}

#endif
