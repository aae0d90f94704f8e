/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests' network interfaces: what the switch is told of them, and when their memory comes back. */
#include "tests/unit/fake/manager.h"

static void setup_networks(void)
{
    setup();
    memset(fake_ports, 0, sizeof(fake_ports));
    fake_switch_busy = false;
    if (network_find("lan"))
        return;
    struct network lan = {.mtu = 1500, .uuid = {1}};
    struct network vlans = {.mtu = 1500, .uuid = {2}, .portgroups = 2};
    snprintf(lan.name, sizeof(lan.name), "lan");
    network_add(&lan);
    snprintf(vlans.name, sizeof(vlans.name), "vlans");
    vlans.vlan = (struct network_vlan){.mode = SWITCH_VLAN_ACCESS, .vlan = 7};
    snprintf(vlans.portgroup[0].name, sizeof(vlans.portgroup[0].name), "red");
    vlans.portgroup[0].vlan = (struct network_vlan){.mode = SWITCH_VLAN_ACCESS, .vlan = 9};
    vlans.portgroup[0].inbound.average = 1000;
    snprintf(vlans.portgroup[1].name, sizeof(vlans.portgroup[1].name), "plain");
    network_add(&vlans);
}

static struct domain_net *add_net(struct vm *vm, const char *network)
{
    struct domain_net *net = &vm->def.net[vm->def.net_count++];
    *net = (struct domain_net){.line = 40, .source_line = 41, .pairs = 2, .port.link = 1};
    snprintf(net->network, sizeof(net->network), "%s", network);
    snprintf(net->target, sizeof(net->target), "vnet%u", (unsigned)vm->def.net_count - 1);
    return net;
}

TEST(port_is_opened_and_given_back)
{
    setup_networks();
    struct vm *vm = add("alpha", 64 * MIB);
    struct domain_net *net = add_net(vm, "lan");
    net->mtu = 1400;
    for (int i = 0; i < 50; i++) {
        CHECK(!vm_input(vm, VM_IN_START));
        const struct netport *port = &fake_ports[0];
        CHECK(port->open && port->attached && !strcmp(port->network, "lan"));
        CHECK_EQ(port->area, 64 * MIB);
        CHECK_EQ(port->config.kind, SWITCH_PORT_GUEST);
        CHECK(!strcmp(port->config.name, "alpha vnet0"));
        CHECK_EQ(last_config.net_count, 1);
        CHECK_EQ(last_config.net[0].pairs, 2);
        CHECK_EQ(last_config.net[0].mtu, 1400);
        CHECK_EQ(last_config.net[0].switch_bits, 1 << 16);
        CHECK_EQ(last_config.net[0].channel_size, frame_channel_bytes(2));
        CHECK(!memcmp(last_config.net[0].mac, port->config.mac, 6));
        CHECK_EQ(last_cap_count, 9); /* as without, and two */
        vm_input(vm, VM_IN_DESTROY);
        CHECK(!port->open && !vm->draining && balanced(vm));
    }
}

/* The switch may still write into the memory of a guest that has ended. */
TEST(memory_waits_for_the_switch)
{
    setup_networks();
    struct vm *vm = add("alpha", 64 * MIB);
    add_net(vm, "lan")->model = VMM_NET_E1000;
    vm->def.net[0].pairs = 1;
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK_EQ(last_config.net[0].bounce_size, VMM_NET_BOUNCE);
    CHECK_EQ(fake_ports[0].area, 64 * MIB + VMM_NET_BOUNCE);
    CHECK_EQ(last_cap_count, 10);
    uint64_t free_bytes = physmem_free_bytes();
    fake_switch_busy = true;
    vm_input(vm, VM_IN_DESTROY);
    CHECK(vm->draining);
    CHECK(physmem_free_bytes() < free_bytes + 64 * MIB);
    fake_switch_busy = false;
    CHECK(!vm_drain(vm));
    CHECK(physmem_free_bytes() >= free_bytes + 64 * MIB + VMM_NET_BOUNCE);
}

TEST(addresses_are_made_and_kept_apart)
{
    static const uint8_t mac[] = {2, 0, 0, 0, 0, 5};
    uint8_t first[6], second[6], again[6];
    setup_networks();
    struct vm *vm = add("alpha", 16 * MIB), *other = add("beta", 16 * MIB);
    vm->def.uuid[3] = 9;
    add_net(vm, "lan");
    add_net(vm, "lan");
    add_net(other, "lan");
    vm_net_mac(vm, 0, first);
    vm_net_mac(vm, 1, second);
    vm_net_mac(vm, 0, again);
    CHECK(!memcmp(first, "\x52\x54\0", 3) && memcmp(first, second, 6));
    CHECK(!memcmp(first, again, 6));
    vm_net_mac(other, 0, again);
    CHECK(memcmp(first, again, 6));
    memcpy(vm->def.net[0].port.mac, mac, 6);
    memcpy(other->def.net[0].port.mac, mac, 6);
    vm->def.net[0].has_mac = other->def.net[0].has_mac = true;
    CHECK(!vm_input(vm, VM_IN_START));
    vm_input(other, VM_IN_START);
    CHECK(strstr(other->reason, "beta.xml:41: <domain/devices/interface/source>: alpha has the "
                                "same address on network lan"));
    /* On another network it may have it. */
    snprintf(other->def.net[0].network, SWITCH_NAME, "vlans");
    CHECK(!vm_input(other, VM_IN_START));
    uint32_t i;
    CHECK(vm_net_find(vm, "02:00:00:00:00:05", &i) && i == 0);
    CHECK(vm_net_find(vm, "vnet1", &i) && i == 1);
    CHECK(!vm_net_find(vm, "vnet2", &i));
}

TEST(what_is_not_said_is_the_networks)
{
    setup_networks();
    struct vm *vm = add("alpha", 16 * MIB);
    add_net(vm, "vlans");
    struct domain_net *red = add_net(vm, "vlans"), *own = add_net(vm, "vlans");
    snprintf(red->portgroup, sizeof(red->portgroup), "red");
    snprintf(own->portgroup, sizeof(own->portgroup), "red");
    own->port.vlan_mode = SWITCH_VLAN_ACCESS;
    own->port.vlan = 3;
    own->port.inbound.average = 5;
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK_EQ(fake_ports[0].config.vlan, 7);
    CHECK_EQ(fake_ports[1].config.vlan, 9);
    CHECK_EQ(fake_ports[1].config.inbound.average, 1000);
    CHECK_EQ(fake_ports[2].config.vlan, 3);
    CHECK_EQ(fake_ports[2].config.inbound.average, 5);
    vm_input(vm, VM_IN_DESTROY);
    snprintf(red->portgroup, sizeof(red->portgroup), "blue");
    vm_input(vm, VM_IN_START);
    CHECK(strstr(vm->reason, "vlans, blue: the network has no such port group"));
    CHECK(!fake_ports[0].open);
    snprintf(red->network, sizeof(red->network), "nowhere");
    vm_input(vm, VM_IN_START);
    CHECK(strstr(vm->reason, "there is no such network"));
}

TEST(link_is_set_while_it_runs)
{
    setup_networks();
    struct vm *vm = add("alpha", 16 * MIB);
    add_net(vm, "lan");
    vm_net_set_link(vm, 0, false);
    CHECK(!vm_net_link(vm, 0));
    CHECK(!vm_input(vm, VM_IN_START));
    CHECK_EQ(fake_ports[0].config.link, 0);
    vm_net_set_link(vm, 0, true);
    CHECK(fake_ports[0].config.link == 1 && fake_ports[0].changes == 1 && vm_net_link(vm, 0));
    uint64_t stat[SWITCH_PORT_STATS];
    vm_net_stats(vm, 0, stat);
    CHECK_EQ(stat[SWITCH_RX_FRAMES], 100);
    vm_input(vm, VM_IN_DESTROY);
    vm_net_stats(vm, 0, stat);
    CHECK_EQ(stat[SWITCH_RX_FRAMES], 0);
}
