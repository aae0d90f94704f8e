/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/rate.h"

#define POINT     40u /* of bucket.per_ns */
#define DEPTH_MAX (1ull << 42)
#define NS_PER_S  1000000000ull
#define BURST_MIN 65536u /* one frame of the longest kind */

__extension__ typedef unsigned __int128 wide;

void bucket_set(struct bucket *b, uint64_t per_second, uint64_t depth, uint64_t now_ns)
{
    *b = (struct bucket){0};
    if (!per_second)
        return;
    b->per_ns = (uint64_t)(((wide)per_second << POINT) / NS_PER_S);
    if (!b->per_ns)
        b->per_ns = 1;
    b->depth = (int64_t)(depth > DEPTH_MAX ? DEPTH_MAX : depth) << BUCKET_POINT;
    b->tokens = b->depth;
    b->at_ns = now_ns;
}

bool bucket_has(struct bucket *b, uint64_t now_ns)
{
    if (!b->per_ns)
        return true;
    wide more = ((wide)(now_ns - b->at_ns) * b->per_ns) >> (POINT - BUCKET_POINT);
    if (more) {
        int64_t missing = b->depth - b->tokens;
        b->tokens = more >= (wide)missing ? b->depth : b->tokens + (int64_t)more;
        b->at_ns = now_ns;
    }
    return b->tokens > 0;
}

static uint64_t bucket_when(const struct bucket *b)
{
    if (!b->per_ns || b->tokens > 0)
        return 0;
    wide ns = (((wide)(uint64_t)(1 - b->tokens)) << (POINT - BUCKET_POINT)) / b->per_ns + 1;
    return b->at_ns + (ns > UINT32_MAX ? UINT32_MAX : (uint64_t)ns);
}

void rate_set(struct rate *rate, const struct switch_rate *config, uint64_t now_ns)
{
    /* Without <burst>: what passes in 10 ms. */
    uint64_t burst = config->burst ? config->burst : config->average / 100;
    if (burst < BURST_MIN)
        burst = BURST_MIN;
    bucket_set(&rate->average, config->average, burst, now_ns);
    bucket_set(&rate->peak, config->average ? config->peak : 0, BURST_MIN, now_ns);
}

bool rate_has(struct rate *rate, uint64_t now_ns)
{
    bool average = bucket_has(&rate->average, now_ns);
    return bucket_has(&rate->peak, now_ns) && average;
}

void rate_take(struct rate *rate, uint64_t bytes)
{
    bucket_take(&rate->average, bytes);
    bucket_take(&rate->peak, bytes);
}

uint64_t rate_when(const struct rate *rate)
{
    uint64_t average = bucket_when(&rate->average), peak = bucket_when(&rate->peak);
    return average > peak ? average : peak;
}
