/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads libvirt's <network>. The frame is domain_xml.c's; here is what its elements mean. */
#include <expat.h>
#include <stdio.h>
#include <string.h>
#include "manager/definition/domain_value.h"
#include "manager/network/network.h"

#define STORM_MAX  10000000ull
#define AGEING_MAX 1000000ull /* s, as IEEE 802.1Q has it */

static struct network_portgroup *last_network_group(struct xml_reader *r)
{
    return &r->network->portgroup[r->network->portgroups - 1];
}

static void read_network_name(struct xml_reader *r, const char *name, char out[SWITCH_NAME])
{
    size_t length = name ? strlen(name) : 0;
    if (!length || length >= SWITCH_NAME) {
        xml_refuse(r, "a name has 1 to %u bytes", SWITCH_NAME - 1);
        return;
    }
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p <= 0x20 || *p == 0x7f || strchr("/[]\"'\\", *p))
            xml_refuse(r, "a name has no blanks, control characters, quotes, slashes or brackets");
    }
    memcpy(out, name, length + 1);
}

static void end_network_name(struct xml_reader *r)
{
    if (r->network->name[0])
        xml_refuse(r, "given twice");
    else
        read_network_name(r, r->text, r->network->name);
    r->network->name_line = r->line;
}

static void end_network_uuid(struct xml_reader *r)
{
    if (r->network->has_uuid)
        xml_refuse(r, "given twice");
    else if (!value_uuid(r->text, r->network->uuid))
        xml_refuse(r, "\"%.64s\" is not a UUID", r->text);
    r->network->has_uuid = true;
    r->network->uuid_line = r->line;
}

static void begin_network_mtu(struct xml_reader *r, const char **attrs)
{
    const char *size = xml_attr(attrs, "size");
    uint64_t value = 0;
    if (!size || !value_u64(size, FRAME_MTU_MAX, &value) || value < FRAME_MTU_MIN)
        xml_refuse(r, "size is not a number of bytes from %u to %u", FRAME_MTU_MIN, FRAME_MTU_MAX);
    r->network->mtu = (uint32_t)value;
}

static void begin_network_port(struct xml_reader *r, const char **attrs)
{
    const char *isolated = xml_attr(attrs, "isolated");
    if (xml_attr_in(r, attrs, "isolated", "yes|no") && isolated)
        r->network->isolated = !strcmp(isolated, "yes");
}

static void add_network_uplink(struct xml_reader *r, const char *device)
{
    struct network *n = r->network;
    if (!device[0] || strlen(device) >= NETWORK_DEVICE) {
        xml_refuse(r, "dev=\"%.64s\" is no name of a network card", device);
        return;
    }
    for (uint32_t i = 0; i < n->uplinks; i++) {
        if (!strcmp(n->uplink[i], device))
            return; /* virsh writes the first one twice: in <forward> and inside it */
    }
    if (n->uplinks == NETWORK_UPLINKS) {
        xml_refuse(r, "more than %u network cards", NETWORK_UPLINKS);
        return;
    }
    snprintf(n->uplink[n->uplinks++], NETWORK_DEVICE, "%s", device);
}

static void begin_network_forward(struct xml_reader *r, const char **attrs)
{
    const char *mode = xml_attr(attrs, "mode"), *device = xml_attr(attrs, "dev");
    r->network->uplink_line = r->line;
    if (!mode || !strcmp(mode, "nat") || !strcmp(mode, "route") || !strcmp(mode, "open"))
        xml_refuse(r, "mode=\"%.64s\" needs a host that routes; possible: bridge",
                   mode ? mode : "nat");
    xml_attr_in(r, attrs, "mode", "bridge");
    if (device)
        add_network_uplink(r, device);
}

static void begin_network_forward_interface(struct xml_reader *r, const char **attrs)
{
    const char *device = xml_attr(attrs, "dev");
    add_network_uplink(r, device ? device : "");
}

static void begin_network_portgroup(struct xml_reader *r, const char **attrs)
{
    struct network *n = r->network;
    const char *is_default = xml_attr(attrs, "default");
    if (n->portgroups == NETWORK_PORTGROUPS) {
        xml_refuse(r, "more than %u port groups", NETWORK_PORTGROUPS);
        return;
    }
    struct network_portgroup *group = &n->portgroup[n->portgroups];
    read_network_name(r, xml_attr(attrs, "name"), group->name);
    if (!r->failed && network_portgroup(n, group->name))
        xml_refuse(r, "name=\"%s\" is given twice", group->name);
    if (xml_attr_in(r, attrs, "default", "yes|no") && is_default)
        group->is_default = !strcmp(is_default, "yes");
    if (group->is_default && network_portgroup(n, NULL))
        xml_refuse(r, "there is one default port group");
    n->portgroups++;
}

static void begin_any_vlan(struct xml_reader *r, struct network_vlan *vlan, const char **attrs)
{
    const char *trunk = xml_attr(attrs, "trunk");
    if (vlan->mode != SWITCH_VLAN_NONE)
        xml_refuse(r, "given twice");
    r->vlan_trunk = xml_attr_in(r, attrs, "trunk", "yes|no") && trunk && !strcmp(trunk, "yes");
}

static void begin_any_tag(struct xml_reader *r, struct network_vlan *vlan, const char **attrs)
{
    const char *why =
        network_vlan_tag(vlan, r->vlan_trunk, xml_attr(attrs, "id"), xml_attr(attrs, "nativeMode"));
    if (why)
        xml_refuse(r, "%s", why);
}

static void begin_network_vlan(struct xml_reader *r, const char **attrs)
{
    begin_any_vlan(r, &r->network->vlan, attrs);
}

static void begin_network_tag(struct xml_reader *r, const char **attrs)
{
    begin_any_tag(r, &r->network->vlan, attrs);
}

static void begin_group_vlan(struct xml_reader *r, const char **attrs)
{
    begin_any_vlan(r, &last_network_group(r)->vlan, attrs);
}

static void begin_group_tag(struct xml_reader *r, const char **attrs)
{
    begin_any_tag(r, &last_network_group(r)->vlan, attrs);
}

static void read_network_rate(struct xml_reader *r, struct switch_rate *rate, const char **attrs)
{
    const char *why = network_rate(rate, xml_attr(attrs, "average"), xml_attr(attrs, "peak"),
                                   xml_attr(attrs, "burst"));
    if (why)
        xml_refuse(r, "%s", why);
}

static void begin_network_inbound(struct xml_reader *r, const char **attrs)
{
    read_network_rate(r, &last_network_group(r)->inbound, attrs);
}

static void begin_network_outbound(struct xml_reader *r, const char **attrs)
{
    read_network_rate(r, &last_network_group(r)->outbound, attrs);
}

static void read_network_limit(struct xml_reader *r, const char **attrs, const char *name,
                               uint64_t max, uint32_t *out)
{
    const char *text = xml_attr(attrs, name);
    uint64_t value = 0;
    if (!text || !value_u64(text, max, &value) || !value)
        xml_refuse(r, "%s is not a number from 1 to %llu", name, (unsigned long long)max);
    *out = (uint32_t)value;
}

static void begin_network_storm(struct xml_reader *r, const char **attrs)
{
    read_network_limit(r, attrs, "frames", STORM_MAX, &r->network->storm_limit);
}

static void begin_network_ageing(struct xml_reader *r, const char **attrs)
{
    read_network_limit(r, attrs, "seconds", AGEING_MAX, &r->network->ageing_s);
}

#define BRIDGE "the switch needs no name and no spanning tree: it reports loops"

static const struct element_rule network_rules[] = {
    {"name", NULL, NULL, end_network_name, NULL},
    {"uuid", NULL, NULL, end_network_uuid, NULL},
    {"title", NULL, NULL, NULL, "a note for people"},
    {"description", NULL, NULL, NULL, "a note for people"},
    {"metadata", NULL, NULL, NULL, NULL},
    {"metadata/mullion:storm", "frames", begin_network_storm, NULL, NULL},
    {"metadata/mullion:ageing", "seconds", begin_network_ageing, NULL, NULL},
    {"bridge", NULL, NULL, NULL, BRIDGE},
    {"mac", NULL, NULL, NULL, "the host's own address stands in its own settings"},
    {"mtu", "size", begin_network_mtu, NULL, NULL},
    {"port", "isolated", begin_network_port, NULL, NULL},
    {"forward", "mode|dev", begin_network_forward, NULL, NULL},
    {"forward/interface", "dev|connections", begin_network_forward_interface, NULL, NULL},
    {"vlan", "trunk", begin_network_vlan, NULL, NULL},
    {"vlan/tag", "id|nativeMode", begin_network_tag, NULL, NULL},
    {"portgroup", "name|default", begin_network_portgroup, NULL, NULL},
    {"portgroup/vlan", "trunk", begin_group_vlan, NULL, NULL},
    {"portgroup/vlan/tag", "id|nativeMode", begin_group_tag, NULL, NULL},
    {"portgroup/bandwidth", NULL, NULL, NULL, NULL},
    {"portgroup/bandwidth/inbound", "average|peak|burst", begin_network_inbound, NULL, NULL},
    {"portgroup/bandwidth/outbound", "average|peak|burst", begin_network_outbound, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct {
    const char *path, *why;
} network_refusals[] = {
    {"ip", "the host gives guests no addresses; a guest or a machine outside has to"},
    {"route", "the host does not route"},
    {"dns", "the host answers no DNS"},
    {"domain", "the host answers no DNS"},
    {"bandwidth", "limits are set for each port, in <portgroup> or the guest's <interface>"},
    {"virtualport", "the switch is the host's own"},
    {"portgroup/virtualport", "the switch is the host's own"},
    {"forward/nat", "the host translates no addresses"},
    {"forward/pf", "devices of the host are not passed on"},
    {"forward/address", "devices of the host are not passed on"},
    {"forward/driver", "devices of the host are not passed on"},
};

static const char *network_refusal(const char *path)
{
    for (size_t i = 0; i < sizeof(network_refusals) / sizeof(network_refusals[0]); i++) {
        if (!strcmp(network_refusals[i].path, path))
            return network_refusals[i].why;
    }
    return NULL;
}

static void begin_network(struct xml_reader *r, const char **attrs)
{
    static const char *const known[] = {"connections", "ipv6", "trustGuestRxFilters"};
    xml_attr_in(r, attrs, "trustGuestRxFilters", "no");
    for (; attrs[0]; attrs += 2) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known |= !strcmp(attrs[0], known[i]);
        if (!is_known)
            xml_refuse(r, "attribute %.64s is not supported", attrs[0]);
    }
}

static void check_network(struct xml_reader *r)
{
    const struct network *n = r->network;
    if (!n->name[0])
        xml_refuse_at(r, "", 1, "<name> is missing");
    else if (n->uplink_line && !n->uplinks)
        xml_refuse_at(r, "forward", n->uplink_line,
                      "no network card: <interface dev='eth0'/> is missing");
}

bool network_xml_read(const char *file, const char *text, size_t size, struct network *network,
                      char error[DOMAIN_XML_ERROR])
{
    static const struct element_rule *const tables[] = {network_rules, NULL};
    static const struct xml_dialect dialect = {
        "network", NETWORK_XML_NAMESPACE, tables, network_refusal, begin_network, check_network};
    struct xml_reader reader = {.network = network};
    *network = (struct network){.mtu = NETWORK_MTU, .ageing_s = NETWORK_AGEING_S};
    snprintf(network->file, sizeof(network->file), "%s", file);
    return xml_read(&dialect, &reader, file, text, size, error);
}

bool network_xml_is(const char *text, size_t size)
{
    return xml_root_is(text, size, "network");
}
