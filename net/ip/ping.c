/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/ping.h"

#include <lwip/icmp.h>
#include <lwip/icmp6.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/raw.h>
#include <stdio.h>
#include <string.h>
#include "net/ip/lookup.h"
#include "user/program.h"

#define NS_PER_MS   1000000ull
#define INTERVAL_NS (1000 * NS_PER_MS)
#define WAIT_NS     (2000 * NS_PER_MS) /* for an answer */
#define LOOKUP_NS   (15000 * NS_PER_MS)
#define DATA_BYTES  56u

static struct ip_ping ping;
/* Two, so that a question of a job that was given up can still be open. */
static struct lookup lookups[2];
static uint32_t lookup_turn;
static struct raw_pcb *pcb;
static uint16_t id;
static uint64_t sent_ns[IP_PING_MAX], next_ns, lookup_by;

static void end(enum ip_ping_state state, const char *reason)
{
    ping.state = state;
    snprintf(ping.reason, sizeof(ping.reason), "%s", reason);
    if (pcb)
        raw_remove(pcb);
    pcb = NULL;
}

void ping_begin(uint64_t job, const char *host, uint32_t count)
{
    end(IP_PING_NONE, "");
    ping = (struct ip_ping){.job = job, .state = IP_PING_LOOKUP};
    ping.count = count < IP_PING_MAX ? count : IP_PING_MAX;
    lookup_turn ^= 1;
    lookup_start(&lookups[lookup_turn], host);
    lookup_by = time_ns() + LOOKUP_NS;
    id = (uint16_t)LWIP_RAND();
}

/* An echo reply of ours: 1, and the packet is eaten. */
static u8_t on_packet(void *arg, struct raw_pcb *from, struct pbuf *p, const ip_addr_t *address)
{
    struct icmp_echo_hdr echo;
    u16_t at = ip_current_header_tot_len();
    bool six = IP_IS_V6(address);
    (void)arg, (void)from;
    if (pbuf_copy_partial(p, &echo, sizeof(echo), at) != sizeof(echo))
        return 0;
    u16_t number = lwip_ntohs(echo.seqno);
    if (echo.type != (six ? ICMP6_TYPE_EREP : ICMP_ER) || echo.id != id ||
        !ip_addr_cmp(address, &lookups[lookup_turn].address) || number >= ping.sent)
        return 0;
    struct ip_ping_reply *reply = &ping.reply[number];
    if (reply->state == 1) {
        *reply = (struct ip_ping_reply){.state = 2,
                                        .ns = time_ns() - sent_ns[number],
                                        .ttl = six ? IP6H_HOPLIM(ip6_current_header())
                                                   : IPH_TTL(ip4_current_header())};
        ping.received++;
    }
    pbuf_free(p);
    return 1;
}

static bool open_raw(const ip_addr_t *to)
{
    bool six = IP_IS_V6(to);
    pcb = raw_new_ip_type(six ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4,
                          six ? IP6_NEXTH_ICMP6 : IP_PROTO_ICMP);
    if (!pcb)
        return false;
    if (six) {
        pcb->chksum_reqd = 1;
        pcb->chksum_offset = 2;
    }
    raw_recv(pcb, on_packet, NULL);
    return true;
}

static void send(uint64_t now)
{
    const ip_addr_t *to = &lookups[lookup_turn].address;
    const u16_t size = sizeof(struct icmp_echo_hdr) + DATA_BYTES;
    struct pbuf *p = pbuf_alloc(PBUF_IP, size, PBUF_RAM);
    uint32_t number = ping.sent++;
    sent_ns[number] = now;
    ping.reply[number].state = 1;
    next_ns = now + (ping.sent < ping.count ? INTERVAL_NS : WAIT_NS);
    if (!p)
        return;
    struct icmp_echo_hdr *echo = p->payload;
    memset(echo, 0, size);
    ICMPH_TYPE_SET(echo, IP_IS_V6(to) ? ICMP6_TYPE_EREQ : ICMP_ECHO);
    echo->id = id;
    echo->seqno = lwip_htons((u16_t)number);
    for (uint8_t i = 0; i < DATA_BYTES; i++)
        ((uint8_t *)(echo + 1))[i] = i;
    if (IP_IS_V4(to))
        echo->chksum = inet_chksum(echo, size);
    err_t error = raw_sendto(pcb, p, to);
    pbuf_free(p);
    if (error == ERR_RTE)
        end(IP_PING_FAILED, "Network is unreachable");
}

static void run_lookup(uint64_t now)
{
    struct lookup *lookup = &lookups[lookup_turn];
    if (lookup->state == LOOKUP_FAILED || now >= lookup_by) {
        end(IP_PING_FAILED, "Name or service not known");
    } else if (lookup->state == LOOKUP_FOUND) {
        lookup_to_config(&lookup->address, &ping.target);
        if (!open_raw(&lookup->address)) {
            end(IP_PING_FAILED, "Cannot allocate memory");
            return;
        }
        ping.state = IP_PING_RUNS;
        next_ns = now;
    }
}

uint64_t ping_run(uint64_t now)
{
    if (ping.state == IP_PING_LOOKUP)
        run_lookup(now);
    if (ping.state == IP_PING_LOOKUP)
        return lookup_by;
    if (ping.state != IP_PING_RUNS)
        return 0;
    for (uint32_t i = 0; i < ping.sent; i++) {
        if (ping.reply[i].state == 1 && now >= sent_ns[i] + WAIT_NS)
            ping.reply[i].state = 3;
    }
    if (ping.sent < ping.count && now >= next_ns)
        send(now);
    else if (ping.sent == ping.count && (ping.received == ping.sent || now >= next_ns))
        end(IP_PING_DONE, "");
    return ping.state == IP_PING_RUNS ? next_ns : 0;
}

const struct ip_ping *ping_state(void)
{
    return &ping;
}
