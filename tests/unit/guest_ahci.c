/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's AHCI controller: an image behind it, then a driver process' channel. */
#include "test.h"
#include "ahci_guest.h"

#define IMAGE (64u * 4096)

static uint8_t image[IMAGE], overlay[66u * 4096];
static struct blk_channel *channel;

static void image_setup(bool cdrom)
{
    memset(&config, 0, sizeof config);
    memset(overlay, 0, sizeof overlay);
    config.disk_count = 1;
    config.disk[0] = (struct vmm_disk){.backing = VMM_DISK_IMAGE,
                                       .bus = VMM_BUS_SATA,
                                       .target = "sda",
                                       .serial = "SN-7",
                                       .discard = 1,
                                       .cdrom = cdrom};
    config.disk[0].image.size = IMAGE;
    config.disk[0].overlay_size = cdrom ? 0 : sizeof overlay;
    for (unsigned i = 0; i < IMAGE; i++)
        image[i] = (uint8_t)(i / 512 + i);
    disk_source[0] = (struct disk_source){.memory = image, .overlay = cdrom ? NULL : overlay};
    machine_start();
    hba_start(1);
}

static void channel_setup(void)
{
    memset(&config, 0, sizeof config);
    config.disk_count = 1;
    config.disk[0] =
        (struct vmm_disk){.backing = VMM_DISK_CHANNEL, .bus = VMM_BUS_SATA, .target = "sda"};
    free(channel);
    channel = aligned_alloc(64, sizeof *channel);
    memset(channel, 0, sizeof *channel);
    channel->present = channel->generation = 1;
    channel->geometry = (struct blk_geometry){
        .sectors = 1u << 20, .block_size = 512, .physical_size = 4096, .flags = BLK_GEOMETRY_FLUSH};
    disk_source[0] = (struct disk_source){.memory = channel, .notif = 9};
    machine_start();
    hba_start(1);
}

static unsigned submitted(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < BLK_SLOTS; i++)
        count += channel->slot[i].state == BLK_SUBMITTED;
    return count;
}

/* The driver process ends the request that begins at a sector. */
static void end_sector(uint64_t sector, uint32_t status)
{
    for (unsigned i = 0; i < BLK_SLOTS; i++) {
        struct blk_slot *slot = &channel->slot[i];
        if (slot->state != BLK_SUBMITTED || slot->sector != sector)
            continue;
        slot->status = status;
        slot->state = BLK_ENDED;
        channel->ended |= 1ull << i;
        machine_disk_event(&vm);
        return;
    }
    CHECK(!"submitted");
}

static void issue(unsigned slot)
{
    px_write(0, PX_CI, 1u << slot);
}

static unsigned word_at(unsigned number)
{
    return get16(DATA_AT + 2 * number);
}

/* --- registers --- */

TEST(what_the_controller_says_of_itself)
{
    image_setup(false);
    CHECK_EQ(cfg_read(MACHINE_SLOT_AHCI, 8, 4) >> 8, 0x010601);
    CHECK_EQ(hba_read(HBA_PI), 1);
    CHECK_EQ(hba_read(HBA_CAP) & 31u, 0);
    CHECK_EQ(hba_read(HBA_VS), 0x10301);
    CHECK_EQ(px_read(0, PX_SSTS), SSTS_UP);
    CHECK_EQ(px_read(0, PX_SIG), 0x101);
    CHECK_EQ(px_read(0, PX_TFD), 0x150);
    CHECK(px_read(0, PX_CMD) & CMD_CR && px_read(0, PX_CMD) & CMD_FR);
    CHECK_EQ(px_read(1, PX_SSTS), 0);
    CHECK_EQ(machine_mmio_read(&vm, abar + HBA_VS + 2, 2), 1);
}

TEST(identify_is_what_the_definition_says)
{
    image_setup(false);
    lay_data(0, 3, 0xec, 0, 0, DATA_AT, 512);
    issue(3);
    CHECK_EQ(px_read(0, PX_CI), 0);
    CHECK_EQ(px_read(0, PX_IS), IS_PSS);
    CHECK_EQ(fake_ram[RECEIVE_AT(0) + RECEIVED_PIO], FIS_PIO);
    CHECK_EQ(word_at(60), IMAGE / 512);
    CHECK_EQ(word_at(100), IMAGE / 512);
    CHECK_EQ(word_at(10), 'S' << 8 | 'N');
    CHECK_EQ(word_at(75), 31);
    CHECK_EQ(word_at(169), 1);
    CHECK_EQ(word_at(106), 0x6003);
    CHECK_EQ(get32(LIST_AT(0) + 32 * 3 + 4), 512);
    uint8_t sum = 0;
    for (unsigned i = 0; i < 512; i++)
        sum = (uint8_t)(sum + fake_ram[DATA_AT + i]);
    CHECK_EQ(sum, 0);
}

/* --- an image --- */

TEST(reads_and_writes)
{
    image_setup(false);
    lay_data(0, 0, 0x25, 5, 4, DATA_AT, 2048);
    issue(0);
    CHECK_EQ(px_read(0, PX_IS), IS_DHRS);
    CHECK(!memcmp(fake_ram + DATA_AT, image + 5 * 512, 2048));
    CHECK_EQ(get32(LIST_AT(0) + 4), 2048);
    CHECK_EQ(fake_ram[RECEIVE_AT(0) + RECEIVED_REG], FIS_REG_D2H);
    memset(fake_ram + DATA_AT, 0x5a, 1024);
    lay_data(0, 1, 0xca, 7, 2, DATA_AT, 1024);
    issue(1);
    lay_data(0, 2, 0xc8, 6, 3, DATA_AT + 4096, 1536);
    issue(2);
    CHECK(!memcmp(fake_ram + DATA_AT + 4096, image + 6 * 512, 512));
    CHECK_EQ(fake_ram[DATA_AT + 4096 + 512], 0x5a);
    CHECK_EQ(fake_ram[DATA_AT + 4096 + 1535], 0x5a);
    lay_command(0, 4, 0xea, 0, 0, 0);
    issue(4);
    CHECK_EQ(px_read(0, PX_CI), 0);
    CHECK_EQ(px_read(0, PX_TFD), ATA_READY);
}

/* More pieces than one request takes, and blocks that lie across pieces. */
TEST(data_in_many_pieces)
{
    image_setup(false);
    lay_command(0, 0, 0x25, 0, 100, 0);
    unsigned pieces = 0;
    for (uint32_t at = 0; at < 100 * 512; at += 300, pieces++)
        set_prd(0, pieces, DATA_AT + at * 2, at + 300 > 100 * 512 ? 100 * 512 - at : 300);
    set_prds(0, 0, pieces);
    CHECK(pieces > 2 * DISK_SEGMENTS);
    issue(0);
    CHECK_EQ(px_read(0, PX_CI), 0);
    for (uint32_t i = 0; i < 100 * 512; i++)
        CHECK_EQ(fake_ram[DATA_AT + i / 300 * 600 + i % 300], image[i]);
    CHECK_EQ(get32(LIST_AT(0) + 4), 100 * 512);
}

TEST(trim_and_read_back)
{
    image_setup(false);
    memset(fake_ram + DATA_AT, 0, 512);
    put64(DATA_AT, 8ull | 16ull << 48);
    put64(DATA_AT + 16, 64ull | 8ull << 48);
    lay_command(0, 0, 0x06, 0, 1, 1);
    set_prd(0, 0, DATA_AT, 512);
    set_prds(0, 0, 1);
    issue(0);
    CHECK_EQ(px_read(0, PX_CI), 0);
    lay_data(0, 1, 0x25, 0, 128, DATA_AT, 65536);
    issue(1);
    for (unsigned i = 0; i < 65536; i++) {
        bool gone = (i / 512 >= 8 && i / 512 < 24) || (i / 512 >= 64 && i / 512 < 72);
        CHECK_EQ(fake_ram[DATA_AT + i], gone ? 0 : image[i]);
    }
}

TEST(beyond_the_end_is_an_error_that_stops_the_port)
{
    image_setup(false);
    lay_data(0, 0, 0x25, IMAGE / 512 - 1, 2, DATA_AT, 1024);
    lay_data(0, 1, 0x25, 0, 1, DATA_AT, 512);
    px_write(0, PX_CI, 3);
    CHECK_EQ(px_read(0, PX_IS), IS_TFES | IS_DHRS);
    CHECK_EQ(px_read(0, PX_TFD), ATA_IDNF << 8 | ATA_READY | ATA_ERR);
    CHECK_EQ(px_read(0, PX_CI), 3); /* nothing more until it is restarted */
    px_write(0, PX_CMD, CMD_FRE);
    CHECK_EQ(px_read(0, PX_CI), 0);
    CHECK(!(px_read(0, PX_CMD) & CMD_CR));
    px_start(0);
    issue(1);
    CHECK_EQ(px_read(0, PX_CI), 0);
}

TEST(writes_to_a_read_only_image_are_aborted)
{
    image_setup(false);
    config.disk[0].read_only = 1;
    machine_start();
    hba_start(1);
    lay_data(0, 0, 0x35, 0, 1, DATA_AT, 512);
    issue(0);
    CHECK_EQ(px_read(0, PX_TFD), ATA_ABRT << 8 | ATA_READY | ATA_ERR);
}

TEST(soft_reset_and_link_reset)
{
    image_setup(false);
    lay_command(0, 0, 0, 0, 0, 0);
    fake_ram[TABLE_AT(0) + 1] = 0;
    fake_ram[TABLE_AT(0) + 15] = CONTROL_SRST;
    issue(0);
    CHECK_EQ(px_read(0, PX_CI), 0);
    fake_ram[TABLE_AT(0) + 15] = 0;
    fake_ram[RECEIVE_AT(0) + RECEIVED_REG] = 0;
    issue(0);
    CHECK_EQ(fake_ram[RECEIVE_AT(0) + RECEIVED_REG], FIS_REG_D2H);
    CHECK_EQ(px_read(0, PX_TFD), 0x150);
    px_write(0, PX_CMD, CMD_FRE);
    px_write(0, PX_SCTL, 0x301);
    CHECK_EQ(px_read(0, PX_SSTS), 0);
    px_write(0, PX_SCTL, 0x300);
    CHECK_EQ(px_read(0, PX_SSTS), SSTS_UP);
    CHECK_EQ(px_read(0, PX_SERR), SERR_N | SERR_X);
    CHECK_EQ(px_read(0, PX_IS), IS_PCS | IS_PRCS);
    px_write(0, PX_SERR, ~0u);
    CHECK_EQ(px_read(0, PX_IS), 0);
    px_write(0, PX_SCTL, 0x304);
    CHECK_EQ(px_read(0, PX_SSTS), SSTS_OFFLINE);
}

/* --- interrupts --- */

TEST(one_message_for_all_that_ended)
{
    image_setup(false);
    uint8_t cap = (uint8_t)cfg_read(MACHINE_SLOT_AHCI, 0x34, 1);
    cfg_write(MACHINE_SLOT_AHCI, cap + 4u, 4, 0xfee01000);
    cfg_write(MACHINE_SLOT_AHCI, cap + 12u, 2, 0x41);
    cfg_write(MACHINE_SLOT_AHCI, cap + 2u, 2, 1);
    for (unsigned i = 0; i < 8; i++)
        lay_queued(i, false, i, 1, DATA_AT + 512 * i);
    issue_queued(0xff);
    CHECK_EQ(fake.msis, 1);
    CHECK_EQ(fake.msi[0].address, 0xfee01000);
    CHECK_EQ(fake.msi[0].data, 0x41);
    CHECK_EQ(px_read(0, PX_SACT), 0);
    CHECK_EQ(px_read(0, PX_IS), IS_SDBS);
    CHECK_EQ(get32(RECEIVE_AT(0) + RECEIVED_SDB + 4), 0xff);
    CHECK(!memcmp(fake_ram + DATA_AT, image, 8 * 512));
    CHECK_EQ(hba_read(HBA_IS), 1);
    px_write(0, PX_IS, ~0u);
    hba_write(HBA_IS, 1);
    CHECK_EQ(hba_read(HBA_IS), 0);
    CHECK_EQ(fake.msis, 1);
}

TEST(the_line_follows_the_status)
{
    unsigned gsi = machine_pci_gsi(MACHINE_SLOT_AHCI, 0);
    image_setup(false);
    vm.irq_set = fake_irq_set;
    lay_command(0, 0, 0xe7, 0, 0, 0);
    issue(0);
    CHECK(fake.line[gsi] || the_devices.ioapic.lines & 1u << gsi);
    px_write(0, PX_IS, ~0u);
    hba_write(HBA_IS, 1);
    CHECK(!fake.line[gsi]);
}

/* --- a channel --- */

TEST(queued_commands_end_in_any_order)
{
    channel_setup();
    for (unsigned i = 0; i < 32; i++)
        lay_queued(i, i & 1u, 100 + i * 8, 8, DATA_AT + 4096 * i);
    issue_queued(~0u);
    CHECK_EQ(submitted(), 32);
    CHECK_EQ(px_read(0, PX_CI), 0);
    CHECK_EQ(px_read(0, PX_SACT), ~0u);
    end_sector(100 + 17 * 8, BLK_OK);
    CHECK_EQ(px_read(0, PX_SACT), ~(1u << 17));
    CHECK_EQ(px_read(0, PX_IS), IS_SDBS);
    for (unsigned i = 0; i < 32; i++) {
        if (i != 17)
            end_sector(100 + i * 8, BLK_OK);
    }
    CHECK_EQ(px_read(0, PX_SACT), 0);
}

TEST(a_flush_waits_for_what_is_queued)
{
    channel_setup();
    lay_queued(0, true, 8, 8, DATA_AT);
    issue_queued(1);
    lay_command(0, 1, 0xea, 0, 0, 0);
    issue(1);
    CHECK_EQ(submitted(), 1);
    end_sector(8, BLK_OK);
    CHECK_EQ(submitted(), 1);
    CHECK_EQ(channel->slot[0].op + channel->slot[1].op,
             BLK_FLUSH + (channel->slot[1].op == BLK_FLUSH ? BLK_WRITE : 0));
    CHECK(px_read(0, PX_TFD) & ATA_BSY);
    end_sector(0, BLK_OK);
    CHECK_EQ(px_read(0, PX_CI), 0);
}

TEST(an_error_is_told_when_the_others_have_ended)
{
    channel_setup();
    for (unsigned i = 0; i < 3; i++)
        lay_queued(i, false, 0x1000 + i * 8, 8, DATA_AT + 4096 * i);
    issue_queued(7);
    end_sector(0x1008, BLK_IO_ERROR);
    CHECK(!(px_read(0, PX_IS) & IS_TFES));
    end_sector(0x1000, BLK_OK);
    end_sector(0x1010, BLK_OK);
    CHECK(px_read(0, PX_IS) & IS_TFES);
    CHECK_EQ(px_read(0, PX_TFD), ATA_UNC << 8 | ATA_READY | ATA_ERR);
    CHECK_EQ(px_read(0, PX_SACT), 2);
    px_write(0, PX_CMD, CMD_FRE);
    px_start(0);
    lay_data(0, 5, 0x2f, 0x10, 1, DATA_AT, 512);
    issue(5);
    CHECK_EQ(fake_ram[DATA_AT], 1);
    CHECK_EQ(fake_ram[DATA_AT + 3], ATA_UNC);
    CHECK_EQ(fake_ram[DATA_AT + 4], 0x08);
    CHECK_EQ(fake_ram[DATA_AT + 5], 0x10);
}

/* The driver process may be in the middle of the guest's memory. */
TEST(a_reset_ends_when_the_disk_has_let_go)
{
    channel_setup();
    lay_queued(0, false, 8, 8, DATA_AT);
    issue_queued(1);
    px_write(0, PX_CMD, CMD_FRE);
    CHECK(px_read(0, PX_CMD) & CMD_CR);
    end_sector(8, BLK_OK);
    CHECK(!(px_read(0, PX_CMD) & CMD_CR));
    CHECK_EQ(px_read(0, PX_IS), 0);
    px_start(0);
    issue_queued(1);
    hba_write(HBA_GHC, GHC_AE | GHC_HR);
    CHECK(hba_read(HBA_GHC) & GHC_HR);
    CHECK_EQ(px_read(0, PX_SSTS), 0);
    end_sector(8, BLK_OK);
    CHECK(!(hba_read(HBA_GHC) & GHC_HR));
    CHECK_EQ(px_read(0, PX_SSTS), SSTS_UP);
}

TEST(forced_unit_access)
{
    channel_setup();
    lay_queued(0, true, 8, 8, DATA_AT);
    fake_ram[TABLE_AT(0) + 7] |= DEVICE_FUA;
    issue_queued(1);
    end_sector(8, BLK_OK); /* the disk has no FUA: a flush follows */
    CHECK_EQ(px_read(0, PX_SACT), 1);
    end_sector(0, BLK_OK);
    CHECK_EQ(px_read(0, PX_SACT), 0);
}

TEST(a_limit_holds_a_command_back)
{
    channel_setup();
    config.disk[0].limit[VMM_LIMIT_TOTAL_IOPS] = 10;
    machine_start();
    hba_start(1);
    for (unsigned i = 0; i < 4; i++)
        lay_queued(i, false, 8 * i, 8, DATA_AT + 4096 * i);
    issue_queued(15);
    unsigned first = submitted();
    CHECK(first < 4);
    fake_advance(NS_PER_S);
    CHECK_EQ(submitted(), 4);
}

/* --- a hostile guest --- */

TEST(what_lies_outside_memory)
{
    image_setup(false);
    lay_data(0, 0, 0x25, 0, 1, FAKE_RAM - 256, 512);
    issue(0);
    CHECK_EQ(px_read(0, PX_IS), IS_HBFS);
    CHECK_EQ(px_read(0, PX_CI), 1);
    px_write(0, PX_CMD, CMD_FRE);
    px_start(0);
    put64(LIST_AT(0) + 8, FAKE_RAM - 64);
    issue(0);
    CHECK_EQ(px_read(0, PX_IS), IS_HBFS);
    px_write(0, PX_CMD, CMD_FRE);
    px_write(0, PX_FB, FAKE_RAM);
    px_write(0, PX_CLBU, 0x1000);
    px_write(0, PX_CMD, CMD_FRE | CMD_ST);
    issue(0);
    CHECK(px_read(0, PX_IS) & IS_HBFS);
    px_write(0, PX_CLBU, 0);
    px_write(0, PX_CMD, CMD_FRE);
    px_start(0);
    lay_data(0, 0, 0x25, 0, 8, DATA_AT, 512); /* more blocks than memory */
    issue(0);
    CHECK(px_read(0, PX_IS) & IS_HBFS);
}

TEST(nonsense_commands_are_aborted)
{
    image_setup(false);
    for (unsigned command = 0; command < 256; command++) {
        lay_data(0, 0, (uint8_t)command, 0, 1, DATA_AT, 512);
        issue(0);
        px_write(0, PX_CMD, CMD_FRE);
        px_start(0);
    }
    lay_command(0, 0, 0xff, 0, 0, 0);
    issue(0);
    CHECK_EQ(px_read(0, PX_TFD), ATA_ABRT << 8 | ATA_READY | ATA_ERR);
}

/* --- a CD-ROM drive --- */

static void packet(uint8_t first, uint32_t where, uint32_t count, uint32_t bytes)
{
    lay_data(0, 0, 0xa0, 0, 0, DATA_AT, bytes);
    uint8_t *cdb = fake_ram + TABLE_AT(0) + 0x40;
    cdb[0] = first;
    put_be(cdb + 2, 4, where);
    put_be(cdb + 7, 2, count);
    issue(0);
}

TEST(a_drive)
{
    image_setup(true);
    CHECK_EQ(px_read(0, PX_SIG), 0xeb140101);
    lay_data(0, 0, 0xa1, 0, 0, DATA_AT, 512);
    issue(0);
    CHECK_EQ(word_at(0), 0x8580);
    packet(0x25, 0, 0, 8);
    CHECK_EQ(get_be(fake_ram + DATA_AT, 4), IMAGE / 2048 - 1);
    CHECK_EQ(get_be(fake_ram + DATA_AT + 4, 4), 2048);
    packet(0x28, 3, 2, 4096);
    CHECK(!memcmp(fake_ram + DATA_AT, image + 3 * 2048, 4096));
    CHECK_EQ(px_read(0, PX_CI), 0);
    packet(0x43, 0, 20, 20);
    CHECK_EQ(fake_ram[DATA_AT + 14], 0xaa);
    CHECK_EQ(get_be(fake_ram + DATA_AT + 16, 4), IMAGE / 2048);
    packet(0x28, IMAGE / 2048, 1, 2048);
    CHECK_EQ(px_read(0, PX_TFD), 0x54u << 8 | ATA_READY | ATA_ERR);
    px_write(0, PX_CMD, CMD_FRE);
    px_start(0);
    packet(0x03, 0, 0, 18);
    fake_ram[TABLE_AT(0) + 0x44] = 18;
    issue(0);
    CHECK_EQ(px_read(0, PX_CI), 0);
}

TEST(sense_tells_why)
{
    image_setup(true);
    packet(0x28, IMAGE / 2048, 1, 2048);
    px_write(0, PX_CMD, CMD_FRE);
    px_start(0);
    lay_data(0, 0, 0xa0, 0, 0, DATA_AT, 18);
    fake_ram[TABLE_AT(0) + 0x40] = 0x03;
    fake_ram[TABLE_AT(0) + 0x44] = 18;
    issue(0);
    CHECK_EQ(fake_ram[DATA_AT + 2], 5);
    CHECK_EQ(fake_ram[DATA_AT + 12], 0x21);
}
