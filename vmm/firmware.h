/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest's firmware is told: ACPI tables and the order in which it tries disks. */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include "vmm/config.h"
#include "vmm/fw_cfg.h"

/* The devices are there. fatal() without memory. */
void firmware_files(struct fw_cfg *fw_cfg, struct machine *machine,
                    const struct vmm_config *config);

#endif
