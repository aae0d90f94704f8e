/* SPDX-License-Identifier: BSD-2-Clause */
/* Each glyph is a list of pen strokes on a grid of 7 by 13 points: two hexadecimal digits a point
 * (x, y), points of one stroke side by side, strokes apart by a blank. Line 0 is the top of
 * capitals, 9 the base line, 3 the top of small letters, 12 the lowest descender. As text it is a
 * tenth of a bitmap, and a typing mistake shows as a crooked line instead of as noise. */
#include "console/font.h"

#include <stddef.h>
#include <string.h>

#define FIRST    0x20u
#define LAST     0x7eu
#define TOP_LINE 1 /* blank lines above the capitals */

static const char *const strokes[LAST - FIRST + 1] = {
    ['!' - 0x20] = "3036 3839",
    ['"' - 0x20] = "2022 4042",
    ['#' - 0x20] = "2129 4149 0363 0666",
    ['$' - 0x20] = "625111021314 14546568591807 303a",
    ['%' - 0x20] = "6009 0010110100 5868695958",
    ['&' - 0x20] = "6914111030414205081949 4966",
    ['\'' - 0x20] = "3032",
    ['(' - 0x20] = "40222749",
    [')' - 0x20] = "20424729",
    ['*' - 0x20] = "3236 1256 1652",
    ['+' - 0x20] = "3238 0565",
    [',' - 0x20] = "38392b",
    ['-' - 0x20] = "1555",
    ['.' - 0x20] = "3839 4849",
    ['/' - 0x20] = "6009",
    ['0' - 0x20] = "105061685919080110 5218",
    ['1' - 0x20] = "123039 1959",
    ['2' - 0x20] = "01105061630969",
    ['3' - 0x20] = "011050616354 2454 546568591908",
    ['4' - 0x20] = "59500666",
    ['5' - 0x20] = "600004546568591908",
    ['6' - 0x20] = "502002081959686554 5405",
    ['7' - 0x20] = "006029",
    ['8' - 0x20] = "105061635414030110 1405081959686554",
    ['9' - 0x20] = "6455150401105061674919",
    [':' - 0x20] = "3334 3839",
    [';' - 0x20] = "3334 38392b",
    ['<' - 0x20] = "521558",
    ['=' - 0x20] = "0464 0767",
    ['>' - 0x20] = "125518",
    ['?' - 0x20] = "01105061623536 3839",
    ['@' - 0x20] = "59190801105061664635344363",
    ['A' - 0x20] = "093069 1656",
    ['B' - 0x20] = "090050616354 0454 5465685909",
    ['C' - 0x20] = "6150100108195968",
    ['D' - 0x20] = "00094967624000",
    ['E' - 0x20] = "60000969 0444",
    ['F' - 0x20] = "600009 0444",
    ['G' - 0x20] = "61501001081959686535",
    ['H' - 0x20] = "0009 6069 0464",
    ['I' - 0x20] = "1050 3039 1959",
    ['J' - 0x20] = "2060 5058491908",
    ['K' - 0x20] = "0009 6005 2469",
    ['L' - 0x20] = "000969",
    ['M' - 0x20] = "0900346069",
    ['N' - 0x20] = "09006960",
    ['O' - 0x20] = "105061685919080110",
    ['P' - 0x20] = "09005061645505",
    ['Q' - 0x20] = "105061685919080110 366a",
    ['R' - 0x20] = "09005061645505 2569",
    ['S' - 0x20] = "615010010314546568591908",
    ['T' - 0x20] = "0060 3039",
    ['U' - 0x20] = "000819596860",
    ['V' - 0x20] = "003960",
    ['W' - 0x20] = "0019345960",
    ['X' - 0x20] = "0069 6009",
    ['Y' - 0x20] = "0034 603439",
    ['Z' - 0x20] = "00600969",
    ['[' - 0x20] = "40202949",
    ['\\' - 0x20] = "0069",
    [']' - 0x20] = "20404929",
    ['^' - 0x20] = "133053",
    ['_' - 0x20] = "0b6b",
    ['`' - 0x20] = "2042",
    ['a' - 0x20] = "13536469 66160708194967",
    ['b' - 0x20] = "0009 0523536468592907",
    ['c' - 0x20] = "6453130408195968",
    ['d' - 0x20] = "6069 6543130408194967",
    ['e' - 0x20] = "06666453130408195968",
    ['f' - 0x20] = "60403139 1454",
    ['g' - 0x20] = "6543130407184866 636b5c1c",
    ['h' - 0x20] = "0009 0523536469",
    ['i' - 0x20] = "3031 233339 1959",
    ['j' - 0x20] = "5051 43535b4c1c",
    ['k' - 0x20] = "0009 5307 2569",
    ['l' - 0x20] = "203039 1959",
    ['m' - 0x20] = "0309 0413233439 3443536469",
    ['n' - 0x20] = "0309 0523536469",
    ['o' - 0x20] = "135364685919080413",
    ['p' - 0x20] = "030c 0523536468592907",
    ['q' - 0x20] = "636c 6543130408194967",
    ['r' - 0x20] = "0309 05235364",
    ['s' - 0x20] = "645313040516566768591908",
    ['t' - 0x20] = "2028395968 0353",
    ['u' - 0x20] = "0308194967 6369",
    ['v' - 0x20] = "033963",
    ['w' - 0x20] = "0319355963",
    ['x' - 0x20] = "0369 6309",
    ['y' - 0x20] = "0339 632c1c",
    ['z' - 0x20] = "03630969",
    ['{' - 0x20] = "504031342536384959",
    ['|' - 0x20] = "303b",
    ['}' - 0x20] = "102031344536382919",
    ['~' - 0x20] = "061525465665",
};

static uint8_t glyphs[LAST - FIRST + 1][FONT_HEIGHT];

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static int distance(int a, int b)
{
    return a < b ? b - a : a - b;
}

/* Marks every point between two, along the longer axis. */
static void draw_line(uint8_t *rows, int x0, int y0, int x1, int y1)
{
    int steps = distance(x0, x1) > distance(y0, y1) ? distance(x0, x1) : distance(y0, y1);
    for (int i = 0; i <= steps; i++) {
        int half = steps / 2, n = steps ? steps : 1;
        int x = x0 + ((x1 - x0) * i + (x1 >= x0 ? half : -half)) / n;
        int y = y0 + ((y1 - y0) * i + (y1 >= y0 ? half : -half)) / n;
        rows[y + TOP_LINE] |= (uint8_t)(0x80 >> x);
    }
}

static void draw_glyph(uint8_t *rows, const char *stroke)
{
    while (*stroke) {
        int x = digit(stroke[0]), y = digit(stroke[1]);
        for (stroke += 2; *stroke && *stroke != ' '; stroke += 2) {
            draw_line(rows, x, y, digit(stroke[0]), digit(stroke[1]));
            x = digit(stroke[0]);
            y = digit(stroke[1]);
        }
        stroke += *stroke == ' ';
    }
}

void font_init(void)
{
    memset(glyphs, 0, sizeof(glyphs));
    for (uint32_t i = 0; i <= LAST - FIRST; i++) {
        if (strokes[i])
            draw_glyph(glyphs[i], strokes[i]);
    }
}

const uint8_t *font_glyph(uint8_t character)
{
    if (character < FIRST || character > LAST)
        character = '?';
    return glyphs[character - FIRST];
}
