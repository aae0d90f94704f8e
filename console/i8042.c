/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/i8042.h"

#include <string.h>
#include "user/syscall_stubs.h"

#define STATUS_OUTPUT_FULL 0x01u
#define STATUS_MOUSE       0x20u

#define CODE_EXTENDED 0xe0u
#define CODE_RELEASED 0x80u
#define CODE_CTRL     0x1du
#define CODE_LSHIFT   0x2au
#define CODE_RSHIFT   0x36u
#define CODE_CAPS     0x3au

static const char plain[] =
    "\0\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %w1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void keyboard_init(struct keyboard *k, uint32_t irq, uint32_t notif, uint64_t bits)
{
    memset(k, 0, sizeof(*k));
    k->irq = irq;
    for (int i = 0; i < 32 && (in8(0x64) & STATUS_OUTPUT_FULL); i++)
        in8(0x60);
    sys_irq_bind(irq, notif, bits);
}

/* Cursor keys, as a VT220 sends them. */
static size_t decode_extended(uint8_t code, uint8_t text[4])
{
    static const struct {
        uint8_t code;
        const char *text;
    } keys[] = {
        {0x48, "\x1b[A"}, {0x50, "\x1b[B"},  {0x4d, "\x1b[C"}, {0x4b, "\x1b[D"}, {0x47, "\x1b[H"},
        {0x4f, "\x1b[F"}, {0x53, "\x1b[3~"}, {0x1c, "\r"},     {0x35, "/"},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i].code == code) {
            memcpy(text, keys[i].text, strlen(keys[i].text));
            return strlen(keys[i].text);
        }
    }
    return 0;
}

static bool modifier(struct keyboard *k, uint8_t code, bool down)
{
    if (code == CODE_CTRL)
        k->control = down;
    else if ((code == CODE_LSHIFT || code == CODE_RSHIFT) && !k->extended)
        k->shift = down;
    else if (code == CODE_CAPS && down)
        k->caps = !k->caps;
    else
        return code == CODE_LSHIFT || code == CODE_RSHIFT || code == CODE_CAPS;
    return true;
}

size_t keyboard_decode(struct keyboard *k, uint8_t code, uint8_t text[4])
{
    if (code == CODE_EXTENDED) {
        k->extended = true;
        return 0;
    }
    bool down = !(code & CODE_RELEASED), extended = k->extended;
    code &= 0x7f;
    bool was_modifier = modifier(k, code, down);
    k->extended = false;
    if (!down || was_modifier)
        return 0;
    if (extended)
        return decode_extended(code, text);
    if (code >= sizeof(plain) - 1 || !plain[code])
        return 0;
    char c = plain[code];
    bool letter = c >= 'a' && c <= 'z';
    if (k->shift != (letter && k->caps))
        c = shifted[code];
    if (k->control)
        c &= 0x1f;
    text[0] = (uint8_t)c;
    return 1;
}

size_t keyboard_service(struct keyboard *k, uint8_t *bytes, size_t size)
{
    size_t used = 0;
    uint8_t status;
    while (used + 4 <= size && ((status = in8(0x64)) & STATUS_OUTPUT_FULL)) {
        uint8_t code = in8(0x60);
        if (!(status & STATUS_MOUSE))
            used += keyboard_decode(k, code, bytes + used);
    }
    if (k->irq)
        sys_irq_ack(k->irq);
    return used;
}
