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
