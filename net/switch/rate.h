/* SPDX-License-Identifier: BSD-2-Clause */
/* Token buckets: a frame may go while there are tokens, and then takes as many as it has bytes, so
 * that a frame longer than the bucket is deep goes, too, and what comes next waits for it. */
#ifndef NET_SWITCH_RATE_H
#define NET_SWITCH_RATE_H

#include <stdbool.h>
#include <stdint.h>
#include "net/switch/protocol.h"

#define BUCKET_POINT 20u /* bits behind the point of depth and tokens */

struct bucket {
    uint64_t per_ns; /* tokens, 40 bits behind the point; 0: no limit */
    int64_t depth, tokens;
    uint64_t at_ns; /* when `tokens` was right */
};

struct rate {
    struct bucket average, peak;
};

/* Units a second, and how many at once. */
void bucket_set(struct bucket *bucket, uint64_t per_second, uint64_t depth, uint64_t now_ns);
bool bucket_has(struct bucket *bucket, uint64_t now_ns);
static inline void bucket_take(struct bucket *bucket, uint64_t n)
{
    if (bucket->per_ns)
        bucket->tokens -= (int64_t)(n << BUCKET_POINT);
}

void rate_set(struct rate *rate, const struct switch_rate *config, uint64_t now_ns);
bool rate_has(struct rate *rate, uint64_t now_ns);
void rate_take(struct rate *rate, uint64_t bytes);
/* When it will have tokens, after rate_has() said that there are none. */
uint64_t rate_when(const struct rate *rate);

#endif
