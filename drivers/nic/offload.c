/* SPDX-License-Identifier: BSD-2-Clause */
/* What a frame to the wire still lacks: sums, and to be cut. The switch's words are bounded by the
 * frame that lies in the pool, so that a chip is never told of headers beyond its begin. */
#include "drivers/nic/nic.h"

#include <string.h>

#define ETHER_HEADER 14u
#define ETHER_MIN    60u
#define TAG_BYTES    4u
#define TYPE_8021Q   0x8100u
#define TYPE_8021AD  0x88a8u
#define TYPE_IPV4    0x0800u
#define TYPE_IPV6    0x86ddu
#define IPV6_HEADER  40u
#define TCP_CSUM     16u
#define UDP_CSUM     6u
#define HEADERS_MAX  255u /* chips count their offsets in a byte */
#define GSO_MSS_MIN  8u

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static uint8_t *part_at(struct nic_queue *q, const struct nic_tx *tx, uint32_t part)
{
    return q->pool + nic_tx_at(tx->buffer[part]);
}

/* Adds the 16-bit words of some bytes; `odd`: the first is a word's second byte. */
static uint64_t add_words(uint64_t sum, const uint8_t *p, uint32_t bytes, bool odd)
{
    for (uint32_t i = 0; i < bytes; i++, odd = !odd)
        sum += odd ? p[i] : (uint32_t)p[i] << 8;
    return sum;
}

static uint32_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)sum;
}

/* The sum by hand, for chips that do not and protocols that they do not know. */
static void sum_here(struct nic_queue *q, const struct nic_tx *tx)
{
    uint64_t sum = 0;
    uint32_t skip = tx->csum_start;
    bool odd = false;
    for (uint32_t i = 0; i < tx->parts; i++) {
        sum = add_words(sum, part_at(q, tx, i) + skip, tx->bytes[i] - skip, odd);
        odd ^= (tx->bytes[i] - skip) & 1;
        skip = 0;
    }
    uint32_t result = ~fold(sum) & 0xffffu;
    if (!result && tx->udp)
        result = 0xffff; /* RFC 768: 0 would mean none */
    put16(part_at(q, tx, 0) + tx->csum_start + tx->csum_offset, result);
}

/* Bytes of the Ethernet header with its tags; 0: what follows is no IP. */
static uint32_t find_ip(const uint8_t *p, uint32_t bytes, bool *ipv6)
{
    uint32_t at = ETHER_HEADER;
    if (bytes < at + 2 * TAG_BYTES)
        return 0;
    for (uint32_t type = be16(p + 12);; type = be16(p + at - 2)) {
        *ipv6 = type == TYPE_IPV6;
        if (type == TYPE_IPV4 || type == TYPE_IPV6)
            return at;
        if ((type != TYPE_8021Q && type != TYPE_8021AD) || at > ETHER_HEADER + TAG_BYTES)
            return 0;
        at += TAG_BYTES;
    }
}

void nic_segment_headers(struct nic_queue *q, const struct nic_tx *tx)
{
    uint8_t *p = part_at(q, tx, 0), *ip = p + tx->l3_start;
    uint64_t sum = tx->udp ? 17 : 6;
    sum = tx->ipv6 ? add_words(sum, ip + 8, 32, false) : add_words(sum, ip + 12, 8, false);
    put16(p + tx->csum_start + tx->csum_offset, fold(sum));
    if (tx->ipv6) {
        put16(ip + 4, 0);
    } else {
        put16(ip + 2, 0);
        put16(ip + 10, 0);
    }
}

static bool take_segmentation(struct nic_queue *q, struct nic_tx *tx,
                              const struct frame_entry *entry)
{
    uint8_t *p = part_at(q, tx, 0);
    uint32_t takes = q->nic->takes, kind = entry->flags & FRAME_GSO;
    bool is_v6 = false;
    uint32_t ip = find_ip(p, tx->bytes[0], &is_v6);
    tx->udp = kind == FRAME_GSO_UDP;
    tx->ipv6 = is_v6;
    if (!ip || !tx->csum || tx->csum_offset != (tx->udp ? UDP_CSUM : TCP_CSUM))
        return false;
    bool taken = (kind == FRAME_GSO_TCP4 && !is_v6 && takes & FRAME_TAKES_TCP4) ||
                 (kind == FRAME_GSO_TCP6 && is_v6 && takes & FRAME_TAKES_TCP6) ||
                 (kind == FRAME_GSO_UDP && takes & FRAME_TAKES_UDP);
    if (!taken || (entry->flags & FRAME_GSO_ECN && !(takes & FRAME_TAKES_ECN)))
        return false;
    uint32_t l3 = is_v6 ? IPV6_HEADER : (p[ip] & 15u) * 4u;
    if (l3 < 20 || tx->csum_start < ip + l3 || (!is_v6 && tx->csum_start != ip + l3))
        return false;
    if (tx->csum_start + 20u > tx->bytes[0])
        return false;
    uint32_t l4 = tx->udp ? 8u : (uint32_t)(p[tx->csum_start + 12] >> 4) * 4u;
    uint32_t headers = tx->csum_start + l4;
    if (l4 < 8 || (!tx->udp && l4 < 20) || headers > tx->bytes[0] || headers > HEADERS_MAX)
        return false;
    if (entry->gso_size < GSO_MSS_MIN || headers + entry->gso_size > q->nic->mtu + 22u ||
        tx->length <= headers)
        return false;
    tx->l3_start = (uint16_t)ip;
    tx->header_length = (uint16_t)headers;
    tx->mss = entry->gso_size;
    tx->tso = true;
    return true;
}

/* A chip pads, too, but not all do so with zeroes. */
static void pad(struct nic_queue *q, struct nic_tx *tx)
{
    uint32_t last = tx->parts - 1, missing = ETHER_MIN - tx->length;
    if (tx->bytes[last] + missing > NIC_TX_BUFFER)
        return;
    memset(part_at(q, tx, last) + tx->bytes[last], 0, missing);
    tx->bytes[last] += missing;
    tx->length = ETHER_MIN;
}

static bool describe(struct nic_queue *q, struct nic_tx *tx, const struct frame_entry *entry)
{
    bool is_v6 = false;
    tx->flags = entry->flags;
    if (tx->bytes[0] < ETHER_HEADER || tx->length > FRAME_BYTES_MAX)
        return false;
    uint32_t kind = entry->flags & FRAME_GSO;
    if (kind & (kind - 1))
        return false;
    if (!kind && tx->length > q->nic->mtu + 22u)
        return false;
    if (!(entry->flags & FRAME_NEEDS_CSUM))
        return !kind;
    tx->csum = true;
    tx->csum_start = entry->csum_start;
    tx->csum_offset = entry->csum_offset;
    if (entry->csum_start < ETHER_HEADER || entry->csum_start > tx->bytes[0] ||
        (uint32_t)entry->csum_start + entry->csum_offset + 2u > tx->bytes[0])
        return false;
    if (kind)
        return take_segmentation(q, tx, entry);
    tx->udp = tx->csum_offset == UDP_CSUM;
    uint32_t ip = find_ip(part_at(q, tx, 0), tx->bytes[0], &is_v6);
    tx->l3_start = (uint16_t)ip;
    tx->ipv6 = is_v6;
    bool known = ip && ip < tx->csum_start && (tx->udp || tx->csum_offset == TCP_CSUM) &&
                 tx->csum_start + tx->csum_offset + 2u <= HEADERS_MAX;
    /* A short one is soon summed; some chips take the padding for part of what is to be summed. */
    if (!known || tx->length < ETHER_MIN || !(q->nic->takes & FRAME_TAKES_CSUM)) {
        sum_here(q, tx);
        tx->csum = false;
    }
    return true;
}

bool nic_offload(struct nic_queue *q, struct nic_tx *tx, const struct frame_entry *entry)
{
    if (!describe(q, tx, entry))
        return false;
    if (tx->length < ETHER_MIN)
        pad(q, tx);
    return true;
}
