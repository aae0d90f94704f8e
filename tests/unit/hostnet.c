/* SPDX-License-Identifier: BSD-2-Clause */
/* The manager's side of the host's IP stack: start, death, hanging, the clock, ping; and a process
 * that writes nonsense. */
#include "test.h"
#include <stdint.h>
#define USER_SYSCALL_STUBS_H
static uint64_t signalled;
static int64_t sys_notif_create(uint32_t dst)
{
    (void)dst;
    return 0;
}
static int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    (void)notif;
    signalled |= bits;
    return 0;
}
static int64_t sys_mem_map(uint32_t space, uint32_t mem, uint64_t va, uint64_t offset,
                           uint64_t size, uint32_t flags)
{
    (void)space, (void)mem, (void)va, (void)offset, (void)size, (void)flags;
    return 0;
}
#include "fake/program.h"
#include "fake/time.h"
#include "manager/window.h"
static struct ip_status *fake_status(void);
#undef MANAGER_IP_VA
#define MANAGER_IP_VA ((uint64_t)fake_status())
#include "manager/definition/ip_text.c"
#include "manager/definition/inet_value.c"
#include "manager/life.c"
#include "manager/network/ip.c"

static struct ip_status shared;
static struct ip_status *fake_status(void)
{
    return &shared;
}
struct vm_host vm_host = {.rtc_base = 5, .rtc_tsc = 6};
uint32_t slot_alloc(void)
{
    return 77;
}
const struct package_file *bootpkg_find(const char *name)
{
    static const struct package_file file;
    return strcmp(name, "ip") ? NULL : &file;
}
int64_t physmem_alloc(struct mem_block *block, uint64_t size, uint64_t align, uint32_t node)
{
    (void)align, (void)node;
    *block = (struct mem_block){.slot = 88, .size = size};
    return 0;
}
int64_t window_zero(const struct mem_block *block)
{
    (void)block;
    return 0;
}
static struct netport_request asked;
static const char *port_refusal;
static int attached;
const char *netport_open(const struct netport_request *request, struct netport **out,
                         struct netport_grant *granted)
{
    asked = *request;
    *out = NULL;
    *granted = (struct netport_grant){.channel = 90, .bell = 91, .bell_bits = 1 << 20};
    return port_refusal;
}
int64_t netport_attach(struct netport *to, uint32_t slot, uint64_t bits)
{
    (void)to;
    attached += slot == 77 && bits == IP_BIT_CHANNEL;
    return 0;
}
void netport_stats(const struct netport *of, uint64_t stat[SWITCH_PORT_STATS])
{
    (void)of;
    stat[SWITCH_RX_FRAMES] = 42;
}
static int spawned, ended;
static struct ip_config given;
static const char *spawn_refusal;
const char *spawn_program(struct program *to, const struct spawn_request *request)
{
    memcpy(&given, request->data, sizeof(given));
    to->alive = !spawn_refusal;
    spawned++;
    return spawn_refusal;
}
void program_end(struct program *of)
{
    of->alive = false;
    ended++;
}
static const char *enough(uint64_t quota)
{
    (void)quota;
    return NULL;
}

static struct utcb utcb;
static uint64_t call(uint64_t event, uint64_t a, uint64_t b)
{
    utcb.mr[0] = event;
    utcb.mr[1] = a;
    utcb.mr[2] = b;
    ip_serve(&utcb);
    return utcb.mr[0];
}

static const struct ip_setup with = {1, 2, 3, enough};
static struct host_net definition = {
    .has_management = true, .file = "host.xml", .line = 3, .network = "lan", .vlan = 9};

TEST(nothing_is_started_without_a_definition)
{
    struct mgr_hostnet net;
    uint64_t number;
    ip_start(&with);
    CHECK(!spawned && ip_tick(5) == 0);
    ip_describe(&net);
    CHECK(!net.network[0] && strstr(ip_ping("a", 1, &number), "no management network"));
    struct ip_ping ping;
    CHECK(!ip_pong(0, &ping));
}

TEST(a_network_that_is_not_there)
{
    CHECK(!ip_define(&definition));
    CHECK(!strcmp(ip_define(&definition), "host.xml:1: <host>: host.xml already defines the host"));
    port_refusal = "there is no such network";
    ip_start(&with);
    CHECK(strstr(logged, "host.xml:3: <host/management>: there is no such network\n"));
    CHECK(!spawned && ip_tick(5) == 0);
    port_refusal = NULL;
}

TEST(start)
{
    host.ip.mac[5] = 7;
    ip_start(&with);
    CHECK(spawned == 1 && attached == 1);
    CHECK(!strcmp(asked.network, "lan") && asked.port.kind == SWITCH_PORT_HOST);
    CHECK(asked.port.vlan_mode == SWITCH_VLAN_ACCESS && asked.port.vlan == 9);
    CHECK(asked.port.mac[5] == 7 && asked.port.link == 1);
    CHECK(asked.port.filters == (SWITCH_FILTER_MAC | SWITCH_FILTER_NO_LEARN));
    CHECK(given.magic == IP_CONFIG_MAGIC && given.bell_bits == 1 << 20 && given.mac[5] == 7);
    CHECK(given.rtc_base == 5 && given.rtc_tsc == 6 && given.boot_tsc == 3);
}

TEST(one_that_says_nothing_is_started_again)
{
    uint64_t at = ip_tick(now_tsc);
    CHECK_EQ(at, now_tsc + ANSWER_NS);
    now_tsc = at;
    ip_tick(now_tsc);
    CHECK(ended == 1 && spawned == 2 && strstr(logged, "does not answer"));
    CHECK_EQ(call(IP_EVENT_UP, 0, 0), OK);
    CHECK_EQ(ip_tick(now_tsc), 0);
    now_tsc += 100 * ANSWER_NS;
    ip_tick(now_tsc);
    CHECK_EQ(ended, 1);
}

TEST(one_that_dies_again_and_again_is_given_time)
{
    int before = spawned;
    uint64_t waited = 0;
    health = PROGRAM_FAULTED;
    for (int i = 0; i < 20; i++) {
        uint64_t at = ip_tick(now_tsc);
        waited = at > now_tsc ? at - now_tsc : 0;
        now_tsc = at > now_tsc ? at : now_tsc;
    }
    CHECK(spawned > before + 5);
    CHECK(waited >= RETRY_LAST_NS / 2 && waited <= RETRY_LAST_NS);
    health = PROGRAM_RUNS;
    now_tsc += RETRY_LAST_NS;
    ip_tick(now_tsc);
    CHECK(life.program.alive && given.restarts == life.restarts);
    call(IP_EVENT_UP, 0, 0);
}

TEST(the_clock)
{
    const uint64_t s = 1900000000;
    CHECK_EQ(call(IP_EVENT_CLOCK, s * NS_PER_S + 250, now_tsc - 10), OK);
    CHECK_EQ(vm_host.rtc_base, s);
    CHECK_EQ(vm_host.rtc_tsc, now_tsc - 10 - 250);
    CHECK((int64_t)call(IP_EVENT_CLOCK, 5, now_tsc) == ERR_ARG);
    CHECK((int64_t)call(IP_EVENT_CLOCK, UINT64_MAX, now_tsc) == ERR_ARG);
    CHECK((int64_t)call(IP_EVENT_CLOCK, s * NS_PER_S, now_tsc + 1) == ERR_ARG);
    host.ip.ntp_off = 1;
    CHECK((int64_t)call(IP_EVENT_CLOCK, s * NS_PER_S, now_tsc) == ERR_ARG);
    CHECK_EQ(vm_host.rtc_base, s);
    CHECK((int64_t)call(99, 0, 0) == ERR_ARG);
    CHECK(call(IP_EVENT_PORT, 0, 0) == OK && utcb.mr[IP_PAYLOAD + SWITCH_RX_FRAMES] == 42);
}

TEST(what_it_may_ask)
{
    CHECK(ip_may(MGR_OP_NODE) && ip_may(MGR_OP_STATS) && ip_may(MGR_OP_REFRESH));
    CHECK(!ip_may(MGR_OP_ACT) && !ip_may(MGR_OP_HOST) && !ip_may(MGR_OP_TUNE_SET) &&
          !ip_may(MGR_OP_CONSOLE) && !ip_may(MGR_OP_PING) && !ip_may(MGR_OP_LINK));
    CHECK(!ip_may(MGR_OP_KLOG)); /* nobody has said where to */
    strcpy(host.ip.syslog, "a");
    CHECK(ip_may(MGR_OP_KLOG));
}

TEST(ping)
{
    uint64_t number;
    struct ip_ping out;
    CHECK(ip_ping("a b", 1, &number) && ip_ping("a", 0, &number) && ip_ping("a", 21, &number));
    signalled = 0;
    CHECK(!ip_ping("host.example", 3, &number) && signalled == IP_BIT_JOB);
    call(IP_EVENT_NEXT, 0, 0);
    CHECK(utcb.mr[1] == number && utcb.mr[2] == 3);
    CHECK(!strcmp((const char *)&utcb.mr[IP_PAYLOAD], "host.example"));
    call(IP_EVENT_NEXT, 0, 0);
    CHECK_EQ(utcb.mr[1], 0);
    CHECK(ip_pong(number, &out) && out.state == IP_PING_NONE);
    shared.ping = (struct ip_ping){.job = number, .state = IP_PING_DONE, .count = UINT32_MAX};
    memset(shared.ping.reason, '\x1b', sizeof(shared.ping.reason));
    CHECK(ip_pong(number, &out) && out.count == IP_PING_MAX);
    CHECK(strlen(out.reason) == sizeof(out.reason) - 1 && out.reason[0] == '?');
    CHECK(!ip_pong(number + 1, &out));
}

TEST(a_status_that_is_nonsense)
{
    struct mgr_hostnet net;
    memset(&shared, 0xff, sizeof(shared));
    ip_describe(&net); /* it is being written, for ever */
    CHECK(!net.running && !strcmp(net.network, "lan"));
    shared.sequence = 2;
    ip_describe(&net);
    CHECK(net.running && net.status.addresses == IP_ADDRESSES &&
          net.status.dns_servers == IP_DNS_SERVERS + 1 && net.status.ntp_server[0] == '?');
}
