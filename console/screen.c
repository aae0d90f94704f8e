/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/screen.h"

#include <string.h>

enum escape { PLAIN, AFTER_ESC, IN_CSI, IN_CHARSET, IN_STRING, IN_STRING_ESC };

#define NORMAL_COLOUR 0x07u
#define ESC           0x1b
#define TAB_STOP      8u

static struct screen_cell blank(const struct screen *s)
{
    return (struct screen_cell){' ', s->colour & 0x70};
}

static void clear_cells(struct screen *s, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        s->cell[i] = blank(s);
}

void screen_init(struct screen *s, uint32_t columns, uint32_t rows,
                 void (*draw)(void *, uint32_t, uint32_t, struct screen_cell), void *context)
{
    memset(s, 0, sizeof(*s));
    s->columns = columns < SCREEN_MAX_COLUMNS ? columns : SCREEN_MAX_COLUMNS;
    s->rows = rows < SCREEN_MAX_ROWS ? rows : SCREEN_MAX_ROWS;
    s->draw = draw;
    s->context = context;
    s->colour = NORMAL_COLOUR;
    s->changed = true;
    clear_cells(s, 0, s->columns * s->rows);
}

static void line_feed(struct screen *s)
{
    if (s->row + 1 < s->rows) {
        s->row++;
        return;
    }
    uint32_t kept = s->columns * (s->rows - 1);
    memmove(s->cell, s->cell + s->columns, kept * sizeof(s->cell[0]));
    clear_cells(s, kept, kept + s->columns);
}

static void put(struct screen *s, uint8_t character)
{
    if (s->wrap) {
        s->column = 0;
        line_feed(s);
    }
    uint8_t colour = s->colour;
    if (s->reverse)
        colour = (uint8_t)((colour & 7) << 4 | (colour >> 4 & 7));
    if (s->bright)
        colour |= 8;
    s->cell[s->row * s->columns + s->column] = (struct screen_cell){character, colour};
    s->wrap = s->column + 1 == s->columns;
    if (!s->wrap)
        s->column++;
}

static uint32_t parameter(const struct screen *s, uint32_t i, uint32_t otherwise)
{
    return i < s->parameters && s->parameter[i] ? s->parameter[i] : otherwise;
}

static uint32_t clamp(uint32_t value, uint32_t most)
{
    return value < most ? value : most;
}

static void move_to(struct screen *s, uint32_t column, uint32_t row)
{
    s->column = clamp(column, s->columns - 1);
    s->row = clamp(row, s->rows - 1);
    s->wrap = false;
}

static void erase(struct screen *s, uint8_t final)
{
    uint32_t at = s->row * s->columns + s->column, how = parameter(s, 0, 0);
    uint32_t first = final == 'K' ? s->row * s->columns : 0;
    uint32_t last = final == 'K' ? first + s->columns : s->rows * s->columns;
    clear_cells(s, how == 0 ? at : first, how == 1 ? at + 1 : last);
}

static void set_graphics(struct screen *s)
{
    /* ANSI counts red green blue from bit 0, VGA blue green red. */
    static const uint8_t vga[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    for (uint32_t i = 0; i < (s->parameters ? s->parameters : 1); i++) {
        uint32_t p = parameter(s, i, 0);
        if (p == 0) {
            s->colour = NORMAL_COLOUR;
            s->bright = s->reverse = false;
        } else if (p == 1 || p == 22) {
            s->bright = p == 1;
        } else if (p == 7 || p == 27) {
            s->reverse = p == 7;
        } else if (p >= 30 && p <= 37) {
            s->colour = (uint8_t)((s->colour & 0xf0) | vga[p - 30]);
        } else if (p == 39) {
            s->colour = (s->colour & 0xf0) | NORMAL_COLOUR;
        } else if (p >= 40 && p <= 47) {
            s->colour = (uint8_t)((s->colour & 0x0f) | vga[p - 40] << 4);
        } else if (p == 49) {
            s->colour &= 0x0f;
        }
    }
}

static void finish_csi(struct screen *s, uint8_t final)
{
    uint32_t n = parameter(s, 0, 1);
    if (s->private)
        return;
    if (final == 'A')
        move_to(s, s->column, s->row - clamp(n, s->row));
    else if (final == 'B')
        move_to(s, s->column, s->row + clamp(n, s->rows));
    else if (final == 'C')
        move_to(s, s->column + clamp(n, s->columns), s->row);
    else if (final == 'D')
        move_to(s, s->column - clamp(n, s->column), s->row);
    else if (final == 'G')
        move_to(s, n - 1, s->row);
    else if (final == 'd')
        move_to(s, s->column, n - 1);
    else if (final == 'H' || final == 'f')
        move_to(s, parameter(s, 1, 1) - 1, n - 1);
    else if (final == 'J' || final == 'K')
        erase(s, final);
    else if (final == 'm')
        set_graphics(s);
    else if (final == 's' || final == 'u')
        move_to(s, final == 'u' ? s->saved_column : s->column,
                final == 'u' ? s->saved_row : s->row);
    if (final == 's') {
        s->saved_column = s->column;
        s->saved_row = s->row;
    }
}

static void feed_csi(struct screen *s, uint8_t byte)
{
    uint32_t *p = &s->parameter[s->parameters ? s->parameters - 1 : 0];
    if (byte == '?' || byte == '>' || byte == '=') {
        s->private = true;
    } else if (byte >= '0' && byte <= '9') {
        if (!s->parameters)
            s->parameters = 1;
        *p = (*p * 10 + (uint32_t)(byte - '0')) % 10000;
    } else if (byte == ';') {
        if (!s->parameters)
            s->parameters = 1;
        if (s->parameters < SCREEN_PARAMETERS)
            s->parameter[s->parameters++] = 0;
    } else if (byte >= 0x40) {
        s->escape = PLAIN;
        finish_csi(s, byte);
    }
}

static void feed_escape(struct screen *s, uint8_t byte)
{
    switch ((enum escape)s->escape) {
    case AFTER_ESC:
        s->escape = PLAIN;
        if (byte == '[') {
            s->escape = IN_CSI;
            s->parameters = 0;
            s->private = false;
            memset(s->parameter, 0, sizeof(s->parameter));
        } else if (byte == ']' || byte == 'P') {
            s->escape = IN_STRING;
        } else if (byte == '(' || byte == ')') {
            s->escape = IN_CHARSET;
        }
        break;
    case IN_CSI:
        feed_csi(s, byte);
        break;
    case IN_STRING:
        if (byte == 7)
            s->escape = PLAIN;
        else if (byte == ESC)
            s->escape = IN_STRING_ESC;
        break;
    default:
        s->escape = PLAIN;
        break;
    }
}

static void control(struct screen *s, uint8_t byte)
{
    if (byte == ESC) {
        s->escape = AFTER_ESC;
    } else if (byte == '\r') {
        move_to(s, 0, s->row);
    } else if (byte == '\n') {
        s->wrap = false;
        line_feed(s);
    } else if (byte == '\b') {
        move_to(s, s->column - (s->column != 0), s->row);
    } else if (byte == '\t') {
        move_to(s, (s->column / TAB_STOP + 1) * TAB_STOP, s->row);
    }
}

void screen_write(struct screen *s, const uint8_t *bytes, size_t length)
{
    s->changed = s->changed || length;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = bytes[i];
        if (s->escape)
            feed_escape(s, byte);
        else if (byte < 0x20)
            control(s, byte);
        else if (byte < 0x7f)
            put(s, byte);
        else if (byte >= 0xc0) /* the font is ASCII: one mark for a whole character of UTF-8 */
            put(s, '?');
    }
}

static void draw_if_changed(struct screen *s, uint32_t column, uint32_t row, bool cursor)
{
    uint32_t i = row * s->columns + column;
    struct screen_cell cell = s->cell[i];
    if (cursor) /* shown as a reversed cell: works on every device */
        cell.colour = (uint8_t)((cell.colour & 7) << 4 | (cell.colour >> 4 & 7));
    if (cursor && cell.colour == 0)
        cell.colour = 0x70;
    if (cell.character == s->shown[i].character && cell.colour == s->shown[i].colour)
        return;
    s->shown[i] = cell;
    s->draw(s->context, column, row, cell);
}

void screen_refresh(struct screen *s)
{
    s->changed = false;
    for (uint32_t row = 0; row < s->rows; row++) {
        uint32_t first = row * s->columns;
        /* Whole rows first: most are as they were. The cursor's row, old or new, never compares
         * equal. */
        if (row != s->row &&
            !memcmp(&s->cell[first], &s->shown[first], s->columns * sizeof(s->cell[0])))
            continue;
        for (uint32_t column = 0; column < s->columns; column++)
            draw_if_changed(s, column, row, row == s->row && column == s->column);
    }
}
