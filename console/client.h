/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls to the manager (manager/protocol.h). */
#ifndef CONSOLE_CLIENT_H
#define CONSOLE_CLIENT_H

#include <stdint.h>
#include "abi/trace.h"
#include "drivers/pool/protocol.h"
#include "manager/protocol.h"

#define CLIENT_DOMAINS 128u

/* All return a status; client_reason() then says why it was bad. */
int64_t client_list(struct mgr_brief briefs[CLIENT_DOMAINS], uint32_t *count);
int64_t client_info(const char *name, struct mgr_info *info);
int64_t client_act(const char *name, enum vm_input verb);
int64_t client_refresh(const char *name);
int64_t client_dirty(const char *name, bool start);
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
/* disks: VMM_MAX_DISKS of them. */
int64_t client_disks(const char *name, struct mgr_disk *disks, uint32_t *count);
/* nets: VMM_MAX_NETS of them. */
int64_t client_nets(const char *name, struct mgr_net *nets, uint32_t *count);
/* which: an interface's name or address. */
int64_t client_link(const char *name, const char *which, int up);
/* The host's network cards, and its devices, from `first` on, at most `max`; *count: how many were
 * given. */
int64_t client_ifaces(uint32_t first, struct mgr_iface *list, uint32_t max, uint32_t *count);
int64_t client_nodedev(uint32_t first, struct mgr_nodedev *list, uint32_t max, uint32_t *count);
struct switch_life {
    uint64_t restarts;
    uint64_t cpu_ns; /* of the present process */
};
/* Networks from `first` on, at most `max`. */
int64_t client_networks(uint32_t first, struct mgr_network *list, uint32_t max, uint32_t *count,
                        struct switch_life *life);
/* Ports of a network from number *first on, which is moved: SWITCH_PORTS: no more. list:
 * MGR_NETPORTS of them. */
int64_t client_netports(const char *name, uint32_t *first, struct mgr_netport *list,
                        uint32_t *count);
/* A copy of what a port of a network sends and is sent; one at a time. */
int64_t client_capture_begin(const char *network, const char *port);
/* Records of a pcap file, MGR_PAYLOAD_BYTES at most; *lost: frames for which there was no room. */
int64_t client_capture_read(uint8_t *bytes, uint32_t *used, uint64_t *lost);
int64_t client_capture_end(void);
int64_t client_pools(struct mgr_pool *list, uint32_t max, uint32_t *count);
int64_t client_volumes(const char *pool, uint32_t first, struct mgr_volume *list, uint32_t max,
                       uint32_t *count);
/* Without names in the order, `name` is a domain's, whose volumes are meant. Waits for the end. */
int64_t client_order(const char *name, const struct pool_order *order);
int64_t client_host(enum mgr_host how, int force);
/* At most size bytes of the kernel log from *position on, which is moved. *length 0: no more. */
int64_t client_klog(uint64_t *position, char *bytes, uint32_t size, uint32_t *length);
/* slots: two free slots, filled with the rings (if ring_bytes is not 0) and the VMM's notification
 * (if has_notif). */
int64_t client_console(uint32_t index, struct mgr_console *console, uint32_t slots);
/* what of that CPU; *online: those that are afterwards. */
int64_t client_cpupools(struct mgr_cpupool list[MGR_CPUPOOLS], uint32_t *count);
int64_t client_cpupool(enum mgr_cpupool_order order, const char *name,
                       const struct mgr_cpupool_set *set);
int64_t client_cpu(enum mgr_cpu_order what, uint32_t cpu, struct tune_set *online);
const char *client_reason(void);
/* Defined in verbs.c: some milliseconds in which others may run. */
void client_pause(void);

/* The host's own network. */
int64_t client_hostnet(struct mgr_hostnet *net);
int64_t client_ping(const char *host, uint32_t count, uint64_t *job);
int64_t client_pong(uint64_t job, struct ip_ping *ping);

#endif
