/* SPDX-License-Identifier: BSD-2-Clause */
/* The manager's side of ports: opened, attached, closed, with a switch that answers, is slow, or
 * dies in between. */
#include "test.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#define USER_SYSCALL_STUBS_H
#include "abi/utcb.h"
#include "user/program.h"

static uint32_t slots_used, next_slot = 100;
static uint64_t last_badge;
static bool no_slots;

static int64_t sys_cap_copy(uint32_t pd, uint32_t dst, uint32_t src, uint32_t rights,
                            uint64_t badge)
{
    (void)pd, (void)dst, (void)src, (void)rights;
    last_badge = badge;
    return 0;
}
static int64_t sys_cap_revoke(uint32_t slot)
{
    (void)slot;
    return 0;
}
uint32_t slot_alloc(void)
{
    slots_used += !no_slots;
    return no_slots ? 0 : next_slot++;
}
void slot_free(uint32_t slot)
{
    slots_used -= slot != 0;
}
static char logged[4096];
void log_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(logged, sizeof(logged), format, args);
    va_end(args);
}

#include "manager/network/netport.c"

static uint32_t blocks;
int64_t physmem_alloc(struct mem_block *block, uint64_t size, uint64_t align, uint32_t node)
{
    (void)align, (void)node;
    *block = (struct mem_block){.base = 0x100000, .size = size, .slot = 7};
    blocks++;
    return 0;
}
void physmem_free(struct mem_block *block)
{
    blocks -= block->slot != 0;
    *block = (struct mem_block){0};
}
int64_t window_zero(const struct mem_block *block)
{
    (void)block;
    return 0;
}
static struct network lan = {.name = "lan", .mtu = 1500, .ageing_s = 300};
static struct network wan = {.name = "wan", .mtu = 9000, .ageing_s = 300};
const struct network *network_find(const char *name)
{
    return !strcmp(name, "lan") ? &lan : !strcmp(name, "wan") ? &wan : NULL;
}
uint32_t network_count(void)
{
    return 2;
}
const struct network *network_at(uint32_t index)
{
    return index == 0 ? &lan : index == 1 ? &wan : NULL;
}
uint32_t network_index(const struct network *network)
{
    return network == &wan;
}
static uint32_t jobs, notif_slot = 50;
static uint64_t tables;
uint32_t switch_notif(void)
{
    return notif_slot;
}
void switch_job(void)
{
    jobs++;
}
static const char *no_tables;
const char *switch_allow_tables(uint64_t bytes)
{
    tables = bytes;
    return no_tables;
}
static struct switch_status the_status;
const struct switch_status *switch_status(void)
{
    return &the_status;
}

static struct utcb utcb;
static struct mem_block area[6];
static struct netport *port;
static struct netport_grant grant;
static int owner;

static const char *open_port(uint32_t memories)
{
    struct netport_request r = {.owner = &owner,
                                .network = "wan",
                                .port = {.link = 1, .name = "alpha vnet0"},
                                .pairs = 2,
                                .memory = area,
                                .memory_count = memories};
    for (uint32_t i = 0; i < 6; i++)
        area[i] = (struct mem_block){.base = i << 30, .size = 64ull << 20, .slot = 60 + i};
    return netport_open(&r, &port, &grant);
}

/* The next job; *caps: capabilities with it. */
static uint64_t next(uint32_t *caps)
{
    uint64_t out = netport_next(&utcb);
    *caps = (uint32_t)(out >> 32);
    return utcb.mr[1];
}

static bool told_networks(void)
{
    uint32_t caps;
    bool good = true;
    for (uint64_t i = 0; i < 2; i++) {
        good &= next(&caps) == SWITCH_JOB_NETWORK && utcb.mr[2] == i && !caps;
        good &= netport_done(SWITCH_JOB_NETWORK, i, 0);
    }
    return good;
}

static bool attach(void)
{
    uint32_t caps;
    return netport_attach(port, 9, 1) == 0 && next(&caps) == SWITCH_JOB_ATTACH &&
           netport_done(SWITCH_JOB_ATTACH, utcb.mr[2], 0) && netport_is_attached(port);
}

/* Everything is given back. */
static bool clean(void)
{
    netport_switch_died();
    netport_close_all(&owner);
    return !slots_used && !blocks && !netport_tables();
}

TEST(the_whole_life_of_a_port)
{
    uint32_t caps;
    CHECK(told_networks());
    CHECK(open_port(2) == NULL);
    CHECK_EQ(grant.bell_bits, SWITCH_BIT_PORT(0));
    CHECK_EQ(last_badge, grant.bell_bits);
    CHECK_EQ(grant.channel_bytes, frame_channel_bytes(2));
    CHECK(tables > 2 * (64ull << 20) / 16384);
    CHECK_EQ(next(&caps), SWITCH_JOB_NONE); /* it has no owner yet */
    CHECK_EQ(netport_attach(port, 9, 0x40), 0);
    CHECK_EQ(last_badge, 0x40);
    CHECK(netport_is_busy());
    CHECK_EQ(next(&caps), SWITCH_JOB_ATTACH);
    const struct switch_attach *job = (const struct switch_attach *)&utcb.mr[SWITCH_PAYLOAD];
    CHECK_EQ(caps, 2);
    CHECK_EQ(job->port.network, 1);
    CHECK_EQ(job->memories, 2);
    CHECK_EQ(job->owner_bits, 0x40);
    CHECK_EQ(job->fresh, 1);
    CHECK_EQ(netport_memory(&utcb, 0, 0) >> 32, 2);
    CHECK_EQ(utcb.send[1].slot, 61);
    CHECK(netport_done(SWITCH_JOB_ATTACH, 0, 0));
    CHECK(netport_is_attached(port) && !netport_is_busy());
    CHECK(netport_close_all(&owner));
    CHECK_EQ(next(&caps), SWITCH_JOB_DETACH);
    CHECK(netport_close_all(&owner));
    CHECK_EQ(blocks, 1);
    CHECK(netport_done(SWITCH_JOB_DETACH, 0, 0));
    CHECK(!netport_close_all(&owner));
    CHECK(clean());
}

TEST(large_areas_come_in_pieces)
{
    CHECK(open_port(4) == NULL);
    CHECK(netport_attach(port, 9, 1) == 0);
    uint32_t caps;
    told_networks();
    CHECK_EQ(netport_memory(&utcb, 0, 0) >> 32, 0); /* not yet */
    CHECK_EQ((int64_t)utcb.mr[0], ERR_ARG);
    CHECK_EQ(next(&caps), SWITCH_JOB_ATTACH);
    CHECK_EQ(netport_memory(&utcb, 0, 3) >> 32, 1);
    CHECK_EQ(utcb.send[0].slot, 63);
    CHECK_EQ(netport_memory(&utcb, 0, 4) >> 32, 0);
    CHECK_EQ(netport_memory(&utcb, 0, ~0ull) >> 32, 0);
    CHECK_EQ(netport_memory(&utcb, ~0ull, 0) >> 32, 0);
    CHECK(clean());
}

TEST(a_switch_that_dies_is_told_again)
{
    uint32_t caps;
    told_networks();
    CHECK(open_port(1) == NULL && attach());
    netport_switch_died();
    CHECK(!netport_is_attached(port));
    CHECK(told_networks());
    CHECK_EQ(next(&caps), SWITCH_JOB_ATTACH);
    CHECK_EQ(((const struct switch_attach *)&utcb.mr[SWITCH_PAYLOAD])->fresh, 0);
    netport_switch_died(); /* in the middle */
    CHECK(told_networks());
    CHECK_EQ(next(&caps), SWITCH_JOB_ATTACH);
    CHECK(netport_done(SWITCH_JOB_ATTACH, 0, 0));
    CHECK(netport_close_all(&owner));
    netport_switch_died(); /* the memory is nobody's any more */
    CHECK(!netport_close_all(&owner));
    CHECK(clean());
}

TEST(closed_while_it_is_attached)
{
    uint32_t caps;
    told_networks();
    CHECK(open_port(1) == NULL && netport_attach(port, 9, 1) == 0);
    CHECK_EQ(next(&caps), SWITCH_JOB_ATTACH);
    CHECK(netport_close_all(&owner));
    CHECK_EQ(netport_memory(&utcb, 0, 0) >> 32, 1); /* it is still being mapped */
    CHECK(netport_done(SWITCH_JOB_ATTACH, 0, 0));
    CHECK_EQ(next(&caps), SWITCH_JOB_DETACH);
    CHECK(netport_done(SWITCH_JOB_DETACH, 0, 0));
    CHECK(clean());
}

TEST(settings_change_while_it_runs)
{
    uint32_t caps;
    told_networks();
    CHECK(open_port(1) == NULL && attach());
    struct switch_port c = *netport_config(port);
    c.link = 0;
    c.network = 77; /* it stays where it is */
    netport_change(port, &c);
    CHECK_EQ(next(&caps), SWITCH_JOB_CHANGE);
    const struct switch_port *job = (const struct switch_port *)&utcb.mr[SWITCH_PAYLOAD];
    CHECK_EQ(job->link, 0);
    CHECK_EQ(job->network, 1);
    CHECK(netport_done(SWITCH_JOB_CHANGE, 0, 0));
    CHECK_EQ(next(&caps), SWITCH_JOB_NONE);
    CHECK(clean());
}

TEST(refusals)
{
    struct netport_request r = {
        .network = "none", .pairs = 1, .memory = area, .memory_count = 1, .owner = &owner};
    CHECK(strstr(netport_open(&r, &port, &grant), "there is no network none"));
    CHECK(strstr(open_port(5), "too many pieces"));
    r.network = "lan";
    r.pairs = 9;
    CHECK(strstr(netport_open(&r, &port, &grant), "1 to 8 pairs"));
    notif_slot = 0;
    CHECK(strstr(open_port(1), "no switch"));
    notif_slot = 50;
    no_tables = "no page tables";
    CHECK(!strcmp(open_port(1), "no page tables"));
    no_tables = NULL;
    no_slots = true;
    CHECK(strstr(open_port(1), "capability slots"));
    no_slots = false;
    uint32_t caps;
    told_networks();
    CHECK(open_port(1) == NULL && netport_attach(port, 9, 1) == 0);
    CHECK_EQ(next(&caps), SWITCH_JOB_ATTACH);
    CHECK(netport_done(SWITCH_JOB_ATTACH, 0, SWITCH_REFUSED_MEMORY));
    CHECK(strstr(logged, "alpha vnet0: no network: its memory cannot be mapped"));
    CHECK(!netport_is_busy());
    CHECK(!netport_done(SWITCH_JOB_DETACH, 0, 0)); /* it was told of no such thing */
    CHECK(!netport_done(SWITCH_JOB_ATTACH, ~0ull, 0));
    CHECK(clean());
}

TEST(ports_run_out)
{
    static struct netport *all[SWITCH_PORTS];
    for (uint32_t i = 0; i < SWITCH_PORTS; i++) {
        CHECK(open_port(1) == NULL);
        all[i] = port;
        CHECK_EQ(grant.bell_bits, SWITCH_BIT_PORT(i));
    }
    CHECK(strstr(open_port(1), "no more ports"));
    CHECK(netport_at(255) == all[255] && !netport_at(256));
    the_status.port_stat[3][SWITCH_RX_BYTES] = 99;
    uint64_t stat[SWITCH_PORT_STATS];
    netport_stats(all[3], stat);
    CHECK_EQ(stat[SWITCH_RX_BYTES], 99);
    CHECK(clean());
}
