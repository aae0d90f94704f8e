/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest guest: says one line and switches itself off. For start and stop cycles. */
#include "lib/guest.h"

void guest_main(void)
{
    check("tiny.runs", true);
}
