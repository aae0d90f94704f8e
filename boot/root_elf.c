/* SPDX-License-Identifier: BSD-2-Clause */
#include "boot/root_elf.h"

#include "abi/kinfo.h"
#include "lib/elf64.h"
#include "lib/string.h"

/* A page has one set of rights and one source. */
static bool overlaps(const struct elf64_program *ph, const struct root_image *image)
{
    uint64_t first = align_down(ph->vaddr, PAGE_SIZE);
    uint64_t end = align_up(ph->vaddr + ph->memsz, PAGE_SIZE);
    for (uint32_t i = 0; i < image->count; i++) {
        const struct root_segment *seg = &image->segment[i];
        if (first < align_up(seg->va + seg->memory_size, PAGE_SIZE) &&
            align_down(seg->va, PAGE_SIZE) < end)
            return true;
    }
    return false;
}

static const char *take_segment(const struct elf64_program *ph, uint64_t size,
                                struct root_image *image)
{
    if (image->count == ROOT_SEGMENTS)
        return "too many segments";
    if (ph->offset > size || ph->filesz > size - ph->offset || ph->filesz > ph->memsz)
        return "a segment lies outside the file";
    if (ph->vaddr < PAGE_SIZE || ph->vaddr + ph->memsz < ph->vaddr ||
        ph->vaddr + ph->memsz > ROOT_INFO_VA)
        return "a segment lies outside the address space";
    if ((ph->vaddr ^ ph->offset) & PAGE_MASK)
        return "a segment is not page aligned in the file";
    if ((ph->flags & PF_W) && (ph->flags & PF_X))
        return "a segment is writable and executable";
    if (!(ph->flags & PF_W) && ph->memsz != ph->filesz)
        return "a read-only segment is longer than its file part";
    if (overlaps(ph, image))
        return "two segments overlap in a page";
    struct root_segment *seg = &image->segment[image->count++];
    *seg = (struct root_segment){ph->vaddr, ph->offset, ph->filesz, ph->memsz, MAP_READ};
    seg->flags |= (ph->flags & PF_W) ? MAP_WRITE : 0;
    seg->flags |= (ph->flags & PF_X) ? MAP_EXEC : 0;
    if (ph->flags & PF_W)
        image->data_size += align_up((ph->vaddr & PAGE_MASK) + ph->memsz, PAGE_SIZE);
    return NULL;
}

const char *root_elf_parse(const void *file, uint64_t size, struct root_image *image)
{
    const struct elf64_header *h = file;
    *image = (struct root_image){0};
    if (size < sizeof(*h) || memcmp(h->ident, "\177ELF\2\1\1", 7) != 0)
        return "not a 64-bit ELF file";
    if (h->type != ET_EXEC || h->machine != EM_X86_64 ||
        h->phentsize != sizeof(struct elf64_program))
        return "not a static x86-64 program";
    if (h->phoff > size || h->phnum > (size - h->phoff) / sizeof(struct elf64_program) ||
        h->phoff % 8)
        return "the program headers lie outside the file";
    const struct elf64_program *ph = (const void *)((const char *)file + h->phoff);
    for (uint32_t i = 0; i < h->phnum; i++) {
        const char *error =
            ph[i].type == PT_LOAD && ph[i].memsz ? take_segment(&ph[i], size, image) : NULL;
        if (error)
            return error;
    }
    image->entry = h->entry;
    return h->entry < ROOT_INFO_VA ? NULL : "the entry point lies outside the address space";
}
