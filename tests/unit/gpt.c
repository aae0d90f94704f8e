/* SPDX-License-Identifier: BSD-2-Clause */
/* Partition tables over a disk in memory: good, torn, foreign and hostile ones. */
#include "test.h"
#include "drivers/gpt/gpt.c"
#include "drivers/gpt/grow.c"

#define BLOCKS 2048u
#define BLOCK  512u
static uint8_t disk[BLOCKS * 4096u];
static uint32_t block_size;
static uint64_t unreadable[4];
static struct gpt gpt;
static int reads;

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
}
static void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, 8);
}

static uint8_t *block(uint64_t n)
{
    return disk + n * block_size;
}

static uint64_t table_blocks(void)
{
    return 128 * 128 / block_size;
}

static void seal(bool backup)
{
    uint8_t *h = block(backup ? BLOCKS - 1 : 1);
    put32(h + 88, gpt_crc32(0, block(read64(h + 72)), 128 * 128));
    put32(h + 16, 0);
    put32(h + 16, gpt_crc32(0, h, read32(h + 12)));
}

static void make_header(bool backup)
{
    uint8_t *h = block(backup ? BLOCKS - 1 : 1);
    memcpy(h, "EFI PART", 8);
    put32(h + 8, 0x10000);
    put32(h + 12, 92);
    put64(h + 24, backup ? BLOCKS - 1 : 1);
    put64(h + 32, backup ? 1 : BLOCKS - 1);
    put64(h + 40, 2 + table_blocks());
    put64(h + 48, BLOCKS - 2 - table_blocks());
    memset(h + 56, 0xdd, 16);
    put64(h + 72, backup ? BLOCKS - 1 - table_blocks() : 2);
    put32(h + 80, 128);
    put32(h + 84, 128);
}

static uint8_t *entry(bool backup, uint32_t index)
{
    return block(backup ? BLOCKS - 1 - table_blocks() : 2) + (size_t)index * 128;
}

static void set_partition(uint32_t index, uint64_t first, uint64_t last, const char *name)
{
    for (int backup = 0; backup < 2; backup++) {
        uint8_t *e = entry(backup, index);
        memset(e, 0, 128);
        memset(e, 0xaf, 16);
        for (uint32_t i = 0; i < 16; i++)
            e[16 + i] = (uint8_t)(i + index * 16);
        put64(e + 32, first);
        put64(e + 40, last);
        for (size_t i = 0; name[i] && i < 36; i++)
            e[56 + 2 * i] = (uint8_t)name[i];
    }
    seal(false);
    seal(true);
}

static void make_disk(uint32_t size)
{
    memset(disk, 0, sizeof(disk));
    memset(unreadable, 0xff, sizeof(unreadable));
    block_size = size;
    disk[510] = 0x55;
    disk[511] = 0xaa;
    disk[446 + 4] = 0xee;
    make_header(false);
    make_header(true);
    set_partition(0, 100, 199, "root");
    set_partition(4, 200, 299, "data two");
}

static void read_table(void)
{
    reads = 0;
    gpt_begin(&gpt, block_size, BLOCKS);
    while (gpt.step != GPT_DONE) {
        bool bad = false;
        if (gpt.want_block >= BLOCKS || gpt.want_blocks > BLOCKS - gpt.want_block ||
            (uint64_t)gpt.want_blocks * block_size > GPT_READ_BYTES || ++reads > 6) {
            printf("asks for %llu, %u\n", (unsigned long long)gpt.want_block, gpt.want_blocks);
            unit_failed_now = 1;
            return;
        }
        for (int i = 0; i < 4; i++)
            bad |= gpt.want_block == unreadable[i];
        /* An exact copy, so that reading beyond it is found. */
        size_t bytes = (size_t)gpt.want_blocks * block_size;
        uint8_t *data = malloc(bytes);
        memcpy(data, block(gpt.want_block), bytes);
        gpt_feed(&gpt, bad ? NULL : data);
        free(data);
    }
}

static bool is_whole(void)
{
    return gpt.found && gpt.count == 2 && gpt.partition[0].number == 1 &&
           gpt.partition[0].first == 100 && gpt.partition[0].blocks == 100 &&
           !strcmp(gpt.partition[0].name, "root") && gpt.partition[1].number == 5 &&
           !strcmp(gpt.partition[1].name, "data two");
}

TEST(checksum_is_the_known_one)
{
    CHECK_EQ(gpt_crc32(0, (const uint8_t *)"123456789", 9), 0xcbf43926);
}

TEST(good_tables)
{
    char text[GPT_UUID_TEXT];
    for (uint32_t size = 512; size <= 4096; size *= 2) {
        make_disk(size);
        read_table();
        CHECK(is_whole());
        CHECK(!gpt.reason[0] && !gpt.backup);
        CHECK_EQ(reads, 3);
    }
    gpt_uuid_text(gpt.partition[0].uuid, text);
    CHECK(!strcmp(text, "03020100-0504-0706-0809-0a0b0c0d0e0f"));
}

TEST(torn_primary)
{
    make_disk(512);
    block(1)[40]++;
    read_table();
    CHECK(is_whole() && gpt.backup);
    CHECK(!strcmp(gpt.reason,
                  "its primary partition table has a wrong checksum; the backup is used"));
    make_disk(512);
    entry(false, 9)[3] = 1;
    read_table();
    CHECK(is_whole() && gpt.backup);
    make_disk(512);
    unreadable[0] = 1;
    read_table();
    CHECK(is_whole() && gpt.backup);
    make_disk(512);
    unreadable[0] = 2;
    read_table();
    CHECK(is_whole() && gpt.backup);
    make_disk(512);
    memset(block(1), 0, 512);
    read_table();
    CHECK(is_whole() && strstr(gpt.reason, "is absent; the backup is used"));
}

TEST(both_torn)
{
    make_disk(512);
    block(1)[40]++;
    block(BLOCKS - 1)[40]++;
    read_table();
    CHECK(!gpt.found && !gpt.count);
    CHECK(!strcmp(gpt.reason, "its primary partition table has a wrong checksum; the backup has a "
                              "wrong checksum"));
    make_disk(512);
    block(1)[40]++;
    entry(true, 3)[0]++;
    read_table();
    CHECK(!gpt.found && !gpt.count && strstr(gpt.reason, "; the backup has a wrong checksum"));
    make_disk(512);
    unreadable[0] = 1;
    unreadable[1] = BLOCKS - 1;
    read_table();
    CHECK(!gpt.found && strstr(gpt.reason, "cannot be read; the backup cannot be read"));
}

TEST(foreign_tables)
{
    make_disk(512);
    disk[446 + 4] = 0x83;
    read_table();
    CHECK(!gpt.found && !strcmp(gpt.reason, "its partition table is an MBR, not a GPT"));
    memset(disk, 0, sizeof(disk));
    read_table();
    CHECK(!gpt.found && !strcmp(gpt.reason, "it has no partition table"));
    CHECK_EQ(reads, 3);
    gpt_begin(&gpt, 520, BLOCKS);
    CHECK(gpt.step == GPT_DONE && gpt.reason[0]);
    gpt_begin(&gpt, 512, 3);
    CHECK(gpt.step == GPT_DONE && gpt.reason[0]);
}

/* Changes a field of both headers, and says what the reader thinks of it. */
static bool refuses(uint32_t offset, uint64_t value, uint32_t size, const char *why)
{
    make_disk(512);
    for (int backup = 0; backup < 2; backup++) {
        uint8_t *h = block(backup ? BLOCKS - 1 : 1);
        memcpy(h + offset, &value, size);
        put32(h + 16, 0);
        uint32_t length = read32(h + 12) <= 512 ? read32(h + 12) : 92;
        put32(h + 16, gpt_crc32(0, h, length));
    }
    read_table();
    if (!gpt.found && strstr(gpt.reason, why))
        return true;
    printf("%s\n", gpt.reason);
    return false;
}

TEST(impossible_headers)
{
    CHECK(refuses(12, 91, 4, "impossible size"));
    CHECK(refuses(12, 513, 4, "impossible size"));
    CHECK(refuses(8, 0x20000, 4, "unknown version"));
    CHECK(refuses(24, 7, 8, "belongs to another place"));
    CHECK(refuses(48, BLOCKS, 8, "more than the disk has"));
    CHECK(refuses(40, UINT64_MAX, 8, "more than the disk has"));
    CHECK(refuses(84, 64, 4, "entries of an impossible size"));
    CHECK(refuses(84, 129, 4, "entries of an impossible size"));
    CHECK(refuses(84, 0x80000000, 4, "longer table"));
    CHECK(refuses(80, 0, 4, "entries of an impossible size"));
    CHECK(refuses(80, UINT32_MAX, 4, "longer table"));
    CHECK(refuses(72, 1, 8, "table outside the disk"));
    CHECK(refuses(72, BLOCKS - 3, 8, "table outside the disk"));
    CHECK(refuses(72, UINT64_MAX, 8, "table outside the disk"));
    CHECK(refuses(72, 60, 8, "table where partitions are"));
    CHECK(refuses(88, 1, 4, "wrong checksum"));
}

TEST(bad_partitions)
{
    make_disk(512);
    set_partition(1, 250, 400, "over");
    read_table();
    CHECK(gpt.found && gpt.count == 1 && gpt.left_out == 2);
    CHECK(!strcmp(gpt.partition[0].name, "root") && strstr(gpt.reason, "overlaps another"));
    make_disk(512);
    set_partition(1, 2, 90, "low");
    read_table();
    CHECK(gpt.count == 2 && !strcmp(gpt.reason, "partition 2 lies outside the usable blocks"));
    make_disk(512);
    set_partition(1, 500, BLOCKS, "high");
    set_partition(2, 600, 599, "backwards");
    set_partition(3, 700, UINT64_MAX, "far");
    read_table();
    CHECK(gpt.count == 2 && gpt.left_out == 3);
}

TEST(names)
{
    make_disk(512);
    uint16_t odd[36];
    for (int i = 0; i < 36; i += 2) {
        odd[i] = 0xd83d; /* U+1F600 */
        odd[i + 1] = 0xde00;
    }
    memcpy(entry(false, 0) + 56, odd, sizeof(odd));
    uint16_t mixed[] = {'a', 0xe4, 0x20ac, 0xd800, '\n', 0xdc00, 0x85, 0};
    memcpy(entry(false, 4) + 56, mixed, sizeof(mixed));
    seal(false);
    read_table();
    CHECK_EQ(gpt.count, 2);
    CHECK_EQ(strlen(gpt.partition[0].name), 72);
    CHECK(!memcmp(gpt.partition[0].name, "\xf0\x9f\x98\x80", 4));
    CHECK(!strcmp(gpt.partition[1].name, "a\xc3\xa4\xe2\x82\xac????"));
    for (int i = 0; i < 36; i++)
        odd[i] = 0x20ac;
    memcpy(entry(false, 0) + 56, odd, sizeof(odd));
    seal(false);
    read_table();
    CHECK_EQ(strlen(gpt.partition[0].name), 108);
}

/* --- growing --- */

static struct gpt_grow grow;

/* Does what is asked, at most `steps` of it. True: all is done. */
static bool grow_on(uint32_t steps)
{
    uint8_t *memory = malloc(GPT_GROW_BYTES);
    while (grow.step != GROW_DONE && steps--) {
        size_t bytes = (size_t)grow.want_blocks * block_size;
        if (grow.want_block >= BLOCKS || grow.offset + bytes > GPT_GROW_BYTES)
            break;
        if (grow.op == GROW_OP_READ)
            memcpy(memory + grow.offset, block(grow.want_block), bytes);
        else if (grow.op == GROW_OP_WRITE)
            memcpy(block(grow.want_block), memory + grow.offset, bytes);
        gpt_grow_done(&grow, true, memory);
    }
    free(memory);
    return grow.step == GROW_DONE;
}

TEST(a_partition_grows)
{
    for (uint32_t size = 512; size <= 4096; size *= 2) {
        make_disk(size);
        read_table();
        CHECK(!gpt_grow_begin(&grow, &gpt, 200, 0));
        uint64_t unit = ALIGN_BYTES / size, end = gpt.header.last_usable + 1;
        CHECK_EQ(grow.blocks, (end / unit * unit > 300 ? end / unit * unit : end) - 200);
        uint64_t blocks = grow.blocks;
        CHECK(grow_on(99) && !grow.why);
        read_table();
        CHECK(gpt.found && !gpt.reason[0] && gpt.count == 2 && gpt.partition[1].blocks == blocks);
        CHECK(gpt.partition[0].blocks == 100 && !strcmp(gpt.partition[1].name, "data two"));
        block(1)[40]++; /* the backup says the same */
        read_table();
        CHECK(gpt.found && gpt.backup && gpt.count == 2 && gpt.partition[1].blocks == blocks);
    }
}

/* A cut after each write, and in the middle of each. */
TEST(a_cut_leaves_the_old_size_or_the_new)
{
    static uint8_t before[sizeof(disk)];
    for (uint32_t steps = 0; steps < 8; steps++) {
        for (int torn = 0; torn < 2; torn++) {
            make_disk(512);
            read_table();
            CHECK(!gpt_grow_begin(&grow, &gpt, 200, 500));
            grow_on(steps);
            memcpy(before, disk, sizeof(disk));
            uint64_t at = grow.want_block;
            bool writes = grow.step != GROW_DONE && grow.op == GROW_OP_WRITE;
            grow_on(1);
            if (torn && writes) /* of what was written only the first half has arrived */
                memcpy(block(at) + 20, before + at * 512 + 20, 512 * 40);
            read_table();
            CHECK(gpt.found && gpt.count == 2);
            CHECK(gpt.partition[1].blocks == 100 || gpt.partition[1].blocks == 500);
            CHECK(gpt.partition[0].blocks == 100);
        }
    }
}

TEST(growth_that_is_refused)
{
    make_disk(512);
    read_table();
    CHECK(strstr(gpt_grow_begin(&grow, &gpt, 100, 0), "not so much free space"));
    CHECK(strstr(gpt_grow_begin(&grow, &gpt, 200, 5000), "not so much free space"));
    CHECK(strstr(gpt_grow_begin(&grow, &gpt, 200, 100), "as large already"));
    CHECK(strstr(gpt_grow_begin(&grow, &gpt, 201, 0), "not in the table"));
    CHECK(!gpt_grow_begin(&grow, &gpt, 200, 500));
    entry(false, 9)[0]++; /* somebody else has written it meanwhile */
    CHECK(grow_on(99) && strstr(grow.why, "has changed"));
    make_disk(512);
    block(1)[40]++;
    read_table();
    CHECK(strstr(gpt_grow_begin(&grow, &gpt, 200, 0), "damaged"));
    make_disk(512);
    set_partition(1, 250, 260, "on top");
    read_table();
    CHECK(strstr(gpt_grow_begin(&grow, &gpt, 100, 0), "damaged"));
    make_disk(512);
    read_table();
    CHECK(!gpt_grow_begin(&grow, &gpt, 200, 0));
    gpt_grow_done(&grow, false, NULL);
    CHECK(grow.step == GROW_DONE && strstr(grow.why, "cannot be read or written"));
}
