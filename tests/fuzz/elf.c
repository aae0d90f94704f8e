/* SPDX-License-Identifier: BSD-2-Clause */
/* An image that is accepted can be loaded as it says: every segment inside the file and the range.
 */
#include "user/elf.c"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf elf;
    if (elf_parse(&elf, data, size))
        return 0;
    uint64_t end = ELF_LOWEST;
    for (uint32_t i = 0; i < elf.segment_count; i++) {
        const struct elf_segment *segment = &elf.segment[i];
        if (segment->address < end || segment->file_size > segment->memory_size ||
            segment->file_offset > size || size - segment->file_offset < segment->file_size)
            abort();
        end = segment->address + segment->memory_size;
        if (end > ELF_HIGHEST)
            abort();
    }
    return 0;
}
