/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/client.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define ORDER_PATIENCE_NS 30000000000ull

static char reason[MGR_TEXT];

const char *client_reason(void)
{
    return reason;
}

static struct utcb *request(enum mgr_op op, const char *name, uint64_t a, uint64_t b)
{
    struct utcb *utcb = utcb_self();
    memset(utcb->mr, 0, (MGR_PAYLOAD * 8) + MGR_NAME);
    utcb->mr[0] = op;
    utcb->mr[1] = a;
    utcb->mr[2] = b;
    if (name)
        snprintf((char *)&utcb->mr[MGR_PAYLOAD], MGR_NAME, "%s", name);
    return utcb;
}

/* The manager is trusted not to lie, but it may be of another mind about the call. */
static int64_t call_words(struct utcb *utcb, uint32_t words, uint32_t recv_slot)
{
    uint64_t result, badge;
    utcb->recv_slot = recv_slot;
    int64_t status = sys_portal_call(SLOT_PARENT, words, 0, &result, &badge);
    utcb->recv_slot = 0;
    if (status != OK) {
        snprintf(reason, sizeof(reason), "the manager does not answer: status %lld",
                 (long long)status);
        return status;
    }
    if ((int64_t)utcb->mr[0] != OK) {
        size_t length = strnlen((const char *)&utcb->mr[MGR_PAYLOAD], MGR_TEXT - 1);
        memcpy(reason, &utcb->mr[MGR_PAYLOAD], length);
        reason[length] = 0;
    }
    return (int64_t)utcb->mr[0];
}

static int64_t call(struct utcb *utcb, uint32_t recv_slot)
{
    return call_words(utcb, MGR_REQUEST, recv_slot);
}

/* A structure behind the name. */
static int64_t send(enum mgr_op op, const char *name, uint64_t number, const void *data,
                    size_t size)
{
    struct utcb *utcb = request(op, name, number, 0);
    memcpy(&utcb->mr[MGR_REQUEST], data, size);
    return call_words(utcb, MGR_REQUEST + (uint32_t)((size + 7) / 8), 0);
}

static int64_t fetch(enum mgr_op op, const char *name, uint64_t number, void *to, size_t size)
{
    struct utcb *utcb = request(op, name, number, 0);
    int64_t status = call(utcb, 0);
    if (status == OK)
        memcpy(to, &utcb->mr[MGR_PAYLOAD], size);
    return status;
}

/* Rows of `size` bytes from number `first` on, at most `max`; *count: how many were given. What the
 * reply tells of all of them stays in mr[1]. */
static int64_t fetch_rows(enum mgr_op op, const char *name, uint64_t first, void *rows, size_t size,
                          uint64_t max, uint32_t *count)
{
    struct utcb *utcb = request(op, name, first, 0);
    int64_t status = call(utcb, 0);
    *count = 0;
    if (status != OK)
        return status;
    uint64_t n = utcb->mr[2] < max ? utcb->mr[2] : max;
    if (n > MGR_PAYLOAD_BYTES / size)
        n = MGR_PAYLOAD_BYTES / size;
    memcpy(rows, &utcb->mr[MGR_PAYLOAD], n * size);
    *count = (uint32_t)n;
    return OK;
}

int64_t client_list(struct mgr_brief briefs[CLIENT_DOMAINS], uint32_t *count)
{
    uint32_t got;
    *count = 0;
    do {
        int64_t status = fetch_rows(MGR_OP_LIST, NULL, *count, &briefs[*count], sizeof(briefs[0]),
                                    CLIENT_DOMAINS - *count, &got);
        if (status != OK)
            return status;
        *count += got;
    } while (got && *count < utcb_self()->mr[1] && *count < CLIENT_DOMAINS);
    return OK;
}

int64_t client_info(const char *name, struct mgr_info *info)
{
    return fetch(MGR_OP_INFO, name, 0, info, sizeof(*info));
}

int64_t client_act(const char *name, enum vm_input verb)
{
    return call(request(MGR_OP_ACT, name, verb, 0), 0);
}

int64_t client_refresh(const char *name)
{
    return call(request(MGR_OP_REFRESH, name, 0, 0), 0);
}

int64_t client_dirty(const char *name, bool start)
{
    return call(request(MGR_OP_DIRTY, name, start, 0), 0);
}

int64_t client_stats(const char *name, uint32_t vcpu, struct mgr_stats *stats)
{
    return fetch(MGR_OP_STATS, name, vcpu, stats, sizeof(*stats));
}

int64_t client_tune(const char *name, uint32_t flags, struct mgr_tune *tune)
{
    return fetch(MGR_OP_TUNE, name, flags, tune, sizeof(*tune));
}

int64_t client_tune_set(const char *name, uint32_t flags, const struct mgr_tune_set *set)
{
    return send(MGR_OP_TUNE_SET, name, flags, set, sizeof(*set));
}

int64_t client_pin(const char *name, uint32_t flags, const struct mgr_pin_set *set)
{
    return send(MGR_OP_PIN, name, flags, set, sizeof(*set));
}

int64_t client_link(const char *name, const char *which, int up)
{
    struct mgr_net_which request_which = {0};
    snprintf(request_which.which, sizeof(request_which.which), "%s", which);
    return send(MGR_OP_LINK, name, (uint64_t)(up != 0), &request_which, sizeof(request_which));
}

int64_t client_cpu(enum mgr_cpu_order what, uint32_t cpu, struct tune_set *online)
{
    struct utcb *utcb = request(MGR_OP_CPU, NULL, what, cpu);
    int64_t status = call(utcb, 0);
    if (status == OK)
        memcpy(online, &utcb->mr[MGR_PAYLOAD], sizeof(*online));
    return status;
}

int64_t client_cpupools(struct mgr_cpupool list[MGR_CPUPOOLS], uint32_t *count)
{
    struct utcb *utcb = request(MGR_OP_CPUPOOLS, NULL, 0, 0);
    int64_t status = call(utcb, 0);
    *count = 0;
    if (status != OK)
        return status;
    *count = utcb->mr[2] < MGR_CPUPOOLS ? (uint32_t)utcb->mr[2] : (uint32_t)MGR_CPUPOOLS;
    memcpy(list, &utcb->mr[MGR_PAYLOAD], *count * sizeof(list[0]));
    for (uint32_t i = 0; i < *count; i++)
        list[i].name[sizeof(list[i].name) - 1] = 0;
    return OK;
}

int64_t client_cpupool(enum mgr_cpupool_order order, const char *name,
                       const struct mgr_cpupool_set *set)
{
    return send(MGR_OP_CPUPOOL, name, order, set, sizeof(*set));
}

int64_t client_trace(enum mgr_trace what)
{
    return call(request(MGR_OP_TRACE, NULL, what, 0), 0);
}

/* Items of `unit` bytes of something that goes on, from the call's position on; *next: behind them.
 * *count: how many fit. */
static int64_t fetch_from(struct utcb *utcb, void *items, size_t unit, uint32_t size,
                          uint64_t *next, uint32_t *count)
{
    int64_t status = call(utcb, 0);
    *count = 0;
    if (status != OK)
        return status;
    *count = utcb->mr[1] < size ? (uint32_t)utcb->mr[1] : size;
    *next = utcb->mr[2] - (utcb->mr[1] - *count); /* the rest is asked for again */
    memcpy(items, &utcb->mr[MGR_PAYLOAD], *count * unit);
    return OK;
}

int64_t client_trace_read(uint32_t cpu, uint64_t *position, struct trace_entry *entries,
                          uint32_t size, uint32_t *count)
{
    struct utcb *utcb = request(MGR_OP_TRACE, NULL, MGR_TRACE_READ, cpu | *position << 16);
    return fetch_from(utcb, entries, sizeof(entries[0]), size, position, count);
}

int64_t client_node(struct mgr_node *node)
{
    return fetch(MGR_OP_NODE, NULL, 0, node, sizeof(*node));
}

int64_t client_disks(const char *name, struct mgr_disk *disks, uint32_t *count)
{
    return fetch_rows(MGR_OP_DISKS, name, 0, disks, sizeof(*disks), VMM_MAX_DISKS, count);
}

int64_t client_nets(const char *name, struct mgr_net *nets, uint32_t *count)
{
    return fetch_rows(MGR_OP_NETS, name, 0, nets, sizeof(*nets), VMM_MAX_NETS, count);
}

int64_t client_nodedev(uint32_t first, struct mgr_nodedev *list, uint32_t max, uint32_t *count)
{
    return fetch_rows(MGR_OP_NODEDEV, NULL, first, list, sizeof(*list), max, count);
}

int64_t client_pools(struct mgr_pool *list, uint32_t max, uint32_t *count)
{
    return fetch_rows(MGR_OP_POOLS, NULL, 0, list, sizeof(*list), max, count);
}

int64_t client_volumes(const char *pool, uint32_t first, struct mgr_volume *list, uint32_t max,
                       uint32_t *count)
{
    return fetch_rows(MGR_OP_VOLUMES, pool, first, list, sizeof(*list), max, count);
}

/* The manager does not wait for the pool, so it is asked again and again. */
int64_t client_order(const char *name, const struct pool_order *order)
{
    char pool[MGR_NAME];
    int64_t status = send(MGR_OP_ORDER, name, 0, order, sizeof(*order));
    uint64_t job = utcb_self()->mr[1], end = time_ns() + ORDER_PATIENCE_NS;
    if (status != OK)
        return status;
    memcpy(pool, &utcb_self()->mr[MGR_PAYLOAD], sizeof(pool));
    pool[sizeof(pool) - 1] = 0;
    while (time_ns() < end) {
        struct utcb *utcb = request(MGR_OP_ORDERED, pool, job, 0);
        status = call(utcb, 0);
        if (status != OK)
            return status;
        if (utcb->mr[1]) {
            memcpy(reason, &utcb->mr[MGR_PAYLOAD], POOL_TEXT);
            reason[POOL_TEXT - 1] = 0;
            return reason[0] ? ERR_STATE : OK;
        }
        client_pause();
    }
    snprintf(reason, sizeof(reason), "the pool has not answered yet");
    return ERR_STATE;
}

int64_t client_networks(uint32_t first, struct mgr_network *list, uint32_t max, uint32_t *count,
                        struct switch_life *life)
{
    int64_t status = fetch_rows(MGR_OP_NETWORKS, NULL, first, list, sizeof(*list), max, count);
    if (status == OK)
        *life = (struct switch_life){utcb_self()->mr[3], utcb_self()->mr[4]};
    return status;
}

int64_t client_netports(const char *name, uint32_t *first, struct mgr_netport *list,
                        uint32_t *count)
{
    int64_t status =
        fetch_rows(MGR_OP_NETPORTS, name, *first, list, sizeof(*list), MGR_NETPORTS, count);
    uint64_t next = utcb_self()->mr[1];
    if (status == OK)
        *first = next > *first && next < SWITCH_PORTS ? (uint32_t)next : SWITCH_PORTS;
    return status;
}

int64_t client_capture_begin(const char *network, const char *port)
{
    struct mgr_capture_port which = {{0}};
    snprintf(which.name, sizeof(which.name), "%s", port);
    return send(MGR_OP_CAPTURE, network, MGR_CAPTURE_BEGIN, &which, sizeof(which));
}

int64_t client_capture_read(uint8_t *bytes, uint32_t *used, uint64_t *lost)
{
    struct utcb *utcb = request(MGR_OP_CAPTURE, NULL, MGR_CAPTURE_READ, 0);
    int64_t status = call(utcb, 0);
    *used = 0;
    if (status != OK)
        return status;
    *used = utcb->mr[1] < MGR_PAYLOAD_BYTES ? (uint32_t)utcb->mr[1] : MGR_PAYLOAD_BYTES;
    *lost = utcb->mr[2];
    memcpy(bytes, &utcb->mr[MGR_PAYLOAD], *used);
    return OK;
}

int64_t client_capture_end(void)
{
    return call(request(MGR_OP_CAPTURE, NULL, MGR_CAPTURE_END, 0), 0);
}

int64_t client_ifaces(uint32_t first, struct mgr_iface *list, uint32_t max, uint32_t *count)
{
    return fetch_rows(MGR_OP_IFACES, NULL, first, list, sizeof(*list), max, count);
}

int64_t client_host(enum mgr_host how, int force)
{
    return call(request(MGR_OP_HOST, NULL, how, force != 0), 0);
}

int64_t client_klog(uint64_t *position, char *bytes, uint32_t size, uint32_t *length)
{
    return fetch_from(request(MGR_OP_KLOG, NULL, *position, 0), bytes, 1, size, position, length);
}

int64_t client_console(uint32_t index, struct mgr_console *console, uint32_t slots)
{
    struct utcb *utcb = request(MGR_OP_CONSOLE, NULL, index, 0);
    int64_t status = call(utcb, slots);
    if (status == OK)
        memcpy(console, &utcb->mr[MGR_PAYLOAD], sizeof(*console));
    return status;
}

int64_t client_hostnet(struct mgr_hostnet *net)
{
    return fetch(MGR_OP_HOSTNET, NULL, 0, net, sizeof(*net));
}

int64_t client_ping(const char *host, uint32_t count, uint64_t *job)
{
    struct utcb *utcb = request(MGR_OP_PING, host, count, 0);
    int64_t status = call(utcb, 0);
    *job = utcb->mr[1];
    return status;
}

int64_t client_pong(uint64_t job, struct ip_ping *ping)
{
    return fetch(MGR_OP_PONG, NULL, job, ping, sizeof(*ping));
}
