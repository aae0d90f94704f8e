/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the partition table of one disk at a time, or makes a partition in it larger, over a block
 * channel of the manager's own, without waiting for it. */
#ifndef MANAGER_STORAGE_PROBE_H
#define MANAGER_STORAGE_PROBE_H

#include "drivers/gpt/grow.h"
#include "manager/storage/ahci.h"

/* notif is signalled with bits when the disk has answered. */
void probe_init(uint32_t notif, uint64_t bits);
/* NULL, or why not. */
const char *probe_start(struct ahci *ahci, uint32_t port, const struct ahci_disk *disk);
/* The partition that begins at block `first` shall have so many blocks; 0: as many as there are. */
const char *probe_grow(struct ahci *ahci, uint32_t port, const struct ahci_disk *disk,
                       uint64_t first, uint64_t blocks);
bool probe_is_busy(void);
/* TSC at which the disk is given up; 0: none is being read. */
uint64_t probe_deadline(void);
/* Goes on with what the disk has answered. The table when it is complete, once; NULL: not yet. */
const struct gpt *probe_result(uint64_t now, uint32_t *controller, uint32_t *port);
/* The same after probe_grow(), once: what became of it. */
const struct gpt_grow *probe_grown(uint64_t now);
/* The disk is gone: its table is of no use any more. */
void probe_cancel(const struct ahci *ahci, uint32_t port);

#endif
