/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "boot/uefi/sections.h"

/* PE Format, "COFF File Header" and "Section Table". */
struct coff_header {
    uint16_t machine, section_count;
    uint32_t time, symbols, symbol_count;
    uint16_t optional_size, characteristics;
};
_Static_assert(sizeof(struct coff_header) == 20, "COFF header");

struct coff_section {
    char name[8];
    uint32_t virtual_size, virtual_address, raw_size, raw_offset;
    uint32_t relocations, line_numbers;
    uint16_t relocation_count, line_number_count;
    uint32_t characteristics;
};
_Static_assert(sizeof(struct coff_section) == 40, "COFF section header");

#define DOS_PE_OFFSET 0x3cu

static int name_is(const struct coff_section *section, const char *name)
{
    for (unsigned i = 0; i < sizeof(section->name); i++) {
        if (section->name[i] != name[i])
            return 0;
        if (!name[i])
            return 1;
    }
    return name[sizeof(section->name)] == 0;
}

const void *section_find(const void *image, uint64_t image_size, const char *name, uint64_t *size)
{
    const uint8_t *base = image;
    struct coff_header coff;
    uint32_t pe;
    if (image_size < DOS_PE_OFFSET + 4)
        return NULL;
    __builtin_memcpy(&pe, base + DOS_PE_OFFSET, sizeof(pe));
    if (pe > image_size || image_size - pe < 4 + sizeof(coff) ||
        __builtin_memcmp(base + pe, "PE\0", 4) != 0)
        return NULL;
    __builtin_memcpy(&coff, base + pe + 4, sizeof(coff));
    uint64_t at = (uint64_t)pe + 4 + sizeof(coff) + coff.optional_size;
    for (uint32_t i = 0; i < coff.section_count; i++, at += sizeof(struct coff_section)) {
        struct coff_section section;
        if (at + sizeof(section) > image_size)
            return NULL;
        __builtin_memcpy(&section, base + at, sizeof(section));
        if (!name_is(&section, name))
            continue;
        if (section.virtual_address > image_size ||
            section.virtual_size > image_size - section.virtual_address)
            return NULL;
        *size = section.virtual_size;
        return base + section.virtual_address;
    }
    return NULL;
}
