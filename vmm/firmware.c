/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/firmware.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vmm/acpi_files.h"
#include "vmm/disks.h"
#include "vmm/machine.h"

#define PATH_SIZE 64u

struct firmware {
    struct acpi_board board;
    struct machine *machine;
    struct acpi_files acpi;
    char order[VMM_MAX_DISKS * PATH_SIZE + 1];
};

/* Firmware has placed the configuration window by now. */
static void refresh(void *dev)
{
    struct firmware *firmware = dev;
    firmware->board.ecam = machine_ecam(firmware->machine);
    if (!acpi_files_build(&firmware->acpi, &firmware->board))
        fatal("no room for the guest's ACPI tables");
}

static void add(struct fw_cfg *fw_cfg, struct firmware *firmware, const char *name,
                const void *data, uint32_t size)
{
    struct fw_cfg_file file = {.data = data, .size = size, .refresh = refresh, .dev = firmware};
    memcpy(file.name, name, strlen(name));
    fw_cfg_add(fw_cfg, &file);
}

/* Paths of boot disks, each a line, in the order of the definition. Length with the final zero;
 * 0: the definition says nothing. */
static uint32_t boot_order(char *text, const struct vmm_config *config)
{
    uint32_t length = 0, last = 0;
    for (;;) {
        uint32_t best = config->disk_count;
        for (uint32_t i = 0; i < config->disk_count; i++) {
            uint32_t order = config->disk[i].boot_order;
            if (order > last &&
                (best == config->disk_count || order < config->disk[best].boot_order))
                best = i;
        }
        if (best == config->disk_count)
            return length ? length + 1 : 0;
        length += disks_boot_path(config, &machine_disk_slots, best, text + length, PATH_SIZE);
        last = config->disk[best].boot_order;
    }
}

void firmware_files(struct fw_cfg *fw_cfg, struct machine *machine, const struct vmm_config *config)
{
    struct firmware *firmware = calloc(1, sizeof(*firmware));
    if (!firmware)
        fatal("no memory for firmware's files");
    firmware->machine = machine;
    firmware->board = (struct acpi_board){.vcpus = config->vcpus, .gsi_of = machine_pci_gsi};
    refresh(firmware);
    add(fw_cfg, firmware, "etc/acpi/rsdp", firmware->acpi.rsdp, sizeof(firmware->acpi.rsdp));
    add(fw_cfg, firmware, "etc/acpi/tables", firmware->acpi.tables, firmware->acpi.tables_size);
    add(fw_cfg, firmware, "etc/table-loader", firmware->acpi.script, sizeof(firmware->acpi.script));
    uint32_t size = boot_order(firmware->order, config);
    if (size)
        add(fw_cfg, firmware, "bootorder", firmware->order, size);
}
