/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/verbs_cpupool.h"

#include <stdio.h>
#include <string.h>
#include "abi/status.h"
#include "console/client.h"
#include "lib/cpulist.h"

#define NO_POOL "-" /* how "in no pool" is written */

void run_cpupool_list(const struct command *c, struct text *text)
{
    struct mgr_cpupool pools[MGR_CPUPOOLS];
    uint32_t count;
    char list[CPULIST_TEXT];
    (void)c;
    if (client_cpupools(pools, &count) != OK) {
        text_add(text, "error: %s\n\n", client_reason());
        return;
    }
    text_add(text, " Name                 Guests   CPUs\n-------------------------------------\n");
    for (uint32_t i = 0; i < count; i++) {
        cpulist_format(pools[i].cpus.word, TUNE_CPUS, list, sizeof(list));
        text_add(text, " %-20s %-8u %s\n", i ? pools[i].name : NO_POOL, (unsigned)pools[i].guests,
                 list);
    }
    text_add(text, "\n");
}

/* words: how many the order takes. */
static void change(const struct command *c, struct text *text, enum mgr_cpupool_order what,
                   uint32_t words, const char *done)
{
    struct mgr_cpupool_set set = {{0}};
    const char *word = words == 2 ? c->word[0] : "";
    if (!c->domain || c->word_count + 1 != words) {
        text_add(text, "error: command '%s' requires %s\n\n", c->verb,
                 words == 2 ? "two arguments" : "a pool's name");
        return;
    }
    if (what == MGR_CPUPOOL_MOVE && !strcmp(word, NO_POOL))
        word = "";
    if (strlen(word) >= sizeof(set.text)) {
        text_add(text, "error: invalid argument: '%.32s...' is too long\n\n", word);
        return;
    }
    snprintf(set.text, sizeof(set.text), "%s", word);
    if (client_cpupool(what, c->domain, &set) != OK)
        text_add(text, "error: %s\n\n", client_reason());
    else
        text_add(text, "%s '%s' %s\n\n", what == MGR_CPUPOOL_MOVE ? "Domain" : "CPU pool",
                 c->domain, done);
}

void run_cpupool_create(const struct command *c, struct text *text)
{
    change(c, text, MGR_CPUPOOL_CREATE, 2, "created");
}

void run_cpupool_destroy(const struct command *c, struct text *text)
{
    change(c, text, MGR_CPUPOOL_DESTROY, 1, "destroyed");
}

void run_cpupool_cpu_add(const struct command *c, struct text *text)
{
    change(c, text, MGR_CPUPOOL_ADD, 2, "changed");
}

void run_cpupool_cpu_remove(const struct command *c, struct text *text)
{
    change(c, text, MGR_CPUPOOL_REMOVE, 2, "changed");
}

void run_cpupool_migrate(const struct command *c, struct text *text)
{
    change(c, text, MGR_CPUPOOL_MOVE, 2, "migrated");
}
