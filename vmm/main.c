/* SPDX-License-Identifier: BSD-2-Clause */
/* From the manager's definition to the first guest instruction. */
#include <stdlib.h>
#include <string.h>

#include "abi/kinfo.h"
#include "abi/object.h"
#include "abi/status.h"
#include "abi/map.h"
#include "lib/tsc_math.h"
#include "user/block.h"
#include "user/syscall_stubs.h"
#include "vmm/acpi_tables.h"
#include "vmm/channel.h"
#include "vmm/firmware.h"
#include "vmm/fw_cfg.h"
#include "vmm/loader.h"
#include "vmm/machine.h"
#include "vmm/vmm.h"

static struct vmm the_vmm;
static struct fw_cfg fw_cfg;
static struct ring_channel serial_rings, console_rings;

static bool has_end(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

#define IMAGE_MAX (1ull << 40)

static bool image_is_sane(const struct vmm_image *image)
{
    return image->size <= IMAGE_MAX && image->offset <= IMAGE_MAX &&
           has_end(image->name, sizeof(image->name));
}

static void check_disks(const struct vmm_config *config)
{
    if (config->disk_count > VMM_MAX_DISKS)
        refuse("disks: %u are more than %u", config->disk_count, VMM_MAX_DISKS);
    for (uint32_t i = 0; i < config->disk_count; i++) {
        const struct vmm_disk *disk = &config->disk[i];
        if (!has_end(disk->target, sizeof(disk->target)) ||
            !has_end(disk->serial, sizeof(disk->serial)) || !image_is_sane(&disk->image) ||
            disk->overlay_size > IMAGE_MAX || disk->overlay_size % 4096 ||
            disk->backing > VMM_DISK_LAYER ||
            (disk->backing == VMM_DISK_LAYER &&
             (!disk->image.size || disk->overlay_size != vmm_layer_bytes(disk->image.size))))
            refuse("disk %u: its definition is damaged", i);
        if (disk->bus > VMM_BUS_SATA)
            refuse("disk %s: there is no such bus", disk->target);
        if (disk->backing != VMM_DISK_IMAGE && config->ram_count > BLK_RAM_MAX)
            refuse("disk %s: memory is in %u pieces, at most %u are possible", disk->target,
                   config->ram_count, BLK_RAM_MAX);
    }
}

static void check_nets(const struct vmm_config *config)
{
    if (config->net_count > VMM_MAX_NETS)
        refuse("network interfaces: %u are more than %u", config->net_count, VMM_MAX_NETS);
    for (uint32_t i = 0; i < config->net_count; i++) {
        const struct vmm_net *net = &config->net[i];
        bool e1000 = net->model == VMM_NET_E1000;
        if (!has_end(net->target, sizeof(net->target)) || net->model > VMM_NET_E1000 ||
            net->pairs == 0 || net->pairs > (e1000 ? 1 : FRAME_PAIRS_MAX) ||
            net->channel_size != frame_channel_bytes(net->pairs) ||
            net->bounce_size != (e1000 ? VMM_NET_BOUNCE : 0) || net->mac[0] & 1 ||
            (net->mtu && (net->mtu < FRAME_MTU_MIN || net->mtu > FRAME_MTU_MAX)))
            refuse("network interface %u: its definition is damaged", i);
    }
}

/* The manager has checked all this; a mistake of its must not become one of ours. */
static void check_config(const struct program_args *args, const struct vmm_config *config)
{
    uint64_t total = 0;
    if (args->data_size < sizeof(*config) || config->magic != VMM_CONFIG_MAGIC)
        fatal("the definition is not one of this version");
    if (config->vcpus == 0 || config->vcpus > VMM_MAX_VCPUS)
        refuse("vcpu: %u is not between 1 and %u", config->vcpus, VMM_MAX_VCPUS);
    if (config->ram_count == 0 || config->ram_count > VMM_MAX_RAM)
        refuse("memory: %u pieces are not between 1 and %u", config->ram_count, VMM_MAX_RAM);
    for (uint32_t i = 0; i < config->ram_count; i++) {
        if (config->ram_size[i] == 0 || config->ram_size[i] % 4096 ||
            config->ram_size[i] > (1ull << 46))
            refuse("memory: piece %u has an impossible size", i);
        total += config->ram_size[i];
    }
    if (total < 0x200000 || total > (1ull << 46))
        refuse("memory: %llu bytes; at least 2 MiB are needed", (unsigned long long)total);
    if (config->feature_count > VMM_MAX_FEATURES || !has_end(config->cmdline, VMM_CMDLINE) ||
        !image_is_sane(&config->kernel) || !image_is_sane(&config->initrd) ||
        !image_is_sane(&config->firmware))
        refuse("the definition is damaged");
    check_disks(config);
    check_nets(config);
    for (uint32_t i = 0; i < config->vcpus; i++)
        if (!args->slot[VMM_SLOT_SC(i)])
            refuse("vCPU %u: there is no scheduling context", i);
}

static struct byte_channel *open_rings(struct vmm *vmm, bool wanted, uint32_t index, uint64_t va,
                                       struct ring_channel *rings)
{
    uint32_t slot = vmm->args->slot[index];
    if (!wanted || slot == 0)
        return NULL;
    int64_t status = sys_mem_map(SLOT_SELF_PD, slot, va, 0, VMM_RING_BYTES, MAP_READ | MAP_WRITE);
    if (status != OK)
        refuse("a console ring cannot be mapped: status %lld", (long long)status);
    /* All bits: the capability's badge lets through those that mean this guest. */
    ring_channel_init(rings, (void *)va, vmm->args->slot[VMM_SLOT_CONSOLE_NOTIF], ~0ull, ~0ull);
    return &rings->channel;
}

static void open_stats(struct vmm *vmm)
{
    uint32_t slot = vmm->args->slot[VMM_SLOT_STATS];
    uint64_t size = (sizeof(struct vmm_stats) + 4095) & ~4095ull;
    if (slot == 0)
        return;
    int64_t status = sys_mem_map(SLOT_SELF_PD, slot, VMM_STATS_VA, 0, size, MAP_READ | MAP_WRITE);
    if (status != OK)
        log_line("the counters cannot be mapped: status %lld", (long long)status);
    else
        vmm->stats = (struct vmm_stats *)VMM_STATS_VA;
}

/* A frequency that is the host's but for its crystal's error is the host's: as in KVM 250 parts in
 * a million. */
static void set_tsc(struct machine *machine, const struct kinfo *kinfo, uint64_t hz)
{
    uint64_t host_khz = kinfo->tsc_khz, khz = hz / 1000;
    uint64_t apart = khz > host_khz ? khz - host_khz : host_khz - khz;
    machine->tsc_khz = machine->guest_tsc_khz = host_khz;
    if (hz && apart > host_khz / 4000) {
        machine->tsc_scale = tsc_ratio(khz, host_khz);
        if (!(kinfo->assists & ASSIST_TSC_SCALING))
            refuse("clock: a TSC of %llu kHz needs TSC scaling, which this CPU does not have; its "
                   "own has %llu kHz",
                   (unsigned long long)khz, (unsigned long long)host_khz);
        if (machine->tsc_scale < TSC_SCALE_MIN || machine->tsc_scale > TSC_SCALE_MAX)
            refuse("clock: a TSC of %llu kHz is too far from this CPU's %llu kHz",
                   (unsigned long long)khz, (unsigned long long)host_khz);
        machine->guest_tsc_khz = khz;
    }
    /* The guest's TSC starts at about 0. */
    machine->tsc_offset = 0 - tsc_scaled(time_tsc(), machine->tsc_scale);
}

static void fill_machine(struct vmm *vmm)
{
    struct machine *machine = &vmm->machine;
    const struct kinfo *kinfo = (const struct kinfo *)KINFO_VA;
    machine->host = &host_ops;
    machine->host_ctx = vmm;
    machine->guest_base = (uint8_t *)VMM_GUEST_BASE;
    machine->ram_low = vmm->mem.low_size;
    machine->ram_high = vmm->mem.high_size;
    set_tsc(machine, kinfo, vmm->config->tsc_hz);
    machine->serial = open_rings(vmm, vmm->config->has_serial, VMM_SLOT_SERIAL_RING, VMM_SERIAL_VA,
                                 &serial_rings);
    machine->hvc = open_rings(vmm, vmm->config->has_virtio_console, VMM_SLOT_CONSOLE_RING,
                              VMM_CONSOLE_VA, &console_rings);
}

static void open_disks(struct vmm *vmm)
{
    static struct disk_source source[VMM_MAX_DISKS];
    for (uint32_t i = 0; i < vmm->config->disk_count; i++)
        source[i] = space_map_disk(vmm, i);
    vmm->machine.disk_source = source;
    vmm->machine.bell = events_bell();
}

static void open_nets(struct vmm *vmm)
{
    static struct net_source source[VMM_MAX_NETS];
    for (uint32_t i = 0; i < vmm->config->net_count; i++)
        source[i] = space_map_net(vmm, i);
    vmm->machine.net_source = source;
}

static void run_loader(struct vmm *vmm, struct loader *loader)
{
    static bool (*const loaders[])(struct loader *) = {
        [VMM_BOOT_LINUX] = loader_linux,         [VMM_BOOT_PVH] = loader_pvh,
        [VMM_BOOT_MULTIBOOT] = loader_multiboot, [VMM_BOOT_FIRMWARE] = NULL,
        [VMM_BOOT_AUTO] = loader_auto,
    };
    uint32_t boot = vmm->config->boot;
    if (boot >= sizeof(loaders) / sizeof(loaders[0]) || !loaders[boot])
        refuse("os: boot method %u is unknown", boot);
    if (!loaders[boot](loader))
        refuse("%s", loader->error);
}

static void load_guest(struct vmm *vmm)
{
    const struct vmm_config *config = vmm->config;
    struct vcpu_page *page = vmm->vcpu[0].page;
    if (config->boot == VMM_BOOT_FIRMWARE) {
        space_map_firmware(vmm);
        firmware_files(&fw_cfg, &vmm->machine, config);
        boot_state_reset(page);
        return;
    }
    if (config->kernel.size == 0)
        refuse("os: there is no kernel image");
    if (!acpi_tables_build(&vmm->mem, config->vcpus, machine_pci_gsi))
        refuse("memory: too little for the guest's ACPI tables");
    struct loader loader = {.mem = &vmm->mem,
                            .kernel = {.size = config->kernel.size, .name = config->kernel.name},
                            .initrd = {.size = config->initrd.size, .name = config->initrd.name},
                            .cmdline = config->cmdline,
                            .page = page,
                            .rsdp = ACPI_RSDP_GPA};
    loader.kernel.bytes = space_map_image(vmm, VMM_SLOT_KERNEL, &config->kernel, VMM_KERNEL_VA);
    loader.initrd.bytes = space_map_image(vmm, VMM_SLOT_INITRD, &config->initrd, VMM_INITRD_VA);
    run_loader(vmm, &loader);
    space_unmap_image(&config->kernel, VMM_KERNEL_VA);
    space_unmap_image(&config->initrd, VMM_INITRD_VA);
}

/* The state of the boot processor is checked by the kernel here, with a status to report, rather
 * than at the first entry. */
static void set_boot_state(struct vmm *vmm)
{
    struct vmm_vcpu *vcpu = &vmm->vcpu[0];
    int64_t status = sys_vcpu_set(vcpu->slot, vcpu->page->dirty);
    if (status != OK)
        refuse("the kernel refuses the boot processor's state: status %lld", (long long)status);
    vcpu->page->dirty = 0;
}

int program_main(const struct program_args *args, const void *data)
{
    struct vmm *vmm = &the_vmm;
    vmm->args = args;
    vmm->config = data;
    check_config(args, vmm->config);
    space_create(vmm);
    vmm->dirty.status = ERR_STATE;
    open_stats(vmm);
    fill_machine(vmm);
    open_disks(vmm);
    open_nets(vmm);
    cpuid_policy(vmm);
    msr_policy(vmm);
    vcpu_create_all(vmm);
    machine_devices_init(&vmm->machine, vmm->config);
    fw_cfg_init(&fw_cfg, &vmm->machine, vmm->config->memory, (uint16_t)vmm->config->vcpus);
    load_guest(vmm);
    set_boot_state(vmm);
    stats_refresh(vmm, false);
    report(VMM_EVENT_RUNNING, NULL);
    vcpu_start_all(vmm);
    events_run(vmm);
}
