/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM set: every *.xml at the top of the package's set folder. */
#ifndef MANAGER_DEFINITION_SET_H
#define MANAGER_DEFINITION_SET_H

#include <stdint.h>

/* How many definitions there are, of whatever. Allocates nothing. */
uint32_t set_count(void);
/* Reads all definitions and adds those that can be honoured to the VMs; the others are reported in
 * the log, each with place and reason. */
void set_load(void);

#endif
