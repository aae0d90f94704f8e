/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/format.h"

struct out {
    char *buffer;
    size_t size, used; /* used < size: room for the NUL */
};

struct directive {
    uint32_t width;
    bool zero, prefix, is_long;
    char kind;
};

#define WIDTH_MAX 64u

static void put(struct out *out, char c)
{
    if (out->used + 1 < out->size)
        out->buffer[out->used++] = c;
}

static void put_padded(struct out *out, const struct directive *d, const char *text, size_t length)
{
    for (size_t i = length; i < d->width; i++)
        put(out, ' ');
    for (size_t i = 0; i < length; i++)
        put(out, text[i]);
}

static void put_number(struct out *out, const struct directive *d, uint64_t value, bool negative)
{
    char digits[20];
    uint32_t base = d->kind == 'd' || d->kind == 'u' ? 10 : 16;
    uint32_t count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    const char *sign = negative ? "-" : d->prefix && base == 16 ? "0x" : "";
    uint32_t length = count + (uint32_t)__builtin_strlen(sign);
    if (!d->zero) {
        for (uint32_t i = length; i < d->width; i++)
            put(out, ' ');
    }
    while (*sign)
        put(out, *sign++);
    if (d->zero) {
        for (uint32_t i = length; i < d->width; i++)
            put(out, '0');
    }
    while (count)
        put(out, digits[--count]);
}

/* Reads what follows a '%'; returns the first character behind it. */
static const char *parse(const char *p, struct directive *d)
{
    *d = (struct directive){0};
    for (; *p == '0' || *p == '#'; p++) {
        d->zero |= *p == '0';
        d->prefix |= *p == '#';
    }
    while (*p >= '0' && *p <= '9') {
        d->width = MIN(d->width * 10 + (uint32_t)(*p - '0'), WIDTH_MAX);
        p++;
    }
    while (*p == 'l') {
        d->is_long = true; /* long and long long are the same here */
        p++;
    }
    d->kind = *p;
    return *p ? p + 1 : p;
}

/* false: not a directive of ours. */
static bool convert(struct out *out, struct directive *d, va_list *args)
{
    switch (d->kind) {
    case '%':
        put(out, '%');
        return true;
    case 'c': {
        char c = (char)va_arg(*args, int);
        put_padded(out, d, &c, 1);
        return true;
    }
    case 's': {
        const char *text = va_arg(*args, const char *);
        text = text ? text : "(null)";
        put_padded(out, d, text, __builtin_strlen(text));
        return true;
    }
    case 'd': {
        int64_t v = d->is_long ? va_arg(*args, long) : va_arg(*args, int);
        put_number(out, d, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
        return true;
    }
    case 'u':
    case 'x':
        put_number(out, d, d->is_long ? va_arg(*args, unsigned long) : va_arg(*args, unsigned),
                   false);
        return true;
    case 'p':
        d->zero = true;
        d->width = 16;
        put_number(out, d, (uint64_t)va_arg(*args, void *), false);
        return true;
    default:
        return false;
    }
}

size_t format_args(char *buffer, size_t size, const char *format, va_list args)
{
    struct out out = {buffer, size, 0};
    bool known = true;
    va_list copy;

    va_copy(copy, args);
    while (*format) {
        if (*format != '%' || !known) {
            put(&out, *format++);
            continue;
        }
        struct directive d;
        const char *next = parse(format + 1, &d);
        known = convert(&out, &d, &copy);
        if (known)
            format = next;
    }
    va_end(copy);
    buffer[out.used] = 0;
    return out.used;
}

size_t format_text(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = format_args(buffer, size, format, args);
    va_end(args);
    return n;
}
