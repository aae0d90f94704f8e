/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "vmm_driver.h"

#define DISK   MACHINE_SLOT_DISK
#define EVENT  (1u << 29)
#define FLUSH  (1u << 9)
#define WCE    (1u << 11)
#define HEADER (DATA_AT - 0x100) /* 16 bytes; status at +0x20 */
#define STATUS (DATA_AT - 0xe0)
#define IMAGE  (64u * 4096 + 700) /* neither whole clusters nor whole sectors */

static struct driver d;
static uint8_t *image, *overlay;
static struct blk_channel *channel;

static struct guest_disk *the_disk(void)
{
    return &the_devices.disks.disk[0];
}

/* --- set-up --- */

static void start_disk(uint32_t features)
{
    fake_signals = 0;
    machine_start();
    driver_start(&d, DISK, features, config.vcpus);
}

/* Reset, and the rings anew. */
static void restart(void)
{
    driver_start(&d, DISK, FLUSH, 1);
    memset(fake_ram + QUEUE_AT(0) + 0x1000, 0, 0x2000);
    driver_start(&d, DISK, FLUSH, 1);
}

/* overlay_clusters: UINT32_MAX: no overlay. */
static void image_setup(uint32_t overlay_clusters)
{
    memset(&config, 0, sizeof config);
    config.disk_count = 1;
    config.disk[0] = (struct vmm_disk){.backing = VMM_DISK_IMAGE, .target = "vda", .discard = 1};
    config.disk[0].image.size = IMAGE;
    free(image);
    free(overlay);
    image = malloc(IMAGE);
    for (unsigned i = 0; i < IMAGE; i++)
        image[i] = (uint8_t)(i / 512 + i);
    overlay = NULL;
    if (overlay_clusters != UINT32_MAX) {
        config.disk[0].overlay_size = (2 + (uint64_t)overlay_clusters) * 4096;
        overlay = calloc(1, config.disk[0].overlay_size);
    }
    disk_source[0] = (struct disk_source){.memory = image, .overlay = overlay};
}

static void channel_setup(void)
{
    memset(&config, 0, sizeof config);
    config.disk_count = 1;
    config.disk[0] = (struct vmm_disk){.backing = VMM_DISK_CHANNEL, .target = "vda", .discard = 1};
    free(channel);
    channel = aligned_alloc(64, sizeof *channel);
    memset(channel, 0, sizeof *channel);
    channel->present = channel->generation = 1;
    channel->geometry = (struct blk_geometry){.sectors = 1u << 20,
                                              .block_size = 512,
                                              .physical_size = 4096,
                                              .discard_align = 4096,
                                              .flags = BLK_GEOMETRY_FLUSH | BLK_GEOMETRY_DISCARD,
                                              .serial = "WD-1234567890"};
    disk_source[0] = (struct disk_source){.memory = channel, .notif = 9};
}

/* --- requests --- */

static void put_header(uint32_t at, uint32_t type, uint64_t sector)
{
    memcpy(fake_ram + at, &type, 4);
    memset(fake_ram + at + 4, 0, 4);
    put64(at + 8, sector);
}

/* Head 0: header, data, status. */
static void lay_request(uint32_t type, uint64_t sector, uint32_t data, uint32_t len, bool to_guest)
{
    put_header(HEADER, type, sector);
    fake_ram[STATUS] = 0xee;
    set_desc(QUEUE_AT(0), 0, HEADER, 16, 1, len ? 1 : 2);
    set_desc(QUEUE_AT(0), 1, data, len, to_guest ? 3 : 1, 2);
    set_desc(QUEUE_AT(0), 2, STATUS, 1, 2, 0);
}

static unsigned ask(uint32_t type, uint64_t sector, uint32_t data, uint32_t len, bool to_guest)
{
    lay_request(type, sector, data, len, to_guest);
    offer(&d, 0, 0);
    kick(&d, 0);
    return fake_ram[STATUS];
}

static unsigned ask_clear(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    put64(DATA_AT, sector);
    memcpy(fake_ram + DATA_AT + 8, &sectors, 4);
    memcpy(fake_ram + DATA_AT + 12, &flags, 4);
    return ask(type, 0, DATA_AT, 16, false);
}

static uint64_t config_read(unsigned offset, unsigned size)
{
    return machine_mmio_read(&vm, d.common + 0x2000 + offset, size);
}

/* --- an image --- */

TEST(configuration_says_what_it_is)
{
    image_setup(4);
    config.vcpus = 2;
    start_disk(0);
    CHECK_EQ(cfg_read(DISK, 0, 4), 0x10421af4);
    CHECK_EQ(config_read(0, 8), 64 * 8 + 2);
    CHECK_EQ(config_read(8, 4), 1 << 20);
    CHECK_EQ(config_read(12, 4), DISK_SEGMENTS);
    CHECK_EQ(config_read(20, 4), 512);
    CHECK_EQ(config_read(24, 1), 3);
    CHECK_EQ(config_read(34, 2), 2);
    CHECK_EQ(config_read(40, 4), 1);
    CHECK_EQ(config_read(44, 4), 8);
    common_write(&d, 0, 4, 0);
    CHECK_EQ(common_read(&d, 4, 4), 0x30007e46); /* with MQ, WCE, FLUSH, DISCARD, WRITE_ZEROES */
    CHECK_EQ(the_devices.disks.disk[0].blk.type.queues, 2);
}

TEST(reads_the_image_to_its_last_byte)
{
    image_setup(UINT32_MAX);
    start_disk(0);
    CHECK_EQ(ask(0, 3, DATA_AT, 4096, true), 0);
    CHECK(!memcmp(fake_ram + DATA_AT, image + 3 * 512, 4096));
    CHECK_EQ(used_length(0, 0), 4097);
    memset(fake_ram + DATA_AT, 0xaa, 1024);
    CHECK_EQ(ask(0, 512, DATA_AT, 1024, true), 0);
    CHECK(!memcmp(fake_ram + DATA_AT, image + 512 * 512, 700));
    for (unsigned i = 700; i < 1024; i++)
        CHECK_EQ(fake_ram[DATA_AT + i], 0);
    CHECK_EQ(ask(0, 513, DATA_AT, 1024, true), 1); /* beyond */
    CHECK_EQ(ask(0, UINT64_MAX, DATA_AT, 512, true), 1);
    CHECK_EQ(ask(0, 0, DATA_AT, 511, true), 1);
    CHECK_EQ(the_disk()->disk.stat[DISK_STAT_READS], 2);
    CHECK_EQ(the_disk()->disk.stat[DISK_STAT_READ_BYTES], 5120);
    CHECK_EQ(the_disk()->disk.stat[DISK_STAT_ERRORS], 2); /* the odd one never came so far */
}

TEST(without_overlay_it_is_read_only)
{
    image_setup(UINT32_MAX);
    start_disk(0);
    common_write(&d, 0, 4, 0);
    CHECK_EQ(common_read(&d, 4, 4) & 0x7ff, 0x466 & ~0x200u); /* RO, no FLUSH */
    CHECK_EQ(ask(1, 0, DATA_AT, 512, false), 1);
    CHECK_EQ(ask_clear(11, 0, 8, 0), 1);
    CHECK_EQ(ask(4, 0, 0, 0, false), 0);
}

TEST(an_overlay_takes_writes)
{
    uint8_t expect[8192];
    image_setup(8);
    start_disk(FLUSH);
    memcpy(expect, image + 4096, sizeof expect);
    memset(fake_ram + DATA_AT, 0x5a, 1024);
    memset(expect + 3584, 0x5a, 1024); /* across the end of a cluster */
    CHECK_EQ(ask(1, 15, DATA_AT, 1024, false), 0);
    CHECK_EQ(ask(0, 8, DATA_AT, 8192, true), 0);
    CHECK(!memcmp(fake_ram + DATA_AT, expect, sizeof expect));
    CHECK_EQ(image[4096 + 3584], (uint8_t)(15 + 4096 + 3584)); /* the image is as it was */
    CHECK_EQ(ask(4, 0, 0, 0, false), 0);
    CHECK_EQ(the_disk()->disk.stat[DISK_STAT_WRITES], 1);
    CHECK_EQ(the_disk()->disk.stat[DISK_STAT_WRITTEN_BYTES], 1024);
}

TEST(the_next_run_finds_the_overlay)
{
    image_setup(8);
    start_disk(FLUSH);
    memset(fake_ram + DATA_AT, 0x77, 512);
    CHECK_EQ(ask(1, 100, DATA_AT, 512, false), 0);
    start_disk(FLUSH);
    CHECK_EQ(ask(0, 100, DATA_AT, 512, true), 0);
    CHECK_EQ(fake_ram[DATA_AT], 0x77);
    CHECK_EQ(fake_ram[DATA_AT + 511], 0x77);
    /* Another image: nothing of it fits. */
    config.disk[0].image.size -= 512;
    start_disk(FLUSH);
    CHECK_EQ(ask(0, 100, DATA_AT, 512, true), 0);
    CHECK_EQ(fake_ram[DATA_AT], image[100 * 512]);
}

TEST(a_full_overlay_says_so)
{
    image_setup(2);
    start_disk(FLUSH);
    CHECK_EQ(ask(1, 0, DATA_AT, 512, false), 0);
    CHECK_EQ(ask(1, 8, DATA_AT, 512, false), 0);
    CHECK_EQ(ask(1, 16, DATA_AT, 512, false), 1);
    CHECK(strstr(fake.log, "vda: there is no space"));
    CHECK_EQ(ask(1, 9, DATA_AT, 512, false), 0); /* there already */
    unsigned logs = fake.logs;
    CHECK_EQ(ask(1, 16, DATA_AT, 512, false), 1);
    CHECK_EQ(fake.logs, logs);
    CHECK_EQ(ask_clear(11, 0, 8, 0), 0); /* a discard makes room */
    CHECK_EQ(ask(1, 16, DATA_AT, 512, false), 0);
    CHECK_EQ(ask(0, 0, DATA_AT, 4096, true), 0);
    for (unsigned i = 0; i < 4096; i++)
        CHECK_EQ(fake_ram[DATA_AT + i], 0);
}

TEST(write_zeroes_of_any_size)
{
    image_setup(8);
    start_disk(FLUSH);
    CHECK_EQ(ask_clear(13, 7, 18, 0), 0);
    CHECK_EQ(ask(0, 0, DATA_AT, 32 * 512, true), 0);
    for (unsigned i = 0; i < 32 * 512; i++)
        CHECK_EQ(fake_ram[DATA_AT + i], i / 512 >= 7 && i / 512 < 25 ? 0 : image[i]);
    CHECK_EQ(ask_clear(13, 7, 18, 2), 2);         /* unknown flag */
    CHECK_EQ(ask_clear(11, 7, 18, 1), 2);         /* unmap is for write-zeroes */
    CHECK_EQ(ask_clear(13, 0, 0xffffffff, 0), 1); /* above max_write_zeroes_sectors */
    CHECK_EQ(ask_clear(13, 600, 1, 1), 1);        /* beyond */
    put64(DATA_AT, 0);
    CHECK_EQ(ask(11, 0, DATA_AT, 32, false), 1); /* two ranges */
}

TEST(a_damaged_overlay_is_an_error_not_a_crash)
{
    image_setup(4);
    start_disk(FLUSH);
    CHECK_EQ(ask(1, 0, DATA_AT, 512, false), 0);
    memset(overlay + 16, 0xfe, 8 + 4096); /* header's numbers, and all of the map */
    start_disk(FLUSH);
    CHECK_EQ(ask(0, 0, DATA_AT, 512, true), 1);
    CHECK_EQ(ask(1, 0, DATA_AT, 512, false), 1);
    CHECK_EQ(ask_clear(13, 0, 8, 0), 0);
    CHECK_EQ(ask(1, 0, DATA_AT, 512, false), 1); /* none free */
}

TEST(serial_and_unknown_requests)
{
    image_setup(UINT32_MAX);
    memcpy(config.disk[0].serial, "ABCDEFGHIJKLMNOPQRSTUVW", 24);
    start_disk(0);
    CHECK_EQ(ask(8, 0, DATA_AT, 20, true), 0);
    CHECK(!memcmp(fake_ram + DATA_AT, "ABCDEFGHIJKLMNOPQRST", 20));
    memset(fake_ram + DATA_AT, 0, 20);
    CHECK_EQ(ask(8, 0, DATA_AT, 4, true), 0);
    CHECK(!memcmp(fake_ram + DATA_AT, "ABCD\0", 5));
    CHECK_EQ(ask(77, 0, DATA_AT, 512, true), 2);
}

/* --- a hostile driver --- */

TEST(requests_without_header_or_status)
{
    image_setup(4);
    start_disk(0);
    set_desc(QUEUE_AT(0), 0, HEADER, 15, 1, 1);
    set_desc(QUEUE_AT(0), 1, STATUS, 1, 2, 0);
    offer(&d, 0, 0);
    kick(&d, 0);
    CHECK(needs_reset(&d));
    start_disk(0);
    set_desc(QUEUE_AT(0), 0, HEADER, 16, 0, 0);
    offer(&d, 0, 0);
    kick(&d, 0);
    CHECK(needs_reset(&d));
    CHECK_EQ(the_disk()->blk.used, 0);
    /* And after the reset all is well. */
    restart();
    CHECK_EQ(ask(0, 0, DATA_AT, 512, true), 0);
}

TEST(a_header_in_pieces_and_data_behind_it)
{
    image_setup(4);
    start_disk(0);
    put_header(HEADER, 1, 2);
    memset(fake_ram + HEADER + 16, 0x11, 100);
    memset(fake_ram + DATA_AT, 0x22, 412);
    set_desc(QUEUE_AT(0), 0, HEADER, 5, 1, 1);
    set_desc(QUEUE_AT(0), 1, HEADER + 5, 111, 1, 2); /* the data begins in it */
    set_desc(QUEUE_AT(0), 2, DATA_AT, 412, 1, 3);
    set_desc(QUEUE_AT(0), 3, STATUS + 0x80, 1, 2, 0);
    fake_ram[STATUS + 0x80] = 0xee;
    offer(&d, 0, 0);
    kick(&d, 0);
    CHECK_EQ(fake_ram[STATUS + 0x80], 0);
    CHECK_EQ(ask(0, 2, DATA_AT, 512, true), 0);
    CHECK_EQ(fake_ram[DATA_AT + 99], 0x11);
    CHECK_EQ(fake_ram[DATA_AT + 100], 0x22);
    CHECK_EQ(fake_ram[DATA_AT + 511], 0x22);
}

TEST(too_many_pieces)
{
    image_setup(4);
    start_disk(1u << 28);
    uint32_t table = QUEUE_AT(0) + 0x3000;
    put_header(HEADER, 0, 0);
    fake_ram[STATUS] = 0xee;
    set_desc(table, 0, HEADER, 16, 1, 1);
    for (unsigned i = 1; i <= 64; i++) /* every second kilobyte: nothing to merge */
        set_desc(table, i, DATA_AT + i * 1024, 512, 3, i + 1);
    set_desc(table, 65, STATUS, 1, 2, 0);
    set_desc(QUEUE_AT(0), 0, table, 66 * 16, 4, 0);
    offer(&d, 0, 0);
    kick(&d, 0);
    CHECK_EQ(fake_ram[STATUS], 1);
    fake_ram[STATUS] = 0xee;
    for (unsigned i = 1; i <= 64; i++) /* one after the other: a single piece */
        set_desc(table, i, DATA_AT + i * 512, 512, 3, i + 1);
    offer(&d, 0, 0);
    kick(&d, 0);
    CHECK_EQ(fake_ram[STATUS], 0);
    CHECK(!memcmp(fake_ram + DATA_AT + 512, image, 64 * 512));
}

/* --- a channel --- */

static void end_slot(unsigned slot, uint32_t status)
{
    channel->slot[slot].status = status;
    channel->slot[slot].state = BLK_ENDED;
    channel->ended |= 1ull << slot;
    machine_disk_event(&vm);
}

TEST(guest_memory_goes_to_the_driver_as_it_is)
{
    channel_setup();
    start_disk(FLUSH);
    CHECK_EQ(ask(0, 77, DATA_AT + 0x1000, 8192, true), 0xee);
    CHECK_EQ(fake_signals, 1);
    CHECK_EQ(channel->submitted, 1);
    const struct blk_slot *slot = &channel->slot[0];
    CHECK_EQ(slot->state, BLK_SUBMITTED);
    CHECK_EQ(slot->op, BLK_READ);
    CHECK_EQ(slot->sector, 77);
    CHECK_EQ(slot->sectors, 16);
    CHECK_EQ(slot->segments, 1);
    CHECK_EQ(slot->segment[0].offset, DATA_AT + 0x1000);
    CHECK_EQ(slot->segment[0].length, 8192);
    CHECK_EQ(slot->segment[0].memory, 0);
    CHECK_EQ(used_index(0), 0);
    fake.ns += 1000;
    end_slot(0, BLK_OK);
    CHECK_EQ(fake_ram[STATUS], 0);
    CHECK_EQ(used_index(0), 1);
    CHECK_EQ(the_disk()->disk.stat[DISK_STAT_READ_NS], 1000);
    CHECK_EQ(ask(8, 0, DATA_AT, 20, true), 0);
    CHECK(!strcmp((char *)fake_ram + DATA_AT, "WD-1234567890"));
}

TEST(every_status_has_its_answer)
{
    static const struct {
        uint32_t said;
        unsigned answer;
    } cases[] = {{BLK_OK, 0},        {BLK_IO_ERROR, 1},    {BLK_RANGE, 1},
                 {BLK_READ_ONLY, 1}, {BLK_UNSUPPORTED, 2}, {BLK_NO_SPACE, 1},
                 {BLK_INVALID, 1},   {BLK_GONE, 1},        {12345, 1}};
    channel_setup();
    start_disk(FLUSH);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(ask(0, 0, DATA_AT, 512, true), 0xee);
        end_slot(0, cases[i].said);
        CHECK_EQ(fake_ram[STATUS], cases[i].answer);
    }
}

TEST(memory_in_pieces_and_round_the_hole)
{
    struct disk_channel *backing;
    struct blk_segment segment[BLK_SEGMENTS_MAX];
    channel_setup();
    start_disk(FLUSH);
    backing = &the_disk()->backing.channel;
    struct vmm_config cut = {.ram_count = 2, .ram_size = {0x80000000, 0x80000000}};
    backing->ranges = 0;
    find_ranges(backing, &cut);
    CHECK_EQ(backing->ranges, 3);
    CHECK_EQ(add_memory(backing, segment, 0, 0x7ffff000, 0x3000), 2);
    CHECK_EQ(segment[0].offset, 0x7ffff000);
    CHECK_EQ(segment[0].length, 0x1000);
    CHECK_EQ(segment[1].memory, 1);
    CHECK_EQ(segment[1].offset, 0);
    CHECK_EQ(segment[1].length, 0x2000);
    CHECK_EQ(add_memory(backing, segment, 5, 0x100001000, 0x1000), 6);
    CHECK_EQ(segment[5].memory, 1);
    CHECK_EQ(segment[5].offset, 0x40001000);
    CHECK_EQ(add_memory(backing, segment, 0, 0xbffff000, 0x2000), 0); /* into the hole */
    CHECK_EQ(add_memory(backing, segment, BLK_SEGMENTS_MAX, 0x1000, 0x1000), 0);
    CHECK_EQ(add_memory(backing, segment, 0, 0x1001, 0x1000), 0); /* odd */
}

TEST(more_requests_than_slots_wait)
{
    channel_setup();
    config.vcpus = 1;
    start_disk(FLUSH);
    driver_find(&d, DISK);
    driver_features(&d, FLUSH);
    driver_queue(&d, 0, 128);
    common_write(&d, 20, 1, 15);
    lay_request(4, 0, 0, 0, false);
    for (unsigned i = 0; i < 100; i++)
        offer(&d, 0, 0);
    kick(&d, 0);
    CHECK_EQ(channel->submitted, ~0ull);
    CHECK_EQ(fake_signals, 1);
    channel->submitted = 0;
    end_slot(63, BLK_OK);
    CHECK_EQ(used_index(0), 1);
    CHECK_EQ(channel->submitted, 1ull << 63);
    for (unsigned i = 0; i < 64; i++) {
        if (channel->slot[i].state == BLK_SUBMITTED)
            end_slot(i, BLK_OK);
    }
    for (unsigned i = 0; i < 64; i++) {
        if (channel->slot[i].state == BLK_SUBMITTED)
            end_slot(i, BLK_OK);
    }
    CHECK_EQ(used_index(0), 100);
    CHECK_EQ(the_disk()->blk.used, 0);
}

TEST(write_through_by_flush_or_fua)
{
    channel_setup();
    start_disk(0); /* a driver that cannot flush */
    CHECK_EQ(ask(1, 0, DATA_AT, 512, false), 0xee);
    CHECK_EQ(channel->slot[0].flags, 0);
    end_slot(0, BLK_OK);
    CHECK_EQ(fake_ram[STATUS], 0xee);
    CHECK_EQ(channel->slot[0].op, BLK_FLUSH);
    CHECK_EQ(channel->slot[0].state, BLK_SUBMITTED);
    end_slot(0, BLK_OK);
    CHECK_EQ(fake_ram[STATUS], 0);
    channel->geometry.flags |= BLK_GEOMETRY_FUA;
    start_disk(FLUSH | WCE);
    CHECK_EQ(ask(1, 0, DATA_AT, 512, false), 0xee);
    CHECK_EQ(channel->slot[0].flags, 0);
    end_slot(0, BLK_OK);
    machine_mmio_write(&vm, d.common + 0x2020, 1, 0); /* writeback = 0 */
    CHECK_EQ(ask(1, 0, DATA_AT, 512, false), 0xee);
    CHECK_EQ(channel->slot[0].flags, BLK_FUA);
    end_slot(0, BLK_OK);
    CHECK_EQ(fake_ram[STATUS], 0);
    config.disk[0].cache = VMM_CACHE_UNSAFE;
    start_disk(FLUSH);
    CHECK_EQ(ask(4, 0, 0, 0, false), 0); /* ignored, as it was asked for */
    config.disk[0].cache = VMM_CACHE_WRITETHROUGH;
    start_disk(0);
    common_write(&d, 0, 4, 0);
    CHECK_EQ(common_read(&d, 4, 4) & FLUSH, 0);
}

TEST(a_reset_waits_for_the_medium)
{
    channel_setup();
    start_disk(FLUSH);
    CHECK_EQ(ask(0, 0, DATA_AT, 512, true), 0xee);
    common_write(&d, 20, 1, 0);
    CHECK_EQ(common_read(&d, 20, 1), 15); /* not yet */
    common_write(&d, 20, 1, 1);           /* a driver that does not wait gets nowhere */
    CHECK_EQ(the_disk()->blk.virtio.status, 0);
    fake_ram[STATUS] = 0xcd;
    end_slot(0, BLK_OK);
    CHECK_EQ(common_read(&d, 20, 1), 0);
    CHECK_EQ(fake_ram[STATUS], 0xcd); /* memory that is the driver's again */
    CHECK_EQ(used_index(0), 0);
    memset(fake_ram + QUEUE_AT(0) + 0x1000, 0, 0x2000);
    driver_start(&d, DISK, FLUSH, 1);
    CHECK_EQ(ask(0, 0, DATA_AT, 512, true), 0xee);
    end_slot(0, BLK_OK);
    CHECK_EQ(fake_ram[STATUS], 0);
}

TEST(a_disk_that_grows)
{
    channel_setup();
    start_disk(FLUSH);
    unsigned generation = common_read(&d, 21, 1);
    CHECK_EQ(config_read(0, 8), 1u << 20);
    channel->geometry.sectors = 3ull << 32;
    channel->generation++;
    machine_disk_event(&vm);
    CHECK_EQ(config_read(0, 8), 3ull << 32);
    CHECK(common_read(&d, 21, 1) != generation);
    CHECK_EQ(machine_mmio_read(&vm, d.common + 0x1000, 1) & 2, 2);
}

TEST(a_driver_process_that_dies)
{
    channel_setup();
    start_disk(FLUSH);
    CHECK_EQ(ask(0, 0, DATA_AT, 512, true), 0xee);
    channel->submitted = 0; /* taken, then it died */
    channel->present = 0;
    machine_disk_event(&vm);
    CHECK_EQ(fake_ram[STATUS], 0xee);
    channel->present = 1;
    channel->generation++;
    machine_disk_event(&vm);
    CHECK_EQ(channel->submitted, 1);
    CHECK_EQ(fake_signals, 2);
    end_slot(0, BLK_OK);
    CHECK_EQ(fake_ram[STATUS], 0);
}

TEST(a_guest_that_never_stops)
{
    image_setup(UINT32_MAX);
    start_disk(0);
    driver_find(&d, DISK);
    driver_features(&d, 0);
    driver_queue(&d, 0, 128);
    common_write(&d, 20, 1, 15);
    lay_request(8, 0, DATA_AT, 20, true);
    the_disk()->blk.virtio.queue[0].ring.size = 1024; /* more than fit into a round */
    d.size = 1024;
    for (unsigned i = 0; i < 300; i++)
        offer(&d, 0, 0);
    kick(&d, 0);
    CHECK_EQ(the_disk()->blk.virtio.queue[0].ring.chains, 128); /* and as many looks at the other */
    fake_advance(10);
    CHECK_EQ(the_disk()->blk.virtio.queue[0].ring.chains, 300);
}

/* --- limits --- */

TEST(operations_a_second)
{
    image_setup(UINT32_MAX);
    config.disk[0].limit[VMM_LIMIT_READ_IOPS] = 100;
    start_disk(0);
    lay_request(0, 0, DATA_AT, 512, true);
    uint64_t begin = fake.ns;
    for (unsigned i = 0; i < 1000; i++) {
        offer(&d, 0, 0);
        kick(&d, 0);
        while (used_index(0) != (uint16_t)(i + 1))
            fake_advance(1000000);
    }
    uint64_t took = fake.ns - begin;
    CHECK(took > 9700000000ull && took < 10100000000ull);
    CHECK(the_disk()->disk.stat[DISK_STAT_DELAYED] > 900);
}

TEST(bytes_a_second_of_one_direction)
{
    image_setup(32);
    config.disk[0].limit[VMM_LIMIT_WRITE_BYTES] = 64 << 10;
    start_disk(FLUSH);
    for (unsigned i = 0; i < 50; i++)
        CHECK_EQ(ask(0, 0, DATA_AT, 65536, true), 0); /* reads are free */
    uint64_t begin = fake.ns;
    for (unsigned i = 0; i < 10; i++) {
        ask(1, 0, DATA_AT, 65536, false);
        while (fake_ram[STATUS] == 0xee)
            fake_advance(1000000);
        CHECK_EQ(fake_ram[STATUS], 0);
    }
    /* The first is let through at once, the last need not be paid for. */
    CHECK(fake.ns - begin > 8800000000ull && fake.ns - begin < 9100000000ull);
}

TEST(a_reset_while_a_limit_holds)
{
    image_setup(UINT32_MAX);
    config.disk[0].limit[VMM_LIMIT_TOTAL_IOPS] = 1;
    start_disk(0);
    CHECK_EQ(ask(0, 0, DATA_AT, 512, true), 0);
    CHECK_EQ(ask(0, 0, DATA_AT, 512, true), 0xee);
    common_write(&d, 20, 1, 0);
    CHECK_EQ(common_read(&d, 20, 1), 0); /* nothing touches memory */
    fake_advance(3 * NS_PER_S);
    CHECK_EQ(fake_ram[STATUS], 0xee);
    CHECK_EQ(the_disk()->blk.used, 0);
}

/* --- all together, against a model --- */

TEST(random_requests_against_a_model)
{
    static uint8_t model[514 * 512];
    unsigned seed = 3;
    image_setup(80);
    start_disk(FLUSH);
    memset(model, 0, sizeof model);
    memcpy(model, image, IMAGE);
    for (unsigned i = 0; i < 4000; i++) {
        unsigned op = (unsigned)rand_r(&seed) % 4, sector = (unsigned)rand_r(&seed) % 520;
        unsigned sectors = 1 + (unsigned)rand_r(&seed) % 40, bytes = sectors * 512;
        unsigned expected = sector + sectors > 514 ? 1 : 0;
        if (i % 100 == 99)
            restart();
        memset(fake_ram + DATA_AT, (int)i, bytes);
        if (op == 0) {
            CHECK_EQ(ask(0, sector, DATA_AT, bytes, true), expected);
            CHECK(expected || !memcmp(fake_ram + DATA_AT, model + sector * 512, bytes));
        } else if (op == 1) {
            CHECK_EQ(ask(1, sector, DATA_AT, bytes, false), expected);
            if (!expected)
                memset(model + sector * 512, (int)i, bytes);
        } else {
            CHECK_EQ(ask_clear(op == 2 ? 13 : 11, sector, sectors, 0), expected);
            unsigned first = op == 2 ? sector : (sector + 7) / 8 * 8;
            unsigned end = op == 2 ? sector + sectors : (sector + sectors) / 8 * 8;
            if (!expected && first < end)
                memset(model + first * 512, 0, (end - first) * 512);
        }
    }
}
