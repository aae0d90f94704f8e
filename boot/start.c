/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/entry.S comes here: finds the parser for the boot protocol, and enters the kernel. */
#include <stddef.h>
#include "arch/x86_64/smp.h"
#include "boot/parse.h"
#include "boot/layout.h"

extern char __kernel_start[], __kernel_end[];

static struct bootinfo info;
static struct memmap map;

_Noreturn void boot_main(uint32_t kind, uint64_t info_pa, uint64_t kernel_pa, uint64_t tsc);

static const char *parse(uint32_t kind, uint64_t info_pa)
{
    switch (kind) {
    case BOOT_KIND_MULTIBOOT2:
        return multiboot2_parse(info_pa, &map, &info);
    case BOOT_KIND_PVH:
        return pvh_parse(info_pa, &map, &info);
    default:
        return uefi_handoff_parse(info_pa, &map, &info);
    }
}

_Noreturn void boot_main(uint32_t kind, uint64_t info_pa, uint64_t kernel_pa, uint64_t tsc)
{
    if (kind == BOOT_KIND_CPU)
        smp_cpu_entry();
    info.boot_tsc = tsc;
    info.kernel_base = kernel_pa;
    info.kernel_size = (uint64_t)(__kernel_end - __kernel_start);
    info.error = parse(kind, info_pa);
    memmap_add(&map, info.kernel_base, info.kernel_size, BOOTINFO_MEM_KERNEL);
    memmap_add(&map, info.package_base, info.package_size, BOOTINFO_MEM_PACKAGE);
    /* The first page keeps the BIOS data area, and no valid pointer to memory is 0. */
    memmap_add(&map, 0, 4096, BOOTINFO_MEM_RESERVED);
    if (!info.error)
        info.error = memmap_finish(&map, &info);
    /* Before the loader's word for the screen was found, text mode is the best guess. */
    if (info.error && !info.fb.base)
        info.fb.vga_text = 1;
    kernel_main(&info);
}
