/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/elf.h"
#include <string.h>
#include "lib/elf64.h"

#define PHNUM_MAX 16u

static const uint8_t elf_ident[7] = {0x7f, 'E', 'L', 'F', 2 /* 64-bit */, 1 /* little */, 1};

static const char *check_header(const struct elf64_header *header, size_t size)
{
    if (memcmp(header->ident, elf_ident, sizeof(elf_ident)) != 0)
        return "not a little-endian ELF64 image";
    if (header->machine != EM_X86_64)
        return "not for x86-64";
    if (header->type != ET_EXEC || header->version != 1)
        return "not a static executable";
    if (header->ehsize != sizeof(*header) || header->phentsize != sizeof(struct elf64_program))
        return "header sizes are wrong";
    if (header->phnum == 0 || header->phnum > PHNUM_MAX)
        return "number of program headers out of range";
    if (header->phoff > size || size - header->phoff < header->phnum * sizeof(struct elf64_program))
        return "program headers outside the file";
    return NULL;
}

static const char *check_load(const struct elf64_program *program, size_t size)
{
    if (program->vaddr % ELF_PAGE || program->offset % ELF_PAGE)
        return "segment not page aligned";
    if (program->filesz > program->memsz)
        return "segment larger in file than in memory";
    if (program->memsz > ELF_SEGMENT_MAX)
        return "segment too large";
    if (program->offset > size || size - program->offset < program->filesz)
        return "segment outside the file";
    if (program->vaddr < ELF_LOWEST || program->vaddr > ELF_HIGHEST - ELF_SEGMENT_MAX)
        return "segment address out of range";
    if (program->flags & ~(ELF_READ | ELF_WRITE | ELF_EXEC) || !(program->flags & ELF_READ))
        return "segment flags are wrong";
    if ((program->flags & ELF_WRITE) && (program->flags & ELF_EXEC))
        return "segment both writable and executable";
    return NULL;
}

static uint64_t segment_end(const struct elf_segment *segment)
{
    return (segment->address + segment->memory_size + ELF_PAGE - 1) & ~(uint64_t)(ELF_PAGE - 1);
}

static const char *add_segment(struct elf *elf, const struct elf64_program *program, size_t size)
{
    const char *reason = check_load(program, size);
    if (reason || program->memsz == 0)
        return reason;
    if (elf->segment_count == ELF_SEGMENTS)
        return "too many segments";
    struct elf_segment *segment = &elf->segment[elf->segment_count];
    if (elf->segment_count && program->vaddr < segment_end(segment - 1))
        return "segments overlap or are out of order";
    segment->address = program->vaddr;
    segment->memory_size = program->memsz;
    segment->file_offset = program->offset;
    segment->file_size = program->filesz;
    segment->flags = program->flags;
    elf->segment_count++;
    return NULL;
}

/* The entry's bytes come from the file: code is never in the zeroed rest. */
static int entry_is_code(const struct elf *elf)
{
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const struct elf_segment *segment = &elf->segment[i];
        if ((segment->flags & ELF_EXEC) && elf->entry >= segment->address &&
            elf->entry - segment->address < segment->file_size)
            return 1;
    }
    return 0;
}

const char *elf_parse(struct elf *elf, const void *image, size_t size)
{
    struct elf64_header header;
    memset(elf, 0, sizeof(*elf));
    if (size < sizeof(header))
        return "shorter than an ELF header";
    memcpy(&header, image, sizeof(header));
    const char *reason = check_header(&header, size);
    for (uint32_t i = 0; !reason && i < header.phnum; i++) {
        struct elf64_program program;
        memcpy(&program, (const char *)image + header.phoff + i * sizeof(program), sizeof(program));
        if (program.type == PT_DYNAMIC || program.type == PT_INTERP || program.type == PT_TLS)
            reason = "needs dynamic linking or thread-local storage";
        else if (program.type == PT_LOAD)
            reason = add_segment(elf, &program, size);
    }
    elf->entry = header.entry;
    if (!reason && !entry_is_code(elf))
        reason = "entry point outside the code";
    return reason;
}
