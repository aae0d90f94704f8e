/* SPDX-License-Identifier: BSD-2-Clause */
/* One line of input with history and completion, on a terminal that knows a few escape sequences.
 */
#ifndef CONSOLE_LINE_EDITOR_H
#define CONSOLE_LINE_EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_SIZE    256u
#define LINE_HISTORY 32u
#define LINE_COLUMNS 79u

struct line_terminal {
    void (*write)(void *context, const char *bytes, size_t length);
    /* The i-th word that may stand at the place of word number `index` of a line that begins with
     * `first`; NULL: no more. */
    const char *(*candidate)(void *context, uint32_t index, const char *first, uint32_t i);
    void *context;
};

struct line_editor {
    const struct line_terminal *terminal;
    const char *prompt;
    char line[LINE_SIZE]; /* zero-terminated */
    uint32_t length, cursor;
    bool shown;
    uint32_t escape; /* inside an escape sequence of a key */
    uint32_t parameter;
    char kept[LINE_SIZE]; /* what was typed before the history was looked at */
    char history[LINE_HISTORY][LINE_SIZE];
    uint32_t history_count; /* lines ever stored */
    uint32_t history_back;  /* 0: the line being typed; n: the n-th newest */
};

void line_init(struct line_editor *editor, const struct line_terminal *terminal,
               const char *prompt);
/* Takes a byte from the keyboard. True: the line is complete, in editor->line; the terminal is on a
 * new line. Call line_next() when it has been dealt with. */
bool line_key(struct line_editor *editor, uint8_t byte);
void line_next(struct line_editor *editor);
/* Takes the line off the terminal before other output, and puts it back. */
void line_hide(struct line_editor *editor);
void line_show(struct line_editor *editor);
/* Leaves the line where it is and goes on below it. */
void line_leave(struct line_editor *editor);

#endif
