/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/verbs_cpu.h"

#include <string.h>
#include "abi/status.h"
#include "console/client.h"

void run_nodecpumap(const struct command *c, struct text *text)
{
    struct mgr_node node;
    struct tune_set online;
    uint32_t on = 0;
    (void)c;
    if (client_node(&node) != OK || client_cpu(MGR_CPU_MAP, 0, &online) != OK) {
        text_add(text, "error: %s\n\n", client_reason());
        return;
    }
    uint32_t count = node.cpus < TUNE_CPUS ? node.cpus : TUNE_CPUS;
    for (uint32_t i = 0; i < count; i++)
        on += (uint32_t)(online.word[i / 64] >> i % 64 & 1);
    text_add(text, "CPUs present:   %u\nCPUs online:    %u\nCPU map:        ", (unsigned)count,
             (unsigned)on);
    for (uint32_t i = 0; i < count; i++)
        text_add(text, "%c", online.word[i / 64] >> i % 64 & 1 ? 'y' : '-');
    text_add(text, "\n\n");
}

/* false: not a number of at most three digits. */
static bool read_cpu(const char *word, uint32_t *cpu)
{
    size_t length = word ? strlen(word) : 0;
    *cpu = 0;
    for (size_t i = 0; i < length && length <= 3; i++) {
        if (word[i] < '0' || word[i] > '9')
            return false;
        *cpu = *cpu * 10 + (uint32_t)(word[i] - '0');
    }
    return length && length <= 3;
}

static void change(const struct command *c, struct text *text, enum mgr_cpu_order what)
{
    struct tune_set online;
    uint32_t cpu;
    if (!read_cpu(c->domain, &cpu))
        text_add(text, "error: '%s' is not the number of a CPU\n\n", c->domain ? c->domain : "");
    else if (client_cpu(what, cpu, &online) != OK)
        text_add(text, "error: %s\n\n", client_reason());
    else
        text_add(text, "CPU %u is %s\n\n", (unsigned)cpu,
                 what == MGR_CPU_ONLINE ? "online" : "offline");
}

void run_cpu_offline(const struct command *c, struct text *text)
{
    change(c, text, MGR_CPU_OFFLINE);
}

void run_cpu_online(const struct command *c, struct text *text)
{
    change(c, text, MGR_CPU_ONLINE);
}
