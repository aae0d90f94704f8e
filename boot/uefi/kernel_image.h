/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's ELF64 file: checked, then copied to where it shall run. Knows nothing of UEFI. */
#ifndef BOOT_UEFI_KERNEL_IMAGE_H
#define BOOT_UEFI_KERNEL_IMAGE_H

#include <stdint.h>

#define KERNEL_IMAGE_ALIGN 0x200000ull
#define KERNEL_IMAGE_MAX   0x4000000ull /* 64 MiB in memory: far above any Mullion kernel */

struct kernel_image {
    const uint8_t *file;
    uint64_t file_size;
    uint64_t span;  /* bytes of memory it needs, from a KERNEL_IMAGE_ALIGN boundary */
    uint64_t entry; /* offset of the 64-bit entry in that memory */
    uint64_t link_base;
    uint32_t headers, header_size, header_offset;
};

/* NULL, or a sentence that says what is wrong with the file. */
const char *kernel_image_open(struct kernel_image *image, const void *file, uint64_t size);

/* Copies the segments and clears the rest of `memory`, which has image->span bytes. */
void kernel_image_place(const struct kernel_image *image, void *memory);

#endif
