/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "boot/memmap.c"
#include "boot/parse.c"
#include "boot/uefi_handoff.c"
#include "boot_arena.h"

struct descriptor {
    uint32_t type, pad;
    uint64_t physical, virtual, pages, attribute, vendor;
};

static struct {
    struct uefi_handoff handoff;
    struct descriptor map[3];
    uint8_t rsdp[36];
} image;
#define AT(field) (ARENA_PA + __builtin_offsetof(__typeof__(image), field))

static void begin(void)
{
    memset(&image, 0, sizeof(image));
    image.handoff = (struct uefi_handoff){.magic = UEFI_HANDOFF_MAGIC,
                                          .version = UEFI_HANDOFF_VERSION,
                                          .size = sizeof(image.handoff),
                                          .memory_map = AT(map),
                                          .memory_map_size = sizeof(image.map),
                                          .descriptor_size = sizeof(image.map[0]),
                                          .rsdp = AT(rsdp),
                                          .package = 1ull << 33,
                                          .package_size = 4096,
                                          .fb = {.base = 0x80000000,
                                                 .pitch = 5120,
                                                 .width = 1280,
                                                 .height = 800,
                                                 .bpp = 32,
                                                 .red_shift = 16,
                                                 .green_shift = 8},
                                          .cmdline = "abc"};
    image.map[0] = (struct descriptor){.type = 7, .physical = 0x1000, .pages = 0x9f};
    image.map[1] = (struct descriptor){.type = 5, .physical = 0x100000, .pages = 1};
    image.map[2] = (struct descriptor){.type = 7, .physical = 1ull << 32, .pages = 1 << 20};
    memcpy(image.rsdp, "RSD PTR ", 8);
    image.rsdp[15] = 2;
}

static const char *parse_cut(size_t size)
{
    return arena_parse(uefi_handoff_parse, &image, size);
}

static const char *parse(void)
{
    return parse_cut(sizeof(image));
}

TEST(everything)
{
    begin();
    CHECK(parse() == NULL);
    CHECK(!strcmp(info.boot_method, "uefi") && !strcmp(info.cmdline, "abc"));
    CHECK_EQ(info.package_base, 1ull << 33);
    CHECK_EQ(info.package_size, 4096);
    CHECK_EQ(info.rsdp_copied, 36);
    CHECK_EQ(info.fb.pitch, 5120);
    CHECK_EQ(info.fb.red_shift, 16);
    CHECK_EQ(info.mem_count, 3);
    CHECK_EQ(info.mem[1].type, BOOTINFO_MEM_RESERVED);
    CHECK_EQ(info.mem[2].size, 1ull << 32);
}

TEST(command_line_too_long)
{
    begin();
    memset(image.handoff.cmdline, 'x', BOOTINFO_CMDLINE); /* not terminated */
    CHECK(parse() == NULL);
    CHECK_EQ(strlen(info.cmdline), BOOTINFO_CMDLINE - 1);
}

TEST(refusals)
{
    begin();
    image.handoff.magic++;
    CHECK(strstr(parse(), "wrong magic"));
    begin();
    image.handoff.size--;
    CHECK(strstr(parse(), "older than this kernel"));
    begin();
    image.handoff.version--;
    CHECK(strstr(parse(), "older than this kernel"));
    begin();
    image.handoff.memory_map_size = 0;
    CHECK(strstr(parse(), "no memory map"));
    begin();
    image.handoff.memory_map_size = ~0ull;
    CHECK(strstr(parse(), "impossible size"));
    begin();
    image.handoff.descriptor_size = 1;
    CHECK(strstr(parse(), "impossible descriptor size"));
    begin();
    image.handoff.memory_map = 8;
    CHECK(strstr(parse(), "memory map cannot be reached"));
    begin();
    image.handoff.package = ~0ull - 100;
    CHECK(strstr(parse(), "outside the address space"));
}

TEST(cut_and_changed)
{
    begin();
    for (size_t size = 0; size < __builtin_offsetof(__typeof__(image), rsdp); size++)
        CHECK(parse_cut(size) != NULL);
    for (size_t at = 0; at < sizeof(image); at++) {
        for (int value = 0; value < 256; value += 15) {
            uint8_t *byte = (uint8_t *)&image + at, old = *byte;
            *byte = (uint8_t)value;
            parse();
            *byte = old;
        }
    }
}
