/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "boot_arena.h"
#include "boot/efi_tables.c"

static struct {
    char signature[8];
    uint8_t unused[96];
    uint64_t count, config;
    struct config_entry entry[3];
} image;

static const uint8_t acpi1[16] = {0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11,
                                  0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d};
static const uint8_t acpi2[16] = {0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
                                  0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81};

static void begin(void)
{
    memset(&image, 0, sizeof(image));
    memcpy(image.signature, "IBI SYST", 8);
    image.count = 3;
    image.config = ARENA_PA + offsetof(__typeof__(image), entry);
    memcpy(image.entry[1].guid, acpi1, 16);
    image.entry[1].table = 0x1111;
    memcpy(image.entry[2].guid, acpi2, 16);
    image.entry[2].table = 0x2222;
}

static uint64_t find(size_t size)
{
    arena_set(&image, size);
    return efi_find_rsdp(ARENA_PA);
}

TEST(newest_wins)
{
    begin();
    CHECK_EQ(find(sizeof(image)), 0x2222);
    image.count = 2;
    CHECK_EQ(find(sizeof(image)), 0x1111);
    image.count = 1;
    CHECK_EQ(find(sizeof(image)), 0);
    CHECK_EQ(efi_find_rsdp(0), 0);
}

TEST(damaged)
{
    begin();
    for (size_t size = 0; size < sizeof(image); size++)
        CHECK_EQ(find(size), 0);
    image.count = ~0ull;
    CHECK_EQ(find(sizeof(image)), 0);
    image.count = 0;
    CHECK_EQ(find(sizeof(image)), 0);
    begin();
    image.config = ~0ull - 8;
    CHECK_EQ(find(sizeof(image)), 0);
    begin();
    image.signature[0] = 'X';
    CHECK_EQ(find(sizeof(image)), 0);
}
