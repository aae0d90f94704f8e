/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/cpulist.h"

#include <stdbool.h>

#define ITEM 24u /* "4294967295-4294967295," and a zero byte */

static bool has(const uint64_t *set, uint32_t count, uint32_t cpu)
{
    return cpu < count && (set[cpu / 64] >> cpu % 64 & 1);
}

static uint32_t put_text(char *out, const char *text)
{
    uint32_t n = 0;
    for (; text[n]; n++)
        out[n] = text[n];
    out[n] = 0;
    return n;
}

static uint32_t put_number(char *out, uint32_t value)
{
    char digits[11];
    uint32_t n = sizeof(digits) - 1;
    digits[n] = 0;
    do {
        digits[--n] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return put_text(out, digits + n);
}

static void put_item(char item[ITEM], bool comma, uint32_t first, uint32_t last)
{
    uint32_t used = put_text(item, comma ? "," : "");
    used += put_number(item + used, first);
    if (last == first)
        return;
    used += put_text(item + used, "-");
    put_number(item + used, last);
}

void cpulist_format(const uint64_t *set, uint32_t count, char *out, uint32_t size)
{
    static const char more[] = "...";
    char item[ITEM];
    uint32_t used = 0;
    if (size <= sizeof(more)) {
        for (uint32_t i = 0; i < size; i++)
            out[i] = 0;
        return;
    }
    out[0] = 0;
    for (uint32_t cpu = 0; cpu < count; cpu++) {
        if (!has(set, count, cpu))
            continue;
        uint32_t last = cpu, length = 0;
        while (has(set, count, last + 1))
            last++;
        put_item(item, used != 0, cpu, last);
        while (item[length])
            length++;
        if (used + length + sizeof(more) > size) {
            put_text(out + used, more);
            return;
        }
        used += put_text(out + used, item);
        cpu = last;
    }
    if (!used)
        put_text(out, size > 4 ? "none" : more);
}
