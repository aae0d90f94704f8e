/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/display.h"

#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "console/font.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define SCREEN_VA   0x0000100000000000ull
#define VGA_COLUMNS 80u
#define VGA_ROWS    25u

/* The sixteen colours of text mode: bits blue, green, red at two thirds, intensity adds a third. */
static uint32_t level(uint32_t colour, uint32_t bit)
{
    return (colour >> bit & 1 ? 0xaau : 0) + (colour & 8 ? 0x55u : 0);
}

static uint32_t scale(uint32_t eight_bits, uint32_t bits)
{
    return eight_bits >> (8 - bits);
}

static uint32_t pixel_value(const struct root_framebuffer *fb, uint32_t colour)
{
    uint32_t green_bits = fb->bpp == 16 ? 6 : fb->bpp == 15 ? 5 : 8;
    uint32_t other_bits = fb->bpp <= 16 ? 5 : 8;
    return scale(level(colour, 2), other_bits) << fb->red_shift |
           scale(level(colour, 1), green_bits) << fb->green_shift |
           scale(level(colour, 0), other_bits) << fb->blue_shift;
}

static void put_pixel(uint8_t *at, uint32_t bytes, uint32_t value)
{
    if (bytes == 4)
        *(volatile uint32_t *)at = value;
    else
        for (uint32_t i = 0; i < bytes; i++)
            at[i] = (uint8_t)(value >> 8 * i);
}

static void draw_pixels(void *context, uint32_t column, uint32_t row, struct screen_cell cell)
{
    const struct display *d = context;
    const uint8_t *glyph = font_glyph(cell.character);
    uint32_t bytes = (d->fb.bpp + 7u) / 8;
    uint32_t ink = pixel_value(&d->fb, cell.colour & 15);
    uint32_t paper = pixel_value(&d->fb, cell.colour >> 4 & 7);
    for (uint32_t y = 0; y < FONT_HEIGHT; y++) {
        uint8_t *at = d->memory + (uint64_t)(row * FONT_HEIGHT + y) * d->fb.pitch +
                      (uint64_t)column * FONT_WIDTH * bytes;
        for (uint32_t x = 0; x < FONT_WIDTH; x++, at += bytes)
            put_pixel(at, bytes, glyph[y] >> (7 - x) & 1 ? ink : paper);
    }
}

static void draw_text(void *context, uint32_t column, uint32_t row, struct screen_cell cell)
{
    const struct display *d = context;
    volatile uint16_t *text = (volatile uint16_t *)d->memory;
    text[row * VGA_COLUMNS + column] = (uint16_t)(cell.character | cell.colour << 8);
}

static bool is_usable(const struct root_framebuffer *fb)
{
    bool depth = fb->bpp == 32 || fb->bpp == 24 || fb->bpp == 16 || fb->bpp == 15;
    return depth && fb->width >= FONT_WIDTH * 40 && fb->height >= FONT_HEIGHT * 10 &&
           fb->pitch >= fb->width * ((fb->bpp + 7u) / 8);
}

bool display_init(struct display *d, struct screen *screen, const struct console_config *config,
                  uint32_t slot)
{
    bool pixels = config->fb.base != 0;
    if (!slot || (pixels ? !is_usable(&config->fb) : !config->fb.vga_text))
        return false;
    int64_t status = sys_mem_map(SLOT_SELF_PD, slot, SCREEN_VA, 0, config->screen_size,
                                 MAP_READ | MAP_WRITE | (pixels ? MAP_WC : MAP_UNCACHED));
    if (status != OK) {
        log_line("the screen cannot be mapped: status %lld", (long long)status);
        return false;
    }
    d->fb = config->fb;
    d->memory = (uint8_t *)SCREEN_VA + config->screen_offset;
    font_init();
    if (pixels)
        screen_init(screen, d->fb.width / FONT_WIDTH, d->fb.height / FONT_HEIGHT, draw_pixels, d);
    else
        screen_init(screen, VGA_COLUMNS, VGA_ROWS, draw_text, d);
    return true;
}
