/* SPDX-License-Identifier: BSD-2-Clause */
/* MC146818A real-time clock with 128 bytes of CMOS memory (data sheet MC146818A), with the bytes
 * that a PC's firmware keeps there.
 *
 * The time is computed from the machine's clock when it is read. A timer runs only while an
 * interrupt that it feeds is enabled; flags of register C that are merely polled are brought up to
 * date on read. */
#ifndef VMM_MC146818_H
#define VMM_MC146818_H

#include "vmm/device.h"

#define CMOS_SIZE 128u

struct mc146818 {
    struct machine *machine;
    uint8_t ram[CMOS_SIZE]; /* registers A..D and the time, too */
    uint8_t index;
    int64_t base_ns; /* Unix time in ns = clock_ns + base_ns, while the clock runs */
    int64_t held_s;  /* Unix time shown while it stands */
    int64_t seen_s;  /* last second for which update and alarm flags were set */
    uint64_t
        periodic_from_ns; /* last instant at which the periodic flag was set, or the rate changed */
    struct dev_timer update_timer, periodic_timer;
    struct pio_region region;
};

/* unix_ns: the time to start with. */
void mc146818_init(struct mc146818 *rtc, struct machine *machine, int64_t unix_ns);
void mc146818_reset(struct mc146818 *rtc);
/* A byte that firmware reads, 0x0e and up. mc146818_checksum() is to follow the last one. */
void mc146818_set(struct mc146818 *rtc, uint8_t index, uint8_t value);
void mc146818_checksum(struct mc146818 *rtc);

#endif
