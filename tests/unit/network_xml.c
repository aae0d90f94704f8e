/* SPDX-License-Identifier: BSD-2-Clause */
/* <network>: what virsh writes is read, what cannot be honoured is refused by place. */
#include "test.h"
#include "manager/definition/domain_value.c"
#include "manager/definition/domain_xml.c"
#include "manager/definition/domain_elements.c"
#include "manager/definition/domain_cputune.c"
#include "manager/definition/tune.c"
#include "lib/cpulist.c"
#include "manager/definition/domain_devices.c"
#include "manager/definition/domain_disk.c"
#include "manager/definition/ip_text.c"
#include "manager/definition/network_value.c"
#include "manager/definition/domain_interface.c"
#include "manager/network/network.c"
#include "manager/definition/network_xml.c"

static struct network net;
static char error[DOMAIN_XML_ERROR];

static bool read_with(const char *inside)
{
    char text[4096];
    snprintf(text, sizeof(text), "<network>\n<name>lan</name>\n%s\n</network>\n", inside);
    return network_xml_read("n.xml", text, strlen(text), &net, error);
}

static bool refused(const char *inside, const char *message)
{
    if (read_with(inside) || !strstr(error, message)) {
        printf("  got \"%s\", expected \"%s\"\n", error, message);
        return false;
    }
    return true;
}

TEST(smallest_definition)
{
    CHECK(read_with(""));
    CHECK(!strcmp(net.name, "lan"));
    CHECK_EQ(net.mtu, 1500);
    CHECK_EQ(net.ageing_s, 300);
    CHECK_EQ(net.uplinks, 0);
    CHECK_EQ(net.vlan.mode, SWITCH_VLAN_NONE);
}

TEST(what_virsh_net_dumpxml_writes)
{
    CHECK(read_with("<uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid>\n"
                    "<forward dev='eth0' mode='bridge'><interface dev='eth0'/>"
                    "<interface dev='eth1'/></forward>\n"
                    "<bridge name='virbr1' stp='on' delay='0'/>\n"
                    "<mac address='52:54:00:01:02:03'/>\n<mtu size='9000'/>"
                    "<port isolated='yes'/>"));
    CHECK_EQ(net.uplinks, 2);
    CHECK(!strcmp(net.uplink[1], "eth1"));
    CHECK_EQ(net.mtu, 9000);
    CHECK(net.isolated && net.has_uuid);
}

TEST(vlans_and_port_groups)
{
    CHECK(read_with("<vlan><tag id='42'/></vlan><portgroup name='a' default='yes'>"
                    "<vlan trunk='yes'><tag id='1'/><tag id='4094' nativeMode='untagged'/></vlan>"
                    "<bandwidth><inbound average='1000' peak='5000' burst='1024'/>"
                    "<outbound average='128'/></bandwidth></portgroup><portgroup name='b'/>"));
    CHECK_EQ(net.vlan.mode, SWITCH_VLAN_ACCESS);
    CHECK_EQ(net.vlan.vlan, 42);
    const struct network_portgroup *g = network_portgroup(&net, NULL);
    CHECK(g && !strcmp(g->name, "a") && g == network_portgroup(&net, "a"));
    CHECK_EQ(g->vlan.mode, SWITCH_VLAN_TRUNK);
    CHECK_EQ(g->vlan.vlan, 4094);
    CHECK_EQ(g->vlan.trunk[0], 2);
    CHECK_EQ(g->vlan.trunk[63], 1ull << 62);
    CHECK_EQ(g->inbound.average, 1000000);
    CHECK_EQ(g->inbound.peak, 5000000);
    CHECK_EQ(g->inbound.burst, 1048576);
    CHECK_EQ(g->outbound.average, 128000);
    CHECK(network_portgroup(&net, "b") && !network_portgroup(&net, "c"));
}

TEST(own_settings)
{
    CHECK(read_with("<metadata xmlns:m='urn:mullion:network:1'><m:storm frames='500'/>"
                    "<m:ageing seconds='20'/></metadata>"));
    CHECK_EQ(net.storm_limit, 500);
    CHECK_EQ(net.ageing_s, 20);
}

TEST(refusals_name_the_place)
{
    CHECK(refused("<ip address='10.0.0.1'/>", "n.xml:3: <network/ip>: the host gives"));
    CHECK(refused("<forward/>", "<network/forward>: mode=\"nat\" needs"));
    CHECK(refused("<forward mode='route'/>", "mode=\"route\" needs"));
    CHECK(refused("<forward mode='vepa' dev='eth0'/>", "possible: bridge"));
    CHECK(refused("<forward mode='bridge'/>", "n.xml:3: <network/forward>: no network card"));
    CHECK(refused("<forward mode='bridge' dev=''/>", "no name of a network card"));
    CHECK(refused("<mtu size='67'/>", "from 68 to 65535"));
    CHECK(refused("<mtu size='65536'/>", "from 68 to 65535"));
    CHECK(refused("<mtu/>", "size is not"));
    CHECK(refused("<name>x</name>", "given twice"));
    CHECK(refused("<uuid>x</uuid>", "is not a UUID"));
    CHECK(refused("<port isolated='maybe'/>", "possible: yes|no"));
    CHECK(refused("<vlan><tag id='0'/></vlan>", "from 1 to 4094"));
    CHECK(refused("<vlan><tag id='4095'/></vlan>", "from 1 to 4094"));
    CHECK(refused("<vlan><tag id='1'/><tag id='2'/></vlan>", "need trunk"));
    CHECK(refused("<vlan trunk='yes'><tag id='1'/><tag id='1'/></vlan>", "given twice"));
    CHECK(refused("<vlan trunk='yes'><tag id='1' nativeMode='tagged'/></vlan>", "nativeMode"));
    CHECK(refused("<portgroup name='a'/><portgroup name='a'/>", "name=\"a\" is given twice"));
    CHECK(refused("<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>",
                  "one default"));
    CHECK(refused("<portgroup/>", "1 to 63 bytes"));
    CHECK(refused("<portgroup name='a'><bandwidth><inbound/></bandwidth></portgroup>",
                  "average is missing"));
    CHECK(refused("<portgroup name='a'><bandwidth><inbound average='2' peak='1'/></bandwidth>"
                  "</portgroup>",
                  "peak is less"));
    CHECK(refused("<bandwidth/>", "in <portgroup>"));
    CHECK(refused("<unheard/>", "<network/unheard>: this element is not supported"));
    CHECK(refused("<metadata xmlns:m='urn:mullion:network:1'><m:storm frames='0'/></metadata>",
                  "from 1 to"));
    CHECK(refused("&bomb;", "not well-formed"));
}

TEST(a_name_is_needed)
{
    static const char text[] = "<network/>";
    CHECK(!network_xml_read("n.xml", text, strlen(text), &net, error));
    CHECK(!strcmp(error, "n.xml:1: <network>: <name> is missing"));
    static const char other[] = "<pool/>";
    CHECK(!network_xml_read("n.xml", other, strlen(other), &net, error));
    CHECK(strstr(error, "the root element is <pool>, not <network>"));
}

TEST(networks_are_told_from_domains)
{
    static const char network[] = "<?xml version='1.0'?>\n<!-- a --><network ipv6='yes'><x/>";
    static const char domain[] = "<domain type='kvm'><network/></domain>";
    CHECK(network_xml_is(network, strlen(network)));
    CHECK(!network_xml_is(domain, strlen(domain)));
    CHECK(!network_xml_is("", 0));
}

TEST(names_and_uuids_are_unique)
{
    CHECK(read_with("<uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid>"));
    CHECK(network_add(&net) == NULL);
    const char *why = network_add(&net);
    CHECK(why && strstr(why, "n.xml:2: <network/name>: n.xml already has this name"));
    net.name[0] = 'x';
    why = network_add(&net);
    CHECK(why && strstr(why, "already has this UUID"));
    net.uuid[0]++;
    CHECK(network_add(&net) == NULL);
    CHECK_EQ(network_count(), 2);
    CHECK(network_find("xan") == network_at(1));
    CHECK_EQ(network_index(network_find("xan")), 1);
    CHECK(!network_find("none"));
}
