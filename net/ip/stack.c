/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/stack.h"

#include <lwip/dhcp.h>
#include <lwip/dhcp6.h>
#include <lwip/dns.h>
#include <lwip/memp.h>
#include <lwip/nd6.h>
#include <lwip/priv/nd6_priv.h>
#include <lwip/stats.h>
#include <string.h>
#include "net/ip/clock.h"
#include "net/ip/http.h"
#include "net/ip/lookup.h"
#include "net/ip/ntp.h"
#include "net/ip/syslog.h"
#include "user/program.h"

#define NS_PER_S    1000000000ull
#define PATIENCE_NS (15 * NS_PER_S) /* for DHCP, before it is worth a line in the log */
#define BORROW_NS   (60 * NS_PER_S) /* for DHCP to give an address again */

static const struct ip_config *config;
static struct netif *netif;
static uint64_t asking_since;
static bool told_patience, borrows;
static ip4_addr_t told4;
static uint32_t told6; /* bit for each address of the netif that was told */

static void set_static4(void)
{
    ip_addr_t address, gateway;
    ip4_addr_t mask;
    uint32_t prefix = config->address4.prefix;
    lookup_from_config(&config->address4, &address);
    if (!lookup_from_config(&config->gateway4, &gateway))
        ip_addr_set_any(0, &gateway);
    mask.addr = lwip_htonl(prefix ? UINT32_MAX << (32 - prefix) : 0);
    netif_set_addr(netif, ip_2_ip4(&address), &mask, ip_2_ip4(&gateway));
}

static void set_static6(void)
{
    ip_addr_t address, gateway;
    s8_t index;
    lookup_from_config(&config->address6, &address);
    if (netif_add_ip6_address(netif, ip_2_ip6(&address), &index) != ERR_OK)
        log_line("the IPv6 address cannot be set");
    if (lookup_from_config(&config->gateway6, &gateway))
        hostif_set_gateway6(ip_2_ip6(&gateway));
}

/* The address of the process before is still leased to this station: it serves while DHCP is asked,
 * as if nothing had happened. */
static void borrow(const struct ip_status *before)
{
    const struct ip_address *a = &before->address[0];
    ip_addr_t address, gateway;
    ip4_addr_t mask;
    bool had = before->dhcp == IP_DHCP_BOUND || before->dhcp == IP_DHCP_AGAIN;
    if (before->sequence % 2 || !had || !before->addresses || a->family != 4 || !a->prefix ||
        a->prefix > 30)
        return;
    borrows = true;
    lookup_from_config(a, &address);
    if (!lookup_from_config(&before->gateway4, &gateway) || !IP_IS_V4(&gateway))
        ip_addr_set_any(0, &gateway);
    mask.addr = lwip_htonl(UINT32_MAX << (32 - a->prefix));
    netif_set_addr(netif, ip_2_ip4(&address), &mask, ip_2_ip4(&gateway));
}

static void end_borrowing(uint64_t now)
{
    if (!borrows)
        return;
    if (dhcp_supplied_address(netif)) {
        borrows = false;
    } else if (now - asking_since > BORROW_NS) {
        borrows = false;
        netif_set_addr(netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
    }
}

/* DHCP and router advertisements write into the same list. */
static void set_dns(void)
{
    ip_addr_t server;
    for (u8_t i = 0; i < IP_DNS_SERVERS && config->dns[0].family; i++) {
        bool has = lookup_from_config(&config->dns[i], &server);
        if (has && !ip_addr_cmp(&server, dns_getserver(i)))
            dns_setserver(i, &server);
        else if (!has && !ip_addr_isany(dns_getserver(i)))
            dns_setserver(i, NULL);
    }
}

void stack_start(const struct ip_config *with, struct netif *on, const struct ip_status *before)
{
    config = with;
    netif = on;
    if (config->hostname[0])
        netif_set_hostname(netif, config->hostname);
    if (config->mode6 != IP_MODE_OFF) {
        netif_create_ip6_linklocal_address(netif, 1);
        netif_set_ip6_autoconfig_enabled(netif, config->mode6 == IP_MODE_AUTO);
    }
    if (config->mode6 == IP_MODE_AUTO)
        dhcp6_enable_stateless(netif);
    if (config->mode6 == IP_MODE_STATIC)
        set_static6();
    asking_since = time_ns();
    if (config->mode4 == IP_MODE_STATIC) {
        set_static4();
    } else if (config->mode4 == IP_MODE_AUTO) {
        borrow(before);
        dhcp_start(netif);
    }
    set_dns();
}

static void tell4(uint64_t now)
{
    char text[IP4ADDR_STRLEN_MAX], gateway[IP4ADDR_STRLEN_MAX];
    const ip4_addr_t *address = netif_ip4_addr(netif);
    if (!ip4_addr_cmp(address, &told4)) {
        ip4_addr_copy(told4, *address);
        told_patience = false;
        if (ip4_addr_isany(address))
            asking_since = now;
        ip4addr_ntoa_r(address, text, sizeof(text));
        ip4addr_ntoa_r(netif_ip4_gw(netif), gateway, sizeof(gateway));
        if (ip4_addr_isany(address))
            log_line("the IPv4 address is gone");
        else
            log_line("address %s, gateway %s%s", text, gateway,
                     config->mode4 == IP_MODE_AUTO ? ", by DHCP" : "");
    }
    if (config->mode4 == IP_MODE_AUTO && ip4_addr_isany(address) && netif_is_link_up(netif) &&
        !told_patience && now - asking_since > PATIENCE_NS) {
        told_patience = true;
        log_line("no DHCP server answers; it is asked on");
    }
}

static bool is_valid6(uint32_t i)
{
    return ip6_addr_isvalid(netif_ip6_addr_state(netif, i));
}

static void tell6(void)
{
    char text[IP6ADDR_STRLEN_MAX];
    for (uint32_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (is_valid6(i) == (told6 >> i & 1))
            continue;
        told6 ^= 1u << i;
        ip6addr_ntoa_r(netif_ip6_addr(netif, i), text, sizeof(text));
        if (is_valid6(i))
            log_line("address %s", text);
    }
}

void stack_run(uint64_t now)
{
    end_borrowing(now);
    tell4(now);
    tell6();
    set_dns();
}

bool stack_is_up(void)
{
    if (!netif_is_link_up(netif))
        return false;
    bool any = !ip4_addr_isany(netif_ip4_addr(netif));
    for (uint32_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
        any |= is_valid6(i) && !ip6_addr_islinklocal(netif_ip6_addr(netif, i));
    return any;
}

static void add_address(struct ip_status *status, const ip_addr_t *address, uint32_t prefix)
{
    if (status->addresses == IP_ADDRESSES)
        return;
    struct ip_address *to = &status->address[status->addresses++];
    lookup_to_config(address, to);
    to->prefix = (uint8_t)prefix;
}

static void addresses(struct ip_status *status)
{
    ip_addr_t address;
    status->addresses = 0;
    if (!ip4_addr_isany(netif_ip4_addr(netif))) {
        ip_addr_copy_from_ip4(address, *netif_ip4_addr(netif));
        add_address(status, &address, (uint32_t)__builtin_popcount(netif_ip4_netmask(netif)->addr));
    }
    for (uint32_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        ip_addr_copy_from_ip6(address, *netif_ip6_addr(netif, i));
        if (is_valid6(i))
            add_address(status, &address, 64);
    }
    status->gateway4 = (struct ip_address){0};
    if (!ip4_addr_isany(netif_ip4_gw(netif))) {
        ip_addr_copy_from_ip4(address, *netif_ip4_gw(netif));
        lookup_to_config(&address, &status->gateway4);
    }
    status->gateway6 = config->mode6 == IP_MODE_STATIC ? config->gateway6 : (struct ip_address){0};
    for (uint32_t i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
        if (!default_router_list[i].neighbor_entry || status->gateway6.family)
            continue;
        ip_addr_copy_from_ip6(address, default_router_list[i].neighbor_entry->next_hop_address);
        lookup_to_config(&address, &status->gateway6);
    }
}

static void name_servers(struct ip_status *status)
{
    status->dns_servers = 0;
    for (u8_t i = 0; i < DNS_MAX_SERVERS; i++) {
        const ip_addr_t *server = dns_getserver(i);
        if (!ip_addr_isany(server) && status->dns_servers <= IP_DNS_SERVERS)
            lookup_to_config(server, &status->dns[status->dns_servers++]);
    }
}

static void counts(uint64_t count[IP_COUNTS])
{
    struct hostif_counts frames = hostif_counts();
    http_counts(count);
    syslog_counts(count);
    count[IP_COUNT_RX_DROPPED] = frames.rx_dropped;
    count[IP_COUNT_TX_DROPPED] = frames.tx_dropped;
    count[IP_COUNT_HEAP_USED] = lwip_stats.mem.used;
    count[IP_COUNT_HEAP_MOST] = lwip_stats.mem.max;
    count[IP_COUNT_HEAP_FAILED] = lwip_stats.mem.err;
    count[IP_COUNT_POOL_USED] = lwip_stats.memp[MEMP_PBUF_POOL]->used;
    count[IP_COUNT_POOL_MOST] = lwip_stats.memp[MEMP_PBUF_POOL]->max;
    count[IP_COUNT_POOL_FAILED] = lwip_stats.memp[MEMP_PBUF_POOL]->err;
    count[IP_COUNT_PCB_USED] = lwip_stats.memp[MEMP_TCP_PCB]->used;
    count[IP_COUNT_PCB_MOST] = lwip_stats.memp[MEMP_TCP_PCB]->max;
    count[IP_COUNT_PCB_FAILED] = lwip_stats.memp[MEMP_TCP_PCB]->err;
}

void stack_status(struct ip_status *status)
{
    status->link = netif_is_link_up(netif) != 0;
    status->mtu = netif->mtu;
    addresses(status);
    name_servers(status);
    status->dhcp = config->mode4 != IP_MODE_AUTO  ? IP_DHCP_OFF
                   : dhcp_supplied_address(netif) ? IP_DHCP_BOUND
                   : borrows                      ? IP_DHCP_AGAIN
                                                  : IP_DHCP_ASKING;
    status->unix_ns = clock_unix_ns();
    counts(status->count);
    ntp_status(status);
}

void http_own_figures(struct figures *figures)
{
    struct ip_status status = {0};
    stack_status(&status);
    figures->unix_ns = status.unix_ns;
    figures->ntp_synced = status.ntp_synced;
    memcpy(figures->own, status.count, sizeof(figures->own));
}
