/* SPDX-License-Identifier: BSD-2-Clause */
/* A host's name or address, as it stands in a configuration, to an address. */
#ifndef NET_IP_LOOKUP_H
#define NET_IP_LOOKUP_H

#include <lwip/ip_addr.h>
#include <stdbool.h>
#include "net/ip/config.h"

enum lookup_state { LOOKUP_NONE, LOOKUP_WAITS, LOOKUP_FOUND, LOOKUP_FAILED };

struct lookup {
    enum lookup_state state;
    ip_addr_t address;
};

/* Asks; lookup->state says what came of it. A lookup that waits must stay where it is. */
void lookup_start(struct lookup *lookup, const char *name);

void lookup_to_config(const ip_addr_t *from, struct ip_address *to);
/* False: it is none. */
bool lookup_from_config(const struct ip_address *from, ip_addr_t *to);

#endif
