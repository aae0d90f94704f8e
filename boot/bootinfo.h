/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot paths (multiboot2, PVH, own UEFI loader) tell the kernel, in one form.
 *
 * The structure lies in the boot program, whose memory the kernel gives away at the end of the
 * boot; nothing in it points at loader memory that must stay as it is, but the package. */
#ifndef BOOT_BOOTINFO_H
#define BOOT_BOOTINFO_H

#include "abi/kinfo.h"
#include "arch/x86_64/cpu_features.h"
#include "boot/acpi.h"

/* A byte claimed by several ranges has the type that stands last here: reserved wins over RAM. */
enum bootinfo_mem_type {
    BOOTINFO_MEM_RAM = 1,      /* free for the kernel */
    BOOTINFO_MEM_PERSISTENT,   /* non-volatile DIMM */
    BOOTINFO_MEM_ACPI_RECLAIM, /* ACPI tables: RAM once they are read */
    BOOTINFO_MEM_PACKAGE,      /* the boot package, page-rounded */
    BOOTINFO_MEM_ACPI_NVS,
    BOOTINFO_MEM_MMIO,     /* the firmware's memory-mapped I/O (UEFI map only) */
    BOOTINFO_MEM_RESERVED, /* firmware runtime, reserved, unknown types */
    BOOTINFO_MEM_BAD,      /* defective RAM */
    BOOTINFO_MEM_BOOT,     /* this program: RAM once the kernel has read struct bootinfo */
    BOOTINFO_MEM_ROOT,     /* the root task's data and stack */
    BOOTINFO_MEM_KERNEL    /* the kernel image, its pool, its log, its copies of tables */
};
#define BOOTINFO_MEM_TYPES (BOOTINFO_MEM_KERNEL + 1u)

/* Page aligned; sorted by base, without overlap, neighbours of one type merged. RAM is rounded
 * inwards to pages, everything else outwards. */
struct bootinfo_mem {
    uint64_t base, size;
    uint32_t type; /* enum bootinfo_mem_type */
    uint32_t pad;
};

/* Raw entries that are taken from a loader, after adjacent ones of one type are joined. Each has
 * two ends, so this many ranges are enough for every outcome. More is refused with a message. */
#define BOOTINFO_RAW_MAX 1536u
#define BOOTINFO_MEM_MAX (2u * BOOTINFO_RAW_MAX)

#define BOOTINFO_CMDLINE ROOT_CMDLINE
#define BOOTINFO_RSDP    36u
#define BOOTINFO_LOG     2048u

/* Bytes in front of the pool that survive a warm reset, always at the same place on a machine. */
#define BOOTINFO_KEPT 0x10000ull

/* How further CPUs come to 64-bit mode; host-physical addresses below 4 GiB. */
struct cpu_start {
    uint64_t page;       /* RAM below 1 MiB that is nobody else's; 0: none */
    uint64_t gdt, entry; /* boot_gdt, boot_entry_cpu */
};

/* The root task, ready to be mapped. The boot program has read its ELF file. */
#define ROOT_PARTS 10u
struct root_part {
    uint64_t va, pa, size; /* pages */
    uint32_t flags;        /* MAP_* */
    uint32_t pad;
};
struct root_task {
    uint64_t entry;
    uint32_t count;
    struct root_part part[ROOT_PARTS];
    struct root_info info; /* as the task sees it */
};

struct bootinfo {
    const char *error;     /* not NULL: why Mullion cannot start; then only fb and cmdline count */
    uint64_t boot_tsc;     /* TSC when the kernel got control */
    volatile void *screen; /* with error: the frame buffer or VGA text, NULL: none */
    uint64_t kernel_base;  /* host-physical address of __kernel_start, below 4 GiB */
    uint64_t kernel_size;  /* bytes, page-rounded */
    uint64_t pool_base;    /* the kernel's first memory, of 2 MiB pieces, below 4 GiB */
    uint64_t pool_size;
    uint64_t tsc_khz;
    uint64_t package_base; /* host-physical; 0 with package_size 0: the loader brought none */
    uint64_t package_size; /* exact bytes as the loader gave them */
    uint8_t rsdp_copy[BOOTINFO_RSDP]; /* the RSDP, whichever place it had */
    uint32_t rsdp_copied;             /* valid bytes of it: 20 or 36; 0: none */
    char log[BOOTINFO_LOG];           /* lines that were noted meanwhile */
    char boot_method[16];             /* "multiboot2", "pvh", "uefi" */
    char cmdline[BOOTINFO_CMDLINE];   /* zero-terminated */
    struct cpu_start cpu_start;
    struct cpu_features features;
    struct mitigations mitigations;
    struct acpi_info acpi;
    struct root_task root;
    uint32_t mem_count;
    struct root_framebuffer fb;
    struct bootinfo_mem mem[BOOTINFO_MEM_MAX];
};

/* The kernel's C entry: ring 0, 64-bit, interrupts off, boot stack of 16 KiB, NXE and WP on, the
 * page tables of boot/entry.S (low 4 GiB identity-mapped, the image high, all writable). */
_Noreturn void kernel_main(const struct bootinfo *info);

#endif
