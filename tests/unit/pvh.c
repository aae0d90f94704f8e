/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "boot/memmap.c"
#include "boot/parse.c"
#include "boot/pvh.c"
#include "boot_arena.h"

static struct {
    struct pvh_start_info start;
    struct pvh_module module;
    struct pvh_mmap_entry mmap[4];
    uint8_t rsdp[36];
    char cmdline[1500];
} image;
#define AT(field) (ARENA_PA + __builtin_offsetof(__typeof__(image), field))

static void begin(void)
{
    memset(&image, 0, sizeof(image));
    image.start = (struct pvh_start_info){.magic = PVH_MAGIC,
                                          .version = 1,
                                          .module_count = 1,
                                          .modules = AT(module),
                                          .cmdline = AT(cmdline),
                                          .rsdp = AT(rsdp),
                                          .mmap = AT(mmap),
                                          .mmap_entries = 4};
    image.module = (struct pvh_module){0x7fcfb000, 0x2dc6c0, 0, 0};
    image.mmap[0] = (struct pvh_mmap_entry){0, 0x9fc00, 1, 0};
    image.mmap[1] = (struct pvh_mmap_entry){0x9fc00, 0x400, 2, 0};
    image.mmap[2] = (struct pvh_mmap_entry){0x100000, 0x7ff00000, 1, 0};
    image.mmap[3] = (struct pvh_mmap_entry){1ull << 32, 1ull << 32, 7, 0};
    memcpy(image.rsdp, "RSD PTR ", 8);
    strcpy(image.cmdline, "console=all");
}

static const char *parse_cut(size_t size)
{
    return arena_parse(pvh_parse, &image, size);
}

static const char *parse(void)
{
    return parse_cut(sizeof(image));
}

TEST(everything)
{
    begin();
    CHECK(parse() == NULL);
    CHECK(!strcmp(info.boot_method, "pvh") && !strcmp(info.cmdline, "console=all"));
    CHECK_EQ(info.package_base, 0x7fcfb000);
    CHECK_EQ(info.package_size, 0x2dc6c0);
    CHECK_EQ(info.rsdp_copied, 20);
    CHECK_EQ(info.fb.vga_text, 1);
    CHECK_EQ(info.mem_count, 4);
    CHECK_EQ(info.mem[0].size, 0x9f000);
    CHECK_EQ(info.mem[1].type, BOOTINFO_MEM_RESERVED);
    CHECK_EQ(info.mem[3].type, BOOTINFO_MEM_PERSISTENT);
}

TEST(optional_parts)
{
    begin();
    image.start.cmdline = image.start.rsdp = image.start.module_count = 0;
    CHECK(parse() == NULL);
    CHECK_EQ(info.package_size, 0);
    CHECK_EQ(info.cmdline[0], 0);
    CHECK_EQ(info.rsdp_copied, 0);
}

TEST(command_line_without_end)
{
    begin();
    memset(image.cmdline, 'x', sizeof(image.cmdline));
    CHECK(parse() == NULL);
    CHECK_EQ(strlen(info.cmdline), BOOTINFO_CMDLINE - 1);
    CHECK(strstr(parse_cut(sizeof(image) - 1000), "command line cannot be reached"));
}

TEST(refusals)
{
    begin();
    image.start.magic++;
    CHECK(strstr(parse(), "wrong magic"));
    begin();
    image.start.version = 0;
    CHECK(strstr(parse(), "no memory map"));
    begin();
    image.start.mmap_entries = ~0u;
    CHECK(strstr(parse(), "impossible number"));
    begin();
    image.start.mmap = ~0ull - 8;
    CHECK(strstr(parse(), "memory map cannot be reached"));
    begin();
    image.start.module_count = 2;
    CHECK(strstr(parse(), "more than one module"));
    begin();
    image.start.modules = 1;
    CHECK(strstr(parse(), "module list cannot be reached"));
    begin();
    image.module.size = ~0ull;
    CHECK(strstr(parse(), "outside the address space"));
    begin();
    image.module.size = 0;
    CHECK(strstr(parse(), "empty"));
}

TEST(cut_and_changed)
{
    begin();
    for (size_t size = 0; size < __builtin_offsetof(__typeof__(image), mmap[4]); size++)
        CHECK(parse_cut(size) != NULL);
    for (size_t at = 0; at < __builtin_offsetof(__typeof__(image), cmdline); at++) {
        for (int value = 0; value < 256; value += 15) {
            uint8_t *byte = (uint8_t *)&image + at, old = *byte;
            *byte = (uint8_t)value;
            parse();
            *byte = old;
        }
    }
}
