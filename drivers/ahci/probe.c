/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks a device that has sent its signature what it is. */
#include "drivers/ahci/hba.h"

#include <string.h>
#include "user/program.h"

#define PACKET_TRIES   5u
#define SENSE_BYTES    18u
#define CAPACITY_BYTES 8u

static void issue_step(struct port *port)
{
    struct fis_h2d fis;
    uint8_t packet[12] = {0};
    port->state = PORT_IDENTIFYING;
    switch (port->step) {
    case PROBE_IDENTIFY:
    case PROBE_IDENTIFY_PACKET:
        fis = command_fis(port->step == PROBE_IDENTIFY ? ATA_IDENTIFY : ATA_IDENTIFY_PACKET, 0, 0);
        command_own(port, &fis, offsetof(struct port_dma, identify), 512);
        break;
    case PROBE_CAPACITY:
        packet[0] = SCSI_READ_CAPACITY_10;
        command_own_packet(port, packet, offsetof(struct port_dma, sense), CAPACITY_BYTES);
        break;
    case PROBE_SENSE:
        packet[0] = SCSI_REQUEST_SENSE;
        packet[4] = SENSE_BYTES;
        command_own_packet(port, packet, offsetof(struct port_dma, sense), SENSE_BYTES);
        break;
    }
}

void probe_start(struct port *port)
{
    uint32_t signature = port_read(port, PORT_SIG);
    port->probing = true;
    port->probe_tries = 0;
    if (signature != SIG_ATA && signature != SIG_ATAPI) {
        log_line("port %u: signature %08x", port->index, signature);
        port_give_up(port, "this is neither a disk nor an optical drive");
        return;
    }
    port->step = signature == SIG_ATA ? PROBE_IDENTIFY : PROBE_IDENTIFY_PACKET;
    issue_step(port);
}

static void report(const struct port *port)
{
    const struct disk *d = &port->found;
    log_line("port %u: %s, serial %s, firmware %s", port->index, d->model, d->serial, d->firmware);
    if (d->packet)
        log_line("port %u: optical drive, %llu blocks of %u bytes", port->index,
                 (unsigned long long)d->blocks, d->block_size);
    else
        log_line("port %u: %llu blocks of %u bytes (physical %u), %u commands at a time%s%s%s",
                 port->index, (unsigned long long)d->blocks, d->block_size, d->physical_size,
                 d->depth, d->cache ? ", write cache" : "", d->fua ? ", FUA" : "",
                 d->trim_pages ? ", TRIM" : "");
}

static void found(struct port *port)
{
    if (!port->known || !disk_same(&port->disk, &port->found))
        report(port);
    port_ready(port);
}

static void identified(struct port *port)
{
    uint16_t words[256];
    memcpy(words, port->dma->identify, sizeof(words));
    bool packet = port->step == PROBE_IDENTIFY_PACKET;
    const char *why = packet ? disk_parse_packet(&port->found, words)
                             : disk_parse(&port->found, words, port->hba->cap & CAP_SNCQ);
    if (why) {
        log_line("port %u: \"%s\": %s", port->index, port->found.model, why);
        port_try_again(port, "the device cannot be used");
    } else if (packet) {
        port->step = PROBE_CAPACITY;
        issue_step(port);
    } else {
        found(port);
    }
}

static void capacity_known(struct port *port)
{
    uint8_t data[CAPACITY_BYTES];
    memcpy(data, port->dma->sense, sizeof(data));
    const char *why = disk_capacity(&port->found, data);
    if (why)
        log_line("port %u: %s", port->index, why);
    found(port);
}

void probe_go_on(struct port *port)
{
    /* Without a medium it is a drive of no blocks. */
    if (port->probe_tries >= PACKET_TRIES)
        found(port);
    else
        issue_step(port);
}

void probe_done(struct port *port, bool ok)
{
    switch (port->step) {
    case PROBE_IDENTIFY:
    case PROBE_IDENTIFY_PACKET:
        if (ok)
            identified(port);
        else
            port_try_again(port, "the device does not identify itself");
        return;
    case PROBE_CAPACITY:
        if (ok) {
            capacity_known(port);
            return;
        }
        /* The first command after a reset or a change of medium fails, with the reason as sense. */
        port->probe_tries++;
        port->step = PROBE_SENSE;
        port_stop(port, false);
        return;
    case PROBE_SENSE:
        port->step = PROBE_CAPACITY;
        if (ok)
            issue_step(port);
        else
            port_stop(port, false);
        return;
    }
}
