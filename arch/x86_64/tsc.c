/* SPDX-License-Identifier: BSD-2-Clause */
/* Time in TSC cycles. boot/calibrate.c has measured how fast it runs. */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "lib/tsc_math.h"

#define SAMPLES 16u

uint64_t tsc_khz;

/* A host that preempts an emulator, or an SMI, spoils a single reading. */
struct tsc_sample tsc_sample(uint64_t (*read)(void))
{
    struct tsc_sample best = {0, 0, UINT64_MAX};
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t before = rdtsc();
        uint64_t ticks = read();
        uint64_t window = rdtsc() - before;
        if (window < best.window)
            best = (struct tsc_sample){before + window / 2, ticks, window};
    }
    return best;
}

uint64_t tsc_from_us(uint64_t us)
{
    return scale(us, tsc_khz, 1000);
}

uint64_t tsc_to_us(uint64_t tsc)
{
    return tsc_khz ? scale(tsc, 1000, tsc_khz) : 0;
}

void tsc_wait_us(uint64_t us)
{
    uint64_t start = rdtsc(), span = tsc_from_us(us);
    while (rdtsc() - start < span)
        cpu_pause();
}
