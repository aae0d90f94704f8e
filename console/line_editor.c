/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/line_editor.h"

#include <stdio.h>
#include <string.h>

enum escape { NO_ESCAPE, SEEN_ESC, SEEN_CSI, SEEN_SS3 };

#define CTRL(letter) ((letter)&0x1f)
#define DEL          0x7f
#define ESC          0x1b

static void write_text(struct line_editor *e, const char *text, size_t length)
{
    e->terminal->write(e->terminal->context, text, length);
}

static void write_string(struct line_editor *e, const char *text)
{
    write_text(e, text, strlen(text));
}

/* A line longer than the terminal is shown in part: the cursor is always in it. */
static void redraw(struct line_editor *e)
{
    char move[16];
    uint32_t room = LINE_COLUMNS - (uint32_t)strlen(e->prompt);
    uint32_t start = e->cursor > room ? e->cursor - room : 0;
    uint32_t visible = e->length - start < room ? e->length - start : room;
    uint32_t back = visible - (e->cursor - start);
    write_string(e, "\r");
    write_string(e, e->prompt);
    write_text(e, e->line + start, visible);
    write_string(e, "\x1b[K");
    if (back) {
        snprintf(move, sizeof(move), "\x1b[%uD", (unsigned)back);
        write_string(e, move);
    }
}

void line_init(struct line_editor *e, const struct line_terminal *terminal, const char *prompt)
{
    memset(e, 0, sizeof(*e));
    e->terminal = terminal;
    e->prompt = prompt;
}

void line_show(struct line_editor *e)
{
    if (!e->shown)
        redraw(e);
    e->shown = true;
}

void line_hide(struct line_editor *e)
{
    if (e->shown)
        write_string(e, "\r\x1b[K");
    e->shown = false;
}

void line_leave(struct line_editor *e)
{
    if (e->shown)
        write_string(e, "\r\n");
    e->shown = false;
}

void line_next(struct line_editor *e)
{
    e->length = e->cursor = 0;
    e->line[0] = 0;
    e->history_back = 0;
    e->shown = false;
    line_show(e);
}

static void set_line(struct line_editor *e, const char *text)
{
    snprintf(e->line, LINE_SIZE, "%s", text);
    e->length = e->cursor = (uint32_t)strlen(e->line);
}

static void remove_range(struct line_editor *e, uint32_t from, uint32_t to)
{
    memmove(e->line + from, e->line + to, e->length - to + 1);
    e->length -= to - from;
    e->cursor = from;
}

static void insert(struct line_editor *e, const char *text, size_t length)
{
    if (e->length + length >= LINE_SIZE)
        return;
    memmove(e->line + e->cursor + length, e->line + e->cursor, e->length - e->cursor + 1);
    memcpy(e->line + e->cursor, text, length);
    e->length += (uint32_t)length;
    e->cursor += (uint32_t)length;
}

static uint32_t word_start(const struct line_editor *e)
{
    uint32_t at = e->cursor;
    while (at && e->line[at - 1] == ' ')
        at--;
    while (at && e->line[at - 1] != ' ')
        at--;
    return at;
}

/* Blank lines and repetitions of the newest are not worth a place. */
static void store(struct line_editor *e)
{
    const char *newest = e->history[(e->history_count + LINE_HISTORY - 1) % LINE_HISTORY];
    if (strspn(e->line, " ") == e->length || (e->history_count && !strcmp(newest, e->line)))
        return;
    memcpy(e->history[e->history_count % LINE_HISTORY], e->line, e->length + 1);
    e->history_count++;
}

static void browse(struct line_editor *e, bool older)
{
    uint32_t most = e->history_count < LINE_HISTORY ? e->history_count : LINE_HISTORY;
    if (older ? e->history_back == most : e->history_back == 0)
        return;
    if (older && e->history_back == 0)
        memcpy(e->kept, e->line, sizeof(e->kept));
    e->history_back += older ? 1 : (uint32_t)-1;
    if (e->history_back)
        set_line(e, e->history[(e->history_count - e->history_back) % LINE_HISTORY]);
    else
        set_line(e, e->kept);
}

struct match {
    char common[LINE_SIZE];
    uint32_t count;
};

static const char *nth(struct line_editor *e, uint32_t index, const char *first, uint32_t i)
{
    return e->terminal->candidate(e->terminal->context, index, first, i);
}

/* What all candidates that begin with `word` have in common. */
static struct match find_matches(struct line_editor *e, uint32_t index, const char *first,
                                 const char *word)
{
    struct match m = {{0}, 0};
    const char *c;
    for (uint32_t i = 0; (c = nth(e, index, first, i)); i++) {
        if (strncmp(c, word, strlen(word)))
            continue;
        if (!m.count++)
            snprintf(m.common, sizeof(m.common), "%s", c);
        size_t same = 0;
        while (m.common[same] && m.common[same] == c[same])
            same++;
        m.common[same] = 0;
    }
    return m;
}

static void list_matches(struct line_editor *e, uint32_t index, const char *first, const char *word)
{
    const char *c;
    write_string(e, "\r\n");
    for (uint32_t i = 0; (c = nth(e, index, first, i)); i++) {
        if (strncmp(c, word, strlen(word)))
            continue;
        write_string(e, c);
        write_string(e, "  ");
    }
    write_string(e, "\r\n");
}

static void complete(struct line_editor *e)
{
    char word[LINE_SIZE], first[LINE_SIZE];
    uint32_t start = e->cursor, index = 0;
    while (start && e->line[start - 1] != ' ')
        start--;
    snprintf(word, sizeof(word), "%.*s", (int)(e->cursor - start), e->line + start);
    for (uint32_t i = 0; i < start; i++)
        index += e->line[i] != ' ' && (i + 1 == start || e->line[i + 1] == ' ');
    const char *begin = e->line + strspn(e->line, " ");
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(begin, " "), begin);
    struct match m = find_matches(e, index, first, word);
    if (!m.count)
        return;
    insert(e, m.common + strlen(word), strlen(m.common) - strlen(word));
    size_t length = strlen(m.common);
    if (m.count == 1 && (!length || m.common[length - 1] != '=')) /* a value follows "name=" */
        insert(e, " ", 1);
    else if (!strcmp(m.common, word))
        list_matches(e, index, first, word);
}

static void arrow(struct line_editor *e, uint8_t final)
{
    if (final == '~') { /* VT220 keys carry a number */
        if (e->parameter == 1 || e->parameter == 7)
            final = 'H';
        else if (e->parameter == 4 || e->parameter == 8)
            final = 'F';
    }
    if (final == 'A' || final == 'B')
        browse(e, final == 'A');
    else if (final == 'C' && e->cursor < e->length)
        e->cursor++;
    else if (final == 'D' && e->cursor)
        e->cursor--;
    else if (final == 'H')
        e->cursor = 0;
    else if (final == 'F')
        e->cursor = e->length;
    else if (final == '~' && e->parameter == 3 && e->cursor < e->length)
        remove_range(e, e->cursor, e->cursor + 1);
}

/* True: the byte was part of a key's escape sequence. */
static bool feed_escape(struct line_editor *e, uint8_t byte)
{
    switch ((enum escape)e->escape) {
    case NO_ESCAPE:
        if (byte != ESC)
            return false;
        e->escape = SEEN_ESC;
        return true;
    case SEEN_ESC:
        e->escape = byte == '[' ? SEEN_CSI : byte == 'O' ? SEEN_SS3 : NO_ESCAPE;
        e->parameter = 0;
        return true;
    case SEEN_CSI:
    case SEEN_SS3:
        if (byte >= '0' && byte <= '9')
            e->parameter = (e->parameter * 10 + (uint32_t)(byte - '0')) % 1000;
        if (byte >= 0x40) {
            e->escape = NO_ESCAPE;
            arrow(e, byte);
        }
        return true;
    }
    return false;
}

static void control(struct line_editor *e, uint8_t byte)
{
    if (byte == CTRL('a'))
        e->cursor = 0;
    else if (byte == CTRL('e'))
        e->cursor = e->length;
    else if (byte == CTRL('b') && e->cursor)
        e->cursor--;
    else if (byte == CTRL('f') && e->cursor < e->length)
        e->cursor++;
    else if (byte == CTRL('p') || byte == CTRL('n'))
        browse(e, byte == CTRL('p'));
    else if (byte == CTRL('k'))
        e->line[e->length = e->cursor] = 0;
    else if (byte == CTRL('u'))
        remove_range(e, 0, e->cursor);
    else if (byte == CTRL('w'))
        remove_range(e, word_start(e), e->cursor);
    else if (byte == CTRL('d') && e->cursor < e->length)
        remove_range(e, e->cursor, e->cursor + 1);
    else if ((byte == CTRL('h') || byte == DEL) && e->cursor)
        remove_range(e, e->cursor - 1, e->cursor);
    else if (byte == CTRL('l'))
        write_string(e, "\x1b[H\x1b[2J");
    else if (byte == '\t')
        complete(e);
}

bool line_key(struct line_editor *e, uint8_t byte)
{
    if (feed_escape(e, byte)) {
        redraw(e);
        return false;
    }
    if (byte == '\r' || byte == '\n') {
        e->cursor = e->length;
        redraw(e);
        write_string(e, "\r\n");
        e->shown = false;
        store(e);
        return true;
    }
    if (byte == CTRL('c')) {
        write_string(e, "^C\r\n");
        line_next(e);
        return false;
    }
    if (byte >= 0x20 && byte < DEL) {
        char c = (char)byte;
        bool at_end = e->cursor == e->length;
        insert(e, &c, 1);
        /* The usual case costs one byte on a slow line, not a whole redraw. */
        if (at_end && e->shown && e->length + strlen(e->prompt) < LINE_COLUMNS) {
            write_text(e, &c, 1);
            return false;
        }
    } else {
        control(e, byte);
    }
    redraw(e);
    return false;
}
