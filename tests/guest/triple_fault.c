/* SPDX-License-Identifier: BSD-2-Clause */
/* Dies of a triple fault: bare the machine resets; under a hypervisor the reason is reported. */
#include "lib/guest.h"

void guest_main(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};
    check("triple_fault.about_to_die", true);
    say("1 passed, 0 failed\n");
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}
