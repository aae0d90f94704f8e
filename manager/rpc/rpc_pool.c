/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/rpc/rpc_pool.h"

#include <stdio.h>
#include <string.h>
#include "abi/status.h"
#include "manager/storage/pool.h"
#include "manager/protocol.h"
#include "manager/guest/vm.h"
#include "user/program.h"

static uint64_t refuse(struct utcb *utcb, const char *why)
{
    utcb->mr[0] = (uint64_t)ERR_ARG;
    snprintf((char *)&utcb->mr[MGR_PAYLOAD], MGR_TEXT, "%s", why);
    return MGR_PAYLOAD + MGR_TEXT / 8;
}

static uint64_t serve_pools(struct utcb *utcb)
{
    struct mgr_pool *list = (struct mgr_pool *)&utcb->mr[MGR_PAYLOAD];
    uint64_t first = utcb->mr[1], used_ns[POOLS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < pool_count(); i++) /* through the UTCB, so before the reply is in it */
        used_ns[i] = program_time_ns(&pool_at(i)->life.program);
    for (; n < MGR_POOLS && first < pool_count() && first + n < pool_count(); n++) {
        const struct pool_server *p = pool_at((uint32_t)first + n);
        struct pool_head head = {0};
        uint32_t none;
        list[n] = (struct mgr_pool){
            .restarts = p->life.restarts, .state = POOL_STARTING, .used_ns = used_ns[first + n]};
        snprintf(list[n].name, sizeof(list[n].name), "%.63s", p->name);
        if (!pool_read(p, &head, 0, NULL, 0, &none) || !p->ready)
            continue;
        list[n].state = head.state;
        list[n].volumes = head.volumes;
        list[n].blocks = head.blocks;
        list[n].free_blocks = head.free_blocks;
        snprintf(list[n].reason, sizeof(list[n].reason), "%s", head.reason);
    }
    utcb->mr[0] = OK;
    utcb->mr[1] = pool_count();
    utcb->mr[2] = n;
    return UTCB_WORDS;
}

static uint64_t serve_volumes(struct utcb *utcb, const struct pool_server *p)
{
    struct mgr_volume *list = (struct mgr_volume *)&utcb->mr[MGR_PAYLOAD];
    uint64_t first = utcb->mr[1];
    struct pool_head head = {0};
    uint32_t n = 0, one = 1;
    for (; n < MGR_VOLUMES && first + n < POOL_LIST_VOLUMES; n++) {
        struct pool_status_volume v;
        if (!p->ready || !pool_read(p, &head, (uint32_t)first + n, &v, 1, &one))
            return refuse(utcb, "the pool is not active");
        if (!one)
            break;
        list[n] = (struct mgr_volume){.id = v.id,
                                      .snapshot_of = v.snapshot_of,
                                      .used = v.used,
                                      .sectors = v.sectors,
                                      .blocks = v.blocks,
                                      .created = v.created};
        memcpy(list[n].name, v.name, sizeof(list[n].name));
    }
    utcb->mr[0] = OK;
    utcb->mr[1] = head.volumes;
    utcb->mr[2] = n;
    return UTCB_WORDS;
}

/* The volumes on which a domain writes: all of them in one pool, so that a snapshot is of one
 * instant. */
static const char *take_domain(const char *name, struct pool_order *order,
                               struct pool_server **pool)
{
    const struct vm *vm = vm_by_name(name);
    if (!vm)
        return "failed to get domain";
    for (uint32_t i = 0; i < vm->def.disk_count; i++) {
        const struct domain_disk *disk = &vm->def.disk[i];
        if (disk->source_type != DISK_SOURCE_VOLUME || disk->read_only || disk->cdrom)
            continue;
        struct pool_server *p = pool_by_name(disk->pool);
        if (!p)
            return "the domain's pool is not there";
        if (*pool && *pool != p)
            return "the domain's volumes are in more than one pool: nothing can copy them at one "
                   "instant";
        *pool = p;
        snprintf(order->name[order->names++], sizeof(order->name[0]), "%s", disk->source.path);
    }
    return order->names ? NULL : "the domain has no disk on a volume";
}

static uint64_t now_seconds(void)
{
    if (!vm_host.rtc_base)
        return 0;
    return vm_host.rtc_base + time_tsc_to_ns(time_tsc() - vm_host.rtc_tsc) / 1000000000u;
}

static uint64_t serve_order(struct utcb *utcb, uint32_t words, const char *name)
{
    struct pool_order order;
    struct pool_server *p = NULL;
    uint64_t job;
    if (words < MGR_REQUEST + (sizeof(order) + 7) / 8)
        return refuse(utcb, "the request is incomplete");
    memcpy(&order, &utcb->mr[MGR_REQUEST], sizeof(order));
    order.now = now_seconds();
    bool of_domain = !order.names && (order.verb == POOL_SNAPSHOT || order.verb == POOL_REVERT);
    const char *why = NULL;
    if (of_domain)
        why = take_domain(name, &order, &p);
    else if (!order.names && order.verb != POOL_GROW)
        why = "no volume is named";
    else
        p = pool_by_name(name);
    if (!why && !p)
        why = "failed to get pool";
    if (!why)
        why = pool_give_order(p, &order, &job);
    if (why)
        return refuse(utcb, why);
    utcb->mr[0] = OK;
    utcb->mr[1] = job;
    snprintf((char *)&utcb->mr[MGR_PAYLOAD], MGR_NAME, "%.63s", p->name);
    return MGR_REQUEST;
}

static uint64_t serve_ordered(struct utcb *utcb, const struct pool_server *p)
{
    bool mine = p->order_state != ORDER_NONE && p->order.job == utcb->mr[1];
    bool done = !mine || p->order_state == ORDER_DONE;
    utcb->mr[0] = OK;
    utcb->mr[1] = done;
    snprintf((char *)&utcb->mr[MGR_PAYLOAD], POOL_TEXT, "%s",
             done ? mine ? p->order_text : "another order came between" : "");
    return MGR_PAYLOAD + POOL_TEXT / 8;
}

uint64_t rpc_pool_serve(struct utcb *utcb, uint32_t words)
{
    char name[MGR_NAME] = "";
    size_t have = words > MGR_PAYLOAD ? (size_t)(words - MGR_PAYLOAD) * 8 : 0;
    memcpy(name, &utcb->mr[MGR_PAYLOAD], have < sizeof(name) ? have : sizeof(name));
    name[sizeof(name) - 1] = 0;
    if (utcb->mr[0] == MGR_OP_POOLS)
        return serve_pools(utcb);
    if (utcb->mr[0] == MGR_OP_ORDER)
        return serve_order(utcb, words, name);
    const struct pool_server *p = pool_by_name(name);
    if (!p)
        return refuse(utcb, "failed to get pool");
    return utcb->mr[0] == MGR_OP_VOLUMES ? serve_volumes(utcb, p) : serve_ordered(utcb, p);
}
