/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's network interfaces: ports of the virtual switch, whose area is the guest's memory. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "lib/sha256.h"
#include "manager/network/network.h"
#include "manager/guest/vm.h"
#include "manager/window.h"

static char net_why[MGR_TEXT];

__attribute__((format(printf, 3, 4))) static const char *refuse_net(const struct vm *vm,
                                                                    const struct domain_net *net,
                                                                    const char *format, ...)
{
    va_list args;
    int used = snprintf(net_why, sizeof(net_why),
                        "%s:%u: <domain/devices/interface/source>: ", vm->def.file,
                        (unsigned)(net->source_line ? net->source_line : net->line));
    va_start(args, format);
    vsnprintf(net_why + used, sizeof(net_why) - (size_t)used, format, args);
    va_end(args);
    return net_why;
}

/* --- addresses --- */

/* Without an address in the definition: QEMU's prefix, and a hash of the guest's UUID and the
 * interface's number, so that it is the same at every start. */
void vm_net_mac(const struct vm *vm, uint32_t i, uint8_t mac[6])
{
    uint8_t digest[SHA256_BYTES], number = (uint8_t)i;
    struct sha256 hash;
    if (vm->def.net[i].has_mac) {
        memcpy(mac, vm->def.net[i].port.mac, 6);
        return;
    }
    sha256_init(&hash);
    sha256_update(&hash, vm->def.uuid, sizeof(vm->def.uuid));
    sha256_update(&hash, &number, 1);
    sha256_final(&hash, digest);
    memcpy(mac, (const uint8_t[]){0x52, 0x54, 0}, 3);
    memcpy(mac + 3, digest, 3);
}

static bool has_address(const struct vm *vm, const char *network, const uint8_t mac[6],
                        uint32_t below)
{
    for (uint32_t i = 0; i < vm->def.net_count && i < below; i++) {
        uint8_t other[6];
        vm_net_mac(vm, i, other);
        if (!strcmp(vm->def.net[i].network, network) && !memcmp(other, mac, sizeof(other)))
            return true;
    }
    return false;
}

/* A guest that runs, and has the address already. */
static const struct vm *who_has(const struct vm *vm, uint32_t i, const uint8_t mac[6])
{
    const char *network = vm->def.net[i].network;
    if (has_address(vm, network, mac, i))
        return vm;
    for (uint32_t n = 0; n < vm_count(); n++) {
        const struct vm *other = vm_at(n);
        if (other != vm && lifecycle_has_vmm(other->state) &&
            has_address(other, network, mac, UINT32_MAX))
            return other;
    }
    return NULL;
}

bool vm_net_find(const struct vm *vm, const char *which, uint32_t *i)
{
    for (*i = 0; *i < vm->def.net_count; ++*i) {
        char text[18];
        uint8_t mac[6];
        vm_net_mac(vm, *i, mac);
        snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                 mac[3], mac[4], mac[5]);
        if (!strcmp(vm->def.net[*i].target, which) || !strcmp(text, which))
            return true;
    }
    return false;
}

/* --- a port --- */

static bool has_rate(const struct switch_rate *rate)
{
    return rate->average || rate->peak || rate->burst;
}

/* What the interface does not say itself, its port group or its network says. */
static const char *inherit(const struct domain_net *net, struct switch_port *port)
{
    const struct network *network = network_find(net->network);
    if (!network)
        return "there is no such network";
    const struct network_portgroup *group =
        network_portgroup(network, net->portgroup[0] ? net->portgroup : NULL);
    if (!group && net->portgroup[0])
        return "the network has no such port group";
    const struct network_vlan *vlan = &network->vlan;
    if (group && group->vlan.mode != SWITCH_VLAN_NONE)
        vlan = &group->vlan;
    if (port->vlan_mode == SWITCH_VLAN_NONE) {
        port->vlan_mode = vlan->mode;
        port->vlan = vlan->vlan;
        memcpy(port->trunk, vlan->trunk, sizeof(port->trunk));
    }
    if (group && !has_rate(&port->inbound))
        port->inbound = group->inbound;
    if (group && !has_rate(&port->outbound))
        port->outbound = group->outbound;
    return NULL;
}

uint32_t vm_net_pieces(const struct vm *vm)
{
    uint32_t most = VMM_MAX_RAM;
    for (uint32_t i = 0; i < vm->def.net_count; i++) {
        uint32_t own = vm->def.net[i].model == VMM_NET_E1000;
        if (SWITCH_MEMORIES_MAX - own < most)
            most = SWITCH_MEMORIES_MAX - own;
    }
    return most;
}

static const char *take_bounce(struct vm *vm, const struct domain_net *net, struct vm_net *taken)
{
    int64_t status = physmem_alloc(&taken->bounce, VMM_NET_BOUNCE, PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (status == OK)
        status = window_zero(&taken->bounce);
    return status == OK ? NULL : refuse_net(vm, net, "there is no memory for its card");
}

static const char *open_port(struct vm *vm, uint32_t i, const struct switch_port *port)
{
    const struct domain_net *net = &vm->def.net[i];
    struct vm_net *taken = &vm->net[i];
    uint32_t pieces = vm->ram_count;
    memcpy(taken->area, vm->ram, pieces * sizeof(taken->area[0]));
    if (taken->bounce.slot)
        taken->area[pieces++] = taken->bounce;
    struct netport_request request = {.owner = vm,
                                      .network = net->network,
                                      .port = *port,
                                      .pairs = net->pairs,
                                      .memory = taken->area,
                                      .memory_count = pieces};
    const char *why = netport_open(&request, &taken->port, &taken->grant);
    return why ? refuse_net(vm, net, "%s: %s", net->network, why) : NULL;
}

static const char *take_net(struct vm *vm, uint32_t i, struct vmm_net *config)
{
    const struct domain_net *net = &vm->def.net[i];
    struct switch_port port = net->port;
    const char *why = inherit(net, &port);
    if (why)
        return refuse_net(vm, net, "%s%s%s: %s", net->network, net->portgroup[0] ? ", " : "",
                          net->portgroup, why);
    port.kind = SWITCH_PORT_GUEST;
    vm_net_mac(vm, i, port.mac);
    const struct vm *other = who_has(vm, i, port.mac);
    if (other)
        return refuse_net(vm, net, "%s has the same address on network %s", other->def.name,
                          net->network);
    snprintf(port.name, sizeof(port.name), "%.40s %s", vm->def.name, net->target);
    if (net->model == VMM_NET_E1000)
        why = take_bounce(vm, net, &vm->net[i]);
    if (!why)
        why = open_port(vm, i, &port);
    if (why)
        return why;
    *config = (struct vmm_net){.model = net->model,
                               .pairs = net->pairs,
                               .mtu = net->mtu,
                               .boot_order = net->boot_order,
                               .switch_bits = vm->net[i].grant.bell_bits,
                               .channel_size = vm->net[i].grant.channel_bytes,
                               .bounce_size = vm->net[i].bounce.size,
                               .without = net->without};
    memcpy(config->mac, port.mac, 6);
    memcpy(config->target, net->target, sizeof(config->target));
    return NULL;
}

const char *vm_take_nets(struct vm *vm, struct vmm_config *config)
{
    config->net_count = vm->def.net_count;
    for (uint32_t i = 0; i < vm->def.net_count; i++) {
        const char *why = take_net(vm, i, &config->net[i]);
        if (why)
            return why;
    }
    return NULL;
}

uint32_t vm_net_caps(const struct vm *vm, struct spawn_cap *caps, uint32_t n)
{
    const uint32_t rw = RIGHT_READ | RIGHT_WRITE;
    for (uint32_t i = 0; i < vm->def.net_count; i++) {
        const struct vm_net *net = &vm->net[i];
        if (!net->port)
            continue;
        caps[n++] = (struct spawn_cap){VMM_SLOT_NET_CHANNEL(i), net->grant.channel, rw, 0};
        caps[n++] = (struct spawn_cap){VMM_SLOT_NET_SWITCH(i), net->grant.bell, RIGHT_WRITE, 0};
        if (net->bounce.slot)
            caps[n++] = (struct spawn_cap){VMM_SLOT_NET_BOUNCE(i), net->bounce.slot, rw, 0};
    }
    return n;
}

const char *vm_attach_nets(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->def.net_count; i++) {
        int64_t status = netport_attach(vm->net[i].port, vm->vmm.notif, VMM_CTL_NET);
        if (status != OK)
            return refuse_net(vm, &vm->def.net[i], "notification: status %lld", (long long)status);
    }
    return NULL;
}

bool vm_close_nets(struct vm *vm)
{
    if (!vm->def.net_count)
        return false;
    for (uint32_t i = 0; i < vm->def.net_count; i++)
        vm->net[i].port = NULL;
    if (netport_close_all(vm))
        return true;
    for (uint32_t i = 0; i < vm->def.net_count; i++) {
        physmem_free(&vm->net[i].bounce);
        vm->net[i] = (struct vm_net){0};
    }
    return false;
}

/* --- while it runs --- */

bool vm_net_link(const struct vm *vm, uint32_t i)
{
    return vm->def.net[i].port.link != 0;
}

void vm_net_set_link(struct vm *vm, uint32_t i, bool up)
{
    vm->def.net[i].port.link = up;
    if (!vm->net[i].port)
        return;
    struct switch_port port = *netport_config(vm->net[i].port);
    port.link = up;
    netport_change(vm->net[i].port, &port);
}

void vm_net_stats(const struct vm *vm, uint32_t i, uint64_t stat[SWITCH_PORT_STATS])
{
    memset(stat, 0, SWITCH_PORT_STATS * sizeof(stat[0]));
    if (vm->net[i].port)
        netport_stats(vm->net[i].port, stat);
}
