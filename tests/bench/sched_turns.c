/* SPDX-License-Identifier: BSD-2-Clause */
/* Two such guests share a CPU and never rest. Each notes how long its turns are, and how long the
 * gaps between them: what a gap is longer than the other's turn are two switches from one guest's
 * vCPU to another's, all in. Medians of SAMPLES, in ticks of the TSC, as "bench NAME VALUE"; then
 * it spins on, for the other one's sake. */
#include "../guest/lib/guest.h"

#define SAMPLES 31u
#define SKIPPED 4u
#define GAP     100000u /* interrupts of the host are shorter, turns are longer */

static uint64_t median(uint64_t *value)
{
    for (uint32_t i = 1; i < SAMPLES; i++)
        for (uint32_t k = i; k && value[k] < value[k - 1]; k--) {
            uint64_t other = value[k];
            value[k] = value[k - 1];
            value[k - 1] = other;
        }
    return value[SAMPLES / 2];
}

void guest_main(void)
{
    static uint64_t gap[SAMPLES], turn[SAMPLES];
    uint64_t begun = rdtsc(), last = begun;
    for (uint32_t n = 0; n < SAMPLES + SKIPPED;) {
        uint64_t now = rdtsc();
        if (now - last > GAP) {
            if (n >= SKIPPED) {
                gap[n - SKIPPED] = now - last;
                turn[n - SKIPPED] = last - begun;
            }
            n++;
            begun = now;
        }
        last = now;
    }
    say("bench gap %lu\nbench turn %lu\nturns measured\n", median(gap), median(turn));
    for (;;)
        pause_cpu();
}
