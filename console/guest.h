/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's consoles: the rings to its VMM, what it said last, and its lines for console=all. */
#ifndef CONSOLE_GUEST_H
#define CONSOLE_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include "console/prefix.h"
#include "manager/protocol.h"
#include "user/ring.h"

#define GUEST_SCROLLBACK 4096u

struct guest_channel {
    bool present;
    struct ring out, in; /* guest to console, console to guest; usable while guest.mapped */
    uint64_t total;      /* bytes ever kept; the scrollback holds the last of them */
    uint8_t scrollback[GUEST_SCROLLBACK];
    struct prefix prefix;
};

struct guest {
    struct mgr_brief brief;
    struct mgr_console layout;
    bool mapped;
    bool unread; /* changed to rings that have not been read: nobody has asked for a signal there */
    uint32_t ring_slot, notif_slot;
    bool has_notif;
    struct guest_channel channel[MGR_CHANNELS];
};

/* Receives all that a guest says. */
typedef void guest_output(void *context, struct guest *guest, enum mgr_channel channel,
                          const uint8_t *bytes, size_t length);

/* Brings the guest in line with what the manager says of it; after a new launch it changes to the
 * new rings, when the old ones have been read to their end, and leaves guest.unread set. Status. */
int64_t guest_sync(struct guest *guest, const struct mgr_brief *brief, guest_output *output,
                   void *context);
/* Reads at most `limit` bytes a channel. After a drain that brought something the VMM is not asked
 * to signal the next byte: a guest that prints would wake the console for each one. */
enum guest_drained {
    GUEST_EMPTY,   /* nothing was there; the VMM signals when there is */
    GUEST_RESTING, /* look again after GUEST_GATHER_NS */
    GUEST_MORE     /* the limit was reached: look again at once */
};
#define GUEST_GATHER_NS 5000000u
enum guest_drained guest_drain(struct guest *guest, size_t limit, guest_output *output,
                               void *context);
/* Sends input; returns the bytes taken. */
size_t guest_send(struct guest *guest, enum mgr_channel channel, const uint8_t *bytes,
                  size_t length);
/* The channel that `console NAME` means. False if the guest has none. */
bool guest_default_channel(const struct guest *guest, enum mgr_channel *channel);
/* Copies what the guest said last, oldest first. */
size_t guest_scrollback(const struct guest *guest, enum mgr_channel channel,
                        uint8_t bytes[GUEST_SCROLLBACK]);

#endif
