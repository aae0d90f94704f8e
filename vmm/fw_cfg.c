/* SPDX-License-Identifier: BSD-2-Clause */
/* Interface: QEMU's docs/specs/fw_cfg, "Selector" and "Data" registers, "File Directory". */
#include "vmm/fw_cfg.h"

#include <string.h>

#define FW_CFG_SIGNATURE  0x00u
#define FW_CFG_ID         0x01u
#define FW_CFG_RAM_SIZE   0x03u
#define FW_CFG_NB_CPUS    0x05u
#define FW_CFG_MAX_CPUS   0x0fu
#define FW_CFG_FILE_DIR   0x19u
#define FW_CFG_FILE_FIRST 0x20u

#define DIRECTORY_HEAD  4u
#define DIRECTORY_ENTRY (8u + FW_CFG_NAME)

static uint8_t big_endian(uint32_t value, unsigned byte)
{
    return (uint8_t)(value >> (8 * (3 - byte)));
}

/* A number of files; of each its size, its selector, two bytes 0, its name. */
static uint8_t directory_byte(const struct fw_cfg *fw_cfg, uint32_t position)
{
    if (position < DIRECTORY_HEAD)
        return big_endian(fw_cfg->files, position);
    uint32_t number = (position - DIRECTORY_HEAD) / DIRECTORY_ENTRY;
    uint32_t at = (position - DIRECTORY_HEAD) % DIRECTORY_ENTRY;
    if (number >= fw_cfg->files)
        return 0;
    if (at < 4)
        return big_endian(fw_cfg->file[number].size, at);
    if (at < 8)
        return big_endian((FW_CFG_FILE_FIRST + number) << 16, at - 4);
    return (uint8_t)fw_cfg->file[number].name[at - 8];
}

static const struct fw_cfg_file *file(const struct fw_cfg *fw_cfg)
{
    uint32_t number = fw_cfg->selected - FW_CFG_FILE_FIRST;
    return number < fw_cfg->files ? &fw_cfg->file[number] : NULL;
}

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

static uint8_t byte_at(const struct fw_cfg *fw_cfg, uint32_t position)
{
    const struct fw_cfg_file *selected = file(fw_cfg);
    uint8_t bytes[8] = {0};
    if (fw_cfg->selected == FW_CFG_FILE_DIR)
        return directory_byte(fw_cfg, position);
    if (selected)
        return position < selected->size ? ((const uint8_t *)selected->data)[position] : 0;
    return position < item(fw_cfg, bytes) ? bytes[position] : 0;
}

/* Reads beyond an item's end give 0. The selector register is write-only. */
static uint64_t fw_cfg_read(void *dev, uint64_t offset, unsigned size)
{
    struct fw_cfg *fw_cfg = dev;
    if (offset != 1 || size != 1 || fw_cfg->position == UINT32_MAX)
        return 0;
    return byte_at(fw_cfg, fw_cfg->position++);
}

static void fw_cfg_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct fw_cfg *fw_cfg = dev;
    if (offset != 0 || size != 2)
        return;
    fw_cfg->selected = (uint16_t)value;
    fw_cfg->position = 0;
    const struct fw_cfg_file *selected = file(fw_cfg);
    if (selected && selected->refresh)
        selected->refresh(selected->dev);
}

static const struct region_ops fw_cfg_ops = {fw_cfg_read, fw_cfg_write};

void fw_cfg_add(struct fw_cfg *fw_cfg, const struct fw_cfg_file *add)
{
    if (fw_cfg->files == FW_CFG_FILES)
        fatal("no room for firmware's file %s", add->name);
    fw_cfg->file[fw_cfg->files++] = *add;
}

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
