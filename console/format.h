/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verbs print, in virsh's shapes. */
#ifndef CONSOLE_FORMAT_H
#define CONSOLE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "manager/protocol.h"

/* Text that grows up to a fixed size; what does not fit is cut. */
struct text {
    char *bytes;
    size_t size, used;
};
__attribute__((format(printf, 2, 3))) void text_add(struct text *text, const char *format, ...);

/* virsh's word for an enum vm_state. */
const char *format_state(uint32_t state);
void format_list(struct text *text, const struct mgr_brief *briefs, uint32_t count, bool all,
                 bool inactive);
void format_info(struct text *text, const struct mgr_info *info);
void format_stats_head(struct text *text, const char *name, const struct mgr_stats *stats);
void format_stats_vcpu(struct text *text, uint32_t vcpu, const struct mgr_stats *stats);
void format_stats_emulator(struct text *text, const struct mgr_stats *stats);
void format_vcpuinfo(struct text *text, uint32_t vcpu, const struct mgr_stats *stats,
                     uint32_t host_cpus, bool pretty);
void format_disks(struct text *text, const struct mgr_disk *disks, uint32_t count);
void format_disk_stats(struct text *text, const struct mgr_disk *disk);
void format_node(struct text *text, const struct mgr_node *node);

#endif
