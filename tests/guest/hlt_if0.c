/* SPDX-License-Identifier: BSD-2-Clause */
/* Halts with interrupts off, for good: the host must not spin, and destroy must work. */
#include "lib/guest.h"

void guest_main(void)
{
    check("hlt_if0.about_to_halt", true);
    say("1 passed, 0 failed\n");
    for (;;)
        __asm__ volatile("cli; hlt");
}
