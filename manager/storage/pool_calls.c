/* SPDX-License-Identifier: BSD-2-Clause */
/* What pool processes ask and report (drivers/pool/protocol.h), and what is ordered of them. */
#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "manager/answer.h"
#include "manager/storage/pool.h"
#include "user/program.h"

#define READ_ATTEMPTS 1000u

/* --- the status memory --- */

bool pool_read(const struct pool_server *p, struct pool_head *head, uint32_t first,
               struct pool_status_volume *volumes, uint32_t max, uint32_t *count)
{
    const struct pool_status *s = p->status;
    for (uint32_t i = 0; i < READ_ATTEMPTS && s; i++) {
        uint64_t before = __atomic_load_n(&s->sequence, __ATOMIC_ACQUIRE);
        *head = s->head;
        uint32_t total = head->volumes < POOL_LIST_VOLUMES ? head->volumes : POOL_LIST_VOLUMES;
        uint32_t n = first < total ? total - first : 0;
        n = n < max ? n : max;
        if (n)
            memcpy(volumes, &s->volume[first], n * sizeof(volumes[0]));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((before & 1) || before != __atomic_load_n(&s->sequence, __ATOMIC_RELAXED))
            continue;
        clean_text(head->reason, sizeof(head->reason));
        for (uint32_t k = 0; k < n; k++)
            clean_text(volumes[k].name, sizeof(volumes[k].name));
        head->volumes = total;
        *count = n;
        return true;
    }
    return false;
}

/* In the memory itself: names are compared, nothing is believed that matters. */
static bool find(const struct pool_server *p, const char *name, size_t length, uint32_t snapshot_of,
                 struct pool_status_volume *volume)
{
    struct pool_head head;
    uint32_t n = 1;
    for (uint32_t i = 0; n; i++) {
        if (!pool_read(p, &head, i, volume, 1, &n))
            return false;
        if (n && volume->snapshot_of == snapshot_of && strlen(volume->name) == length &&
            !memcmp(volume->name, name, length))
            return true;
    }
    return false;
}

bool pool_find_volume(const struct pool_server *p, const char *name,
                      struct pool_status_volume *volume)
{
    const char *at = strchr(name, '@');
    bool good = find(p, name, at ? (size_t)(at - name) : strlen(name), 0, volume);
    if (good && at)
        good = find(p, at + 1, strlen(at + 1), volume->id, volume);
    return good && volume->sectors && volume->sectors <= 1ull << 34;
}

/* --- calls --- */

static uint64_t give_attach(struct pool_server *p, struct utcb *utcb, uint32_t index)
{
    struct pool_client *c = &p->client[index];
    c->channel.state = CHANNEL_ATTACHING;
    utcb->mr[1] = POOL_JOB_ATTACH;
    utcb->mr[2] = index;
    memcpy(&utcb->mr[POOL_PAYLOAD], &c->attach, sizeof(c->attach));
    utcb->send[0] = (struct utcb_cap){c->channel.memory.slot, RIGHT_READ | RIGHT_WRITE};
    utcb->send[1] = (struct utcb_cap){c->channel.notif, RIGHT_WRITE};
    utcb->send[2] = (struct utcb_cap){c->lower->memory.slot, RIGHT_READ | RIGHT_WRITE};
    utcb->send[3] = (struct utcb_cap){c->lower_peer, RIGHT_WRITE};
    return (POOL_PAYLOAD + (sizeof(c->attach) + 7) / 8) | 4ull << 32;
}

static uint64_t serve_next(struct pool_server *p, struct utcb *utcb)
{
    bool is_open = utcb->mr[1] == 1;
    p->life.answer_by = 0;
    utcb->mr[0] = OK;
    for (uint32_t i = 0; i < POOL_CLIENTS; i++) {
        struct pool_client *c = &p->client[i];
        if (!c->owner)
            continue;
        if (c->channel.state == CHANNEL_ATTACH && c->lower)
            return give_attach(p, utcb, i);
        if (c->channel.state != CHANNEL_DETACH)
            continue;
        c->channel.state = CHANNEL_DETACHING;
        utcb->mr[1] = POOL_JOB_DETACH;
        utcb->mr[2] = i;
        return 3;
    }
    utcb->mr[1] = POOL_JOB_NONE;
    if (!is_open || p->order_state != ORDER_WAITS)
        return 2;
    p->order_state = ORDER_GIVEN;
    utcb->mr[1] = POOL_JOB_ORDER;
    memcpy(&utcb->mr[POOL_PAYLOAD], &p->order, sizeof(p->order));
    return POOL_PAYLOAD + (sizeof(p->order) + 7) / 8;
}

static uint64_t serve_done(struct pool_server *p, struct utcb *utcb, const char *text)
{
    uint64_t job = utcb->mr[1], index = utcb->mr[2], refused = utcb->mr[3];
    if (job == POOL_JOB_ORDER && p->order_state == ORDER_GIVEN && index == p->order.job) {
        p->order_state = ORDER_DONE;
        snprintf(p->order_text, sizeof(p->order_text), "%s", refused ? text : "");
        return answer(utcb, OK);
    }
    if (index >= POOL_CLIENTS || (job != POOL_JOB_ATTACH && job != POOL_JOB_DETACH))
        return answer(utcb, ERR_ARG);
    struct pool_client *c = &p->client[index];
    /* The numbers of the jobs are those of drivers, as far as the channel is concerned. */
    if (!channel_done(&c->channel, job == POOL_JOB_ATTACH ? AHCI_JOB_ATTACH : AHCI_JOB_DETACH,
                      refused ? AHCI_REFUSED_CHANNEL : AHCI_REFUSED_NOT))
        return answer(utcb, ERR_ARG);
    if (refused)
        log_line("pool %s: %s: %s", p->name, c->attach.name, text);
    if (c->channel.state == CHANNEL_FREE)
        pool_close_lower(p, c);
    return answer(utcb, OK);
}

static uint64_t serve_state(struct pool_server *p, struct utcb *utcb)
{
    struct pool_head head;
    uint32_t n;
    if (utcb->mr[1] != POOL_STARTING && !p->ready && pool_read(p, &head, 0, NULL, 0, &n)) {
        p->ready = true;
        if (head.last_job > p->last_job)
            p->last_job = head.last_job;
        if (head.state == POOL_OPEN)
            log_line("pool %s: %llu MiB, %llu MiB free, %u volumes, %u restarts", p->name,
                     (unsigned long long)(head.blocks / 16),
                     (unsigned long long)(head.free_blocks / 16), (unsigned)head.volumes,
                     (unsigned)p->life.restarts);
        else
            log_line("pool %s is not used: %s", p->name, head.reason);
        pool_growth_opened(p, &head);
    }
    return answer(utcb, OK);
}

uint64_t pool_serve(struct pool_server *p, struct utcb *utcb, uint32_t words)
{
    char text[POOL_TEXT] = "";
    size_t have = words > POOL_PAYLOAD ? (size_t)(words - POOL_PAYLOAD) * 8 : 0;
    memcpy(text, &utcb->mr[POOL_PAYLOAD], have < sizeof(text) ? have : sizeof(text));
    clean_text(text, sizeof(text));
    switch (utcb->mr[0]) {
    case POOL_EVENT_NEXT:
        return serve_next(p, utcb);
    case POOL_EVENT_DONE:
        return serve_done(p, utcb, text);
    case POOL_EVENT_STATE:
        return serve_state(p, utcb);
    case POOL_EVENT_STOPPED:
        p->stopped = p->stopping;
        return answer(utcb, OK);
    default:
        return answer(utcb, ERR_ARG);
    }
}

const char *pool_give_order(struct pool_server *p, const struct pool_order *order, uint64_t *job)
{
    if (!p->ready || p->status->head.state != POOL_OPEN)
        return "the pool is not active";
    if (p->order_state != ORDER_NONE && p->order_state != ORDER_DONE)
        return "the pool is carrying out another order";
    const char *why = order->verb == POOL_GROW ? pool_grow(p, order->sectors) : NULL;
    if (why)
        return why;
    p->order = *order;
    p->order.job = *job = ++p->last_job;
    p->order_state = order->verb == POOL_GROW ? ORDER_GROWS : ORDER_WAITS;
    p->order_text[0] = 0;
    pool_job(p);
    return NULL;
}
