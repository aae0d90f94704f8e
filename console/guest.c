/* SPDX-License-Identifier: BSD-2-Clause */
#include "console/guest.h"

#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "console/client.h"
#include "user/program.h"
#include "user/syscall_stubs.h"
#include "vmm/config.h"

#define RINGS_VA     0x0000200000000000ull
#define RINGS_STRIDE 0x100000ull

static const uint64_t room_bits[MGR_CHANNELS] = {VMM_CTL_SERIAL_ROOM, VMM_CTL_HVC_ROOM};
static const uint64_t input_bits[MGR_CHANNELS] = {VMM_CTL_SERIAL_IN, VMM_CTL_HVC_IN};

static uint64_t rings_va(const struct guest *g)
{
    return RINGS_VA + g->brief.index * RINGS_STRIDE;
}

/* Where a ring stands in memory tells how far this console, or the one before it that crashed, has
 * read: so a restart loses and repeats nothing. */
static void open_rings(struct guest *g)
{
    uint64_t at = rings_va(g) + (uint64_t)(g->layout.run & 1) * g->layout.channels * VMM_RING_BYTES;
    bool present[MGR_CHANNELS] = {g->layout.has_serial != 0, g->layout.has_virtio != 0};
    for (uint32_t c = 0; c < MGR_CHANNELS; c++) {
        struct guest_channel *ch = &g->channel[c];
        ch->present = present[c];
        if (!ch->present)
            continue;
        struct ring_shared *out = (struct ring_shared *)at;
        struct ring_shared *in = (struct ring_shared *)(at + VMM_RING_BYTES / 2);
        ring_init(&ch->out, out, VMM_RING_DATA, g->notif_slot, room_bits[c]);
        ring_init(&ch->in, in, VMM_RING_DATA, g->notif_slot, input_bits[c]);
        ch->out.index = out->tail;
        ch->in.index = in->head;
        prefix_restart(&ch->prefix); /* what the last run left open, the next does not close */
        at += VMM_RING_BYTES;
    }
}

static int64_t map_rings(struct guest *g)
{
    uint64_t expected = 2ull * g->layout.channels * VMM_RING_BYTES;
    uint32_t channels = (uint32_t)(g->layout.has_serial != 0) + (g->layout.has_virtio != 0);
    if (g->layout.channels != channels || g->layout.ring_bytes != expected)
        return ERR_ARG;
    int64_t status = sys_mem_map(SLOT_SELF_PD, g->ring_slot, rings_va(g), 0, g->layout.ring_bytes,
                                 MAP_READ | MAP_WRITE);
    g->mapped = status == OK;
    return status;
}

/* The rings' memory is the same for all runs; the notification is each run's own. */
static int64_t fetch(struct guest *g)
{
    uint32_t slots = slot_alloc_range(UTCB_CAPS);
    if (!slots)
        return ERR_QUOTA;
    int64_t status = client_console(g->brief.index, &g->layout, slots);
    bool has_rings = status == OK && g->layout.ring_bytes;
    slot_free(g->notif_slot);
    g->notif_slot = 0;
    g->has_notif = has_rings && g->layout.has_notif;
    if (g->has_notif)
        g->notif_slot = slots + 1;
    if (has_rings && !g->mapped) {
        g->ring_slot = slots;
        status = map_rings(g);
    }
    for (uint32_t i = 0; i < UTCB_CAPS; i++) {
        uint32_t slot = slots + i;
        if (slot != g->notif_slot && !(g->mapped && slot == g->ring_slot))
            slot_free(slot);
    }
    if (g->mapped)
        open_rings(g);
    return status;
}

int64_t guest_sync(struct guest *g, const struct mgr_brief *brief, guest_output *output,
                   void *context)
{
    bool changed = g->brief.run != brief->run || g->brief.id != brief->id;
    if (!changed && g->brief.name[0]) {
        g->brief = *brief;
        return OK;
    }
    while (guest_drain(g, VMM_RING_DATA, output, context) != GUEST_EMPTY)
        ;
    g->brief = *brief;
    g->unread = true;
    return fetch(g);
}

static void keep(struct guest_channel *ch, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ch->scrollback[(ch->total + i) % GUEST_SCROLLBACK] = bytes[i];
    ch->total += length;
}

/* Bytes taken from one channel, at most about limit. */
static size_t drain_channel(struct guest *g, enum mgr_channel c, size_t limit, guest_output *output,
                            void *context)
{
    uint8_t bytes[512];
    struct guest_channel *ch = &g->channel[c];
    size_t taken = 0;
    while (taken < limit) {
        size_t n = ring_read(&ch->out, bytes, sizeof(bytes));
        /* Asks to be woken before going; if something has come meanwhile, reads on. */
        if (!n && (taken || !ring_consumer_arm(&ch->out)))
            break;
        keep(ch, bytes, n);
        if (n)
            output(context, g, c, bytes, n);
        taken += n;
    }
    /* A VMM that lies about its ring could keep this console reading for ever. */
    if (ch->out.peer_errors) {
        log_line("%s: its VMM broke the rules of the console ring; it is not read any more",
                 g->brief.name);
        ch->present = false;
    }
    return taken;
}

enum guest_drained guest_drain(struct guest *g, size_t limit, guest_output *output, void *context)
{
    enum guest_drained result = GUEST_EMPTY;
    g->unread = false;
    for (uint32_t c = 0; c < MGR_CHANNELS && g->mapped; c++) {
        if (!g->channel[c].present)
            continue;
        size_t taken = drain_channel(g, (enum mgr_channel)c, limit, output, context);
        if (taken >= limit)
            result = GUEST_MORE;
        else if (taken && result == GUEST_EMPTY)
            result = GUEST_RESTING;
    }
    return result;
}

size_t guest_send(struct guest *g, enum mgr_channel channel, const uint8_t *bytes, size_t length)
{
    struct guest_channel *ch = &g->channel[channel];
    return g->mapped && g->has_notif && ch->present ? ring_write(&ch->in, bytes, length) : 0;
}

bool guest_default_channel(const struct guest *g, enum mgr_channel *channel)
{
    *channel = g->layout.has_serial ? MGR_CHANNEL_SERIAL : MGR_CHANNEL_VIRTIO;
    return g->layout.has_serial || g->layout.has_virtio;
}

size_t guest_scrollback(const struct guest *g, enum mgr_channel channel,
                        uint8_t bytes[GUEST_SCROLLBACK])
{
    const struct guest_channel *ch = &g->channel[channel];
    size_t n = ch->total < GUEST_SCROLLBACK ? (size_t)ch->total : GUEST_SCROLLBACK;
    for (size_t i = 0; i < n; i++)
        bytes[i] = ch->scrollback[(ch->total - n + i) % GUEST_SCROLLBACK];
    return n;
}
