/* SPDX-License-Identifier: BSD-2-Clause */
/* What a sender has left to hardware, done here for receivers that do not take it: sums, and the
 * cutting of long TCP and UDP segments. */
#ifndef NET_SWITCH_OFFLOAD_H
#define NET_SWITCH_OFFLOAD_H

#include "net/switch/packet.h"

/* A sender that asks for more pieces of one frame than this is refused: its frame would cost the
 * others too much. */
#define OFFLOAD_SEGMENTS_MAX 256u

/* Where the headers of a frame with FRAME_GSO lie, from its begin. */
struct layout {
    uint16_t l3, l4, payload; /* payload: all headers' length */
    bool ipv6, udp;
};

/* What the sender says of sums and segments agrees with the frame; *layout is filled in if it has
 * FRAME_GSO. The headers are private then. */
bool offload_check(struct packet *p, struct layout *layout);

/* Puts the sum in. */
void offload_finish_sum(struct packet *p);

/* The pieces of a frame, one after the other. */
struct segments {
    const struct packet *from;
    struct layout layout;
    struct slice rest; /* payload that is still to come */
    uint32_t index, count;
    uint32_t head_size;
    struct slice body; /* of this piece */
    uint8_t head[PACKET_HEADER + 8];
};
/* Bytes of all headers, as the frame stands now. */
uint16_t offload_header_length(const struct packet *p, const struct layout *layout);
/* Pieces that the frame is cut into; the layout is that of offload_check(). */
uint32_t offload_segments(const struct packet *p, const struct layout *layout);
void offload_begin(struct segments *s, const struct packet *p, const struct layout *layout);
/* Makes the next piece; false: there was none left. */
bool offload_next(struct segments *s);

#endif
