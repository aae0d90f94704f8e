/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile client and hostile disks. The input is a script: bytes into the channel's memory, slots
 * rung, words of IDENTIFY, logs and received FISes, interrupts out of nowhere. Whatever it says, no
 * DMA leaves the client's memory and the driver's, no command goes beyond the volume, and the
 * second client, on a disk of its own, is served. */
#include "tests/unit/fake_syscalls.h"

#include <stdarg.h>
#include "drivers/ahci/channel.c"
#include "drivers/ahci/command.c"
#include "drivers/ahci/disk.c"
#include "drivers/ahci/hba.c"
#include "drivers/ahci/port.c"
#include "drivers/ahci/probe.c"
#include "drivers/ahci/recovery.c"
#include "drivers/ahci/request.c"
#include "drivers/ahci/schedule.c"
#include "drivers/ahci/status.c"
#include "tests/fuzz/script.h"
#include "tests/unit/ahci_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A slot with fields that are mostly near what is right. */
static void hostile_slot(struct script *s, struct client *c)
{
    uint32_t index = draw(s, 1) % BLK_SLOTS;
    struct blk_slot *slot = &c->shared->slot[index];
    slot->op = draw(s, 1) % 7;
    slot->flags = draw(s, 1) % 3;
    slot->sector = draw(s, 1) == 255 ? ~0ull - draw(s, 2) : draw(s, 2) % (2 * SIM_BLOCKS);
    slot->sectors = draw(s, 1) == 255 ? ~0ull - draw(s, 2) : draw(s, 1);
    slot->segments = draw(s, 1) % 70;
    slot->sequence = draw(s, 4);
    uint32_t n = slot->segments < BLK_SEGMENTS_MAX ? slot->segments : BLK_SEGMENTS_MAX;
    uint32_t each = n ? (uint32_t)(slot->sectors * 512 / n) & ~1u : 0,
             left = (uint32_t)slot->sectors;
    left *= 512;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t length = i + 1 == n ? left : each;
        slot->segment[i] = (struct blk_segment){.offset = draw(s, 2) * 32ull, .length = length};
        left -= length;
    }
    if (draw(s, 1) == 1)
        slot->segment[draw(s, 1) % BLK_SEGMENTS_MAX].memory = draw(s, 1);
    if (draw(s, 1) == 1)
        slot->segment[draw(s, 1) % BLK_SEGMENTS_MAX].offset = draw(s, 4) * 0x10001ull;
    c->slot[index] = (struct pending){.busy = true, .bad = true};
    ring_bell(c, index);
}

static void hostile_disk(struct script *s, struct sim_port *p)
{
    struct sim_disk *d = &p->disk;
    switch (draw(s, 1) % 6) {
    case 0:
        sim_words(d, d->garbage);
        d->garbage_on = true;
        for (uint32_t n = draw(s, 1) % 16; n; n--)
            d->garbage[draw(s, 1)] = (uint16_t)draw(s, 2);
        d->garbage[255] = 0;
        /* What the simulated disk itself would then refuse. */
        d->garbage[106] = d->block_size == 4096 ? 0x5000 : 0x4000;
        d->garbage[60] = d->garbage[100] = (uint16_t)d->blocks;
        d->garbage[61] = d->garbage[101] = d->garbage[102] = d->garbage[103] = 0;
        d->garbage[75] &= (uint16_t)~31u;
        sim_plug((uint32_t)(p - sim.port), true);
        break;
    case 1:
        p->is |= draw(s, 4);
        sim_interrupt();
        break;
    case 2:
        p->p_abort = draw(s, 1);
        break;
    case 3:
        p->p_hang = draw(s, 1) % 8;
        break;
    case 4:
        memset(dma_memory + AHCI_DMA_ZERO + offsetof(struct port_dma, log), (int)draw(s, 1), 512);
        d->log10h = !d->log10h;
        break;
    default:
        sim_plug((uint32_t)(p - sim.port), draw(s, 1) & 1);
        break;
    }
}

static void hostile_bytes(struct script *s, struct client *c)
{
    uint8_t *shared = (uint8_t *)c->shared;
    for (uint32_t n = draw(s, 1) % 16; n; n--)
        shared[draw(s, 3) % sizeof(*c->shared)] = (uint8_t)draw(s, 1);
    rung |= AHCI_BIT_CHANNEL(c->index);
}

static void play(struct script *s)
{
    while (s->at < s->end) {
        switch (draw(s, 1) % 8) {
        case 0:
        case 1:
        case 2:
            hostile_slot(s, &client[0]);
            break;
        case 3:
            hostile_bytes(s, &client[0]);
            break;
        case 4:
            hostile_disk(s, &sim.port[0]);
            break;
        case 5:
            take_ended(&client[0]);
            break;
        default:
            for (uint32_t n = draw(s, 1) % 32; n; n--)
                world_step();
            break;
        }
    }
}

static void demand(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, data + size};
    world_init(draw(&s, 1));
    sim_attach(0, draw(&s, 1) & 1 ? 512 : 4096, true);
    sim_attach(2, 512, true);
    client_setup(0, 0, 0, SIM_BLOCKS / 2);
    client_setup(2, 2, 0, SIM_BLOCKS);
    driver_start();
    play(&s);
    demand(!sim.violation, sim.violation);
    client[0].depth = 0;
    struct pending p = {.op = BLK_READ, .sectors = 8};
    send(&client[2], 0, &p);
    for (uint32_t i = 0; i < 20000 && client[2].slot[0].busy; i++) {
        world_step();
        take_ended(&client[2]);
    }
    demand(!client[2].slot[0].busy && client[2].ended[BLK_OK], "the other client is not served");
    driver_end();
    return 0;
}
