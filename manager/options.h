/* SPDX-License-Identifier: BSD-2-Clause */
/* Mullion's command line, as far as it concerns the manager and the console. */
#ifndef MANAGER_OPTIONS_H
#define MANAGER_OPTIONS_H

#include <stdbool.h>

struct options {
    bool console_all;     /* console=all: guests' serial output on the host's serial line */
    bool core_scheduling; /* coresched: no two guests at once on one core's hyperthreads */
    bool onidle_poweroff; /* onidle=poweroff: the host goes off when the last guest has */
};

/* Words that are not the manager's belong to the kernel and are left to it. */
void options_parse(struct options *options, const char *cmdline);

#endif
