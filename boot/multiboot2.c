/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot2 boot information ("Multiboot2 Specification version 2.0", Boot information format). */
#include <stddef.h>
#include "boot/parse.h"

#define MB2_INFO_MAX (16u << 20) /* far above anything real: a wild size must not walk off */

enum mb2_tag_type {
    MB2_TAG_END = 0,
    MB2_TAG_CMDLINE = 1,
    MB2_TAG_MODULE = 3,
    MB2_TAG_MMAP = 6,
    MB2_TAG_FRAMEBUFFER = 8,
    MB2_TAG_ACPI_OLD = 14,
    MB2_TAG_ACPI_NEW = 15,
    MB2_TAG_EFI_MMAP = 17
};

struct mb2_tag {
    uint32_t type, size;
};

struct mb2_framebuffer {
    uint64_t addr;
    uint32_t pitch, width, height;
    uint8_t bpp, type;
    uint16_t reserved;
    uint8_t red_pos, red_size, green_pos, green_size, blue_pos, blue_size;
} __attribute__((packed));

#define MB2_FB_RGB  1
#define MB2_FB_TEXT 2

/* `size` is of the content behind the tag's head, here and below. */
static const char *parse_mmap(const uint8_t *content, uint32_t size, struct memmap *map)
{
    struct {
        uint32_t entry_size, entry_version;
    } head;
    struct {
        uint64_t base, length;
        uint32_t type, reserved;
    } entry;

    if (size < sizeof(head))
        return "multiboot2: the memory map tag is too short";
    __builtin_memcpy(&head, content, sizeof(head));
    if (head.entry_size < sizeof(entry))
        return "multiboot2: the memory map has an impossible entry size";
    for (uint64_t at = sizeof(head); at + head.entry_size <= size; at += head.entry_size) {
        __builtin_memcpy(&entry, content + at, sizeof(entry));
        memmap_add(map, entry.base, entry.length, memmap_e820_type(entry.type));
    }
    return NULL;
}

static const char *parse_efi_mmap(const uint8_t *content, uint32_t size, struct memmap *map)
{
    uint32_t desc_size;
    if (size < 8)
        return "multiboot2: the EFI memory map tag is too short";
    __builtin_memcpy(&desc_size, content, sizeof(desc_size));
    return memmap_add_efi(map, content + 8, size - 8u, desc_size);
}

static const char *parse_module(const uint8_t *content, uint32_t size, struct bootinfo *out)
{
    uint32_t range[2];
    if (size < sizeof(range))
        return "multiboot2: a module tag is too short";
    __builtin_memcpy(range, content, sizeof(range));
    if (range[1] < range[0])
        return "multiboot2: a module ends before it starts";
    return parse_package(out, range[0], range[1] - range[0]);
}

static void parse_framebuffer(const uint8_t *content, uint32_t size, struct bootinfo *out)
{
    struct mb2_framebuffer fb = {0};
    if (size < __builtin_offsetof(struct mb2_framebuffer, red_pos))
        return;
    __builtin_memcpy(&fb, content, size < sizeof(fb) ? size : sizeof(fb));
    if (fb.type == MB2_FB_TEXT)
        out->fb.vga_text = 1;
    if (fb.type != MB2_FB_RGB || size < sizeof(fb))
        return;
    out->fb = (struct root_framebuffer){.base = fb.addr,
                                        .pitch = fb.pitch,
                                        .width = fb.width,
                                        .height = fb.height,
                                        .bpp = fb.bpp,
                                        .red_shift = fb.red_pos,
                                        .green_shift = fb.green_pos,
                                        .blue_shift = fb.blue_pos};
}

struct mb2_maps {
    const uint8_t *bios, *efi; /* content of the two kinds of memory map */
    uint32_t bios_size, efi_size;
};

static const char *parse_tag(const struct mb2_tag *tag, const uint8_t *content,
                             struct mb2_maps *maps, struct bootinfo *out)
{
    uint32_t size = tag->size - (uint32_t)sizeof(*tag);
    switch (tag->type) {
    case MB2_TAG_CMDLINE:
        parse_cmdline(out, (const char *)content, size);
        return NULL;
    case MB2_TAG_MODULE:
        return parse_module(content, size, out);
    case MB2_TAG_MMAP:
        maps->bios = content;
        maps->bios_size = size;
        return NULL;
    case MB2_TAG_EFI_MMAP:
        maps->efi = content;
        maps->efi_size = size;
        return NULL;
    case MB2_TAG_FRAMEBUFFER:
        parse_framebuffer(content, size, out);
        return NULL;
    case MB2_TAG_ACPI_OLD:
    case MB2_TAG_ACPI_NEW:
        parse_rsdp(out, content, size);
        return NULL;
    default:
        return NULL;
    }
}

/* EFI's own map says more (MMIO, persistent memory) than the one that GRUB makes of it. */
static const char *parse_maps(const struct mb2_maps *maps, struct memmap *map)
{
    if (maps->efi)
        return parse_efi_mmap(maps->efi, maps->efi_size, map);
    if (maps->bios)
        return parse_mmap(maps->bios, maps->bios_size, map);
    return "multiboot2: the loader gave no memory map";
}

const char *multiboot2_parse(uint64_t info_pa, struct memmap *map, struct bootinfo *out)
{
    struct mb2_maps maps = {0};
    uint32_t total;
    const uint8_t *info = early_map(info_pa, 8);
    if (!info)
        return "multiboot2: the boot information cannot be reached";
    __builtin_memcpy(&total, info, sizeof(total));
    if (total < 16 || total > MB2_INFO_MAX)
        return "multiboot2: the boot information has an impossible size";
    info = early_map(info_pa, total);
    if (!info)
        return "multiboot2: the boot information cannot be reached";
    __builtin_memcpy(out->boot_method, "multiboot2", sizeof("multiboot2"));
    for (uint32_t at = 8;;) {
        struct mb2_tag tag;
        if (total - at < sizeof(tag))
            return "multiboot2: the boot information has no end tag";
        __builtin_memcpy(&tag, info + at, sizeof(tag));
        if (tag.size < sizeof(tag) || tag.size > total - at)
            return "multiboot2: a tag reaches past the boot information";
        if (tag.type == MB2_TAG_END)
            return parse_maps(&maps, map);
        const char *error = parse_tag(&tag, info + at + sizeof(tag), &maps, out);
        if (error)
            return error;
        uint32_t step = (tag.size + 7u) & ~7u;
        if (step > total - at)
            return "multiboot2: the boot information has no end tag";
        at += step;
    }
}
