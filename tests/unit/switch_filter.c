/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may claim to be whom. */
#include "test.h"
#include "net/switch/filter.c"
#include "net/switch/packet.c"

static uint8_t frame[256];
static uint32_t length;
static struct switch_port port;
static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t own_ip[4] = {10, 0, 0, 7};
static const uint8_t own_net6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1};

static void rules(uint32_t filters)
{
    memset(&port, 0, sizeof(port));
    port.filters = filters;
    memcpy(port.mac, own_mac, 6);
    port.ip[0] = (struct switch_ip){.family = 4, .prefix = 32};
    memcpy(port.ip[0].address, own_ip, 4);
    port.ip[1] = (struct switch_ip){.family = 6, .prefix = 68};
    memcpy(port.ip[1].address, own_net6, 16);
}

static bool passes_cut(uint32_t bytes)
{
    struct packet p;
    p.part[0] = (struct packet_part){frame, bytes};
    p.parts = 1;
    packet_begin(&p, bytes);
    return filter_passes(&port, &p);
}

static bool passes(void)
{
    return passes_cut(length);
}

static uint8_t *begin(uint16_t type, uint32_t tag)
{
    memset(frame, 0, sizeof(frame));
    memset(frame, 0xff, 6);
    memcpy(frame + 6, own_mac, 6);
    write16(frame + 12, tag ? ETHERTYPE_VLAN : type);
    write16(frame + 14, tag);
    if (tag)
        write16(frame + 16, type);
    length = 100;
    return frame + (tag ? 18 : 14);
}

static uint8_t *arp(const uint8_t *mac, const uint8_t *ip)
{
    uint8_t *a = begin(ETHERTYPE_ARP, 0);
    write16(a, 1), write16(a + 2, ETHERTYPE_IPV4), write16(a + 4, 0x0604), write16(a + 6, 1);
    memcpy(a + 8, mac, 6);
    memcpy(a + 14, ip, 4);
    return a;
}

static uint8_t *ipv4(const uint8_t *source, uint32_t tag)
{
    uint8_t *ip = begin(ETHERTYPE_IPV4, tag);
    ip[0] = 0x45;
    memcpy(ip + 12, source, 4);
    return ip;
}

static uint8_t *ipv6(const uint8_t *source, uint8_t next)
{
    uint8_t *ip = begin(ETHERTYPE_IPV6, 0);
    ip[0] = 0x60;
    ip[6] = next;
    memcpy(ip + 8, source, 16);
    return ip;
}

TEST(addresses_of_ethernet)
{
    rules(SWITCH_FILTER_MAC);
    ipv4(own_ip, 0);
    CHECK(passes());
    frame[11] ^= 1;
    CHECK(!passes());
    rules(0);
    CHECK(passes());
}

TEST(arp_claims)
{
    uint8_t other_mac[6] = {2, 0, 0, 0, 0, 2}, other_ip[4] = {10, 0, 0, 8}, none[4] = {0};
    rules(SWITCH_FILTER_ARP);
    arp(own_mac, own_ip);
    CHECK(passes());
    CHECK(!passes_cut(14 + 27));
    arp(own_mac, none);
    CHECK(passes());
    arp(own_mac, other_ip);
    CHECK(!passes());
    arp(other_mac, own_ip);
    CHECK(!passes());
    write16(arp(own_mac, own_ip), 6);
    CHECK(!passes());
    write16(arp(own_mac, own_ip) + 4, 0x0804);
    CHECK(!passes());
    rules(SWITCH_FILTER_IP); /* not its matter */
    CHECK(passes());
}

TEST(ipv4_sources)
{
    uint8_t other_ip[4] = {10, 0, 0, 8}, none[4] = {0};
    rules(SWITCH_FILTER_IP);
    ipv4(own_ip, 0);
    CHECK(passes());
    CHECK(!passes_cut(33));
    ipv4(own_ip, 5);
    CHECK(passes());
    ipv4(other_ip, 5);
    CHECK(!passes());
    ipv4(other_ip, 0);
    CHECK(!passes());
    ipv4(own_ip, 0)[0] = 0x55;
    CHECK(!passes());
    ipv4(own_ip, 0)[0] = 0x44;
    CHECK(!passes());
    uint8_t *ip = ipv4(none, 0);
    CHECK(!passes());
    ip[9] = UDP;
    write16(ip + 20, 68), write16(ip + 22, 67);
    CHECK(passes());
    write16(ip + 22, 53);
    CHECK(!passes());
}

TEST(ipv6_sources)
{
    uint8_t local[16] = {0xfe, 0x80, [15] = 9}, none[16] = {0}, own[16], other[16];
    memcpy(own, own_net6, 16);
    own[15] = 200;
    memcpy(other, own_net6, 16);
    other[8] = 0x10;
    rules(SWITCH_FILTER_IP);
    ipv6(own, 17);
    CHECK(passes());
    ipv6(other, 17); /* outside the 68 bits */
    CHECK(!passes());
    other[8] = 0x0f;
    ipv6(other, 17);
    CHECK(passes());
    ipv6(local, 17);
    CHECK(passes());
    ipv6(none, 17);
    CHECK(!passes());
    ipv6(none, ICMPV6);
    CHECK(passes());
    ipv6(own, 17)[0] = 0x40;
    CHECK(!passes());
    CHECK(!passes_cut(14 + 39));
}

TEST(neighbour_advertisements)
{
    uint8_t local[16] = {0xfe, 0x80, [15] = 9}, foreign[16] = {0x20, 0x01, 0x0d, 0xb8, 9};
    rules(SWITCH_FILTER_IP);
    uint8_t *ip = ipv6(local, ICMPV6);
    ip[40] = NEIGHBOUR_ADVERTISEMENT;
    memcpy(ip + 48, foreign, 16);
    CHECK(!passes());
    memcpy(ip + 48, own_net6, 16);
    CHECK(passes());
    memcpy(ip + 48, local, 16);
    CHECK(passes());
    ip[40] = 135;
    memcpy(ip + 48, foreign, 16);
    CHECK(passes());
}

TEST(nothing_hides_behind_a_second_tag)
{
    rules(SWITCH_FILTER_IP);
    begin(ETHERTYPE_VLAN, 5);
    CHECK(!passes());
    begin(ETHERTYPE_STAG, 0);
    CHECK(!passes());
    begin(0x88b5, 5);
    CHECK(passes());
}

TEST(rules_that_cannot_be_kept)
{
    rules(SWITCH_FILTER_IP | SWITCH_FILTER_MAC);
    CHECK(filter_is_sane(&port));
    memset(port.mac, 0, 6);
    CHECK(!filter_is_sane(&port));
    port.filters = SWITCH_FILTER_IP;
    CHECK(filter_is_sane(&port));
    memset(port.ip, 0, sizeof(port.ip));
    CHECK(!filter_is_sane(&port));
}
