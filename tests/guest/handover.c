/* SPDX-License-Identifier: BSD-2-Clause */
/* Two vCPUs that take turns and spin, with PAUSE, until it is theirs: on one host CPU a turn takes
 * a whole slice, unless the host sees that the spinning one waits for the other. Says how long
 * ROUNDS of two turns took, in microseconds of the PM timer. */
#include "lib/guest.h"

#define ROUNDS 40u

static volatile uint32_t turn;

static void wait_turn(uint32_t mine)
{
    while (turn != mine)
        pause_cpu();
}

static void other(uint32_t cpu)
{
    (void)cpu;
    for (;;) {
        wait_turn(1);
        turn = 0;
    }
}

void guest_main(void)
{
    bool two = acpi.cpus >= 2 && smp_start() != 0;
    check("handover.started", two);
    if (!two)
        return;
    smp_run(1, other);
    uint32_t begun = pm_ticks();
    for (uint32_t i = 0; i < ROUNDS; i++) {
        turn = 1;
        wait_turn(0);
    }
    say("handover took %u us\n", ((pm_ticks() - begun) & 0xffffff) * 1000 / 3580);
}
