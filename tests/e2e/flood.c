/* SPDX-License-Identifier: BSD-2-Clause */
/* What no guest should send: `flood KIND COUNT` sends SYNs, fragments, questions by ARP, or noise
 * as whole frames from eth0 to 10.0.0.9, whose hardware address is 52:54:00:00:00:01. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define TARGET   0x0a000009u
#define SOURCES  100u
#define IP_BYTES 20u
#define SYN      2u
#define HTTP     9100u

static const uint8_t target_mac[6] = {0x52, 0x54, 0, 0, 0, 1};
static uint8_t frame[1514];

static void put(uint32_t at, uint32_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        frame[at + i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static uint32_t sum(uint32_t at, uint32_t bytes, uint32_t total)
{
    for (uint32_t i = 0; i < bytes; i += 2)
        total += (uint32_t)frame[at + i] << 8 | frame[at + i + 1];
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

static uint32_t source(uint32_t i)
{
    return 0x0a000064u + i % SOURCES;
}

static void ethernet(uint32_t i, uint32_t type)
{
    memset(frame, 0, sizeof(frame));
    memcpy(frame, target_mac, 6);
    put(6, 0x0200, 2);
    put(8, source(i), 4);
    put(12, type, 2);
}

static void ip(uint32_t i, uint32_t protocol, uint32_t payload, uint32_t fragment)
{
    ethernet(i, ETHERTYPE_IP);
    put(14, 0x4500, 2);
    put(16, IP_BYTES + payload, 2);
    put(18, (uint32_t)rand(), 2);
    put(20, fragment, 2);
    put(22, 64u << 8 | protocol, 2);
    put(26, source(i), 4);
    put(30, TARGET, 4);
    put(24, ~sum(14, IP_BYTES, 0), 2);
}

static uint32_t make_syn(uint32_t i)
{
    const uint32_t tcp = 34, bytes = 20;
    ip(i, IPPROTO_TCP, bytes, 0);
    put(tcp, 1024 + (uint32_t)rand() % 60000, 2);
    put(tcp + 2, HTTP, 2);
    put(tcp + 4, (uint32_t)rand(), 4);
    put(tcp + 12, 5u << 12 | SYN, 2);
    put(tcp + 14, 64000, 2);
    put(tcp + 16, ~sum(tcp, bytes, sum(26, 8, IPPROTO_TCP + bytes)), 2);
    return tcp + bytes;
}

static uint32_t make_fragment(uint32_t i)
{
    ip(i, IPPROTO_UDP, 1000, 0x2000 | i % 60 * 125);
    return 34 + 1000;
}

static uint32_t make_arp(uint32_t i)
{
    ethernet(i, ETHERTYPE_ARP);
    memset(frame, 0xff, 6);
    put(14, 0x0001, 2);
    put(16, ETHERTYPE_IP, 2);
    put(18, 0x0604, 2);
    put(20, 1, 2);
    memcpy(frame + 22, frame + 6, 6);
    put(28, source(i), 4);
    put(38, TARGET, 4);
    return 60;
}

static uint32_t make_noise(uint32_t i)
{
    static const uint32_t types[4] = {ETHERTYPE_IP, ETHERTYPE_IPV6, ETHERTYPE_ARP, 0x1234};
    ethernet(i, types[i % 4]);
    uint32_t bytes = 60 + (uint32_t)rand() % 1400;
    for (uint32_t at = 14; at < bytes; at++)
        frame[at] = (uint8_t)rand();
    return bytes;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint32_t (*make)(uint32_t i);
    } kinds[] = {
        {"syns", make_syn}, {"fragments", make_fragment}, {"arp", make_arp}, {"noise", make_noise}};
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("eth0")};
    int wire = socket(AF_PACKET, SOCK_RAW, 0);
    long count = argc == 3 ? strtol(argv[2], NULL, 10) : 0, sent = 0;
    for (size_t k = 0; wire >= 0 && count && k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        if (strcmp(kinds[k].name, argv[1]) != 0)
            continue;
        for (long i = 0; i < count; i++) {
            uint32_t bytes = kinds[k].make((uint32_t)i);
            sent +=
                sendto(wire, frame, bytes, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)bytes;
        }
    }
    printf("%ld of %ld %s were sent\n", sent, count, argc > 1 ? argv[1] : "");
    return sent ? 0 : 1;
}
