/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/network/capture.h"

#include <stdio.h>
#include <string.h>
#include "abi/map.h"
#include "abi/object.h"
#include "abi/status.h"
#include "manager/network/netport.h"
#include "manager/network/network.h"
#include "manager/protocol.h"
#include "manager/window.h"
#include "user/frame_owner.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define AREA_VA      (MANAGER_CAPTURE_VA + (1ull << 30))
#define BUFFER       2048u
#define BUFFERS      256u /* they come back in the order of posting */
#define RECORD       16u  /* header: seconds, nanoseconds, bytes here, bytes of the frame */
#define RECORD_BYTES 8u   /* where "bytes here" stands */
#define RECORD_MAX   (RECORD + FRAME_BYTES_MAX)

_Static_assert(FRAME_ENTRIES % BUFFERS == 0, "a buffer is known by its entry");
_Static_assert(RECORD_MAX <= BUFFERS * BUFFER, "the longest frame has room");

static struct netport *port; /* NULL: nothing is captured */
static struct netport_grant grant;
static struct mem_block area; /* stays */
static uint32_t notif;        /* that the switch signals; nobody waits for it */
static struct frame_owner capturer;
static bool is_posted;

static const char *take_memory(void)
{
    if (!area.slot) {
        int64_t status = physmem_alloc(&area, BUFFERS * BUFFER, PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
        if (status == OK)
            status = window_zero(&area);
        if (status == OK)
            status = sys_mem_map(SLOT_SELF_PD, area.slot, AREA_VA, 0, area.size, MAP_READ);
        if (status != OK) {
            physmem_free(&area);
            return "there is no memory for it";
        }
    }
    uint32_t slot = notif ? 0 : slot_alloc();
    if (slot && sys_notif_create(slot) == OK)
        notif = slot;
    else
        slot_free(slot);
    return notif ? NULL : "no notification";
}

static const struct netport *find(const struct network *network, const char *name)
{
    for (uint32_t i = 0; i < SWITCH_PORTS; i++) {
        const struct netport *p = netport_at(i);
        if (p && netport_config(p)->network == network_index(network) &&
            !strcmp(netport_config(p)->name, name))
            return p;
    }
    return NULL;
}

static const char *open_port(const char *network)
{
    struct netport_request request = {
        .owner = &port,
        .network = network,
        .port = {.kind = SWITCH_PORT_CAPTURE, .link = 1, .name = "capture"},
        .pairs = 1,
        .memory = &area,
        .memory_count = 1,
    };
    const char *why = netport_open(&request, &port, &grant);
    if (why)
        port = NULL;
    if (port && (sys_mem_map(SLOT_SELF_PD, grant.channel, MANAGER_CAPTURE_VA, 0,
                             grant.channel_bytes, MAP_READ | MAP_WRITE) != OK ||
                 netport_attach(port, notif, 1) != OK)) {
        capture_end();
        return "its port cannot be attached";
    }
    return why;
}

const char *capture_begin(const char *network_name, const char *name)
{
    static char why[MGR_NAME + SWITCH_NAME + 32];
    const struct network *network = network_find(network_name);
    const struct netport *of = network ? find(network, name) : NULL;
    capture_end();
    if (!network || !of) {
        snprintf(why, sizeof(why), "network '%.63s' has no port '%.63s'", network_name, name);
        return why;
    }
    if (netport_close_all(&port))
        return "the capture before is being ended; try again";
    const char *reason = take_memory();
    if (!reason)
        reason = open_port(network_name);
    if (reason)
        return reason;
    const struct frame_offer offer = {.takes = FRAME_TAKES_MERGE, .pairs = 1};
    frame_owner_init(&capturer, (struct frame_channel *)MANAGER_CAPTURE_VA, 1, grant.bell,
                     grant.bell_bits);
    is_posted = false;
    frame_owner_reset(&capturer, &offer);
    netport_mirror(of, port);
    return NULL;
}

static void post(uint32_t n)
{
    struct frame_owner_ring *ring = &capturer.receive[0];
    for (uint32_t i = 0; i < n; i++) {
        struct frame_entry entry = {.offset = ring->posted % BUFFERS * BUFFER, .length = BUFFER};
        frame_owner_post(ring, &entry, 1);
    }
    frame_owner_ring_bell(&capturer, ring);
}

/* One frame with its header, and how many buffers it lay in; 0 bytes: it was none. */
static uint32_t take_record(uint8_t to[RECORD + MGR_CAPTURE_SNAP], uint32_t *buffers)
{
    struct frame_entry entry;
    uint32_t index, parts = 1, bytes = 0;
    *buffers = 0;
    while (*buffers < parts && frame_owner_take(&capturer, &capturer.receive[0], &entry, &index)) {
        const uint8_t *from = (const uint8_t *)AREA_VA + index % BUFFERS * BUFFER;
        uint32_t room = RECORD + MGR_CAPTURE_SNAP - bytes;
        uint32_t n = entry.length < BUFFER ? entry.length : BUFFER;
        if (!*buffers && entry.buffers)
            parts = entry.buffers;
        n = n < room ? n : room;
        memcpy(to + bytes, from, n);
        bytes += n;
        ++*buffers;
    }
    uint32_t here = bytes - RECORD;
    if (bytes < RECORD)
        return 0;
    memcpy(to + RECORD_BYTES, &here, sizeof(here));
    return bytes;
}

uint32_t capture_read(uint8_t *to, uint32_t size)
{
    uint32_t used = 0, buffers = 0;
    if (!port || !frame_owner_ready(&capturer))
        return 0;
    if (!is_posted)
        post(BUFFERS);
    is_posted = true;
    while (size - used >= RECORD + MGR_CAPTURE_SNAP) {
        used += take_record(to + used, &buffers);
        if (!buffers)
            break;
        post(buffers);
    }
    return used;
}

uint64_t capture_lost(void)
{
    uint64_t stat[SWITCH_PORT_STATS];
    if (!port)
        return 0;
    netport_stats(port, stat);
    return stat[SWITCH_RX_DROPPED];
}

void capture_end(void)
{
    if (!port)
        return;
    for (uint32_t i = 0; i < SWITCH_PORTS; i++) {
        const struct netport *p = netport_at(i);
        if (p && netport_mirrors_to(p, port))
            netport_mirror(p, NULL);
    }
    sys_mem_unmap(SLOT_SELF_PD, MANAGER_CAPTURE_VA, grant.channel_bytes);
    netport_close_all(&port);
    port = NULL;
}
