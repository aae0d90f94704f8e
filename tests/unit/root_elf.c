/* SPDX-License-Identifier: BSD-2-Clause */
/* The root task's image: a good one, and every way in which one can lie. */
#include "test.h"
#include "boot/root_elf.c"

#define SIZE 0x4000u
static union {
    struct {
        struct elf64_header header;
        struct elf64_program ph[10];
    };
    unsigned char bytes[SIZE];
} file;
static struct root_image image;

static void good(void)
{
    memset(&file, 0, sizeof(file));
    memcpy(file.header.ident, "\177ELF\2\1\1", 7);
    file.header.type = ET_EXEC;
    file.header.machine = EM_X86_64;
    file.header.entry = 0x400100;
    file.header.phoff = sizeof(struct elf64_header);
    file.header.phentsize = sizeof(struct elf64_program);
    file.header.phnum = 3;
    file.ph[0] = (struct elf64_program){PT_LOAD, 4 | PF_X, 0x1000, 0x400000, 0, 0xf00, 0xf00, 4096};
    file.ph[1] = (struct elf64_program){PT_LOAD, 4 | PF_W, 0x2010, 0x402010, 0, 0x20, 0x2000, 4096};
    file.ph[2] = (struct elf64_program){0x6474e551, 6, 0, 0, 0, 0, 0, 16}; /* GNU_STACK */
}

static const char *parse(uint64_t size)
{
    return root_elf_parse(&file, size, &image);
}

static bool says(const char *want)
{
    const char *error = parse(SIZE);
    if (error && strstr(error, want))
        return true;
    printf("\"%s\", expected \"%s\"\n", error ? error : "accepted", want);
    return false;
}

TEST(a_good_image)
{
    good();
    CHECK(!parse(SIZE));
    CHECK_EQ(image.count, 2);
    CHECK_EQ(image.entry, 0x400100);
    CHECK_EQ(image.segment[0].flags, MAP_READ | MAP_EXEC);
    CHECK_EQ(image.segment[1].flags, MAP_READ | MAP_WRITE);
    CHECK_EQ(image.segment[1].file_size, 0x20);
    CHECK_EQ(image.data_size, 0x3000); /* 0x402010 to 0x404010 */
}

TEST(what_is_no_program)
{
    good();
    CHECK(strstr(parse(63), "not a 64-bit ELF"));
    CHECK(strstr(parse(0), "not a 64-bit ELF"));
    file.header.ident[4] = 1;
    CHECK(says("not a 64-bit ELF"));
    good();
    file.header.type = 3;
    CHECK(says("not a static"));
    good();
    file.header.machine = 3;
    CHECK(says("not a static"));
    good();
    file.header.phentsize = 64;
    CHECK(says("not a static"));
}

TEST(headers_outside_the_file)
{
    static const uint64_t offsets[] = {SIZE - 100, SIZE, SIZE + 8, UINT64_MAX - 7, 65};
    for (uint32_t i = 0; i < ARRAY_LEN(offsets); i++) {
        good();
        file.header.phoff = offsets[i];
        CHECK(says("program headers lie outside"));
    }
    good();
    file.header.phnum = 0xffff;
    CHECK(says("program headers lie outside"));
}

TEST(segments_outside_the_file)
{
    good();
    file.ph[0].offset = SIZE;
    CHECK(says("outside the file"));
    good();
    file.ph[0].filesz = file.ph[0].memsz = UINT64_MAX - 0x1000 + 1; /* the sum wraps */
    CHECK(says("outside the file"));
    good();
    file.ph[1].filesz = 0x3000;
    CHECK(says("outside the file"));
    good();
    file.ph[1].offset = UINT64_MAX - 0xfef;
    CHECK(says("outside the file"));
}

TEST(segments_outside_the_address_space)
{
    static const uint64_t addresses[] = {0x10,
                                         0xfff,
                                         ROOT_INFO_VA + 0x10,
                                         UINT64_MAX - 0xfef,
                                         0xffff800000000010ull,
                                         ROOT_INFO_VA - 0xff0};
    for (uint32_t i = 0; i < ARRAY_LEN(addresses); i++) {
        good();
        file.ph[1].vaddr = addresses[i];
        CHECK(says("address space"));
    }
    good();
    file.ph[1].memsz = UINT64_MAX - 0x402000;
    CHECK(says("address space"));
    good();
    file.header.entry = ROOT_INFO_VA;
    CHECK(says("entry point"));
}

TEST(what_cannot_be_mapped)
{
    good();
    file.ph[0].vaddr += 0x10;
    CHECK(says("page aligned"));
    good();
    file.ph[0].flags |= PF_W;
    CHECK(says("writable and executable"));
    good();
    file.ph[0].memsz += 1;
    CHECK(says("longer than its file part"));
    good();
    file.header.phnum = 10;
    for (uint32_t i = 0; i < 10; i++)
        file.ph[i] = (struct elf64_program){PT_LOAD, 4,     0x1000, 0x400000ull + i * 0x1000,
                                            0,       0x100, 0x100,  4096};
    CHECK(says("too many segments"));
}

TEST(segments_that_share_a_page)
{
    good();
    file.ph[1].vaddr = 0x400f10;
    file.ph[1].offset = 0x1f10;
    CHECK(says("overlap"));
    good();
    file.ph[1].vaddr = 0x3ff010; /* its end reaches into the first */
    CHECK(says("overlap"));
}
