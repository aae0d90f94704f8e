/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/offload.h"

#include "net/switch/sum.h"

#define IPV4_MIN 20u
#define IPV6_MIN 40u
#define TCP_MIN  20u
#define UDP_SIZE 8u
#define TCP      6u
#define UDP      17u
#define TCP_SUM  16u
#define UDP_SUM  6u
#define TCP_FIN  0x01u
#define TCP_PSH  0x08u
#define TCP_CWR  0x80u
/* Extension headers of IPv6 that may stand before TCP or UDP (RFC 8200, "Extension Headers"). */
#define IPV6_HOP_BY_HOP  0u
#define IPV6_DESTINATION 60u

static bool find_ipv4(const struct packet *p, struct layout *l, uint8_t *protocol)
{
    const uint8_t *ip = p->head + l->l3;
    if (p->head_size < l->l3 + IPV4_MIN || ip[0] >> 4 != 4)
        return false;
    uint32_t header = (ip[0] & 15u) * 4u;
    /* A fragment is no segment. */
    if (header < IPV4_MIN || read16(ip + 6) & 0x3fff)
        return false;
    l->l4 = (uint16_t)(l->l3 + header);
    *protocol = ip[9];
    return true;
}

static bool find_ipv6(const struct packet *p, struct layout *l, uint8_t *protocol)
{
    const uint8_t *ip = p->head + l->l3;
    if (p->head_size < l->l3 + IPV6_MIN || ip[0] >> 4 != 6)
        return false;
    uint32_t at = l->l3 + IPV6_MIN;
    uint8_t next = ip[6];
    while (next == IPV6_HOP_BY_HOP || next == IPV6_DESTINATION) {
        if (at + 8 > p->head_size)
            return false;
        next = p->head[at];
        at += (p->head[at + 1] + 1u) * 8u;
    }
    if (at > p->head_size)
        return false;
    l->l4 = (uint16_t)at;
    *protocol = next;
    return true;
}

static bool find_layout(struct packet *p, struct layout *l)
{
    uint8_t protocol = 0;
    packet_pull(p, PACKET_HEADER);
    l->l3 = (uint16_t)packet_l3(p);
    l->ipv6 = packet_type(p) == ETHERTYPE_IPV6;
    if (!l->ipv6 && packet_type(p) != ETHERTYPE_IPV4)
        return false;
    if (!(l->ipv6 ? find_ipv6(p, l, &protocol) : find_ipv4(p, l, &protocol)))
        return false;
    l->udp = protocol == UDP;
    uint32_t header = UDP_SIZE;
    if (p->head_size < l->l4 + (l->udp ? UDP_SIZE : TCP_MIN))
        return false;
    if (!l->udp)
        header = (p->head[l->l4 + 12] >> 4) * 4u;
    l->payload = (uint16_t)(l->l4 + header);
    return (l->udp || (protocol == TCP && header >= TCP_MIN)) && l->payload <= p->head_size;
}

static bool check_gso(struct packet *p, struct layout *l)
{
    uint32_t kind = p->flags & FRAME_GSO;
    if (!(p->flags & FRAME_NEEDS_CSUM) || !find_layout(p, l))
        return false;
    uint32_t is = l->udp ? FRAME_GSO_UDP : l->ipv6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
    if (kind != is || (p->flags & FRAME_GSO_ECN && l->udp))
        return false;
    if (p->csum_start != l->l4 || p->csum_offset != (l->udp ? UDP_SUM : TCP_SUM))
        return false;
    return p->gso_size && offload_segments(p, l) <= OFFLOAD_SEGMENTS_MAX;
}

bool offload_check(struct packet *p, struct layout *layout)
{
    const uint16_t known = FRAME_NEEDS_CSUM | FRAME_CSUM_GOOD | FRAME_GSO | FRAME_GSO_ECN;
    p->flags &= known;
    if (p->flags & FRAME_GSO)
        return check_gso(p, layout);
    p->flags &= (uint16_t)~FRAME_GSO_ECN;
    p->gso_size = 0;
    if (!(p->flags & FRAME_NEEDS_CSUM))
        return true;
    uint32_t field = (uint32_t)p->csum_start + p->csum_offset + 2;
    if (p->csum_start < packet_l3(p) || field > packet_length(p) || field > PACKET_HEADER)
        return false;
    packet_pull(p, field);
    return true;
}

/* RFC 768: a UDP sum of zero would mean that there is none. */
static void put_sum(uint8_t *field, const struct sum *sum)
{
    uint16_t value = (uint16_t)~sum_fold(sum);
    if (!value)
        value = 0xffff;
    memcpy(field, &value, 2);
}

void offload_finish_sum(struct packet *p)
{
    struct sum sum = {0};
    uint32_t in_head = p->head_size - p->csum_start;
    sum_add(&sum, p->head + p->csum_start, in_head);
    sum_add_slice(&sum, p->body);
    put_sum(p->head + p->csum_start + p->csum_offset, &sum);
    p->flags &= (uint16_t)~FRAME_NEEDS_CSUM;
    p->flags |= FRAME_CSUM_GOOD;
}

/* The frame may have got a tag since, or lost it. */
static struct layout layout_now(const struct packet *p, const struct layout *layout)
{
    struct layout l = *layout;
    int32_t shift = (int32_t)packet_l3(p) - l.l3;
    l.l3 = (uint16_t)(l.l3 + shift);
    l.l4 = (uint16_t)(l.l4 + shift);
    l.payload = (uint16_t)(l.payload + shift);
    return l;
}

uint16_t offload_header_length(const struct packet *p, const struct layout *layout)
{
    return layout_now(p, layout).payload;
}

uint32_t offload_segments(const struct packet *p, const struct layout *layout)
{
    uint32_t payload = packet_length(p) - layout_now(p, layout).payload;
    return payload ? (payload + p->gso_size - 1) / p->gso_size : 1;
}

void offload_begin(struct segments *s, const struct packet *p, const struct layout *layout)
{
    s->from = p;
    s->layout = layout_now(p, layout);
    s->index = 0;
    s->count = offload_segments(p, layout);
    s->head_size = 0;
    s->rest = p->body;
}

static void skip(struct slice *s, uint32_t n)
{
    s->length -= n;
    s->offset += n;
    while (s->length && s->offset >= s->part->length) {
        s->offset -= s->part->length;
        s->part++;
    }
}

/* Payload of this piece: what of it is in the frame's private part goes behind the headers, the
 * rest is a slice. */
static uint32_t take_payload(struct segments *s)
{
    const struct packet *p = s->from;
    uint32_t at = s->layout.payload + s->index * p->gso_size;
    uint32_t length = packet_length(p) - at;
    if (length > p->gso_size)
        length = p->gso_size;
    uint32_t in_head = at < p->head_size ? p->head_size - at : 0;
    if (in_head > length)
        in_head = length;
    memcpy(s->head + s->layout.payload, p->head + at, in_head);
    s->head_size = s->layout.payload + in_head;
    s->body = s->rest;
    s->body.length = length - in_head;
    skip(&s->rest, length - in_head);
    return length;
}

static void fix_ip(struct segments *s, uint32_t payload)
{
    uint8_t *ip = s->head + s->layout.l3;
    uint32_t l3_length = s->layout.payload - s->layout.l3 + payload;
    if (s->layout.ipv6) {
        write16(ip + 4, l3_length - IPV6_MIN);
        return;
    }
    struct sum sum = {0};
    write16(ip + 2, l3_length);
    write16(ip + 4, (read16(ip + 4) + s->index) & 0xffff);
    write16(ip + 10, 0);
    sum_add(&sum, ip, (ip[0] & 15u) * 4u);
    uint16_t value = (uint16_t)~sum_fold(&sum);
    memcpy(ip + 10, &value, 2);
}

/* RFC 9293, "Header Format"; RFC 3168, 6.1.2: only the first segment tells of a reduced window. */
static void fix_tcp(struct segments *s)
{
    uint8_t *tcp = s->head + s->layout.l4;
    write32(tcp + 4, read32(tcp + 4) + s->index * s->from->gso_size);
    if (s->index)
        tcp[13] &= (uint8_t)~TCP_CWR;
    if (s->index + 1 < s->count)
        tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
}

/* The pseudo header (RFC 9293, RFC 768, RFC 8200), then all from TCP or UDP on. */
static void sum_piece(struct segments *s, uint32_t payload)
{
    const struct layout *l = &s->layout;
    uint32_t l4_length = l->payload - l->l4 + payload;
    uint8_t *field = s->head + l->l4 + (l->udp ? UDP_SUM : TCP_SUM);
    uint8_t pseudo[8] = {0};
    struct sum sum = {0};
    sum_add(&sum, s->head + l->l3 + (l->ipv6 ? 8 : 12), l->ipv6 ? 32 : 8);
    write32(pseudo, l4_length);
    pseudo[7] = l->udp ? UDP : TCP;
    sum_add(&sum, pseudo, sizeof(pseudo));
    write16(field, 0);
    sum_add(&sum, s->head + l->l4, s->head_size - l->l4);
    sum_add_slice(&sum, s->body);
    put_sum(field, &sum);
}

bool offload_next(struct segments *s)
{
    if (s->index == s->count)
        return false;
    memcpy(s->head, s->from->head, s->layout.payload);
    uint32_t payload = take_payload(s);
    fix_ip(s, payload);
    if (s->layout.udp)
        write16(s->head + s->layout.l4 + 4, UDP_SIZE + payload);
    else
        fix_tcp(s);
    sum_piece(s, payload);
    s->index++;
    return true;
}
