/* SPDX-License-Identifier: BSD-2-Clause */
/* A manager behind the console's client calls: a few domains, disks, networks, pools. */
#ifndef FAKE_CLIENT_H
#define FAKE_CLIENT_H

#include <stdint.h>
#define USER_SYSCALL_STUBS_H
static int64_t sys_notif_create(uint32_t dst)
{
    (void)dst;
    return 0;
}
static int64_t sys_notif_wait(uint32_t notif, uint64_t deadline, uint64_t *bits)
{
    (void)notif, (void)deadline;
    *bits = 0;
    return -8;
}
#include "user/program.h"
uint32_t slot_alloc(void)
{
    return 100;
}
uint64_t time_ns(void)
{
    return 1;
}
uint64_t time_tsc(void)
{
    return 1;
}
uint64_t time_ns_to_tsc(uint64_t ns)
{
    return ns;
}

#include "abi/thread.h"
#include "abi/vcpu.h"
#include "console/client.h"
static struct mgr_brief fake[3] = {
    {.id = 4, .index = 0, .state = VM_RUNNING, .run = 1, .autostart = 1, .name = "alpha"},
    {.id = 0, .index = 1, .state = VM_SHUTOFF, .name = "a-long-name"},
    {.id = 12, .index = 2, .state = VM_PAUSED, .name = "beta"},
};
static const char *fake_reason = "crashed: x\nRIP 1";
static int acted;
static enum vm_input last_verb;
static enum mgr_host last_host;
static int last_force = -1;
int64_t client_list(struct mgr_brief briefs[CLIENT_DOMAINS], uint32_t *count)
{
    memcpy(briefs, fake, sizeof(fake));
    *count = 3;
    return 0;
}
static const struct mgr_brief *find(const char *name)
{
    for (int i = 0; i < 3; i++) {
        if (!strcmp(fake[i].name, name))
            return &fake[i];
    }
    return NULL;
}
int64_t client_info(const char *name, struct mgr_info *info)
{
    memset(info, 0, sizeof(*info));
    if (!find(name))
        return -1;
    info->brief = *find(name);
    info->uuid[0] = 0x4d;
    info->uuid[15] = 0xde;
    info->vcpus = 2;
    info->memory = info->used_memory = 256 << 20;
    info->cpu_time_ns = 3260000000;
    snprintf(info->reason, sizeof(info->reason), "%s", fake_reason);
    return 0;
}
int64_t client_act(const char *name, enum vm_input verb)
{
    acted++;
    last_verb = verb;
    return find(name) ? 0 : -1;
}
int64_t client_refresh(const char *name)
{
    (void)name;
    return 0;
}
static struct vmm_dirty fake_dirty;
static int last_dirty = -1;
int64_t client_dirty(const char *name, bool start)
{
    last_dirty = start;
    if (start)
        fake_dirty.logged = 0;
    return find(name) ? 0 : -1;
}
static uint32_t looks;
int64_t client_stats(const char *name, uint32_t vcpu, struct mgr_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    stats->vcpus = 2;
    stats->vm_state = VM_RUNNING;
    stats->sched.cpu = vcpu + 2;
    stats->sched.class = SC_SHARED;
    stats->sched.weight = 512;
    stats->sched.used_ns = 1500000000ull * (looks + 1);
    stats->sched.wait_ns = 250000000ull * (looks + 1);
    stats->sched.migrations = 3;
    stats->sched.deadline_misses = vcpu;
    stats->sched.budget_us = vcpu ? 25000 : 0;
    stats->sched.period_us = vcpu ? 100000 : 0;
    stats->emulator.used_ns = 100000000;
    stats->domain_ns = 99;
    stats->state = vcpu; /* vCPU 1 is halted */
    stats->memory = 1 << 20;
    stats->balloon_pages = 16;
    stats->dirty = fake_dirty;
    stats->stat[STAT_DIRTY] = last_dirty == 0 ? 1000 + 256 * (vcpu + 1) : 1000;
    stats->cpuset.word[0] = 5;
    stats->stat[0] = 77 + vcpu + 1000 * looks;
    stats->stat[STAT_HLT] = 200 * looks;
    return find(name) ? 0 : -1;
}
static struct mgr_tune fake_tune = {
    .vcpus = 2, .value = {1024, 100000, -1, 100000, -1, 100000, -1, 100000, -1}};
static struct mgr_tune_set last_set;
static struct mgr_pin_set last_pin;
static uint32_t last_flags;
int64_t client_tune(const char *name, uint32_t flags, struct mgr_tune *tune)
{
    last_flags = flags;
    *tune = fake_tune;
    memset(tune->pin, 0xff, sizeof(tune->pin));
    tune->pin[1].word[0] = 2;
    tune->emulator_pin.word[0] = 12;
    return find(name) ? 0 : -1;
}
int64_t client_tune_set(const char *name, uint32_t flags, const struct mgr_tune_set *set)
{
    last_flags = flags;
    last_set = *set;
    for (uint32_t i = 0; i < set->count; i++)
        fake_tune.value[set->change[i].which] = set->change[i].value;
    return find(name) ? 0 : -1;
}
int64_t client_pin(const char *name, uint32_t flags, const struct mgr_pin_set *set)
{
    last_flags = flags;
    last_pin = *set;
    return find(name) ? 0 : -1;
}
int64_t client_cpu(enum mgr_cpu_order what, uint32_t cpu, struct tune_set *online)
{
    *online = (struct tune_set){{what == MGR_CPU_OFFLINE ? 0xeull : 0xfull}};
    return cpu < 4 ? 0 : -1;
}
static char last_pool[64];
static struct mgr_cpupool_set last_pool_set;
int64_t client_cpupools(struct mgr_cpupool list[MGR_CPUPOOLS], uint32_t *count)
{
    list[0] = (struct mgr_cpupool){.cpus = {{3}}, .guests = 2};
    list[1] = (struct mgr_cpupool){.name = "real", .cpus = {{0xc}}, .guests = 1};
    *count = 2;
    return 0;
}
int64_t client_cpupool(enum mgr_cpupool_order order, const char *name,
                       const struct mgr_cpupool_set *set)
{
    snprintf(last_pool, sizeof(last_pool), "%u %s", (unsigned)order, name);
    last_pool_set = *set;
    return strcmp(name, "wrong") ? 0 : -1;
}
static enum mgr_trace last_trace;
int64_t client_trace(enum mgr_trace what)
{
    last_trace = what;
    return 0;
}
/* CPU 0 has three events, the others none. */
int64_t client_trace_read(uint32_t cpu, uint64_t *position, struct trace_entry *entries,
                          uint32_t size, uint32_t *count)
{
    *count = !cpu && !*position && size >= 3 ? 3 : 0;
    for (uint32_t i = 0; i < *count; i++)
        entries[i] =
            (struct trace_entry){.tsc = 0x1000 + i, .sc = 7 + i, .event = (uint16_t)(i + 1)};
    *position += *count;
    return 0;
}
int64_t client_node(struct mgr_node *node)
{
    memset(node, 0, sizeof(*node));
    node->cpus = 4;
    node->nodes = 1;
    node->tsc_khz = 2300000;
    node->memory = 4ull << 30;
    node->virt = 1;
    return 0;
}
int64_t client_disks(const char *name, struct mgr_disk *disks, uint32_t *count)
{
    memset(disks, 0, 2 * sizeof(*disks));
    snprintf(disks[0].target, sizeof(disks[0].target), "vda");
    snprintf(disks[0].source, sizeof(disks[0].source), "images/root.img");
    snprintf(disks[1].target, sizeof(disks[1].target), "vdb");
    snprintf(disks[1].source, sizeof(disks[1].source), "tank/root");
    disks[1].is_volume = 1;
    disks[1].stat[DISK_STAT_WRITES] = 42;
    *count = 2;
    return find(name) ? 0 : -1;
}
static char last_link[64];
int64_t client_nets(const char *name, struct mgr_net *nets, uint32_t *count)
{
    memset(nets, 0, 2 * sizeof(*nets));
    nets[0] = (struct mgr_net){.target = "vnet0", .source = "lan", .link = 1, .mac = {0x52, 0x54}};
    nets[1] = (struct mgr_net){.target = "web", .source = "outside", .bridge = 1};
    nets[1].model = VMM_NET_E1000;
    nets[0].stat[SWITCH_RX_FRAMES] = 17;
    *count = 2;
    return find(name) ? 0 : -1;
}
int64_t client_link(const char *name, const char *which, int up)
{
    snprintf(last_link, sizeof(last_link), "%s %d", which, up);
    return find(name) ? 0 : -1;
}
int64_t client_nodedev(uint32_t first, struct mgr_nodedev *list, uint32_t max, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = first; i < 20 && *count < max; i++)
        snprintf(list[(*count)++].name, sizeof(list[0].name), "pci_0000_00_%02x_0", i);
    return 0;
}
int64_t client_ifaces(uint32_t first, struct mgr_iface *list, uint32_t max, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = first; i < 10 && *count < max; i++) {
        struct mgr_iface *to = &list[(*count)++];
        *to = (struct mgr_iface){.driver = "e1000",
                                 .chip = "82540EM",
                                 .address = "0000:00:02.0",
                                 .mac = {0x52, 0x54, 0, 0, 0, (uint8_t)i},
                                 .state = NIC_RUNNING,
                                 .link = i & 1,
                                 .speed = 1000};
        snprintf(to->name, sizeof(to->name), "eth%u", i);
        snprintf(to->network, sizeof(to->network), "%s", i == 3 ? "lan" : "");
        to->stat[NIC_RX_FRAMES] = 100 + i;
    }
    return 0;
}
int64_t client_networks(uint32_t first, struct mgr_network *list, uint32_t max, uint32_t *count,
                        struct switch_life *life)
{
    *count = 0;
    *life = (struct switch_life){7, 1234567};
    for (uint32_t i = first; i < 20 && *count < max; i++) {
        list[*count] = (struct mgr_network){.mtu = 9000, .ports = 2, .active = 1, .uuid = {0xab}};
        snprintf(list[(*count)++].name, sizeof(list[0].name), "net%u", i);
    }
    return 0;
}
int64_t client_netports(const char *name, uint32_t *first, struct mgr_netport *list,
                        uint32_t *count)
{
    *count = 1;
    list[0] = (struct mgr_netport){.link = 1, .attached = 1};
    if (!*first) {
        snprintf(list[0].name, sizeof(list[0].name), "alpha %s", name);
        list[0].mac[0] = 0x52, list[0].mac[5] = 9;
        list[0].vlan_mode = SWITCH_VLAN_TRUNK, list[0].vlan = 5;
        list[0].stat[SWITCH_TX_BYTES] = 42;
        list[0].stat[SWITCH_MACS] = 3;
    } else {
        snprintf(list[0].name, sizeof(list[0].name), "eth0");
        list[0].kind = SWITCH_PORT_UPLINK;
        list[0].attached = 0;
    }
    *first = *first ? SWITCH_PORTS : 1;
    return 0;
}
static uint32_t captures; /* looks at the one that runs; 0: none does */
int64_t client_capture_begin(const char *network, const char *port)
{
    captures = !strcmp(network, "lan") && !strcmp(port, "alpha vnet0");
    return captures ? 0 : -1;
}
int64_t client_capture_read(uint8_t *into, uint32_t *used, uint64_t *lost)
{
    const uint32_t head[4] = {1, 2, 3, 60};
    *used = captures++ % 2 ? 0 : 19; /* a frame of which three bytes are given, now and then */
    *lost = 5;
    memcpy(into, head, sizeof(head));
    memcpy(into + sizeof(head), "abc", 3);
    return 0;
}
int64_t client_capture_end(void)
{
    captures = 0;
    return 0;
}
static struct pool_order last_order;
static char last_order_name[64];
int64_t client_pools(struct mgr_pool *list, uint32_t max, uint32_t *count)
{
    (void)max;
    list[0] = (struct mgr_pool){
        .name = "tank", .state = POOL_OPEN, .volumes = 2, .blocks = 32, .free_blocks = 16};
    *count = 1;
    return 0;
}
int64_t client_volumes(const char *pool, uint32_t first, struct mgr_volume *list, uint32_t max,
                       uint32_t *count)
{
    static const struct mgr_volume all[] = {
        {.name = "root", .id = 1, .sectors = 2048, .blocks = 3, .used = 1},
        {.name = "one", .id = 2, .snapshot_of = 1, .sectors = 2048, .created = 77},
        {.name = "other", .id = 3, .sectors = 2048},
        {.name = "two", .id = 4, .snapshot_of = 3, .sectors = 2048}};
    if (strcmp(pool, "tank") != 0)
        return -1;
    *count = 0;
    for (uint32_t i = first; i < 4 && *count < max; i++)
        list[(*count)++] = all[i];
    return 0;
}
int64_t client_order(const char *name, const struct pool_order *order)
{
    snprintf(last_order_name, sizeof(last_order_name), "%s", name);
    last_order = *order;
    return strcmp(name, "tank") != 0 && !find(name) ? -1 : 0;
}
int64_t client_host(enum mgr_host how, int force)
{
    last_host = how;
    last_force = force;
    return 0;
}
int64_t client_klog(uint64_t *position, char *bytes, uint32_t size, uint32_t *length)
{
    *length = (uint32_t)snprintf(bytes, size, "%s", *position ? "" : "log\n");
    *position = 1;
    return 0;
}
const char *client_reason(void)
{
    return "failed to get domain";
}

#endif
