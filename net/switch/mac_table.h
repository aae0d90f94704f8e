/* SPDX-License-Identifier: BSD-2-Clause */
/* Which port an address is behind. Sets of four entries, found by a keyed hash: a look-up reads one
 * cache line, however many ports and addresses there are. */
#ifndef NET_SWITCH_MAC_TABLE_H
#define NET_SWITCH_MAC_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "net/switch/protocol.h"

#define MAC_SETS 4096u /* a power of two */
#define MAC_WAYS 4u
/* Addresses learned at a port: one that makes them up fills no more than this. */
#define MAC_GUEST_MAX  128u
#define MAC_UPLINK_MAX (MAC_SETS * MAC_WAYS / 2)
/* In place of a VLAN: the address is the port's own by its configuration, in every VLAN. */
#define MAC_ANY_VLAN 0xfffu

struct mac_entry {
    uint64_t key;  /* address, least significant byte first on the wire; network above; 0: empty */
    uint16_t vlan; /* 0: untagged; MAC_ANY_VLAN */
    uint16_t port;
    uint32_t seen_s; /* when it last sent */
};

struct mac_table {
    uint64_t seed; /* of the hash, so that nobody outside can aim at one set */
    uint32_t now_s;
    uint32_t ageing_s[SWITCH_NETWORKS];
    uint32_t learned[SWITCH_PORTS]; /* without the ports' own */
    uint32_t total;                 /* of these */
    _Alignas(64) struct mac_entry set[MAC_SETS][MAC_WAYS];
};

enum mac_learned {
    MAC_KNOWN, /* there, at this port */
    MAC_NEW,
    MAC_MOVED, /* was at another port */
    MAC_FULL,  /* the port has its share, or the set is full of others' own addresses */
    MAC_TAKEN  /* it is another port's own */
};

static inline uint64_t mac_key(uint64_t mac, uint32_t network)
{
    return mac | (uint64_t)(network + 1) << 48;
}

void mac_table_init(struct mac_table *table, uint64_t seed);
/* Entry for an address, or NULL; forgotten ones are not found. */
const struct mac_entry *mac_find(const struct mac_table *table, uint64_t key, uint16_t vlan);
/* The address has sent through the port. max: of the port; other: where it was if it moved, or is
 * taken. */
enum mac_learned mac_learn(struct mac_table *table, uint64_t key, uint16_t vlan, uint16_t port,
                           uint32_t max, uint16_t *other);
/* Makes an address a port's own. False: another has it, or there is no room. */
bool mac_own(struct mac_table *table, uint64_t key, uint16_t port);
/* It is the port's own no more. */
void mac_disown(struct mac_table *table, uint64_t key, uint16_t port);
/* Forgets what was learned at a port. */
void mac_forget_port(struct mac_table *table, uint16_t port);

#endif
