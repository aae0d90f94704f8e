/* SPDX-License-Identifier: BSD-2-Clause */
/* A CD-ROM drive with a medium that is never taken out (SCSI Primary Commands 4, Multimedia
 * Commands 6). */
#include <string.h>
#include "vmm/ahci.h"

#define TEST_UNIT_READY   0x00u
#define REQUEST_SENSE     0x03u
#define INQUIRY           0x12u
#define START_STOP        0x1bu
#define PREVENT_REMOVAL   0x1eu
#define READ_CAPACITY     0x25u
#define READ_10           0x28u
#define SEEK_10           0x2bu
#define READ_TOC          0x43u
#define GET_CONFIGURATION 0x46u
#define GET_EVENT_STATUS  0x4au
#define READ_DISC         0x51u
#define MODE_SENSE_10     0x5au
#define READ_12           0xa8u
#define MECHANISM_STATUS  0xbdu

#define SENSE_NOT_READY 2u
#define SENSE_MEDIUM    3u
#define SENSE_ILLEGAL   5u
#define CODE_UNREADABLE 0x11u
#define CODE_COMMAND    0x20u
#define CODE_RANGE      0x21u
#define CODE_FIELD      0x24u
#define CODE_NO_MEDIUM  0x3au

#define CD_BLOCK   2048u
#define CD_SECTORS (CD_BLOCK / BLK_SECTOR) /* of the disk below, in a block */
#define LEAD_OUT   0xaau
#define CD_FRAMES  75u  /* a second */
#define LEAD_IN    150u /* frames before block 0 */

static uint32_t get_be(const uint8_t *bytes, unsigned count)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void put_be(uint8_t *bytes, unsigned count, uint32_t value)
{
    for (unsigned i = 0; i < count; i++)
        bytes[i] = (uint8_t)(value >> 8 * (count - 1 - i));
}

static uint32_t cd_blocks(const struct ahci_port *port)
{
    uint64_t count = port->disk->geometry.sectors / CD_SECTORS;
    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static uint8_t keep_sense(struct ata_device *ata, uint8_t key, uint8_t code)
{
    ata->sense_key = key;
    ata->sense_code = code;
    ata->sense_qualifier = 0;
    return (uint8_t)((unsigned)key << 4 | (key ? ATA_ABRT : 0u));
}

static enum ata_verdict cd_check(struct ahci_port *port, uint8_t key, uint8_t code)
{
    port->ata.error = keep_sense(&port->ata, key, code);
    return ATA_FAILED;
}

uint8_t atapi_error(struct ata_device *ata, unsigned blk_status)
{
    if (blk_status == BLK_GONE)
        return keep_sense(ata, SENSE_NOT_READY, CODE_NO_MEDIUM);
    if (blk_status == BLK_RANGE)
        return keep_sense(ata, SENSE_ILLEGAL, CODE_RANGE);
    return keep_sense(ata, SENSE_MEDIUM, CODE_UNREADABLE);
}

/* A reply may be cut: the guest says how much it takes. */
static enum ata_verdict cd_reply(struct ahci_port *port, struct ahci_command *command,
                                 uint8_t *data, uint32_t size, uint32_t allowed)
{
    uint32_t part = size < allowed ? size : allowed;
    return part ? ata_reply(port, command, data, part) : ATA_DONE;
}

/* --- what the drive is --- */

enum ata_verdict atapi_identify(struct ahci_port *port, struct ahci_command *command)
{
    uint16_t word[256] = {
        [0] = 0x8580, /* CD-ROM, removable, packets of 12 bytes */
        [49] = 0x0f00, [53] = 6,      [63] = 7,      [64] = 3,      [65] = 120,    [66] = 120,
        [67] = 120,    [68] = 120,    [76] = 0x000e, [80] = 0x01f0, [82] = 0x4010, /* NOP, PACKET */
        [83] = 0x4000, [84] = 0x4000, [85] = 0x4010, [87] = 0x4000, [88] = 0x407f, [222] = 0x107f};
    const struct blk_geometry *geometry = &port->disk->geometry;
    char serial[sizeof geometry->serial + 1] = {0};
    memcpy(serial, geometry->serial, sizeof geometry->serial);
    ata_text(word + 10, 10, serial);
    ata_text(word + 23, 4, "1");
    ata_text(word + 27, 20, "MULLION CD-ROM");
    return ata_reply(port, command, word, sizeof word);
}

static enum ata_verdict inquiry(struct ahci_port *port, struct ahci_command *command)
{
    uint8_t data[36] = {0x05, 0x80, 0x05, 0x32, 31}; /* CD-ROM, removable, MMC, ATAPI */
    if (command->ata.packet[1] & 1u)
        return cd_check(port, SENSE_ILLEGAL, CODE_FIELD); /* no vital product data */
    memcpy(data + 8, "MULLION CD-ROM          1   ", 28);
    return cd_reply(port, command, data, sizeof data, get_be(command->ata.packet + 3, 2));
}

static enum ata_verdict request_sense(struct ahci_port *port, struct ahci_command *command)
{
    uint8_t data[18] = {0x70,
                        0,
                        port->ata.sense_key,
                        [7] = 10,
                        [12] = port->ata.sense_code,
                        [13] = port->ata.sense_qualifier};
    keep_sense(&port->ata, 0, 0);
    return cd_reply(port, command, data, sizeof data, command->ata.packet[4]);
}

static enum ata_verdict mode_sense(struct ahci_port *port, struct ahci_command *command)
{
    uint8_t page = command->ata.packet[2] & 0x3fu;
    uint8_t recovery[16] = {0, 14, [2] = 0x70, [8] = 1, 6};
    uint8_t capabilities[28] = {0, 26, [2] = 0x70, [8] = 0x2a, 18, [14] = 0x28};
    uint32_t allowed = get_be(command->ata.packet + 7, 2);
    if (page == 1)
        return cd_reply(port, command, recovery, sizeof recovery, allowed);
    if (page == 0x2a)
        return cd_reply(port, command, capabilities, sizeof capabilities, allowed);
    return cd_check(port, SENSE_ILLEGAL, CODE_FIELD);
}

static enum ata_verdict configuration(struct ahci_port *port, struct ahci_command *command)
{
    /* Current profile CD-ROM; the list of profiles with it, the core feature. */
    uint8_t data[28] = {
        [3] = 24, [7] = 8, [10] = 3, 4, [13] = 8, 1, [16] = 0, 1, [18] = 3, 8, [23] = 2};
    return cd_reply(port, command, data, sizeof data, get_be(command->ata.packet + 7, 2));
}

static enum ata_verdict event_status(struct ahci_port *port, struct ahci_command *command)
{
    bool media = command->ata.packet[4] & 0x10u; /* class 4 is asked for */
    uint8_t data[8] = {0, (uint8_t)(media ? 6 : 2), (uint8_t)(media ? 4 : 0x80), 0x10, 0, 2};
    if (!(command->ata.packet[1] & 1u))
        return cd_check(port, SENSE_ILLEGAL, CODE_FIELD); /* asynchronous operation */
    return cd_reply(port, command, data, media ? 8 : 4, get_be(command->ata.packet + 7, 2));
}

static enum ata_verdict mechanism(struct ahci_port *port, struct ahci_command *command)
{
    uint8_t data[8] = {0};
    return cd_reply(port, command, data, sizeof data, get_be(command->ata.packet + 8, 2));
}

/* --- the medium --- */

static void put_place(uint8_t place[4], uint32_t block, bool in_minutes)
{
    uint32_t frame = block + LEAD_IN;
    put_be(place, 4, block);
    if (in_minutes) {
        place[0] = 0;
        place[1] = (uint8_t)(frame / CD_FRAMES / 60);
        place[2] = (uint8_t)(frame / CD_FRAMES % 60);
        place[3] = (uint8_t)(frame % CD_FRAMES);
    }
}

/* One session with one data track. */
static enum ata_verdict read_toc(struct ahci_port *port, struct ahci_command *command)
{
    const uint8_t *packet = command->ata.packet;
    uint8_t data[20] = {0, 18, 1, 1, 0, 0x14, 1};
    uint32_t size = 20, allowed = get_be(packet + 7, 2);
    bool in_minutes = packet[1] & 2u;
    unsigned format = packet[2] & 15u ? packet[2] & 15u : packet[9] >> 6;
    if (format > 1)
        return cd_check(port, SENSE_ILLEGAL, CODE_FIELD);
    put_place(data + 8, 0, in_minutes);
    if (format == 1 || packet[6] == LEAD_OUT)
        size = 12;
    if (size == 20) {
        data[13] = 0x14;
        data[14] = LEAD_OUT;
        put_place(data + 16, cd_blocks(port), in_minutes);
    } else if (format == 0) {
        data[6] = LEAD_OUT;
        put_place(data + 8, cd_blocks(port), in_minutes);
    }
    data[1] = (uint8_t)(size - 2);
    return cd_reply(port, command, data, size, allowed);
}

static enum ata_verdict read_disc(struct ahci_port *port, struct ahci_command *command)
{
    uint8_t data[34] = {0, 32, 0x0e, 1, 1, 1, 1, 0x20}; /* complete, one session, one track */
    return cd_reply(port, command, data, sizeof data, get_be(command->ata.packet + 7, 2));
}

static enum ata_verdict read_capacity(struct ahci_port *port, struct ahci_command *command)
{
    uint8_t data[8];
    put_be(data, 4, cd_blocks(port) - 1);
    put_be(data + 4, 4, CD_BLOCK);
    return cd_reply(port, command, data, sizeof data, sizeof data);
}

static enum ata_verdict read_blocks(struct ahci_port *port, struct ata_command *ata, uint32_t count)
{
    uint32_t first = get_be(ata->packet + 2, 4);
    if (first > cd_blocks(port) || count > cd_blocks(port) - first)
        return cd_check(port, SENSE_ILLEGAL, CODE_RANGE);
    if (!count)
        return ATA_DONE;
    ata->op = BLK_READ;
    ata->sector = (uint64_t)first * CD_SECTORS;
    ata->left = (uint64_t)count * CD_SECTORS;
    return ATA_TO_DISK;
}

/* --- commands --- */

static enum ata_verdict with_medium(struct ahci_port *port, struct ahci_command *command)
{
    const uint8_t *packet = command->ata.packet;
    if (!cd_blocks(port))
        return cd_check(port, SENSE_NOT_READY, CODE_NO_MEDIUM);
    switch (packet[0]) {
    case TEST_UNIT_READY:
    case SEEK_10:
        return ATA_DONE;
    case READ_CAPACITY:
        return read_capacity(port, command);
    case READ_10:
        return read_blocks(port, &command->ata, get_be(packet + 7, 2));
    case READ_12:
        return read_blocks(port, &command->ata, get_be(packet + 6, 4));
    case READ_TOC:
        return read_toc(port, command);
    case READ_DISC:
        return read_disc(port, command);
    default:
        return cd_check(port, SENSE_ILLEGAL, CODE_COMMAND);
    }
}

enum ata_verdict atapi_packet(struct ahci_port *port, struct ahci_command *command)
{
    switch (command->ata.packet[0]) {
    case REQUEST_SENSE:
        return request_sense(port, command);
    case INQUIRY:
        return inquiry(port, command);
    case START_STOP: /* the tray does not open */
    case PREVENT_REMOVAL:
        return ATA_DONE;
    case GET_CONFIGURATION:
        return configuration(port, command);
    case GET_EVENT_STATUS:
        return event_status(port, command);
    case MODE_SENSE_10:
        return mode_sense(port, command);
    case MECHANISM_STATUS:
        return mechanism(port, command);
    default:
        return with_medium(port, command);
    }
}
