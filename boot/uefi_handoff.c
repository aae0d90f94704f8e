/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "boot/parse.h"
#include "boot/uefi_handoff.h"

#define EFI_MMAP_MAX (16u << 20)

static const char *parse_mmap(const struct uefi_handoff *handoff, struct memmap *map)
{
    if (handoff->memory_map == 0 || handoff->memory_map_size == 0)
        return "UEFI: the loader gave no memory map";
    if (handoff->memory_map_size > EFI_MMAP_MAX)
        return "UEFI: the memory map has an impossible size";
    const void *raw = early_map(handoff->memory_map, handoff->memory_map_size);
    if (!raw)
        return "UEFI: the memory map cannot be reached";
    return memmap_add_efi(map, raw, handoff->memory_map_size, handoff->descriptor_size);
}

const char *uefi_handoff_parse(uint64_t info_pa, struct memmap *map, struct bootinfo *out)
{
    struct uefi_handoff handoff;
    const void *raw = early_map(info_pa, sizeof(handoff));
    if (!raw)
        return "UEFI: the handoff structure cannot be reached";
    __builtin_memcpy(&handoff, raw, sizeof(handoff));
    if (handoff.magic != UEFI_HANDOFF_MAGIC)
        return "UEFI: the handoff structure has a wrong magic number";
    if (handoff.version < UEFI_HANDOFF_VERSION || handoff.size < sizeof(handoff))
        return "UEFI: the loader is older than this kernel";
    __builtin_memcpy(out->boot_method, "uefi", sizeof("uefi"));
    parse_rsdp_at(out, handoff.rsdp);
    out->fb = handoff.fb;
    parse_cmdline(out, handoff.cmdline, sizeof(handoff.cmdline));
    const char *error = NULL;
    if (handoff.package_size)
        error = parse_package(out, handoff.package, handoff.package_size);
    return error ? error : parse_mmap(&handoff, map);
}
