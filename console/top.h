/* SPDX-License-Identifier: BSD-2-Clause */
/* What each virtual CPU has done between two looks at its counters. */
#ifndef CONSOLE_TOP_H
#define CONSOLE_TOP_H

#include <stdint.h>
#include "console/format.h"

#define TOP_NS   1000000000ull /* between two pictures */
#define TOP_ROWS 96u           /* threads shown at most */

/* Forgets the counters that it has seen. */
void top_begin(void);
/* Looks at all counters; text, if not NULL: the figures since the look before, one line a vCPU, at
 * most `lines` lines in all. */
void top_look(uint64_t now_ns, uint32_t lines, struct text *text);

#endif
