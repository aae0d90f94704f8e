/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/top.h"

#include <stdio.h>
#include "abi/status.h"
#include "abi/vcpu.h"
#include "console/client.h"

/* Classes of exits, one a column. */
enum top_class { CLASS_HLT, CLASS_IO, CLASS_MSR, CLASS_INTR, CLASS_VMM, CLASSES };

struct figures {
    uint64_t run_ns, wait_ns, steal_ns;
    uint64_t exits, class[CLASSES];
    uint64_t migrations, misses;
};

struct row {
    uint64_t id; /* of the domain's run */
    uint32_t vcpu;
    uint32_t cpu;
    bool seen; /* in the look that is going on */
    struct figures now, before;
};

static struct row rows[TOP_ROWS];
static uint32_t row_count;
static uint64_t looked_ns;

#define EMULATOR UINT32_MAX

void top_begin(void)
{
    row_count = 0;
    looked_ns = 0;
}

static struct row *find_row(uint64_t id, uint32_t vcpu)
{
    for (uint32_t i = 0; i < row_count; i++) {
        if (rows[i].id == id && rows[i].vcpu == vcpu)
            return &rows[i];
    }
    return NULL;
}

/* A row of its own; a thread seen for the first time has had its figures since its start. */
static struct row *take_row(uint64_t id, uint32_t vcpu)
{
    struct row *row = find_row(id, vcpu);
    if (!row && row_count < TOP_ROWS) {
        row = &rows[row_count++];
        *row = (struct row){.id = id, .vcpu = vcpu};
    }
    return row;
}

static void fill_sched(struct row *row, const struct mgr_sched *s)
{
    row->seen = true;
    row->cpu = s->cpu;
    row->before = row->now;
    row->now = (struct figures){.run_ns = s->used_ns,
                                .wait_ns = s->wait_ns,
                                .migrations = s->migrations,
                                .misses = s->deadline_misses};
}

static void fill_exits(struct row *row, const struct mgr_stats *stats)
{
    const uint64_t *s = stats->stat;
    row->now.steal_ns = stats->steal_ns;
    row->now.exits = s[STAT_EXITS];
    row->now.class[CLASS_HLT] = s[STAT_HLT] + s[STAT_PAUSE];
    row->now.class[CLASS_IO] = s[STAT_PIO] + s[STAT_MMIO] + s[STAT_DOORBELL];
    row->now.class[CLASS_MSR] =
        s[STAT_RDMSR] + s[STAT_WRMSR] + s[STAT_EOI] + s[STAT_ICR] + s[STAT_TIMER];
    row->now.class[CLASS_INTR] = s[STAT_INTR];
    row->now.class[CLASS_VMM] = s[STAT_TO_VMM];
}

/* Since the look before; a counter that went back (the VMM's are its own word) has not moved. */
static uint64_t moved(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static uint64_t per_second(uint64_t now, uint64_t before, uint64_t ns)
{
    /* In microseconds: a million events in some seconds do not overflow. */
    return moved(now, before) * 1000000 / (ns / 1000 ? ns / 1000 : 1);
}

static uint64_t per_mille(uint64_t now, uint64_t before, uint64_t ns)
{
    return moved(now, before) * 1000 / (ns ? ns : 1);
}

static unsigned column(uint64_t value, uint64_t most)
{
    return (unsigned)(value < most ? value : most);
}

static void show_row(const struct row *row, const char *name, uint64_t ns, struct text *text)
{
    const struct figures *n = &row->now, *b = &row->before;
    uint64_t run = per_mille(n->run_ns, b->run_ns, ns);
    char vcpu[8] = "e";
    if (row->vcpu != EMULATOR)
        snprintf(vcpu, sizeof(vcpu), "%u", column(row->vcpu, 999));
    text_add(text, "%-8.8s %2s %3u %3u.%u %4u %4u %7u", name, vcpu, column(row->cpu, 999),
             column(run / 10, 999), (unsigned)(run % 10),
             column(per_mille(n->wait_ns, b->wait_ns, ns) / 10, 9999),
             column(per_mille(n->steal_ns, b->steal_ns, ns) / 10, 9999),
             column(per_second(n->exits, b->exits, ns), 9999999));
    for (uint32_t i = 0; i < CLASSES; i++)
        text_add(text, " %5u", column(per_second(n->class[i], b -> class[i], ns), 99999));
    text_add(text, " %4u %4u\n", column(n->migrations, 9999), column(n->misses, 9999));
}

static void head(uint32_t active, struct text *text)
{
    struct mgr_node node = {0};
    client_node(&node);
    text_add(text, "top: up %llus, %u CPUs, %u of %u domains active\n",
             (unsigned long long)(node.uptime_ns / 1000000000), (unsigned)node.cpus,
             (unsigned)active, (unsigned)node.domains);
    text_add(text, "%-8s %2s %3s %5s %4s %4s %7s %5s %5s %5s %5s %5s %4s %4s\n", "DOMAIN", "VC",
             "CPU", "RUN%", "WAI%", "STL%", "EXITS/s", "HLT", "IO", "MSR", "INTR", "VMM", "MIGR",
             "MISS");
}

struct picture {
    uint64_t ns;
    uint32_t lines; /* still free */
    struct text *text;
};

static void show(struct picture *p, const struct row *row, const char *name)
{
    if (!p->text || !p->lines)
        return;
    p->lines--;
    show_row(row, name, p->ns, p->text);
}

static void look_at(const struct mgr_brief *brief, struct picture *p)
{
    struct mgr_stats stats = {.vcpus = 1};
    for (uint32_t i = 0; i < stats.vcpus && i < VMM_MAX_VCPUS; i++) {
        if (client_stats(brief->name, i, &stats) != OK)
            return;
        struct row *row = take_row(brief->id, i);
        if (!row)
            return;
        fill_sched(row, &stats.sched);
        fill_exits(row, &stats);
        show(p, row, brief->name);
    }
    struct row *row = take_row(brief->id, EMULATOR);
    if (row) {
        fill_sched(row, &stats.emulator);
        show(p, row, brief->name);
    }
}

/* Rows of runs that have ended. */
static void drop_unseen(void)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        if (rows[i].seen)
            rows[kept++] = rows[i];
    }
    row_count = kept;
}

void top_look(uint64_t now_ns, uint32_t lines, struct text *text)
{
    static struct mgr_brief briefs[CLIENT_DOMAINS];
    uint32_t count, active = 0;
    struct picture p = {looked_ns ? now_ns - looked_ns : now_ns, lines > 2 ? lines - 2 : 0, text};
    if (client_list(briefs, &count) != OK)
        count = 0;
    for (uint32_t i = 0; i < count; i++)
        active += lifecycle_has_vmm((enum vm_state)briefs[i].state);
    for (uint32_t i = 0; i < row_count; i++)
        rows[i].seen = false;
    if (text)
        head(active, text);
    for (uint32_t i = 0; i < count; i++) {
        if (!lifecycle_has_vmm((enum vm_state)briefs[i].state))
            continue;
        look_at(&briefs[i], &p);
        client_refresh(briefs[i].name); /* for the next look */
    }
    drop_unseen();
    looked_ns = now_ns;
}
