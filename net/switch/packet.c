/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/packet.h"

void slice_read(struct slice *s, uint8_t *to, uint32_t n)
{
    while (n) {
        uint32_t piece = s->part->length - s->offset;
        if (piece > n)
            piece = n;
        memcpy(to, s->part->data + s->offset, piece);
        to += piece;
        n -= piece;
        s->offset += piece;
        s->length -= piece;
        if (s->offset == s->part->length) {
            s->part++;
            s->offset = 0;
        }
    }
}

void packet_begin(struct packet *p, uint32_t length)
{
    p->head = p->room + 8;
    p->head_size = 0;
    p->body = (struct slice){p->part, 0, length};
    p->vlan = p->priority = 0;
    p->tagged = false;
    packet_pull(p, PACKET_FIRST);
    p->tagged = p->head_size >= ETHERNET && read16(p->head + 12) == ETHERTYPE_VLAN;
}

void packet_pull(struct packet *p, uint32_t bytes)
{
    uint32_t more = bytes > PACKET_HEADER ? PACKET_HEADER : bytes;
    if (p->head_size >= more)
        return;
    more -= p->head_size;
    if (more > p->body.length)
        more = p->body.length;
    slice_read(&p->body, p->head + p->head_size, more);
    p->head_size += more;
}

/* The addresses move, by four bytes into the room before them or over the tag. */
static void move_addresses(struct packet *p, bool tagged)
{
    uint8_t *to = tagged ? p->head - TAG_BYTES : p->head + TAG_BYTES;
    memmove(to, p->head, 12);
    p->head = to;
    p->tagged = tagged;
    if (tagged) {
        write16(to + 12, ETHERTYPE_VLAN);
        p->head_size += TAG_BYTES;
        p->csum_start = (uint16_t)(p->csum_start + TAG_BYTES);
    } else {
        p->head_size -= TAG_BYTES;
        p->csum_start = (uint16_t)(p->csum_start - TAG_BYTES);
    }
}

void packet_retag(struct packet *p, bool tagged)
{
    if (p->tagged != tagged)
        move_addresses(p, tagged);
    if (tagged)
        write16(p->head + 14, (uint32_t)(p->priority | p->vlan));
}
