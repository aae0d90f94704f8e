/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls to the manager (manager/protocol.h). */
#ifndef CONSOLE_CLIENT_H
#define CONSOLE_CLIENT_H

#include <stdint.h>
#include "abi/trace.h"
#include "manager/protocol.h"

#define CLIENT_DOMAINS 64u

/* All return a status; client_reason() then says why it was bad. */
int64_t client_list(struct mgr_brief briefs[CLIENT_DOMAINS], uint32_t *count);
int64_t client_info(const char *name, struct mgr_info *info);
int64_t client_act(const char *name, enum vm_input verb);
int64_t client_refresh(const char *name);
int64_t client_stats(const char *name, uint32_t vcpu, struct mgr_stats *stats);
/* flags: MGR_TUNE_*. */
int64_t client_tune(const char *name, uint32_t flags, struct mgr_tune *tune);
int64_t client_tune_set(const char *name, uint32_t flags, const struct mgr_tune_set *set);
int64_t client_pin(const char *name, uint32_t flags, const struct mgr_pin_set *set);
int64_t client_trace(enum mgr_trace what);
/* Events of a CPU from *position on, which is moved. *count 0: no more. */
int64_t client_trace_read(uint32_t cpu, uint64_t *position, struct trace_entry *entries,
                          uint32_t size, uint32_t *count);
int64_t client_node(struct mgr_node *node);
/* The host's devices from `first` on, at most `max`; *count: how many were given. */
/* disks: VMM_MAX_DISKS of them. */
int64_t client_disks(const char *name, struct mgr_disk *disks, uint32_t *count);
int64_t client_nodedev(uint32_t first, struct mgr_nodedev *list, uint32_t max, uint32_t *count);
int64_t client_host(enum mgr_host how, int force);
/* At most size bytes of the kernel log from *position on, which is moved. *length 0: no more. */
int64_t client_klog(uint64_t *position, char *bytes, uint32_t size, uint32_t *length);
/* slots: two free slots, filled with the rings (if ring_bytes is not 0) and the VMM's notification
 * (if has_notif). */
int64_t client_console(uint32_t index, struct mgr_console *console, uint32_t slots);
const char *client_reason(void);

#endif
