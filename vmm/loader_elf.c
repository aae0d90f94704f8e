/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF executables, 32 and 64 bit, little-endian, x86: program headers and the PVH note only. */
#include <string.h>

#include "vmm/loader.h"

#define PT_LOAD       1u
#define PT_NOTE       4u
#define EM_386        3u
#define EM_X86_64     62u
#define NOTE_PHYS32   18u /* XEN_ELFNOTE_PHYS32_ENTRY */
#define ELF_MAX_PHNUM 64u

struct segment {
    uint32_t type;
    uint64_t offset, paddr, file_size, memory_size;
};

bool elf_is(const struct loader_image *image)
{
    return loader_has(image, 0, 52) && memcmp(image->bytes, "\177ELF", 4) == 0;
}

static bool check_header(struct loader *loader, struct elf_info *info)
{
    const struct loader_image *file = &loader->kernel;
    if (!elf_is(file))
        return loader_refuse(loader, "is no ELF file");
    uint8_t class = file->bytes[4];
    info->is64 = class == 2;
    if ((class != 1 && class != 2) || file->bytes[5] != 1 ||
        !loader_has(file, 0, info->is64 ? 64 : 52))
        return loader_refuse(loader, "e_ident: neither a 32-bit nor a 64-bit little-endian ELF");
    uint16_t machine = loader_u16(file, 18);
    if (machine != EM_386 && machine != EM_X86_64)
        return loader_refuse(loader, "e_machine %u is not x86", machine);
    info->entry = info->is64 ? loader_u64(file, 24) : loader_u32(file, 24);
    return true;
}

static bool read_segment(struct loader *loader, const struct elf_info *info, uint32_t index,
                         struct segment *segment)
{
    const struct loader_image *file = &loader->kernel;
    uint64_t table = info->is64 ? loader_u64(file, 32) : loader_u32(file, 28);
    uint32_t size = loader_u16(file, info->is64 ? 54 : 42);
    if (size < (info->is64 ? 56u : 32u))
        return loader_refuse(loader, "e_phentsize %u is too small", size);
    uint64_t at = table + (uint64_t)index * size;
    if (at < table || !loader_has(file, at, size))
        return loader_refuse(loader, "e_phoff: program header %u lies beyond the end of the file",
                             index);
    segment->type = loader_u32(file, at);
    segment->offset = info->is64 ? loader_u64(file, at + 8) : loader_u32(file, at + 4);
    segment->paddr = info->is64 ? loader_u64(file, at + 24) : loader_u32(file, at + 12);
    segment->file_size = info->is64 ? loader_u64(file, at + 32) : loader_u32(file, at + 16);
    segment->memory_size = info->is64 ? loader_u64(file, at + 40) : loader_u32(file, at + 20);
    return true;
}

static bool read_notes(struct loader *loader, const struct segment *segment, struct elf_info *info)
{
    const struct loader_image *file = &loader->kernel;
    uint64_t at = segment->offset, left = segment->file_size;
    if (!loader_has(file, at, left))
        return loader_refuse(loader, "p_offset: a note segment lies beyond the end of the file");
    while (left >= 12) {
        uint64_t name = (loader_u32(file, at) + 3ull) & ~3ull;
        uint64_t size = loader_u32(file, at + 4), padded = (size + 3) & ~3ull;
        if (12 + name + size > left)
            return loader_refuse(loader, "a note is larger than its segment");
        bool xen = loader_u32(file, at) == 4 && memcmp(file->bytes + at + 12, "Xen", 4) == 0;
        if (xen && loader_u32(file, at + 8) == NOTE_PHYS32 && size >= 4)
            info->pvh_entry =
                size >= 8 ? loader_u64(file, at + 12 + name) : loader_u32(file, at + 12 + name);
        uint64_t step = 12 + name + padded;
        if (step >= left)
            break;
        at += step;
        left -= step;
    }
    return true;
}

static bool for_segments(struct loader *loader, struct elf_info *info,
                         bool (*visit)(struct loader *, const struct segment *, struct elf_info *))
{
    if (!check_header(loader, info))
        return false;
    uint32_t count = loader_u16(&loader->kernel, info->is64 ? 56 : 44);
    if (count == 0 || count > ELF_MAX_PHNUM)
        return loader_refuse(loader, "e_phnum %u is not between 1 and %u", count, ELF_MAX_PHNUM);
    for (uint32_t i = 0; i < count; i++) {
        struct segment segment = {0};
        if (!read_segment(loader, info, i, &segment) || !visit(loader, &segment, info))
            return false;
    }
    return true;
}

static bool visit_note(struct loader *loader, const struct segment *segment, struct elf_info *info)
{
    return segment->type != PT_NOTE || read_notes(loader, segment, info);
}

static bool visit_load(struct loader *loader, const struct segment *segment, struct elf_info *info)
{
    if (segment->type != PT_LOAD || segment->memory_size == 0)
        return true;
    if (!loader_place(loader, "a segment (p_paddr)", segment->paddr, segment->offset,
                      segment->file_size, segment->memory_size))
        return false;
    if (info->end == 0 || segment->paddr < info->first)
        info->first = segment->paddr;
    if (segment->paddr + segment->memory_size > info->end)
        info->end = segment->paddr + segment->memory_size;
    return true;
}

bool elf_inspect(struct loader *loader, struct elf_info *info)
{
    memset(info, 0, sizeof(*info));
    return for_segments(loader, info, visit_note);
}

bool elf_load(struct loader *loader, struct elf_info *info)
{
    if (!for_segments(loader, info, visit_load))
        return false;
    if (info->end == 0)
        return loader_refuse(loader, "has no segment to load (PT_LOAD)");
    return true;
}
