/* SPDX-License-Identifier: BSD-2-Clause */
/* The UEFI loader's readers of the kernel's ELF and of its own PE sections. */
#include <stdlib.h>
#include <string.h>
#include "boot/uefi/kernel_image.c"
#include "boot/uefi/sections.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kernel_image image;
    uint64_t bytes = 0;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    const uint8_t *found = section_find(copy, size, ".kernel", &bytes);
    if (found && (found < copy || bytes > size || found + bytes > copy + size))
        abort();
    if (kernel_image_open(&image, copy, size) == NULL) {
        uint8_t *memory = image.span <= 1u << 20 ? malloc(image.span) : NULL;
        if (memory)
            kernel_image_place(&image, memory);
        free(memory);
    }
    free(copy);
    return 0;
}
