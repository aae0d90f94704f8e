/* SPDX-License-Identifier: BSD-2-Clause */
/* An 8x16 font for ASCII, drawn from strokes. */
#ifndef CONSOLE_FONT_H
#define CONSOLE_FONT_H

#include <stdint.h>

#define FONT_WIDTH  8u
#define FONT_HEIGHT 16u

void font_init(void);
/* FONT_HEIGHT rows, the leftmost pixel in bit 7. What is not ASCII looks like '?'. */
const uint8_t *font_glyph(uint8_t character);

#endif
