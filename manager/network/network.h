/* SPDX-License-Identifier: BSD-2-Clause */
/* The networks of the VM set, as libvirt's <network> defines them. docs/network-xml.md lists every
 * element. */
#ifndef MANAGER_NETWORK_NETWORK_H
#define MANAGER_NETWORK_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "manager/definition/domain_xml.h"
#include "net/switch/protocol.h"

#define NETWORK_UPLINKS    8u
#define NETWORK_PORTGROUPS 16u
#define NETWORK_DEVICE     16u /* bytes of a NIC's name: "eth0" */
#define NETWORK_FILE       128u

#define NETWORK_AGEING_S 300u  /* IEEE 802.1Q's default */
#define NETWORK_MTU      1500u /* and Ethernet's */
/* Namespace of Mullion's own elements in <metadata>. */
#define NETWORK_XML_NAMESPACE "urn:mullion:network:1"

struct network_vlan {
    uint32_t mode, vlan; /* enum switch_vlan_mode; access: the VLAN, trunk: the native one, or 0 */
    uint64_t trunk[4096 / 64];
};

struct network_portgroup {
    char name[SWITCH_NAME];
    bool is_default;
    struct network_vlan vlan; /* mode NONE: the network's */
    struct switch_rate inbound, outbound;
};

struct network {
    char name[SWITCH_NAME];
    uint8_t uuid[16];
    bool has_uuid;
    char file[NETWORK_FILE];
    uint32_t name_line, uuid_line, uplink_line;
    uint32_t mtu;         /* bytes of payload */
    bool isolated;        /* <port isolated='yes'/>: its guests do not see each other */
    uint32_t storm_limit; /* as struct switch_network has them */
    uint32_t ageing_s;
    struct network_vlan vlan;
    uint32_t uplinks;
    char uplink[NETWORK_UPLINKS][NETWORK_DEVICE];
    uint32_t portgroups;
    struct network_portgroup portgroup[NETWORK_PORTGROUPS];
};

/* Reads one definition; on failure `error` holds "FILE:LINE: <path/of/element>: reason". */
bool network_xml_read(const char *file, const char *text, size_t size, struct network *network,
                      char error[DOMAIN_XML_ERROR]);
/* The document's root element is <network>. */
bool network_xml_is(const char *text, size_t size);

/* What <interface> and <network> share. Each returns NULL, or why the values are refused. */
/* A <tag>; trunk: inside <vlan trunk='yes'>. */
const char *network_vlan_tag(struct network_vlan *vlan, bool trunk, const char *id,
                             const char *native_mode);
/* <inbound> and <outbound>: KB/s, KB/s, KiB; peak and burst may be NULL. */
const char *network_rate(struct switch_rate *rate, const char *average, const char *peak,
                         const char *burst);

/* Networks of the set, in the order of files: their number is that of the switch. NULL, or why it
 * was not taken. */
const char *network_add(const struct network *network);
uint32_t network_count(void);
const struct network *network_at(uint32_t index);
const struct network *network_find(const char *name);
uint32_t network_index(const struct network *network);
/* By name, or the default one if name is NULL; NULL: there is none. */
const struct network_portgroup *network_portgroup(const struct network *network, const char *name);

#endif
