/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "user/elf.c"

#define IMAGE_SIZE 0x4000u

/* A well-formed image: text, constants, data with a zeroed rest. Tests break one thing each. */
struct image {
    struct elf64_header header;
    struct elf64_program program[4];
    uint8_t rest[IMAGE_SIZE - sizeof(struct elf64_header) - 4 * sizeof(struct elf64_program)];
};

static struct image *good(void)
{
    static const struct elf64_program program[3] = {
        {PT_LOAD, ELF_READ | ELF_EXEC, 0x1000, 0x400000, 0, 0x800, 0x800, 0x1000},
        {PT_LOAD, ELF_READ, 0x2000, 0x401000, 0, 0x1000, 0x1000, 0x1000},
        {PT_LOAD, ELF_READ | ELF_WRITE, 0x3000, 0x402000, 0, 0x10, 0x2010, 0x1000},
    };
    struct image *image = calloc(1, sizeof(*image)); /* on the heap: ASan sees reads behind it */
    memcpy(image->header.ident, elf_ident, sizeof(elf_ident));
    image->header.type = ET_EXEC;
    image->header.machine = EM_X86_64;
    image->header.version = 1;
    image->header.entry = 0x400010;
    image->header.phoff = sizeof(image->header);
    image->header.ehsize = sizeof(image->header);
    image->header.phentsize = sizeof(struct elf64_program);
    image->header.phnum = 3;
    memcpy(image->program, program, sizeof(program));
    return image;
}

static struct elf parsed;

/* Parses and frees; 1 if the reason contains `expected` (NULL: accepted). */
static int gives(struct image *image, size_t size, const char *expected)
{
    void *exact = malloc(size ? size : 1);
    memcpy(exact, image, size);
    const char *reason = elf_parse(&parsed, exact, size);
    free(exact);
    free(image);
    if (!reason || !expected)
        return reason == expected;
    return strstr(reason, expected) != NULL;
}

#define REFUSED(change, expected)              \
    do {                                       \
        struct image *i = good();              \
        change;                                \
        CHECK(gives(i, sizeof(*i), expected)); \
    } while (0)

TEST(accepts_a_program)
{
    CHECK(gives(good(), sizeof(struct image), NULL));
    CHECK_EQ(parsed.segment_count, 3);
    CHECK_EQ(parsed.entry, 0x400010);
    CHECK_EQ(parsed.segment[0].flags, ELF_READ | ELF_EXEC);
    CHECK_EQ(parsed.segment[2].address, 0x402000);
    CHECK_EQ(parsed.segment[2].file_offset, 0x3000);
    CHECK_EQ(parsed.segment[2].file_size, 0x10);
    CHECK_EQ(parsed.segment[2].memory_size, 0x2010);
}

TEST(skips_other_headers_and_empty_segments)
{
    struct image *i = good();
    i->header.phnum = 4;
    i->program[3].type = 0x6474e551; /* PT_GNU_STACK */
    i->program[2].filesz = i->program[2].memsz = 0;
    CHECK(gives(i, sizeof(*i), NULL));
    CHECK_EQ(parsed.segment_count, 2);
}

TEST(refuses_every_truncation)
{
    for (size_t size = 0; size < 0x3010; size += size < 0x200 ? 1 : 0x101) {
        struct image *i = good();
        CHECK(!gives(i, size, NULL));
    }
}

TEST(refuses_foreign_images)
{
    REFUSED(i->header.ident[0] = 0, "ELF64");
    REFUSED(i->header.ident[4] = 1, "ELF64");
    REFUSED(i->header.ident[5] = 2, "ELF64");
    REFUSED(i->header.machine = 3, "x86-64");
    REFUSED(i->header.type = 3, "static");
    REFUSED(i->program[1].type = PT_INTERP, "dynamic");
    REFUSED(i->program[1].type = PT_TLS, "dynamic");
}

TEST(refuses_bad_tables)
{
    REFUSED(i->header.phentsize = 0, "sizes");
    REFUSED(i->header.phnum = 0, "number");
    REFUSED(i->header.phnum = 0xffff, "number");
    REFUSED(i->header.phoff = UINT64_MAX, "outside");
    REFUSED(i->header.phoff = IMAGE_SIZE - 100, "outside");
}

TEST(refuses_bad_segments)
{
    REFUSED(i->program[0].vaddr += 8, "aligned");
    REFUSED(i->program[0].offset += 8, "aligned");
    REFUSED(i->program[0].filesz = 0x801, "larger");
    REFUSED(i->program[2].memsz = UINT64_MAX, "too large");
    REFUSED(i->program[2].offset = UINT64_MAX - 0xfff, "outside");
    REFUSED(i->program[2].offset = IMAGE_SIZE, "outside");
    REFUSED(i->program[0].vaddr = 0, "address");
    REFUSED(i->program[2].vaddr = 0xfffffffffffff000, "address");
    REFUSED(i->program[2].vaddr = ELF_HIGHEST, "address");
    REFUSED(i->program[2].flags = ELF_READ | ELF_WRITE | ELF_EXEC, "both");
    REFUSED(i->program[2].flags = ELF_WRITE, "flags");
    REFUSED(i->program[2].flags = 0x80000004, "flags");
    REFUSED(i->program[1].vaddr = 0x400000, "overlap");
    REFUSED(i->program[0].memsz = 0x1001, "overlap");
}

TEST(refuses_bad_entries)
{
    REFUSED(i->header.entry = 0, "entry");
    REFUSED(i->header.entry = 0x400800, "entry");
    REFUSED(i->header.entry = 0x401000, "entry");
}
