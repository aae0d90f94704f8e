/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/switch/mirror.h"

#define NS_PER_S 1000000000ull

static void put_little(uint8_t *to, uint64_t value)
{
    uint32_t word = (uint32_t)value;
    memcpy(to, &word, sizeof(word));
}

/* As the sender gave it: long segments are not cut, and sums that hardware was to put in are not
 * in. What a capture port gets begins with the record's header. */
void mirror_frame(struct fabric *f, const struct port *port, const struct packet *p)
{
    uint32_t index = port->config.mirror - 1;
    struct port *to = index < SWITCH_PORTS ? f->port[index] : NULL;
    uint8_t head[PCAP_RECORD + PACKET_HEADER + TAG_BYTES];
    uint32_t record = 0;
    if (!to || to == port || !to->pairs || to->config.network != port->config.network)
        return;
    if (to->config.kind == SWITCH_PORT_CAPTURE) {
        uint32_t length = packet_length(p);
        record = PCAP_RECORD;
        put_little(head, f->now_ns / NS_PER_S);
        put_little(head + 4, f->now_ns % NS_PER_S);
        put_little(head + 8, length);
        put_little(head + 12, length);
    }
    memcpy(head + record, p->head, p->head_size);
    struct port_delivery d = {.head = head, .head_size = record + p->head_size, .body = p->body};
    bool put = port_put(to, 0, &d) == PORT_PUT;
    port_count(to, put ? SWITCH_RX_FRAMES : SWITCH_RX_DROPPED, 1);
    if (put)
        port_count(to, SWITCH_RX_BYTES, d.head_size + d.body.length);
    bit_set(f->moved, to->id);
}
