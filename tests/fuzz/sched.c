/* SPDX-License-Identifier: BSD-2-Clause */
/* Lives of small simulated machines: the input is what tests/sim draws instead of random numbers.
 */
#define main unit_main /* the unit tests' */
#include "tests/sim/life.h"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t left;

static uint64_t drawn(uint64_t below)
{
    uint64_t value = 0;
    for (uint64_t range = below - 1; range; range >>= 8) {
        value = value << 8 | (left ? *input : 0);
        input += left != 0;
        left -= left != 0;
    }
    return value % below;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    left = size;
    sim_random = drawn;
    struct sim_shape with = {.cpus = 1 + (uint32_t)drawn(6), .contexts = 1 + (uint32_t)drawn(12)};
    uint64_t kinds = drawn(64);
    with.reserved = kinds & 1;
    with.caps = kinds & 2;
    with.fixed = kinds & 4;
    with.offline = kinds & 8;
    with.topology = kinds & 32;
    /* Reservations promise nothing about what the machine itself is late. */
    with.latency = kinds & 16 && !with.reserved ? 20 * US : 0;
    sim_start(with);
    while (left && !sim_wrong) {
        life_step();
        check_all();
    }
    if (sim_wrong) {
        printf("%s\n", sim_wrong);
        abort();
    }
    sim_stop();
    return 0;
}
