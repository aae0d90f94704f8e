/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/img/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool place_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *text == '-')
        return false;
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10u * (unsigned)(unit - units + 1) : 0;
    if (unit)
        end++;
    if (*end == 'i' && unit)
        end++;
    if (*end == 'B' && unit)
        end++;
    if (*end || value > UINT64_MAX >> shift)
        return false;
    *bytes = (uint64_t)value << shift;
    return true;
}

bool place_option(struct place *place, int option, const char *value)
{
    if (option == 'p')
        place->partition = value;
    else if (option == 'o')
        return place_size(value, &place->offset);
    else if (option == 's')
        return place_size(value, &place->size) && place->size;
    else
        return false;
    return true;
}
