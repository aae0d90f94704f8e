/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/entry.S comes here: finds the parser for the boot protocol, and enters the kernel. */
#include <stddef.h>
#include "arch/x86_64/smp.h"
#include "arch/x86_64/platform.h"
#include "boot/layout.h"
#include "boot/parse.h"
#include "lib/format.h"
#include "lib/string.h"

extern char __boot_start[], __boot_end[], __kernel_start[], __kernel_end[]; /* linker.ld */
extern const char boot_gdt[], boot_entry_cpu[];                             /* boot/entry.S */

static struct bootinfo info;
static struct memmap map;
static char error_text[256];

void boot_note(const char *format, ...)
{
    va_list args;
    size_t used = strlen(info.log);
    va_start(args, format);
    format_args(info.log + used, sizeof(info.log) - used, format, args);
    va_end(args);
}

const char *boot_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    format_args(error_text, sizeof(error_text), format, args);
    va_end(args);
    return error_text;
}

#define VGA_TEXT      0xb8000u
#define VGA_TEXT_SIZE 4000u
#define LOW_RAM_END   0xa0000u
#define POOL_PIECE    (2 * MIB)
#define POOL_BASE     (6 * MIB) /* besides what CPUs and page tables of much RAM need */

_Noreturn void boot_main(uint32_t kind, uint64_t info_pa, uint64_t image_pa, uint64_t tsc);

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

/* CPUs start in real mode: a page of low RAM, as high as possible to stay clear of the BIOS. */
static uint64_t start_page(void)
{
    uint64_t page = 0;
    for (uint32_t i = 0; i < info.mem_count; i++) {
        const struct bootinfo_mem *m = &info.mem[i];
        uint64_t end = m->base + m->size < LOW_RAM_END ? m->base + m->size : LOW_RAM_END;
        if (m->type == BOOTINFO_MEM_RAM && m->base < end)
            page = end - 4096;
    }
    return page;
}

/* The kernel's first memory; with a little below for the log, which must not lie at the end of RAM,
 * where firmware works. */
static const char *take_pool(void)
{
    uint64_t ram = 0;
    for (uint32_t i = 0; i < info.mem_count; i++)
        ram += info.mem[i].type == BOOTINFO_MEM_RAM ? info.mem[i].size : 0;
    memcpy(cmdline, info.cmdline, sizeof(info.cmdline));
    info.pool_size = align_up(cmdline_number("kmem", POOL_BASE + ram / 2048), POOL_PIECE);
    info.pool_base = info.pool_size > 4 * GIB ? 0
                                              : boot_take(&info, BOOTINFO_KEPT, info.pool_size,
                                                          POOL_PIECE, BOOTINFO_MEM_KERNEL);
    if (info.pool_base && info.pool_size)
        return NULL;
    return boot_error("no %llu MiB of contiguous RAM between 16 MiB and 4 GiB for the kernel",
                      info.pool_size / MIB);
}

/* Everything that is read or decided once. */
static const char *prepare(void)
{
    const char *error = take_pool();
    if (error)
        return error;
    features_read(&info);
    mitigations_decide(&info, cmdline_get("mitigations"));
    acpi_init(&info);
    error = tsc_calibrate(&info);
    return error ? error : root_load(&info);
}

/* Where the loader has put something of the image. */
static uint64_t pa(const char *symbol, uint64_t image_pa)
{
    return (uint64_t)(symbol - __boot_start) + image_pa;
}

static volatile void *find_screen(void)
{
    /* Before the loader's word for the screen was found, text mode is the best guess. */
    if (!info.fb.base)
        info.fb.vga_text = 1;
    if (info.fb.vga_text)
        return early_map(VGA_TEXT, VGA_TEXT_SIZE);
    return early_map(info.fb.base, (uint64_t)info.fb.pitch * info.fb.height);
}

_Noreturn void boot_main(uint32_t kind, uint64_t info_pa, uint64_t image_pa, uint64_t tsc)
{
    if (kind == BOOT_KIND_CPU)
        smp_cpu_entry();
    info.boot_tsc = tsc;
    info.kernel_base = pa(__kernel_start, image_pa);
    info.kernel_size = (uint64_t)(__kernel_end - __kernel_start);
    info.error = parse(kind, info_pa);
    memmap_add(&map, image_pa, (uint64_t)(__boot_end - __boot_start), BOOTINFO_MEM_BOOT);
    memmap_add(&map, info.kernel_base, info.kernel_size, BOOTINFO_MEM_KERNEL);
    memmap_add(&map, info.package_base, info.package_size, BOOTINFO_MEM_PACKAGE);
    /* The first page keeps the BIOS data area, and no valid pointer to memory is 0. */
    memmap_add(&map, 0, 4096, BOOTINFO_MEM_RESERVED);
    if (!info.error)
        info.error = memmap_finish(&map, &info);
    info.cpu_start =
        (struct cpu_start){start_page(), pa(boot_gdt, image_pa), pa(boot_entry_cpu, image_pa)};
    if (!info.error)
        info.error = prepare();
    if (info.error)
        info.screen = find_screen();
    kernel_main(&info);
}
