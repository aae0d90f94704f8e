/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "boot/memmap.c"
#include "boot/parse.c"
#include "boot/multiboot2.c"
#include "boot_arena.h"

static uint8_t image[8192];
static uint32_t used;

static void begin(void)
{
    memset(image, 0xee, sizeof(image));
    used = 8;
}

static void tag(uint32_t type, const void *content, uint32_t size)
{
    uint32_t head[2] = {type, size + 8};
    memcpy(image + used, head, 8);
    if (size)
        memcpy(image + used + 8, content, size);
    used = (used + 8 + size + 7) & ~7u;
}

static const char *parse(void)
{
    uint32_t head[2] = {used, 0};
    memcpy(image, head, 8);
    return arena_parse(multiboot2_parse, image, used);
}

static void tag_mmap(void)
{
    struct {
        uint32_t entry_size, version;
        struct {
            uint64_t base, size;
            uint32_t type, reserved;
        } entry[6];
    } mmap = {24,
              0,
              {{0, 0x9fc00, 1, 0},
               {0x100000, 0x700000, 1, 0},
               {0x800000, 0x1000, 3, 0},
               {0x801000, 0x1000, 4, 0},
               {0x802000, 0x1000, 5, 0},
               {0x803000, 0x1000, 77, 0}}};
    tag(6, &mmap, sizeof(mmap));
}

TEST(everything)
{
    static const uint32_t module[] = {0x400000, 0x400123, 0};
    static const struct mb2_framebuffer fb = {0xc0000000, 4096, 1024, 768, 32, 1, 0,
                                              16,         8,    8,    8,   0,  8};
    static const uint64_t efi = 0x7f9ec018;
    uint8_t rsdp[36] = "RSD PTR ";
    begin();
    tag(1, "console=all", 12);
    tag(2, "GRUB", 5);
    tag(3, module, sizeof(module));
    tag(8, &fb, sizeof(fb));
    tag(12, &efi, 8);
    rsdp[15] = 2;
    tag(15, rsdp, 36);
    rsdp[15] = 0;
    tag(14, rsdp, 20);
    tag_mmap();
    tag(0x1234, "?", 1);
    tag(0, NULL, 0);
    CHECK(parse() == NULL);
    CHECK(!strcmp(info.boot_method, "multiboot2"));
    CHECK(!strcmp(info.cmdline, "console=all"));
    CHECK_EQ(info.package_base, 0x400000);
    CHECK_EQ(info.package_size, 0x123);
    CHECK_EQ(info.fb.base, 0xc0000000);
    CHECK_EQ(info.fb.width, 1024);
    CHECK_EQ(info.fb.red_shift, 16);
    CHECK_EQ(info.fb.vga_text, 0);
    CHECK_EQ(info.rsdp_copied, 36);
    CHECK_EQ(info.rsdp_copy[15], 2);
    CHECK_EQ(info.mem_count, 6);
    CHECK_EQ(info.mem[0].size, 0x9f000);
    CHECK_EQ(info.mem[2].type, BOOTINFO_MEM_ACPI_RECLAIM);
    CHECK_EQ(info.mem[3].type, BOOTINFO_MEM_ACPI_NVS);
    CHECK_EQ(info.mem[4].type, BOOTINFO_MEM_BAD);
    CHECK_EQ(info.mem[5].type, BOOTINFO_MEM_RESERVED);
}

TEST(long_command_line)
{
    static char text[2000];
    memset(text, 'x', sizeof(text));
    begin();
    tag(1, text, sizeof(text)); /* not even terminated */
    tag_mmap();
    tag(0, NULL, 0);
    CHECK(parse() == NULL);
    CHECK_EQ(strlen(info.cmdline), BOOTINFO_CMDLINE - 1);
    begin();
    tag(1, text, BOOTINFO_CMDLINE - 1);
    tag_mmap();
    tag(0, NULL, 0);
    CHECK(parse() == NULL);
    CHECK_EQ(strlen(info.cmdline), BOOTINFO_CMDLINE - 1);
}

TEST(vga_text)
{
    static const struct mb2_framebuffer fb = {
        .addr = 0xb8000, .pitch = 160, .width = 80, .height = 25, .bpp = 16, .type = 2};
    begin();
    tag(8, &fb, 24);
    tag_mmap();
    tag(0, NULL, 0);
    CHECK(parse() == NULL);
    CHECK_EQ(info.fb.base, 0);
    CHECK_EQ(info.fb.vga_text, 1);
}

TEST(efi_map_is_preferred)
{
    struct {
        uint32_t desc_size, version, type, pad;
        uint64_t physical, virtual, pages, attribute;
    } efi = {40, 1, 7, 0, 0x5000, 0, 1, 0};
    begin();
    tag_mmap();
    tag(17, &efi, sizeof(efi));
    tag(0, NULL, 0);
    CHECK(parse() == NULL);
    CHECK_EQ(info.mem_count, 1);
    CHECK_EQ(info.mem[0].base, 0x5000);
}

TEST(refusals)
{
    static const uint32_t module[] = {0x400000, 0x400123, 0}, backwards[] = {0x400000, 0x3fffff, 0},
                          empty[] = {0x400000, 0x400000, 0};
    static const uint32_t entry_size_0[] = {0, 0, 0, 0};
    begin();
    tag(0, NULL, 0);
    CHECK(!strcmp(parse(), "multiboot2: the loader gave no memory map"));
    begin();
    tag_mmap();
    CHECK(!strcmp(parse(), "multiboot2: the boot information has no end tag"));
    begin();
    tag(3, module, sizeof(module));
    tag(3, module, sizeof(module));
    tag_mmap();
    tag(0, NULL, 0);
    CHECK(strstr(parse(), "more than one module"));
    begin();
    tag(3, backwards, sizeof(backwards));
    CHECK(strstr(parse(), "ends before it starts"));
    begin();
    tag(3, empty, sizeof(empty));
    CHECK(strstr(parse(), "empty"));
    begin();
    tag(6, entry_size_0, sizeof(entry_size_0));
    tag(0, NULL, 0);
    CHECK(strstr(parse(), "impossible entry size"));
    begin();
    tag(17, entry_size_0, 16);
    tag(0, NULL, 0);
    CHECK(strstr(parse(), "impossible descriptor size"));
    begin();
    tag_mmap();
    tag(0, NULL, 0);
    image[8 + 4] = 7; /* a tag shorter than its own head */
    image[8 + 5] = 0;
    CHECK(strstr(parse(), "reaches past"));
    CHECK(strstr(multiboot2_parse(0, &map, &info), "cannot be reached"));
}

/* Every cut and every one-byte change: an answer, and no access outside (ASan). */
TEST(cut_and_changed)
{
    static const uint32_t module[] = {0x400000, 0x400123, 0};
    begin();
    tag(1, "abc", 4);
    tag(3, module, sizeof(module));
    tag_mmap();
    tag(0, NULL, 0);
    CHECK(parse() == NULL);
    uint32_t whole = used;
    for (used = 0; used < whole; used++)
        CHECK(parse() != NULL);
    used = whole;
    for (uint32_t at = 8; at < whole; at++) {
        for (int value = 0; value < 256; value += 15) {
            uint8_t old = image[at];
            image[at] = (uint8_t)value;
            parse();
            image[at] = old;
        }
    }
}
