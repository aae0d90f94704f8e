/* SPDX-License-Identifier: BSD-2-Clause */
/* The switch as a whole: its ports, its networks, and which ports there is something to do for. */
#ifndef NET_SWITCH_FABRIC_H
#define NET_SWITCH_FABRIC_H

#include "net/switch/mac_table.h"
#include "net/switch/port.h"

#define PORT_WORDS (SWITCH_PORTS / 64)
#define NO_PORT    UINT32_MAX

/* Addresses that came up at another port within one second: more of them, and frames go round. */
#define LOOP_MOVES 64u
#define LOOP_NS    10000000000ull

struct network {
    bool used;
    struct switch_network config;
    uint32_t ports, uplinks;
    uint16_t port[SWITCH_PORTS];
    uint32_t uplink; /* port that floods go to and come from: the first whose wire is up */
    uint32_t moves;  /* of addresses, in this second */
    uint32_t moves_s;
    bool looped;                /* and reported */
    struct frame_filter filter; /* what its uplinks are to let in */
};

struct fabric {
    struct port *port[SWITCH_PORTS];
    struct network network[SWITCH_NETWORKS];
    struct mac_table macs;
    struct switch_status *status;
    uint64_t now_ns;
    uint64_t ready[PORT_WORDS]; /* ports whose send rings are to be looked at */
    uint64_t moved[PORT_WORDS]; /* ports whose owners are to be told */
    uint64_t timed[PORT_WORDS]; /* senders that wait for their time */
};

static inline void bit_set(uint64_t *map, uint32_t i)
{
    map[i / 64] |= 1ull << (i % 64);
}

static inline void bit_clear(uint64_t *map, uint32_t i)
{
    map[i / 64] &= ~(1ull << (i % 64));
}

static inline bool bit_get(const uint64_t *map, uint32_t i)
{
    return map[i / 64] >> (i % 64) & 1;
}

void fabric_init(struct fabric *f, struct switch_status *status, uint64_t seed, uint64_t now_ns);
void fabric_set_now(struct fabric *f, uint64_t now_ns);
/* Makes a network, or changes it. */
enum switch_refusal fabric_network(struct fabric *f, uint64_t index,
                                   const struct switch_network *config);
/* A port whose channel and area are mapped; it is the fabric's when this says REFUSED_NOT. */
enum switch_refusal fabric_attach(struct fabric *f, struct port *port, bool fresh);
enum switch_refusal fabric_change(struct fabric *f, uint64_t index,
                                  const struct switch_port *config);
/* NULL, or the port, of which nothing is touched any more. */
struct port *fabric_detach(struct fabric *f, uint64_t index);
/* Owners of ports with these bits have signalled. */
void fabric_signalled(struct fabric *f, uint64_t bits);
/* Moves frames of all ports that are ready, some of each. True if there are more; if not, all have
 * been asked to signal. */
bool fabric_run(struct fabric *f);
/* When somebody's time has come; 0: nobody waits. */
uint64_t fabric_wake(const struct fabric *f);
/* The time has come for some. */
void fabric_timer(struct fabric *f);

/* --- between forward.c and fabric.c --- */
enum forwarded {
    FORWARDED,
    FORWARD_ERROR, /* malformed */
    FORWARD_WAIT   /* port->wait_until, ->waits_for say for what */
};
enum forwarded forward(struct fabric *f, struct port *from, uint32_t pair, struct packet *p);
/* The sender begins to wait. */
void fabric_wait(struct fabric *f, struct port *port, uint64_t until, struct port *for_room);

#endif
