/* SPDX-License-Identifier: BSD-2-Clause */
/* Cuts a line into a verb and what belongs to it. */
#include <stdio.h>
#include <string.h>
#include "console/verbs.h"

static bool take_option(struct command *c, const char *word)
{
    static const struct {
        const char *name;
        uint32_t option;
    } known[] = {
        {"--all", OPTION_ALL},
        {"--inactive", OPTION_INACTIVE},
        {"--force", OPTION_FORCE},
        {"--name", OPTION_NAME},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(word, known[i].name)) {
            c->options |= known[i].option;
            return true;
        }
    }
    return false;
}

static const char *check(const struct command *c, const struct verb *verb, uint32_t words,
                         char error[128])
{
    uint32_t most = verb->argument == VERB_NONE ? 0 : verb->argument == VERB_DOMAIN_WORD ? 2 : 1;
    if (c->options & ~verb->options)
        snprintf(error, 128, "command '%s' doesn't support this option", verb->name);
    else if ((verb->argument == VERB_DOMAIN || verb->argument == VERB_DOMAIN_WORD) && !c->domain)
        snprintf(error, 128, "command '%s' requires <domain> option", verb->name);
    else if (words > most)
        snprintf(error, 128, "unexpected data '%.64s'", most == 0 ? c->domain : c->extra);
    else
        return NULL;
    return error;
}

const char *command_parse(struct command *c, const char *line, char error[128])
{
    char *rest, *word;
    uint32_t words = 0;
    memset(c, 0, sizeof(*c));
    snprintf(c->line, sizeof(c->line), "%s", line);
    for (word = strtok_r(c->line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (!c->verb) {
            c->verb = word;
        } else if (!strncmp(word, "--", 2)) {
            if (!take_option(c, word)) {
                snprintf(error, 128, "command '%.32s' doesn't support option %.48s", c->verb, word);
                return error;
            }
        } else if (words++ == 0) {
            c->domain = word;
        } else if (!c->extra) {
            c->extra = word;
        }
    }
    if (!c->verb)
        return NULL;
    const struct verb *verb = verb_find(c->verb);
    if (!verb) {
        snprintf(error, 128, "unknown command: '%.64s'", c->verb);
        return error;
    }
    return check(c, verb, words, error);
}
