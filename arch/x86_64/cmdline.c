/* SPDX-License-Identifier: BSD-2-Clause */
/* Mullion's own command line: words separated by spaces, bare or key=value. */
#include "arch/x86_64/platform.h"

char cmdline[ROOT_CMDLINE];

const char *cmdline_get(const char *key)
{
    const char *p = cmdline;
    const char *end = cmdline + sizeof(cmdline) - 1;

    while (p < end && *p) {
        while (*p == ' ')
            p++;
        const char *k = key;
        while (*k && *p == *k) {
            p++;
            k++;
        }
        if (!*k && *p == '=')
            return p + 1;
        if (!*k && (*p == ' ' || !*p))
            return "";
        while (*p && *p != ' ')
            p++;
    }
    return NULL;
}

bool cmdline_has(const char *word)
{
    return cmdline_get(word) != NULL;
}
