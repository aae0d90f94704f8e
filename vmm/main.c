/* SPDX-License-Identifier: BSD-2-Clause */
/* From the manager's definition to the first guest instruction. */
#include <stdlib.h>
#include <string.h>

#include "abi/kinfo.h"
#include "abi/object.h"
#include "abi/status.h"
#include "abi/map.h"
#include "user/block.h"
#include "user/syscall_stubs.h"
#include "vmm/acpi_tables.h"
#include "vmm/channel.h"
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
            disk->backing > VMM_DISK_IMAGE)
            refuse("disk %u: its definition is damaged", i);
        if (disk->bus != VMM_BUS_VIRTIO)
            refuse("disk %s: there is no such bus", disk->target);
        if (disk->backing == VMM_DISK_CHANNEL && config->ram_count > BLK_MEMORIES_MAX)
            refuse("disk %s: memory is in %u pieces, at most %u are possible", disk->target,
                   config->ram_count, BLK_MEMORIES_MAX);
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

static void fill_machine(struct vmm *vmm)
{
    struct machine *machine = &vmm->machine;
    const struct kinfo *kinfo = (const struct kinfo *)KINFO_VA;
    machine->host = &host_ops;
    machine->host_ctx = vmm;
    machine->guest_base = (uint8_t *)VMM_GUEST_BASE;
    machine->ram_low = vmm->mem.low_size;
    machine->ram_high = vmm->mem.high_size;
    machine->tsc_khz = kinfo->tsc_khz;
    machine->tsc_offset = 0 - time_tsc(); /* the guest's TSC starts at about 0 */
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
    open_stats(vmm);
    fill_machine(vmm);
    open_disks(vmm);
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
