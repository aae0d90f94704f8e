/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's firmware configuration device, ports 0x510 and 0x511: what test kernels and firmware ask
 * for the size of the machine, and a few files. No DMA. */
#ifndef VMM_FW_CFG_H
#define VMM_FW_CFG_H

#include "vmm/device.h"

#define FW_CFG_PORT  0x510u
#define FW_CFG_FILES 8u
#define FW_CFG_NAME  56u

struct fw_cfg_file {
    char name[FW_CFG_NAME];
    const void *data;
    uint32_t size;
    /* Called when the guest is about to read the file from its start; NULL: never changes. */
    void (*refresh)(void *dev);
    void *dev;
};

struct fw_cfg {
    struct pio_region region;
    uint64_t memory; /* bytes */
    uint16_t vcpus;
    uint16_t selected;
    uint32_t position; /* of the next byte of the selected item */
    struct fw_cfg_file file[FW_CFG_FILES];
    uint32_t files;
};

void fw_cfg_init(struct fw_cfg *fw_cfg, struct machine *machine, uint64_t memory, uint16_t vcpus);
/* fatal() when there are too many. */
void fw_cfg_add(struct fw_cfg *fw_cfg, const struct fw_cfg_file *file);

#endif
