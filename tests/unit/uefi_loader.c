/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the UEFI loader that know nothing of UEFI. */
#include "test.h"
#include "boot/uefi/kernel_image.c"
#include "boot/uefi/sections.c"

#define BASE 0xffffffff81000000ull

static struct {
    struct elf64_header header;
    struct elf64_program segment[3];
    uint8_t text[100], data[50];
} elf;
static struct kernel_image image;

static void make_elf(void)
{
    memset(&elf, 0, sizeof(elf));
    elf.header = (struct elf64_header){.ident = {0x7f, 'E', 'L', 'F', 2, 1},
                                       .type = 2,
                                       .machine = 62,
                                       .entry = BASE + 0x58,
                                       .phoff = sizeof(elf.header),
                                       .phentsize = sizeof(elf.segment[0]),
                                       .phnum = 3};
    elf.segment[0] = (struct elf64_program){.type = 1,
                                            .offset = offsetof(__typeof__(elf), text),
                                            .vaddr = BASE,
                                            .filesz = 100,
                                            .memsz = 100};
    elf.segment[1] =
        (struct elf64_program){.type = 4, .offset = ~0ull, .vaddr = 1, .filesz = ~0ull};
    elf.segment[2] = (struct elf64_program){.type = 1,
                                            .offset = offsetof(__typeof__(elf), data),
                                            .vaddr = BASE + 0x1000,
                                            .filesz = 50,
                                            .memsz = 0x2000};
    memset(elf.text, 't', sizeof(elf.text));
    memset(elf.data, 'd', sizeof(elf.data));
}

static const char *open_cut(size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return "no memory";
    memcpy(copy, &elf, size);
    const char *error = kernel_image_open(&image, copy, size);
    if (!error) {
        uint8_t *memory = malloc(image.span);
        if (memory)
            kernel_image_place(&image, memory);
        free(memory);
    }
    free(copy);
    return error;
}

TEST(elf_places_segments)
{
    make_elf();
    CHECK(kernel_image_open(&image, &elf, sizeof(elf)) == NULL);
    CHECK_EQ(image.span, 0x3000);
    CHECK_EQ(image.entry, 0x58);
    uint8_t *memory = malloc(image.span);
    CHECK(memory);
    memset(memory, 0xee, image.span);
    kernel_image_place(&image, memory);
    int good = memory[0] == 't' && memory[99] == 't' && memory[100] == 0 && memory[0xfff] == 0 &&
               memory[0x1000] == 'd' && memory[0x1031] == 'd' && memory[0x1032] == 0 &&
               memory[0x2fff] == 0;
    free(memory);
    CHECK(good);
}

TEST(elf_cut_and_changed)
{
    make_elf();
    for (size_t size = 0; size < sizeof(elf) - 8; size++)
        CHECK(open_cut(size) != NULL);
    for (size_t at = 0; at < offsetof(__typeof__(elf), text); at++) {
        for (int value = 0; value < 256; value += 15) {
            uint8_t *byte = (uint8_t *)&elf + at, old = *byte;
            *byte = (uint8_t)value;
            open_cut(sizeof(elf));
            *byte = old;
        }
    }
}

TEST(elf_refusals)
{
    make_elf();
    elf.header.machine = 3;
    CHECK(strstr(open_cut(sizeof(elf)), "not an x86-64 ELF"));
    make_elf();
    elf.segment[0].vaddr += 0x1000;
    CHECK(strstr(open_cut(sizeof(elf)), "segment addresses"));
    make_elf();
    elf.segment[2].memsz = 1ull << 30;
    CHECK(strstr(open_cut(sizeof(elf)), "segment addresses"));
    make_elf();
    elf.segment[2].memsz = 49;
    CHECK(strstr(open_cut(sizeof(elf)), "segment sizes"));
    make_elf();
    elf.segment[2].memsz = ~0ull;
    CHECK(strstr(open_cut(sizeof(elf)), "segment sizes"));
    make_elf();
    elf.header.entry = BASE + 0x3000;
    CHECK(strstr(open_cut(sizeof(elf)), "entry point"));
    make_elf();
    elf.header.phnum = 0;
    CHECK(strstr(open_cut(sizeof(elf)), "segment addresses"));
}

static uint8_t pe[4096];

static void make_pe(void)
{
    static const struct coff_section sections[2] = {
        {.name = ".kernel", .virtual_size = 300, .virtual_address = 0x400},
        {.name = {'.', 'p', 'a', 'c', 'k', 'a', 'g', 'e'},
         .virtual_size = 0x800,
         .virtual_address = 0x800}};
    const struct coff_header coff = {.section_count = 2, .optional_size = 240};
    memset(pe, 0, sizeof(pe));
    pe[DOS_PE_OFFSET] = 0x80;
    memcpy(pe + 0x80, "PE\0", 4);
    memcpy(pe + 0x84, &coff, sizeof(coff));
    memcpy(pe + 0x84 + sizeof(coff) + 240, sections, sizeof(sections));
}

TEST(pe_sections)
{
    uint64_t size = 0;
    make_pe();
    CHECK(section_find(pe, sizeof(pe), ".kernel", &size) == pe + 0x400);
    CHECK_EQ(size, 300);
    CHECK(section_find(pe, sizeof(pe), ".package", &size) == pe + 0x800);
    CHECK_EQ(size, 0x800);
    CHECK(section_find(pe, sizeof(pe), ".packag", &size) == NULL);
    CHECK(section_find(pe, sizeof(pe), ".packages", &size) == NULL);
    CHECK(section_find(pe, sizeof(pe), ".cmdline", &size) == NULL);
    CHECK(section_find(pe, 0xfff, ".package", &size) == NULL);
}

TEST(pe_cut_and_changed)
{
    uint64_t size = 0;
    make_pe();
    for (size_t cut = 0; cut < 0x300; cut++) {
        uint8_t *copy = malloc(cut ? cut : 1);
        CHECK(copy);
        memcpy(copy, pe, cut);
        section_find(copy, cut, ".package", &size);
        free(copy);
    }
    for (uint32_t at = DOS_PE_OFFSET; at < 0x1e0; at++) {
        for (int value = 0; value < 256; value += 5) {
            uint8_t old = pe[at];
            pe[at] = (uint8_t)value;
            const uint8_t *found = section_find(pe, sizeof(pe), ".package", &size);
            CHECK(found == NULL ||
                  (found >= pe && size <= sizeof(pe) && found + size <= pe + sizeof(pe)));
            pe[at] = old;
        }
    }
}
