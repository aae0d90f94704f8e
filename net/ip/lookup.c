/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/lookup.h"

#include <lwip/dns.h>
#include <string.h>

static void on_found(const char *name, const ip_addr_t *address, void *arg)
{
    struct lookup *lookup = arg;
    (void)name;
    if (lookup->state != LOOKUP_WAITS)
        return;
    lookup->state = address ? LOOKUP_FOUND : LOOKUP_FAILED;
    if (address)
        ip_addr_copy(lookup->address, *address);
}

void lookup_start(struct lookup *lookup, const char *name)
{
    if (lookup->state == LOOKUP_WAITS)
        return; /* lwIP has a question of this one still open, and ends it in any case */
    lookup->state = LOOKUP_WAITS;
    u8_t type = LWIP_DNS_ADDRTYPE_IPV4_IPV6;
    err_t error = dns_gethostbyname_addrtype(name, &lookup->address, on_found, lookup, type);
    if (error == ERR_OK)
        lookup->state = LOOKUP_FOUND;
    else if (error != ERR_INPROGRESS)
        lookup->state = LOOKUP_FAILED;
}

void lookup_to_config(const ip_addr_t *from, struct ip_address *to)
{
    *to = (struct ip_address){0};
    if (IP_IS_V6(from)) {
        to->family = 6;
        memcpy(to->address, ip_2_ip6(from)->addr, 16);
    } else {
        to->family = 4;
        memcpy(to->address, &ip_2_ip4(from)->addr, 4);
    }
}

bool lookup_from_config(const struct ip_address *from, ip_addr_t *to)
{
    ip_addr_set_any(from->family == 6, to);
    if (from->family == 4) {
        memcpy(&ip_2_ip4(to)->addr, from->address, 4);
    } else if (from->family == 6) {
        memcpy(ip_2_ip6(to)->addr, from->address, 16);
    }
    return from->family == 4 || from->family == 6;
}
