/* SPDX-License-Identifier: BSD-2-Clause */
/* The root task: takes what the kernel hands over, starts the guests of the set, then serves calls
 * and looks after what it has started. */
#include <stdio.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/ahci.h"
#include "manager/bootpkg.h"
#include "manager/cpus.h"
#include "manager/host.h"
#include "manager/hostpci.h"
#include "manager/options.h"
#include "manager/physmem.h"
#include "manager/rpc.h"
#include "manager/rtc.h"
#include "manager/set.h"
#include "manager/vm.h"
#include "manager/volume.h"
#include "manager/watch.h"
#include "user/heap.h"
#include "user/power.h"
#include "user/program.h"
#include "user/root.h"
#include "user/syscall_stubs.h"

#define MANAGER_HEAP     (2u << 20)
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

static void make_heap(void)
{
    struct mem_block block;
    int64_t status = physmem_alloc(&block, MANAGER_HEAP, PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (status == OK)
        status = sys_mem_map(SLOT_SELF_PD, block.slot, PROGRAM_HEAP_VA, 0, block.size,
                             MAP_READ | MAP_WRITE);
    if (status != OK)
        host_halt("there is no memory for the manager's heap");
    heap_init((void *)PROGRAM_HEAP_VA, block.size);
}

static void find_cpus(void)
{
    uint32_t nodes[TUNE_CPUS] = {0};
    uint32_t count = ((const struct kinfo *)KINFO_VA)->cpu_count;
    for (uint32_t i = 0; i < count && i < TUNE_CPUS; i++) {
        if (sys_cpu_info(SLOT_MACHINE, i) == OK)
            nodes[i] = (uint32_t)((const struct cpu_info *)utcb_self()->mr)->node;
    }
    cpus_init(count, nodes);
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
    next = earlier(next, volume_tick(now));
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
    hostpci_init(info);
    volume_init(notif);
    ahci_start(&setup);
}

_Noreturn void root_main(const struct root_info *info)
{
    struct options options;
    host_init(SLOT_MACHINE, false);
    power_init(info);
    take_memory(info);
    make_heap();
    options_parse(&options, info->cmdline);
    const char *why = bootpkg_open(info);
    if (why)
        host_halt(why);
    make_objects();
    find_cpus();
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
    vm_schedule_boot();
    host_init(SLOT_MACHINE, options.onidle_poweroff);
    serve();
}
