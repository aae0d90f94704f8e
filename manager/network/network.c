/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/network/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct network *networks[SWITCH_NETWORKS];
static uint32_t count;

const char *network_add(const struct network *network)
{
    static char why[DOMAIN_XML_ERROR];
    for (uint32_t i = 0; i < count; i++) {
        const struct network *other = networks[i];
        bool name = !strcmp(other->name, network->name);
        if (!name && memcmp(other->uuid, network->uuid, sizeof(network->uuid)) != 0)
            continue;
        snprintf(why, sizeof(why), "%s:%u: <network/%s>: %s already has %s", network->file,
                 (unsigned)(name ? network->name_line : network->uuid_line), name ? "name" : "uuid",
                 other->file, name ? "this name" : "this UUID");
        return why;
    }
    struct network *copy = count < SWITCH_NETWORKS ? malloc(sizeof(*copy)) : NULL;
    if (!copy) {
        snprintf(why, sizeof(why), "%s: a set has at most %u networks", network->file,
                 count < SWITCH_NETWORKS ? count : SWITCH_NETWORKS);
        return why;
    }
    *copy = *network;
    networks[count++] = copy;
    return NULL;
}

uint32_t network_count(void)
{
    return count;
}

const struct network *network_at(uint32_t index)
{
    return index < count ? networks[index] : NULL;
}

uint32_t network_index(const struct network *network)
{
    uint32_t i = 0;
    while (i < count && networks[i] != network)
        i++;
    return i;
}

const struct network *network_find(const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(networks[i]->name, name))
            return networks[i];
    }
    return NULL;
}

const struct network_portgroup *network_portgroup(const struct network *network, const char *name)
{
    for (uint32_t i = 0; i < network->portgroups; i++) {
        const struct network_portgroup *group = &network->portgroup[i];
        if (name ? !strcmp(group->name, name) : group->is_default)
            return group;
    }
    return NULL;
}
