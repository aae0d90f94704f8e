/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset control register, port 0xcf9 (ICH9 data sheet, "RST_CNT"). It stands inside the PCI
 * configuration address port, which is only reached by 32-bit accesses at 0xcf8. */
#ifndef VMM_RESET_CF9_H
#define VMM_RESET_CF9_H

#include "vmm/device.h"

struct reset_cf9 {
    struct machine *machine;
    uint8_t value;
    struct pio_region region;
};

void reset_cf9_init(struct reset_cf9 *reset, struct machine *machine);
void reset_cf9_reset(struct reset_cf9 *reset);

#endif
