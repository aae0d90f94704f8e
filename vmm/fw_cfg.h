/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's firmware configuration device, ports 0x510 and 0x511: what test kernels and firmware ask
 * for the size of the machine. No files, no DMA. */
#ifndef VMM_FW_CFG_H
#define VMM_FW_CFG_H

#include "vmm/device.h"

#define FW_CFG_PORT 0x510u

struct fw_cfg {
    struct pio_region region;
    uint64_t memory; /* bytes */
    uint16_t vcpus;
    uint16_t selected;
    uint32_t position; /* of the next byte of the selected item */
};

void fw_cfg_init(struct fw_cfg *fw_cfg, struct machine *machine, uint64_t memory, uint16_t vcpus);

#endif
