/* SPDX-License-Identifier: BSD-2-Clause */
/* Command headers, tables and what becomes of them: AHCI 1.3.1, "Building a Command", "Processing
 * Completed Commands". */
#include "drivers/ahci/channel.h"
#include "drivers/ahci/hba.h"

#include <string.h>
#include "user/program.h"

#define DATA_NS      (15000 * MS)
#define SLOW_NS      (60000 * MS) /* flush, trim: what is behind them is unknown */
#define OWN_NS       (10000 * MS)
#define COMMAND_MAX  (4u << 20) /* bytes: longer ones would make others wait */
#define BLOCKS_28    256u
#define BLOCKS_48    65536u
#define TRIM_RANGE   0xffffu
#define TRIM_ENTRIES 64u /* a page of 512 bytes */

static struct command_table *table_at(const struct port *port, uint32_t slot)
{
    return &port->dma->table[slot];
}

static void fill_header(const struct port *port, struct command_header *header,
                        const struct command_table *table, uint32_t flags, uint32_t entries)
{
    uint64_t offset = (uint64_t)((const uint8_t *)table - (const uint8_t *)port->dma);
    *header = (struct command_header){.flags = HEADER_FIS_DWORDS | flags | entries << 16,
                                      .table = port->dma_base + offset};
}

struct fis_h2d command_fis(uint32_t command, uint64_t lba, uint32_t count)
{
    struct fis_h2d fis = {.type = FIS_H2D,
                          .pm_c = FIS_H2D_C,
                          .command = (uint8_t)command,
                          .device = ATA_DEVICE_LBA,
                          .count = (uint8_t)count,
                          .count_exp = (uint8_t)(count >> 8)};
    for (uint32_t i = 0; i < 3; i++) {
        fis.lba_low[i] = (uint8_t)(lba >> 8 * i);
        fis.lba_high[i] = (uint8_t)(lba >> (24 + 8 * i));
    }
    return fis;
}

static struct fis_h2d fis_queued(uint32_t slot, const struct command *c, bool write, bool fua)
{
    struct fis_h2d fis =
        command_fis(write ? ATA_WRITE_FPDMA_QUEUED : ATA_READ_FPDMA_QUEUED, c->lba, slot << 3);
    fis.feature = (uint8_t)c->blocks;
    fis.feature_exp = (uint8_t)(c->blocks >> 8);
    if (fua)
        fis.device |= ATA_DEVICE_FUA;
    return fis;
}

static struct fis_h2d fis_dma(const struct disk *disk, const struct command *c, bool write,
                              bool fua)
{
    if (disk->lba48) {
        uint32_t command =
            write ? (fua ? ATA_WRITE_DMA_FUA_EXT : ATA_WRITE_DMA_EXT) : ATA_READ_DMA_EXT;
        return command_fis(command, c->lba, c->blocks);
    }
    struct fis_h2d fis =
        command_fis(write ? ATA_WRITE_DMA : ATA_READ_DMA, c->lba & 0xffffff, c->blocks & 0xff);
    fis.device |= (uint8_t)(c->lba >> 24 & 15);
    return fis;
}

static struct fis_h2d fis_packet(const struct disk *disk)
{
    struct fis_h2d fis = command_fis(ATA_PACKET, 0, 0);
    fis.feature = ATA_PACKET_DMA;
    if (disk->dma_dir)
        fis.feature |= ATA_PACKET_DMA_DIR;
    return fis;
}

static void packet_read(uint8_t *packet, uint64_t lba, uint32_t blocks)
{
    memset(packet, 0, 16);
    packet[0] = SCSI_READ_10;
    for (uint32_t i = 0; i < 4; i++)
        packet[2 + i] = (uint8_t)(lba >> (24 - 8 * i));
    packet[7] = (uint8_t)(blocks >> 8);
    packet[8] = (uint8_t)blocks;
}

/* --- data --- */

/* Where the next bytes of the request are; *length: how many lie there. */
static uint64_t next_piece(struct request *r, uint32_t *length)
{
    const struct hba *hba = r->channel->port->hba;
    if (r->op == BLK_WRITE_ZEROES) {
        *length = AHCI_DMA_ZERO;
        return hba->dma_base;
    }
    const struct blk_segment *part = &r->part[r->segment];
    *length = part->length - r->offset;
    return r->channel->memory[part->memory].base + part->offset + r->offset;
}

static void advance(struct request *r, uint32_t bytes)
{
    if (r->op == BLK_WRITE_ZEROES)
        return;
    r->offset += bytes;
    if (r->offset == r->part[r->segment].length) {
        r->segment++;
        r->offset = 0;
    }
}

static uint32_t blocks_max(const struct disk *disk)
{
    uint32_t most = disk->lba48 || disk->packet ? BLOCKS_48 : BLOCKS_28;
    if (disk->packet)
        most--; /* READ (10) counts to 65535 */
    return COMMAND_MAX / disk->block_size < most ? COMMAND_MAX / disk->block_size : most;
}

/* Takes up to `blocks` from the request into the table. All of COMMAND_MAX fit: no piece is longer
 * than an entry's limit, and a request has fewer pieces than the table entries. */
static uint32_t fill_prdt(struct request *r, struct command_table *table, uint32_t block_size,
                          uint32_t *blocks)
{
    _Static_assert(PRDT_MAX > BLK_SEGMENTS_MAX, "a request fits");
    uint32_t left = *blocks * block_size, entries = 0;
    while (left && entries < PRDT_MAX) {
        uint32_t length;
        uint64_t address = next_piece(r, &length);
        length = length < left ? length : left;
        length = length < PRDT_BYTES_MAX ? length : PRDT_BYTES_MAX;
        table->prdt[entries++] = (struct prdt_entry){.address = address, .count = length - 1};
        advance(r, length);
        left -= length;
    }
    *blocks -= left / block_size;
    return entries;
}

static uint32_t take_slot(struct port *port)
{
    uint32_t slot = (uint32_t)__builtin_ctz(port->usable & ~port->busy);
    port->busy |= 1u << slot;
    return slot;
}

static void build_data(struct port *port, uint32_t slot, struct request *r)
{
    struct command_table *table = table_at(port, slot);
    struct command *c = &port->command[slot];
    const struct disk *disk = &port->disk;
    bool write = r->op != BLK_READ;
    uint32_t most = blocks_max(disk);
    if (r->op == BLK_WRITE_ZEROES && most > PRDT_MAX * (AHCI_DMA_ZERO / disk->block_size))
        most = PRDT_MAX * (AHCI_DMA_ZERO / disk->block_size);
    uint32_t blocks = r->blocks < most ? (uint32_t)r->blocks : most;
    uint32_t entries = fill_prdt(r, table, disk->block_size, &blocks);
    c->kind = write ? COMMAND_WRITE : COMMAND_READ;
    c->lba = r->lba;
    c->blocks = blocks;
    uint32_t flags = write ? HEADER_WRITE : 0;
    if (disk->packet) {
        flags |= HEADER_ATAPI;
        table->fis = fis_packet(disk);
        packet_read(table->packet, c->lba, blocks);
    } else if (disk->depth > 1) {
        table->fis = fis_queued(slot, c, write, r->fua);
    } else {
        table->fis = fis_dma(disk, c, write, r->fua);
    }
    fill_header(port, &port->dma->header[slot], table, flags, entries);
}

/* One payload a port is enough: a TRIM runs alone. */
static void build_trim(struct port *port, uint32_t slot, const struct request *r)
{
    struct command_table *table = table_at(port, slot);
    struct command *c = &port->command[slot];
    uint32_t room = port->disk.trim_pages * TRIM_ENTRIES, n = 0;
    uint64_t lba = r->lba, left = r->blocks;
    memset(port->dma->trim, 0, sizeof(port->dma->trim));
    for (; n < room && left; n++) {
        uint64_t count = left < TRIM_RANGE ? left : TRIM_RANGE;
        port->dma->trim[n] = lba | count << 48;
        lba += count;
        left -= count;
    }
    uint32_t pages = (n + TRIM_ENTRIES - 1) / TRIM_ENTRIES;
    c->kind = COMMAND_TRIM;
    c->lba = r->lba;
    c->blocks = (uint32_t)(r->blocks - left);
    table->fis = command_fis(ATA_DATA_SET_MGMT, 0, pages);
    table->fis.feature = ATA_DSM_TRIM;
    table->prdt[0] = (struct prdt_entry){
        .address = port->dma_base + offsetof(struct port_dma, trim), .count = pages * 512 - 1};
    fill_header(port, &port->dma->header[slot], table, HEADER_WRITE, 1);
}

uint32_t command_build(struct port *port, struct request *r)
{
    uint32_t slot = take_slot(port);
    struct command *c = &port->command[slot];
    *c = (struct command){.request = r};
    if (r->op == BLK_DISCARD)
        build_trim(port, slot, r);
    else
        build_data(port, slot, r);
    r->lba += c->blocks;
    r->blocks -= c->blocks;
    r->inflight++;
    channel_count(r->channel, AHCI_CHANNEL_COMMANDS, 1);
    return slot;
}

uint32_t command_build_flush(struct port *port)
{
    uint32_t slot = take_slot(port);
    struct command_table *table = table_at(port, slot);
    port->command[slot] = (struct command){.kind = COMMAND_FLUSH};
    table->fis = command_fis(port->disk.flush_ext ? ATA_FLUSH_CACHE_EXT : ATA_FLUSH_CACHE, 0, 0);
    fill_header(port, &port->dma->header[slot], table, 0, 0);
    return slot;
}

/* --- to the controller and back --- */

void command_issue(struct port *port, uint32_t slot)
{
    struct command *c = &port->command[slot];
    bool data = c->kind == COMMAND_READ || c->kind == COMMAND_WRITE;
    uint32_t bit = 1u << slot;
    c->deadline_ns = port->hba->now + (data ? DATA_NS : SLOW_NS);
    port->dma->header[slot].bytes = 0;
    port->again &= ~bit;
    port->issued |= bit;
    port_count(port, AHCI_STAT_COMMANDS);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* tables before registers */
    if (data && port->disk.depth > 1) {
        port->queued |= bit;
        port_write(port, PORT_SACT, bit);
    }
    port_write(port, PORT_CI, bit);
}

static void own_issue(struct port *port, uint32_t flags, uint32_t offset, uint32_t bytes)
{
    struct command_table *table = &port->dma->internal;
    table->prdt[0] =
        (struct prdt_entry){.address = port->dma_base + offset, .count = (bytes ? bytes : 2) - 1};
    port->saved = port->dma->header[0];
    fill_header(port, &port->dma->header[0], table, flags, bytes ? 1 : 0);
    port->own = (struct command){.kind = COMMAND_OWN, .deadline_ns = port->hba->now + OWN_NS};
    port->own_issued = true;
    port_count(port, AHCI_STAT_COMMANDS);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    port_write(port, PORT_CI, 1);
    /* PIO tells of its start, not of its end. */
    port_wake_at(port, port->hba->now + MS);
}

void command_own(struct port *port, const struct fis_h2d *fis, uint32_t offset, uint32_t bytes)
{
    port->dma->internal.fis = *fis;
    own_issue(port, 0, offset, bytes);
}

void command_own_packet(struct port *port, const uint8_t *packet, uint32_t offset, uint32_t bytes)
{
    port->dma->internal.fis = fis_packet(&port->found);
    memcpy(port->dma->internal.packet, packet, 12);
    own_issue(port, HEADER_ATAPI, offset, bytes);
}

void command_end(struct port *port, uint32_t slot, enum blk_status status)
{
    struct command *c = &port->command[slot];
    struct request *request = c->request;
    uint32_t bit = 1u << slot;
    bool flush = c->kind == COMMAND_FLUSH;
    port->busy &= ~bit;
    port->issued &= ~bit;
    port->queued &= ~bit;
    port->again &= ~bit;
    port->suspects &= ~bit;
    *c = (struct command){0};
    if (flush)
        schedule_flushed(port, status);
    else if (request)
        request_command_done(request, status);
}

void command_own_end(struct port *port)
{
    if (port->own_issued)
        port->dma->header[0] = port->saved;
    port->own_issued = false;
}

static void harvest_own(struct port *port, uint32_t error)
{
    if (!error && port_read(port, PORT_CI) & 1)
        return;
    bool ok = !error && !(port_read(port, PORT_TFD) & (TFD_ERR | TFD_DF));
    command_own_end(port);
    port->wake_ns = 0;
    if (port->state == PORT_LOG)
        recovery_log_done(port, ok);
    else
        probe_done(port, ok);
}

/* A packet device may deliver less than it was asked for, and call it success. */
static bool is_short(const struct port *port, uint32_t slot)
{
    const struct command *c = &port->command[slot];
    return port->disk.packet && c->kind == COMMAND_READ &&
           *(const volatile uint32_t *)&port->dma->header[slot].bytes !=
               c->blocks * port->disk.block_size;
}

void command_harvest(struct port *port, uint32_t error)
{
    if (port->own_issued) {
        harvest_own(port, error);
        return;
    }
    if (!port->issued)
        return;
    uint32_t single = port->issued & ~port->queued;
    uint32_t done;
    if (single) {
        /* It runs alone. Some controllers clear CI also when it has failed. */
        bool failed = error || port_read(port, PORT_TFD) & (TFD_ERR | TFD_DF);
        done = failed ? 0 : single & ~port_read(port, PORT_CI);
    } else {
        done = port->issued & ~port_read(port, PORT_SACT);
    }
    while (done) {
        uint32_t slot = (uint32_t)__builtin_ctz(done);
        done &= done - 1;
        bool short_read = is_short(port, slot);
        port->silent = 0;
        command_end(port, slot, short_read ? BLK_IO_ERROR : BLK_OK);
    }
}
