/* SPDX-License-Identifier: BSD-2-Clause */
/* PVH start information ("x86/HVM direct boot ABI"). */
#include <stddef.h>
#include "boot/parse.h"

#define PVH_MAGIC    0x336ec578u
#define PVH_MMAP_MAX 0x10000u /* entries: a wild count must not walk off */

struct pvh_start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, cmdline, rsdp;
    /* version 1 */
    uint64_t mmap;
    uint32_t mmap_entries, reserved;
};
_Static_assert(sizeof(struct pvh_start_info) == 56, "PVH start information");
#define PVH_VERSION0_SIZE 40u

struct pvh_module {
    uint64_t base, size, cmdline, reserved;
};

struct pvh_mmap_entry {
    uint64_t base, size;
    uint32_t type, reserved;
};

static const char *parse_mmap(const struct pvh_start_info *info, struct memmap *map)
{
    if (info->version == 0 || info->mmap == 0 || info->mmap_entries == 0)
        return "PVH: the loader gave no memory map";
    if (info->mmap_entries > PVH_MMAP_MAX)
        return "PVH: the memory map has an impossible number of entries";
    const struct pvh_mmap_entry *raw = early_map(info->mmap, info->mmap_entries * sizeof(*raw));
    if (!raw)
        return "PVH: the memory map cannot be reached";
    for (uint32_t i = 0; i < info->mmap_entries; i++) {
        struct pvh_mmap_entry entry;
        __builtin_memcpy(&entry, (const char *)raw + i * sizeof(entry), sizeof(entry));
        memmap_add(map, entry.base, entry.size, memmap_e820_type(entry.type));
    }
    return NULL;
}

/* Nothing says how long the text is; what follows it can be read, if not believed. */
static const char *parse_text(uint64_t pa, struct bootinfo *out)
{
    const char *text = early_map(pa, BOOTINFO_CMDLINE);
    if (!text)
        return "PVH: the command line cannot be reached";
    parse_cmdline(out, text, BOOTINFO_CMDLINE);
    return NULL;
}

static const char *parse_module(const struct pvh_start_info *info, struct bootinfo *out)
{
    struct pvh_module module;
    if (info->module_count == 0)
        return NULL;
    if (info->module_count > 1)
        return "the loader brought more than one module; only the boot package is wanted";
    const void *raw = early_map(info->modules, sizeof(module));
    if (!raw)
        return "PVH: the module list cannot be reached";
    __builtin_memcpy(&module, raw, sizeof(module));
    return parse_package(out, module.base, module.size);
}

const char *pvh_parse(uint64_t info_pa, struct memmap *map, struct bootinfo *out)
{
    struct pvh_start_info info = {0};
    const void *raw = early_map(info_pa, sizeof(info));
    if (!raw)
        return "PVH: the start information cannot be reached";
    __builtin_memcpy(&info, raw, PVH_VERSION0_SIZE);
    if (info.magic != PVH_MAGIC)
        return "PVH: the start information has a wrong magic number";
    if (info.version >= 1)
        __builtin_memcpy(&info, raw, sizeof(info));
    __builtin_memcpy(out->boot_method, "pvh", sizeof("pvh"));
    /* The ABI names no display; a PC that starts like this has text mode if it has one at all. */
    out->fb.vga_text = 1;
    parse_rsdp_at(out, info.rsdp);
    const char *error = info.cmdline ? parse_text(info.cmdline, out) : NULL;
    if (!error)
        error = parse_module(&info, out);
    return error ? error : parse_mmap(&info, map);
}
