/* SPDX-License-Identifier: BSD-2-Clause */
/* Elements that divide the host's CPU time and place a guest's memory. */
#include <stdio.h>
#include <string.h>
#include "manager/definition/domain_value.h"
#include "manager/definition/domain_xml.h"

/* A list of CPUs that is not empty. */
static bool read_set(struct xml_reader *r, const char **attrs, const char *name,
                     struct tune_set *set)
{
    const char *text = xml_attr(attrs, name);
    if (!text || !value_cpuset(text, set->word, TUNE_WORDS) || !tune_set_count(set)) {
        xml_refuse(r, "%s=\"%.64s\" is not a list of CPUs like \"0-3,^2\"", name, text ? text : "");
        return false;
    }
    return true;
}

static void end_shares(struct xml_reader *r)
{
    struct tune *t = &r->domain->tune;
    if (t->shares_line)
        xml_refuse(r, "given twice");
    else if (!value_u64(r->text, TUNE_SHARES_MAX, &t->shares) || t->shares < TUNE_SHARES_MIN)
        xml_refuse(r, "\"%.64s\" is not a number from %u to %u", r->text, TUNE_SHARES_MIN,
                   TUNE_SHARES_MAX);
    t->shares_line = r->line;
}

/* 0 means to libvirt that nothing is given. */
static void read_period(struct xml_reader *r, struct tune_limit *limit)
{
    uint64_t value = 0;
    if (limit->period_line)
        xml_refuse(r, "given twice");
    else if (!value_u64(r->text, TUNE_PERIOD_MAX, &value) || (value && value < TUNE_PERIOD_MIN))
        xml_refuse(r, "\"%.64s\" is not a number of microseconds from %u to %u", r->text,
                   TUNE_PERIOD_MIN, TUNE_PERIOD_MAX);
    limit->period = value;
    limit->period_line = r->line;
}

static void read_quota(struct xml_reader *r, struct tune_limit *limit)
{
    int64_t value = 0;
    if (limit->quota_line)
        xml_refuse(r, "given twice");
    else if (!value_s64(r->text, &value) || value > (int64_t)TUNE_QUOTA_MAX ||
             (value > 0 && value < TUNE_QUOTA_MIN))
        xml_refuse(r, "\"%.64s\" is not a number of microseconds from %u to %llu, or negative",
                   r->text, TUNE_QUOTA_MIN, TUNE_QUOTA_MAX);
    limit->quota = value;
    limit->quota_line = r->line;
}

static void end_period(struct xml_reader *r)
{
    read_period(r, &r->domain->tune.each);
}

static void end_quota(struct xml_reader *r)
{
    read_quota(r, &r->domain->tune.each);
}

static void end_emulator_period(struct xml_reader *r)
{
    read_period(r, &r->domain->tune.emulator);
}

static void end_emulator_quota(struct xml_reader *r)
{
    read_quota(r, &r->domain->tune.emulator);
}

static void end_global_period(struct xml_reader *r)
{
    read_period(r, &r->domain->tune.global);
}

static void end_global_quota(struct xml_reader *r)
{
    read_quota(r, &r->domain->tune.global);
}

static void end_iothread_period(struct xml_reader *r)
{
    read_period(r, &r->domain->tune.iothread);
}

static void end_iothread_quota(struct xml_reader *r)
{
    read_quota(r, &r->domain->tune.iothread);
}

static void begin_vcpupin(struct xml_reader *r, const char **attrs)
{
    const char *text = xml_attr(attrs, "vcpu");
    uint64_t index;
    if (!text || !value_u64(text, VMM_MAX_VCPUS - 1, &index)) {
        xml_refuse(r, "vcpu=\"%.64s\" is not a number from 0 to %u", text ? text : "",
                   VMM_MAX_VCPUS - 1);
        return;
    }
    struct tune_thread *thread = &r->domain->tune.vcpu[index];
    if (thread->pin_line)
        xml_refuse(r, "vCPU %u is pinned twice, first in line %u", (unsigned)index,
                   (unsigned)thread->pin_line);
    else if (read_set(r, attrs, "cpuset", &thread->pin))
        thread->pin_line = r->line;
}

static void begin_emulatorpin(struct xml_reader *r, const char **attrs)
{
    struct tune_thread *thread = &r->domain->tune.emulator_thread;
    if (thread->pin_line)
        xml_refuse(r, "given twice");
    else if (read_set(r, attrs, "cpuset", &thread->pin))
        thread->pin_line = r->line;
}

static void begin_iothreadpin(struct xml_reader *r, const char **attrs)
{
    struct tune *t = &r->domain->tune;
    const char *text = xml_attr(attrs, "iothread");
    uint64_t id;
    if (!text || !value_u64(text, UINT32_MAX, &id) || id != 1)
        xml_refuse(r, "iothread=\"%.64s\": a guest has at most one I/O thread, number 1",
                   text ? text : "");
    else if (t->iothread_pin_line)
        xml_refuse(r, "given twice");
    else if (read_set(r, attrs, "cpuset", &t->iothread_pin))
        t->iothread_pin_line = r->line;
}

static void end_iothreads(struct xml_reader *r)
{
    struct tune *t = &r->domain->tune;
    uint64_t value = 0;
    if (t->iothreads_line)
        xml_refuse(r, "given twice");
    else if (!value_u64(r->text, 1, &value))
        xml_refuse(r, "\"%.64s\" is not 0 or 1: one thread of a guest's own serves its devices",
                   r->text);
    t->iothreads = (uint32_t)value;
    t->iothreads_line = r->line;
}

/* scheduler and priority; false: refused. */
static bool read_scheduler(struct xml_reader *r, const char **attrs, struct tune_thread *out)
{
    static const char *const names[] = {
        [TUNE_BATCH] = "batch", [TUNE_IDLE] = "idle", [TUNE_FIFO] = "fifo", [TUNE_RR] = "rr"};
    const char *name = xml_attr(attrs, "scheduler");
    const char *text = xml_attr(attrs, "priority");
    uint64_t priority = 0;
    if (!name) {
        xml_refuse(r, "attribute scheduler is missing");
        return false;
    }
    if (!xml_attr_in(r, attrs, "scheduler", "batch|idle|fifo|rr"))
        return false;
    for (uint32_t i = TUNE_BATCH; i <= TUNE_RR; i++) {
        if (!strcmp(names[i], name))
            out->scheduler = i;
    }
    bool real_time = out->scheduler == TUNE_FIFO || out->scheduler == TUNE_RR;
    if (real_time && (!text || !value_u64(text, 99, &priority) || !priority)) {
        xml_refuse(r, "priority=\"%.64s\": scheduler %s needs one from 1 to 99", text ? text : "",
                   name);
        return false;
    }
    if (!real_time && text) {
        xml_refuse(r, "priority=\"%.64s\": scheduler %s has none", text, name);
        return false;
    }
    out->priority = (uint32_t)priority;
    out->sched_line = r->line;
    return true;
}

/* The list of virtual CPUs in attribute vcpus. */
static bool read_vcpus(struct xml_reader *r, const char **attrs, uint64_t *vcpus)
{
    const char *text = xml_attr(attrs, "vcpus");
    if (text && value_cpuset(text, vcpus, VMM_MAX_VCPUS / 64) && *vcpus)
        return true;
    xml_refuse(r, "vcpus=\"%.64s\" is not a list of vCPUs like \"0-3,^2\" below %u",
               text ? text : "", VMM_MAX_VCPUS);
    return false;
}

static void begin_vcpusched(struct xml_reader *r, const char **attrs)
{
    struct tune_thread wanted = {0};
    uint64_t vcpus;
    if (!read_vcpus(r, attrs, &vcpus) || !read_scheduler(r, attrs, &wanted))
        return;
    for (; vcpus; vcpus &= vcpus - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(vcpus);
        struct tune_thread *thread = &r->domain->tune.vcpu[i];
        if (thread->sched_line) {
            xml_refuse(r, "vCPU %u is named twice, first in line %u", (unsigned)i,
                       (unsigned)thread->sched_line);
            return;
        }
        thread->scheduler = wanted.scheduler;
        thread->priority = wanted.priority;
        thread->sched_line = wanted.sched_line;
    }
}

static void begin_emulatorsched(struct xml_reader *r, const char **attrs)
{
    struct tune_thread *thread = &r->domain->tune.emulator_thread;
    if (thread->sched_line)
        xml_refuse(r, "given twice");
    else
        read_scheduler(r, attrs, thread);
}

static bool read_us(struct xml_reader *r, const char **attrs, const char *name, uint32_t *out)
{
    const char *text = xml_attr(attrs, name);
    uint64_t value;
    if (!text || !value_u64(text, TUNE_RESERVE_MAX, &value) || value < TUNE_BUDGET_MIN) {
        xml_refuse(r, "%s=\"%.64s\" is not a number of microseconds from %u to %u", name,
                   text ? text : "", TUNE_BUDGET_MIN, TUNE_RESERVE_MAX);
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static void begin_reservation(struct xml_reader *r, const char **attrs)
{
    bool all = !xml_attr(attrs, "vcpus");
    uint64_t vcpus = UINT64_MAX;
    uint32_t budget, period;
    if ((!all && !read_vcpus(r, attrs, &vcpus)) || !read_us(r, attrs, "budget", &budget) ||
        !read_us(r, attrs, "period", &period))
        return;
    if (budget > period) {
        xml_refuse(r, "budget=\"%u\" is more than period=\"%u\"; a vCPU has at most one CPU",
                   (unsigned)budget, (unsigned)period);
        return;
    }
    for (; vcpus; vcpus &= vcpus - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(vcpus);
        struct tune_thread *thread = &r->domain->tune.vcpu[i];
        if (thread->reserve_line) {
            xml_refuse(r, "vCPU %u is named twice, first in line %u", (unsigned)i,
                       (unsigned)thread->reserve_line);
            return;
        }
        thread->budget_us = budget;
        thread->period_us = period;
        thread->reserve_line = r->line;
        thread->reserve_all = all;
    }
}

static void begin_cpupool(struct xml_reader *r, const char **attrs)
{
    struct tune *t = &r->domain->tune;
    const char *name = xml_attr(attrs, "name");
    if (t->pool_line)
        xml_refuse(r, "given twice, first in line %u", (unsigned)t->pool_line);
    else if (!name || !value_word(name, sizeof(t->pool)))
        xml_refuse(r, "name=\"%.64s\" is not 1 to %u letters, digits or _-.+", name ? name : "",
                   TUNE_POOL - 1);
    else
        snprintf(t->pool, sizeof(t->pool), "%s", name);
    t->pool_line = r->line;
}

static void begin_numa_memory(struct xml_reader *r, const char **attrs)
{
    struct tune *t = &r->domain->tune;
    const char *mode = xml_attr(attrs, "mode");
    const char *nodeset = xml_attr(attrs, "nodeset");
    if (mode && !strcmp(mode, "interleave")) {
        xml_refuse(r, "mode=\"interleave\": memory comes in large pieces, its pages are not spread "
                      "over nodes");
        return;
    }
    if (!xml_attr_in(r, attrs, "mode", "strict|restrictive|preferred") ||
        !xml_attr_in(r, attrs, "placement", "static"))
        return;
    if (t->numa_line)
        xml_refuse(r, "given twice");
    else if (!nodeset || !value_cpuset(nodeset, &t->nodes, 1) || !t->nodes)
        xml_refuse(r, "nodeset=\"%.64s\" is not a list of nodes below 64 like \"0-3,^2\"",
                   nodeset ? nodeset : "");
    t->numa = mode && !strcmp(mode, "preferred") ? TUNE_NUMA_PREFERRED : TUNE_NUMA_STRICT;
    if (t->numa == TUNE_NUMA_PREFERRED && (t->nodes & (t->nodes - 1)))
        xml_refuse(r, "mode=\"preferred\" names one node");
    t->numa_line = r->line;
}

const struct element_rule tune_rules[] = {
    {"iothreads", NULL, NULL, end_iothreads, NULL},
    {"cputune", NULL, NULL, NULL, NULL},
    {"cputune/shares", NULL, NULL, end_shares, NULL},
    {"cputune/period", NULL, NULL, end_period, NULL},
    {"cputune/quota", NULL, NULL, end_quota, NULL},
    {"cputune/emulator_period", NULL, NULL, end_emulator_period, NULL},
    {"cputune/emulator_quota", NULL, NULL, end_emulator_quota, NULL},
    {"cputune/global_period", NULL, NULL, end_global_period, NULL},
    {"cputune/global_quota", NULL, NULL, end_global_quota, NULL},
    {"cputune/iothread_period", NULL, NULL, end_iothread_period, NULL},
    {"cputune/iothread_quota", NULL, NULL, end_iothread_quota, NULL},
    {"cputune/vcpupin", "vcpu|cpuset", begin_vcpupin, NULL, NULL},
    {"cputune/emulatorpin", "cpuset", begin_emulatorpin, NULL, NULL},
    {"cputune/iothreadpin", "iothread|cpuset", begin_iothreadpin, NULL, NULL},
    {"cputune/vcpusched", "vcpus|scheduler|priority", begin_vcpusched, NULL, NULL},
    {"cputune/emulatorsched", "scheduler|priority", begin_emulatorsched, NULL, NULL},
    {"metadata/mullion:reservation", "vcpus|budget|period", begin_reservation, NULL, NULL},
    {"metadata/mullion:domain/mullion:reservation", "vcpus|budget|period", begin_reservation, NULL,
     NULL},
    {"metadata/mullion:cpupool", "name", begin_cpupool, NULL, NULL},
    {"metadata/mullion:domain/mullion:cpupool", "name", begin_cpupool, NULL, NULL},
    {"numatune", NULL, NULL, NULL, NULL},
    {"numatune/memory", "mode|nodeset|placement", begin_numa_memory, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
