/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm/fw_cfg.c"

static struct pio_region *added;

bool pio_add(struct machine *machine, struct pio_region *region)
{
    (void)machine;
    added = region;
    return true;
}

void fatal(const char *format, ...)
{
    (void)format;
    abort();
}

static struct fw_cfg device;

static uint64_t next(void)
{
    return added->ops->read(added->dev, 1, 1);
}

static void setup(uint16_t key)
{
    fw_cfg_init(&device, NULL, 0x123456789aull, 6);
    added->ops->write(added->dev, 0, 2, key);
}

TEST(items)
{
    setup(FW_CFG_SIGNATURE);
    CHECK_EQ(next(), 'Q');
    CHECK_EQ(next(), 'E');
    setup(FW_CFG_NB_CPUS);
    CHECK_EQ(next() | next() << 8, 6);
    CHECK_EQ(next(), 0); /* beyond the end */
    setup(FW_CFG_RAM_SIZE);
    CHECK_EQ(next(), 0x9a);
    CHECK_EQ(next(), 0x78);
    setup(0x8003);
    CHECK_EQ(next(), 0);
}

TEST(selecting_again_starts_over)
{
    setup(FW_CFG_SIGNATURE);
    next();
    added->ops->write(added->dev, 0, 2, FW_CFG_SIGNATURE);
    CHECK_EQ(next(), 'Q');
    CHECK_EQ(added->ops->read(added->dev, 0, 2), 0);
}

static unsigned refreshed;

static void refresh(void *dev)
{
    CHECK(dev == &device);
    refreshed++;
}

TEST(files)
{
    static const struct fw_cfg_file files[] = {
        {.name = "etc/one", .data = "1", .size = 1},
        {.name = "etc/two", .data = "two", .size = 3, .refresh = refresh, .dev = &device}};
    uint8_t head[4 + 2 * 64];
    fw_cfg_init(&device, NULL, 0, 1);
    fw_cfg_add(&device, &files[0]);
    fw_cfg_add(&device, &files[1]);
    added->ops->write(added->dev, 0, 2, FW_CFG_FILE_DIR);
    for (unsigned i = 0; i < sizeof head; i++)
        head[i] = (uint8_t)next();
    CHECK_EQ(next(), 0);
    CHECK_EQ(head[3], 2);
    CHECK_EQ(head[68 + 3], 3); /* size, big-endian */
    CHECK(!strcmp((const char *)head + 68 + 8, "etc/two"));
    CHECK_EQ(refreshed, 0);
    added->ops->write(added->dev, 0, 2, (uint16_t)(head[68 + 4] << 8 | head[68 + 5]));
    CHECK_EQ(refreshed, 1);
    CHECK_EQ(next(), 't');
    CHECK_EQ(next(), 'w');
    CHECK_EQ(next(), 'o');
    CHECK_EQ(next(), 0);
    added->ops->write(added->dev, 0, 2, FW_CFG_FILE_FIRST + 2);
    CHECK_EQ(next(), 0);
}
