/* SPDX-License-Identifier: BSD-2-Clause */
/* Heads of HTTP requests: in one piece and byte by byte they mean the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "net/ip/http_parse.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_head whole, parts;
    struct http_request a, b;
    whole.used = parts.used = 0;
    uint32_t status = http_head_add(&whole, (const char *)data, size, &a), piecewise = 0;
    for (size_t i = 0; i < size && !piecewise; i++)
        piecewise = http_head_add(&parts, (const char *)data + i, 1, &b);
    if (status != piecewise || (status == 200 && memcmp(&a, &b, sizeof(a))))
        abort();
    if (status == 200 && (a.path[0] != '/' || !memchr(a.path, 0, sizeof(a.path)) ||
                          a.method == HTTP_OTHER || a.minor > 1))
        abort();
    return 0;
}
