/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen's grid, the font, and the keyboard. */
#include "test.h"
#define USER_SYSCALL_STUBS_H
#include <stdint.h>
static int64_t sys_irq_bind(uint32_t irq, uint32_t notif, uint64_t bits)
{
    (void)irq, (void)notif, (void)bits;
    return 0;
}
static int64_t sys_irq_ack(uint32_t irq)
{
    (void)irq;
    return 0;
}
#include "console/screen.c"
#include "console/font.c"
#include "console/i8042.c"

static struct screen s;
static int drawn;

static void draw(void *context, uint32_t column, uint32_t row, struct screen_cell cell)
{
    (void)context, (void)column, (void)row, (void)cell;
    drawn++;
}

static const char *row_text(uint32_t row)
{
    static char text[SCREEN_MAX_COLUMNS + 1];
    uint32_t n = s.columns;
    for (uint32_t i = 0; i < n; i++)
        text[i] = (char)s.cell[row * s.columns + i].character;
    while (n && text[n - 1] == ' ')
        n--;
    text[n] = 0;
    return text;
}

static void show(const char *text)
{
    screen_write(&s, (const uint8_t *)text, strlen(text));
}

static void setup(void)
{
    screen_init(&s, 10, 4, draw, NULL);
}

TEST(text_wraps_and_scrolls)
{
    setup();
    show("abcdefghij");
    CHECK_EQ(s.row, 0);
    show("kl\r\n1\r\n2\r\n3");
    CHECK(!strcmp(row_text(0), "kl"));
    CHECK(!strcmp(row_text(1), "1"));
    CHECK(!strcmp(row_text(2), "2"));
    CHECK(!strcmp(row_text(3), "3"));
}

TEST(cursor_and_erase)
{
    setup();
    show("abc\x1b[2;3Hx\x1b[1Ay\x1b[D\x1b[Dz");
    CHECK(!strcmp(row_text(1), "  x"));
    CHECK(!strcmp(row_text(0), "abzy"));
    show("\x1b[1;2H\x1b[K");
    CHECK(!strcmp(row_text(0), "a"));
    show("\x1b[2J");
    CHECK(!strcmp(row_text(1), ""));
    show("\x1b[999;999Hq\x1b[0;0Hp");
    CHECK_EQ(s.cell[39].character, 'q');
    CHECK_EQ(s.cell[0].character, 'p');
    show("\b\b\b\x1b[99A\x1b[99D!");
    CHECK_EQ(s.cell[1].character == '!' || s.cell[0].character == '!', 1);
}

TEST(colours)
{
    setup();
    show("\x1b[31;1mr\x1b[7mi\x1b[0mn\x1b[44mb");
    CHECK_EQ(s.cell[0].colour, 0x0c);
    CHECK_EQ(s.cell[1].colour, 0x48);
    CHECK_EQ(s.cell[2].colour, 0x07);
    CHECK_EQ(s.cell[3].colour, 0x17);
}

TEST(titles_and_private_sequences_are_swallowed)
{
    setup();
    show("\x1b]0;title\x07"
         "a\x1b[?25lb\x1b(Bc");
    CHECK(!strcmp(row_text(0), "abc"));
}

TEST(only_changes_are_drawn)
{
    setup();
    screen_refresh(&s);
    drawn = 0;
    screen_refresh(&s);
    CHECK_EQ(drawn, 0);
    show("x");
    screen_refresh(&s);
    CHECK_EQ(drawn, 2); /* the character, and the cursor behind it */
}

TEST(any_bytes_stay_inside)
{
    uint32_t seed = 5;
    setup();
    for (int i = 0; i < 500000; i++) {
        seed = seed * 1664525 + 1013904223;
        uint8_t byte = (uint8_t)(seed >> 24);
        if (seed >> 20 & 1)
            byte = (uint8_t) "\x1b[;0123456789HABCDJKm"[byte % 20];
        screen_write(&s, &byte, 1);
        CHECK(s.column < s.columns && s.row < s.rows);
    }
    screen_refresh(&s);
}

TEST(every_character_has_a_glyph_of_its_own)
{
    font_init();
    for (uint32_t a = FIRST; a <= LAST; a++) {
        uint32_t ink = 0;
        for (uint32_t y = 0; y < FONT_HEIGHT; y++)
            ink |= font_glyph((uint8_t)a)[y];
        CHECK((ink != 0) == (a != ' '));
        CHECK(!(ink & 1)); /* the last column parts one character from the next */
        for (uint32_t b = a + 1; b <= LAST; b++)
            CHECK(memcmp(font_glyph((uint8_t)a), font_glyph((uint8_t)b), FONT_HEIGHT));
    }
    CHECK(font_glyph(0x80) == font_glyph('?'));
}

TEST(strokes_are_well_formed)
{
    for (uint32_t i = 0; i <= LAST - FIRST; i++) {
        const char *p = strokes[i];
        for (uint32_t digits = 0; p && *p; p++) {
            if (*p == ' ') {
                CHECK(digits >= 4 && digits % 2 == 0);
                digits = 0;
                continue;
            }
            CHECK(strchr("0123456789abc", *p));
            CHECK(digits % 2 || (*p >= '0' && *p <= '6'));
            digits++;
            CHECK(p[1] || (digits >= 4 && digits % 2 == 0));
        }
    }
}

static const char *keys(const uint8_t *codes, size_t n)
{
    static char text[64];
    static struct keyboard k;
    size_t used = 0;
    memset(&k, 0, sizeof(k));
    for (size_t i = 0; i < n; i++) {
        uint8_t out[4];
        size_t got = keyboard_decode(&k, codes[i], out);
        memcpy(text + used, out, got);
        used += got;
    }
    text[used] = 0;
    return text;
}

TEST(keyboard)
{
    CHECK(!strcmp(keys((uint8_t[]){0x1e, 0x9e, 0x30, 0x02, 0x39, 0x1c}, 6), "ab1 \r"));
    CHECK(!strcmp(keys((uint8_t[]){0x2a, 0x1e, 0x02, 0xaa, 0x1e}, 5), "A!a"));
    CHECK(!strcmp(keys((uint8_t[]){0x3a, 0xba, 0x1e, 0x02, 0x2a, 0x1e}, 6), "A1a"));
    CHECK(!strcmp(keys((uint8_t[]){0x1d, 0x1e, 0x1b, 0x9d, 0x1e}, 5), "\x01\x1d"
                                                                      "a"));
    CHECK(!strcmp(keys((uint8_t[]){0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0x53}, 6), "\x1b[A\x1b[3~"));
    CHECK(!strcmp(keys((uint8_t[]){0xe0, 0x2a, 0xe0, 0x4b, 0x1e}, 5), "\x1b[Da"));
    CHECK(!strcmp(keys((uint8_t[]){0x2c, 0x2d, 0x33, 0x34, 0x35, 0x2b, 0x28, 0x29, 0x37}, 9),
                  "zx,./\\'`*"));
}
