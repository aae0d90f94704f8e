/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's verbs: virsh's names, arguments and messages. */
#ifndef CONSOLE_VERBS_H
#define CONSOLE_VERBS_H

#include <stdbool.h>
#include <stdint.h>
#include "console/format.h"

#define VERB_ARGS 8u

struct command {
    char line[256]; /* cut into words */
    const char *verb;
    const char *domain; /* NULL: none given */
    const char *extra;  /* second word that is no option */
    uint32_t options;   /* OPTION_* */
};

#define OPTION_ALL      0x1u
#define OPTION_INACTIVE 0x2u
#define OPTION_FORCE    0x4u
#define OPTION_NAME     0x8u

/* VERB_DOMAIN_WORD: a domain, and perhaps one word more. */
enum verb_argument { VERB_NONE, VERB_DOMAIN, VERB_DOMAIN_WORD, VERB_WORD };

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

#endif
