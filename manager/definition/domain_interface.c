/* SPDX-License-Identifier: BSD-2-Clause */
/* <interface> of a domain, and what is inside. */
#include "manager/definition/domain_interface.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "manager/definition/domain_value.h"
#include "manager/definition/ip_text.h"
#include "manager/network/network.h"

static struct domain_net *interface_of(struct xml_reader *r)
{
    return &r->domain->net[r->domain->net_count];
}

void interface_begin(struct xml_reader *r, const char **attrs)
{
    const char *type = xml_attr(attrs, "type");
    if (r->domain->net_count == VMM_MAX_NETS) {
        xml_refuse(r, "a guest has at most %u network interfaces", VMM_MAX_NETS);
        return;
    }
    struct domain_net *net = interface_of(r);
    *net = (struct domain_net){.line = r->line, .pairs = 1};
    net->port.link = 1;
    r->vlan_trunk = false;
    if (!type)
        xml_refuse(r, "attribute type is missing");
    xml_attr_in(r, attrs, "type", "network|bridge");
    xml_attr_in(r, attrs, "trustGuestRxFilters", "no|yes"); /* the switch needs no trust for it */
    net->bridge = type && !strcmp(type, "bridge");
}

void interface_begin_mac(struct xml_reader *r, const char **attrs)
{
    static const uint8_t zero[6];
    struct domain_net *net = interface_of(r);
    const char *address = xml_attr(attrs, "address");
    xml_attr_in(r, attrs, "type", "static|generated");
    if (net->has_mac)
        xml_refuse(r, "given twice");
    else if (!address || !mac_text_parse(address, net->port.mac))
        xml_refuse(r, "address=\"%.64s\" is not an address like \"52:54:00:12:34:56\"",
                   address ? address : "");
    else if (net->port.mac[0] & 1 || !memcmp(net->port.mac, zero, sizeof(zero)))
        xml_refuse(r, "address=\"%s\" is %s", address,
                   net->port.mac[0] & 1 ? "that of a group" : "nobody's");
    net->has_mac = true;
}

static bool is_name(const char *name)
{
    return name && name[0] && strlen(name) < SWITCH_NAME;
}

void interface_begin_source(struct xml_reader *r, const char **attrs)
{
    struct domain_net *net = interface_of(r);
    const char *network = xml_attr(attrs, "network"), *bridge = xml_attr(attrs, "bridge");
    const char *group = xml_attr(attrs, "portgroup");
    const char *name = net->bridge ? bridge : network, *other = net->bridge ? network : bridge;
    if (net->source_line)
        xml_refuse(r, "given twice");
    else if (other || !is_name(name))
        xml_refuse(r,
                   "an interface of type=\"%s\" names its network in attribute %s, 1 to %u bytes",
                   net->bridge ? "bridge" : "network", net->bridge ? "bridge" : "network",
                   SWITCH_NAME - 1);
    else if (group && !is_name(group))
        xml_refuse(r, "portgroup is no name of 1 to %u bytes", SWITCH_NAME - 1);
    if (r->failed)
        return;
    net->source_line = r->line;
    snprintf(net->network, sizeof(net->network), "%s", name);
    snprintf(net->portgroup, sizeof(net->portgroup), "%s", group ? group : "");
}

void interface_begin_model(struct xml_reader *r, const char **attrs)
{
    const char *type = xml_attr(attrs, "type");
    xml_attr_in(r, attrs, "type", "virtio|virtio-non-transitional|e1000");
    if (type && !strcmp(type, "e1000"))
        interface_of(r)->model = VMM_NET_E1000;
}

void interface_begin_target(struct xml_reader *r, const char **attrs)
{
    struct domain_net *net = interface_of(r);
    const char *dev = xml_attr(attrs, "dev");
    size_t length = dev ? strlen(dev) : 0;
    xml_attr_in(r, attrs, "managed", "yes");
    if (!dev)
        return;
    if (!length || length >= sizeof(net->target))
        xml_refuse(r, "dev=\"%.64s\" is not a name of 1 to %u bytes", dev,
                   (unsigned)sizeof(net->target) - 1);
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)dev[i]) && !strchr("_-.", dev[i]))
            xml_refuse(r, "dev=\"%.64s\": a name has letters, digits and any of _-.", dev);
    }
    if (!r->failed)
        snprintf(net->target, sizeof(net->target), "%s", dev);
}

void interface_begin_driver(struct xml_reader *r, const char **attrs)
{
    struct domain_net *net = interface_of(r);
    const char *queues = xml_attr(attrs, "queues");
    uint64_t value = 1;
    xml_attr_in(r, attrs, "name", "vhost|qemu");
    xml_attr_in(r, attrs, "iommu", "off");
    xml_attr_in(r, attrs, "packed", "off");
    if (queues && (!value_u64(queues, FRAME_PAIRS_MAX, &value) || !value))
        xml_refuse(r, "queues=\"%.64s\" is not a number from 1 to %u", queues, FRAME_PAIRS_MAX);
    net->pairs = (uint32_t)value;
}

/* --- offloads of a virtio card --- */

struct offload {
    const char *name;
    uint32_t without; /* VMM_NET_*, when it is off */
};

static void take_offloads(struct xml_reader *r, const char **attrs, const struct offload *offload)
{
    for (; offload->name; offload++) {
        const char *value = xml_attr(attrs, offload->name);
        xml_attr_in(r, attrs, offload->name, "on|off");
        if (value && !strcmp(value, "off"))
            interface_of(r)->without |= offload->without;
    }
}

void interface_begin_host(struct xml_reader *r, const char **attrs)
{
    static const struct offload offloads[] = {
        {"csum", VMM_NET_HOST_ALL},       {"gso", VMM_NET_HOST_ALL & ~VMM_NET_HOST_CSUM},
        {"tso4", VMM_NET_HOST_TSO4},      {"tso6", VMM_NET_HOST_TSO6},
        {"ecn", VMM_NET_HOST_ECN},        {"ufo", VMM_NET_HOST_USO},
        {"mrg_rxbuf", VMM_NET_MRG_RXBUF}, {NULL, 0}};
    take_offloads(r, attrs, offloads);
}

void interface_begin_guest(struct xml_reader *r, const char **attrs)
{
    static const struct offload offloads[] = {
        {"csum", VMM_NET_GUEST_ALL}, {"tso4", VMM_NET_GUEST_TSO4}, {"tso6", VMM_NET_GUEST_TSO6},
        {"ecn", VMM_NET_GUEST_ECN},  {"ufo", VMM_NET_GUEST_USO},   {NULL, 0}};
    take_offloads(r, attrs, offloads);
}

/* --- VLANs and rates: as a network has them --- */

void interface_begin_vlan(struct xml_reader *r, const char **attrs)
{
    const char *trunk = xml_attr(attrs, "trunk");
    if (interface_of(r)->port.vlan_mode != SWITCH_VLAN_NONE)
        xml_refuse(r, "given twice");
    xml_attr_in(r, attrs, "trunk", "yes|no");
    r->vlan_trunk = trunk && !strcmp(trunk, "yes");
}

void interface_begin_tag(struct xml_reader *r, const char **attrs)
{
    struct switch_port *port = &interface_of(r)->port;
    struct network_vlan vlan = {.mode = port->vlan_mode, .vlan = port->vlan};
    memcpy(vlan.trunk, port->trunk, sizeof(vlan.trunk));
    const char *why = network_vlan_tag(&vlan, r->vlan_trunk, xml_attr(attrs, "id"),
                                       xml_attr(attrs, "nativeMode"));
    if (why)
        xml_refuse(r, "%s", why);
    port->vlan_mode = vlan.mode;
    port->vlan = vlan.vlan;
    memcpy(port->trunk, vlan.trunk, sizeof(port->trunk));
}

static void keep_rate(struct xml_reader *r, struct switch_rate *rate, const char **attrs)
{
    const char *why = network_rate(rate, xml_attr(attrs, "average"), xml_attr(attrs, "peak"),
                                   xml_attr(attrs, "burst"));
    if (why)
        xml_refuse(r, "%s", why);
}

void interface_begin_inbound(struct xml_reader *r, const char **attrs)
{
    keep_rate(r, &interface_of(r)->port.inbound, attrs);
}

void interface_begin_outbound(struct xml_reader *r, const char **attrs)
{
    keep_rate(r, &interface_of(r)->port.outbound, attrs);
}

void interface_begin_link(struct xml_reader *r, const char **attrs)
{
    const char *state = xml_attr(attrs, "state");
    if (!state)
        xml_refuse(r, "attribute state is missing");
    xml_attr_in(r, attrs, "state", "up|down");
    interface_of(r)->port.link = state && strcmp(state, "down") ? 1 : 0;
}

/* --- filters --- */

#define NO_RULE 0u

/* libvirt's standard filters. An allow-* filter says what is not forbidden: nothing else is. */
static const struct {
    const char *name;
    uint32_t rules;
} filters[] = {
    {"clean-traffic", SWITCH_FILTER_MAC | SWITCH_FILTER_ARP | SWITCH_FILTER_IP},
    {"no-mac-spoofing", SWITCH_FILTER_MAC},
    {"no-arp-spoofing", SWITCH_FILTER_ARP},
    {"no-arp-mac-spoofing", SWITCH_FILTER_ARP},
    {"no-arp-ip-spoofing", SWITCH_FILTER_ARP},
    {"no-ip-spoofing", SWITCH_FILTER_IP},
    {"no-ipv6-spoofing", SWITCH_FILTER_IP},
    {"no-mac-broadcast", SWITCH_FILTER_PROMISC},
    {"allow-arp", NO_RULE},
    {"allow-dhcp", NO_RULE},
    {"allow-dhcpv6", NO_RULE},
    {"allow-incoming-ipv4", NO_RULE},
    {"allow-incoming-ipv6", NO_RULE},
    {"allow-ipv4", NO_RULE},
    {"allow-ipv6", NO_RULE},
};

void interface_begin_filter(struct xml_reader *r, const char **attrs)
{
    const char *name = xml_attr(attrs, "filter");
    struct domain_net *net = interface_of(r);
    if (net->filter_line)
        xml_refuse(r, "given twice");
    net->filter_line = r->line;
    for (size_t i = 0; name && i < sizeof(filters) / sizeof(filters[0]); i++) {
        if (strcmp(filters[i].name, name) != 0)
            continue;
        net->port.filters |= filters[i].rules;
        return;
    }
    xml_refuse(r, "filter=\"%.64s\" is none of libvirt's that can be honoured here",
               name ? name : "");
}

static void keep_address(struct xml_reader *r, const char *value, uint32_t family)
{
    struct switch_port *port = &interface_of(r)->port;
    uint32_t i = 0;
    while (i < SWITCH_IPS && port->ip[i].family)
        i++;
    if (i == SWITCH_IPS) {
        xml_refuse(r, "an interface has at most %u addresses", SWITCH_IPS);
        return;
    }
    if (ip_text_parse(value, port->ip[i].address) != family) {
        xml_refuse(r, "value=\"%.64s\" is not an IPv%u address", value, (unsigned)family);
        return;
    }
    port->ip[i].family = (uint8_t)family;
    port->ip[i].prefix = family == 4 ? 32 : 128;
}

void interface_begin_parameter(struct xml_reader *r, const char **attrs)
{
    const char *name = xml_attr(attrs, "name"), *value = xml_attr(attrs, "value");
    if (!name || !value)
        xml_refuse(r, "attribute %s is missing", name ? "value" : "name");
    else if (!strcmp(name, "IP"))
        keep_address(r, value, 4);
    else if (!strcmp(name, "IPV6"))
        keep_address(r, value, 6);
    else if (!strcmp(name, "CTRL_IP_LEARNING"))
        xml_attr_in(r, attrs, "value", "none");
    else
        xml_refuse(r, "name=\"%.64s\"; possible: IP, IPV6, CTRL_IP_LEARNING", name);
}

void interface_end_filter(struct xml_reader *r)
{
    const struct switch_port *port = &interface_of(r)->port;
    if (r->text[0])
        xml_refuse(r, "text where none belongs");
    else if (port->filters & SWITCH_FILTER_IP && !port->ip[0].family)
        xml_refuse(r, "<parameter name=\"IP\"> is missing: addresses are not learned from what "
                      "the guest sends");
}

/* --- the rest --- */

void interface_begin_mtu(struct xml_reader *r, const char **attrs)
{
    const char *size = xml_attr(attrs, "size");
    uint64_t value = 0;
    if (!size || !value_u64(size, FRAME_MTU_MAX, &value) || value < FRAME_MTU_MIN)
        xml_refuse(r, "size=\"%.64s\" is not a number of bytes from %u to %u", size ? size : "",
                   FRAME_MTU_MIN, FRAME_MTU_MAX);
    interface_of(r)->mtu = (uint32_t)value;
}

void interface_begin_boot(struct xml_reader *r, const char **attrs)
{
    const char *order = xml_attr(attrs, "order");
    uint64_t value;
    if (!order || !value_u64(order, 65535, &value) || !value)
        xml_refuse(r, "order=\"%.64s\" is not a number from 1 to 65535", order ? order : "");
    else
        interface_of(r)->boot_order = (uint32_t)value;
}

void interface_begin_port(struct xml_reader *r, const char **attrs)
{
    const char *isolated = xml_attr(attrs, "isolated");
    xml_attr_in(r, attrs, "isolated", "yes|no");
    if (isolated && !strcmp(isolated, "yes"))
        interface_of(r)->port.filters |= SWITCH_FILTER_ISOLATED;
}

void interface_begin_rom(struct xml_reader *r, const char **attrs)
{
    xml_attr_in(r, attrs, "enabled", "no");
    xml_attr_in(r, attrs, "bar", "off");
    if (!xml_attr(attrs, "enabled") && !xml_attr(attrs, "bar"))
        xml_refuse(r, "a card has no boot ROM here; only enabled=\"no\" is possible");
}

static void check_others(struct xml_reader *r)
{
    const struct domain_net *net = interface_of(r);
    for (uint32_t i = 0; i < r->domain->net_count; i++) {
        const struct domain_net *other = &r->domain->net[i];
        if (net->target[0] && !strcmp(other->target, net->target))
            xml_refuse(r, "the interface in line %u has <target dev=\"%s\"> already",
                       (unsigned)other->line, net->target);
        if (net->boot_order && other->boot_order == net->boot_order)
            xml_refuse(r, "the interface in line %u has <boot order=\"%u\"> already",
                       (unsigned)other->line, (unsigned)net->boot_order);
        if (net->has_mac && other->has_mac && !strcmp(net->network, other->network) &&
            !memcmp(net->port.mac, other->port.mac, 6))
            xml_refuse(r, "the interface in line %u has the same address on the same network",
                       (unsigned)other->line);
    }
}

/* A name that no other interface of the domain has, as libvirt gives them. */
static void choose_target(struct domain *domain, struct domain_net *net)
{
    for (uint32_t n = 0; !net->target[0]; n++) {
        char name[sizeof(net->target)];
        bool taken = false;
        snprintf(name, sizeof(name), "vnet%u", (unsigned)n);
        for (uint32_t i = 0; i < domain->net_count; i++)
            taken |= !strcmp(domain->net[i].target, name);
        if (!taken)
            memcpy(net->target, name, sizeof(name));
    }
}

void interface_end(struct xml_reader *r)
{
    struct domain_net *net = interface_of(r);
    if (r->text[0])
        xml_refuse(r, "text where none belongs");
    else if (!net->source_line)
        xml_refuse(r, "<source> is missing");
    else if (net->model == VMM_NET_E1000 && net->pairs > 1)
        xml_refuse(r, "<driver queues>: an e1000 has one queue");
    else if (net->model == VMM_NET_E1000 && net->without)
        xml_refuse(r, "<driver>: only virtio's offloads can be turned off");
    check_others(r);
    if (r->failed)
        return;
    choose_target(r->domain, net);
    r->domain->net_count++;
}
