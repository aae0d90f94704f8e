/* SPDX-License-Identifier: BSD-2-Clause */
/* The root task: takes what the kernel hands over, starts the guests of the set, then serves calls
 * and looks after what it has started. */
#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/storage/ahci.h"
#include "manager/bootpkg.h"
#include "manager/host/cpus.h"
#include "manager/host/host.h"
#include "manager/host/hostpci.h"
#include "manager/network/ip.h"
#include "manager/network/nic.h"
#include "manager/host/numa.h"
#include "manager/options.h"
#include "manager/host/physmem.h"
#include "manager/storage/pool.h"
#include "manager/rpc/rpc.h"
#include "manager/host/rtc.h"
#include "manager/definition/set.h"
#include "manager/network/switch.h"
#include "manager/host/topology.h"
#include "manager/guest/vm.h"
#include "manager/storage/volume.h"
#include "manager/watch.h"
#include "user/heap.h"
#include "user/power.h"
#include "user/program.h"
#include "user/root.h"
#include "user/syscall_stubs.h"

#define HEAP_BASE        (1u << 20)  /* what parsing takes, and the host's own */
#define HEAP_PER_FILE    (36u << 10) /* of the VM set: each may define a guest */
#define MANAGER_PRIORITY 32u
#define HEALTH_CHECK_NS  1000000000ull
/* Bits of the manager's notification above those of the VMs and the console. */
#define BIT_TIMER   (1ull << 57)
#define BIT_PENDING (1ull << 58)

static uint32_t portal, notif;

static void take_memory(const struct root_info *info)
{
    for (uint32_t i = 0; i < info->mem_count; i++) {
        const struct root_mem *mem = &info->mem[i];
        if (mem->kind != ROOT_MEM_RAM || !mem->size)
            continue;
        if (physmem_add(SLOT_ROOT_MEM + i, mem->base, mem->size, mem->node) != OK)
            log_line("memory at %#llx, %llu KiB, is left unused: it overlaps another range",
                     (unsigned long long)mem->base, (unsigned long long)(mem->size / 1024));
    }
}

static uint64_t heap_bytes(void)
{
    uint32_t files = set_count();
    return HEAP_BASE + (files < VMS_MAX ? files : VMS_MAX) * HEAP_PER_FILE;
}

static void make_heap(void)
{
    struct mem_block block;
    int64_t status = physmem_alloc(&block, heap_bytes(), PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (status == OK)
        status = sys_mem_map(SLOT_SELF_PD, block.slot, PROGRAM_HEAP_VA, 0, block.size,
                             MAP_READ | MAP_WRITE);
    if (status != OK)
        host_halt("there is no memory for the manager's heap");
    heap_init((void *)PROGRAM_HEAP_VA, block.size);
}

static struct topology_leaf own_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct topology_leaf r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/* Core scheduling: guests run on the first thread of each core; the others are left to programs of
 * the host's own. What two guests never do at once needs no watching. */
static void tell_topology(const struct topology_cpu *cpus, uint32_t count, bool core_scheduling)
{
    struct topology_bits bits = topology_read(own_cpuid);
    struct tune_set near[MACHINE_LEVELS];
    struct tune_set first_threads = {{0}};
    uint32_t cores = 0, caches = 0;
    for (uint32_t i = 0; i < count; i++) {
        topology_near(cpus, count, bits, i, near);
        memcpy(utcb_self()->mr, near, sizeof(near));
        if (sys_machine_control(SLOT_MACHINE, MACHINE_NEAR, i) != OK)
            return;
        /* Each is counted at its first CPU. */
        bool first[2] = {true, true};
        for (uint32_t k = 0; k < i; k++) {
            first[0] &= !tune_set_has(&near[0], k);
            first[1] &= !tune_set_has(&near[1], k);
        }
        first_threads.word[i / 64] |= (uint64_t)first[0] << i % 64;
        cores += first[0];
        caches += first[1];
    }
    log_line("CPUs: %u threads, %u cores, %u last caches", (unsigned)count, (unsigned)cores,
             (unsigned)caches);
    if (core_scheduling)
        cpus_limit(&first_threads);
}

static void tell_distances(uint32_t nodes)
{
    for (uint32_t i = 0; i < nodes && i < ROOT_NODES && nodes > 1; i++) {
        char text[ROOT_NODES * 4 + 1] = "";
        for (uint32_t k = 0, used = 0; k < nodes && k < ROOT_NODES; k++)
            used += (uint32_t)snprintf(text + used, sizeof(text) - used, " %u",
                                       (unsigned)numa_distance(i, k));
        log_line("memory node %u: distances%s", (unsigned)i, text);
    }
}

static void find_cpus(bool core_scheduling)
{
    static struct topology_cpu found[TUNE_CPUS];
    uint32_t nodes[TUNE_CPUS] = {0};
    uint32_t count = ((const struct kinfo *)KINFO_VA)->cpu_count;
    for (uint32_t i = 0; i < count && i < TUNE_CPUS; i++) {
        if (sys_cpu_info(SLOT_MACHINE, i) != OK)
            continue;
        const struct cpu_info *info = (const struct cpu_info *)utcb_self()->mr;
        found[i] = (struct topology_cpu){(uint32_t)info->apic_id, (uint32_t)info->node};
        nodes[i] = found[i].node;
    }
    cpus_init(count, nodes);
    tell_topology(found, count < TUNE_CPUS ? count : TUNE_CPUS, core_scheduling);
}

static void read_clock(void)
{
    uint32_t slot = slot_alloc();
    if (!slot || sys_ports_derive(slot, SLOT_PORTS, 0x70, 2) != OK ||
        sys_pd_ports(SLOT_SELF_PD, slot, 1) != OK) {
        log_line("the host's clock cannot be read: guests start in 1970");
        vm_host.rtc_tsc = time_tsc();
        return;
    }
    vm_host.rtc_base = rtc_read(&vm_host.rtc_tsc);
    sys_pd_ports(SLOT_SELF_PD, slot, 0);
    slot_free(slot);
    if (!vm_host.rtc_base)
        log_line("the host's clock holds no date: guests start in 1970");
}

static void make_objects(void)
{
    portal = slot_alloc();
    notif = slot_alloc();
    if (sys_portal_create(portal) != OK || sys_notif_create(notif) != OK ||
        sys_thread_bind(SLOT_SELF_THREAD, notif) != OK)
        host_halt("the manager's portal cannot be created");
    /* Above all that it serves; IPC donates, so this is for what it does by itself. */
    sys_sc_config(SLOT_SELF_SC, 0, MANAGER_PRIORITY, 0, 0);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (!a || !b)
        return a ? a : b;
    return a < b ? a : b;
}

/* Everything that is not a call. */
static void housekeeping(void)
{
    uint64_t now = time_tsc();
    vm_run_pending();
    vm_check_health();
    uint64_t next = earlier(watch_tick(now), now + time_ns_to_tsc(HEALTH_CHECK_NS));
    next = earlier(next, ahci_tick(now));
    next = earlier(next, switch_tick(now));
    next = earlier(next, ip_tick(now));
    next = earlier(next, nic_tick(now));
    next = earlier(next, volume_tick(now));
    next = earlier(next, pool_tick(now));
    next = earlier(next, vm_tick(now));
    sys_notif_timer(notif, earlier(next, host_tick(now)), BIT_TIMER);
}

static _Noreturn void serve(void)
{
    struct utcb *utcb = utcb_self();
    uint64_t result = 0, badge = 0;
    housekeeping();
    int64_t status = sys_portal_wait(portal, &result, &badge);
    for (;;) {
        uint64_t out = 0;
        if (status == NOTIFIED) {
            housekeeping();
        } else if (status == OK) {
            out = rpc_serve(utcb, badge, (uint32_t)result);
            /* What the call has put off is done when it has its answer, and before the next call:
             * the kernel lets calls and notifications take turns. */
            sys_notif_signal(notif, BIT_PENDING);
        } else {
            log_line("the manager's portal reports status %lld", (long long)status);
        }
        status =
            sys_portal_reply_wait(portal, (uint32_t)out, (uint32_t)(out >> 32), &result, &badge);
    }
}

static void start_storage(const struct root_info *info)
{
    struct ahci_setup setup = {portal, notif, vm_ensure_kernel_memory};
    struct pool_setup pools = {portal, notif, vm_ensure_kernel_memory};
    hostpci_init(info);
    pool_init(&pools);
    volume_init(notif);
    ahci_start(&setup);
}

/* NICs come after the networks whose uplinks they are. */
static void start_networks(const struct root_info *info)
{
    struct switch_setup switch_setup = {portal, notif, vm_ensure_kernel_memory};
    struct nic_setup nic_setup = {portal, notif, vm_ensure_kernel_memory};
    struct ip_setup ip_setup = {portal, notif, info->boot_tsc, vm_ensure_kernel_memory};
    switch_start(&switch_setup);
    nic_start(&nic_setup);
    ip_start(&ip_setup);
}

_Noreturn void root_main(const struct root_info *info)
{
    struct options options;
    host_init(SLOT_MACHINE, false);
    power_init(info);
    take_memory(info);
    options_parse(&options, info->cmdline);
    const char *why = bootpkg_open(info);
    if (why)
        host_halt(why);
    make_heap();
    make_objects();
    numa_init(info);
    tell_distances(info->numa_nodes);
    find_cpus(options.core_scheduling);
    read_clock();
    vm_host.portal = portal;
    vm_host.notif = notif;
    vm_host.machine = SLOT_MACHINE;
    vm_host.vmm = bootpkg_find("vmm");
    if (!vm_host.vmm)
        host_halt("vmm: the boot package has no such file");
    rpc_init(info, SLOT_MACHINE);
    struct watch_setup setup = {info, portal, notif, options.console_all};
    vm_host.console_notif = watch_start(&setup);
    start_storage(info);
    set_load();
    start_networks(info);
    vm_schedule_boot();
    host_init(SLOT_MACHINE, options.onidle_poweroff);
    serve();
}
