/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/filter.h"

#define IPV4_HEADER             20u
#define IPV6_HEADER             40u
#define ARP_BYTES               28u
#define UDP                     17u
#define ICMPV6                  58u
#define DHCP_CLIENT             68u
#define DHCP_SERVER             67u
#define NEIGHBOUR_ADVERTISEMENT 136u
#define ARP_HLEN_PLEN           0x0604u

static bool same_bits(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
    uint32_t bytes = bits / 8, rest = bits % 8;
    if (memcmp(a, b, bytes) != 0)
        return false;
    return !rest || !((a[bytes] ^ b[bytes]) >> (8 - rest));
}

static bool has_family(const struct switch_port *port, uint8_t family)
{
    for (uint32_t i = 0; i < SWITCH_IPS; i++) {
        if (port->ip[i].family == family)
            return true;
    }
    return false;
}

static bool is_own_ip(const struct switch_port *port, uint8_t family, const uint8_t *address)
{
    uint32_t bits = family == 4 ? 32 : 128;
    for (uint32_t i = 0; i < SWITCH_IPS; i++) {
        const struct switch_ip *ip = &port->ip[i];
        if (ip->family == family &&
            same_bits(ip->address, address, ip->prefix < bits ? ip->prefix : bits))
            return true;
    }
    return false;
}

static bool is_zero(const uint8_t *p, uint32_t bytes)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < bytes; i++)
        sum |= p[i];
    return !sum;
}

/* RFC 826, "Packet format"; RFC 5227 for probes without a sender's address. */
static bool arp_passes(const struct switch_port *port, const uint8_t *arp, uint32_t have)
{
    if (have < ARP_BYTES || read16(arp) != 1 || read16(arp + 2) != ETHERTYPE_IPV4 ||
        read16(arp + 4) != ARP_HLEN_PLEN)
        return false;
    if (memcmp(arp + 8, port->mac, 6) != 0)
        return false;
    return !has_family(port, 4) || is_zero(arp + 14, 4) || is_own_ip(port, 4, arp + 14);
}

static bool is_dhcp_request(const uint8_t *ip, uint32_t have)
{
    uint32_t header = (ip[0] & 15u) * 4u;
    return ip[9] == UDP && have >= header + 4 && read16(ip + header) == DHCP_CLIENT &&
           read16(ip + header + 2) == DHCP_SERVER;
}

static bool ipv4_passes(const struct switch_port *port, const uint8_t *ip, uint32_t have)
{
    if (have < IPV4_HEADER || ip[0] >> 4 != 4 || (ip[0] & 15u) * 4u < IPV4_HEADER)
        return false;
    if (is_zero(ip + 12, 4))
        return is_dhcp_request(ip, have);
    return is_own_ip(port, 4, ip + 12);
}

/* Link-local addresses are everybody's own choice (RFC 4862), unless the port's are listed. The
 * unspecified one asks whether an address is free. An advertisement says whose an address is (RFC
 * 4861), so it must be about the port's own. */
static bool ipv6_passes(const struct switch_port *port, const uint8_t *ip, uint32_t have)
{
    if (have < IPV6_HEADER || ip[0] >> 4 != 6)
        return false;
    const uint8_t *source = ip + 8;
    bool link_local = source[0] == 0xfe && (source[1] & 0xc0) == 0x80;
    if (is_zero(source, 16))
        return ip[6] == ICMPV6 || ip[6] == 0 /* hop-by-hop: a multicast listener report */;
    if (!link_local && !is_own_ip(port, 6, source))
        return false;
    if (ip[6] != ICMPV6 || have < IPV6_HEADER + 24 || ip[40] != NEIGHBOUR_ADVERTISEMENT)
        return true;
    const uint8_t *target = ip + IPV6_HEADER + 8;
    bool target_local = target[0] == 0xfe && (target[1] & 0xc0) == 0x80;
    return target_local || is_own_ip(port, 6, target);
}

bool filter_passes(const struct switch_port *port, struct packet *p)
{
    if (port->filters & SWITCH_FILTER_MAC && memcmp(p->head + 6, port->mac, 6) != 0)
        return false;
    if (!(port->filters & (SWITCH_FILTER_ARP | SWITCH_FILTER_IP)))
        return true;
    packet_pull(p, PACKET_HEADER);
    uint32_t l3 = packet_l3(p);
    uint32_t have = p->head_size > l3 ? p->head_size - l3 : 0;
    switch (packet_type(p)) {
    case ETHERTYPE_ARP:
    case ETHERTYPE_RARP:
        return !(port->filters & SWITCH_FILTER_ARP) || arp_passes(port, p->head + l3, have);
    case ETHERTYPE_IPV4:
        return !(port->filters & SWITCH_FILTER_IP) || ipv4_passes(port, p->head + l3, have);
    case ETHERTYPE_IPV6:
        return !(port->filters & SWITCH_FILTER_IP) || ipv6_passes(port, p->head + l3, have);
    case ETHERTYPE_VLAN:
    case ETHERTYPE_STAG:
        return false; /* a second tag would hide what is in the frame */
    default:
        return true;
    }
}

bool filter_is_sane(const struct switch_port *port)
{
    if (port->filters & (SWITCH_FILTER_MAC | SWITCH_FILTER_ARP) && is_zero(port->mac, 6))
        return false;
    return !(port->filters & SWITCH_FILTER_IP) || has_family(port, 4) || has_family(port, 6);
}
