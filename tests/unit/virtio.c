/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm_driver.h"

#define CONSOLE  MACHINE_SLOT_CONSOLE
#define RNG      MACHINE_SLOT_RNG
#define BALLOON  MACHINE_SLOT_BALLOON
#define EVENT    (1u << 29)
#define INDIRECT (1u << 28)

static struct driver d;

static unsigned isr(void)
{
    return (unsigned)machine_mmio_read(&vm, d.common + 0x1000, 1);
}

TEST(feature_negotiation)
{
    machine_start();
    driver_find(&d, CONSOLE);
    CHECK_EQ(common_read(&d, 20, 1), 0);
    common_write(&d, 0, 4, 1);
    CHECK_EQ(common_read(&d, 4, 4), 1); /* VERSION_1 */
    common_write(&d, 0, 4, 0);
    CHECK_EQ(common_read(&d, 4, 4), 0x30000005);
    common_write(&d, 0, 4, 2);
    CHECK_EQ(common_read(&d, 4, 4), 0);
    driver_features(&d, 0x8000); /* not offered */
    CHECK_EQ(common_read(&d, 20, 1), 3);
    common_write(&d, 20, 1, 15); /* nor can the driver go on */
    CHECK_EQ(common_read(&d, 20, 1), 3);
    common_write(&d, 20, 1, 0);
    common_write(&d, 20, 1, 11); /* without VERSION_1 */
    CHECK_EQ(common_read(&d, 20, 1), 3);
    driver_features(&d, 1);
    CHECK_EQ(common_read(&d, 20, 1), 11);
    common_write(&d, 8, 4, 0);
    common_write(&d, 12, 4, 4);
    CHECK_EQ(common_read(&d, 12, 4), 1); /* settled */
}

TEST(queue_registers)
{
    machine_start();
    driver_find(&d, CONSOLE);
    CHECK_EQ(common_read(&d, 18, 2), 2);
    driver_features(&d, 0);
    common_write(&d, 22, 2, 1);
    CHECK_EQ(common_read(&d, 24, 2), 64);
    CHECK_EQ(common_read(&d, 30, 2), 1);
    common_write(&d, 24, 2, 7);
    common_write(&d, 24, 2, 128);
    CHECK_EQ(common_read(&d, 24, 2), 64);
    common_write(&d, 26, 2, 2);
    CHECK_EQ(common_read(&d, 26, 2), 2);
    common_write(&d, 26, 2, 3); /* three vectors: 0..2 */
    CHECK_EQ(common_read(&d, 26, 2), 0xffff);
    machine_mmio_write(&vm, d.common + 32, 8, 0x123456789abcdef0);
    CHECK_EQ(machine_mmio_read(&vm, d.common + 32, 8), 0x123456789abcdef0);
    common_write(&d, 28, 2, 1);
    CHECK(needs_reset(&d)); /* outside RAM */
    CHECK_EQ(common_read(&d, 28, 2), 0);
    common_write(&d, 22, 2, 2);
    CHECK_EQ(common_read(&d, 24, 2), 0); /* no such queue */
    common_write(&d, 28, 2, 1);
    common_write(&d, 20, 1, 0);
    CHECK_EQ(common_read(&d, 20, 1), 0);
    CHECK_EQ(common_read(&d, 22, 2), 0);
    CHECK_EQ(common_read(&d, 24, 2), 64);
}

TEST(console_output)
{
    machine_start();
    driver_start(&d, CONSOLE, 1, 2);
    memcpy(fake_ram + DATA_AT, "hello, world", 12);
    set_desc(QUEUE_AT(1), 3, DATA_AT, 5, 1, 6);
    set_desc(QUEUE_AT(1), 6, DATA_AT + 5, 7, 0, 0);
    offer(&d, 1, 3);
    CHECK_EQ(fake_ring.out_len, 0);
    kick(&d, 1);
    CHECK_EQ(fake_ring.out_len, 12);
    CHECK(!memcmp(fake_ring.out, "hello, world", 12));
    CHECK_EQ(used_index(1), 1);
    CHECK_EQ(get32(QUEUE_AT(1) + 0x2004), 3);
    CHECK_EQ(used_length(1, 0), 0);
    /* INTx: line up until ISR is read. */
    CHECK_EQ(the_devices.ioapic.lines, 1u << machine_pci_gsi(CONSOLE, 0));
    CHECK_EQ(isr(), 1);
    CHECK_EQ(the_devices.ioapic.lines, 0);
    CHECK_EQ(isr(), 0);
}

TEST(console_waits_for_room_then_drops)
{
    machine_start();
    driver_start(&d, CONSOLE, 0, 2);
    memset(fake_ram + DATA_AT, 'x', 100);
    set_desc(QUEUE_AT(1), 0, DATA_AT, 100, 0, 0);
    fake_ring.room = 40;
    offer(&d, 1, 0);
    kick(&d, 1);
    CHECK_EQ(fake_ring.out_len, 40);
    CHECK_EQ(used_index(1), 0);
    fake_ring.room = 10;
    machine_hvc_event(&vm);
    CHECK_EQ(fake_ring.out_len, 50);
    fake_advance(2 * NS_PER_S); /* the console is gone */
    CHECK_EQ(used_index(1), 1);
    CHECK_EQ(the_devices.console.dropped, 50);
}

TEST(console_input)
{
    machine_start();
    driver_start(&d, CONSOLE, 0, 2);
    set_desc(QUEUE_AT(0), 0, DATA_AT, 64, 2, 0);
    offer(&d, 0, 0);
    kick(&d, 0);
    CHECK_EQ(used_index(0), 0);
    fake_type("ls\r");
    machine_hvc_event(&vm);
    CHECK_EQ(used_index(0), 1);
    CHECK_EQ(used_length(0, 0), 3);
    CHECK(!memcmp(fake_ram + DATA_AT, "ls\r", 3));
    fake_type("more");
    machine_hvc_event(&vm); /* no buffer: stays in the ring */
    CHECK_EQ(fake_ring.in_len, 4);
    offer(&d, 0, 0);
    kick(&d, 0);
    CHECK_EQ(used_index(0), 2);
}

TEST(console_configuration)
{
    machine_start();
    driver_find(&d, CONSOLE);
    CHECK_EQ(machine_mmio_read(&vm, d.common + 0x2000, 4), 24u << 16 | 80);
    machine_mmio_write(&vm, d.common + 0x2000, 4, 0xffffffff);
    CHECK_EQ(machine_mmio_read(&vm, d.common + 0x2000, 4), 24u << 16 | 80);
    machine_mmio_write(&vm, d.common + 0x2008, 4, 'E');
    CHECK_EQ(fake_ring.out[0], 'E');
    unsigned generation = common_read(&d, 21, 1);
    virtio_console_resize(&the_devices.console, 132, 50);
    CHECK_EQ(common_read(&d, 21, 1), generation + 1);
    CHECK_EQ(isr(), 0); /* no driver yet */
    driver_start(&d, CONSOLE, 1, 2);
    virtio_console_resize(&the_devices.console, 100, 50);
    CHECK_EQ(isr(), 2);
}

TEST(doorbell_leads_to_the_queue)
{
    machine_start();
    fake.doorbells_work = true;
    driver_start(&d, CONSOLE, 0, 2);
    cfg_write(CONSOLE, 0x10, 4, 0xd000); /* moved: the kernel's doorbells move, too */
    CHECK_EQ(fake.doorbells, 2);
    set_desc(QUEUE_AT(1), 0, DATA_AT, 1, 0, 0);
    offer(&d, 1, 0);
    CHECK_EQ(fake.doorbell_port[the_devices.console.virtio.queue[1].doorbell], 0xd004);
    machine_doorbell(&vm, (unsigned)the_devices.console.virtio.queue[1].doorbell);
    CHECK_EQ(fake_ring.out_len, 1);
    cfg_write(CONSOLE, 4, 2, 6);
    CHECK_EQ(fake.doorbells, 0);
    /* Over a fixed device: no doorbell, the device keeps its port. */
    cfg_write(CONSOLE, 0x10, 4, 0x600);
    cfg_write(CONSOLE, 4, 2, 7);
    CHECK_EQ(fake.doorbells, 0);
}

TEST(rng)
{
    machine_start();
    driver_start(&d, RNG, 0, 1);
    set_desc(QUEUE_AT(0), 0, DATA_AT, 64, 2, 0);
    offer(&d, 0, 0);
    kick(&d, 0);
    CHECK_EQ(used_length(0, 0), 64);
    unsigned ones = 0;
    for (unsigned i = 0; i < 64; i++)
        ones += (unsigned)__builtin_popcount(fake_ram[DATA_AT + i]);
    CHECK(ones > 180 && ones < 332); /* 256 +- 6.7 sigma */
    set_desc(QUEUE_AT(0), 1, DATA_AT, 0x10000, 2, 0);
    offer(&d, 0, 1);
    kick(&d, 0);
    CHECK_EQ(used_length(0, 1), 4096);
}

TEST(chacha20_vector)
{
    /* RFC 8439, "Test Vector for the ChaCha20 Block Function". */
    uint32_t key[8], out[16], nonce[3] = {0x09000000, 0x4a000000, 0};
    for (unsigned i = 0; i < 8; i++)
        key[i] = 0x03020100u + 0x04040404u * i;
    chacha20_block(key, 1, nonce, out);
    CHECK_EQ(out[0], 0xe4e7f110);
    CHECK_EQ(out[1], 0x15593bd1);
    CHECK_EQ(out[15], 0x4e3c50a2);
}

TEST(random_pool_erases_its_key)
{
    struct random_pool pool, copy;
    uint8_t a[100], b[100];
    random_pool_init(&pool);
    copy = pool;
    random_pool_fill(&pool, a, sizeof a);
    random_pool_fill(&copy, b, sizeof b);
    CHECK(!memcmp(a, b, sizeof a));
    random_pool_fill(&pool, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a));
    random_pool_mix(&copy, "x", 1);
    random_pool_fill(&copy, a, sizeof a);
    CHECK(memcmp(a, b, sizeof a));
}

TEST(balloon)
{
    machine_start();
    driver_start(&d, BALLOON, 2, 3);
    uint32_t pfns[5] = {0x10, 0x11, 0x12, 0x40, 0xffffffff};
    memcpy(fake_ram + DATA_AT, pfns, sizeof pfns);
    set_desc(QUEUE_AT(0), 0, DATA_AT, sizeof pfns, 0, 0);
    offer(&d, 0, 0);
    kick(&d, 0);
    CHECK_EQ(fake.released, 4);
    CHECK_EQ(fake.release_calls, 2);
    CHECK_EQ(the_devices.balloon.bad_pages, 1);
    set_desc(QUEUE_AT(1), 0, DATA_AT, 8, 0, 0);
    offer(&d, 1, 0);
    kick(&d, 1);
    CHECK_EQ(fake.reclaimed, 2);
    CHECK_EQ(fake.last_gpa, 0x10000);
    machine_mmio_write(&vm, d.common + 0x2004, 4, 3);
    CHECK_EQ(machine_balloon_pages(&vm), 3);
    machine_mmio_write(&vm, d.common + 0x2004, 4, 0xffffffff);
    CHECK_EQ(machine_balloon_pages(&vm), FAKE_RAM / 4096);
    isr();
    machine_balloon_target(&vm, 7);
    CHECK_EQ(isr(), 2);
    CHECK_EQ(machine_mmio_read(&vm, d.common + 0x2000, 4), 7);
    /* Statistics: the buffer is held until they are wanted again. */
    put16(DATA_AT, 4);
    put64(DATA_AT + 2, 0x1234567);
    set_desc(QUEUE_AT(2), 0, DATA_AT, 10, 0, 0);
    offer(&d, 2, 0);
    kick(&d, 2);
    CHECK_EQ(the_devices.balloon.stat[4], 0x1234567);
    CHECK_EQ(used_index(2), 0);
    virtio_balloon_refresh(&the_devices.balloon);
    CHECK_EQ(used_index(2), 1);
    virtio_balloon_refresh(&the_devices.balloon);
    CHECK_EQ(used_index(2), 1);
}

TEST(indirect_and_event_index)
{
    machine_start();
    driver_start(&d, CONSOLE, INDIRECT | EVENT, 2);
    memcpy(fake_ram + DATA_AT, "abcdef", 6);
    set_desc(0x30004, 0, DATA_AT, 2, 1, 2); /* tables need no alignment */
    set_desc(0x30004, 2, DATA_AT + 2, 4, 0, 0);
    set_desc(QUEUE_AT(1), 0, 0x30004, 48, 4, 0);
    put16(QUEUE_AT(1) + 0x1000 + 4 + 16, 1); /* used_event: interrupt when 1 is passed */
    offer(&d, 1, 0);
    kick(&d, 1);
    CHECK(!memcmp(fake_ring.out, "abcdef", 6));
    CHECK_EQ(isr(), 0);
    CHECK_EQ(get16(QUEUE_AT(1) + 0x2000 + 4 + 64), 1); /* avail_event: tell me about entry 1 */
    offer(&d, 1, 0);
    kick(&d, 1);
    CHECK_EQ(isr(), 1);
    offer(&d, 1, 0);
    kick(&d, 1);
    CHECK_EQ(isr(), 0);
}

TEST(no_interrupt_flag_and_wrap)
{
    machine_start();
    driver_start(&d, CONSOLE, 0, 2);
    fake_ring.room = SIZE_MAX;
    put16(QUEUE_AT(1) + 0x1000, 1);
    set_desc(QUEUE_AT(1), 0, DATA_AT, 1, 0, 0);
    for (unsigned i = 0; i < 70000; i++) {
        offer(&d, 1, 0);
        kick(&d, 1);
    }
    CHECK_EQ(used_index(1), 70000 & 0xffff);
    CHECK_EQ(isr(), 0);
    CHECK(!needs_reset(&d));
}

static void hostile(void (*prepare)(void))
{
    machine_start();
    driver_start(&d, CONSOLE, INDIRECT, 2);
    prepare();
    kick(&d, 1);
}

static void loop(void)
{
    set_desc(QUEUE_AT(1), 0, DATA_AT, 1, 1, 1);
    set_desc(QUEUE_AT(1), 1, DATA_AT, 1, 1, 0);
    offer(&d, 1, 0);
}

static void far_next(void)
{
    set_desc(QUEUE_AT(1), 0, DATA_AT, 1, 1, 8);
    offer(&d, 1, 0);
}

static void far_head(void)
{
    offer(&d, 1, 8);
}

static void outside(void)
{
    set_desc(QUEUE_AT(1), 0, FAKE_RAM - 1, 2, 0, 0);
    offer(&d, 1, 0);
}

static void wraps(void)
{
    set_desc(QUEUE_AT(1), 0, UINT64_MAX, 2, 0, 0);
    offer(&d, 1, 0);
}

static void index_jump(void)
{
    put16(QUEUE_AT(1) + 0x1002, 9);
}

static void nested(void)
{
    set_desc(0x30000, 0, 0x30000, 16, 4, 0);
    set_desc(QUEUE_AT(1), 0, 0x30000, 16, 4, 0);
    offer(&d, 1, 0);
}

static void indirect_loop(void)
{
    set_desc(0x30000, 0, DATA_AT, 0, 1, 0);
    set_desc(QUEUE_AT(1), 0, 0x30000, 16, 4, 0);
    offer(&d, 1, 0);
}

static void odd_table(void)
{
    set_desc(QUEUE_AT(1), 0, 0x30000, 17, 4, 0);
    offer(&d, 1, 0);
}

static void indirect_next(void)
{
    set_desc(QUEUE_AT(1), 0, 0x30000, 16, 5, 1);
    offer(&d, 1, 0);
}

static void read_after_write(void)
{
    set_desc(QUEUE_AT(1), 0, DATA_AT, 4, 3, 1);
    set_desc(QUEUE_AT(1), 1, DATA_AT, 4, 0, 0);
    offer(&d, 1, 0);
}

static void endless_table(void)
{
    for (unsigned i = 0; i < 200; i++)
        set_desc(0x30000, i, DATA_AT, 1, 1, i + 1);
    set_desc(QUEUE_AT(1), 0, 0x30000, 201 * 16, 4, 0);
    offer(&d, 1, 0);
}

static void far_in_table(void)
{
    set_desc(FAKE_RAM - 16, 0, DATA_AT, 1, 1, 5); /* the table is the last of RAM */
    set_desc(QUEUE_AT(1), 0, FAKE_RAM - 16, 16, 4, 0);
    offer(&d, 1, 0);
}

TEST(hostile_drivers_need_a_reset)
{
    void (*const attack[])(void) = {loop,        far_next,      far_head,         outside,
                                    wraps,       index_jump,    nested,           indirect_loop,
                                    odd_table,   indirect_next, read_after_write, endless_table,
                                    far_in_table};
    for (unsigned i = 0; i < sizeof attack / sizeof attack[0]; i++) {
        hostile(attack[i]);
        CHECK(needs_reset(&d));
        CHECK_EQ(isr() & 2, 2); /* told by a configuration interrupt */
        CHECK_EQ(fake.logs, 1);
        CHECK_EQ(used_index(1), 0);
        kick(&d, 1);
        CHECK_EQ(fake.logs, 1);
        /* And a reset brings it back. */
        memset(fake_ram, 0, FAKE_RAM);
        driver_start(&d, CONSOLE, 0, 2);
        set_desc(QUEUE_AT(1), 0, DATA_AT, 1, 0, 0);
        offer(&d, 1, 0);
        kick(&d, 1);
        CHECK_EQ(used_index(1), 1);
    }
}

TEST(not_before_driver_ok_nor_without_bus_master)
{
    machine_start();
    driver_find(&d, CONSOLE);
    driver_features(&d, 0);
    driver_queue(&d, 0, 8);
    driver_queue(&d, 1, 8);
    set_desc(QUEUE_AT(1), 0, DATA_AT, 1, 0, 0);
    offer(&d, 1, 0);
    kick(&d, 1);
    CHECK_EQ(used_index(1), 0);
    cfg_write(CONSOLE, 4, 2, 3);
    common_write(&d, 20, 1, 15);
    CHECK_EQ(used_index(1), 0);
    cfg_write(CONSOLE, 4, 2, 7);
    kick(&d, 1);
    CHECK_EQ(used_index(1), 1);
}

TEST(buffers_offered_before_driver_ok_are_served)
{
    machine_start();
    driver_find(&d, CONSOLE);
    driver_features(&d, 0);
    driver_queue(&d, 0, 8);
    driver_queue(&d, 1, 8);
    set_desc(QUEUE_AT(1), 0, DATA_AT, 1, 0, 0);
    offer(&d, 1, 0);
    common_write(&d, 20, 1, 15);
    CHECK_EQ(used_index(1), 1);
}

TEST(configuration_window)
{
    machine_start();
    driver_find(&d, CONSOLE);
    unsigned cap = the_devices.console.virtio.cfg_capability;
    cfg_write(CONSOLE, cap + 4, 1, 4);
    cfg_write(CONSOLE, cap + 8, 4, 18);
    cfg_write(CONSOLE, cap + 12, 4, 2);
    CHECK_EQ(cfg_read(CONSOLE, cap + 16, 2), 2); /* num_queues */
    cfg_write(CONSOLE, cap + 8, 4, 20);
    cfg_write(CONSOLE, cap + 12, 4, 1);
    cfg_write(CONSOLE, cap + 16, 1, 3);
    CHECK_EQ(common_read(&d, 20, 1), 3);
    cfg_write(CONSOLE, cap + 8, 4, 0xffffffff); /* nonsense does nothing */
    cfg_write(CONSOLE, cap + 16, 4, 0);
    cfg_write(CONSOLE, cap + 4, 1, 0xff);
    cfg_write(CONSOLE, cap + 16, 4, 0);
    CHECK_EQ(common_read(&d, 20, 1), 3);
}

TEST(msix_instead_of_intx)
{
    machine_start();
    driver_find(&d, CONSOLE);
    uint32_t table = cfg_read(CONSOLE, 0x14, 4);
    cfg_write(CONSOLE, 0x42, 2, 0x8000);
    machine_mmio_write(&vm, table + 32, 4, 0xfee00000);
    machine_mmio_write(&vm, table + 40, 4, 0x77);
    machine_mmio_write(&vm, table + 44, 4, 0);
    driver_features(&d, 0);
    common_write(&d, 22, 2, 1);
    common_write(&d, 26, 2, 2);
    driver_queue(&d, 1, 8);
    common_write(&d, 20, 1, 15);
    set_desc(QUEUE_AT(1), 0, DATA_AT, 1, 0, 0);
    offer(&d, 1, 0);
    kick(&d, 1);
    CHECK_EQ(fake.msis, 1);
    CHECK_EQ(fake.msi[0].data, 0x77);
    CHECK_EQ(the_devices.ioapic.lines, 0);
}
