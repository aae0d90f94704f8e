/* SPDX-License-Identifier: BSD-2-Clause */
/* Text on what the loader left: VGA text memory, or a linear framebuffer with cells of 8 by 16. The
 * characters are kept here, because reading a framebuffer back to scroll it takes seconds. */
#include "arch/x86_64/console.h"
#include "arch/x86_64/font.h"
#include "arch/x86_64/kmem.h"
#include "boot/bootinfo.h"

#define VGA_TEXT    0xb8000ull
#define VGA_COLUMNS 80u
#define VGA_ROWS    25u
#define VGA_COLOUR  0x0700u /* light grey on black */

#define CELL_WIDTH  8u
#define CELL_HEIGHT 16u
#define MAX_COLUMNS 160u
#define MAX_ROWS    64u
#define GREY        0xc0u
#define TAB         8u

static char cells[MAX_ROWS][MAX_COLUMNS];
static uint32_t columns, rows, column, row; /* columns 0: no screen */
static volatile uint16_t *vga;
static volatile uint8_t *pixels;
static struct root_framebuffer fb;

static void put_pixel(uint32_t x, uint32_t y, bool on)
{
    volatile uint8_t *p = pixels + (uint64_t)y * fb.pitch + (uint64_t)x * (fb.bpp / 8);
    uint32_t colour =
        on ? GREY << fb.red_shift | GREY << fb.green_shift | GREY << fb.blue_shift : 0;

    if (fb.bpp == 32) {
        *(volatile uint32_t *)p = colour;
        return;
    }
    p[0] = (uint8_t)colour;
    p[1] = (uint8_t)(colour >> 8);
    p[2] = (uint8_t)(colour >> 16);
}

/* Each row of the letter is two pixels high, with one line free above and below. */
static void draw_pixels(uint32_t r, uint32_t c, char ch)
{
    uint32_t index = (uint8_t)ch - FONT_FIRST;
    uint64_t glyph = font[index < FONT_COUNT ? index : '?' - FONT_FIRST];

    for (uint32_t y = 0; y < CELL_HEIGHT; y++) {
        uint32_t line = (y - 1) / 2;
        uint64_t bits = y && line < FONT_ROWS ? glyph >> line * FONT_COLUMNS : 0;
        for (uint32_t x = 0; x < CELL_WIDTH; x++) {
            bool on = x && x <= FONT_COLUMNS && (bits >> (FONT_COLUMNS - x) & 1);
            put_pixel(c * CELL_WIDTH + x, r * CELL_HEIGHT + y, on);
        }
    }
}

static void draw(uint32_t r, uint32_t c, char ch)
{
    cells[r][c] = ch;
    if (vga)
        vga[r * columns + c] = (uint16_t)(VGA_COLOUR | (uint8_t)ch);
    else
        draw_pixels(r, c, ch);
}

static void scroll(void)
{
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < columns; c++) {
            char ch = r + 1 < rows ? cells[r + 1][c] : ' ';
            if (ch != cells[r][c])
                draw(r, c, ch);
        }
    }
}

static void new_line(void)
{
    column = 0;
    if (row + 1 < rows)
        row++;
    else
        scroll();
}

static void put(char c)
{
    if (c == '\n') {
        new_line();
        return;
    }
    if (c == '\t') {
        column = (column / TAB + 1) * TAB;
        return;
    }
    if (column >= columns)
        new_line();
    draw(row, column++, c);
}

void early_screen_clear(void)
{
    for (uint32_t r = 0; columns && r < rows; r++)
        for (uint32_t c = 0; c < columns; c++)
            draw(r, c, ' ');
    row = column = 0;
}

void early_screen_init(const struct bootinfo *info)
{
    fb = info->fb;
    if (fb.vga_text) {
        vga = info->error ? info->screen : kmap_mmio(hpa(VGA_TEXT), VGA_COLUMNS * VGA_ROWS * 2);
        columns = vga ? VGA_COLUMNS : 0;
        rows = VGA_ROWS;
    } else if (fb.base && (fb.bpp == 24 || fb.bpp == 32) && fb.width >= CELL_WIDTH &&
               fb.height >= CELL_HEIGHT && fb.pitch / (fb.bpp / 8) >= fb.width) {
        pixels =
            info->error ? info->screen : kmap_mmio(hpa(fb.base), (uint64_t)fb.pitch * fb.height);
        columns = pixels ? MIN(fb.width / CELL_WIDTH, MAX_COLUMNS) : 0;
        rows = MIN(fb.height / CELL_HEIGHT, MAX_ROWS);
    }
    early_screen_clear();
}

void early_screen_write(const char *text, size_t length)
{
    for (size_t i = 0; columns && i < length; i++)
        put(text[i]);
}
