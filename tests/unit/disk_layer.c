/* SPDX-License-Identifier: BSD-2-Clause */
/* A volume above an image: what is written is read back by this ask_and_wait and the next, and
 * after a power cut a sector holds what was flushed, or something that was written later. */
#include "test.h"
#include "vmm_machine.h"

#define SECTORS  40000u /* of the image: more than a page of the map tells of */
#define IMAGE    (SECTORS * 512ull - 100)
#define VOLUME   (SECTORS + 512u)
#define VERSIONS 8u
#define DATA     0x10000u /* in the guest's memory */

/* The volume's disk: a cache that is lost with the power, sector by sector. */
static uint8_t medium[VOLUME][512], cache[VOLUME][512];
static bool cached[VOLUME];
static struct blk_channel *channel;
static uint8_t *image, *memory;
static uint32_t cut_after; /* requests that the disk still serves */
static uint32_t fail_flushes;
static uint64_t random_state = 1;

/* What each sector of the image may hold: versions since the last that was flushed. */
static struct {
    uint32_t version[VERSIONS], count;
} may[SECTORS];
static uint32_t next_version;
static enum blk_status said[DISK_REQUESTS];
static uint64_t told;

static uint64_t chance(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static struct disk *the_disk(void)
{
    return &vm.devices->disks.disk[0].disk;
}

/* --- the volume's driver --- */

static uint8_t *segment_at(const struct blk_segment *segment)
{
    return (segment->memory ? memory : fake_ram) + segment->offset;
}

static void into_cache(uint64_t sector, const uint8_t *from)
{
    memcpy(cache[sector], from, 512);
    cached[sector] = true;
}

static void flush_cache(void)
{
    for (uint32_t i = 0; i < VOLUME; i++) {
        if (cached[i])
            memcpy(medium[i], cache[i], 512);
        cached[i] = false;
    }
}

static enum blk_status driver_serves(const struct blk_slot *slot)
{
    static const uint8_t zeroes[512];
    uint64_t sector = slot->sector;
    if (slot->op == BLK_FLUSH && fail_flushes)
        return fail_flushes--, BLK_IO_ERROR;
    if (slot->op == BLK_FLUSH)
        flush_cache();
    for (uint64_t i = 0; slot->op == BLK_WRITE_ZEROES && i < slot->sectors; i++)
        into_cache(sector + i, zeroes);
    for (uint32_t i = 0; slot->op <= BLK_WRITE && i < slot->segments; i++) {
        uint8_t *data = segment_at(&slot->segment[i]);
        for (uint32_t done = 0; done < slot->segment[i].length; done += 512, sector++) {
            if (slot->op == BLK_WRITE)
                into_cache(sector, data + done);
            else
                memcpy(data + done, cached[sector] ? cache[sector] : medium[sector], 512);
        }
    }
    return BLK_OK;
}

/* Serves what was submitted, in any order, until nothing is or the power fails. */
static void drive(void)
{
    for (;;) {
        uint32_t n = 0, at[BLK_SLOTS];
        channel->submitted = 0;
        for (uint32_t i = 0; i < BLK_SLOTS; i++) {
            if (channel->slot[i].state == BLK_SUBMITTED)
                at[n++] = i;
        }
        if (!n || !cut_after)
            return;
        cut_after--;
        uint32_t slot = at[chance(n)];
        channel->slot[slot].status = driver_serves(&channel->slot[slot]);
        channel->slot[slot].state = BLK_ENDED;
        channel->ended |= 1ull << slot;
        machine_disk_event(&vm);
    }
}

/* --- the guest's side --- */

static void on_end(void *owner, uint32_t tag, enum blk_status status)
{
    (void)owner;
    said[tag] = status;
    told |= 1ull << tag;
}

static void ignore(void *owner)
{
    (void)owner;
}

/* A process of the VMM on the volume; keeps: the memory is as the last one left it. */
static void start_vmm(bool keeps)
{
    memset(&config, 0, sizeof config);
    config.disk_count = 1;
    config.disk[0] =
        (struct vmm_disk){.backing = VMM_DISK_LAYER, .target = "vda", .image.size = IMAGE};
    config.disk[0].overlay_size = vmm_layer_bytes(IMAGE);
    memset(config.disk[0].image_sha256, 7, 32);
    if (!image) {
        image = malloc(IMAGE);
        memory = malloc(config.disk[0].overlay_size);
        channel = aligned_alloc(64, sizeof *channel);
    }
    if (!keeps)
        memset(memory, 0, config.disk[0].overlay_size);
    memset(channel, 0, sizeof *channel);
    for (uint32_t i = 0; i < SECTORS; i++)
        memset(image + i * 512ull, (int)(i % 251), i == SECTORS - 1 ? 412 : 512);
    channel->present = channel->generation = 1;
    channel->geometry = (struct blk_geometry){.sectors = VOLUME,
                                              .block_size = 512,
                                              .physical_size = 4096,
                                              .flags = BLK_GEOMETRY_FLUSH | BLK_GEOMETRY_DISCARD |
                                                       BLK_GEOMETRY_WRITE_ZEROES};
    disk_source[0] =
        (struct disk_source){.memory = channel, .notif = 9, .overlay = memory, .image = image};
    fake.logs = 0;
    machine_start();
    the_disk()->owner = (struct disk_owner){on_end, ignore, ignore, NULL};
    cut_after = UINT32_MAX;
    told = 0;
    vm.lock.state = 0;
    machine_disk_event(&vm);
    drive();
}

static uint8_t *data_of(uint32_t tag)
{
    return fake_ram + DATA + tag * 0x4000u;
}

static void ask_disk(uint32_t tag, uint32_t op, uint64_t sector, uint32_t sectors, bool durable)
{
    struct disk_request request = {
        .op = op, .sector = sector, .sectors = sectors, .durable = durable};
    uint32_t half = sectors / 2 * 512;
    if (op <= BLK_WRITE) {
        request.segment[request.segments++] = (struct disk_segment){data_of(tag), half};
        request.segment[request.segments++] =
            (struct disk_segment){data_of(tag) + half, sectors * 512 - half};
        if (!half)
            request.segment[--request.segments - 1] = request.segment[1];
    }
    told &= ~(1ull << tag);
    disk_submit(the_disk(), &request, tag);
    disk_ring(the_disk());
}

static enum blk_status ask_and_wait(uint32_t op, uint64_t sector, uint32_t sectors)
{
    ask_disk(0, op, sector, sectors, false);
    drive();
    return told & 1 ? said[0] : BLK_GONE;
}

/* Version 0 is the image. */
static void pattern(uint8_t *to, uint32_t sector, uint32_t version)
{
    memset(to, (int)(sector % 251), 512);
    if (!version && sector == SECTORS - 1)
        memset(to + 412, 0, 100);
    if (version)
        memcpy(to, &version, 4);
}

static void write_new(uint32_t tag, uint32_t sector, uint32_t sectors, bool durable)
{
    for (uint32_t i = 0; i < sectors; i++) {
        uint32_t version = ++next_version + 0x10000000u;
        pattern(data_of(tag) + i * 512, sector + i, version);
        may[sector + i].version[may[sector + i].count++] = version;
    }
    ask_disk(tag, BLK_WRITE, sector, sectors, durable);
}

/* Only the newest is possible any more. */
static void settled(uint32_t sector, uint32_t sectors)
{
    for (uint32_t i = sector; i < sector + sectors; i++) {
        may[i].version[0] = may[i].version[may[i].count - 1];
        may[i].count = 1;
    }
}

/* Sectors that power cuts are tried with: some of each page of the map. */
#define USED 4000u
static bool in_use(uint32_t sector)
{
    return sector < USED || sector >= SECTORS - USED;
}

static void all_new(void)
{
    memset(medium, 0, sizeof medium);
    memset(cached, 0, sizeof cached);
    memset(may, 0, sizeof may);
    for (uint32_t i = 0; i < SECTORS; i++)
        may[i].count = 1;
}

/* 0, or the first sector that holds what it must not, plus 1; then that is what it holds. */
static uint32_t wrong_sector(bool newest)
{
    uint8_t wanted[512];
    for (uint32_t s = 0; s < SECTORS; s += 16) {
        if (!newest && !in_use(s))
            continue;
        if (ask_and_wait(BLK_READ, s, 16) != BLK_OK)
            return s + 1;
        for (uint32_t i = s; i < s + 16; i++) {
            uint32_t k = newest ? may[i].count - 1 : 0;
            for (; k < may[i].count; k++) {
                pattern(wanted, i, may[i].version[k]);
                if (!memcmp(wanted, data_of(0) + (i - s) * 512, 512))
                    break;
            }
            if (k == may[i].count)
                return i + 1;
            may[i].version[0] = may[i].version[k];
            may[i].count = 1;
        }
    }
    return 0;
}

TEST(writes_are_read_back_over_the_image)
{
    all_new();
    start_vmm(false);
    CHECK_EQ(fake.logs, 0);
    CHECK_EQ(the_disk()->geometry.sectors, SECTORS);
    CHECK_EQ(wrong_sector(true), 0);
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t n = 1 + (uint32_t)chance(16), sector = (uint32_t)chance(SECTORS - n);
        write_new(0, sector, n, false);
        drive();
        CHECK_EQ(said[0], BLK_OK);
        settled(sector, n);
    }
    CHECK_EQ(wrong_sector(true), 0);
    /* The next ask_and_wait of the guest, which nobody has flushed for. */
    start_vmm(true);
    CHECK_EQ(wrong_sector(true), 0);
    CHECK_EQ(ask_and_wait(BLK_FLUSH, 0, 0), BLK_OK);
    for (uint32_t i = 0; i < VOLUME; i++)
        cached[i] = false;
    start_vmm(false); /* the next start of the machine */
    CHECK_EQ(wrong_sector(true), 0);
    CHECK_EQ(ask_and_wait(BLK_WRITE_ZEROES, 100, 3), BLK_OK);
    CHECK_EQ(ask_and_wait(BLK_READ, 99, 5), BLK_OK);
    CHECK(data_of(0)[512] == 0 && data_of(0)[3 * 512 + 511] == 0 && data_of(0)[4 * 512 + 9] == 103);
    CHECK_EQ(ask_and_wait(BLK_DISCARD, 0, 8), BLK_UNSUPPORTED);
    CHECK_EQ(ask_and_wait(BLK_READ, SECTORS - 1, 2), BLK_RANGE);
}

TEST(what_nobody_flushes_is_flushed_after_a_second)
{
    all_new();
    start_vmm(false);
    write_new(0, 5, 4, false);
    drive();
    settled(5, 4);
    fake.ns += 2 * NS_PER_S;
    machine_run_timers(&vm);
    drive();
    for (uint32_t i = 0; i < VOLUME; i++)
        cached[i] = false;
    start_vmm(false);
    CHECK_EQ(wrong_sector(true), 0);
}

/* Writes that are under way; one at a time for each group of 16 sectors. */
static struct {
    uint32_t sector, sectors;
    bool durable;
} under_way[DISK_REQUESTS];
static uint64_t busy;

static bool is_free(uint32_t sector, uint32_t sectors)
{
    for (uint64_t b = busy; b; b &= b - 1) {
        if (under_way[__builtin_ctzll(b)].sector / 16 == sector / 16)
            return false;
    }
    for (uint32_t i = 0; i < sectors; i++) {
        if (may[sector + i].count == VERSIONS)
            return false;
    }
    return true;
}

static void note_the_told(void)
{
    for (uint64_t b = busy & told; b; b &= b - 1) {
        uint32_t tag = (uint32_t)__builtin_ctzll(b);
        busy &= ~(1ull << tag);
        if (under_way[tag].durable && said[tag] == BLK_OK)
            settled(under_way[tag].sector, under_way[tag].sectors);
    }
}

/* What had ended before a flush that ends well is on the medium. */
static void flush_all(uint32_t tag)
{
    static bool covered[SECTORS];
    for (uint32_t i = 0; i < SECTORS; i++)
        covered[i] = in_use(i) && may[i].count > 1;
    for (uint64_t b = busy; b; b &= b - 1) {
        uint32_t other = (uint32_t)__builtin_ctzll(b);
        memset(covered + under_way[other].sector, 0, under_way[other].sectors);
    }
    ask_disk(tag, BLK_FLUSH, 0, 0, false);
    drive();
    for (uint32_t i = 0; i < SECTORS && told >> tag & 1 && said[tag] == BLK_OK; i++) {
        if (covered[i])
            settled(i, 1);
    }
}

static void random_work(uint32_t steps)
{
    busy = 0;
    for (uint32_t n = 0; n < steps && cut_after; n++) {
        uint32_t tag = (uint32_t)chance(DISK_REQUESTS), sectors = 1 + (uint32_t)chance(8);
        uint32_t sector = (uint32_t)chance(USED / 16) * 16 + (uint32_t)chance(8);
        sector += chance(2) ? 0 : SECTORS - USED;
        if (busy >> tag & 1 || !is_free(sector, sectors))
            continue;
        if (!chance(12)) {
            flush_all(tag);
        } else {
            under_way[tag].sector = sector;
            under_way[tag].sectors = sectors;
            under_way[tag].durable = !chance(6);
            busy |= 1ull << tag;
            write_new(tag, sector, sectors, under_way[tag].durable);
        }
        if (!chance(3))
            drive();
        note_the_told();
        fake.ns += chance(NS_PER_S / 2);
        machine_run_timers(&vm);
    }
}

TEST(power_cuts)
{
    for (uint32_t cut = 0; cut < 600; cut++) {
        if (cut % 10 == 0) { /* before all has been written once */
            all_new();
            start_vmm(false);
        }
        cut_after = (uint32_t)chance(300);
        fail_flushes = chance(8) ? 0 : 1;
        random_work(600);
        /* The power fails: of what was not flushed, any sector may have made it. */
        for (uint32_t i = 0; i < VOLUME; i++) {
            if (cached[i] && chance(2))
                memcpy(medium[i], cache[i], 512);
            cached[i] = false;
        }
        fail_flushes = 0;
        start_vmm(false);
        CHECK_EQ(fake.logs, 0);
        CHECK_EQ(wrong_sector(false), 0);
        CHECK_EQ(ask_and_wait(BLK_FLUSH, 0, 0), BLK_OK);
    }
}

static bool refused_for(const char *why)
{
    start_vmm(false);
    return fake.logs == 1 && strstr(fake.log, why) &&
           ask_and_wait(BLK_READ, 0, 1) == BLK_IO_ERROR &&
           ask_and_wait(BLK_WRITE, 0, 1) == BLK_IO_ERROR &&
           ask_and_wait(BLK_FLUSH, 0, 0) == BLK_IO_ERROR;
}

TEST(volumes_that_are_not_used)
{
    struct layer_header *header = (void *)medium[0], good;
    all_new();
    start_vmm(false);
    flush_cache();
    good = *header;
    CHECK_EQ(good.magic, LAYER_MAGIC);
    header->image_sha256[3] ^= 1;
    CHECK(refused_for("it was written above another image"));
    *header = good;
    header->version = 2;
    CHECK(refused_for("it is of another version"));
    *header = good;
    header->data_first += 8;
    CHECK(refused_for("its header is damaged"));
    memset(header, 0x55, sizeof *header);
    CHECK(refused_for("it holds something else"));
    CHECK_EQ(medium[0][0], 0x55); /* as it was */
    *header = good;
    start_vmm(false);
    CHECK_EQ(fake.logs, 0);
}
