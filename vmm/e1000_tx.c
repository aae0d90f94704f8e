/* SPDX-License-Identifier: BSD-2-Clause */
/* Transmit descriptors of the 82540EM: legacy, context, data; to frames of the channel.
 * Segmentation and sums are left to the switch; what the chip does beyond that to a frame's headers
 * (IP length and checksum, the length in TCP's pseudo header, the VLAN tag) is done on a copy. */
#include <string.h>
#include "vmm/e1000_parts.h"

/* Bits of both kinds: the upper byte of a descriptor's third word. */
#define CMD_EOP  0x01u
#define CMD_IC   0x04u /* legacy: insert checksum */
#define CMD_TSE  0x04u /* data: segmentation */
#define CMD_RS   0x08u
#define CMD_DEXT 0x20u
#define CMD_VLE  0x40u

#define TUCMD_TCP    0x01u
#define TUCMD_IP     0x02u /* IPv4 */
#define POPTS_IXSM   0x01u
#define POPTS_TXSM   0x02u
#define TX_STATUS_DD 0x01u

#define DTYP_DATA      1u
#define ETHERNET_MIN   14u
#define MACS           12u
#define TAG            4u
#define HEADER_MAX     240u /* bytes of headers that are copied */
#define BOUNCE_STEP    256u
#define MANY_FRAMES    32u
#define CHIP_SETTLE_NS 500000ull

_Static_assert(FRAME_ENTRIES *BOUNCE_STEP == VMM_NET_BOUNCE, "a place for each entry");

struct e1000_descriptor_words {
    uint64_t address;
    uint32_t low, high;
};

/* --- sums --- */

static uint32_t sum_words(const uint8_t *data, uint32_t length, uint32_t sum)
{
    for (uint32_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    if (length & 1)
        sum += (uint32_t)data[length - 1] << 8;
    return sum;
}

static uint16_t fold_sum(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)sum;
}

static void put_be16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

/* --- headers --- */

/* IPv4's checksum, over a header that lies in the copy. */
static bool put_ip_sum(const struct e1000_context *context, uint8_t *header, uint32_t bytes)
{
    uint32_t end = (uint32_t)context->ipcse + 1;
    if (context->ipcss >= end || end > bytes || context->ipcso + 2u > bytes ||
        context->ipcso < context->ipcss)
        return false;
    put_be16(header + context->ipcso, 0);
    uint32_t sum = sum_words(header + context->ipcss, end - context->ipcss, 0);
    put_be16(header + context->ipcso, (uint16_t)~fold_sum(sum));
    return true;
}

/* The guest leaves the lengths out: each segment has its own. Here the frame stays whole. */
static bool put_lengths(const struct e1000_context *context, uint8_t *header, uint32_t bytes,
                        uint32_t frame)
{
    uint32_t ip = context->ipcss, tcp = context->tucss;
    bool v4 = context->tucmd & TUCMD_IP;
    if (ip + (v4 ? 20u : 40u) > bytes || context->tucso + 2u > bytes || tcp <= ip || tcp >= frame)
        return false;
    put_be16(header + ip + (v4 ? 2 : 4), frame - ip - (v4 ? 0 : 40));
    uint8_t *sum = header + context->tucso;
    uint32_t pseudo = (uint32_t)sum[0] << 8 | sum[1];
    put_be16(sum, fold_sum(pseudo + (frame - tcp)));
    return true;
}

/* Bytes of the frame that have to be copied; 0: none. */
static uint32_t header_bytes(const struct e1000_frame *frame, const struct e1000_context *context)
{
    uint32_t bytes = frame->command & CMD_VLE ? MACS : 0;
    if (!(frame->command & CMD_DEXT))
        return bytes;
    if (frame->command & CMD_TSE)
        return context->hdrlen;
    if (frame->options & POPTS_IXSM && context->ipcse + 1u > bytes)
        bytes = context->ipcse + 1u;
    return bytes;
}

/* Copies the frame's first `bytes` bytes; they leave its entries. */
static bool copy_header(const struct e1000 *card, struct e1000_frame *frame, uint8_t *to,
                        uint32_t bytes)
{
    uint32_t done = 0, used = 0;
    while (done < bytes && used < frame->entries) {
        struct frame_entry *entry = &frame->entry[used];
        uint32_t part = bytes - done < entry->length ? bytes - done : entry->length;
        uint64_t gpa = entry->offset;
        if (gpa >= card->machine->ram_low)
            gpa += GUEST_HIGH_RAM - card->machine->ram_low;
        memcpy(to + done, card->machine->guest_base + gpa, part);
        done += part;
        entry->offset += part;
        entry->length -= part;
        used += entry->length == 0;
    }
    frame->entries -= used;
    memmove(frame->entry, frame->entry + used, frame->entries * sizeof frame->entry[0]);
    return done == bytes;
}

/* Puts an entry with the changed headers in front of the frame's. */
static bool bounce_header(struct e1000 *card, const struct e1000_context *context, uint32_t bytes)
{
    struct e1000_frame *frame = &card->frame;
    uint32_t slot = card->net->frames.send[0].posted % FRAME_ENTRIES;
    uint8_t *header = card->net->bounce + slot * BOUNCE_STEP;
    bool extended = frame->command & CMD_DEXT;
    if (bytes > HEADER_MAX || bytes > frame->bytes || !copy_header(card, frame, header, bytes) ||
        frame->entries == FRAME_PARTS_MAX)
        return false;
    if (extended && frame->command & CMD_TSE && !put_lengths(context, header, bytes, frame->bytes))
        return false;
    if (extended && frame->options & POPTS_IXSM && !put_ip_sum(context, header, bytes))
        return false;
    if (frame->command & CMD_VLE) {
        memmove(header + MACS + TAG, header + MACS, bytes - MACS);
        put_be16(header + MACS, e1000_get(card, E1000_VET) & 0xffffu);
        put_be16(header + MACS + 2, frame->special);
        bytes += TAG;
        frame->bytes += TAG;
    }
    memmove(frame->entry + 1, frame->entry, frame->entries * sizeof frame->entry[0]);
    frame->entries++;
    frame->entry[0] =
        (struct frame_entry){.offset = card->net->bounce_at + slot * BOUNCE_STEP, .length = bytes};
    return true;
}

/* --- frames --- */

static bool ask_sum(struct e1000_frame *frame, uint32_t from, uint32_t at)
{
    struct frame_entry *first = &frame->entry[0];
    uint32_t tag = frame->command & CMD_VLE ? TAG : 0;
    if (at < from || at + tag + 2 > frame->bytes)
        return false;
    first->flags |= FRAME_NEEDS_CSUM;
    first->csum_start = (uint16_t)(from + tag);
    first->csum_offset = (uint16_t)(at - from);
    return true;
}

static bool ask_segments(struct e1000_frame *frame, const struct e1000_context *context)
{
    struct frame_entry *first = &frame->entry[0];
    uint32_t tag = frame->command & CMD_VLE ? TAG : 0;
    uint32_t header = context->hdrlen + tag;
    if (!(context->tucmd & TUCMD_TCP) || !context->mss || header >= frame->bytes)
        return false;
    if (frame->bytes - header <= context->mss)
        return true;
    first->flags |= context->tucmd & TUCMD_IP ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6;
    first->gso_size = context->mss;
    first->header_length = (uint16_t)header;
    return true;
}

static bool finish_frame(struct e1000 *card)
{
    struct e1000_frame *frame = &card->frame;
    bool extended = frame->command & CMD_DEXT;
    bool cut = extended && frame->command & CMD_TSE;
    const struct e1000_context *context = &card->context[cut];
    uint32_t bytes = header_bytes(frame, context);
    if (frame->bad || frame->bytes < ETHERNET_MIN || frame->bytes + TAG > FRAME_BYTES_MAX ||
        (cut && !bytes) || (bytes && !bounce_header(card, context, bytes)))
        return false;
    frame->entry[0].flags = 0;
    if (extended && (cut || frame->options & POPTS_TXSM) &&
        !ask_sum(frame, context->tucss, context->tucso))
        return false;
    if (!extended && frame->command & CMD_IC && !ask_sum(frame, frame->sum_from, frame->sum_at))
        return false;
    if (cut && !ask_segments(frame, context))
        return false;
    for (uint32_t i = 0; i + 1 < frame->entries; i++)
        frame->entry[i].flags |= FRAME_MORE;
    return true;
}

static void report_done(struct e1000 *card, uint32_t first, uint32_t last)
{
    uint32_t size = e1000_ring_size(card, E1000_TDBAL);
    for (uint32_t i = first; size && i < size; i = (i + 1) % size) {
        uint8_t *descriptor = e1000_descriptor(card, E1000_TDBAL, i);
        if (descriptor && descriptor[11] & CMD_RS)
            *(volatile uint8_t *)(descriptor + 12) |= TX_STATUS_DD;
        if (i == last || i + 1 == first)
            return;
    }
}

/* The descriptor with EOP has come. */
static void send_frame_of(struct e1000 *card, uint32_t last)
{
    struct e1000_frame *frame = &card->frame;
    struct frame_owner_ring *ring = &card->net->frames.send[0];
    uint32_t at = ring->posted, bytes = frame->bytes;
    if (!finish_frame(card) || !frame_owner_post(ring, frame->entry, frame->entries)) {
        card->malformed++;
        report_done(card, frame->first, last);
        e1000_interrupt(card, ICR_TXDW);
    } else {
        for (uint32_t k = 0; k < frame->entries; k++)
            card->sent[(at + k) % FRAME_ENTRIES] = (struct e1000_sent){
                .first = frame->first, .last = last, .ends = k == frame->entries - 1};
        card->frames_sent++;
        e1000_count(card, E1000_GPTC, 1);
        e1000_count(card, E1000_TPT, 1);
        e1000_count_bytes(card, E1000_GOTCL, bytes);
        e1000_count_bytes(card, E1000_TOTL, bytes);
    }
    frame->begun = false;
}

/* --- descriptors --- */

static void take_context(struct e1000 *card, const struct e1000_descriptor_words *d)
{
    uint8_t tucmd = (uint8_t)(d->low >> 24);
    card->context[tucmd & CMD_TSE ? 1 : 0] =
        (struct e1000_context){.ipcss = (uint8_t)d->address,
                               .ipcso = (uint8_t)(d->address >> 8),
                               .ipcse = (uint16_t)(d->address >> 16),
                               .tucss = (uint8_t)(d->address >> 32),
                               .tucso = (uint8_t)(d->address >> 40),
                               .tucmd = tucmd,
                               .hdrlen = (uint8_t)(d->high >> 8),
                               .mss = (uint16_t)(d->high >> 16)};
}

static void add_chip_memory(struct e1000 *card, uint64_t gpa, uint32_t length)
{
    struct e1000_frame *frame = &card->frame;
    const uint8_t *data = guest_ptr(card->machine, gpa, length);
    if (!length)
        return;
    if (!data || length > FRAME_BYTES_MAX - frame->bytes) {
        frame->bad = true;
        return;
    }
    uint64_t offset = net_offset(card->net, data);
    struct frame_entry *last = frame->entries ? &frame->entry[frame->entries - 1] : NULL;
    frame->bytes += length;
    if (last && last->offset + last->length == offset)
        last->length += length;
    else if (frame->entries < FRAME_PARTS_MAX)
        frame->entry[frame->entries++] = (struct frame_entry){.offset = offset, .length = length};
    else
        frame->bad = true;
}

static void take_descriptor(struct e1000 *card, const struct e1000_descriptor_words *d,
                            uint32_t number)
{
    struct e1000_frame *frame = &card->frame;
    uint8_t command = (uint8_t)(d->low >> 24);
    bool extended = command & CMD_DEXT;
    if (!frame->begun) {
        frame->begun = true;
        frame->bad = false;
        frame->entries = frame->bytes = 0;
        frame->first = number;
        frame->command = command;
        frame->options = (uint8_t)(d->high >> 8);
        frame->sum_at = (uint8_t)(d->low >> 16);
        frame->sum_from = (uint8_t)(d->high >> 8);
    }
    /* The tag stands in the last one, and whether there is one. */
    frame->command = (uint8_t)((frame->command & ~CMD_VLE) | (command & CMD_VLE));
    frame->special = (uint16_t)(d->high >> 16);
    add_chip_memory(card, d->address, d->low & (extended ? 0xfffffu : 0xffffu));
    if (command & CMD_EOP)
        send_frame_of(card, number);
}

void e1000_send(struct e1000 *card)
{
    struct frame_owner_ring *ring = &card->net->frames.send[0];
    uint32_t size = e1000_ring_size(card, E1000_TDBAL), tail = e1000_get(card, E1000_TDT);
    uint32_t head = e1000_get(card, E1000_TDH);
    while (e1000_get(card, E1000_TCTL) & TCTL_EN && head < size && tail < size && head != tail &&
           frame_owner_room(ring) > FRAME_PARTS_MAX) {
        const uint8_t *from = e1000_descriptor(card, E1000_TDBAL, head);
        struct e1000_descriptor_words d;
        if (!from)
            break;
        memcpy(&d, from, sizeof d);
        if (d.low >> 24 & CMD_DEXT && (d.low >> 20 & 15u) != DTYP_DATA) {
            take_context(card, &d);
            report_done(card, head, head);
        } else {
            take_descriptor(card, &d, head);
        }
        head = (head + 1) % size;
        e1000_set(card, E1000_TDH, head);
    }
    frame_owner_ring_bell(&card->net->frames, ring);
    if (card->frames_sent >= MANY_FRAMES && frame_owner_arm(ring))
        net_yield(card->net);
    if (card->frames_sent && card->settle.place == 0)
        timer_arm(card->machine, &card->settle, clock_ns(card->machine) + CHIP_SETTLE_NS);
}

bool e1000_reap(struct e1000 *card)
{
    struct frame_entry entry;
    uint32_t index, n = 0;
    while (frame_owner_take(&card->net->frames, &card->net->frames.send[0], &entry, &index)) {
        const struct e1000_sent *sent = &card->sent[index];
        if (!sent->ends)
            continue;
        report_done(card, sent->first, sent->last);
        n++;
    }
    if (!n)
        return false;
    card->frames_sent -= n;
    e1000_interrupt(card, card->frames_sent ? ICR_TXDW : ICR_TXDW | ICR_TXQE);
    return true;
}

/* --- epochs --- */

void e1000_tx_void(struct e1000 *card)
{
    const struct frame_owner_ring *ring = &card->net->frames.send[0];
    if (ring->posted == ring->taken)
        return; /* nothing, or an epoch that never began: what was noted stays */
    card->void_from = ring->taken;
    card->void_to = ring->posted;
}

void e1000_tx_give_back(struct e1000 *card)
{
    bool some = card->void_from != card->void_to;
    for (; card->void_from != card->void_to; card->void_from++) {
        const struct e1000_sent *sent = &card->sent[card->void_from % FRAME_ENTRIES];
        if (sent->ends)
            report_done(card, sent->first, sent->last);
    }
    card->frames_sent = 0;
    if (some)
        e1000_interrupt(card, ICR_TXDW | ICR_TXQE);
}
