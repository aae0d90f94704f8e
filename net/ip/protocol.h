/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the host's own IP stack and the manager. The process calls (portal_call on SLOT_PARENT),
 * the manager answers and else signals. What the process says of itself stands in the status
 * memory. It may also ask what the console may, as far as that only reads (manager/protocol.h):
 * LIST, INFO, REFRESH, STATS, NODE, CPUS, DISKS, NETS, IFACES, KLOG.
 *
 * Request: mr[0] = enum ip_event, mr[1..] as below. Reply: mr[0] = status, and as below. */
#ifndef NET_IP_PROTOCOL_H
#define NET_IP_PROTOCOL_H

#include <stdint.h>
#include "net/ip/config.h"

#define IP_PAYLOAD 8u /* structures begin at mr[IP_PAYLOAD] */

enum ip_event {
    IP_EVENT_UP = 1024, /* its configuration is understood, it serves */
    /* After IP_BIT_JOB, and once unasked at the start: what is to be pinged. Reply: mr[1] = number
     * of the job, 0: none, mr[2] = packets; host's name from mr[IP_PAYLOAD] on. */
    IP_EVENT_NEXT,
    /* Now it is mr[1] ns after 1970 UTC at TSC mr[2], says a time server. */
    IP_EVENT_CLOCK,
    IP_EVENT_PORT /* -> from mr[IP_PAYLOAD] on: counters of its port, by enum switch_stat */
};

/* A time before this was never right while Mullion ran: 2024-01-01. */
#define IP_CLOCK_FIRST_S 1704067200ull
#define IP_CLOCK_LAST_S  7258118400ull /* 2200 */

#define IP_ADDRESSES   6u
#define IP_PING_MAX    20u /* packets of one job */
#define IP_PING_REASON 96u

enum ip_ping_state { IP_PING_NONE, IP_PING_LOOKUP, IP_PING_RUNS, IP_PING_DONE, IP_PING_FAILED };

struct ip_ping_reply {
    uint32_t state; /* 0: not sent, 1: sent, 2: answered, 3: nobody answered in time */
    uint32_t ttl;
    uint64_t ns;
};

struct ip_ping {
    uint64_t job;
    uint32_t state; /* enum ip_ping_state */
    uint32_t count, sent, received;
    struct ip_address target; /* once it is known */
    char reason[IP_PING_REASON];
    struct ip_ping_reply reply[IP_PING_MAX];
};

enum ip_count {
    IP_COUNT_REQUESTS,    /* HTTP */
    IP_COUNT_REFUSED,     /* answered with 4xx or 5xx */
    IP_COUNT_TIMEOUTS,    /* clients that were too slow */
    IP_COUNT_CONNECTIONS, /* accepted */
    IP_COUNT_EVICTED,     /* closed for newer ones */
    IP_COUNT_HALF_OPEN,   /* half-open connections dropped for newer ones */
    IP_COUNT_SYSLOG,      /* messages sent */
    IP_COUNT_SYSLOG_LOST, /* could not be sent, or were overwritten before */
    IP_COUNT_NTP,         /* times that the clock was set */
    IP_COUNT_RX_DROPPED,  /* frames for which there was no memory */
    IP_COUNT_TX_DROPPED,
    IP_COUNT_HEAP_USED, /* bytes of lwIP's heap: now, most, and times there was none */
    IP_COUNT_HEAP_MOST,
    IP_COUNT_HEAP_FAILED,
    IP_COUNT_POOL_USED, /* packets received and not freed: now, most, times there was none */
    IP_COUNT_POOL_MOST,
    IP_COUNT_POOL_FAILED,
    IP_COUNT_PCB_USED, /* TCP connections, half-open and closing ones too */
    IP_COUNT_PCB_MOST,
    IP_COUNT_PCB_FAILED,
    IP_COUNTS
};

enum ip_dhcp_state {
    IP_DHCP_OFF,
    IP_DHCP_ASKING,
    IP_DHCP_BOUND,
    IP_DHCP_AGAIN /* the address is that of the process before, and is being asked for */
};

struct ip_status {
    uint64_t sequence; /* odd while it is written */
    uint32_t link, mtu;
    uint32_t addresses, dns_servers;
    struct ip_address address[IP_ADDRESSES]; /* valid ones */
    struct ip_address gateway4, gateway6;
    struct ip_address dns[IP_DNS_SERVERS + 1];
    uint32_t dhcp; /* enum ip_dhcp_state */
    uint32_t ntp_synced;
    char ntp_server[IP_NAME];         /* that was asked last */
    int64_t ntp_offset_ns;            /* how far the clock was moved */
    uint64_t ntp_delay_ns, ntp_at_ns; /* of the round trip; when, by time_ns(); 0: never */
    uint64_t unix_ns;                 /* now; 0: not known */
    uint64_t count[IP_COUNTS];
    struct ip_ping ping;
    /* How far the log has been sent. This and the address are for the process that follows. */
    uint64_t klog_position;
};
#define IP_STATUS_BYTES ((sizeof(struct ip_status) + 4095u) & ~4095ul)

#endif
