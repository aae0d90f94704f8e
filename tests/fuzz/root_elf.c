/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel accepts as the root task it can load as it says: inside the file and the address
 * space, no page twice, none writable and executable. */
#include "boot/root_elf.c"

#include "abi/kinfo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The package's files are page aligned; exactly this long, so that ASan sees the end. */
    void *file = NULL;
    if (posix_memalign(&file, 4096, size ? size : 1))
        abort();
    memcpy(file, data, size);
    struct root_image image;
    if (root_elf_parse(file, size, &image) == NULL) {
        uint64_t pages = 0;
        for (uint32_t i = 0; i < image.count; i++) {
            const struct root_segment *s = &image.segment[i];
            uint64_t first = align_down(s->va, PAGE_SIZE);
            uint64_t end = align_up(s->va + s->memory_size, PAGE_SIZE);
            if (s->file_offset > size || size - s->file_offset < s->file_size ||
                s->file_size > s->memory_size || s->va < PAGE_SIZE || end > ROOT_INFO_VA ||
                ((s->flags & MAP_WRITE) && (s->flags & MAP_EXEC)))
                abort();
            for (uint32_t j = 0; j < i; j++) {
                const struct root_segment *t = &image.segment[j];
                if (first < align_up(t->va + t->memory_size, PAGE_SIZE) &&
                    align_down(t->va, PAGE_SIZE) < end)
                    abort();
            }
            pages += (s->flags & MAP_WRITE) ? end - first : 0;
        }
        if (pages != image.data_size)
            abort();
    }
    free(file);
    return 0;
}
