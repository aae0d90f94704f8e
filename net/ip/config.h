/* SPDX-License-Identifier: BSD-2-Clause */
/* What the manager tells the host's own IP stack (the data behind its struct program_args). The
 * process may end at any instant: the next one gets the same data and the same channel. */
#ifndef NET_IP_CONFIG_H
#define NET_IP_CONFIG_H

#include <stdint.h>

#define IP_CONFIG_MAGIC 0x4d4950434f4e4647ull
#define IP_HEAP_BYTES   (64u << 10) /* the C library's; lwIP has memory of its own */

/* The area of the channel: buffers of IP_BUFFER bytes, first those that frames come in. */
#define IP_BUFFER     2048u
#define IP_RECEIVE    256u
#define IP_SEND       128u
#define IP_AREA_BYTES ((IP_RECEIVE + IP_SEND) * IP_BUFFER)
#define IP_MTU        1500u

/* Index into program_args.slot[]. */
enum ip_slot {
    IP_SLOT_CHANNEL, /* memory, read and write: struct frame_channel with one pair */
    IP_SLOT_AREA,    /* memory, read and write, IP_AREA_BYTES */
    IP_SLOT_STATUS,  /* memory, read and write: struct ip_status, which the manager reads */
    IP_SLOT_BELL     /* the switch's notification; ip_config.bell_bits are signalled there */
};

/* Bits of the process's notification (SLOT_NOTIF). */
#define IP_BIT_CHANNEL (1ull << 0) /* the switch */
#define IP_BIT_JOB     (1ull << 2) /* manager: there is something for IP_EVENT_NEXT */

#define IP_NAME        64u /* bytes of a host's name, with its zero */
#define IP_DNS_SERVERS 3u
#define IP_NTP_SERVERS 3u

enum ip_mode { IP_MODE_OFF, IP_MODE_AUTO, IP_MODE_STATIC }; /* auto: DHCP, SLAAC */

struct ip_address {
    uint8_t family; /* 4, 6; 0: none */
    uint8_t prefix; /* bits */
    uint8_t pad[6];
    uint8_t address[16]; /* in the order of the network */
};

struct ip_config {
    uint64_t magic;
    uint64_t bell_bits;
    uint64_t rtc_base, rtc_tsc; /* Unix time at that TSC; 0: the host's clock is not set */
    uint64_t boot_tsc;          /* the times in the kernel log begin there */
    uint32_t mode4, mode6;      /* enum ip_mode */
    struct ip_address address4, gateway4, address6, gateway6; /* IP_MODE_STATIC */
    struct ip_address dns[IP_DNS_SERVERS];
    char ntp[IP_NTP_SERVERS][IP_NAME]; /* names or addresses; none: what DHCP says */
    char syslog[IP_NAME];              /* empty: off */
    char hostname[IP_NAME];            /* empty: none is told */
    uint16_t syslog_port;
    uint16_t http_port; /* 0: off */
    uint8_t mac[8];     /* six bytes */
    uint8_t ntp_off;    /* 1: the clock is left alone */
    uint8_t pad[3];
    uint32_t restarts; /* of this process */
    uint32_t pad1;
};

#endif
