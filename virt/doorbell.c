/* SPDX-License-Identifier: BSD-2-Clause */
#include "virt/doorbell.h"

#include "abi/vcpu.h"
#include "kernel/notif.h"
#include "kernel/slab.h"

static const struct doorbell *follow(const struct doorbell *const *link)
{
    return __atomic_load_n(link, __ATOMIC_ACQUIRE);
}

static const struct doorbell *first(const struct doorbell_table *table, uint32_t kind,
                                    uint64_t address)
{
    return follow((const struct doorbell *const *)&table->bucket[doorbell_hash(kind, address)]);
}

bool doorbell_ring(const struct doorbell_table *table, uint32_t kind, uint64_t address,
                   uint64_t value)
{
    for (const struct doorbell *bell = first(table, kind, address); bell;
         bell = follow((const struct doorbell *const *)&bell->next)) {
        if (bell->address != address || bell->kind != kind || (bell->match && bell->value != value))
            continue;
        notif_signal(bell->notif, bell->bits);
        return true;
    }
    return false;
}

bool doorbell_ring_any(const struct doorbell_table *table, uint32_t kind, uint64_t address)
{
    for (const struct doorbell *bell = first(table, kind, address); bell;
         bell = follow((const struct doorbell *const *)&bell->next)) {
        if (bell->address != address || bell->kind != kind)
            continue;
        if (bell->match)
            return false;
        notif_signal(bell->notif, bell->bits);
        return true;
    }
    return false;
}

uint64_t doorbell_cost(void)
{
    return slab_cost(sizeof(struct doorbell));
}

static bool same_key(const struct doorbell *a, const struct doorbell *b)
{
    return a->address == b->address && a->kind == b->kind && a->match == b->match &&
           (!a->match || a->value == b->value);
}

int64_t doorbell_add(struct doorbell_table *table, const struct doorbell *model)
{
    struct doorbell **head = &table->bucket[doorbell_hash(model->kind, model->address)];
    for (const struct doorbell *bell = *head; bell; bell = bell->next)
        if (same_key(bell, model))
            return ERR_EXISTS;
    if (table->count >= DOORBELL_MAX)
        return ERR_QUOTA;
    struct doorbell *bell = slab_alloc(sizeof(*bell));
    if (!bell)
        return ERR_NOMEM;
    *bell = *model;
    obj_ref(&bell->notif->obj);
    bell->next = *head;
    table->count++;
    __atomic_store_n(head, bell, __ATOMIC_RELEASE);
    return OK;
}

struct doorbell *doorbell_remove(struct doorbell_table *table, const struct doorbell *model)
{
    struct doorbell **link = &table->bucket[doorbell_hash(model->kind, model->address)];
    while (*link && !same_key(*link, model))
        link = &(*link)->next;
    struct doorbell *bell = *link;
    if (!bell)
        return NULL;
    __atomic_store_n(link, bell->next, __ATOMIC_RELEASE);
    table->count--;
    return bell;
}

void doorbell_free(struct doorbell *bell)
{
    obj_unref(&bell->notif->obj);
    slab_free(bell, sizeof(*bell));
}

void doorbell_free_all(struct doorbell_table *table)
{
    for (uint32_t i = 0; i < DOORBELL_BUCKETS; i++) {
        while (table->bucket[i]) {
            struct doorbell *bell = table->bucket[i];
            table->bucket[i] = bell->next;
            doorbell_free(bell);
        }
    }
    table->count = 0;
}
