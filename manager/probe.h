/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the partition table of one disk at a time, over a block channel of the manager's own,
 * without waiting for it. */
#ifndef MANAGER_PROBE_H
#define MANAGER_PROBE_H

#include "drivers/gpt/gpt.h"
#include "manager/ahci.h"

/* notif is signalled with bits when the disk has answered. */
void probe_init(uint32_t notif, uint64_t bits);
/* NULL, or why not. */
const char *probe_start(struct ahci *ahci, uint32_t port, const struct ahci_disk *disk);
bool probe_is_busy(void);
/* TSC at which the disk is given up; 0: none is being read. */
uint64_t probe_deadline(void);
/* Goes on with what the disk has answered. The table when it is complete, once; NULL: not yet. */
const struct gpt *probe_result(uint64_t now, uint32_t *controller, uint32_t *port);
/* The disk is gone: its table is of no use any more. */
void probe_cancel(const struct ahci *ahci, uint32_t port);

#endif
