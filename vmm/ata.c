/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/ata.h"

#include <string.h>
#include "vmm/ahci.h"

#define DATA_SET_MANAGEMENT 0x06u
#define READ_SECTORS        0x20u
#define READ_SECTORS_EXT    0x24u
#define READ_DMA_EXT        0x25u
#define READ_MULTIPLE_EXT   0x29u
#define READ_LOG_EXT        0x2fu
#define WRITE_SECTORS       0x30u
#define WRITE_SECTORS_EXT   0x34u
#define WRITE_DMA_EXT       0x35u
#define WRITE_MULTIPLE_EXT  0x39u
#define WRITE_DMA_FUA_EXT   0x3du
#define READ_VERIFY         0x40u
#define READ_VERIFY_EXT     0x42u
#define READ_FPDMA_QUEUED   0x60u
#define WRITE_FPDMA_QUEUED  0x61u
#define INIT_PARAMETERS     0x91u
#define PACKET              0xa0u
#define IDENTIFY_PACKET     0xa1u
#define READ_MULTIPLE       0xc4u
#define WRITE_MULTIPLE      0xc5u
#define SET_MULTIPLE        0xc6u
#define READ_DMA            0xc8u
#define WRITE_DMA           0xcau
#define WRITE_MULTIPLE_FUA  0xceu
#define STANDBY_IMMEDIATE   0xe0u
#define IDLE_IMMEDIATE      0xe1u
#define STANDBY             0xe2u
#define IDLE                0xe3u
#define CHECK_POWER_MODE    0xe5u
#define SLEEP               0xe6u
#define FLUSH_CACHE         0xe7u
#define FLUSH_CACHE_EXT     0xeau
#define IDENTIFY_DEVICE     0xecu
#define SET_FEATURES        0xefu

#define DEVICE_LBA    0x40u
#define DEVICE_FUA    0x80u /* queued writes */
#define DSM_TRIM      1u
#define POWER_ACTIVE  0xffu
#define MULTIPLE_MAX  16u
#define LOG_DIRECTORY 0x00u
#define LOG_NCQ_ERROR 0x10u
#define LBA_MASK      0xffffffffffffull
#define LBA28_MAX     0x0fffffffull

#define FEATURE_CACHE_ON       0x02u
#define FEATURE_TRANSFER_MODE  0x03u
#define FEATURE_NO_LOOK_AHEAD  0x55u
#define FEATURE_KEEP_DEFAULTS  0x66u
#define FEATURE_CACHE_OFF      0x82u
#define FEATURE_LOOK_AHEAD     0xaau
#define FEATURE_POWER_DEFAULTS 0xccu

static enum ata_verdict ata_fail(struct ahci_port *port, uint8_t error)
{
    port->ata.error = error;
    return ATA_FAILED;
}

enum ata_verdict ata_reply(struct ahci_port *port, struct ahci_command *command, void *data,
                           uint32_t size)
{
    uint32_t before = command->moved;
    ahci_copy(port, command, data, size, true);
    command->ata.pio = true;
    return command->moved - before == size ? ATA_DONE : ATA_NO_MEMORY;
}

void ata_text(uint16_t *word, unsigned words, const char *text)
{
    for (unsigned i = 0; i < words; i++) {
        uint8_t pair[2];
        for (unsigned j = 0; j < 2; j++)
            pair[j] = *text ? (uint8_t)*text++ : ' ';
        word[i] = (uint16_t)(pair[0] << 8 | pair[1]);
    }
}

/* --- IDENTIFY DEVICE --- */

static uint64_t ata_blocks(const struct ahci_port *port)
{
    return port->disk->geometry.sectors / (port->disk->geometry.block_size / BLK_SECTOR);
}

static void put_capacity(uint16_t *word, uint64_t count, uint32_t block_size, uint32_t physical)
{
    uint32_t low = count < LBA28_MAX ? (uint32_t)count : (uint32_t)LBA28_MAX;
    unsigned exponent = 0;
    while (exponent < 15 && block_size << (exponent + 1) <= physical)
        exponent++;
    memcpy(word + 60, &low, 4);
    for (unsigned i = 0; i < 4; i++)
        word[100 + i] = (uint16_t)(count >> 16 * i);
    word[106] = (uint16_t)(0x4000 | (exponent ? 0x2000 | exponent : 0) |
                           (block_size > BLK_SECTOR ? 0x1000 : 0));
    if (block_size > BLK_SECTOR)
        word[117] = (uint16_t)(block_size / 2);
    word[209] = 0x4000;
}

/* Disks of more than 8 GB report this, and are addressed by block number. */
static void put_cylinders(uint16_t *word)
{
    word[1] = word[54] = 16383;
    word[3] = word[55] = 16;
    word[6] = word[56] = 63;
    word[57] = 0xfc10;
    word[58] = 0x00fb;
}

static void put_features(const struct ahci_port *port, uint16_t *word)
{
    const struct blk_geometry *geometry = &port->disk->geometry;
    bool cache = port->ata.write_cache;
    word[82] = 0x4020; /* NOP, write cache */
    word[83] = 0x7400; /* 48 bits, both FLUSH CACHE */
    word[84] = 0x4060; /* logs, WRITE DMA FUA EXT */
    word[85] = (uint16_t)(0x4000 | (cache ? 0x20 : 0));
    word[86] = 0xb400;
    word[87] = 0x4060;
    word[119] = word[120] = 0x4000;
    if (geometry->flags & BLK_GEOMETRY_DISCARD) {
        word[105] = 1;
        word[169] = DSM_TRIM;
    }
}

static enum ata_verdict ata_identify(struct ahci_port *port, struct ahci_command *command)
{
    const struct blk_geometry *geometry = &port->disk->geometry;
    uint16_t word[256] = {[0] = 0x0040,
                          [47] = 0x8000 | MULTIPLE_MAX,
                          [48] = 0x4000,
                          [49] = 0x2f00, /* DMA, LBA, IORDY */
                          [50] = 0x4000,
                          [53] = 7,
                          [63] = 7,
                          [64] = 3,
                          [65] = 120,
                          [66] = 120,
                          [67] = 120,
                          [68] = 120,
                          [75] = ATA_QUEUE_DEPTH - 1,
                          [76] = 0x010e, /* NCQ, three generations of speed */
                          [80] = 0x01f0, /* ATA/ATAPI-4 to ACS */
                          [88] = 0x407f,
                          [217] = 1, /* nothing rotates */
                          [222] = 0x107f,
                          [255] = 0x00a5};
    uint8_t sum = 0;
    char serial[sizeof geometry->serial + 1] = {0};
    memcpy(serial, geometry->serial, sizeof geometry->serial);
    ata_text(word + 10, 10, serial);
    ata_text(word + 23, 4, "1");
    ata_text(word + 27, 20, "MULLION DISK");
    put_cylinders(word);
    if (port->ata.multiple)
        word[59] = (uint16_t)(0x100 | port->ata.multiple);
    put_capacity(word, ata_blocks(port), geometry->block_size, geometry->physical_size);
    put_features(port, word);
    if (geometry->flags & BLK_GEOMETRY_ROTATIONAL)
        word[217] = 7200;
    for (unsigned i = 0; i < 511; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)word)[i]);
    word[255] |= (uint16_t)((uint8_t)(0 - sum) << 8);
    return ata_reply(port, command, word, sizeof word);
}

/* --- reads and writes --- */

/* Bits of transfer commands. */
#define T_WRITE  1u
#define T_EXT    2u
#define T_PIO    4u
#define T_FUA    8u
#define T_QUEUED 16u
#define T_KNOWN  128u

static unsigned transfer_of(uint8_t command)
{
    static const uint8_t kind[256] = {
        [READ_SECTORS] = T_KNOWN | T_PIO,
        [READ_SECTORS + 1] = T_KNOWN | T_PIO, /* the old one without retries */
        [READ_MULTIPLE] = T_KNOWN | T_PIO,
        [READ_DMA] = T_KNOWN,
        [READ_DMA + 1] = T_KNOWN,
        [READ_SECTORS_EXT] = T_KNOWN | T_PIO | T_EXT,
        [READ_MULTIPLE_EXT] = T_KNOWN | T_PIO | T_EXT,
        [READ_DMA_EXT] = T_KNOWN | T_EXT,
        [READ_FPDMA_QUEUED] = T_KNOWN | T_EXT | T_QUEUED,
        [WRITE_SECTORS] = T_KNOWN | T_WRITE,
        [WRITE_SECTORS + 1] = T_KNOWN | T_WRITE,
        [WRITE_MULTIPLE] = T_KNOWN | T_WRITE,
        [WRITE_DMA] = T_KNOWN | T_WRITE,
        [WRITE_DMA + 1] = T_KNOWN | T_WRITE,
        [WRITE_SECTORS_EXT] = T_KNOWN | T_WRITE | T_EXT,
        [WRITE_MULTIPLE_EXT] = T_KNOWN | T_WRITE | T_EXT,
        [WRITE_DMA_EXT] = T_KNOWN | T_WRITE | T_EXT,
        [WRITE_DMA_FUA_EXT] = T_KNOWN | T_WRITE | T_EXT | T_FUA,
        [WRITE_MULTIPLE_FUA] = T_KNOWN | T_WRITE | T_EXT | T_FUA,
        [WRITE_FPDMA_QUEUED] = T_KNOWN | T_WRITE | T_EXT | T_QUEUED,
    };
    return kind[command];
}

bool ata_is_queued(uint8_t command)
{
    return transfer_of(command) & T_QUEUED;
}

/* Block number and number of blocks; 0 blocks mean the most that the field can say. */
static void ata_decode(const struct ata_command *ata, unsigned kind, uint64_t *lba, uint32_t *count)
{
    uint32_t number = kind & T_QUEUED ? ata->features : ata->count;
    *lba = ata->lba & LBA_MASK;
    *count = number ? number : 65536;
    if (!(kind & T_EXT)) {
        *lba = (ata->lba & 0xffffff) | (uint64_t)(ata->device & 15u) << 24;
        *count = number & 0xffu ? number & 0xffu : 256;
    }
}

static enum ata_verdict ata_transfer(struct ahci_port *port, struct ata_command *ata, unsigned kind)
{
    const struct disk *disk = port->disk;
    uint64_t lba, unit = disk->geometry.block_size / BLK_SECTOR;
    uint32_t count;
    ata_decode(ata, kind, &lba, &count);
    if (!(ata->device & DEVICE_LBA))
        return ata_fail(port, ATA_ABRT);
    if (lba > ata_blocks(port) || count > ata_blocks(port) - lba)
        return ata_fail(port, ATA_IDNF);
    ata->sector = lba * unit;
    ata->left = count * unit;
    ata->op = kind & T_WRITE ? BLK_WRITE : BLK_READ;
    ata->pio = kind & T_PIO;
    bool fua = kind & T_FUA || (kind & T_QUEUED && ata->device & DEVICE_FUA);
    ata->durable = kind & T_WRITE && disk->config->cache != VMM_CACHE_UNSAFE &&
                   (fua || !port->ata.write_cache || disk->config->cache == VMM_CACHE_WRITETHROUGH);
    return ATA_TO_DISK;
}

static enum ata_verdict ata_verify(struct ahci_port *port, const struct ata_command *ata, bool ext)
{
    uint64_t lba;
    uint32_t count;
    ata_decode(ata, ext ? T_EXT : 0, &lba, &count);
    if (lba > ata_blocks(port) || count > ata_blocks(port) - lba)
        return ata_fail(port, ATA_IDNF);
    return ATA_DONE;
}

/* --- what moves no data --- */

static enum ata_verdict ata_flush(struct ahci_port *port, struct ata_command *ata)
{
    if (port->disk->config->cache == VMM_CACHE_UNSAFE ||
        !(port->disk->geometry.flags & BLK_GEOMETRY_FLUSH))
        return ATA_DONE;
    ata->op = BLK_FLUSH;
    ata->left = 1; /* request */
    return ATA_TO_DISK;
}

static enum ata_verdict ata_trim(struct ahci_port *port, struct ahci_command *command)
{
    struct ata_device *device = &port->ata;
    uint32_t size = sizeof device->trim;
    if (!(command->ata.features & DSM_TRIM) || command->ata.count != 1 ||
        !(port->disk->geometry.flags & BLK_GEOMETRY_DISCARD))
        return ata_fail(port, ATA_ABRT);
    ahci_copy(port, command, device->trim, size, false);
    if (command->moved != size)
        return ATA_NO_MEMORY;
    device->trims = ATA_TRIM_RANGES;
    command->ata.op = BLK_DISCARD;
    return ATA_TO_DISK;
}

bool ata_next(struct ahci_port *port, struct ahci_command *command)
{
    struct ata_device *device = &port->ata;
    uint64_t unit = port->disk->geometry.block_size / BLK_SECTOR;
    port->next = (struct disk_request){.op = command->ata.op};
    if (command->ata.op == BLK_FLUSH)
        return command->ata.left-- == 1;
    while (device->trims) {
        uint64_t range = device->trim[--device->trims], count = range >> 48;
        if (!count)
            continue;
        port->next.sector = (range & LBA_MASK) * unit;
        port->next.sectors = count * unit;
        return true;
    }
    return false;
}

static enum ata_verdict set_features(struct ahci_port *port, const struct ata_command *ata)
{
    switch (ata->features & 0xffu) {
    case FEATURE_CACHE_ON:
    case FEATURE_CACHE_OFF:
        port->ata.write_cache = (ata->features & 0xffu) == FEATURE_CACHE_ON;
        return ATA_DONE;
    case FEATURE_TRANSFER_MODE:
    case FEATURE_LOOK_AHEAD:
    case FEATURE_NO_LOOK_AHEAD:
    case FEATURE_KEEP_DEFAULTS:
    case FEATURE_POWER_DEFAULTS:
        return ATA_DONE;
    default:
        return ata_fail(port, ATA_ABRT);
    }
}

static enum ata_verdict set_multiple(struct ahci_port *port, const struct ata_command *ata)
{
    unsigned count = ata->count & 0xffu;
    if (count > MULTIPLE_MAX || count & (count - 1))
        return ata_fail(port, ATA_ABRT);
    port->ata.multiple = (uint8_t)count;
    return ATA_DONE;
}

static enum ata_verdict read_log(struct ahci_port *port, struct ahci_command *command)
{
    uint16_t directory[256] = {[0] = 1, [LOG_NCQ_ERROR] = 1};
    unsigned log = command->ata.lba & 0xffu;
    if (command->ata.count != 1 || command->ata.lba >> 8 & 0xffu)
        return ata_fail(port, ATA_ABRT);
    if (log == LOG_DIRECTORY)
        return ata_reply(port, command, directory, sizeof directory);
    if (log != LOG_NCQ_ERROR)
        return ata_fail(port, ATA_ABRT);
    return ata_reply(port, command, port->ata.error_log, sizeof port->ata.error_log);
}

/* --- commands --- */

static enum ata_verdict begin_disk(struct ahci_port *port, struct ahci_command *command)
{
    struct ata_command *ata = &command->ata;
    unsigned kind = transfer_of(ata->command);
    if (kind & T_KNOWN)
        return ata_transfer(port, ata, kind);
    switch (ata->command) {
    case IDENTIFY_DEVICE:
        return ata_identify(port, command);
    case FLUSH_CACHE:
    case FLUSH_CACHE_EXT:
        return ata_flush(port, ata);
    case DATA_SET_MANAGEMENT:
        return ata_trim(port, command);
    case READ_VERIFY:
    case READ_VERIFY_EXT:
        return ata_verify(port, ata, ata->command == READ_VERIFY_EXT);
    case SET_MULTIPLE:
        return set_multiple(port, ata);
    case READ_LOG_EXT:
        return read_log(port, command);
    case INIT_PARAMETERS:
        return ATA_DONE;
    default:
        return ata_fail(port, ATA_ABRT);
    }
}

enum ata_verdict ata_begin(struct ahci_port *port, struct ahci_command *command)
{
    struct ata_command *ata = &command->ata;
    switch (ata->command) {
    case SET_FEATURES:
        return set_features(port, ata);
    case STANDBY_IMMEDIATE:
    case IDLE_IMMEDIATE:
    case STANDBY:
    case IDLE:
    case SLEEP:
        return ATA_DONE;
    case CHECK_POWER_MODE:
        ata->count = POWER_ACTIVE;
        return ATA_DONE;
    default:
        break;
    }
    if (!port->ata.is_atapi)
        return begin_disk(port, command);
    switch (ata->command) {
    case IDENTIFY_PACKET:
        return atapi_identify(port, command);
    case PACKET:
        return atapi_packet(port, command);
    default: /* IDENTIFY DEVICE too: that is how an ATAPI device is told */
        return ata_fail(port, ATA_ABRT);
    }
}

/* --- errors --- */

void ata_keep_error(struct ahci_port *port, const struct ata_command *ata, unsigned slot,
                    uint8_t error)
{
    uint8_t *log = port->ata.error_log, sum = 0;
    memset(log, 0, sizeof port->ata.error_log);
    log[0] = (uint8_t)slot;
    log[2] = ATA_READY | ATA_ERR;
    log[3] = error;
    for (unsigned i = 0; i < 3; i++) {
        log[4 + i] = (uint8_t)(ata->lba >> 8 * i);
        log[8 + i] = (uint8_t)(ata->lba >> (24 + 8 * i));
    }
    log[7] = ata->device;
    for (unsigned i = 0; i < 511; i++)
        sum = (uint8_t)(sum + log[i]);
    log[511] = (uint8_t)(0 - sum);
}

uint8_t ata_error(struct ahci_port *port, const struct ata_command *ata, unsigned blk_status)
{
    if (port->ata.is_atapi)
        return atapi_error(&port->ata, blk_status);
    if (blk_status == BLK_IO_ERROR && ata->op == BLK_READ)
        return ATA_UNC;
    return blk_status == BLK_RANGE ? ATA_IDNF : ATA_ABRT;
}

void ata_reset(struct ahci_port *port)
{
    port->ata = (struct ata_device){.is_atapi = port->disk->config->cdrom, .write_cache = true};
}
