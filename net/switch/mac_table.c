/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/mac_table.h"

#include <string.h>

void mac_table_init(struct mac_table *table, uint64_t seed)
{
    memset(table, 0, sizeof(*table));
    table->seed = seed | 1;
}

/* Two multiplications: every bit of address and seed moves the upper bits, which choose. */
static uint32_t set_of(const struct mac_table *table, uint64_t key, uint16_t vlan)
{
    uint64_t h = (key ^ (uint64_t)vlan << 36 ^ table->seed) * 0x9e3779b97f4a7c15ull;
    h = (h ^ h >> 29) * (table->seed | 1);
    return (uint32_t)(h >> 52) % MAC_SETS;
}

static bool is_forgotten(const struct mac_table *table, const struct mac_entry *e)
{
    uint32_t network = (uint32_t)(e->key >> 48) - 1;
    return e->vlan != MAC_ANY_VLAN &&
           table->now_s - e->seen_s >= table->ageing_s[network % SWITCH_NETWORKS];
}

const struct mac_entry *mac_find(const struct mac_table *table, uint64_t key, uint16_t vlan)
{
    const struct mac_entry *set = table->set[set_of(table, key, vlan)];
    for (uint32_t i = 0; i < MAC_WAYS; i++) {
        if (set[i].key == key && set[i].vlan == vlan)
            return is_forgotten(table, &set[i]) ? NULL : &set[i];
    }
    return NULL;
}

static void clear(struct mac_table *table, struct mac_entry *e)
{
    if (e->key && e->vlan != MAC_ANY_VLAN) {
        table->learned[e->port]--;
        table->total--;
    }
    *e = (struct mac_entry){0};
}

/* A place in the set: empty, forgotten, or the one that has been silent longest; never a port's
 * own address. */
static struct mac_entry *place(struct mac_table *table, uint64_t key, uint16_t vlan)
{
    struct mac_entry *set = table->set[set_of(table, key, vlan)], *oldest = NULL;
    for (uint32_t i = 0; i < MAC_WAYS; i++) {
        if (!set[i].key || is_forgotten(table, &set[i]))
            return &set[i];
        if (set[i].vlan == MAC_ANY_VLAN)
            continue;
        if (!oldest || table->now_s - set[i].seen_s > table->now_s - oldest->seen_s)
            oldest = &set[i];
    }
    return oldest;
}

static enum mac_learned move(struct mac_table *table, struct mac_entry *e, uint16_t port,
                             uint32_t max, uint16_t *other)
{
    if (table->learned[port] >= max)
        return MAC_FULL;
    *other = e->port;
    table->learned[e->port]--;
    table->learned[port]++;
    e->port = port;
    e->seen_s = table->now_s;
    return MAC_MOVED;
}

enum mac_learned mac_learn(struct mac_table *table, uint64_t key, uint16_t vlan, uint16_t port,
                           uint32_t max, uint16_t *other)
{
    struct mac_entry *e = (struct mac_entry *)mac_find(table, key, vlan);
    if (e && e->port == port) {
        e->seen_s = table->now_s;
        return MAC_KNOWN;
    }
    const struct mac_entry *own = mac_find(table, key, MAC_ANY_VLAN);
    if (own) {
        *other = own->port;
        return own->port == port ? MAC_KNOWN : MAC_TAKEN;
    }
    if (e)
        return move(table, e, port, max, other);
    e = table->learned[port] < max ? place(table, key, vlan) : NULL;
    if (!e)
        return MAC_FULL;
    clear(table, e);
    *e = (struct mac_entry){key, vlan, port, table->now_s};
    table->learned[port]++;
    table->total++;
    return MAC_NEW;
}

/* Whoever used the address before it was given to a port has lost it. */
static void forget_learned(struct mac_table *table, uint64_t key)
{
    for (uint32_t i = 0; i < MAC_SETS && table->total; i++) {
        for (uint32_t w = 0; w < MAC_WAYS; w++) {
            if (table->set[i][w].key == key)
                clear(table, &table->set[i][w]);
        }
    }
}

bool mac_own(struct mac_table *table, uint64_t key, uint16_t port)
{
    const struct mac_entry *own = mac_find(table, key, MAC_ANY_VLAN);
    if (own)
        return own->port == port;
    forget_learned(table, key);
    struct mac_entry *e = place(table, key, MAC_ANY_VLAN);
    if (!e)
        return false;
    clear(table, e);
    *e = (struct mac_entry){key, MAC_ANY_VLAN, port, table->now_s};
    return true;
}

void mac_disown(struct mac_table *table, uint64_t key, uint16_t port)
{
    struct mac_entry *own = (struct mac_entry *)mac_find(table, key, MAC_ANY_VLAN);
    if (own && own->port == port)
        clear(table, own);
}

void mac_forget_port(struct mac_table *table, uint16_t port)
{
    for (uint32_t i = 0; i < MAC_SETS && table->learned[port]; i++) {
        for (uint32_t w = 0; w < MAC_WAYS; w++) {
            struct mac_entry *e = &table->set[i][w];
            if (e->key && e->port == port && e->vlan != MAC_ANY_VLAN)
                clear(table, e);
        }
    }
}
