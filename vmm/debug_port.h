/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports 0x402 and 0xe9: firmware and test guests write text there, which goes to the log. Reading
 * gives 0xe9, by which they recognise the port. */
#ifndef VMM_DEBUG_PORT_H
#define VMM_DEBUG_PORT_H

#include "vmm/device.h"

#define DEBUG_PORT_LINE 120u

struct debug_port {
    struct machine *machine;
    char line[DEBUG_PORT_LINE + 1];
    uint32_t length;
    uint64_t window_ns; /* start of the second whose lines are counted */
    uint32_t lines;
    struct pio_region region[2];
    uint64_t bytes, suppressed;
};

void debug_port_init(struct debug_port *port, struct machine *machine);

#endif
