/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/timers.h"

#include <lwip/dhcp.h>
#include <lwip/dhcp6.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>
#include <stdbool.h>

#define NS_PER_MS 1000000ull
#define TICK_NS   (500 * NS_PER_MS)
/* After a long sleep of the whole machine the past is not caught up with tick by tick. */
#define CATCH_UP 8u

static uint64_t next_tcp, next_tick, ticks;
static bool tcp_is_on;

void timers_init(uint64_t now_ns)
{
    next_tick = now_ns + TICK_NS;
    next_tcp = now_ns;
    tcp_is_on = false;
    ticks = 0;
}

/* lwIP: there is a TCP connection now. */
void tcp_timer_needed(void)
{
    tcp_is_on = true;
}

static void tick(void)
{
    ticks++;
    dhcp_fine_tmr();
    dhcp6_tmr();
    for (uint32_t ms = 0; ms < TICK_NS / NS_PER_MS; ms += MLD6_TMR_INTERVAL)
        mld6_tmr();
    if (ticks % 2)
        return;
    etharp_tmr();
    ip_reass_tmr();
    ip6_reass_tmr();
    nd6_tmr();
    dns_tmr();
    if (ticks % (2 * DHCP_COARSE_TIMER_SECS) == 0)
        dhcp_coarse_tmr();
}

static void run_tcp(uint64_t now)
{
    if (!tcp_is_on)
        return;
    for (uint32_t i = 0; i < CATCH_UP && now >= next_tcp; i++) {
        tcp_tmr();
        next_tcp += TCP_TMR_INTERVAL * NS_PER_MS;
    }
    tcp_is_on = tcp_active_pcbs || tcp_tw_pcbs;
}

uint64_t timers_run(uint64_t now)
{
    bool was_on = tcp_is_on;
    for (uint32_t i = 0; i < CATCH_UP && now >= next_tick; i++) {
        tick();
        next_tick += TICK_NS;
    }
    if (now >= next_tick)
        next_tick = now + TICK_NS;
    if (!was_on || now >= next_tcp + CATCH_UP * TCP_TMR_INTERVAL * NS_PER_MS)
        next_tcp = now + TCP_TMR_INTERVAL * NS_PER_MS;
    run_tcp(now);
    /* The next call must find the time of a connection that comes in meanwhile. */
    return tcp_is_on && next_tcp < next_tick ? next_tcp : next_tick;
}
