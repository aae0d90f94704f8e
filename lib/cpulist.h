/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of CPUs as text: "0-3,5". */
#ifndef LIB_CPULIST_H
#define LIB_CPULIST_H

#include <stdint.h>

#define CPULIST_TEXT 160u /* bytes that most sets fit into */

/* Writes the set's CPUs below `count` (at most 64 * words of the set) to out[size], always
 * zero-terminated; "none" for an empty set. What does not fit is left out, with "..." for it. */
void cpulist_format(const uint64_t *set, uint32_t count, char *out, uint32_t size);

#endif
