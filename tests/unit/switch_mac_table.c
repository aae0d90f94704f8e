/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: found, moved, forgotten, and never more of a port than its share. */
#include "test.h"
#include "net/switch/mac_table.c"

static struct mac_table table;
static uint16_t other;

static void reset(void)
{
    mac_table_init(&table, 0x1234567);
    table.ageing_s[0] = table.ageing_s[1] = 300;
    table.now_s = 1000;
}

static enum mac_learned learn(uint64_t mac, uint16_t port, uint32_t max)
{
    return mac_learn(&table, mac_key(mac, 0), 0, port, max, &other);
}

static int port_of(uint64_t mac, uint16_t vlan)
{
    const struct mac_entry *e = mac_find(&table, mac_key(mac, 0), vlan);
    return e ? e->port : -1;
}

TEST(learns_and_moves)
{
    reset();
    CHECK_EQ(learn(0x2, 5, 10), MAC_NEW);
    CHECK_EQ(learn(0x2, 5, 10), MAC_KNOWN);
    CHECK_EQ(port_of(0x2, 0), 5);
    CHECK_EQ(learn(0x2, 6, 10), MAC_MOVED);
    CHECK_EQ(other, 5);
    CHECK_EQ(port_of(0x2, 0), 6);
    CHECK_EQ(table.learned[5], 0);
    CHECK_EQ(table.learned[6], 1);
}

TEST(vlans_and_networks_are_apart)
{
    reset();
    learn(0x2, 5, 10);
    CHECK_EQ(mac_learn(&table, mac_key(2, 0), 7, 6, 10, &other), MAC_NEW);
    CHECK_EQ(mac_learn(&table, mac_key(2, 1), 0, 7, 10, &other), MAC_NEW);
    CHECK_EQ(port_of(0x2, 0), 5);
    CHECK_EQ(port_of(0x2, 7), 6);
    CHECK_EQ(mac_find(&table, mac_key(2, 1), 0)->port, 7);
}

TEST(silence_is_forgotten)
{
    reset();
    learn(0x2, 5, 10);
    table.now_s += 299;
    CHECK_EQ(port_of(0x2, 0), 5);
    learn(0x2, 5, 10);
    table.now_s += 299;
    CHECK_EQ(port_of(0x2, 0), 5);
    table.now_s += 1;
    CHECK_EQ(port_of(0x2, 0), -1);
    CHECK_EQ(learn(0x2, 6, 10), MAC_NEW);
    CHECK_EQ(table.learned[5], 0);
}

TEST(a_flood_of_addresses_stays_in_its_share)
{
    reset();
    CHECK_EQ(learn(0x2, 1, 10), MAC_NEW);
    for (uint64_t i = 0; i < 100000; i++)
        learn(0x100 + i * 2, 9, MAC_GUEST_MAX);
    CHECK_EQ(table.learned[9], MAC_GUEST_MAX);
    CHECK_EQ(learn(0x2, 9, MAC_GUEST_MAX), MAC_FULL);
    CHECK_EQ(port_of(0x2, 0), 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < MAC_SETS * MAC_WAYS; i++)
        count += table.set[i / MAC_WAYS][i % MAC_WAYS].key != 0;
    CHECK_EQ(count, MAC_GUEST_MAX + 1);
}

TEST(a_full_table_forgets_the_most_silent_of_a_set)
{
    reset();
    for (uint64_t i = 0; i < 60000; i++) {
        table.now_s = 1000 + (uint32_t)(i / 1000);
        learn(0x100 + i * 2, (uint16_t)(i % 8), MAC_SETS * MAC_WAYS);
    }
    uint64_t sum = 0, found = 0;
    for (uint32_t i = 0; i < 8; i++)
        sum += table.learned[i];
    for (uint64_t i = 0; i < 60000; i++)
        found += port_of(0x100 + i * 2, 0) == (int)(i % 8);
    CHECK_EQ(found, sum);
    CHECK(sum > MAC_SETS * MAC_WAYS * 9 / 10);
    CHECK_EQ(port_of(0x100 + 59999 * 2, 0), 59999 % 8);
}

TEST(an_own_address_is_nobody_elses)
{
    reset();
    learn(0x2, 3, 10);
    CHECK(mac_own(&table, mac_key(2, 0), 5));
    CHECK_EQ(port_of(0x2, 0), -1);
    CHECK_EQ(table.learned[3], 0);
    CHECK_EQ(port_of(0x2, MAC_ANY_VLAN), 5);
    CHECK_EQ(learn(0x2, 6, 10), MAC_TAKEN);
    CHECK_EQ(other, 5);
    CHECK_EQ(learn(0x2, 5, 10), MAC_KNOWN);
    CHECK(!mac_own(&table, mac_key(2, 0), 6));
    CHECK(mac_own(&table, mac_key(2, 0), 5));
    table.now_s += 100000;
    CHECK_EQ(port_of(0x2, MAC_ANY_VLAN), 5);
    for (uint64_t i = 0; i < 100000; i++)
        learn(0x100 + i * 2, 9, MAC_SETS * MAC_WAYS);
    CHECK_EQ(port_of(0x2, MAC_ANY_VLAN), 5);
}

TEST(a_port_that_goes_is_forgotten)
{
    reset();
    learn(0x2, 3, 10);
    learn(0x4, 4, 10);
    mac_own(&table, mac_key(6, 0), 3);
    mac_forget_port(&table, 3);
    CHECK_EQ(port_of(0x2, 0), -1);
    CHECK_EQ(port_of(0x6, MAC_ANY_VLAN), 3);
    mac_disown(&table, mac_key(6, 0), 4);
    CHECK_EQ(port_of(0x6, MAC_ANY_VLAN), 3);
    mac_disown(&table, mac_key(6, 0), 3);
    CHECK_EQ(port_of(0x6, MAC_ANY_VLAN), -1);
    CHECK_EQ(port_of(0x4, 0), 4);
}
