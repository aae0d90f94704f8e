/* SPDX-License-Identifier: BSD-2-Clause */
/* What one run of a virtual machine takes, and gives back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "console/config.h"
#include "lib/cpulist.h"
#include "manager/bootpkg.h"
#include "manager/storage/channel.h"
#include "manager/host/cpus.h"
#include "manager/guest/vm.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

/* A VMM's own needs. Its heap also holds the stacks of its vCPU threads. */
#define VMM_HEAP_BASE      (256u << 10)
#define VMM_HEAP_PER_VCPU  (PROGRAM_STACK_SIZE + 16384)
#define VMM_HEAP_PER_DISK  16384u
#define VMM_HEAP_PER_LAYER 94208u /* requests that are kept, a page of marks */
#define VMM_HEAP_PER_NET   (80u << 10)
#define VMM_HEAP_PER_PAIR  (40u << 10)
/* Kernel memory: objects and page tables. */
#define QUOTA_BASE     (384u << 10)
#define QUOTA_PER_VCPU (84u << 10)
#define QUOTA_PER_DISK (64u << 10)
#define QUOTA_PER_NET  (64u << 10)
#define QUOTA_RESERVE  (512u << 10) /* of the manager's own quota, kept for itself */

static char why_text[MGR_TEXT];

static const char *fail(const char *what, int64_t status)
{
    snprintf(why_text, sizeof(why_text), "%s: status %lld", what, (long long)status);
    return why_text;
}

static uint32_t channels_of(const struct vm *vm)
{
    return (uint32_t)vm->def.has_serial + (uint32_t)vm->def.has_virtio_console;
}

uint64_t vm_ring_bytes(const struct vm *vm)
{
    return 2ull * channels_of(vm) * VMM_RING_BYTES;
}

/* Whole, whatever the number of vCPUs: the VMM maps all of the structure. */
static uint64_t stats_bytes(void)
{
    return (sizeof(struct vmm_stats) + PHYSMEM_PAGE - 1) & ~(PHYSMEM_PAGE - 1);
}

uint64_t vm_overhead(const struct vm *vm)
{
    uint64_t bytes = program_memory(&vm->vmm) + vm->stats.size + vm->rings.size;
    for (uint32_t i = 0; i < vm->def.disk_count; i++)
        bytes += vm->disk[i].overlay.size;
    for (uint32_t i = 0; i < vm->def.net_count; i++)
        bytes += vm->net[i].grant.channel_bytes + vm->net[i].bounce.size;
    return bytes;
}

static const char *no_room_on(const struct vm *vm, uint64_t nodes)
{
    char list[CPULIST_TEXT];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < 64; i++)
        bytes += nodes >> i & 1 ? physmem_stats(i).free : 0;
    cpulist_format(&nodes, 64, list, sizeof(list));
    snprintf(why_text, sizeof(why_text),
             "%s:%u: <domain/numatune/memory>: %llu KiB do not fit on nodes %s; %llu KiB are free "
             "there",
             vm->def.file, (unsigned)vm->def.tune.numa_line,
             (unsigned long long)(vm->def.memory / 1024), list, (unsigned long long)(bytes / 1024));
    return why_text;
}

static const char *take_ram(struct vm *vm)
{
    const struct tune *t = &vm->def.tune;
    uint64_t nodes = t->numa == TUNE_NUMA_STRICT ? t->nodes : 0;
    uint32_t node = cpus_node(vm->first_cpu[0]);
    if (t->numa == TUNE_NUMA_PREFERRED)
        node = (uint32_t)__builtin_ctzll(t->nodes);
    /* A disk's driver takes few pieces, and so does the switch. */
    uint32_t max = vm_needs_volumes(vm) ? BLK_RAM_MAX : VMM_MAX_RAM;
    if (vm_net_pieces(vm) < max)
        max = vm_net_pieces(vm);
    int64_t status =
        physmem_alloc_pieces(vm->ram, max, vm->def.memory, node, nodes, &vm->ram_count);
    if (status == ERR_NOMEM && nodes)
        return no_room_on(vm, nodes);
    if (status == ERR_NOMEM) {
        snprintf(why_text, sizeof(why_text),
                 "%s:%u: <domain/memory>: %llu KiB do not fit in %u pieces; %llu KiB are free",
                 vm->def.file, (unsigned)vm->def.memory_line,
                 (unsigned long long)(vm->def.memory / 1024), (unsigned)max,
                 (unsigned long long)(physmem_free_bytes() / 1024));
        return why_text;
    }
    for (uint32_t i = 0; i < vm->ram_count && status == OK; i++)
        status = window_zero(&vm->ram[i]);
    return status == OK ? NULL : fail("guest memory", status);
}

/* The rings of this run's parity, zeroed; the other set may still be being read. */
static const char *take_rings(struct vm *vm)
{
    uint32_t channels = channels_of(vm);
    uint64_t set_bytes = (uint64_t)channels * VMM_RING_BYTES;
    uint64_t offset = (vm->run & 1) * set_bytes;
    if (!channels)
        return NULL;
    if (!vm->rings.slot) {
        int64_t status =
            physmem_alloc(&vm->rings, vm_ring_bytes(vm), PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
        if (status != OK)
            return fail("console rings", status);
    }
    uint8_t *rings = window_open(&vm->rings);
    if (!rings)
        return fail("console rings", ERR_NOMEM);
    memset(rings + offset, 0, set_bytes);
    window_close(&vm->rings);
    bool present[MGR_CHANNELS] = {vm->def.has_serial, vm->def.has_virtio_console};
    for (uint32_t c = 0; c < MGR_CHANNELS; c++) {
        if (!present[c])
            continue;
        uint32_t slot = vm->ring_slot[c] = slot_alloc();
        int64_t status = slot ? sys_mem_derive(slot, vm->rings.slot, offset, VMM_RING_BYTES,
                                               RIGHT_COPY | RIGHT_READ | RIGHT_WRITE)
                              : ERR_QUOTA;
        if (status != OK)
            return fail("console rings", status);
        offset += VMM_RING_BYTES;
    }
    return NULL;
}

static const char *take_stats(struct vm *vm)
{
    int64_t status = physmem_alloc(&vm->stats, stats_bytes(), PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (status == OK)
        status = window_zero(&vm->stats);
    return status == OK ? NULL : fail("statistics", status);
}

static const char *take_image(struct vm *vm, const struct domain_file *file,
                              enum vm_image_kind kind, struct vmm_image *image)
{
    char name[DOMAIN_PATH + sizeof(BOOTPKG_SET)];
    if (!file->path[0])
        return NULL;
    snprintf(name, sizeof(name), BOOTPKG_SET "%s", file->path);
    const struct package_file *found = bootpkg_find(name);
    if (!found || !found->size) {
        snprintf(why_text, sizeof(why_text), "%s:%u: %s is %s", vm->def.file, (unsigned)file->line,
                 file->path, found ? "empty" : "not in the VM set");
        return why_text;
    }
    /* Firmware runs where it lies; the others are copied. */
    uint32_t exec = kind == VM_IMAGE_FIRMWARE ? RIGHT_EXEC : 0;
    vm->image[kind] = bootpkg_derive(found, 0, found->size, RIGHT_COPY | RIGHT_READ | exec);
    if (!vm->image[kind])
        return fail(file->path, ERR_QUOTA);
    image->offset = 0;
    image->size = found->size;
    snprintf(image->name, sizeof(image->name), "%.*s", (int)sizeof(image->name) - 1, file->path);
    return NULL;
}

static void fill_config(const struct vm *vm, struct vmm_config *c)
{
    const struct domain *d = &vm->def;
    c->magic = VMM_CONFIG_MAGIC;
    snprintf(c->name, sizeof(c->name), "%s", d->name);
    memcpy(c->uuid, d->uuid, sizeof(c->uuid));
    c->vcpus = d->vcpus;
    c->boot = d->kernel.path[0] ? VMM_BOOT_AUTO : VMM_BOOT_FIRMWARE;
    c->ram_count = vm->ram_count;
    for (uint32_t i = 0; i < vm->ram_count; i++)
        c->ram_size[i] = vm->ram[i].size;
    c->memory = d->memory;
    snprintf(c->cmdline, sizeof(c->cmdline), "%s", d->cmdline);
    c->has_serial = d->has_serial;
    c->has_virtio_console = d->has_virtio_console;
    c->has_rng = d->has_rng;
    c->has_balloon = d->has_balloon;
    c->has_kvm_pv = d->has_kvm_pv;
    c->clock_localtime = d->clock_localtime;
    c->clock_offset_s = d->clock_offset_s;
    c->tsc_hz = d->tsc_hz;
    c->feature_count = d->feature_count;
    memcpy(c->feature, d->feature, sizeof(c->feature));
    c->rtc_base = vm_host.rtc_base;
    c->rtc_tsc = vm_host.rtc_tsc;
}

static void add_cap(struct spawn_cap *caps, uint32_t *n, uint32_t index, uint32_t slot,
                    uint32_t rights, uint64_t badge)
{
    if (slot)
        caps[(*n)++] = (struct spawn_cap){index, slot, rights, badge};
}

static uint32_t collect_caps(const struct vm *vm, struct spawn_cap *caps)
{
    const uint32_t rw = RIGHT_READ | RIGHT_WRITE;
    uint32_t n = 0;
    add_cap(caps, &n, VMM_SLOT_KERNEL, vm->image[VM_IMAGE_KERNEL], RIGHT_READ, 0);
    add_cap(caps, &n, VMM_SLOT_INITRD, vm->image[VM_IMAGE_INITRD], RIGHT_READ, 0);
    add_cap(caps, &n, VMM_SLOT_FIRMWARE, vm->image[VM_IMAGE_FIRMWARE], RIGHT_READ | RIGHT_EXEC, 0);
    add_cap(caps, &n, VMM_SLOT_SERIAL_RING, vm->ring_slot[MGR_CHANNEL_SERIAL], rw, 0);
    add_cap(caps, &n, VMM_SLOT_CONSOLE_RING, vm->ring_slot[MGR_CHANNEL_VIRTIO], rw, 0);
    add_cap(caps, &n, VMM_SLOT_STATS, vm->stats.slot, rw, 0);
    add_cap(caps, &n, VMM_SLOT_CONSOLE_NOTIF, vm_host.console_notif, RIGHT_WRITE,
            1ull << vm->index % CONSOLE_GUEST_BITS);
    for (uint32_t i = 0; i < vm->ram_count; i++)
        add_cap(caps, &n, VMM_SLOT_RAM + i, vm->ram[i].slot, rw | RIGHT_EXEC, 0);
    for (uint32_t i = 0; i < vm->sc_count; i++)
        add_cap(caps, &n, VMM_SLOT_SC(i), vm->sc[i], RIGHT_WRITE, 0);
    return vm_net_caps(vm, caps, vm_disk_caps(vm, caps, n));
}

/* Tables of 4 KiB pages for what a VMM maps of its disks. */
static uint64_t disk_tables(const struct vmm_config *config)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < config->disk_count; i++)
        bytes += (config->disk[i].image.size + config->disk[i].overlay_size) / 512 + QUOTA_PER_DISK;
    return bytes;
}

static uint64_t quota_of(const struct vm *vm, const struct vmm_config *config)
{
    /* Counting its writes splits the guest's large pages, a balloon also those of its VMM: at worst
     * all are tables of 4 KiB pages. */
    uint64_t tables = vm->def.memory / (vm->def.has_balloon ? 256 : 512);
    return QUOTA_BASE + (uint64_t)vm->def.vcpus * QUOTA_PER_VCPU + tables + disk_tables(config) +
           (uint64_t)vm->def.net_count * QUOTA_PER_NET;
}

const char *vm_ensure_kernel_memory(uint64_t quota)
{
    for (uint64_t last_limit = 0;;) {
        int64_t status = sys_pd_info(SLOT_SELF_PD);
        struct pd_info info;
        memcpy(&info, utcb_self()->mr, sizeof(info));
        if (status != OK)
            return fail("kernel memory", status);
        if (info.kmem_limit - info.kmem_used >= quota + QUOTA_RESERVE)
            return NULL;
        if (info.kmem_limit <= last_limit)
            return fail("kernel memory does not grow", ERR_NOMEM);
        last_limit = info.kmem_limit;
        struct mem_block block;
        status = physmem_alloc(&block, PHYSMEM_LARGE, PHYSMEM_LARGE, PHYSMEM_ANY_NODE);
        if (status != OK)
            return fail("kernel memory", status);
        status = sys_machine_donate(vm_host.machine, block.slot);
        if (status != OK) {
            physmem_free(&block);
            return fail("kernel memory", status);
        }
        physmem_forget(&block);
    }
}

/* The console may say "there are bytes" and "there is room", nothing else. */
static const char *lend_notification(struct vm *vm)
{
    uint64_t bits = VMM_CTL_SERIAL_IN | VMM_CTL_SERIAL_ROOM | VMM_CTL_HVC_IN | VMM_CTL_HVC_ROOM;
    uint32_t slot = vm->console_notif = slot_alloc();
    int64_t status =
        slot ? sys_cap_copy(SLOT_SELF_PD, slot, vm->vmm.notif, RIGHT_WRITE | RIGHT_COPY, bits)
             : ERR_QUOTA;
    return status == OK ? NULL : fail("notification", status);
}

static uint64_t disk_heap(const struct vmm_config *config)
{
    uint64_t bytes = config->disk_count * VMM_HEAP_PER_DISK;
    for (uint32_t i = 0; i < config->disk_count; i++) {
        if (config->disk[i].backing == VMM_DISK_LAYER)
            bytes += VMM_HEAP_PER_LAYER + (vmm_layer_pages(config->disk[i].image.size) & ~4095ull);
    }
    return bytes;
}

static uint64_t net_heap(const struct vm *vm)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < vm->def.net_count; i++)
        bytes += VMM_HEAP_PER_NET + vm->def.net[i].pairs * VMM_HEAP_PER_PAIR;
    return bytes;
}

static const char *start_vmm(struct vm *vm, const struct vmm_config *config)
{
    struct spawn_cap caps[PROGRAM_CAPS_MAX];
    char name[DOMAIN_NAME];
    struct sc_params params;
    cpus_params(&vm->tune, TUNE_EMULATOR, &params);
    snprintf(name, sizeof(name), "vmm:%.*s", (int)sizeof(name) - 5, vm->def.name);
    struct spawn_request request = {
        .file = vm_host.vmm,
        .name = name,
        .heap_size =
            VMM_HEAP_BASE + vm->def.vcpus * VMM_HEAP_PER_VCPU + disk_heap(config) + net_heap(vm),
        .quota = quota_of(vm, config),
        .cpu = vm->first_cpu[0],
        .params = &params,
        .payer = vm->sc[0],
        .badge = vm->id,
        .portal = vm_host.portal,
        .fault_notif = vm_host.notif,
        .fault_bits = 1ull << vm->index % VM_FAULT_BITS,
        .data = config,
        .data_size = sizeof(*config),
        .caps = caps,
        .cap_count = collect_caps(vm, caps),
    };
    const char *why = vm_ensure_kernel_memory(request.quota);
    return why ? why : spawn_program(&vm->vmm, &request);
}

static const char *launch_with(struct vm *vm, struct vmm_config *config)
{
    const struct domain *d = &vm->def;
    const char *why = vm_sched_take(vm);
    if (!why)
        why = take_image(vm, &d->kernel, VM_IMAGE_KERNEL, &config->kernel);
    if (!why)
        why = take_image(vm, &d->initrd, VM_IMAGE_INITRD, &config->initrd);
    if (!why)
        why = take_image(vm, &d->loader, VM_IMAGE_FIRMWARE, &config->firmware);
    if (!why)
        why = take_ram(vm);
    if (!why)
        why = take_rings(vm);
    if (!why)
        why = take_stats(vm);
    if (!why)
        why = vm_take_disks(vm, config);
    if (!why)
        why = vm_take_nets(vm, config);
    if (why)
        return why;
    fill_config(vm, config);
    why = start_vmm(vm, config);
    if (!why)
        why = lend_notification(vm);
    if (!why)
        why = vm_attach_disks(vm);
    return why ? why : vm_attach_nets(vm);
}

const char *vm_launch(struct vm *vm)
{
    static uint64_t last_id;
    struct vmm_config *config = calloc(1, sizeof(*config));
    if (!config)
        return "the manager's memory is exhausted";
    vm->run++;
    vm->id = ++last_id;
    vm->started_ns = time_ns();
    const char *why = launch_with(vm, config);
    free(config);
    if (why)
        vm_release(vm);
    return why;
}

static void release_slot(uint32_t *slot)
{
    bootpkg_release(*slot);
    *slot = 0;
}

bool vm_drain(struct vm *vm)
{
    if (!vm->draining)
        return false;
    bool disks = vm_close_disks(vm), nets = vm_close_nets(vm);
    if (disks || nets)
        return true;
    for (uint32_t i = 0; i < vm->ram_count; i++)
        physmem_free(&vm->ram[i]);
    vm->ram_count = 0;
    vm->draining = false;
    if (vm->state == VM_SHUTOFF)
        vm_drop_overlays(vm);
    return false;
}

void vm_release(struct vm *vm)
{
    vm->cpu_time_ns += vm_run_time_ns(vm);
    /* The VMM's own end first: nothing of it may run while its memory is taken away. */
    release_slot(&vm->console_notif);
    program_end(&vm->vmm);
    for (uint32_t i = 0; i < VM_IMAGES; i++)
        release_slot(&vm->image[i]);
    for (uint32_t i = 0; i < MGR_CHANNELS; i++)
        release_slot(&vm->ring_slot[i]);
    vm->draining = true;
    vm_drain(vm);
    physmem_free(&vm->stats);
    vm_sched_release(vm);
    vm->has_pending = false;
    vm->id = 0;
}
