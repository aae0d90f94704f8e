/* SPDX-License-Identifier: BSD-2-Clause */
/* Interface: QEMU's docs/specs/fw_cfg, "Selector" and "Data" registers. */
#include "vmm/fw_cfg.h"

#include <string.h>

#define FW_CFG_SIGNATURE 0x00u
#define FW_CFG_ID        0x01u
#define FW_CFG_RAM_SIZE  0x03u
#define FW_CFG_NB_CPUS   0x05u
#define FW_CFG_MAX_CPUS  0x0fu

/* Bytes of an item in the order in which they are read; items that are not there are empty. */
static uint32_t item(const struct fw_cfg *fw_cfg, uint8_t bytes[8])
{
    static const uint32_t traditional = 1;
    switch (fw_cfg->selected) {
    case FW_CFG_SIGNATURE:
        memcpy(bytes, "QEMU", 4);
        return 4;
    case FW_CFG_ID:
        memcpy(bytes, &traditional, 4);
        return 4;
    case FW_CFG_RAM_SIZE:
        memcpy(bytes, &fw_cfg->memory, 8);
        return 8;
    case FW_CFG_NB_CPUS:
    case FW_CFG_MAX_CPUS:
        memcpy(bytes, &fw_cfg->vcpus, 2);
        return 2;
    default:
        return 0;
    }
}

/* Reads beyond an item's end give 0. The selector register is write-only. */
static uint64_t fw_cfg_read(void *dev, uint64_t offset, unsigned size)
{
    struct fw_cfg *fw_cfg = dev;
    uint8_t bytes[8] = {0};
    if (offset != 1 || size != 1)
        return 0;
    uint32_t length = item(fw_cfg, bytes);
    return fw_cfg->position < length ? bytes[fw_cfg->position++] : 0;
}

static void fw_cfg_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct fw_cfg *fw_cfg = dev;
    if (offset != 0 || size != 2)
        return;
    fw_cfg->selected = (uint16_t)value;
    fw_cfg->position = 0;
}

static const struct region_ops fw_cfg_ops = {fw_cfg_read, fw_cfg_write};

void fw_cfg_init(struct fw_cfg *fw_cfg, struct machine *machine, uint64_t memory, uint16_t vcpus)
{
    *fw_cfg = (struct fw_cfg){.memory = memory, .vcpus = vcpus};
    fw_cfg->region = (struct pio_region){.base = FW_CFG_PORT,
                                         .count = 2,
                                         .max_size = 2,
                                         .kind = REGION_FIXED,
                                         .ops = &fw_cfg_ops,
                                         .dev = fw_cfg,
                                         .name = "fw_cfg"};
    pio_add(machine, &fw_cfg->region);
}
