/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's disks: channels to the drivers that serve its volumes, images of the boot package. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "manager/bootpkg.h"
#include "manager/storage/pool.h"
#include "manager/guest/vm.h"
#include "manager/storage/volume.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

/* As vmm/disk_image.h divides an overlay: a page of header, a word for each page, pages. */
#define OVERLAY_WORD 4u

static char disk_why[MGR_TEXT];

__attribute__((format(printf, 3, 4))) static const char *refuse(const struct vm *vm,
                                                                const struct domain_disk *disk,
                                                                const char *format, ...)
{
    va_list args;
    int used =
        snprintf(disk_why, sizeof(disk_why), "%s:%u: <domain/devices/disk/source>: ", vm->def.file,
                 (unsigned)(disk->source.line ? disk->source.line : disk->line));
    va_start(args, format);
    vsnprintf(disk_why + used, sizeof(disk_why) - (size_t)used, format, args);
    va_end(args);
    return disk_why;
}

bool vm_needs_volumes(const struct vm *vm)
{
    for (uint32_t i = 0; i < vm->def.disk_count; i++) {
        if (vm->def.disk[i].source_type != DISK_SOURCE_FILE)
            return true;
    }
    return false;
}

/* Who has any of the volume's sectors, if both must not. */
static const struct channel *taken_by(const struct volume *v, bool read_only)
{
    for (uint32_t i = 0; i < AHCI_CHANNELS; i++) {
        const struct channel *c = &v->ahci->channel[i];
        if (channel_conflicts(c, v->port, v->first_sector, v->sectors, read_only))
            return c;
    }
    return NULL;
}

/* What the volume's driver must reach: the guest's memory, and that of a layer's map. */
struct reach {
    struct mem_block memory[BLK_MEMORIES_MAX];
    uint32_t count;
};

static struct reach reach_of(const struct vm *vm, const struct domain_disk *disk,
                             const struct vm_disk *taken)
{
    struct reach reach = {.count = vm->ram_count < BLK_RAM_MAX ? vm->ram_count : BLK_RAM_MAX};
    memcpy(reach.memory, vm->ram, reach.count * sizeof(vm->ram[0]));
    if (disk->base.path[0])
        reach.memory[reach.count++] = taken->overlay;
    return reach;
}

static const char *open_channel(struct vm *vm, const struct domain_disk *disk,
                                struct vm_disk *taken, const struct volume *v)
{
    struct reach reach = reach_of(vm, disk, taken);
    bool read_only = disk->read_only || v->read_only;
    char name[64];
    snprintf(name, sizeof(name), "%.40s %s", vm->def.name, disk->target);
    struct channel_request request = {.owner = vm,
                                      .port = v->port,
                                      .disk = v->disk.geometry,
                                      .first_sector = v->first_sector,
                                      .sectors = v->sectors,
                                      .read_only = read_only,
                                      .claims = true,
                                      .memory = reach.memory,
                                      .memory_count = reach.count,
                                      .name = name};
    struct channel *c = ahci_new_channel(v->ahci);
    if (!c)
        return refuse(vm, disk, "all channels of its controller are in use");
    int64_t status = ahci_let_reach(v->ahci, reach.memory, reach.count);
    if (status != OK)
        return refuse(vm, disk, "its controller cannot reach the guest's memory: status %lld",
                      (long long)status);
    const char *why = channel_prepare(c, &request);
    if (why)
        return refuse(vm, disk, "%s", why);
    taken->channel = c;
    taken->driver_bits = AHCI_BIT_CHANNEL(ahci_channel_index(v->ahci, c));
    taken->peer = slot_alloc();
    status = taken->peer ? sys_cap_copy(SLOT_SELF_PD, taken->peer, v->ahci->notif,
                                        RIGHT_WRITE | RIGHT_COPY, taken->driver_bits)
                         : ERR_QUOTA;
    return status == OK ? NULL : refuse(vm, disk, "notification: status %lld", (long long)status);
}

static const char *take_volume(struct vm *vm, const struct domain_disk *disk, struct vm_disk *taken,
                               struct vmm_disk *config)
{
    char reason[VOLUME_REASON];
    struct volume volume = {0};
    const char *why = volume_find(disk->source.path, &volume, reason);
    if (why || !volume.ahci)
        return refuse(vm, disk, "%s", reason);
    if (volume.read_only && !disk->read_only && !disk->cdrom)
        return refuse(vm, disk, "%s cannot be written; add <readonly/>", disk->source.path);
    const struct channel *other = taken_by(&volume, disk->read_only || volume.read_only);
    if (other)
        return refuse(vm, disk, "%s, or a part of it, is in use by %s", disk->source.path,
                      other->attach.name);
    why = open_channel(vm, disk, taken, &volume);
    config->read_only |= volume.read_only;
    config->driver_bits = taken->driver_bits;
    return why;
}

static const char *take_pool_volume(struct vm *vm, const struct domain_disk *disk,
                                    struct vm_disk *taken, struct vmm_disk *config)
{
    struct pool_server *server = pool_by_name(disk->pool);
    struct reach reach = reach_of(vm, disk, taken);
    char name[64];
    if (!server)
        return refuse(vm, disk, "there is no pool '%s'", disk->pool);
    snprintf(name, sizeof(name), "%.40s %s", vm->def.name, disk->target);
    struct pool_open open = {.owner = vm,
                             .volume = disk->source.path,
                             .name = name,
                             .read_only = disk->read_only || disk->cdrom,
                             .memory = reach.memory,
                             .memory_count = reach.count};
    const char *why = pool_open_client(server, &open, &taken->client);
    if (why)
        return refuse(vm, disk, "%s", why);
    taken->pool = server;
    taken->channel = &taken->client->channel;
    taken->driver_bits = POOL_BIT_CLIENT((uint32_t)(taken->client - server->client));
    taken->peer = slot_alloc();
    int64_t status = taken->peer ? sys_cap_copy(SLOT_SELF_PD, taken->peer, server->notif,
                                                RIGHT_WRITE | RIGHT_COPY, taken->driver_bits)
                                 : ERR_QUOTA;
    config->driver_bits = taken->driver_bits;
    return status == OK ? NULL : refuse(vm, disk, "notification: status %lld", (long long)status);
}

static uint64_t page_count(uint64_t bytes)
{
    return (bytes + PHYSMEM_PAGE - 1) / PHYSMEM_PAGE;
}

/* Room for every page of the image, unless the definition says less. */
static uint64_t overlay_bytes(const struct domain_disk *disk, uint64_t image_size)
{
    uint64_t clusters = page_count(image_size);
    if (disk->overlay_size)
        return disk->overlay_size;
    return (1 + page_count(clusters * OVERLAY_WORD) + clusters) * PHYSMEM_PAGE;
}

static const char *take_overlay(struct vm *vm, const struct domain_disk *disk,
                                struct vm_disk *taken, uint64_t bytes)
{
    if (taken->overlay.slot)
        return NULL; /* what the run before has written */
    if (physmem_alloc(&taken->overlay, bytes, PHYSMEM_PAGE, PHYSMEM_ANY_NODE) != OK)
        return refuse(vm, disk, "its overlay of %llu KiB does not fit; %llu KiB are free",
                      (unsigned long long)(bytes / 1024),
                      (unsigned long long)(physmem_free_bytes() / 1024));
    int64_t status = window_zero(&taken->overlay);
    return status == OK ? NULL : refuse(vm, disk, "overlay: status %lld", (long long)status);
}

static const char *take_file(struct vm *vm, const struct domain_disk *disk, const char *path,
                             struct vm_disk *taken, struct vmm_disk *config)
{
    char name[DOMAIN_PATH + sizeof(BOOTPKG_SET)];
    snprintf(name, sizeof(name), BOOTPKG_SET "%s", path);
    const struct package_file *found = bootpkg_find(name);
    if (!found || !found->size)
        return refuse(vm, disk, "%s is %s", path, found ? "empty" : "not in the VM set");
    taken->image = bootpkg_derive(found, 0, found->size, RIGHT_COPY | RIGHT_READ);
    if (!taken->image)
        return refuse(vm, disk, "%s: no capability slots are left", path);
    config->image.size = found->size;
    memcpy(config->image_sha256, found->sha256, sizeof(config->image_sha256));
    snprintf(config->image.name, sizeof(config->image.name), "%.*s",
             (int)sizeof(config->image.name) - 1, path);
    return NULL;
}

static const char *take_disk_image(struct vm *vm, const struct domain_disk *disk,
                                   struct vm_disk *taken, struct vmm_disk *config)
{
    const char *why = take_file(vm, disk, disk->source.path, taken, config);
    config->backing = VMM_DISK_IMAGE;
    if (why || disk->read_only || disk->cdrom)
        return why;
    why = take_overlay(vm, disk, taken, overlay_bytes(disk, config->image.size));
    config->overlay_size = taken->overlay.size;
    return why;
}

/* What a volume lies above. */
static const char *take_base(struct vm *vm, const struct domain_disk *disk, struct vm_disk *taken,
                             struct vmm_disk *config)
{
    const char *why = take_file(vm, disk, disk->base.path, taken, config);
    if (!why)
        why = take_overlay(vm, disk, taken, vmm_layer_bytes(config->image.size));
    config->overlay_size = taken->overlay.size;
    return why;
}

static const char *take_one(struct vm *vm, uint32_t i, struct vmm_disk *config)
{
    const struct domain_disk *disk = &vm->def.disk[i];
    config->bus = disk->bus;
    config->cache = disk->cache;
    config->boot_order = disk->boot_order;
    config->read_only = disk->read_only || disk->cdrom;
    config->cdrom = disk->cdrom;
    config->discard = disk->discard;
    memcpy(config->target, disk->target, sizeof(config->target));
    memcpy(config->serial, disk->serial, sizeof(config->serial));
    memcpy(config->limit, disk->limit, sizeof(config->limit));
    if (disk->source_type == DISK_SOURCE_FILE)
        return take_disk_image(vm, disk, &vm->disk[i], config);
    bool layer = disk->base.path[0];
    const char *why = layer ? take_base(vm, disk, &vm->disk[i], config) : NULL;
    if (!why)
        why = disk->source_type == DISK_SOURCE_VOLUME
                  ? take_pool_volume(vm, disk, &vm->disk[i], config)
                  : take_volume(vm, disk, &vm->disk[i], config);
    config->backing = layer ? VMM_DISK_LAYER : VMM_DISK_CHANNEL;
    return why;
}

const char *vm_take_disks(struct vm *vm, struct vmm_config *config)
{
    config->disk_count = vm->def.disk_count;
    for (uint32_t i = 0; i < vm->def.disk_count; i++) {
        const char *why = take_one(vm, i, &config->disk[i]);
        if (why)
            return why;
    }
    return NULL;
}

uint32_t vm_disk_caps(const struct vm *vm, struct spawn_cap *caps, uint32_t n)
{
    const uint32_t rw = RIGHT_READ | RIGHT_WRITE;
    for (uint32_t i = 0; i < vm->def.disk_count; i++) {
        const struct vm_disk *disk = &vm->disk[i];
        uint32_t memory = VMM_SLOT_DISK_MEMORY(i), peer = VMM_SLOT_DISK_PEER(i);
        if (disk->channel) {
            caps[n++] = (struct spawn_cap){memory, disk->channel->memory.slot, rw, 0};
            caps[n++] = (struct spawn_cap){peer, disk->peer, RIGHT_WRITE, 0};
        }
        if (disk->channel) { /* the image of a layer, its map */
            memory = VMM_SLOT_DISK_IMAGE(i);
            peer = VMM_SLOT_DISK_MAP(i);
        }
        if (disk->image)
            caps[n++] = (struct spawn_cap){memory, disk->image, RIGHT_READ, 0};
        if (disk->image && disk->overlay.slot)
            caps[n++] = (struct spawn_cap){peer, disk->overlay.slot, rw, 0};
    }
    return n;
}

const char *vm_attach_disks(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->def.disk_count; i++) {
        struct channel *c = vm->disk[i].channel;
        int64_t status = c ? channel_attach(c, vm->vmm.notif, VMM_CTL_DISK) : OK;
        if (status != OK)
            return refuse(vm, &vm->def.disk[i], "notification: status %lld", (long long)status);
        if (vm->disk[i].pool)
            pool_start_client(vm->disk[i].pool, vm->disk[i].client);
    }
    for (uint32_t n = 0; n < ahci_count() && vm_needs_volumes(vm); n++)
        ahci_job(ahci_at(n));
    return NULL;
}

void vm_drop_overlays(struct vm *vm)
{
    if (vm->draining) /* a controller may still write a layer's map; vm_drain() comes again */
        return;
    for (uint32_t i = 0; i < vm->def.disk_count; i++)
        physmem_free(&vm->disk[i].overlay);
}

bool vm_close_disks(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->def.disk_count; i++) {
        struct vm_disk *disk = &vm->disk[i];
        bootpkg_release(disk->image);
        bootpkg_release(disk->peer);
        *disk = (struct vm_disk){.overlay = disk->overlay};
    }
    bool pools = pool_close_all(vm);
    return ahci_close_all(vm) || pools;
}
