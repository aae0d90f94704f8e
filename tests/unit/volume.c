/* SPDX-License-Identifier: BSD-2-Clause */
/* Volumes by their names, over disks that come and go and partition tables as the probe gives them.
 */
#include "test.h"
#include "fake/time.h"
#include "manager/storage/ahci.h"
static struct ahci controllers[2];
static struct ahci_disk at_port[2][AHCI_PORTS];
static bool settled;
uint32_t ahci_count(void)
{
    return 2;
}
struct ahci *ahci_at(uint32_t index)
{
    return &controllers[index];
}
bool ahci_settled(void)
{
    return settled;
}
bool ahci_read_disk(const struct ahci *a, uint32_t port, struct ahci_disk *disk)
{
    *disk = at_port[a->index][port];
    return disk->kind != AHCI_DISK_NONE;
}

#include "manager/storage/probe.h"
static bool busy, cancelled;
static uint32_t probe_n, probe_port, probes;
static struct gpt table;
void probe_init(uint32_t notif, uint64_t bits)
{
    (void)notif, (void)bits;
}
const char *probe_start(struct ahci *a, uint32_t port, const struct ahci_disk *disk)
{
    (void)disk;
    probe_n = a->index;
    probe_port = port;
    probes++;
    busy = true;
    return NULL;
}
bool probe_is_busy(void)
{
    return busy;
}
uint64_t probe_deadline(void)
{
    return busy ? 12345 : 0;
}
void probe_cancel(const struct ahci *a, uint32_t port)
{
    cancelled = a->index == probe_n && port == probe_port;
}
static bool has_table;
const struct gpt *probe_result(uint64_t now, uint32_t *n, uint32_t *port)
{
    (void)now;
    if (!has_table || !busy)
        return NULL;
    *n = probe_n;
    *port = probe_port;
    busy = has_table = false;
    return &table;
}

static struct gpt_grow grow;
static bool grows;
const char *probe_grow(struct ahci *a, uint32_t port, const struct ahci_disk *disk, uint64_t first,
                       uint64_t blocks)
{
    (void)a, (void)port, (void)disk;
    grow = (struct gpt_grow){.blocks = first + blocks};
    grows = busy = true;
    return NULL;
}
const struct gpt_grow *probe_grown(uint64_t now)
{
    (void)now;
    if (!grows || busy)
        return NULL;
    grows = false;
    return &grow;
}

#include "drivers/gpt/gpt.c"
#include "manager/storage/pool.h"
static char grown[128];
void pool_partition_grown(const struct volume *volume, uint64_t sectors, const char *why)
{
    snprintf(grown, sizeof(grown), "%llu to %llu %s", (unsigned long long)volume->first_sector,
             (unsigned long long)sectors, why ? why : "");
}
static char pools_found[256];
void pool_found(const char *name, const struct volume *volume)
{
    size_t used = strlen(pools_found);
    snprintf(pools_found + used, sizeof(pools_found) - used, "%s:%llu ", name,
             (unsigned long long)volume->sectors);
}

#include "manager/storage/volume.c"

static void add_disk(uint32_t n, uint32_t port, const char *model, const char *serial)
{
    struct ahci_disk *disk = &at_port[n][port];
    *disk = (struct ahci_disk){.kind = AHCI_DISK_ATA,
                               .state = AHCI_DISK_READY,
                               .geometry = {.sectors = 100000, .block_size = 512}};
    snprintf(disk->geometry.model, sizeof(disk->geometry.model), "%s", model);
    snprintf(disk->geometry.serial, sizeof(disk->geometry.serial), "%s", serial);
    controllers[n].disks_changed = true;
}

static void add_part(uint32_t number, uint64_t first, uint64_t blocks, const char *name)
{
    struct gpt_partition *p = &table.partition[table.count++];
    *p = (struct gpt_partition){.number = number, .first = first, .blocks = blocks};
    p->uuid[0] = (uint8_t)(0xa0 + number);
    snprintf(p->name, sizeof(p->name), "%s", name);
}

static void begin(void)
{
    for (uint32_t n = 0; n < 2; n++) {
        for (uint32_t port = 0; port < AHCI_PORTS; port++)
            forget(&disks[n][port]);
        controllers[n] = (struct ahci){.index = n};
    }
    memset(at_port, 0, sizeof(at_port));
    memset(&table, 0, sizeof(table));
    table.block_size = 512;
    logged[0] = 0;
    busy = has_table = cancelled = false;
    probes = 0;
    now_tsc = 1000;
    settled = true;
    volume_init(1);
}

/* The table in `table` is what the disk that is being looked at has. */
static void give_table(void)
{
    has_table = true;
    volume_tick(now_tsc);
    table.count = 0;
    table.reason[0] = 0;
}

static struct volume volume;
static char reason[VOLUME_REASON];

static bool finds(const char *path, uint32_t n, uint32_t port, uint64_t first, uint64_t sectors)
{
    const char *why = volume_find(path, &volume, reason);
    if (why)
        printf("%s\n", why);
    return !why && volume.ahci == &controllers[n] && volume.port == port &&
           volume.first_sector == first && volume.sectors == sectors;
}

static bool refuses(const char *path, const char *why)
{
    return volume_find(path, &volume, reason) && strstr(reason, why);
}

TEST(disks_by_id)
{
    begin();
    add_disk(0, 3, "QEMU HARDDISK   ", " QM0 1/2");
    volume_tick(now_tsc);
    CHECK_EQ(probes, 1);
    CHECK(finds("/dev/disk/by-id/ata-QEMU_HARDDISK_QM0_1_2", 0, 3, 0, 100000));
    CHECK(refuses("/dev/disk/by-id/ata-QEMU", "/dev/disk/by-id/ata-QEMU: there is none"));
    CHECK(refuses("/dev/sda", "a disk is named by"));
    CHECK(refuses("", "a disk is named by"));
    CHECK(refuses("/dev/disk/by-partlabel/", "there is none"));
}

TEST(partitions)
{
    begin();
    add_disk(0, 0, "M", "S");
    volume_tick(now_tsc);
    add_part(1, 2048, 1000, "root");
    add_part(7, 4096, 2000, "my data");
    give_table();
    CHECK(finds("/dev/disk/by-id/ata-M_S-part7", 0, 0, 4096, 2000));
    CHECK(finds("/dev/disk/by-partlabel/root", 0, 0, 2048, 1000));
    CHECK(finds("/dev/disk/by-partlabel/my data", 0, 0, 4096, 2000));
    CHECK(finds("/dev/disk/by-partlabel/my\\x20data", 0, 0, 4096, 2000));
    CHECK(finds("/dev/disk/by-partuuid/000000A7-0000-0000-0000-000000000000", 0, 0, 4096, 2000));
    CHECK(refuses("/dev/disk/by-id/ata-M_S-part2", "there is none"));
    CHECK(refuses("/dev/disk/by-partlabel/my\\x2", "there is none"));
    /* The same label on another disk, with blocks of 4096 bytes. */
    add_disk(1, 31, "M", "T");
    volume_tick(now_tsc);
    table.block_size = 4096;
    add_part(1, 256, 100, "root");
    give_table();
    CHECK(refuses("/dev/disk/by-partlabel/root", "2 volumes have this name"));
    CHECK(finds("/dev/disk/by-id/ata-M_T-part1", 1, 31, 2048, 800));
    CHECK(!volume.read_only);
}

TEST(search_ends)
{
    begin();
    settled = false;
    CHECK(volume_searching(now_tsc));
    settled = true;
    CHECK(!volume_searching(now_tsc));
    add_disk(0, 1, "M", "S");
    at_port[0][1].state = AHCI_DISK_STARTING;
    CHECK(volume_tick(now_tsc) > now_tsc); /* it looks again by itself */
    CHECK(volume_searching(now_tsc) && !probes);
    CHECK(!volume_searching(now_tsc + SEARCH_NS));
    at_port[0][1].state = AHCI_DISK_READY;
    volume_tick(now_tsc);
    CHECK(volume_searching(now_tsc) && probes == 1);
    give_table();
    CHECK(!volume_searching(now_tsc));
}

TEST(one_disk_after_the_other)
{
    begin();
    add_disk(0, 1, "M", "S");
    add_disk(0, 2, "M", "T");
    add_disk(1, 2, "M", "U");
    volume_tick(now_tsc);
    CHECK_EQ(probes, 1);
    add_part(1, 64, 10, "a");
    give_table();
    CHECK_EQ(probes, 2);
    snprintf(table.reason, sizeof(table.reason), "it has no partition table");
    give_table();
    CHECK(strstr(logged, "disk ata-M_T: it has no partition table"));
    give_table();
    CHECK_EQ(probes, 3);
    CHECK(!volume_searching(now_tsc));
}

TEST(disks_that_go)
{
    begin();
    add_disk(0, 0, "M", "S");
    volume_tick(now_tsc);
    add_part(1, 64, 10, "a");
    give_table();
    CHECK(finds("/dev/disk/by-partlabel/a", 0, 0, 64, 10));
    /* Another driver counts its generations anew: that is no other disk. */
    at_port[0][0].generation = 9;
    controllers[0].disks_changed = true;
    volume_tick(now_tsc);
    CHECK(finds("/dev/disk/by-partlabel/a", 0, 0, 64, 10));
    add_disk(0, 0, "M", "other");
    volume_tick(now_tsc);
    CHECK(refuses("/dev/disk/by-partlabel/a", "there is none"));
    CHECK(strstr(logged, "disk ata-M_S is gone") && probes == 2);
    at_port[0][0].state = AHCI_DISK_ABSENT;
    controllers[0].disks_changed = true;
    volume_tick(now_tsc);
    CHECK(cancelled);
    CHECK(refuses("/dev/disk/by-id/ata-M_other", "there is none"));
}

TEST(optical_drives)
{
    begin();
    add_disk(0, 0, "DVD", "S");
    at_port[0][0].kind = AHCI_DISK_ATAPI;
    volume_tick(now_tsc);
    CHECK(!probes && !volume_searching(now_tsc));
    CHECK(finds("/dev/disk/by-id/ata-DVD_S", 0, 0, 0, 100000));
    CHECK(volume.read_only);
}

TEST(a_partition_grows)
{
    begin();
    add_disk(0, 1, "QEMU", "1");
    volume_tick(now_tsc);
    add_part(1, 2000, 1000, "tank");
    give_table();
    CHECK(finds("/dev/disk/by-partlabel/tank", 0, 1, 2000, 1000));
    at_port[0][1].generation = 7; /* another driver */
    controllers[0].disks_changed = true;
    busy = true; /* another disk is being looked at */
    grown[0] = 0;
    CHECK(!volume_grow(&volume, 3000));
    CHECK(strstr(volume_grow(&volume, 3000), "another partition"));
    volume_tick(now_tsc);
    CHECK(!grows && !grown[0]);
    busy = false;
    volume_tick(now_tsc);
    CHECK(grows && !grown[0]);
    busy = false;
    volume_tick(now_tsc);
    CHECK(!strcmp(grown, "2000 to 5000 "));
    CHECK(finds("/dev/disk/by-partlabel/tank", 0, 1, 2000, 5000));
    CHECK(!volume_grow(&volume, 0));
    volume_tick(now_tsc);
    grow.why = "no room";
    busy = false;
    volume_tick(now_tsc);
    CHECK(strstr(grown, " no room"));
    CHECK(finds("/dev/disk/by-partlabel/tank", 0, 1, 2000, 5000));
    at_port[0][1].kind = AHCI_DISK_NONE;
    controllers[0].disks_changed = true;
    CHECK(!volume_grow(&volume, 0));
    volume_tick(now_tsc);
    CHECK(strstr(grown, "its disk is not there") && !grows);
}
