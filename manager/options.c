/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/options.h"

#include <string.h>

static bool word_is(const char *word, size_t length, const char *name)
{
    return strlen(name) == length && !strncmp(word, name, length);
}

void options_parse(struct options *options, const char *cmdline)
{
    *options = (struct options){0};
    while (*cmdline) {
        size_t length = strcspn(cmdline, " \t");
        if (word_is(cmdline, length, "console=all"))
            options->console_all = true;
        else if (word_is(cmdline, length, "coresched"))
            options->core_scheduling = true;
        else if (word_is(cmdline, length, "onidle=poweroff"))
            options->onidle_poweroff = true;
        cmdline += length + strspn(cmdline + length, " \t");
    }
}
