/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/verbs_host.h"

#include <stdlib.h>
#include <string.h>
#include "abi/status.h"
#include "console/client.h"

#define PING_COUNT  4u
#define PONG_NS     50000000ull
#define ADDRESS_MAX 48u
/* A job that nobody works on after so many pauses (the process was restarted) is given up. */
#define PONGS_MAX (60u * 20u)

/* RFC 5952. */
static void address6(const uint8_t a[16], char *out)
{
    uint32_t group[8], at = 8, length = 1;
    for (uint32_t i = 0; i < 8; i++)
        group[i] = (uint32_t)a[2 * i] << 8 | a[2 * i + 1];
    for (uint32_t i = 0, n; i < 8; i += n ? n : 1) {
        for (n = 0; i + n < 8 && !group[i + n]; n++)
            ;
        if (n > length) {
            at = i;
            length = n;
        }
    }
    struct text text = {out, ADDRESS_MAX, 0};
    for (uint32_t i = 0; i < 8; i++) {
        if (i == at) {
            text_add(&text, "::");
            i += length - 1;
            continue;
        }
        text_add(&text, "%s%x", i && i != at + length ? ":" : "", (unsigned)group[i]);
    }
}

static const char *address(const struct ip_address *a)
{
    static char out[ADDRESS_MAX];
    struct text text = {out, sizeof(out), 0};
    out[0] = 0;
    if (a->family == 6)
        address6(a->address, out);
    else if (a->family == 4)
        text_add(&text, "%u.%u.%u.%u", (unsigned)a->address[0], (unsigned)a->address[1],
                 (unsigned)a->address[2], (unsigned)a->address[3]);
    else
        text_add(&text, "-");
    return out;
}

static void add_clock(const struct ip_status *s, struct text *text)
{
    int64_t offset = s->ntp_offset_ns;
    if (!s->ntp_server[0])
        return;
    text_add(text, "%-15s %s, ", "Time server:", s->ntp_server);
    if (!s->ntp_synced)
        text_add(text, "no answer yet\n");
    else
        text_add(text, "clock moved by %s%llu.%06llu s, round trip %llu.%03llu ms\n",
                 offset < 0 ? "-" : "",
                 (unsigned long long)((offset < 0 ? -offset : offset) / 1000000000),
                 (unsigned long long)((offset < 0 ? -offset : offset) % 1000000000 / 1000),
                 (unsigned long long)(s->ntp_delay_ns / 1000000),
                 (unsigned long long)(s->ntp_delay_ns / 1000 % 1000));
}

static void add_net(const struct mgr_hostnet *net, struct text *text)
{
    const struct ip_status *s = &net->status;
    static const char *const dhcp[] = {"off", "no answer yet", "address by DHCP",
                                       "address by DHCP, asked for again"};
    text_add(text, "%-15s %s\n", "Network:", net->network);
    text_add(text, "%-15s %02x:%02x:%02x:%02x:%02x:%02x\n", "MAC address:", net->mac[0],
             net->mac[1], net->mac[2], net->mac[3], net->mac[4], net->mac[5]);
    text_add(text, "%-15s %s\n", "State:",
             !net->running ? "starting"
             : s->link     ? "up"
                           : "the network is down");
    if (!net->running)
        return;
    text_add(text, "%-15s %u\n", "MTU:", (unsigned)s->mtu);
    for (uint32_t i = 0; i < s->addresses; i++)
        text_add(text, "%-15s %s/%u\n", "Address:", address(&s->address[i]),
                 (unsigned)s->address[i].prefix);
    if (s->gateway4.family)
        text_add(text, "%-15s %s\n", "Gateway:", address(&s->gateway4));
    if (s->gateway6.family)
        text_add(text, "%-15s %s\n", "Gateway:", address(&s->gateway6));
    text_add(text, "%-15s %s\n", "DHCP:", s->dhcp <= IP_DHCP_AGAIN ? dhcp[s->dhcp] : "-");
    for (uint32_t i = 0; i < s->dns_servers; i++)
        text_add(text, "%-15s %s\n", "Name server:", address(&s->dns[i]));
    add_clock(s, text);
    text_add(text, "%-15s %u\n", "Restarts:", (unsigned)net->restarts);
}

void run_host_addresses(const struct command *c, struct text *text)
{
    struct mgr_hostnet net;
    (void)c;
    if (client_hostnet(&net) != OK)
        text_add(text, "error: %s\n", client_reason());
    else if (!net.network[0])
        text_add(text, "The host has no management network\n");
    else
        add_net(&net, text);
    text_add(text, "\n");
}

static void add_reply(const struct ip_ping *ping, uint32_t i, struct text *text)
{
    const struct ip_ping_reply *reply = &ping->reply[i];
    if (reply->state == 2)
        text_add(text, "64 bytes from %s: icmp_seq=%u ttl=%u time=%llu.%03llu ms\n",
                 address(&ping->target), (unsigned)i + 1, (unsigned)reply->ttl,
                 (unsigned long long)(reply->ns / 1000000),
                 (unsigned long long)(reply->ns / 1000 % 1000));
    else
        text_add(text, "no answer yet for icmp_seq=%u\n", (unsigned)i + 1);
}

static void add_result(const char *host, const struct ip_ping *ping, struct text *text)
{
    if (ping->state == IP_PING_FAILED) {
        text_add(text, "ping: %s: %s\n\n", host, ping->reason);
        return;
    }
    text_add(text, "PING %s (%s) 56(84) bytes of data.\n", host, address(&ping->target));
    for (uint32_t i = 0; i < ping->sent && i < IP_PING_MAX; i++)
        add_reply(ping, i, text);
    uint32_t lost = ping->sent > ping->received ? ping->sent - ping->received : 0;
    text_add(text, "%u packets transmitted, %u received, %u%% packet loss\n\n",
             (unsigned)ping->sent, (unsigned)ping->received,
             (unsigned)(ping->sent ? lost * 100 / ping->sent : 100));
}

static bool is_over(const struct ip_ping *ping)
{
    return ping->state == IP_PING_DONE || ping->state == IP_PING_FAILED;
}

void run_ping(const struct command *c, struct text *text)
{
    struct ip_ping ping = {0};
    uint64_t job;
    char *end = NULL;
    unsigned long count = c->word[0] ? strtoul(c->word[0], &end, 10) : PING_COUNT;
    if (!c->domain || (end && *end) || !count || count > IP_PING_MAX) {
        text_add(text, "error: ping <host> [<count>], count from 1 to %u\n\n", IP_PING_MAX);
        return;
    }
    if (client_ping(c->domain, (uint32_t)count, &job) != OK) {
        text_add(text, "error: %s\n\n", client_reason());
        return;
    }
    for (uint32_t i = 0; i < PONGS_MAX; i++) {
        verbs_sleep(PONG_NS);
        if (client_pong(job, &ping) != OK) {
            text_add(text, "error: %s\n\n", client_reason());
            return;
        }
        if (is_over(&ping))
            break;
    }
    if (is_over(&ping))
        add_result(c->domain, &ping, text);
    else
        text_add(text, "error: the host's network has been restarted meanwhile\n\n");
}
