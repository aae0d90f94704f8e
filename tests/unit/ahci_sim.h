/* SPDX-License-Identifier: BSD-2-Clause */
/* A simulated AHCI controller with disks, for the driver's own code: registers as AHCI 1.3.1 has
 * them, command list and PRDT walk on fake physical memory, a volatile write cache, faults.
 * Commands end when sim_step() picks them, in any order that NCQ allows. What no driver may do (DMA
 * outside of its memory, commands to a stopped engine or a busy disk) sets `sim.violation`. */
#ifndef TESTS_UNIT_AHCI_SIM_H
#define TESTS_UNIT_AHCI_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/fake_syscalls.h"
#include "drivers/ahci/channel.h"

#define SIM_PORTS   4u
#define SIM_REGIONS 20u
#define SIM_BLOCKS  256u

struct sim_disk {
    bool attached, packet, ncq, lba48, fua, cache_on, trim, log10h;
    uint32_t block_size, depth, blocks;
    uint8_t *view, *medium; /* what reads see; what survives a power cut */
    bool dirty[SIM_BLOCKS], bad[SIM_BLOCKS];
    bool flush_fails; /* the next one */
    char serial[21];
    uint16_t garbage[256]; /* instead of IDENTIFY's words, if garbage_on */
    bool garbage_on;
    uint32_t unit_attentions;
};

struct sim_port {
    uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
    uint32_t active, fpdma; /* the disk has them; of those, queued */
    bool halted, ncq_error, hung, linking;
    uint32_t failed_tag, cr_delay;
    uint64_t failed_lba;
    uint64_t ready_at;
    uint32_t p_abort, p_link, p_hang; /* per 1000 commands */
    uint32_t poison;                  /* block number + 1: commands on it are never answered */
    uint32_t commands, flushes, resets, fuas;
    struct sim_disk disk;
};

struct sim_region {
    uint64_t base, size;
    uint8_t *host;
};

static struct {
    uint32_t cap, ghc, is, pi, cap2, bohc;
    struct sim_port port[SIM_PORTS];
    struct sim_region region[SIM_REGIONS];
    uint64_t now, random;
    bool irq;        /* the interrupt is pending at the process */
    uint32_t p_lost; /* per 1000 interrupts: never arrives */
    uint32_t die_in; /* register accesses and signals until the driver is killed; 0: never */
    jmp_buf death;
    const char *violation;
    uint64_t interrupts, signals;
    uint64_t signalled; /* bits at clients */
} sim;

static uint32_t sim_random(uint32_t below)
{
    sim.random = sim.random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((sim.random >> 33) % (below ? below : 1));
}

static bool sim_chance(uint32_t per_mille)
{
    return per_mille && sim_random(1000) < per_mille;
}

static void sim_violate(const char *what)
{
    if (!sim.violation)
        sim.violation = what;
}

/* --- what the driver calls --- */

static void sim_mortal(void)
{
    if (sim.die_in && --sim.die_in == 0)
        longjmp(sim.death, 1);
}

uint64_t time_ns(void)
{
    return sim.now;
}

void log_line(const char *format, ...)
{
    va_list args;
    if (!getenv("AHCI_LOG"))
        return;
    va_start(args, format);
    printf("%9.3f ms ", (double)sim.now / 1e6);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    va_end(args);
}

void fatal(const char *format, ...)
{
    printf("fatal: %s\n", format);
    abort();
}

static uint32_t sim_bills[64]; /* of whom */
int64_t sys_sc_bill(uint32_t notif)
{
    sim_bills[notif % 64]++;
    return 0;
}

int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    (void)notif;
    sim_mortal();
    sim.signals++;
    sim.signalled |= bits;
    return 0;
}

void hba_pause(const struct hba *hba)
{
    (void)hba;
    sim.now += MS;
}

/* --- memory --- */

static uint8_t *sim_memory(uint64_t address, uint64_t size)
{
    for (uint32_t i = 0; i < SIM_REGIONS; i++) {
        const struct sim_region *r = &sim.region[i];
        if (r->host && address >= r->base && address - r->base < r->size &&
            size <= r->size - (address - r->base))
            return r->host + (address - r->base);
    }
    sim_violate("DMA outside of the memory that was given");
    return NULL;
}

static uint64_t sim_wide(uint32_t low, uint32_t high)
{
    return low | (uint64_t)high << 32;
}

static struct command_header *sim_header(const struct sim_port *p, uint32_t slot)
{
    return (struct command_header *)sim_memory(sim_wide(p->clb, p->clbu) + 32ull * slot, 32);
}

static const struct command_table *sim_table(const struct sim_port *p, uint32_t slot)
{
    const struct command_header *h = sim_header(p, slot);
    uint32_t entries = h ? h->flags >> 16 : 0;
    if (!h)
        return NULL;
    if ((h->flags & 31) != 5 || h->table & 127)
        sim_violate("a malformed command header");
    return (const struct command_table *)sim_memory(h->table, 0x80 + 16ull * entries);
}

/* Moves bytes between data and what the PRDT names; how many there was room for. */
static uint32_t sim_move(const struct sim_port *p, uint32_t slot, uint8_t *data, uint32_t bytes,
                         bool to_memory)
{
    struct command_header *h = sim_header(p, slot);
    const struct command_table *t = sim_table(p, slot);
    uint32_t at = 0;
    for (uint32_t i = 0; h && t && i < h->flags >> 16 && at < bytes; i++) {
        uint32_t n = (t->prdt[i].count & 0x3fffff) + 1;
        if (t->prdt[i].address & 1 || n & 1)
            sim_violate("an odd PRDT entry");
        n = n < bytes - at ? n : bytes - at;
        uint8_t *memory = sim_memory(t->prdt[i].address, n);
        if (!memory)
            return at;
        if (to_memory)
            memcpy(memory, data + at, n);
        else
            memcpy(data + at, memory, n);
        at += n;
    }
    if (h)
        h->bytes = at;
    return at;
}

/* --- interrupts --- */

static void sim_interrupt(void)
{
    bool any = false;
    for (uint32_t i = 0; i < SIM_PORTS; i++) {
        if (!(sim.port[i].is & sim.port[i].ie))
            continue;
        sim.is |= 1u << i;
        any = true;
    }
    if (!any || !(sim.ghc & GHC_IE) || sim.irq)
        return;
    sim.interrupts++;
    if (!sim_chance(sim.p_lost))
        sim.irq = true;
}

static void sim_event(struct sim_port *p, uint32_t bits)
{
    p->is |= bits;
    sim_interrupt();
}

/* --- the disk --- */

static void sim_land(struct sim_disk *d, uint32_t block)
{
    memcpy(d->medium + (size_t)block * d->block_size, d->view + (size_t)block * d->block_size,
           d->block_size);
    d->dirty[block] = false;
}

static void sim_flush(struct sim_disk *d)
{
    for (uint32_t i = 0; i < d->blocks; i++) {
        if (d->dirty[i])
            sim_land(d, i);
    }
}

/* The power fails: of what was only cached, any part reaches the medium. */
static void sim_power_cut(struct sim_disk *d)
{
    for (uint32_t i = 0; i < d->blocks; i++) {
        if (d->dirty[i] && sim_random(2))
            sim_land(d, i);
        d->dirty[i] = false;
    }
    memcpy(d->view, d->medium, (size_t)d->blocks * d->block_size);
}

static void sim_words(const struct sim_disk *d, uint16_t *w)
{
    uint64_t blocks = d->blocks;
    memset(w, 0, 512);
    if (d->garbage_on) {
        memcpy(w, d->garbage, 512);
        return;
    }
    for (uint32_t i = 0; i < 20; i += 2)
        w[10 + i / 2] = (uint16_t)(d->serial[i] << 8 | d->serial[i + 1]);
    for (uint32_t i = 27; i < 47; i++)
        w[i] = 'S' << 8 | 'I';
    w[0] = d->packet ? 0x8580 : 0x0040;
    w[49] = 0x0300;
    w[60] = (uint16_t)blocks;
    w[61] = (uint16_t)(blocks >> 16);
    w[75] = (uint16_t)(d->depth - 1);
    w[76] = (uint16_t)(d->ncq ? 0x0102 : 0x0002);
    w[83] = (uint16_t)(0x4000 | (d->lba48 ? 0x2400 : 0));
    w[84] = (uint16_t)(0x4000 | (d->fua ? 0x40 : 0));
    w[85] = (uint16_t)(d->cache_on ? 0x20 : 0);
    w[87] = 0x4000;
    for (uint32_t i = 0; i < 3; i++)
        w[100 + i] = (uint16_t)(blocks >> 16 * i);
    w[106] = (uint16_t)(0x4000 | (d->block_size == 4096 ? 0x1000 : 0x2003));
    w[117] = (uint16_t)(d->block_size / 2);
    w[169] = d->trim;
    w[217] = 1;
    uint8_t sum = 0xa5;
    for (uint32_t i = 0; i < 255; i++)
        sum = (uint8_t)(sum + w[i] + (w[i] >> 8));
    w[255] = (uint16_t)(0xa5 | (uint16_t)((0x100 - sum) << 8));
}

enum sim_result { SIM_DONE, SIM_FAILED, SIM_SILENT };

struct sim_command {
    uint64_t lba;
    uint32_t blocks;
    bool write, fua, queued;
};

static enum sim_result sim_data(struct sim_port *p, uint32_t slot, const struct sim_command *c)
{
    struct sim_disk *d = &p->disk;
    if (c->lba > d->blocks || c->blocks > d->blocks - c->lba) {
        sim_violate("a command beyond the disk");
        return SIM_FAILED;
    }
    if (p->poison && p->poison - 1 >= c->lba && p->poison - 1 < c->lba + c->blocks)
        return SIM_SILENT;
    uint32_t bytes = c->blocks * d->block_size;
    static uint8_t buffer[SIM_BLOCKS * 4096];
    uint8_t *at = d->view + c->lba * d->block_size;
    memcpy(buffer, at, bytes);
    uint32_t moved = sim_move(p, slot, buffer, bytes, !c->write);
    if (moved != bytes)
        sim_violate("a PRDT that is too short");
    uint32_t good = 0;
    while (good < c->blocks && !d->bad[c->lba + good])
        good++;
    if (c->write) {
        memcpy(at, buffer, (size_t)good * d->block_size);
        for (uint32_t i = 0; i < good; i++) {
            d->dirty[c->lba + i] = true;
            if (c->fua || !d->cache_on)
                sim_land(d, (uint32_t)c->lba + i);
        }
        p->fuas += c->fua;
    }
    return good == c->blocks ? SIM_DONE : SIM_FAILED;
}

static enum sim_result sim_trim(struct sim_port *p, uint32_t slot, uint32_t pages)
{
    uint64_t entry[512] = {0};
    struct sim_disk *d = &p->disk;
    if (!d->trim || pages > 8)
        return SIM_FAILED;
    sim_move(p, slot, (uint8_t *)entry, pages * 512, false);
    for (uint32_t i = 0; i < pages * 64; i++) {
        uint64_t lba = entry[i] & 0xffffffffffffull, count = entry[i] >> 48;
        if (lba + count > d->blocks) {
            sim_violate("a TRIM beyond the disk");
            return SIM_FAILED;
        }
        for (uint64_t b = lba; b < lba + count; b++) {
            memset(d->view + b * d->block_size, 0xee, d->block_size);
            d->dirty[b] = true;
        }
    }
    return SIM_DONE;
}

static enum sim_result sim_packet(struct sim_port *p, uint32_t slot, const uint8_t *packet)
{
    struct sim_disk *d = &p->disk;
    uint8_t data[18] = {0x70};
    uint32_t last = d->blocks - 1;
    struct sim_command c = {.lba = (uint32_t)packet[2] << 24 | (uint32_t)packet[3] << 16 |
                                   (uint32_t)packet[4] << 8 | packet[5],
                            .blocks = (uint32_t)(packet[7] << 8 | packet[8])};
    if (packet[0] == SCSI_REQUEST_SENSE) {
        sim_move(p, slot, data, 18, true);
        return SIM_DONE;
    }
    if (d->unit_attentions) {
        d->unit_attentions--;
        return SIM_FAILED;
    }
    if (packet[0] == SCSI_READ_10)
        return sim_data(p, slot, &c);
    if (packet[0] != SCSI_READ_CAPACITY_10 || !d->blocks)
        return SIM_FAILED;
    uint8_t capacity[8] = {(uint8_t)(last >> 24),
                           (uint8_t)(last >> 16),
                           (uint8_t)(last >> 8),
                           (uint8_t)last,
                           0,
                           0,
                           8,
                           0};
    sim_move(p, slot, capacity, 8, true);
    return SIM_DONE;
}

static enum sim_result sim_log(struct sim_port *p, uint32_t slot)
{
    uint8_t log[512] = {0};
    if (!p->disk.log10h)
        return SIM_FAILED;
    log[0] = (uint8_t)p->failed_tag;
    log[2] = 0x41;
    log[3] = 0x40;
    for (uint32_t i = 0; i < 511; i++)
        log[511] = (uint8_t)(log[511] - log[i]);
    sim_move(p, slot, log, 512, true);
    p->ncq_error = false;
    return SIM_DONE;
}

static uint64_t sim_lba(const struct fis_h2d *f)
{
    uint64_t lba = 0;
    for (uint32_t i = 0; i < 3; i++)
        lba |= (uint64_t)f->lba_low[i] << 8 * i | (uint64_t)f->lba_high[i] << (24 + 8 * i);
    return lba;
}

static enum sim_result sim_flush_command(struct sim_port *p)
{
    p->flushes++;
    if (p->disk.flush_fails) {
        p->disk.flush_fails = false;
        return SIM_FAILED;
    }
    sim_flush(&p->disk);
    return SIM_DONE;
}

/* Commands with data: count 0 means the most. */
static enum sim_result sim_read_write(struct sim_port *p, uint32_t slot, const struct fis_h2d *f)
{
    struct sim_command c = {.lba = sim_lba(f)};
    uint32_t count = f->count | (uint32_t)f->count_exp << 8;
    uint32_t op = f->command;
    c.write = op == ATA_WRITE_DMA || op == ATA_WRITE_DMA_EXT || op == ATA_WRITE_DMA_FUA_EXT ||
              op == ATA_WRITE_FPDMA_QUEUED;
    c.queued = op == ATA_READ_FPDMA_QUEUED || op == ATA_WRITE_FPDMA_QUEUED;
    c.fua = op == ATA_WRITE_DMA_FUA_EXT || (c.queued && f->device & ATA_DEVICE_FUA);
    if (c.queued && (f->count >> 3) != slot)
        sim_violate("a tag that is not its slot");
    if (c.queued)
        count = f->feature | (uint32_t)f->feature_exp << 8;
    if (op == ATA_READ_DMA || op == ATA_WRITE_DMA) {
        c.lba = (c.lba & 0xffffff) | (uint64_t)(f->device & 15) << 24;
        c.blocks = f->count ? f->count : 256;
    } else {
        c.blocks = count ? count : 65536;
    }
    const struct command_header *h = sim_header(p, slot);
    if (!(h->flags & HEADER_WRITE) == c.write)
        sim_violate("the direction of a command header");
    if ((c.queued && !p->disk.ncq) || (!p->disk.lba48 && op != ATA_READ_DMA && op != ATA_WRITE_DMA))
        return SIM_FAILED;
    return sim_data(p, slot, &c);
}

static enum sim_result sim_execute(struct sim_port *p, uint32_t slot)
{
    uint16_t words[256];
    const struct command_table *t = sim_table(p, slot);
    if (!t || t->fis.type != FIS_H2D)
        return SIM_FAILED;
    if (p->ncq_error && t->fis.command != ATA_READ_LOG_EXT)
        return SIM_FAILED;
    switch (t->fis.command) {
    case ATA_IDENTIFY:
    case ATA_IDENTIFY_PACKET:
        if (p->disk.packet != (t->fis.command == ATA_IDENTIFY_PACKET))
            return SIM_FAILED;
        sim_words(&p->disk, words);
        sim_move(p, slot, (uint8_t *)words, 512, true);
        return SIM_DONE;
    case ATA_READ_LOG_EXT:
        return sim_log(p, slot);
    case ATA_FLUSH_CACHE:
    case ATA_FLUSH_CACHE_EXT:
        return sim_flush_command(p);
    case ATA_DATA_SET_MGMT:
        return sim_trim(p, slot, t->fis.count);
    case ATA_PACKET:
        return p->disk.packet ? sim_packet(p, slot, t->packet) : SIM_FAILED;
    default:
        return sim_read_write(p, slot, &t->fis);
    }
}

#include "tests/unit/ahci_sim_port.h"

#endif
