/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes to the same pages again and again, and reads as many others: for tests of what is counted
 * as written. */
#include "lib/guest.h"

#define PAGES 2000u
#define BYTES 4096u

static volatile uint8_t written[PAGES * BYTES] __attribute__((aligned(4096)));
static volatile uint8_t only_read[PAGES * BYTES] __attribute__((aligned(4096)));

static void round(void)
{
    for (uint32_t i = 0; i < PAGES; i++) {
        written[i * BYTES]++;
        (void)only_read[i * BYTES];
    }
}

void guest_main(void)
{
    check("writer.begins", true);
    say("1 passed, 0 failed\n");
    for (;;) {
        round();
        delay_us(1000);
    }
}
