/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts a guest's images into its memory and its boot processor into the state that the boot
 * protocol asks for. Images are not trusted: all that is wrong with one is said in `error`. */
#ifndef VMM_LOADER_H
#define VMM_LOADER_H

#include <stdbool.h>
#include <stdint.h>
#include "abi/vcpu.h"
#include "vmm/guest_mem.h"

/* Guest-physical places below 1 MiB that direct boot uses. Below them is room for images that load
 * low, above them ends conventional memory. */
#define BOOT_GDT         0x81000u
#define BOOT_INFO        0x86000u /* boot_params, hvm_start_info or multiboot_info: a page */
#define BOOT_STACK       0x88ff0u
#define BOOT_PAGE_TABLES 0x89000u /* PML4, PDPT, four page directories */
#define BOOT_CMDLINE     0x90000u /* at most BOOT_CMDLINE_MAX bytes with the zero */
#define BOOT_CMDLINE_MAX 0x4000u
#define BOOT_STRINGS     0x94000u /* module's command line */
#define BOOT_MODULES     0x95000u
#define BOOT_MEMMAP      0x96000u
#define BOOT_AREA        0x80000u
#define BOOT_AREA_END    0x98000u

struct loader_image {
    const uint8_t *bytes;
    uint64_t size; /* 0: none */
    const char *name;
};

struct loader {
    const struct guest_mem *mem;
    struct loader_image kernel, initrd;
    const char *cmdline;
    struct vcpu_page *page; /* of the boot processor: written, with dirty groups */
    uint64_t rsdp;
    char error[384];
};

bool loader_linux(struct loader *loader);
bool loader_pvh(struct loader *loader);
bool loader_multiboot(struct loader *loader);
/* By the kernel image's own headers. */
bool loader_auto(struct loader *loader);

/* --- between the loader_*.c files --- */
/* Writes the error, led by the kernel's name; always false. */
__attribute__((format(printf, 2, 3))) bool loader_refuse(struct loader *loader, const char *format,
                                                         ...);
/* The image holds [offset, offset + size). */
static inline bool loader_has(const struct loader_image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->size && size <= image->size - offset;
}
uint32_t loader_u32(const struct loader_image *image, uint64_t offset); /* caller checked */
uint64_t loader_u64(const struct loader_image *image, uint64_t offset);
uint16_t loader_u16(const struct loader_image *image, uint64_t offset);

/* Copies image bytes to guest RAM outside the boot area and the space between 640 KiB and 1 MiB,
 * then zeroes up to memory_size. */
bool loader_place(struct loader *loader, const char *what, uint64_t gpa, uint64_t offset,
                  uint64_t file_size, uint64_t memory_size);
/* Initrd as high as possible: below `limit`, above `floor`, page aligned. *gpa: where. */
bool loader_initrd_high(struct loader *loader, uint64_t floor, uint64_t limit, uint64_t *gpa);
/* Command line at BOOT_CMDLINE: prefix (may be NULL), a blank, the definition's. */
bool loader_cmdline(struct loader *loader, const char *prefix, uint64_t limit);

/* CPU states. */
void boot_state_long(struct loader *loader, uint64_t rip, uint64_t boot_params);
void boot_state_protected(struct loader *loader, uint64_t eip);
void boot_state_reset(struct vcpu_page *page);

/* ELF, for PVH and multiboot. */
struct elf_info {
    uint64_t entry;
    uint64_t first, end; /* guest-physical extent of what was loaded */
    uint64_t pvh_entry;  /* note 18 of "Xen"; 0: none */
    bool is64;
};
bool elf_is(const struct loader_image *image);
/* Looks at headers and notes; loads nothing. */
bool elf_inspect(struct loader *loader, struct elf_info *info);
bool elf_load(struct loader *loader, struct elf_info *info);
/* Offset of a valid multiboot header, or -1. */
int64_t multiboot_find(const struct loader_image *image);

#endif
