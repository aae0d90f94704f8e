/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/rpc/rpc.h"
#include "manager/storage/pool.h"
#include "manager/rpc/rpc_pool.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "abi/trace.h"
#include "manager/storage/ahci.h"
#include "manager/host/host.h"
#include "manager/host/hostpci.h"
#include "manager/network/ip.h"
#include "manager/network/nic.h"
#include "manager/rpc/rpc_cpu.h"
#include "manager/rpc/rpc_network.h"
#include "manager/network/switch.h"
#include "manager/guest/tune_edit.h"
#include "manager/guest/vm.h"
#include "manager/watch.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define ALL_WORDS UTCB_WORDS

static const struct root_info *root;
static uint32_t machine;

void rpc_init(const struct root_info *info, uint32_t machine_slot)
{
    root = info;
    machine = machine_slot;
}

static void *payload(struct utcb *utcb)
{
    return &utcb->mr[MGR_PAYLOAD];
}

static uint64_t reply(struct utcb *utcb, int64_t status)
{
    utcb->mr[0] = (uint64_t)status;
    return 1;
}

static uint64_t reply_text(struct utcb *utcb, int64_t status, const char *text)
{
    utcb->mr[0] = (uint64_t)status;
    snprintf(payload(utcb), MGR_TEXT, "%s", text);
    return MGR_PAYLOAD + MGR_TEXT / 8;
}

static uint64_t reply_data(struct utcb *utcb, const void *data, size_t size)
{
    utcb->mr[0] = OK;
    memcpy(payload(utcb), data, size);
    return MGR_PAYLOAD + (size + 7) / 8;
}

/* Copies the zero-terminated text of a request; what is not terminated is cut. */
static void take_text(const struct utcb *utcb, uint32_t words, char *to, size_t size)
{
    size_t have = words > MGR_PAYLOAD ? (size_t)(words - MGR_PAYLOAD) * 8 : 0;
    if (have > size - 1)
        have = size - 1;
    memcpy(to, &utcb->mr[MGR_PAYLOAD], have);
    to[have] = 0;
}

static void fill_brief(const struct vm *vm, struct mgr_brief *b)
{
    *b = (struct mgr_brief){.id = vm->id,
                            .index = vm->index,
                            .state = vm->state,
                            .run = vm->run,
                            .autostart = vm->def.autostart};
    snprintf(b->name, sizeof(b->name), "%s", vm->def.name);
}

static uint64_t serve_list(struct utcb *utcb)
{
    uint64_t first = utcb->mr[1];
    struct mgr_brief *briefs = payload(utcb);
    uint32_t n = 0;
    while (n < MGR_BRIEFS && first + n < vm_count()) {
        fill_brief(vm_at((uint32_t)first + n), &briefs[n]);
        n++;
    }
    utcb->mr[0] = OK;
    utcb->mr[1] = vm_count();
    utcb->mr[2] = n;
    return ALL_WORDS;
}

static uint64_t serve_nodedev(struct utcb *utcb)
{
    uint64_t first = utcb->mr[1];
    struct mgr_nodedev *list = payload(utcb);
    uint32_t n = 0;
    while (n < MGR_NODEDEVS && first < hostpci_count() && first + n < hostpci_count()) {
        const struct pci_device *device = hostpci_at((uint32_t)first + n);
        list[n] = (struct mgr_nodedev){.vendor = device->vendor, .device = device->device};
        pci_name(device->id, list[n].name);
        snprintf(list[n].class_name, sizeof(list[n].class_name), "%s",
                 pci_class_name(device->class_code));
        n++;
    }
    utcb->mr[0] = OK;
    utcb->mr[1] = hostpci_count();
    utcb->mr[2] = n;
    return ALL_WORDS;
}

static uint64_t serve_cpus(struct utcb *utcb)
{
    uint64_t first = utcb->mr[1], all = ((const struct kinfo *)KINFO_VA)->cpu_count;
    struct mgr_cpu list[MGR_CPUS];
    uint32_t n = 0;
    for (; n < MGR_CPUS && first < all && first + n < all; n++) {
        struct cpu_info info = {0};
        if (sys_cpu_info(machine, (uint32_t)(first + n)) == OK)
            memcpy(&info, utcb->mr, sizeof(info));
        list[n] = (struct mgr_cpu){.idle_ns = time_tsc_to_ns(info.idle_tsc),
                                   .switches = info.switches,
                                   .interrupts = info.interrupts,
                                   .ipis = info.ipis,
                                   .timer_irqs = info.timer_irqs,
                                   .syscalls = info.syscalls};
    }
    memcpy(payload(utcb), list, n * sizeof(list[0]));
    utcb->mr[0] = OK;
    utcb->mr[1] = all;
    utcb->mr[2] = n;
    return ALL_WORDS;
}

static uint64_t serve_ifaces(struct utcb *utcb)
{
    uint64_t first = utcb->mr[1];
    struct mgr_iface *list = payload(utcb);
    uint32_t n = 0;
    while (n < MGR_IFACES && first < nic_count() && first + n < nic_count()) {
        nic_info(nic_at((uint32_t)first + n), &list[n]);
        n++;
    }
    utcb->mr[0] = OK;
    utcb->mr[1] = nic_count();
    utcb->mr[2] = n;
    return ALL_WORDS;
}

static uint64_t serve_hostnet(struct utcb *utcb)
{
    struct mgr_hostnet net;
    ip_describe(&net);
    return reply_data(utcb, &net, sizeof(net));
}

static uint64_t serve_ping(struct utcb *utcb, uint32_t words)
{
    char name[MGR_NAME];
    uint64_t job = 0;
    take_text(utcb, words, name, sizeof(name));
    const char *why = ip_ping(name, utcb->mr[1], &job);
    if (why)
        return reply_text(utcb, ERR_STATE, why);
    utcb->mr[0] = OK;
    utcb->mr[1] = job;
    return 2;
}

static uint64_t serve_pong(struct utcb *utcb)
{
    struct ip_ping ping;
    if (!ip_pong(utcb->mr[1], &ping))
        return reply_text(utcb, ERR_STATE, "another ping has taken its place");
    return reply_data(utcb, &ping, sizeof(ping));
}

static uint64_t serve_info(struct utcb *utcb, const struct vm *vm)
{
    struct mgr_info info = {0};
    bool on = lifecycle_has_vmm(vm->state);
    fill_brief(vm, &info.brief);
    memcpy(info.uuid, vm->def.uuid, sizeof(info.uuid));
    info.vcpus = vm->def.vcpus;
    info.restarts = vm->restarts;
    info.memory = vm->def.memory;
    info.used_memory = on ? vm->def.memory : 0;
    info.overhead = on ? vm_overhead(vm) : 0;
    info.cpu_time_ns = vm->cpu_time_ns + vm_run_time_ns(vm);
    info.uptime_ns = on ? time_ns() - vm->started_ns : 0;
    info.start_order = vm->def.start_order;
    info.start_delay_ms = vm->def.start_delay_ms;
    snprintf(info.title, sizeof(info.title), "%s", vm->def.title);
    snprintf(info.cpupool, sizeof(info.cpupool), "%s", on ? vm->tune.pool : vm->def.tune.pool);
    snprintf(info.reason, sizeof(info.reason), "%s", vm->reason);
    return reply_data(utcb, &info, sizeof(info));
}

static uint64_t serve_disks(struct utcb *utcb, const struct vm *vm)
{
    struct mgr_disk *list = payload(utcb);
    memset(list, 0, vm->def.disk_count * sizeof(*list));
    for (uint32_t i = 0; i < vm->def.disk_count; i++) {
        const struct domain_disk *disk = &vm->def.disk[i];
        memcpy(list[i].target, disk->target, sizeof(list[i].target));
        snprintf(list[i].source, sizeof(list[i].source), "%s%s%s", disk->pool,
                 disk->pool[0] ? "/" : "", disk->source.path);
        list[i].is_volume = disk->source_type == DISK_SOURCE_VOLUME;
    }
    if (lifecycle_has_vmm(vm->state))
        vm_read_disk_stats(vm, list);
    utcb->mr[0] = OK;
    utcb->mr[1] = utcb->mr[2] = vm->def.disk_count;
    return ALL_WORDS;
}

static uint64_t serve_nets(struct utcb *utcb, const struct vm *vm)
{
    struct mgr_net *list = payload(utcb);
    memset(list, 0, vm->def.net_count * sizeof(*list));
    for (uint32_t i = 0; i < vm->def.net_count; i++) {
        const struct domain_net *net = &vm->def.net[i];
        memcpy(list[i].target, net->target, sizeof(list[i].target));
        memcpy(list[i].source, net->network, sizeof(list[i].source));
        list[i].bridge = net->bridge;
        list[i].model = net->model;
        list[i].link = vm_net_link(vm, i);
        vm_net_mac(vm, i, list[i].mac);
        vm_net_stats(vm, i, list[i].stat);
    }
    utcb->mr[0] = OK;
    utcb->mr[1] = utcb->mr[2] = vm->def.net_count;
    return ALL_WORDS;
}

static uint64_t serve_act(struct utcb *utcb, struct vm *vm)
{
    uint64_t input = utcb->mr[1];
    if (input >= VM_IN_VERBS)
        return reply_text(utcb, ERR_ARG, "no such verb");
    const char *why = vm_input(vm, (enum vm_input)input);
    return why ? reply_text(utcb, ERR_STATE, why) : reply(utcb, OK);
}

static uint64_t serve_stats(struct utcb *utcb, const struct vm *vm)
{
    struct mgr_stats stats;
    uint64_t vcpu = utcb->mr[1];
    if (vcpu >= vm->def.vcpus || !vm_read_stats(vm, (uint32_t)vcpu, &stats))
        return reply_text(utcb, ERR_ARG, "no such virtual CPU");
    return reply_data(utcb, &stats, sizeof(stats));
}

/* The structure behind the name of a request; false if it is not all there. */
static bool take_request(const struct utcb *utcb, uint32_t words, void *to, size_t size)
{
    if (words < MGR_REQUEST + (size + 7) / 8)
        return false;
    memcpy(to, &utcb->mr[MGR_REQUEST], size);
    return true;
}

static uint64_t serve_tune(struct utcb *utcb, const struct vm *vm)
{
    struct mgr_tune out;
    const char *why;
    const struct tune *tune = vm_tune(vm, (uint32_t)utcb->mr[1], &why);
    if (!tune)
        return reply_text(utcb, ERR_STATE, why);
    tune_values(tune, &out);
    for (uint32_t i = 0; i < tune->vcpus; i++)
        out.pin[i] = tune_allowed(tune, i, NULL, NULL);
    out.emulator_pin = tune_allowed(tune, TUNE_EMULATOR, NULL, NULL);
    return reply_data(utcb, &out, sizeof(out));
}

static const char *edit_values(struct tune *tune, const void *context)
{
    return tune_edit_values(tune, context);
}

static const char *edit_pin(struct tune *tune, const void *context)
{
    return tune_edit_pin(tune, context);
}

static uint64_t serve_change(struct utcb *utcb, struct vm *vm, uint32_t words)
{
    union {
        struct mgr_tune_set values;
        struct mgr_pin_set pin;
    } request = {0};
    bool pin = utcb->mr[0] == MGR_OP_PIN;
    uint32_t flags = (uint32_t)utcb->mr[1];
    if (!take_request(utcb, words, &request, pin ? sizeof(request.pin) : sizeof(request.values)))
        return reply_text(utcb, ERR_ARG, "the request is incomplete");
    const char *why = vm_change_tune(vm, flags, pin ? edit_pin : edit_values, &request);
    return why ? reply_text(utcb, ERR_ARG, why) : reply(utcb, OK);
}

static uint64_t serve_link(struct utcb *utcb, struct vm *vm, uint32_t words)
{
    struct mgr_net_which request;
    char text[96];
    uint32_t i;
    bool up = utcb->mr[1] != 0;
    if (!take_request(utcb, words, &request, sizeof(request)))
        return reply_text(utcb, ERR_ARG, "the request is incomplete");
    request.which[sizeof(request.which) - 1] = 0;
    if (!vm_net_find(vm, request.which, &i)) {
        snprintf(text, sizeof(text), "interface (dev: %s) not found", request.which);
        return reply_text(utcb, ERR_ARG, text);
    }
    vm_net_set_link(vm, i, up);
    return reply(utcb, OK);
}

static uint64_t serve_refresh(struct utcb *utcb, const struct vm *vm)
{
    if (lifecycle_has_vmm(vm->state))
        sys_notif_signal(vm->vmm.notif, VMM_CTL_STATS);
    return reply(utcb, OK);
}

static uint64_t serve_dirty(struct utcb *utcb, const struct vm *vm)
{
    uint64_t bit = utcb->mr[1] ? VMM_CTL_DIRTY_START : VMM_CTL_DIRTY_STOP;
    if (!lifecycle_has_vmm(vm->state))
        return reply_text(utcb, ERR_STATE, "domain is not running");
    sys_notif_signal(vm->vmm.notif, bit);
    return reply(utcb, OK);
}

static uint64_t serve_node(struct utcb *utcb)
{
    const struct kinfo *k = (const struct kinfo *)KINFO_VA;
    struct physmem_node mem = physmem_stats(PHYSMEM_ANY_NODE);
    struct machine_info info = {0};
    if (sys_machine_info(machine) == OK)
        memcpy(&info, utcb->mr, sizeof(info));
    struct mgr_node node = {
        .cpus = k->cpu_count,
        .nodes = root->numa_nodes ? root->numa_nodes : 1,
        .vendor = k->vendor,
        .virt = k->virt,
        .tsc_khz = k->tsc_khz,
        .assists = k->assists,
        .memory = mem.total,
        .free = mem.free,
        .largest = mem.largest,
        .kmem_total = info.kmem_total,
        .kmem_free = info.kmem_free,
        .running = vm_active(),
        .domains = vm_count(),
        .uptime_ns = time_tsc_to_ns(time_tsc() - root->boot_tsc),
    };
    memcpy(node.objects, info.objects, sizeof(node.objects));
    memcpy(node.cpu_name, k->cpu_name, sizeof(node.cpu_name));
    memcpy(node.version, k->version, sizeof(node.version));
    memcpy(node.boot_method, root->boot_method, sizeof(node.boot_method));
    return reply_data(utcb, &node, sizeof(node));
}

/* The kernel writes the bytes to where the numbers of the reply have to stand. */
static uint64_t serve_klog(struct utcb *utcb)
{
    uint64_t length, next;
    int64_t status = sys_klog_read(machine, utcb->mr[1], &length, &next);
    if (status != OK)
        return reply_text(utcb, status, "the kernel log cannot be read");
    if (length > MGR_PAYLOAD_BYTES) {
        next -= length - MGR_PAYLOAD_BYTES;
        length = MGR_PAYLOAD_BYTES;
    }
    memmove(payload(utcb), utcb->mr, length);
    utcb->mr[0] = OK;
    utcb->mr[1] = length;
    utcb->mr[2] = next;
    return MGR_PAYLOAD + (length + 7) / 8;
}

/* As with the log, the kernel writes where the reply's numbers have to stand; what does not fit
 * behind them is asked for again. */
static uint64_t serve_trace(struct utcb *utcb)
{
    uint64_t what = utcb->mr[1], arg = utcb->mr[2];
    const uint64_t room = MGR_PAYLOAD_BYTES / sizeof(struct trace_entry);
    struct trace_reply *from = (struct trace_reply *)utcb->mr;
    int64_t status = what == MGR_TRACE_READ
                         ? sys_machine_control(machine, MACHINE_TRACE_READ, arg)
                         : sys_machine_control(machine, MACHINE_TRACE, what == MGR_TRACE_ON);
    if (status != OK)
        return reply_text(utcb, status, "the kernel has no memory for a trace");
    if (what != MGR_TRACE_READ)
        return reply(utcb, OK);
    uint64_t count = from->count, next = from->next;
    if (count > room) {
        next -= count - room;
        count = room;
    }
    memmove(payload(utcb), from->entry, count * sizeof(struct trace_entry));
    utcb->mr[0] = OK;
    utcb->mr[1] = count;
    utcb->mr[2] = next;
    return MGR_PAYLOAD + count * 2;
}

static uint64_t serve_console(struct utcb *utcb)
{
    const struct vm *vm = utcb->mr[1] < VMS_MAX ? vm_at((uint32_t)utcb->mr[1]) : NULL;
    if (!vm)
        return reply_text(utcb, ERR_ARG, "no such domain");
    struct mgr_console c = {
        .run = vm->run,
        .has_serial = vm->def.has_serial,
        .has_virtio = vm->def.has_virtio_console,
        .channels = (uint32_t)vm->def.has_serial + (uint32_t)vm->def.has_virtio_console,
        .ring_bytes = vm->rings.slot ? vm_ring_bytes(vm) : 0,
        .has_notif = vm->console_notif != 0,
    };
    uint64_t caps = 0;
    if (c.ring_bytes)
        utcb->send[caps++] = (struct utcb_cap){vm->rings.slot, RIGHT_READ | RIGHT_WRITE};
    if (c.ring_bytes && c.has_notif)
        utcb->send[caps++] = (struct utcb_cap){vm->console_notif, RIGHT_WRITE};
    return reply_data(utcb, &c, sizeof(c)) | caps << 32;
}

static uint64_t serve_host(struct utcb *utcb)
{
    if (utcb->mr[1] > MGR_HOST_REBOOT)
        return reply_text(utcb, ERR_ARG, "no such operation");
    host_stop((enum mgr_host)utcb->mr[1], utcb->mr[2] != 0);
    return reply(utcb, OK);
}

static uint64_t serve_named(struct utcb *utcb, uint32_t words)
{
    char name[MGR_NAME], text[MGR_NAME + 48];
    take_text(utcb, words, name, sizeof(name));
    struct vm *vm = vm_by_name(name);
    if (!vm) {
        snprintf(text, sizeof(text), "failed to get domain '%s'", name);
        return reply_text(utcb, ERR_ARG, text);
    }
    switch (utcb->mr[0]) {
    case MGR_OP_INFO:
        return serve_info(utcb, vm);
    case MGR_OP_ACT:
        return serve_act(utcb, vm);
    case MGR_OP_REFRESH:
        return serve_refresh(utcb, vm);
    case MGR_OP_DIRTY:
        return serve_dirty(utcb, vm);
    case MGR_OP_DISKS:
        return serve_disks(utcb, vm);
    case MGR_OP_NETS:
        return serve_nets(utcb, vm);
    case MGR_OP_LINK:
        return serve_link(utcb, vm, words);
    case MGR_OP_TUNE:
        return serve_tune(utcb, vm);
    case MGR_OP_TUNE_SET:
    case MGR_OP_PIN:
        return serve_change(utcb, vm, words);
    default:
        return serve_stats(utcb, vm);
    }
}

static uint64_t serve_client(struct utcb *utcb, uint32_t words)
{
    switch (utcb->mr[0]) {
    case MGR_OP_LIST:
        return serve_list(utcb);
    case MGR_OP_INFO:
    case MGR_OP_ACT:
    case MGR_OP_REFRESH:
    case MGR_OP_DIRTY:
    case MGR_OP_STATS:
    case MGR_OP_DISKS:
    case MGR_OP_NETS:
    case MGR_OP_LINK:
    case MGR_OP_TUNE:
    case MGR_OP_TUNE_SET:
    case MGR_OP_PIN:
        return serve_named(utcb, words);
    case MGR_OP_TRACE:
        return serve_trace(utcb);
    case MGR_OP_CPU:
        return rpc_cpu(utcb, machine);
    case MGR_OP_NODE:
        return serve_node(utcb);
    case MGR_OP_KLOG:
        return serve_klog(utcb);
    case MGR_OP_CONSOLE:
        return serve_console(utcb);
    case MGR_OP_NODEDEV:
        return serve_nodedev(utcb);
    case MGR_OP_IFACES:
        return serve_ifaces(utcb);
    case MGR_OP_NETWORKS:
        return rpc_networks(utcb);
    case MGR_OP_NETPORTS: {
        char name[MGR_NAME];
        take_text(utcb, words, name, sizeof(name));
        return rpc_netports(utcb, name);
    }
    case MGR_OP_CAPTURE: {
        char name[MGR_NAME];
        take_text(utcb, words, name, sizeof(name));
        return rpc_capture(utcb, name, words);
    }
    case MGR_OP_HOST:
        return serve_host(utcb);
    case MGR_OP_CPUS:
        return serve_cpus(utcb);
    case MGR_OP_HOSTNET:
        return serve_hostnet(utcb);
    case MGR_OP_PING:
        return serve_ping(utcb, words);
    case MGR_OP_PONG:
        return serve_pong(utcb);
    case MGR_OP_CPUPOOLS:
        return rpc_cpupools(utcb);
    case MGR_OP_CPUPOOL:
        return rpc_cpupool(utcb, words);
    case MGR_OP_POOLS:
    case MGR_OP_VOLUMES:
    case MGR_OP_ORDER:
    case MGR_OP_ORDERED:
        return rpc_pool_serve(utcb, words);
    default:
        return reply_text(utcb, ERR_ARG, "no such operation");
    }
}

/* Who calls is known by its badge alone, and whose process ended by its bit: single bits, no two
 * the same. */
_Static_assert((CONSOLE_BADGE ^ AHCI_BADGE ^ SWITCH_BADGE ^ NIC_BADGE ^ IP_BADGE ^ POOL_BADGE) ==
                   (CONSOLE_BADGE | AHCI_BADGE | SWITCH_BADGE | NIC_BADGE | IP_BADGE | POOL_BADGE),
               "two programs have one badge");
#define FAULT_BITS(op)                                                                        \
    (AHCI_FAULT_BIT op SWITCH_FAULT_BIT op NIC_FAULT_BIT op IP_FAULT_BIT op POOL_FAULT_BIT op \
         CONSOLE_FAULT_BIT op VOLUME_BIT op((1ull << VM_FAULT_BITS) - 1))
_Static_assert((FAULT_BITS(^)) == (FAULT_BITS(|)), "two programs have one bit");

uint64_t rpc_serve(struct utcb *utcb, uint64_t badge, uint32_t words)
{
    if (words < 8)
        memset(&utcb->mr[words], 0, (8 - words) * 8); /* what was not sent is left from before */
    if (badge == CONSOLE_BADGE)
        return serve_client(utcb, words);
    struct ahci *ahci = ahci_by_badge(badge);
    if (ahci)
        return ahci_serve(ahci, utcb, words);
    if (badge == IP_BADGE)
        return ip_may(utcb->mr[0]) ? serve_client(utcb, words) : ip_serve(utcb);
    struct nic *nic = nic_by_badge(badge);
    if (nic)
        return nic_serve(nic, utcb, words);
    if (badge == SWITCH_BADGE)
        return switch_serve(utcb);
    struct pool_server *pool = pool_by_badge(badge);
    if (pool)
        return pool_serve(pool, utcb, words);
    struct vm *vm = vm_by_badge(badge);
    if (!vm)
        return reply(utcb, ERR_CAP);
    char text[1024];
    take_text(utcb, words, text, sizeof(text));
    vm_event(vm, utcb->mr[0], text);
    return reply(utcb, OK);
}
