/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm_host.h"

struct recorder {
    uint64_t offset, value;
    unsigned size, reads, writes;
};

static uint64_t record_read(void *dev, uint64_t offset, unsigned size)
{
    struct recorder *r = dev;
    r->offset = offset;
    r->size = size;
    r->reads++;
    return 0x8877665544332211ull >> (8 * offset);
}

static void record_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct recorder *r = dev;
    r->offset = offset;
    r->size = size;
    r->value = value;
    r->writes++;
}

static const struct region_ops ops = {record_read, record_write};

TEST(port_dispatch)
{
    struct recorder r = {0};
    struct pio_region region = {.base = 0x100, .count = 4, .max_size = 4, .ops = &ops, .dev = &r};
    fake_start();
    CHECK_EQ(machine_pio_read(&vm, 0x100, 4), 0xffffffff);
    CHECK_EQ(vm.pio.unclaimed, 4);
    pio_add(&vm, &region);
    CHECK_EQ(machine_pio_read(&vm, 0x100, 4), 0x44332211);
    CHECK_EQ(r.reads, 1);
    CHECK_EQ(machine_pio_read(&vm, 0x102, 2), 0x4433);
    machine_pio_write(&vm, 0x101, 1, 0xabcd);
    CHECK_EQ(r.value, 0xcd);
    CHECK_EQ(r.offset, 1);
    /* Half in, half out: split, the outer part reads as ones. */
    CHECK_EQ(machine_pio_read(&vm, 0x102, 4), 0xffff4433);
    CHECK_EQ(machine_pio_read(&vm, 0xfe, 4), 0x2211ffff);
    CHECK_EQ(machine_pio_read(&vm, 0xffff, 4), 0xffffffff); /* wraps, harmless */
    pio_remove(&vm, &region);
    CHECK_EQ(machine_pio_read(&vm, 0x100, 1), 0xff);
}

TEST(byte_wide_chips_see_bytes)
{
    struct recorder r = {0};
    struct pio_region region = {.base = 0x70, .count = 2, .max_size = 1, .ops = &ops, .dev = &r};
    fake_start();
    pio_add(&vm, &region);
    machine_pio_write(&vm, 0x70, 2, 0x1234);
    CHECK_EQ(r.writes, 2);
    CHECK_EQ(r.offset, 1);
    CHECK_EQ(r.value, 0x12);
}

TEST(fixed_ports_win_over_bars)
{
    struct recorder fixed = {0}, inner = {0}, bar = {0};
    struct pio_region f = {.base = 0xcf8, .count = 8, .max_size = 4, .ops = &ops, .dev = &fixed};
    struct pio_region i = {.base = 0xcf9, .count = 1, .max_size = 1, .ops = &ops, .dev = &inner};
    struct pio_region b = {
        .base = 0xcf0, .count = 32, .max_size = 4, .kind = REGION_BAR, .ops = &ops, .dev = &bar};
    fake_start();
    pio_add(&vm, &f);
    pio_add(&vm, &i);
    pio_add(&vm, &b);
    machine_pio_write(&vm, 0xcf8, 4, 0);
    machine_pio_write(&vm, 0xcf9, 1, 0);
    machine_pio_write(&vm, 0xcf0, 4, 0);
    CHECK_EQ(fixed.writes, 1);
    CHECK_EQ(inner.writes, 1);
    CHECK_EQ(bar.writes, 1);
    CHECK(pio_owner(&vm, 0xcf8) == &f);
    pio_remove(&vm, &b);
    CHECK(pio_owner(&vm, 0xcf8) == &f);
    CHECK(pio_owner(&vm, 0xcf0) == NULL);
}

TEST(port_table_full)
{
    static struct pio_region many[PIO_REGIONS + 1];
    fake_start();
    for (unsigned n = 0; n < PIO_REGIONS; n++) {
        many[n] = (struct pio_region){.base = (uint16_t)(n * 8), .count = 8, .kind = REGION_BAR};
        CHECK(pio_add(&vm, &many[n]));
    }
    many[PIO_REGIONS].kind = REGION_BAR;
    CHECK(!pio_add(&vm, &many[PIO_REGIONS]));
}

TEST(mmio_dispatch)
{
    struct recorder a = {0}, b = {0};
    struct mmio_region ra = {.base = 0xc0000000, .size = 8, .max_size = 4, .ops = &ops, .dev = &a};
    struct mmio_region rb = {.base = 0xc0000000,
                             .size = 0x1000,
                             .max_size = 8,
                             .kind = REGION_BAR,
                             .ops = &ops,
                             .dev = &b};
    fake_start();
    mmio_add(&vm, &rb);
    CHECK_EQ(machine_mmio_read(&vm, 0xc0000000, 8), 0x8877665544332211ull);
    CHECK_EQ(b.reads, 1);
    mmio_add(&vm, &ra); /* the fixed device takes over at once, despite the last hit */
    CHECK_EQ(machine_mmio_read(&vm, 0xc0000000, 8), 0x8877665544332211ull);
    CHECK_EQ(a.reads, 2);
    machine_mmio_write(&vm, 0xc0000ffc, 8, 1);
    CHECK_EQ(b.writes, 1);
    CHECK_EQ(b.size, 4);
    CHECK_EQ(machine_mmio_read(&vm, 0xfffffffffffffffcull, 8), UINT64_MAX);
    mmio_remove(&vm, &ra);
    mmio_remove(&vm, &rb);
    CHECK_EQ(machine_mmio_read(&vm, 0xc0000000, 2), 0xffff);
}

TEST(guest_memory_bounds)
{
    fake_start();
    vm.ram_high = 0x1000;
    CHECK(guest_ptr(&vm, 0, FAKE_RAM) == fake_ram);
    CHECK(!guest_ptr(&vm, 0, FAKE_RAM + 1));
    CHECK(!guest_ptr(&vm, 1, UINT64_MAX));
    CHECK(!guest_ptr(&vm, UINT64_MAX, 2));
    CHECK(!guest_ptr(&vm, FAKE_RAM, 1));
    CHECK(!guest_ptr(&vm, 0, 0));
    CHECK(!guest_ptr(&vm, GUEST_HIGH_RAM - 1, 2));
    CHECK(guest_ptr(&vm, GUEST_HIGH_RAM, 0x1000));
    CHECK(!guest_ptr(&vm, GUEST_HIGH_RAM, 0x1001));
}

static unsigned fired[TIMERS_MAX], order[256], order_count;

static void note(void *dev)
{
    unsigned n = (unsigned)(uintptr_t)dev;
    fired[n]++;
    order[order_count++ % 256] = n;
}

TEST(timers_fire_in_order)
{
    static struct dev_timer timer[TIMERS_MAX];
    uint32_t seed = 1;
    fake_start();
    memset(fired, 0, sizeof fired);
    order_count = 0;
    uint64_t start = fake.ns;
    for (unsigned i = 0; i < TIMERS_MAX; i++) {
        timer[i] = (struct dev_timer){.fire = note, .dev = (void *)(uintptr_t)i};
        seed = seed * 1664525 + 1013904223;
        timer_arm(&vm, &timer[i], start + 1000 + seed % 5000);
    }
    for (unsigned i = 0; i < TIMERS_MAX; i += 3) /* re-arm some, cancel some */
        timer_arm(&vm, &timer[i], start + 9000 - i);
    for (unsigned i = 1; i < TIMERS_MAX; i += 3)
        timer_cancel(&vm, &timer[i]);
    timer_cancel(&vm, &timer[1]); /* twice does no harm */
    fake_advance(20000);
    CHECK_EQ(vm.timers.count, 0);
    CHECK_EQ(fake.deadline, UINT64_MAX);
    for (unsigned i = 0; i < TIMERS_MAX; i++)
        CHECK_EQ(fired[i], i % 3 != 1);
    for (unsigned i = 1; i < order_count; i++)
        CHECK(timer[order[i - 1]].deadline_ns <= timer[order[i]].deadline_ns);
}

static unsigned rung;

static void ring_bell(void *dev, unsigned arg)
{
    (void)dev;
    rung += arg;
}

TEST(doorbells)
{
    fake_start();
    fake.doorbells_work = true;
    rung = 0;
    int first = doorbell_add(&vm, 0xc000, ring_bell, NULL, 3);
    CHECK_EQ(first, 0);
    machine_doorbell(&vm, 0);
    machine_doorbell(&vm, 1);     /* free */
    machine_doorbell(&vm, 12345); /* out of range */
    CHECK_EQ(rung, 3);
    for (unsigned i = 1; i < DOORBELLS; i++)
        CHECK_EQ(doorbell_add(&vm, (uint16_t)(0xc000 + i), ring_bell, NULL, 1), i);
    CHECK_EQ(doorbell_add(&vm, 1, ring_bell, NULL, 1), (unsigned long long)-1);
    CHECK_EQ(fake.doorbells, DOORBELLS);
    doorbell_remove(&vm, first);
    doorbell_remove(&vm, -1);
    CHECK_EQ(fake.doorbells, DOORBELLS - 1);
    machine_doorbell(&vm, 0);
    CHECK_EQ(rung, 3);
}
