/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "boot/uefi/kernel_image.h"
#include "lib/elf64.h"

static struct elf64_program segment(const struct kernel_image *image, uint32_t i)
{
    struct elf64_program s;
    __builtin_memcpy(&s, image->file + image->header_offset + i * image->header_size, sizeof(s));
    return s;
}

static const char *check_header(struct kernel_image *image, struct elf64_header *elf)
{
    static const uint8_t ident[6] = {0x7f, 'E', 'L', 'F', 2, 1};
    if (image->file_size < sizeof(*elf))
        return "the kernel file is too short";
    __builtin_memcpy(elf, image->file, sizeof(*elf));
    if (__builtin_memcmp(elf->ident, ident, sizeof(ident)) != 0 || elf->machine != EM_X86_64 ||
        elf->type != ET_EXEC)
        return "the kernel file is not an x86-64 ELF executable";
    if (elf->phentsize < sizeof(struct elf64_program) || elf->phoff > image->file_size ||
        (uint64_t)elf->phnum * elf->phentsize > image->file_size - elf->phoff ||
        elf->phoff > 0xffffffff)
        return "the kernel file is cut or damaged (program headers)";
    image->headers = elf->phnum;
    image->header_size = elf->phentsize;
    image->header_offset = (uint32_t)elf->phoff;
    return NULL;
}

const char *kernel_image_open(struct kernel_image *image, const void *file, uint64_t size)
{
    struct elf64_header elf;
    uint64_t low = ~0ull, high = 0;
    *image = (struct kernel_image){.file = file, .file_size = size};
    const char *error = check_header(image, &elf);
    if (error)
        return error;
    for (uint32_t i = 0; i < image->headers; i++) {
        struct elf64_program s = segment(image, i);
        if (s.type != PT_LOAD || s.memsz == 0)
            continue;
        if (s.offset > size || s.filesz > size - s.offset)
            return "the kernel file is cut";
        if (s.filesz > s.memsz || s.vaddr + s.memsz < s.vaddr)
            return "the kernel file is damaged (segment sizes)";
        low = s.vaddr < low ? s.vaddr : low;
        high = s.vaddr + s.memsz > high ? s.vaddr + s.memsz : high;
    }
    if (low >= high || low % KERNEL_IMAGE_ALIGN || high - low > KERNEL_IMAGE_MAX)
        return "the kernel file is damaged (segment addresses)";
    if (elf.entry < low || elf.entry >= high)
        return "the kernel file is damaged (entry point)";
    image->link_base = low;
    image->span = high - low;
    image->entry = elf.entry - low;
    return NULL;
}

void kernel_image_place(const struct kernel_image *image, void *memory)
{
    __builtin_memset(memory, 0, image->span);
    for (uint32_t i = 0; i < image->headers; i++) {
        struct elf64_program s = segment(image, i);
        if (s.type == PT_LOAD && s.memsz && s.filesz)
            __builtin_memcpy((uint8_t *)memory + (s.vaddr - image->link_base),
                             image->file + s.offset, s.filesz);
    }
}
