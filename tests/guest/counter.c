/* SPDX-License-Identifier: BSD-2-Clause */
/* A neighbour that must never miss a beat: prints a line for each tenth of a second with a running
 * checksum over 1 MiB that it fills and verifies; ends after COUNTER_BEATS beats. */
#include "lib/guest.h"

#define BEATS 3000u
#define WORDS (1u << 18)

static uint32_t memory[WORDS];

static uint32_t step(uint32_t x)
{
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ x << 5;
}

static void fill(uint32_t seed)
{
    for (uint32_t i = 0; i < WORDS; i++)
        memory[i] = seed = step(seed);
}

static bool verify(uint32_t seed)
{
    for (uint32_t i = 0; i < WORDS; i++)
        if (memory[i] != (seed = step(seed)))
            return false;
    return true;
}

void guest_main(void)
{
    pic_init(0xff, 0xff);
    apic_init(apic_has_x2());
    uint32_t sum = 0x4d756c6cu;
    for (uint32_t beat = 1; beat <= BEATS; beat++) {
        fill(beat);
        delay_us(100000);
        if (!verify(beat)) {
            say("not ok counter: memory changed at beat %u\n", beat);
            check("counter.memory", false);
            return;
        }
        sum = step(sum ^ beat);
        say("beat %u %x\n", beat, sum);
    }
    check("counter.all_beats", true);
}
