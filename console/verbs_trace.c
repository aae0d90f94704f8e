/* SPDX-License-Identifier: BSD-2-Clause */
/* What `trace dump` prints is made for tools/trace2json: lines that begin with "trace ", in any
 * order, between others. */
#include "console/verbs_trace.h"

#include <string.h>
#include "abi/status.h"
#include "console/client.h"

#define READ_AT_ONCE 128u

static const char *const trace_words[] = {"on", "off", "dump"};

const char *trace_candidate(uint32_t i)
{
    return i < sizeof(trace_words) / sizeof(trace_words[0]) ? trace_words[i] : NULL;
}

static void fail(struct text *text)
{
    text_add(text, "error: %s\n\n", client_reason());
}

/* Which thread a context belongs to. */
static void dump_names(struct text *text)
{
    struct mgr_brief briefs[CLIENT_DOMAINS];
    uint32_t count;
    if (client_list(briefs, &count) != OK)
        return;
    for (uint32_t d = 0; d < count; d++) {
        struct mgr_stats stats = {.vcpus = 1};
        if (!lifecycle_has_vmm((enum vm_state)briefs[d].state))
            continue;
        for (uint32_t i = 0; i < stats.vcpus && i < VMM_MAX_VCPUS; i++) {
            if (client_stats(briefs[d].name, i, &stats) != OK)
                break;
            text_add(text, "trace name %llu %s vcpu %u\n", (unsigned long long)stats.sched.id,
                     briefs[d].name, (unsigned)i);
        }
        text_add(text, "trace name %llu %s emulator\n", (unsigned long long)stats.emulator.id,
                 briefs[d].name);
    }
}

static void dump_cpu(uint32_t cpu, struct text *text)
{
    static const char *const events[TRACE_EVENTS] = {
        [TRACE_NONE] = "none",          [TRACE_RUN] = "run",     [TRACE_IDLE] = "idle",
        [TRACE_READY] = "ready",        [TRACE_BLOCK] = "block", [TRACE_THROTTLE] = "throttle",
        [TRACE_REPLENISH] = "replenish"};
    struct trace_entry entry[READ_AT_ONCE];
    uint64_t position = 0;
    uint32_t count, total = 0;
    /* While it is on, more may come than is read. */
    while (total < TRACE_ENTRIES &&
           client_trace_read(cpu, &position, entry, READ_AT_ONCE, &count) == OK && count) {
        total += count;
        for (uint32_t i = 0; i < count; i++)
            text_add(text, "trace %u %llx %s %u %u\n", (unsigned)cpu,
                     (unsigned long long)entry[i].tsc,
                     entry[i].event < TRACE_EVENTS ? events[entry[i].event] : "unknown",
                     (unsigned)entry[i].sc, (unsigned)entry[i].cpu);
    }
}

static void dump(struct text *text)
{
    struct mgr_node node;
    if (client_node(&node) != OK) {
        fail(text);
        return;
    }
    text_add(text, "trace begin %u %llu\n", (unsigned)node.cpus, (unsigned long long)node.tsc_khz);
    dump_names(text);
    for (uint32_t cpu = 0; cpu < node.cpus; cpu++)
        dump_cpu(cpu, text);
    /* Without this line the text was too long for the console's memory. */
    text_add(text, "trace end\n\n");
}

void run_trace(const struct command *c, struct text *text)
{
    const char *word = c->domain;
    if (word && !strcmp(word, "dump")) {
        dump(text);
    } else if (word && (!strcmp(word, "on") || !strcmp(word, "off"))) {
        bool on = !strcmp(word, "on");
        if (client_trace(on ? MGR_TRACE_ON : MGR_TRACE_OFF) != OK)
            fail(text);
        else
            text_add(text, "Scheduling events are %s\n\n", on ? "traced" : "not traced any more");
    } else {
        text_add(text, "error: trace is 'on', 'off' or 'dump'\n\n");
    }
}
