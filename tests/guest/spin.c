/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest that never rests on any of its CPUs: for tests of what it is given of the host's. */
#include "lib/guest.h"

static void spin(void)
{
    for (;;)
        __asm__ volatile("" : : : "memory");
}

void guest_main(void)
{
    check("spin.begins", true);
    say("1 passed, 0 failed\n");
    spin();
}
