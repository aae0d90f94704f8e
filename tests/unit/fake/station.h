/* SPDX-License-Identifier: BSD-2-Clause */
/* A network for the host's IP stack: the switch's side of its channel, and one other station there,
 * which makes frames by hand. */
#ifndef TESTS_UNIT_FAKE_STATION_H
#define TESTS_UNIT_FAKE_STATION_H

#include <stdbool.h>
#include "net/ip/config.h"
#include "user/frame.h"

#define FRAMES 2048u
struct frame {
    uint32_t size;
    uint8_t byte[1600];
};
static struct frame_channel *channel;
static uint8_t area_memory[IP_AREA_BYTES];
static struct frame sent[FRAMES]; /* by the stack */
static uint32_t sent_count;
static const uint8_t station_mac[6] = {2, 0, 0, 0, 0, 2}, host_mac[6] = {2, 0, 0, 0, 0, 1};
static uint32_t station_ip = 0x0a000202, host_ip = 0x0a00020f;

static struct frame_ring *ring_of(bool receive)
{
    return receive ? &channel->pair[0].receive : &channel->pair[0].send;
}

/* What the stack has posted to be sent is taken. */
static void switch_take(void)
{
    struct frame_ring *r = ring_of(false);
    for (; r->ended != r->posted; r->ended++) {
        const struct frame_entry *e = &r->entry[r->ended % FRAME_ENTRIES];
        if (e->offset > IP_AREA_BYTES || e->length > IP_AREA_BYTES - e->offset)
            abort();
        struct frame *f = &sent[sent_count < FRAMES ? sent_count++ : FRAMES - 1];
        f->size = e->length < sizeof(f->byte) ? e->length : sizeof(f->byte);
        memcpy(f->byte, area_memory + e->offset, f->size);
    }
}

/* False: the stack has posted no buffer. */
static bool deliver(const void *frame, uint32_t size)
{
    struct frame_ring *r = ring_of(true);
    if (r->ended == r->posted)
        return false;
    struct frame_entry *e = &r->entry[r->ended % FRAME_ENTRIES];
    if (size > e->length)
        abort();
    memcpy(area_memory + e->offset, frame, size);
    e->length = size;
    r->ended++;
    return true;
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}
static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static uint32_t sum_of(const uint8_t *p, uint32_t size, uint32_t sum)
{
    for (uint32_t i = 0; i < size; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Ethernet and IPv4 headers around a payload; the payload's sum goes to sum_at, UINT32_MAX: none.
 */
static void send_ip(uint32_t from, uint8_t protocol, const uint8_t *payload, uint32_t size,
                    uint32_t sum_at, uint32_t fragment)
{
    uint8_t f[1600] = {0};
    memcpy(f, host_mac, 6);
    memcpy(f + 6, station_mac, 6);
    put16(f + 12, 0x0800);
    uint8_t *ip = f + 14;
    ip[0] = 0x45;
    put16(ip + 2, 20 + size);
    put16(ip + 4, fragment >> 16);
    put16(ip + 6, fragment);
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, from);
    put32(ip + 16, host_ip);
    put16(ip + 10, ~sum_of(ip, 20, 0));
    memcpy(ip + 20, payload, size);
    if (sum_at != UINT32_MAX) {
        uint32_t pseudo = protocol == 1 ? 0 : sum_of(ip + 12, 8, protocol + size);
        put16(ip + 20 + sum_at, 0);
        put16(ip + 20 + sum_at, ~sum_of(ip + 20, size, pseudo));
    }
    deliver(f, 34 + size);
}

static void send_udp(uint16_t from, uint16_t to, const void *data, uint32_t size)
{
    uint8_t u[1500];
    put16(u, from);
    put16(u + 2, to);
    put16(u + 4, 8 + size);
    memcpy(u + 8, data, size);
    send_ip(station_ip, 17, u, 8 + size, 6, 0);
}

/* Answers ARP for every address but the host's. */
static void answer_arp(const struct frame *f)
{
    uint8_t a[42];
    const uint8_t *arp = f->byte + 14;
    uint32_t asked = get32(arp + 24);
    if (get16(f->byte + 12) != 0x0806 || get16(arp + 6) != 1 || asked == host_ip)
        return;
    memcpy(a, host_mac, 6);
    memcpy(a + 6, station_mac, 6);
    put16(a + 12, 0x0806);
    memcpy(a + 14, arp, 6);
    put16(a + 20, 2);
    memcpy(a + 22, station_mac, 6);
    put32(a + 28, asked);
    memcpy(a + 32, arp + 8, 10);
    deliver(a, sizeof(a));
}

/* A UDP datagram of the stack to this port: its payload and the port it came from. */
static const uint8_t *udp_to(const struct frame *f, uint16_t port, uint32_t *size, uint16_t *from)
{
    const uint8_t *ip = f->byte + 14, *u = ip + 20;
    if (get16(f->byte + 12) != 0x0800 || ip[9] != 17 || get16(u + 2) != port)
        return NULL;
    *size = get16(u + 4) - 8u;
    *from = get16(u);
    return u + 8;
}

/* --- a TCP client by hand --- */
#define TCP_FIN 1u
#define TCP_SYN 2u
#define TCP_RST 4u
#define TCP_ACK 16u
struct client {
    uint32_t ip;
    uint16_t port, window;
    uint32_t seq, ack;
    bool open, reset, ended; /* SYN|ACK, RST, FIN have come */
    bool silent;             /* acknowledges nothing */
    uint32_t got;
    char text[600000];
};

static void tcp_out(struct client *c, uint8_t flags, const void *data, uint32_t size)
{
    uint8_t t[1500] = {0};
    put16(t, c->port);
    put16(t + 2, 9100);
    put32(t + 4, c->seq);
    put32(t + 8, flags & TCP_ACK ? c->ack : 0);
    t[12] = 5 << 4;
    t[13] = flags;
    put16(t + 14, c->window);
    if (size)
        memcpy(t + 20, data, size);
    send_ip(c->ip, 6, t, 20 + size, 16, 0);
    c->seq += size + !!(flags & (TCP_SYN | TCP_FIN));
}

static void tcp_in(struct client *c, const struct frame *f)
{
    const uint8_t *ip = f->byte + 14, *t = ip + 20;
    if (get16(f->byte + 12) != 0x0800 || ip[9] != 6 || get32(ip + 16) != c->ip ||
        get16(t + 2) != c->port)
        return;
    uint32_t head = (uint32_t)(t[12] >> 4) * 4, size = get16(ip + 2) - 20u - head;
    uint32_t seq = get32(t + 4);
    c->reset |= t[13] & TCP_RST ? 1 : 0;
    if (t[13] & TCP_SYN) {
        c->open = true;
        c->ack = seq + 1;
    } else if (seq == c->ack && !c->silent) {
        uint32_t room = (uint32_t)sizeof(c->text) - 1 - c->got;
        memcpy(c->text + c->got, t + head, size < room ? size : room);
        c->got += size < room ? size : room;
        c->text[c->got] = 0;
        c->ack += size + (t[13] & TCP_FIN ? 1 : 0);
        c->ended |= t[13] & TCP_FIN ? 1 : 0;
    }
    if ((size || t[13] & (TCP_SYN | TCP_FIN)) && !c->silent && !c->reset)
        tcp_out(c, TCP_ACK, NULL, 0);
}

#endif
