/* SPDX-License-Identifier: BSD-2-Clause */
/* lwIP as the management network uses it: no threads, raw API, every pool of fixed size, so that
 * what comes in from outside can use up nothing but its pool. */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS                1
#define LWIP_TIMERS           0 /* net/ip/timers.c */
#define SYS_LIGHTWEIGHT_PROT  0
#define LWIP_SOCKET           0
#define LWIP_NETCONN          0
#define LWIP_SINGLE_NETIF     1
#define LWIP_HOOK_FILENAME    "lwip_hooks.h"
#define LWIP_HAVE_LOOPIF      0
#define LWIP_NETIF_LOOPBACK   0
#define LWIP_NETIF_HOSTNAME   1
#define LWIP_CHECKSUM_ON_COPY 1
#define LWIP_ASSERT_CORE_LOCKED()

/* Memory. */
#define MEM_ALIGNMENT           8
#define MEM_LIBC_MALLOC         0
#define MEMP_MEM_MALLOC         0
#define MEM_SIZE                (512 * 1024) /* what is being sent */
#define MEMP_OVERFLOW_CHECK     0
#define PBUF_POOL_SIZE          192 /* what was received */
#define PBUF_POOL_BUFSIZE       1536
#define MEMP_NUM_PBUF           128
#define MEMP_NUM_RAW_PCB        2
#define MEMP_NUM_UDP_PCB        8
#define MEMP_NUM_TCP_PCB        320 /* half-open ones for the most part: net/ip/http.h */
#define MEMP_NUM_TCP_PCB_LISTEN 2
#define MEMP_NUM_TCP_SEG        768

#define LWIP_ARP            1
#define ARP_TABLE_SIZE      32
#define ARP_QUEUEING        0 /* the newest packet waits for an address, no more */
#define ETHARP_TRUST_IP_MAC 0
#define LWIP_ICMP           1
#define LWIP_RAW            1
#define LWIP_UDP            1
#define LWIP_IGMP           0
#define IP_FORWARD          0
#define IP_OPTIONS_ALLOWED  0 /* packets with IPv4 options are dropped */
#define IP_REASSEMBLY       1
#define IP_FRAG             1
#define IP_REASS_MAX_PBUFS  32
#define MEMP_NUM_REASSDATA  8
#define IP_REASS_MAXAGE     5

#define LWIP_DHCP                 1
#define LWIP_DHCP_GET_NTP_SRV     1
#define LWIP_DHCP_MAX_NTP_SERVERS 2
#define LWIP_DHCP_BOOTP_FILE      0
#define LWIP_AUTOIP               0
#define LWIP_DNS                  1
#define DNS_MAX_SERVERS           4
#define DNS_TABLE_SIZE            4
#define DNS_MAX_NAME_LENGTH       128
#define LWIP_DHCP_MAX_DNS_SERVERS 2

#define LWIP_IPV6                      1
#define LWIP_IPV6_NUM_ADDRESSES        4
#define LWIP_IPV6_FORWARD              0
#define LWIP_IPV6_FRAG                 1
#define LWIP_IPV6_REASS                1
#define IPV6_REASS_MAXAGE              5
#define IPV6_FRAG_COPYHEADER           1 /* pointers are longer than a fragment header */
#define LWIP_IPV6_MLD                  1
#define MEMP_NUM_MLD6_GROUP            8
#define LWIP_IPV6_AUTOCONFIG           1
#define LWIP_IPV6_SEND_ROUTER_SOLICIT  1
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS  1
#define LWIP_IPV6_DHCP6                1
#define LWIP_IPV6_DHCP6_STATELESS      1
#define LWIP_ND6_NUM_NEIGHBORS         16
#define LWIP_ND6_NUM_DESTINATIONS      16
#define LWIP_ND6_NUM_ROUTERS           3
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 2
#define LWIP_ND6_QUEUEING              0

#define LWIP_TCP                       1
#define TCP_MSS                        1460
#define TCP_WND                        (4 * TCP_MSS) /* requests are small */
#define TCP_SND_BUF                    (16 * TCP_MSS)
#define TCP_SND_QUEUELEN               48
#define TCP_SNDLOWAT                   (4 * TCP_MSS)
#define TCP_QUEUE_OOSEQ                1
#define TCP_OOSEQ_MAX_PBUFS            6
#define TCP_OOSEQ_MAX_BYTES            TCP_WND
#define TCP_LISTEN_BACKLOG             0 /* net/ip/http.c bounds connections, also the half-open */
#define TCP_MSL                        5000 /* ms; TIME_WAIT is twice that */
#define TCP_SYNMAXRTX                  4
#define TCP_MAXRTX                     8
#define LWIP_TCP_KEEPALIVE             0
#define LWIP_DISABLE_TCP_SANITY_CHECKS 0

/* Sums are made and checked here: the switch is another process, and a cheap one. */
#define CHECKSUM_GEN_ICMP6   1
#define CHECKSUM_CHECK_ICMP6 1

#define LWIP_STATS       1
#define LWIP_STATS_LARGE 1
#define MIB2_STATS       0

#endif
