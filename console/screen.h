/* SPDX-License-Identifier: BSD-2-Clause */
/* A grid of characters that understands the usual escape sequences, and draws only what changed. */
#ifndef CONSOLE_SCREEN_H
#define CONSOLE_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCREEN_MAX_COLUMNS 240u
#define SCREEN_MAX_ROWS    100u
#define SCREEN_PARAMETERS  8u

struct screen_cell {
    uint8_t character; /* ASCII */
    uint8_t colour;    /* VGA attribute: foreground 3:0, background 6:4 */
};

struct screen {
    uint32_t columns, rows;
    /* Shows one cell; context is the device's. */
    void (*draw)(void *context, uint32_t column, uint32_t row, struct screen_cell cell);
    void *context;
    uint32_t column, row; /* of the cursor */
    uint8_t colour;
    bool bright, reverse;
    bool wrap; /* the last column is written: the next character goes to a new line */
    uint32_t escape;
    bool private; /* CSI ? ... */
    uint32_t parameter[SCREEN_PARAMETERS], parameters;
    uint32_t saved_column, saved_row;
    bool changed; /* since the last refresh */
    struct screen_cell cell[SCREEN_MAX_ROWS * SCREEN_MAX_COLUMNS];
    struct screen_cell shown[SCREEN_MAX_ROWS * SCREEN_MAX_COLUMNS];
};

/* columns and rows are cut to the maximum. */
void screen_init(struct screen *screen, uint32_t columns, uint32_t rows,
                 void (*draw)(void *, uint32_t, uint32_t, struct screen_cell), void *context);
void screen_write(struct screen *screen, const uint8_t *bytes, size_t length);
/* Draws what has changed since the last time. */
void screen_refresh(struct screen *screen);

#endif
