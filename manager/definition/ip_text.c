/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/definition/ip_text.h"

#include <string.h>

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* At most `most` digits of the base; how many. */
static uint32_t scan(const char *text, int base, uint32_t most, uint32_t *value)
{
    uint32_t n = 0;
    *value = 0;
    for (; n < most && digit_of(text[n]) < base; n++)
        *value = *value * (uint32_t)base + (uint32_t)digit_of(text[n]);
    return n;
}

/* Four numbers; a leading zero is refused, for some read it as octal. */
static bool parse4(const char *text, uint8_t address[4])
{
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t value, n = scan(text, 10, 3, &value);
        if (!n || value > 255 || (n > 1 && text[0] == '0') || text[n] != (i < 3 ? '.' : 0))
            return false;
        address[i] = (uint8_t)value;
        text += n + 1;
    }
    return true;
}

/* Groups of 16 bits; `gap`: bytes before "::", or 17. */
static bool parse6(const char *text, uint8_t address[16])
{
    uint8_t bytes[16] = {0};
    uint32_t used = 0, gap = 17;
    if (text[0] == ':' && text[1] == ':') {
        gap = 0;
        text += 2;
    }
    while (*text) {
        uint32_t value, n = scan(text, 16, 4, &value);
        if (!n || used == 16)
            return false;
        if (text[n] == '.') {
            if (used > 12 || !parse4(text, bytes + used))
                return false;
            used += 4;
            break;
        }
        bytes[used++] = (uint8_t)(value >> 8);
        bytes[used++] = (uint8_t)value;
        text += n;
        if (!*text)
            break;
        if (text[0] != ':' || (text[1] == ':' && gap != 17) || !text[1])
            return false;
        gap = text[1] == ':' ? used : gap;
        text += text[1] == ':' ? 2 : 1;
    }
    if (gap == 17 ? used != 16 : used > 14)
        return false;
    uint32_t tail = gap == 17 ? 0 : used - gap;
    memset(address, 0, 16);
    memcpy(address, bytes, used - tail);
    memcpy(address + 16 - tail, bytes + used - tail, tail);
    return true;
}

uint32_t ip_text_parse(const char *text, uint8_t address[16])
{
    uint8_t four[4];
    if (strchr(text, ':'))
        return parse6(text, address) ? 6 : 0;
    if (!parse4(text, four))
        return 0;
    memset(address, 0, 16);
    memcpy(address, four, sizeof(four));
    return 4;
}

bool mac_text_parse(const char *text, uint8_t mac[6])
{
    for (uint32_t i = 0; i < 6; i++, text += 3) {
        uint32_t byte;
        if (scan(text, 16, 2, &byte) != 2 || text[2] != (i < 5 ? ':' : 0))
            return false;
        mac[i] = (uint8_t)byte;
    }
    return true;
}
