/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory: mapped here for the device models, and into the guest space. */
#include "abi/object.h"
#include "abi/status.h"
#include "abi/map.h"
#include "user/block.h"
#include "user/syscall_stubs.h"
#include "vmm/vmm.h"

#include <string.h>

#define PAGE 4096ull

static void map_part(struct vmm *vmm, uint32_t mem, uint64_t gpa, uint64_t offset, uint64_t size)
{
    int64_t status =
        sys_mem_map(SLOT_SELF_PD, mem, VMM_GUEST_BASE + gpa, offset, size, MAP_READ | MAP_WRITE);
    if (status == OK)
        status = sys_mem_map(vmm->guest, mem, gpa, offset, size, MAP_READ | MAP_WRITE | MAP_EXEC);
    if (status != OK)
        refuse("guest memory at %#llx (%llu bytes) cannot be mapped: status %lld",
               (unsigned long long)gpa, (unsigned long long)size, (long long)status);
}

/* One capability, which may have to be cut at the PCI hole. */
static void map_ram(struct vmm *vmm, uint32_t mem, uint64_t size)
{
    uint64_t low = guest_low_limit(vmm->config->boot == VMM_BOOT_FIRMWARE) - vmm->mem.low_size;
    if (low > size)
        low = size;
    if (low) {
        map_part(vmm, mem, vmm->mem.low_size, 0, low);
        vmm->mem.low_size += low;
    }
    if (size > low) {
        map_part(vmm, mem, GUEST_HIGH_BASE + vmm->mem.high_size, low, size - low);
        vmm->mem.high_size += size - low;
    }
}

void space_create(struct vmm *vmm)
{
    const struct vmm_config *config = vmm->config;
    uint8_t *base = (uint8_t *)VMM_GUEST_BASE;
    vmm->guest = slot_alloc();
    int64_t status = vmm->guest ? sys_guest_create(vmm->guest) : ERR_QUOTA;
    if (status != OK)
        refuse("no guest space can be made: status %lld", (long long)status);
    for (uint32_t i = 0; i < config->ram_count; i++)
        map_ram(vmm, vmm->args->slot[VMM_SLOT_RAM + i], config->ram_size[i]);
    guest_mem_add(&vmm->mem, 0, vmm->mem.low_size, base, true);
    guest_mem_add(&vmm->mem, GUEST_HIGH_BASE, vmm->mem.high_size, base + GUEST_HIGH_BASE, true);
}

static uint64_t image_span(const struct vmm_image *image)
{
    return ((image->offset % PAGE) + image->size + PAGE - 1) & ~(PAGE - 1);
}

const uint8_t *space_map_image(const struct vmm *vmm, uint32_t index, const struct vmm_image *image,
                               uint64_t va)
{
    if (image->size == 0)
        return NULL;
    uint64_t first = image->offset - image->offset % PAGE;
    int64_t status =
        sys_mem_map(SLOT_SELF_PD, vmm->args->slot[index], va, first, image_span(image), MAP_READ);
    if (status != OK)
        refuse("%.100s: the image cannot be mapped: status %lld", image->name, (long long)status);
    return (const uint8_t *)va + image->offset % PAGE;
}

void space_unmap_image(const struct vmm_image *image, uint64_t va)
{
    if (image->size)
        sys_mem_unmap(SLOT_SELF_PD, va, image_span(image));
}

static void *map_part_of_device(const struct vmm *vmm, uint32_t index, uint64_t va, uint64_t size,
                                uint32_t flags, const char *what)
{
    uint64_t whole = (size + PAGE - 1) & ~(PAGE - 1);
    int64_t status = sys_mem_map(SLOT_SELF_PD, vmm->args->slot[index], va, 0, whole, flags);
    if (status != OK)
        refuse("%s cannot be mapped: status %lld", what, (long long)status);
    return (void *)va;
}

static void map_layer(const struct vmm *vmm, uint32_t i, uint64_t va, struct disk_source *source)
{
    const struct vmm_disk *disk = &vmm->config->disk[i];
    source->overlay =
        map_part_of_device(vmm, VMM_SLOT_DISK_MAP(i), va + VMM_LAYER_AT, disk->overlay_size,
                           MAP_READ | MAP_WRITE, "the map of a disk's volume");
    source->image = map_part_of_device(vmm, VMM_SLOT_DISK_IMAGE(i), va + VMM_OVERLAY_AT,
                                       disk->image.size, MAP_READ, "a disk's image");
}

struct disk_source space_map_disk(const struct vmm *vmm, uint32_t i)
{
    const struct vmm_disk *disk = &vmm->config->disk[i];
    uint64_t va = VMM_DISK_VA + i * VMM_DISK_STEP;
    uint32_t memory = VMM_SLOT_DISK_MEMORY(i), peer = VMM_SLOT_DISK_PEER(i);
    struct disk_source source = {0};
    if (disk->image.offset)
        refuse("disk %.15s: an image begins with its memory", disk->target);
    if (disk->backing != VMM_DISK_IMAGE) {
        source.memory = map_part_of_device(vmm, memory, va, sizeof(struct blk_channel),
                                           MAP_READ | MAP_WRITE, "a disk's channel");
        source.notif = vmm->args->slot[peer];
        if (disk->backing == VMM_DISK_LAYER)
            map_layer(vmm, i, va, &source);
        return source;
    }
    if (disk->image.size)
        source.memory =
            map_part_of_device(vmm, memory, va, disk->image.size, MAP_READ, "a disk's image");
    if (disk->overlay_size)
        source.overlay = map_part_of_device(vmm, peer, va + VMM_OVERLAY_AT, disk->overlay_size,
                                            MAP_READ | MAP_WRITE, "a disk's overlay");
    return source;
}

struct net_source space_map_net(const struct vmm *vmm, uint32_t i)
{
    const struct vmm_net *net = &vmm->config->net[i];
    uint64_t va = VMM_NET_VA + i * VMM_NET_STEP;
    struct net_source source = {.notif = vmm->args->slot[VMM_SLOT_NET_SWITCH(i)]};
    source.channel = map_part_of_device(vmm, VMM_SLOT_NET_CHANNEL(i), va, net->channel_size,
                                        MAP_READ | MAP_WRITE, "an interface's channel");
    if (net->bounce_size)
        source.bounce =
            map_part_of_device(vmm, VMM_SLOT_NET_BOUNCE(i), va + VMM_BOUNCE_AT, net->bounce_size,
                               MAP_READ | MAP_WRITE, "an interface's memory");
    return source;
}

#define FIRMWARE_MAX  0x1000000ull
#define FIRMWARE_LOW  0x20000ull /* mirrored below 1 MiB */
#define FIRMWARE_TOP  0x100000000ull
#define FIRMWARE_STEP 0x1000ull

void space_map_firmware(struct vmm *vmm)
{
    const struct vmm_image *image = &vmm->config->firmware;
    uint64_t size = image->size, gpa = FIRMWARE_TOP - size;
    if (size < FIRMWARE_LOW || size > FIRMWARE_MAX || size % FIRMWARE_STEP ||
        image->offset % FIRMWARE_STEP)
        refuse("%.100s: firmware must be 128 KiB to 16 MiB, in whole pages", image->name);
    const uint8_t *bytes = space_map_image(vmm, VMM_SLOT_FIRMWARE, image, VMM_FIRMWARE_VA);
    int64_t status = sys_mem_map(vmm->guest, vmm->args->slot[VMM_SLOT_FIRMWARE], gpa, image->offset,
                                 size, MAP_READ | MAP_EXEC);
    if (status != OK)
        refuse("%.100s: firmware cannot be mapped: status %lld", image->name, (long long)status);
    guest_mem_add(&vmm->mem, gpa, size, (void *)(uintptr_t)bytes, false);
    if (!guest_mem_write(&vmm->mem, 0x100000 - FIRMWARE_LOW, bytes + size - FIRMWARE_LOW,
                         FIRMWARE_LOW))
        refuse("%.100s: too little guest memory for firmware", image->name);
}
