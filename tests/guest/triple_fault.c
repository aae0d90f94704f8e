/* SPDX-License-Identifier: BSD-2-Clause */
/* Dies of a triple fault: bare the machine resets; under a hypervisor the reason is reported.
 * Without an IDT, or, with "tables" on its command line, with page tables where no memory is. */
#include "lib/guest.h"

#define NOWHERE 0x1000000000ull /* 64 GiB */

void guest_main(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};
    check("triple_fault.about_to_die", true);
    say("1 passed, 0 failed\n");
    if (guest_has_word("tables"))
        __asm__ volatile("mov %0, %%cr3; ud2" : : "r"(NOWHERE));
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}
