/* SPDX-License-Identifier: BSD-2-Clause */
/* Cuts a line into a verb and what belongs to it. */
#include <stdio.h>
#include <string.h>
#include "console/verbs.h"

static const struct {
    const char *name;
    uint32_t option;
} known[] = {
    {"--all", OPTION_ALL},         {"--inactive", OPTION_INACTIVE}, {"--force", OPTION_FORCE},
    {"--name", OPTION_NAME},       {"--set", OPTION_SET},           {"--live", OPTION_LIVE},
    {"--config", OPTION_CONFIG},   {"--current", OPTION_CURRENT},   {"--once", OPTION_ONCE},
    {"--pretty", OPTION_PRETTY},   {"--domain", OPTION_DOMAIN},     {"--vcpu", OPTION_VCPU},
    {"--cpulist", OPTION_CPULIST}, {"--pool", OPTION_POOL},         {"--shrink", OPTION_SHRINK},
};

/* OPTION_* of a word up to its "="; 0: none. */
static uint32_t option_of(const char *word)
{
    size_t length = strcspn(word, "=");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i].name) == length && !strncmp(word, known[i].name, length))
            return known[i].option;
    }
    return 0;
}

static bool add_word(struct command *c, const char *word)
{
    if (!c->domain)
        c->domain = word;
    else if (c->word_count < VERB_WORDS_MAX)
        c->word[c->word_count++] = word;
    else
        return false;
    return true;
}

/* Values are joined by "=" or are the next word. */
static bool take_option(struct command *c, const char *word, char **rest)
{
    uint32_t option = option_of(word);
    bool valued = option & (OPTION_DOMAIN | OPTION_VCPU | OPTION_CPULIST | OPTION_POOL);
    const char *value = strchr(word, '=');
    value = value ? value + 1 : valued ? strtok_r(NULL, " \t", rest) : NULL;
    c->options |= option;
    switch (option) {
    case OPTION_DOMAIN:
        if (c->domain)
            return false;
        c->domain = value;
        return value;
    case OPTION_VCPU:
        c->vcpu = value;
        return value;
    case OPTION_CPULIST:
        c->cpulist = value;
        return value;
    case OPTION_POOL:
        c->pool = value;
        return value;
    case OPTION_SET:
        return !value || add_word(c, value);
    default:
        return option && !value;
    }
}

static const char *check(const struct command *c, const struct verb *verb, char error[128])
{
    static const uint32_t most[] = {[VERB_NONE] = 0,
                                    [VERB_WORD] = 0,
                                    [VERB_WORD_1] = 1,
                                    [VERB_DOMAIN] = 0,
                                    [VERB_DOMAIN_1] = 1,
                                    [VERB_DOMAIN_2] = 2,
                                    [VERB_DOMAIN_ANY] = VERB_WORDS_MAX};
    uint32_t words = c->word_count + (c->vcpu != NULL) + (c->cpulist != NULL);
    if (c->options & ~(verb->options | (verb->argument >= VERB_DOMAIN ? OPTION_DOMAIN : 0)))
        snprintf(error, 128, "command '%s' doesn't support this option", verb->name);
    else if (verb->argument >= VERB_DOMAIN && !c->domain)
        snprintf(error, 128, "command '%s' requires <domain> option", verb->name);
    else if (verb->argument == VERB_NONE && c->domain)
        snprintf(error, 128, "unexpected data '%.64s'", c->domain);
    else if (words > most[verb->argument])
        snprintf(error, 128, "unexpected data '%.64s'",
                 c->word_count ? c->word[c->word_count - 1] : c->cpulist);
    else
        return NULL;
    return error;
}

const char *command_parse(struct command *c, const char *line, char error[128])
{
    char *rest, *word;
    memset(c, 0, sizeof(*c));
    snprintf(c->line, sizeof(c->line), "%s", line);
    for (word = strtok_r(c->line, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (!c->verb) {
            c->verb = word;
        } else if (!strncmp(word, "--", 2)) {
            if (!take_option(c, word, &rest)) {
                snprintf(error, 128, "command '%.32s' doesn't support option %.48s", c->verb, word);
                return error;
            }
        } else if (!add_word(c, word)) {
            snprintf(error, 128, "unexpected data '%.64s'", word);
            return error;
        }
    }
    if (!c->verb)
        return NULL;
    const struct verb *verb = verb_find(c->verb);
    if (!verb) {
        snprintf(error, 128, "unknown command: '%.64s'", c->verb);
        return error;
    }
    return check(c, verb, error);
}
