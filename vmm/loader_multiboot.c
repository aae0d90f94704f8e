/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot Specification 0.6.96: ELF images and those that carry their addresses in the header. */
#include <string.h>

#include "vmm/e820.h"
#include "vmm/loader.h"

#define MULTIBOOT_SEARCH     8192u
#define MULTIBOOT_MAGIC      0x1badb002u
#define MULTIBOOT_BOOT_MAGIC 0x2badb002u
#define MULTIBOOT_ADDRESSES  0x00010000u
#define MULTIBOOT_KNOWN      0x0007u /* of the bits a loader must understand */

#define INFO_MEMORY  0x001u
#define INFO_CMDLINE 0x004u
#define INFO_MODS    0x008u
#define INFO_MMAP    0x040u
#define INFO_NAME    0x200u

struct multiboot_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
    uint32_t mmap_length, mmap_addr, drives[2], config_table, boot_loader_name;
    uint32_t rest[12];
};

struct multiboot_module {
    uint32_t start, end, string, reserved;
};

struct multiboot_mmap {
    uint32_t size;
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));

_Static_assert(sizeof(struct multiboot_mmap) == 24, "Multiboot: memory map entry");

int64_t multiboot_find(const struct loader_image *image)
{
    for (uint64_t at = 0; at < MULTIBOOT_SEARCH && loader_has(image, at, 12); at += 4) {
        if (loader_u32(image, at) == MULTIBOOT_MAGIC &&
            loader_u32(image, at) + loader_u32(image, at + 4) + loader_u32(image, at + 8) == 0)
            return (int64_t)at;
    }
    return -1;
}

/* The header gives the addresses: one block from the file, then zeroes. */
static bool load_flat(struct loader *loader, uint64_t header, struct elf_info *info)
{
    const struct loader_image *file = &loader->kernel;
    if (!loader_has(file, header, 32))
        return loader_refuse(loader, "the file ends inside the multiboot header");
    uint32_t header_addr = loader_u32(file, header + 12);
    uint32_t load_addr = loader_u32(file, header + 16);
    uint32_t load_end = loader_u32(file, header + 20);
    uint32_t bss_end = loader_u32(file, header + 24);
    if (header_addr < load_addr || header_addr - load_addr > header)
        return loader_refuse(loader, "load_addr %#x does not fit header_addr %#x", load_addr,
                             header_addr);
    uint64_t offset = header - (header_addr - load_addr);
    if (load_end != 0 && load_end < load_addr)
        return loader_refuse(loader, "load_end_addr %#x is below load_addr", load_end);
    uint64_t size = load_end ? load_end - load_addr : file->size - offset;
    uint64_t memory = size;
    if (bss_end != 0 && bss_end > load_addr + size)
        memory = bss_end - load_addr;
    if (!loader_place(loader, "the image (load_addr)", load_addr, offset, size, memory))
        return false;
    *info = (struct elf_info){
        .entry = loader_u32(file, header + 28), .first = load_addr, .end = load_addr + memory};
    return true;
}

static bool load_image(struct loader *loader, struct elf_info *info)
{
    int64_t header = multiboot_find(&loader->kernel);
    if (header < 0)
        return loader_refuse(loader, "has no multiboot header in its first 8 KiB");
    uint32_t flags = loader_u32(&loader->kernel, (uint64_t)header + 4);
    if (flags & 0xffff & ~MULTIBOOT_KNOWN)
        return loader_refuse(loader, "multiboot header asks for features %#x that are not known",
                             flags & 0xffff & ~MULTIBOOT_KNOWN);
    if (flags & MULTIBOOT_ADDRESSES)
        return load_flat(loader, (uint64_t)header, info);
    return elf_inspect(loader, info) && elf_load(loader, info);
}

/* Modules follow the image, as boot loaders place them. */
static bool place_module(struct loader *loader, uint64_t end, struct multiboot_info *info)
{
    uint64_t at = (end + 0xfff) & ~0xfffull, size = loader->initrd.size;
    if (size == 0)
        return true;
    if (at < 0x100000 && at + size > BOOT_AREA)
        at = 0x100000; /* not over the boot information or the firmware tables */
    if (at >= GUEST_LOW_LIMIT || !guest_mem_write(loader->mem, at, loader->initrd.bytes, size))
        return loader_refuse(loader, "module %.100s (%llu bytes) does not fit behind the image",
                             loader->initrd.name, (unsigned long long)size);
    struct multiboot_module module = {
        .start = (uint32_t)at, .end = (uint32_t)(at + size), .string = BOOT_STRINGS};
    guest_mem_write(loader->mem, BOOT_STRINGS, loader->initrd.name,
                    strlen(loader->initrd.name) + 1);
    guest_mem_write(loader->mem, BOOT_MODULES, &module, sizeof(module));
    info->flags |= INFO_MODS;
    info->mods_count = 1;
    info->mods_addr = BOOT_MODULES;
    return true;
}

static void fill_memory(struct loader *loader, struct multiboot_info *info)
{
    struct e820_entry map[E820_MAX];
    struct multiboot_mmap table[E820_MAX];
    uint32_t count = e820_build(loader->mem, map);
    for (uint32_t i = 0; i < count; i++)
        table[i] = (struct multiboot_mmap){
            .size = 20, .base = map[i].base, .length = map[i].size, .type = map[i].type};
    guest_mem_write(loader->mem, BOOT_MEMMAP, table, count * sizeof(table[0]));
    info->flags |= INFO_MEMORY | INFO_MMAP;
    info->mem_lower = E820_LOW_END >> 10;
    info->mem_upper = (uint32_t)((loader->mem->low_size - 0x100000) >> 10);
    info->mmap_addr = BOOT_MEMMAP;
    info->mmap_length = (uint32_t)(count * sizeof(table[0]));
}

bool loader_multiboot(struct loader *loader)
{
    static const char name[] = "Mullion";
    struct elf_info image = {0};
    struct multiboot_info info = {.flags = INFO_CMDLINE | INFO_NAME, .cmdline = BOOT_CMDLINE};
    if (!load_image(loader, &image))
        return false;
    if (image.entry < image.first || image.entry >= image.end)
        return loader_refuse(loader, "entry point %#llx is outside the loaded image",
                             (unsigned long long)image.entry);
    /* The image's name leads the command line: kernels skip the first word. */
    if (!loader_cmdline(loader, loader->kernel.name, BOOT_CMDLINE_MAX) ||
        !place_module(loader, image.end, &info))
        return false;
    fill_memory(loader, &info);
    info.boot_loader_name = BOOT_STRINGS + 0x800;
    guest_mem_write(loader->mem, info.boot_loader_name, name, sizeof(name));
    guest_mem_write(loader->mem, BOOT_INFO, &info, sizeof(info));
    boot_state_protected(loader, image.entry);
    loader->page->gpr[GPR_RAX] = MULTIBOOT_BOOT_MAGIC;
    loader->page->gpr[GPR_RBX] = BOOT_INFO;
    return true;
}
