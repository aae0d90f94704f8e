/* SPDX-License-Identifier: BSD-2-Clause */
/* PVH: an ELF with Xen note 18, entered in 32-bit protected mode; EBX points to hvm_start_info.
 * "x86/HVM direct boot ABI" of Xen's documentation. */
#include <string.h>

#include "vmm/e820.h"
#include "vmm/loader.h"

#define HVM_START_MAGIC 0x336ec578u

struct hvm_start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
    uint32_t memmap_entries, reserved;
};

struct hvm_modlist_entry {
    uint64_t paddr, size, cmdline_paddr, reserved;
};

struct hvm_memmap_entry {
    uint64_t addr, size;
    uint32_t type, reserved;
};

_Static_assert(sizeof(struct hvm_start_info) == 56, "Xen: struct hvm_start_info, version 1");
_Static_assert(sizeof(struct hvm_modlist_entry) == 32, "Xen: struct hvm_modlist_entry");
_Static_assert(sizeof(struct hvm_memmap_entry) == 24, "Xen: struct hvm_memmap_table_entry");

static uint32_t build_memmap(struct loader *loader)
{
    struct e820_entry map[E820_MAX];
    struct hvm_memmap_entry table[E820_MAX] = {0};
    uint32_t count = e820_build(loader->mem, map);
    for (uint32_t i = 0; i < count; i++)
        table[i] = (struct hvm_memmap_entry){
            .addr = map[i].base, .size = map[i].size, .type = map[i].type};
    guest_mem_write(loader->mem, BOOT_MEMMAP, table, count * sizeof(table[0]));
    return count;
}

bool loader_pvh(struct loader *loader)
{
    struct elf_info info;
    uint64_t initrd;
    if (!elf_inspect(loader, &info))
        return false;
    if (info.pvh_entry == 0)
        return loader_refuse(loader, "has no PVH entry point (ELF note 18 of \"Xen\")");
    if (!elf_load(loader, &info))
        return false;
    if (info.pvh_entry < info.first || info.pvh_entry >= info.end || info.pvh_entry >> 32)
        return loader_refuse(loader, "PVH entry point %#llx is outside the loaded segments",
                             (unsigned long long)info.pvh_entry);
    if (!loader_cmdline(loader, NULL, BOOT_CMDLINE_MAX) ||
        !loader_initrd_high(loader, info.end, GUEST_LOW_LIMIT, &initrd))
        return false;
    struct hvm_start_info start = {.magic = HVM_START_MAGIC,
                                   .version = 1,
                                   .cmdline_paddr = BOOT_CMDLINE,
                                   .rsdp_paddr = loader->rsdp,
                                   .memmap_paddr = BOOT_MEMMAP,
                                   .memmap_entries = build_memmap(loader)};
    if (loader->initrd.size) {
        struct hvm_modlist_entry module = {.paddr = initrd, .size = loader->initrd.size};
        guest_mem_write(loader->mem, BOOT_MODULES, &module, sizeof(module));
        start.modlist_paddr = BOOT_MODULES;
        start.nr_modules = 1;
    }
    guest_mem_write(loader->mem, BOOT_INFO, &start, sizeof(start));
    boot_state_protected(loader, info.pvh_entry);
    loader->page->gpr[GPR_RBX] = BOOT_INFO;
    return true;
}
