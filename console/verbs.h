/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's verbs: virsh's names, arguments and messages. */
#ifndef CONSOLE_VERBS_H
#define CONSOLE_VERBS_H

#include <stdbool.h>
#include <stdint.h>
#include "console/format.h"

#define VERB_WORDS_MAX 9u

struct command {
    char line[256]; /* cut into words */
    const char *verb;
    const char *domain;               /* NULL: none given */
    const char *word[VERB_WORDS_MAX]; /* behind it, that are no options */
    uint32_t word_count;
    const char *vcpu, *cpulist, *pool; /* values of these options; NULL: not given */
    uint32_t options;                  /* OPTION_* */
};

#define OPTION_ALL      0x1u
#define OPTION_INACTIVE 0x2u
#define OPTION_FORCE    0x4u
#define OPTION_NAME     0x8u
#define OPTION_SET      0x10u
#define OPTION_LIVE     0x20u
#define OPTION_CONFIG   0x40u
#define OPTION_CURRENT  0x80u
#define OPTION_ONCE     0x100u
#define OPTION_PRETTY   0x200u
#define OPTION_DOMAIN   0x400u /* these have values */
#define OPTION_VCPU     0x800u
#define OPTION_CPULIST  0x1000u
#define OPTION_POOL     0x2000u
#define OPTION_SHRINK   0x4000u
#define OPTION_TUNE     (OPTION_LIVE | OPTION_CONFIG | OPTION_CURRENT)

/* What stands behind the verb: nothing, a domain, perhaps a word; ..._n: up to n words
 * more.
 */
enum verb_argument {
    VERB_NONE,
    VERB_WORD,
    VERB_WORD_1,
    VERB_DOMAIN,
    VERB_DOMAIN_1,
    VERB_DOMAIN_2,
    VERB_DOMAIN_ANY
};

struct verb {
    const char *name;
    enum verb_argument argument;
    uint32_t options; /* understood */
    const char *usage, *help;
    /* What it prints goes into text. */
    void (*run)(const struct command *command, struct text *text);
};
extern const struct verb verbs[]; /* ends with a NULL name */

/* Cuts a line into words. NULL: an empty line or fine (command->verb tells); else what is wrong.
 * The message is in `error`. */
const char *command_parse(struct command *command, const char *line, char error[128]);
const struct verb *verb_find(const char *name);
/* Takes what the verbs that wait need. */
void verbs_init(void);
/* Sleeps, for verbs that wait for something. */
void verbs_sleep(uint64_t ns);
/* Parses and runs a line; text holds what is to be shown. */
void verbs_run(const char *line, struct text *text);
/* Candidates for completion: verbs at the first place, then domains or verbs. */
const char *verbs_candidate(void *context, uint32_t index, const char *first, uint32_t i);
/* The domain that `console NAME` was asked for: set by the verb, taken by the main loop. */
struct attach_request {
    bool wanted;
    char name[64];
    bool virtio; /* the virtio console although there is a serial port */
};
extern struct attach_request verbs_attach;
/* `top` was asked for: set by the verb, taken by the main loop. */
extern bool verbs_top;

#endif
