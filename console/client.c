/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/client.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

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

int64_t client_list(struct mgr_brief briefs[CLIENT_DOMAINS], uint32_t *count)
{
    *count = 0;
    for (;;) {
        struct utcb *utcb = request(MGR_OP_LIST, NULL, *count, 0);
        int64_t status = call(utcb, 0);
        if (status != OK)
            return status;
        uint32_t got = (uint32_t)utcb->mr[2];
        uint64_t total = utcb->mr[1];
        if (got > MGR_BRIEFS || got > CLIENT_DOMAINS - *count)
            got = CLIENT_DOMAINS - *count;
        memcpy(&briefs[*count], &utcb->mr[MGR_PAYLOAD], got * sizeof(briefs[0]));
        for (uint32_t i = 0; i < got; i++)
            briefs[*count + i].name[MGR_NAME - 1] = 0;
        *count += got;
        if (!got || *count >= total || *count == CLIENT_DOMAINS)
            return OK;
    }
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

int64_t client_trace(enum mgr_trace what)
{
    return call(request(MGR_OP_TRACE, NULL, what, 0), 0);
}

int64_t client_trace_read(uint32_t cpu, uint64_t *position, struct trace_entry *entries,
                          uint32_t size, uint32_t *count)
{
    struct utcb *utcb = request(MGR_OP_TRACE, NULL, MGR_TRACE_READ, cpu | *position << 16);
    int64_t status = call(utcb, 0);
    *count = 0;
    if (status != OK)
        return status;
    uint64_t n = utcb->mr[1], next = utcb->mr[2];
    if (n > size) { /* the rest is asked for again */
        next -= n - size;
        n = size;
    }
    memcpy(entries, &utcb->mr[MGR_PAYLOAD], n * sizeof(entries[0]));
    *position = next;
    *count = (uint32_t)n;
    return OK;
}

int64_t client_node(struct mgr_node *node)
{
    return fetch(MGR_OP_NODE, NULL, 0, node, sizeof(*node));
}

int64_t client_disks(const char *name, struct mgr_disk *disks, uint32_t *count)
{
    struct utcb *utcb = request(MGR_OP_DISKS, name, 0, 0);
    int64_t status = call(utcb, 0);
    *count = 0;
    if (status != OK)
        return status;
    *count = utcb->mr[1] < VMM_MAX_DISKS ? (uint32_t)utcb->mr[1] : VMM_MAX_DISKS;
    memcpy(disks, &utcb->mr[MGR_PAYLOAD], *count * sizeof(disks[0]));
    for (uint32_t i = 0; i < *count; i++)
        disks[i].target[sizeof(disks[i].target) - 1] =
            disks[i].source[sizeof(disks[i].source) - 1] = 0;
    return OK;
}

int64_t client_nodedev(uint32_t first, struct mgr_nodedev *list, uint32_t max, uint32_t *count)
{
    struct utcb *utcb = request(MGR_OP_NODEDEV, NULL, first, 0);
    int64_t status = call(utcb, 0);
    *count = 0;
    if (status != OK)
        return status;
    uint64_t n = utcb->mr[2] < max ? utcb->mr[2] : max;
    if (n > MGR_NODEDEVS)
        n = MGR_NODEDEVS;
    memcpy(list, &utcb->mr[MGR_PAYLOAD], n * sizeof(list[0]));
    for (uint64_t i = 0; i < n; i++)
        list[i].name[sizeof(list[i].name) - 1] = 0;
    *count = (uint32_t)n;
    return OK;
}

int64_t client_host(enum mgr_host how, int force)
{
    return call(request(MGR_OP_HOST, NULL, how, force != 0), 0);
}

int64_t client_klog(uint64_t *position, char *bytes, uint32_t size, uint32_t *length)
{
    struct utcb *utcb = request(MGR_OP_KLOG, NULL, *position, 0);
    int64_t status = call(utcb, 0);
    *length = 0;
    if (status != OK)
        return status;
    uint64_t n = utcb->mr[1], next = utcb->mr[2];
    if (n > size) { /* the rest is asked for again */
        next -= n - size;
        n = size;
    }
    memcpy(bytes, &utcb->mr[MGR_PAYLOAD], n);
    *position = next;
    *length = (uint32_t)n;
    return OK;
}

int64_t client_console(uint32_t index, struct mgr_console *console, uint32_t slots)
{
    struct utcb *utcb = request(MGR_OP_CONSOLE, NULL, index, 0);
    int64_t status = call(utcb, slots);
    if (status == OK)
        memcpy(console, &utcb->mr[MGR_PAYLOAD], sizeof(*console));
    return status;
}
