/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/definition/domain_value.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *skip_blanks(const char *text)
{
    while (is_blank(*text))
        text++;
    return text;
}

/* Decimal digits at *text; moves *text behind them. */
static bool scan_u64(const char **text, uint64_t max, uint64_t *out)
{
    const char *p = *text;
    uint64_t value = 0;
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *out = value;
    *text = p;
    return true;
}

bool value_u64(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t value;
    text = skip_blanks(text);
    if (!scan_u64(&text, max, &value) || *skip_blanks(text))
        return false;
    *out = value;
    return true;
}

bool value_s64(const char *text, int64_t *out)
{
    text = skip_blanks(text);
    bool negative = *text == '-';
    if (negative || *text == '+')
        text++;
    uint64_t value;
    if (!value_u64(text, INT64_MAX, &value) || is_blank(*text))
        return false;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

bool value_seconds_ms(const char *text, uint32_t *out)
{
    uint64_t seconds, ms = 0;
    text = skip_blanks(text);
    if (!scan_u64(&text, 3600, &seconds))
        return false;
    if (*text == '.') {
        uint64_t scale = 100;
        for (text++; *text >= '0' && *text <= '9'; text++, scale /= 10) {
            if (!scale)
                return false;
            ms += (uint64_t)(*text - '0') * scale;
        }
        if (scale == 100)
            return false;
    }
    if (*skip_blanks(text) || seconds * 1000 + ms > 3600 * 1000)
        return false;
    *out = (uint32_t)(seconds * 1000 + ms);
    return true;
}

/* libvirt's units: with B powers of 1000, with iB or alone powers of 1024. */
static bool unit_factor(const char *unit, uint64_t *factor)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {
        {"b", 1},
        {"bytes", 1},
        {"KB", 1000ull},
        {"k", 1ull << 10},
        {"K", 1ull << 10},
        {"KiB", 1ull << 10},
        {"MB", 1000000ull},
        {"M", 1ull << 20},
        {"MiB", 1ull << 20},
        {"GB", 1000000000ull},
        {"G", 1ull << 30},
        {"GiB", 1ull << 30},
        {"TB", 1000000000000ull},
        {"T", 1ull << 40},
        {"TiB", 1ull << 40},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!strcmp(unit, units[i].name)) {
            *factor = units[i].factor;
            return true;
        }
    }
    return false;
}

bool value_memory(const char *text, const char *unit, uint64_t *bytes_out)
{
    uint64_t amount, factor;
    if (!unit_factor(unit ? unit : "KiB", &factor) || !value_u64(text, UINT64_MAX, &amount))
        return false;
    if (amount > (UINT64_MAX - 4095) / factor)
        return false;
    *bytes_out = (amount * factor + 4095) & ~4095ull;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool value_word(const char *text, size_t size)
{
    size_t length = strlen(text);
    return length && length < size &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.+") ==
               length;
}

/* Like libvirt: 32 hex digits, dashes anywhere between two of them. */
bool value_uuid(const char *text, uint8_t uuid[16])
{
    uint8_t bytes[16] = {0};
    uint32_t digits = 0;
    text = skip_blanks(text);
    for (; *text && !is_blank(*text); text++) {
        if (*text == '-' && digits > 0 && digits < 32 && digits % 2 == 0 && text[-1] != '-')
            continue;
        int digit = hex_digit(*text);
        if (digit < 0 || digits == 32)
            return false;
        bytes[digits / 2] = (uint8_t)(bytes[digits / 2] << 4 | digit);
        digits++;
    }
    if (digits != 32 || *skip_blanks(text))
        return false;
    memcpy(uuid, bytes, 16);
    return true;
}

bool value_cpuset(const char *text, uint64_t *set, uint32_t words)
{
    uint64_t bits[16] = {0};
    if (words > 16)
        return false;
    uint64_t max = words * 64 - 1;
    for (text = skip_blanks(text);; text++) {
        uint64_t first, last;
        bool remove = *text == '^';
        text += remove;
        if (!scan_u64(&text, max, &first))
            return false;
        last = first;
        if (*text == '-' && !remove) {
            text++;
            if (!scan_u64(&text, max, &last) || last < first)
                return false;
        }
        for (uint64_t cpu = first; cpu <= last; cpu++) {
            if (remove)
                bits[cpu / 64] &= ~(1ull << cpu % 64);
            else
                bits[cpu / 64] |= 1ull << cpu % 64;
        }
        text = skip_blanks(text);
        if (*text != ',')
            break;
        text = skip_blanks(text + 1) - 1;
    }
    if (*text)
        return false;
    memcpy(set, bits, words * sizeof(uint64_t));
    return true;
}

bool value_path(const char *text, char *out, size_t size, const char **why)
{
    size_t used = 0;
    *why = NULL;
    text = skip_blanks(text);
    size_t length = strlen(text);
    while (length && is_blank(text[length - 1]))
        length--;
    if (length && text[0] == '/')
        *why = "an absolute path; name the file relative to the folder of the VM set";
    for (size_t at = 0; at < length && !*why;) {
        size_t end = at;
        while (end < length && text[end] != '/')
            end++;
        size_t part = end - at;
        if (part == 2 && !strncmp(text + at, "..", 2))
            *why = "\"..\" leads out of the folder of the VM set";
        else if (used + part + 2 > size)
            *why = "the path is too long";
        else if (part && !(part == 1 && text[at] == '.')) {
            if (used)
                out[used++] = '/';
            memcpy(out + used, text + at, part);
            used += part;
        }
        at = end + 1;
    }
    for (size_t i = 0; i < used && !*why; i++) {
        if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
            *why = "the path contains a control character";
    }
    if (!used && !*why)
        *why = "the path is empty";
    out[*why ? 0 : used] = 0;
    return !*why;
}
