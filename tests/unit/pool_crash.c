/* SPDX-License-Identifier: BSD-2-Clause */
/* Power cuts and ends of the process, at every single point of a run of everything that a volume
 * pool can do. POOL_ROUNDS: runs (each with another order of events). */
#include "tests/unit/pool_model.h"
#include "tests/unit/test.h"

static struct model it, after;

static uint32_t rounds(void)
{
    const char *text = getenv("POOL_ROUNDS");
    return text ? (uint32_t)strtoul(text, NULL, 10) : 1;
}

static void begin(struct model *m, uint32_t seed)
{
    memset(m, 0, sizeof(*m));
    sim_make(&m->sim, SIM_SECTORS);
    m->dice = seed;
    m->sim.random = seed | 1;
}

/* --- a power cut, beside the run --- */

enum cut { CUT_NOTHING, CUT_ALL, CUT_SOME, CUT_OLDER, CUT_NEWER, CUTS };

static bool survives(enum cut cut, uint32_t i, uint32_t count, uint32_t dice)
{
    switch (cut) {
    case CUT_NOTHING:
        return false;
    case CUT_ALL:
        return true;
    case CUT_OLDER:
        return i < dice % (count + 1);
    case CUT_NEWER:
        return i >= dice % (count + 1);
    default:
        return (dice * (i + 1) * 2654435761u) >> 31;
    }
}

/* The ios in flight may have done some of their sectors, too. */
static void tear(struct model *m, enum cut cut, uint32_t dice)
{
    for (uint32_t i = 0; i < m->sim.queued; i++) {
        const struct pool_io *io = m->sim.queue[i];
        for (uint64_t k = 0; io->op == BLK_WRITE && k < io->sectors; k++) {
            if (survives(cut, (uint32_t)(i * 7 + k), m->sim.queued * 8, dice))
                memcpy(after.sim.medium + (io->sector + k) * POOL_SECTOR, sim_bytes(&m->sim, io, k),
                       POOL_SECTOR);
        }
    }
}

static void power_cut(struct model *m, enum cut cut, uint32_t dice)
{
    size_t size = m->sim.sectors * POOL_SECTOR;
    memcpy(after.sim.medium, m->sim.medium, size);
    for (uint32_t i = 0; i < m->sim.cached; i++) {
        if (survives(cut, i, m->sim.cached, dice))
            memcpy(after.sim.medium + m->sim.cache[i].sector * POOL_SECTOR, m->sim.cache[i].data,
                   POOL_SECTOR);
    }
    tear(m, cut, dice >> 3);
    memcpy(after.sim.now, after.sim.medium, size);
    after.sim.cached = 0;
    if (!sim_open(&after.sim, true)) {
        if (!m->fault)
            snprintf(m->fault_text, sizeof(m->fault_text), "cut %d: %s", cut,
                     pool_reason(after.sim.pool));
        m->fault = m->fault_text;
        return;
    }
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        if (m->volume[i].there)
            model_compare(m, &after, &m->volume[i], LOOK_ANY, "after a power cut");
    }
}

/* --- what is done --- */

static void finish_all(struct model *m, bool cuts)
{
    uint32_t turn = 0;
    while (sim_step(&m->sim)) {
        pool_work(m->sim.pool);
        if (cuts && !m->fault) {
            power_cut(m, CUT_SOME, model_dice(m, 1u << 20));
            power_cut(m, (enum cut)(turn++ % CUTS), model_dice(m, 1u << 20));
        }
    }
}

static struct model_volume *free_volume(struct model *m)
{
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        if (!m->volume[i].there)
            return &m->volume[i];
    }
    return NULL;
}

static struct model_volume *some_volume(struct model *m, bool snapshot)
{
    uint32_t from = model_dice(m, MODEL_VOLUMES);
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        struct model_volume *v = &m->volume[(from + i) % MODEL_VOLUMES];
        if (v->there && v->snapshot == snapshot)
            return v;
    }
    return NULL;
}

static bool order(struct model *m, const struct pool_order *order, bool cuts)
{
    uint32_t before = m->sim.answers;
    pool_order(m->sim.pool, order);
    if (cuts)
        finish_all(m, cuts);
    while (m->sim.answers == before && sim_step(&m->sim))
        pool_work(m->sim.pool);
    if (m->sim.answers != before + 1 && !m->fault)
        m->fault = "an order got no answer";
    return !m->sim.order_why;
}

static struct pool_order make_order(enum pool_verb verb, const char *name, const char *to)
{
    struct pool_order order = {.verb = verb, .names = 1, .sectors = MODEL_SIZE};
    snprintf(order.name[0], sizeof(order.name[0]), "%s", name);
    snprintf(order.to, sizeof(order.to), "%s", to);
    return order;
}

/* A copy of v under a name; what has ended is on the medium with it. */
static void copied(struct model *m, struct model_volume *v, const char *to, enum pool_verb verb,
                   bool cuts)
{
    struct model_volume *copy = free_volume(m);
    struct pool_order o = make_order(verb, v->name, to);
    uint8_t sure[MODEL_SECTORS];
    memcpy(sure, v->ended, sizeof(sure));
    if (!copy || pool_find(m->sim.pool, to))
        return;
    *copy = *v;
    /* Writes in flight are in it, or not. */
    memcpy(copy->sure, v->ended, sizeof(copy->sure));
    copy->perhaps = true;
    copy->snapshot = verb == POOL_SNAPSHOT;
    if (copy->snapshot)
        snprintf(copy->name, sizeof(copy->name), "%.60s@%.60s", v->name, to);
    else
        snprintf(copy->name, sizeof(copy->name), "%s", to);
    copy->there = order(m, &o, cuts);
    copy->perhaps = false;
    if (!copy->there)
        return;
    memcpy(v->sure, sure, sizeof(v->sure));
    model_compare(m, m, copy, LOOK_ADOPT, "a new copy");
    memset(copy->count, 1, sizeof(copy->count));
    memset(copy->sure, 0, sizeof(copy->sure));
    memset(copy->ended, 0, sizeof(copy->ended));
}

static void delete_one(struct model *m, struct model_volume *v, bool cuts)
{
    struct pool_order o = make_order(POOL_DELETE, v->name, "");
    v->perhaps = true;
    if (order(m, &o, cuts))
        v->there = false;
    v->perhaps = false;
}

static void revert_one(struct model *m, struct model_volume *s, bool cuts)
{
    char name[2 * POOL_NAME];
    snprintf(name, sizeof(name), "%s", s->name);
    char *at = strchr(name, '@');
    *at = 0;
    struct pool_order o = make_order(POOL_REVERT, name, at + 1);
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        struct model_volume *v = &m->volume[i];
        if (!v->there || strcmp(v->name, name) != 0)
            continue;
        /* Until it has ended: either. */
        for (uint32_t k = 0; k < MODEL_SECTORS; k++)
            v->value[k][v->count[k]++] = s->value[k][0];
        if (order(m, &o, cuts))
            model_settle(v);
        else if (!m->fault)
            m->fault = m->sim.order_why;
    }
}

static void some_order(struct model *m, bool idle, bool cuts)
{
    struct model_volume *v = some_volume(m, false), *s = some_volume(m, true);
    char name[POOL_NAME];
    snprintf(name, sizeof(name), "n%u", ++m->stamp);
    switch (model_dice(m, idle ? 5 : 3)) {
    case 0:
    case 1:
        copied(m, v, name, POOL_SNAPSHOT, cuts);
        break;
    case 2:
        copied(m, v, name, POOL_CLONE, cuts);
        break;
    case 3:
        delete_one(m, s && model_dice(m, 2) ? s : v == &m->volume[0] ? v + 1 : v, cuts);
        break;
    default:
        if (s)
            revert_one(m, s, cuts);
        break;
    }
}

static void some_request(struct model *m)
{
    static const uint32_t ops[] = {BLK_WRITE, BLK_WRITE,        BLK_WRITE,  BLK_WRITE,
                                   BLK_READ,  BLK_WRITE_ZEROES, BLK_DISCARD};
    struct model_volume *v = some_volume(m, false);
    /* What was freed last is given out first: so that too early shows. */
    m->sim.pool->next_block = 0;
    m->sim.pool->next_slot = 0;
    pool_find(m->sim.pool, v->name)->hint = NO_BLOCK;
    uint32_t op = ops[model_dice(m, sizeof(ops) / sizeof(ops[0]))];
    uint32_t half = model_dice(m, 2) * MODEL_HALF;
    uint32_t first = model_dice(m, MODEL_HALF), sectors = 1 + model_dice(m, 40);
    if (!model_dice(m, 4))
        sectors = 1 + model_dice(m, MODEL_HALF);
    if (model_dice(m, 2))
        first &= ~7u;
    if (first + sectors > MODEL_HALF)
        sectors = MODEL_HALF - first;
    if (!model_dice(m, 6))
        model_submit(m, v, BLK_FLUSH, 0, 0, 0);
    else if (!model_is_busy(m, v, half + first, sectors))
        model_submit(m, v, op, op == BLK_WRITE && !model_dice(m, 5) ? BLK_FUA : 0, half + first,
                     sectors);
}

static bool flight_is_full(const struct model *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < MODEL_FLIGHT; i++)
        n += m->flight[i].busy;
    return n == MODEL_FLIGHT;
}

static void settle_full(struct model *m)
{
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        struct model_volume *v = &m->volume[i];
        if (!v->there || v->snapshot || !model_is_full(v))
            continue;
        finish_all(m, false);
        model_submit(m, v, BLK_FLUSH, 0, 0, 0);
        finish_all(m, false);
        model_settle(v);
    }
}

static void check_now(struct model *m, const char *what)
{
    for (uint32_t i = 0; i < MODEL_VOLUMES && !m->fault; i++) {
        if (m->volume[i].there)
            model_compare(m, m, &m->volume[i], LOOK_LAST, what);
    }
    for (uint32_t i = 0; i < POOL_VOLUMES && !m->fault; i++) {
        const struct pool_volume *v = m->sim.pool->volume[i];
        if (v && v->mapped != tree_count(v->root))
            m->fault = "a volume's blocks are miscounted";
    }
}

static void start_volumes(struct model *m)
{
    struct pool_order first = make_order(POOL_CREATE, "first", "");
    struct pool_order second = make_order(POOL_CREATE, "second", "");
    if (!sim_open(&m->sim, false) || !order(m, &first, false) || !order(m, &second, false)) {
        m->fault = "the pool cannot be used";
        return;
    }
    model_begin(&m->volume[0], "first");
    model_begin(&m->volume[1], "second");
}

TEST(power_cuts_at_every_point)
{
    for (uint32_t seed = 1; seed <= rounds(); seed++) {
        begin(&it, seed * 7919);
        begin(&after, 0);
        after.sim.random = 0;
        start_volumes(&it);
        for (uint32_t turn = 0; turn < 150 && !it.fault; turn++) {
            settle_full(&it);
            if (!model_dice(&it, 12)) {
                finish_all(&it, true);
                some_order(&it, true, true);
            }
            some_request(&it);
            while (flight_is_full(&it) || (model_dice(&it, 3) && it.sim.queued)) {
                if (!sim_step(&it.sim))
                    break;
                power_cut(&it, CUT_SOME, model_dice(&it, 1u << 20));
                power_cut(&it, (enum cut)(it.sim.ended % CUTS), model_dice(&it, 1u << 20));
            }
        }
        finish_all(&it, true);
        if (!it.fault)
            check_now(&it, "at the end");
        if (it.fault)
            printf("seed %u, io %llu: %s\n", seed, (unsigned long long)it.sim.ended, it.fault);
        bool good = !it.fault;
        sim_free(&it.sim);
        sim_free(&after.sim);
        CHECK(good);
    }
}

/* The process ends: what is in flight still gets to the disk; the next one does again what was
 * submitted and had not ended. */
static void kill_process(struct model *m)
{
    static struct model_request lost[MODEL_FLIGHT];
    memcpy(lost, m->flight, sizeof(lost));
    for (uint32_t i = 0; i < m->sim.queued; i++)
        sim_carry_out(&m->sim, m->sim.queue[i]);
    memset(m->flight, 0, sizeof(m->flight));
    if (!sim_open(&m->sim, false)) {
        m->fault = pool_reason(m->sim.pool);
        return;
    }
    for (uint32_t i = 0; i < MODEL_FLIGHT; i++) {
        struct model_request *r = &m->flight[i];
        if (!lost[i].busy)
            continue;
        *r = lost[i];
        r->request.volume = pool_find(m->sim.pool, r->volume->name);
        r->request.segment = r->segment;
        pool_submit(m->sim.pool, &r->request);
    }
}

TEST(process_ends_at_any_point)
{
    for (uint32_t seed = 1; seed <= 20 * rounds(); seed++) {
        begin(&it, seed * 104729);
        it.sim.journal = calloc(1, sizeof(*it.sim.journal));
        start_volumes(&it);
        for (uint32_t turn = 0; turn < 400 && !it.fault; turn++) {
            settle_full(&it);
            if (!model_dice(&it, 15)) {
                /* Only copies are made while something is in flight. */
                if (model_dice(&it, 3))
                    finish_all(&it, false);
                some_order(&it, it.sim.queued == 0, false);
            }
            some_request(&it);
            while (flight_is_full(&it) || (model_dice(&it, 3) && it.sim.queued))
                sim_step(&it.sim);
            if (!model_dice(&it, 8))
                kill_process(&it);
            if (!model_dice(&it, 8) && !it.fault) {
                finish_all(&it, false);
                check_now(&it, "after an end of the process");
            }
        }
        if (it.fault)
            printf("seed %u, io %llu: %s\n", seed, (unsigned long long)it.sim.ended, it.fault);
        bool good = !it.fault;
        sim_free(&it.sim);
        CHECK(good);
    }
}
