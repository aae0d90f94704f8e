/* SPDX-License-Identifier: BSD-2-Clause */
/* Receive descriptors of the 82540EM: one entry of the channel each. */
#include <string.h>
#include "vmm/e1000_parts.h"

#define STATUS_DD    0x01u
#define STATUS_EOP   0x02u
#define STATUS_IXSM  0x04u /* sums were not looked at */
#define STATUS_VP    0x08u
#define STATUS_TCPCS 0x20u
#define STATUS_IPCS  0x40u
#define RXCSUM_TUOFL 0x200u

#define CRC        4u
#define MACS       12u
#define TAG        4u
#define FRAME_MIN  60u    /* without CRC */
#define MTU_LONG   16110u /* with RCTL.LPE: 16,128 bytes, less header, CRC */
#define CHIP_ROUND 512u

struct e1000_receive_descriptor {
    uint64_t address;
    uint16_t length, sum;
    uint8_t status, errors;
    uint16_t special;
};
_Static_assert(sizeof(struct e1000_receive_descriptor) == E1000_DESCRIPTOR, "receive descriptor");

static uint32_t buffer_size(uint32_t rctl)
{
    uint32_t size = 2048u >> (rctl >> 16 & 3u);
    return rctl & RCTL_BSEX && size < 2048 ? size * 16 : size;
}

uint32_t e1000_mtu(const struct e1000 *card)
{
    uint32_t most = e1000_get(card, E1000_RCTL) & RCTL_LPE ? MTU_LONG : 1500;
    return card->net->mtu < most ? card->net->mtu : most;
}

/* Room for the CRC, which the chip appends, stays in each buffer: the last one needs it. */
void e1000_fill(struct e1000 *card)
{
    struct frame_owner_ring *ring = &card->net->frames.receive[0];
    uint32_t rctl = e1000_get(card, E1000_RCTL), tail = e1000_get(card, E1000_RDT);
    uint32_t size = e1000_ring_size(card, E1000_RDBAL), *next = &card->receive_next;
    uint32_t room = buffer_size(rctl) - CRC;
    while (rctl & RCTL_EN && *next < size && tail < size && *next != tail &&
           frame_owner_room(ring)) {
        const uint8_t *from = e1000_descriptor(card, E1000_RDBAL, *next);
        uint64_t gpa;
        if (!from)
            break;
        memcpy(&gpa, from, sizeof gpa);
        uint8_t *data = guest_ptr(card->machine, gpa, room);
        if (!data) /* the chip would abort the transfer; the guest has lost its ring's order */
            break;
        card->posted[ring->posted % FRAME_ENTRIES] =
            (struct e1000_posted){.descriptor = *next, .room = room, .data = data};
        struct frame_entry entry = {.offset = net_offset(card->net, data), .length = room};
        frame_owner_post(ring, &entry, 1);
        *next = (*next + 1) % size;
    }
    frame_owner_ring_bell(&card->net->frames, ring);
}

/* --- frames --- */

/* Takes the tag out of a frame's first buffer. Its length then. */
static uint32_t strip_tag(const struct e1000 *card, uint8_t *data, uint32_t length,
                          struct e1000_receive_descriptor *d)
{
    uint32_t type = (uint32_t)data[MACS] << 8 | data[MACS + 1];
    if (!(e1000_get(card, E1000_CTRL) & CTRL_VME) || length < MACS + TAG + 2 ||
        type != (e1000_get(card, E1000_VET) & 0xffffu))
        return length;
    d->special = (uint16_t)((uint16_t)data[MACS + 2] << 8 | data[MACS + 3]);
    d->status |= STATUS_VP;
    memmove(data + MACS, data + MACS + TAG, length - MACS - TAG);
    return length - TAG;
}

static void write_back_buffer(struct e1000 *card, uint32_t number,
                              const struct e1000_receive_descriptor *d)
{
    uint8_t *to = e1000_descriptor(card, E1000_RDBAL, number);
    if (!to)
        return;
    memcpy(to + 8, (const uint8_t *)d + 8, 4);
    memcpy(to + 13, (const uint8_t *)d + 13, 3);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* all else, and the data, before DD */
    *(volatile uint8_t *)(to + 12) = d->status;
}

static uint8_t sum_status(const struct e1000 *card, uint16_t flags)
{
    bool looks = e1000_get(card, E1000_RXCSUM) & RXCSUM_TUOFL;
    return looks && flags & FRAME_CSUM_GOOD ? STATUS_IPCS | STATUS_TCPCS : STATUS_IXSM;
}

/* True: a frame is complete. */
static bool take_buffer(struct e1000 *card, uint32_t index, const struct frame_entry *entry)
{
    const struct e1000_posted *slot = &card->posted[index];
    uint32_t length = entry->length < slot->room ? entry->length : slot->room;
    uint32_t size = e1000_ring_size(card, E1000_RDBAL);
    struct e1000_receive_descriptor d = {.status = STATUS_DD};
    bool first = !card->buffers_left;
    if (first) {
        card->buffers_left = entry->buffers ? entry->buffers : 1;
        card->frame_flags = entry->flags;
        length = strip_tag(card, slot->data, length, &d);
    }
    bool last = --card->buffers_left == 0;
    if (first && last && length < FRAME_MIN) {
        memset(slot->data + length, 0, FRAME_MIN - length);
        length = FRAME_MIN;
    }
    e1000_count_bytes(card, E1000_GORCL, length);
    e1000_count_bytes(card, E1000_TORL, length);
    if (last) {
        d.status |= STATUS_EOP | sum_status(card, card->frame_flags);
        length += e1000_get(card, E1000_RCTL) & RCTL_SECRC ? 0 : CRC;
    }
    d.length = (uint16_t)length;
    write_back_buffer(card, slot->descriptor, &d);
    if (size)
        e1000_set(card, E1000_RDH, (slot->descriptor + 1) % size);
    return last;
}

bool e1000_receive(struct e1000 *card)
{
    struct frame_owner *frames = &card->net->frames;
    struct frame_entry entry;
    uint32_t index, n = 0, taken = 0;
    for (; taken < CHIP_ROUND; taken++) {
        if (frame_owner_take(frames, &frames->receive[0], &entry, &index))
            n += take_buffer(card, index, &entry);
        else if (!frame_owner_arm(&frames->receive[0]))
            break;
    }
    if (taken == CHIP_ROUND)
        net_yield(card->net);
    if (!n)
        return false;
    e1000_count(card, E1000_GPRC, n);
    e1000_count(card, E1000_TPR, n);
    e1000_interrupt(card, ICR_RXT0);
    return true;
}

/* --- filters --- */

/* The multicast table is a hash: with any bit set, all multicast comes in, as it may. */
static bool has_multicast(const struct e1000 *card)
{
    for (uint32_t at = E1000_MTA; at < E1000_RA; at += 4) {
        if (e1000_get(card, at))
            return true;
    }
    return false;
}

void e1000_listen(struct e1000 *card)
{
    struct frame_channel *channel = card->net->frames.channel;
    uint32_t rctl = e1000_get(card, E1000_RCTL), listens = FRAME_LISTENS_LIST, n = 0;
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t low = e1000_get(card, E1000_RA + 8 * i),
                 high = e1000_get(card, E1000_RA + 8 * i + 4);
        uint8_t mac[8] = {0};
        if (!(high & RAH_AV))
            continue;
        memcpy(mac, &low, 4);
        memcpy(mac + 4, &high, 2);
        memcpy(channel->list_mac[n++], mac, sizeof mac);
    }
    for (uint32_t i = 0; i < 64; i++)
        channel->list_vlan[i] = (uint64_t)e1000_get(card, E1000_VFTA + 8 * i + 4) << 32 |
                                e1000_get(card, E1000_VFTA + 8 * i);
    if (rctl & RCTL_UPE)
        listens |= FRAME_LISTENS_ALL;
    if (rctl & RCTL_MPE || has_multicast(card))
        listens |= FRAME_LISTENS_MULTICAST;
    if (rctl & RCTL_VFE)
        listens |= FRAME_LISTENS_VLANS;
    __atomic_store_n(&channel->list_macs, n, __ATOMIC_RELEASE);
    __atomic_store_n(&channel->listens, listens, __ATOMIC_RELEASE);
    frame_owner_hears(&card->net->frames);
}
