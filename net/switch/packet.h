/* SPDX-License-Identifier: BSD-2-Clause */
/* A frame on its way through the switch: its headers in private memory, where the sender can not
 * change them any more, and the rest where the sender has put it. */
#ifndef NET_SWITCH_PACKET_H
#define NET_SWITCH_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "user/frame.h"

#define PACKET_HEADER 192u /* most that is made private: Ethernet, tag, IP with options, TCP */
#define PACKET_FIRST  24u  /* of each frame, whatever it is */
#define TAG_BYTES     4u
#define ETHERNET      14u

#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_ARP  0x0806u
#define ETHERTYPE_RARP 0x8035u
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_IPV6 0x86ddu
#define ETHERTYPE_STAG 0x88a8u

struct packet_part {
    const uint8_t *data;
    uint32_t length;
};

/* Some of the bytes of parts. */
struct slice {
    const struct packet_part *part;
    uint32_t offset; /* in the first part */
    uint32_t length;
};

struct packet {
    uint8_t *head;      /* in room[]: what was made private, with or without a tag */
    uint32_t head_size; /* bytes there */
    struct slice body;  /* what was not */
    uint16_t flags;     /* FRAME_* as the sender gave them */
    uint16_t gso_size, csum_start, csum_offset; /* csum_start: as the frame stands now */
    bool tagged;                                /* in head, now */
    uint16_t vlan;                              /* inside the switch; 0: none */
    uint16_t priority;                          /* upper four bits of the tag */
    uint32_t parts;
    struct packet_part part[FRAME_PARTS_MAX];
    _Alignas(8) uint8_t room[8 + PACKET_HEADER];
};

static inline uint32_t packet_length(const struct packet *p)
{
    return p->head_size + p->body.length;
}

/* Begins with the frame's parts, and makes its first bytes private. */
void packet_begin(struct packet *p, uint32_t length);
/* Makes bytes up to PACKET_HEADER private, or all there are. What is private stays as it was. */
void packet_pull(struct packet *p, uint32_t bytes);
/* Gives the frame a tag, or takes it away; the rest of the frame does not move. */
void packet_retag(struct packet *p, bool tagged);
/* Copies from a slice, and moves it behind. n: at most its length. */
void slice_read(struct slice *s, uint8_t *to, uint32_t n);

static inline uint16_t read16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t read32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void write16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void write32(uint8_t *p, uint32_t value)
{
    write16(p, value >> 16);
    write16(p + 2, value & 0xffff);
}

/* The six bytes as a number, first byte least significant. */
static inline uint64_t read_mac(const uint8_t *p)
{
    uint32_t low;
    uint16_t high;
    memcpy(&low, p, 4);
    memcpy(&high, p + 4, 2);
    return low | (uint64_t)high << 32;
}

#define MAC_BROADCAST     0xffffffffffffull
#define MAC_IS_GROUP(mac) ((mac)&1)

static inline uint16_t packet_type(const struct packet *p)
{
    return read16(p->head + (p->tagged ? 16 : 12));
}

/* Where the payload of Ethernet begins. */
static inline uint32_t packet_l3(const struct packet *p)
{
    return p->tagged ? ETHERNET + TAG_BYTES : ETHERNET;
}

#endif
