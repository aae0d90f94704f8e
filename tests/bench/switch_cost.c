/* SPDX-License-Identifier: BSD-2-Clause */
/* What the switch's own work on a frame costs, by how many ports it has: net/switch/ as it is in
 * its process, on the machine that runs this, in nanoseconds of the best of many batches. Each line
 * is "bench switch_frame_PORTS NS". */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORLD_PORTS 256u
#include "tests/unit/switch_world.h"

#define BATCH   64u
#define BATCHES 4000u
#define LENGTH  60u

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Nanoseconds for a batch of frames between two ports. */
static uint64_t batch(uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < BATCH; i++)
        end_send_to(from, to, LENGTH);
    uint64_t begin = now();
    world_run();
    uint64_t took = now() - begin;
    end_sent(from, NULL);
    if (end_drain(to) != BATCH) {
        printf("switch_cost: frames were lost\n");
        exit(1);
    }
    end_buffers(to, BATCH);
    return took;
}

/* Two ports far from each other talk. */
static uint64_t cost(uint32_t ports)
{
    uint64_t best = UINT64_MAX;
    world_reset();
    for (uint32_t i = 0; i < ports; i++) {
        struct switch_port config = guest(i);
        if (!end_make(i, &config, 0, i == 0 || i == ports / 2 ? 2 * BATCH : 0))
            exit(1);
    }
    for (uint32_t i = 0; i < BATCHES; i++) {
        uint64_t took = batch(0, ports / 2);
        best = took < best ? took : best;
    }
    return (best + BATCH / 2) / BATCH;
}

int main(void)
{
    static const uint32_t counts[] = {2, 16, 64, 256};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        printf("bench switch_frame_%u %llu\n", (unsigned)counts[i],
               (unsigned long long)cost(counts[i]));
    return 0;
}
