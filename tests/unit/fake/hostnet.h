/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's network as the manager would tell the console of it. */
#ifndef TESTS_UNIT_FAKE_HOSTNET_H
#define TESTS_UNIT_FAKE_HOSTNET_H

#include "console/client.h"

static struct mgr_hostnet fake_hostnet;
static struct ip_ping fake_ping;
static char pinged[64];
static uint32_t pings;

int64_t client_hostnet(struct mgr_hostnet *net)
{
    *net = fake_hostnet;
    return 0;
}
int64_t client_ping(const char *host, uint32_t count, uint64_t *job)
{
    snprintf(pinged, sizeof(pinged), "%s", host);
    pings = count;
    *job = 7;
    return fake_hostnet.network[0] ? 0 : -1;
}
int64_t client_pong(uint64_t job, struct ip_ping *ping)
{
    *ping = fake_ping;
    return job == 7 ? 0 : -1;
}

#endif
