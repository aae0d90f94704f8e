/* SPDX-License-Identifier: BSD-2-Clause */
/* console=all: a guest's output as whole lines led by its name, with nothing in them that a
 * terminal would obey. */
#ifndef CONSOLE_PREFIX_H
#define CONSOLE_PREFIX_H

#include <stddef.h>
#include <stdint.h>

#define PREFIX_LINE    480u
#define PREFIX_HOLD_NS 500000000ull /* a line that is not ended is shown when it rests so long */

struct prefix {
    char line[PREFIX_LINE];
    uint32_t used;
    uint32_t escape;  /* enum in prefix.c: inside an escape sequence */
    uint32_t pending; /* bytes still to come of a UTF-8 character */
    uint32_t character;
    uint8_t sequence[4];
    uint32_t sequence_used;
    uint64_t since_ns; /* when the newest byte of the line came */
};

/* Another guest speaks from here on: an escape sequence or a character that was begun is over. */
static inline void prefix_restart(struct prefix *p)
{
    p->escape = p->pending = 0;
}

typedef void prefix_emit(void *context, const char *name, const char *line, size_t length);

void prefix_feed(struct prefix *p, const char *name, const uint8_t *bytes, size_t length,
                 uint64_t now_ns, prefix_emit *emit, void *context);
/* Shows a line that has been held for too long. Returns the time at which to call again; 0: none.
 */
uint64_t prefix_tick(struct prefix *p, const char *name, uint64_t now_ns, prefix_emit *emit,
                     void *context);

#endif
