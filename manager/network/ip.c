/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/answer.h"
#include "manager/network/ip.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/bootpkg.h"
#include "manager/definition/inet_value.h"
#include "manager/life.h"
#include "manager/network/netport.h"
#include "manager/guest/vm.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define IP_QUOTA      (512u << 10)
#define IP_PRIORITY   20u /* below drivers and the console: whoever floods it delays nobody else */
#define ANSWER_NS     10000000000ull /* to say that it is up, or to take a job */
#define READ_ATTEMPTS 1000u
#define NS_PER_S      1000000000ull

static struct ip_setup setup;
static struct host_net host;
static struct netport *port;
static struct netport_grant grant;
static struct mem_block area, status_memory;
static const struct ip_status *status;
static struct life life;
static uint32_t notif;
static bool is_on, is_up;
static struct {
    uint64_t number, count;
    bool is_new;
    char host[IP_NAME];
} job;

const char *ip_define(const struct host_net *with)
{
    static char why[DOMAIN_XML_ERROR];
    if (host.file[0]) {
        snprintf(why, sizeof(why), "%s:1: <host>: %s already defines the host", with->file,
                 host.file);
        return why;
    }
    host = *with;
    return NULL;
}

static const char *take_memory(void)
{
    int64_t result = physmem_alloc(&area, IP_AREA_BYTES, PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (result == OK)
        result = window_zero(&area);
    if (result == OK)
        result = physmem_alloc(&status_memory, IP_STATUS_BYTES, PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (result == OK)
        result = window_zero(&status_memory);
    if (result == OK)
        result = sys_mem_map(SLOT_SELF_PD, status_memory.slot, MANAGER_IP_VA, 0, status_memory.size,
                             MAP_READ);
    status = (const struct ip_status *)MANAGER_IP_VA;
    notif = slot_alloc();
    if (result == OK)
        result = notif ? sys_notif_create(notif) : ERR_QUOTA;
    return result == OK ? NULL : "there is no memory for it";
}

static const char *open_port(void)
{
    struct netport_request request = {
        .owner = &host,
        .network = host.network,
        .port = {.kind = SWITCH_PORT_HOST,
                 .link = 1,
                 .filters = SWITCH_FILTER_MAC | SWITCH_FILTER_NO_LEARN,
                 .vlan_mode = host.vlan ? SWITCH_VLAN_ACCESS : SWITCH_VLAN_NONE,
                 .vlan = host.vlan,
                 .name = "host"},
        .pairs = 1,
        .memory = &area,
        .memory_count = 1,
    };
    memcpy(request.port.mac, host.ip.mac, sizeof(host.ip.mac));
    return netport_open(&request, &port, &grant);
}

static const char *spawn(void)
{
    const uint32_t rw = RIGHT_READ | RIGHT_WRITE;
    const struct spawn_cap caps[] = {{IP_SLOT_CHANNEL, grant.channel, rw, 0},
                                     {IP_SLOT_AREA, area.slot, rw, 0},
                                     {IP_SLOT_STATUS, status_memory.slot, rw, 0},
                                     {IP_SLOT_BELL, grant.bell, RIGHT_WRITE, 0}};
    struct ip_config config = host.ip;
    config.magic = IP_CONFIG_MAGIC;
    config.bell_bits = grant.bell_bits;
    config.rtc_base = vm_host.rtc_base;
    config.rtc_tsc = vm_host.rtc_tsc;
    config.boot_tsc = setup.boot_tsc;
    config.restarts = life.restarts;
    struct spawn_request request = {
        .file = bootpkg_find("ip"),
        .name = "ip",
        .heap_size = IP_HEAP_BYTES,
        .quota = IP_QUOTA,
        .priority = IP_PRIORITY,
        .badge = IP_BADGE,
        .portal = setup.portal,
        .fault_notif = setup.notif,
        .fault_bits = IP_FAULT_BIT,
        .notif = notif,
        .data = &config,
        .data_size = sizeof(config),
        .caps = caps,
        .cap_count = sizeof(caps) / sizeof(caps[0]),
    };
    const char *why = setup.ensure_kernel_memory(IP_QUOTA);
    return why ? why : spawn_program(&life.program, &request);
}

static void start(void)
{
    is_up = false;
    life_began(&life, "ip", spawn(), ANSWER_NS);
}

void ip_start(const struct ip_setup *with)
{
    setup = *with;
    if (!host.has_management)
        return;
    const char *why = bootpkg_find("ip") ? take_memory() : "the boot package has no such program";
    if (!why)
        why = open_port();
    if (why) {
        log_line("%s:%u: <host/management>: %s", host.file, (unsigned)host.line, why);
        return;
    }
    is_on = true;
    start();
    if (netport_attach(port, notif, IP_BIT_CHANNEL) != OK)
        log_line("ip: the switch cannot have its notification");
}

uint64_t ip_tick(uint64_t now)
{
    if (!is_on)
        return 0;
    enum life_state state = life_check(&life, now);
    if (state != LIFE_GOES_ON) {
        life_tell(&life, "ip", state);
        life_end(&life);
    }
    if (life_is_due(&life, now))
        start();
    return life_next(&life);
}

/* A time server's word becomes the time from which guests' clocks start. */
static uint64_t serve_clock(struct utcb *utcb)
{
    uint64_t unix_ns = utcb->mr[1], tsc = utcb->mr[2];
    if (host.ip.ntp_off || unix_ns / NS_PER_S < IP_CLOCK_FIRST_S ||
        unix_ns / NS_PER_S > IP_CLOCK_LAST_S || tsc > time_tsc())
        return answer(utcb, ERR_ARG);
    vm_host.rtc_base = unix_ns / NS_PER_S;
    vm_host.rtc_tsc = tsc - time_ns_to_tsc(unix_ns % NS_PER_S);
    return answer(utcb, OK);
}

static uint64_t serve_next(struct utcb *utcb)
{
    utcb->mr[0] = OK;
    utcb->mr[1] = job.is_new ? job.number : 0;
    utcb->mr[2] = job.count;
    memcpy(&utcb->mr[IP_PAYLOAD], job.host, sizeof(job.host));
    job.is_new = false;
    if (is_up)
        life.answer_by = 0;
    return IP_PAYLOAD + IP_NAME / 8;
}

uint64_t ip_serve(struct utcb *utcb)
{
    switch (utcb->mr[0]) {
    case IP_EVENT_UP:
        is_up = true;
        life.answer_by = 0;
        return answer(utcb, OK);
    case IP_EVENT_NEXT:
        return serve_next(utcb);
    case IP_EVENT_CLOCK:
        return serve_clock(utcb);
    case IP_EVENT_PORT:
        netport_stats(port, &utcb->mr[IP_PAYLOAD]);
        utcb->mr[0] = OK;
        return IP_PAYLOAD + SWITCH_PORT_STATS;
    default:
        return answer(utcb, ERR_ARG);
    }
}

bool ip_may(uint64_t op)
{
    switch (op) {
    case MGR_OP_LIST:
    case MGR_OP_INFO:
    case MGR_OP_REFRESH:
    case MGR_OP_STATS:
    case MGR_OP_NODE:
    case MGR_OP_CPUS:
    case MGR_OP_DISKS:
    case MGR_OP_NETS:
    case MGR_OP_IFACES:
        return true;
    case MGR_OP_KLOG: /* the log leaves the host only if somebody has said where to */
        return host.ip.syslog[0];
    default:
        return false;
    }
}

/* A consistent copy; texts end, and contain nothing that a terminal would obey. */
static bool read_status(struct ip_status *out)
{
    for (uint32_t i = 0; is_on && i < READ_ATTEMPTS; i++) {
        uint64_t before = __atomic_load_n(&status->sequence, __ATOMIC_ACQUIRE);
        memcpy(out, status, sizeof(*out));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((before & 1) || __atomic_load_n(&status->sequence, __ATOMIC_RELAXED) != before)
            continue;
        char *const texts[] = {out->ntp_server, out->ping.reason};
        const size_t sizes[] = {sizeof(out->ntp_server), sizeof(out->ping.reason)};
        for (uint32_t t = 0; t < 2; t++) {
            texts[t][sizes[t] - 1] = 0;
            for (char *p = texts[t]; *p; p++)
                *p = *p < ' ' || *p > '~' ? '?' : *p;
        }
        if (out->addresses > IP_ADDRESSES)
            out->addresses = IP_ADDRESSES;
        if (out->dns_servers > IP_DNS_SERVERS + 1)
            out->dns_servers = IP_DNS_SERVERS + 1;
        return true;
    }
    return false;
}

void ip_describe(struct mgr_hostnet *out)
{
    memset(out, 0, sizeof(*out));
    if (!is_on)
        return;
    memcpy(out->network, host.network, sizeof(out->network));
    memcpy(out->mac, host.ip.mac, sizeof(host.ip.mac));
    out->restarts = life.restarts;
    out->running = life.program.alive && is_up && read_status(&out->status);
}

const char *ip_ping(const char *name, uint64_t count, uint64_t *number)
{
    if (!is_on)
        return "the host has no management network";
    if (!inet_is_server(name))
        return "this is neither a name nor the address of a host";
    if (!count || count > IP_PING_MAX)
        return "a ping has 1 to 20 packets";
    job.number++;
    job.count = count;
    job.is_new = true;
    snprintf(job.host, sizeof(job.host), "%s", name);
    *number = job.number;
    if (is_up && life.program.alive && !life.answer_by) {
        life_expect(&life, ANSWER_NS);
        sys_notif_signal(notif, IP_BIT_JOB);
    }
    return NULL;
}

bool ip_pong(uint64_t number, struct ip_ping *out)
{
    static struct ip_status copy;
    *out = (struct ip_ping){.job = number};
    if (number != job.number || !read_status(&copy))
        return false;
    if (copy.ping.job == number)
        *out = copy.ping;
    if (out->count > IP_PING_MAX)
        out->count = IP_PING_MAX;
    return true;
}
