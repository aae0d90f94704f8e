/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the virtual switch and the manager. The switch calls (portal_call on SLOT_PARENT), the
 * manager answers and else signals: it never waits for the switch. Counters stand in the status
 * memory, which the switch writes and the manager reads without asking.
 *
 * Request: mr[0] = enum switch_event, mr[1..] as below. Reply: mr[0] = status, and as below. */
#ifndef NET_SWITCH_PROTOCOL_H
#define NET_SWITCH_PROTOCOL_H

#include <stdint.h>
#include "net/switch/config.h"
#include "user/frame.h"

#define SWITCH_PORTS        256u
#define SWITCH_NETWORKS     64u
#define SWITCH_MEMORIES_MAX 4u
#define SWITCH_PAYLOAD      8u /* structures begin at mr[SWITCH_PAYLOAD] */
#define SWITCH_NAME         64u

enum switch_event {
    /* After SWITCH_BIT_JOB: what is to be done. Reply: mr[1] = enum switch_job, mr[2] = port or
     * network, mr[3] = capabilities that follow, from mr[SWITCH_PAYLOAD] on the job's structure.
     * Asked until it says NONE, and once unasked at the start: so a switch that was restarted gets
     * its networks and ports again. */
    SWITCH_EVENT_NEXT = 768,
    /* mr[1] = enum switch_job, mr[2] = port or network, mr[3] = enum switch_refusal. After a DETACH
     * nothing of the port is touched any more: its memory may be used otherwise. */
    SWITCH_EVENT_DONE,
    /* While a port is being attached: mr[1] = port, mr[2] = first. Reply: mr[1] = capabilities that
     * follow, of the area's memory objects from that one on. */
    SWITCH_EVENT_MEMORY
};

enum switch_job {
    SWITCH_JOB_NONE,
    SWITCH_JOB_NETWORK, /* struct switch_network: makes it or changes it */
    SWITCH_JOB_ATTACH,  /* struct switch_attach, capabilities: the channel's memory (read and write)
                           and the owner's notification; the area's memory is asked for then */
    SWITCH_JOB_CHANGE,  /* struct switch_port: of an attached port, while it runs */
    SWITCH_JOB_DETACH
};

enum switch_refusal {
    SWITCH_REFUSED_NOT,
    SWITCH_REFUSED_PORT,   /* no such port or network, or attached already (not attached: DETACH) */
    SWITCH_REFUSED_MEMORY, /* the channel or the area cannot be mapped */
    SWITCH_REFUSED_CONFIG  /* contradictory */
};

enum switch_port_kind {
    SWITCH_PORT_GUEST,
    SWITCH_PORT_UPLINK, /* a NIC's driver: what is unknown goes there, too; sums were verified by it
                         */
    SWITCH_PORT_HOST,   /* the host's own IP stack */
    SWITCH_PORT_CAPTURE /* sends nothing; gets what others mirror to it, as records of a pcap file
                         */
};

enum switch_vlan_mode {
    SWITCH_VLAN_NONE,   /* frames pass as they are, tagged or not */
    SWITCH_VLAN_ACCESS, /* untagged outside, `vlan` inside; tagged frames are dropped */
    SWITCH_VLAN_TRUNK /* tagged outside with one of `trunk`; untagged is `vlan` (native), 0: dropped
                       */
};

/* Rules for what the owner of a port may send, as libvirt's standard filters name them. */
#define SWITCH_FILTER_MAC 1u /* no-mac-spoofing: its own source address only */
#define SWITCH_FILTER_ARP 2u /* no-arp-spoofing: sender addresses are its own */
#define SWITCH_FILTER_IP  4u /* no-ip-spoofing: IPv4 and IPv6 source addresses are of `ip` */
#define SWITCH_FILTER_PROMISC                                                                      \
    8u                             /* no-mac-broadcast: nothing but its own and multicast comes in \
                                    */
#define SWITCH_FILTER_ISOLATED 16u /* <port isolated='yes'/>: talks to no other isolated port */
#define SWITCH_FILTER_NO_LEARN 32u /* its addresses are `mac` and no others: fixed in the table */
#define SWITCH_IPS             8u

/* Token bucket, as libvirt's <bandwidth> counts; 0: no limit. */
struct switch_rate {
    uint64_t average; /* bytes a second */
    uint64_t peak;    /* bytes a second while the burst lasts; 0: no limit */
    uint64_t burst;   /* bytes */
};

struct switch_ip {
    uint8_t family; /* 4, 6; 0: none */
    uint8_t prefix; /* bits */
    uint8_t pad[6];
    uint8_t address[16];
};

struct switch_port {
    uint32_t kind;    /* enum switch_port_kind */
    uint32_t network; /* index */
    uint32_t link;    /* 0: the administrator has set it down */
    uint32_t filters; /* SWITCH_FILTER_* */
    uint32_t vlan_mode, vlan;
    uint64_t trunk[4096 / 64];
    struct switch_rate inbound, outbound; /* libvirt's words: inbound goes to the owner */
    struct switch_ip ip[SWITCH_IPS];
    uint8_t mac[8];  /* six bytes; all zero: an uplink */
    uint32_t mirror; /* 1 + port that gets a copy of all frames of this one; 0: none */
    uint32_t pad;
    char name[SWITCH_NAME]; /* "alpha vnet0", "eth0", "host" */
};

struct switch_attach {
    struct switch_port port;
    uint32_t pairs;                            /* of rings that the channel has room for */
    uint32_t memories;                         /* capabilities of the area */
    uint64_t memory_size[SWITCH_MEMORIES_MAX]; /* bytes, page aligned */
    uint64_t owner_bits;                       /* signalled at the owner's notification */
    uint64_t fresh; /* 1: no switch has served it yet, so its counters begin at 0 */
};

struct switch_network {
    uint32_t mtu;         /* bytes of payload */
    uint32_t storm_limit; /* broadcast and unknown frames a second of one port; 0: none */
    uint32_t isolated;    /* 1: ports see uplinks and the host only */
    uint32_t ageing_s;    /* a learned address is forgotten after so many seconds of silence */
    char name[SWITCH_NAME];
};

enum switch_stat {
    SWITCH_RX_FRAMES, /* from the owner's view, as domifstat: frames that came to it */
    SWITCH_RX_BYTES,
    SWITCH_RX_DROPPED, /* it had no room, or was over its inbound rate */
    SWITCH_RX_ERRORS,
    SWITCH_TX_FRAMES, /* that it sent */
    SWITCH_TX_BYTES,
    SWITCH_TX_DROPPED,  /* over its rate, storm control, nobody there */
    SWITCH_TX_ERRORS,   /* malformed */
    SWITCH_TX_FILTERED, /* against the port's rules */
    SWITCH_MACS,        /* learned there now */
    SWITCH_MAC_MOVES,   /* an address came up here that was known elsewhere */
    SWITCH_SIGNALS,     /* of the owner */
    SWITCH_PORT_STATS
};

/* The status memory: single words that only grow (but SWITCH_MACS). */
struct switch_status {
    uint64_t wakeups, timers, restarts;
    uint64_t loops; /* networks where frames of an own port came back through another */
    uint64_t port_stat[SWITCH_PORTS][SWITCH_PORT_STATS];
};
#define SWITCH_STATUS_BYTES ((sizeof(struct switch_status) + 4095u) & ~4095ul)

#endif
