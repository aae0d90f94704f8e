/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of the simulated controller, and how its commands come to their ends. */
#ifndef TESTS_UNIT_AHCI_SIM_PORT_H
#define TESTS_UNIT_AHCI_SIM_PORT_H

#include "tests/unit/ahci_sim.h"

static bool sim_is_queued(const struct sim_port *p, uint32_t slot)
{
    const struct command_table *t = sim_table(p, slot);
    return t &&
           (t->fis.command == ATA_READ_FPDMA_QUEUED || t->fis.command == ATA_WRITE_FPDMA_QUEUED);
}

/* Task-file error: the engine halts. A queued command's disk drops all others, and wants its log
 * to be read. */
static void sim_fail(struct sim_port *p, uint32_t slot)
{
    p->tfd = 0x41 | 0x40 << 8;
    p->halted = true;
    if (p->fpdma >> slot & 1) {
        p->ncq_error = true;
        p->failed_tag = slot;
    } else if (sim_random(2)) {
        p->ci &= ~(1u << slot); /* as some controllers do */
    }
    p->active = p->fpdma = 0;
    sim_event(p, IS_TFES | IS_SDBS);
}

static void sim_complete(struct sim_port *p, uint32_t slot)
{
    uint32_t bit = 1u << slot;
    bool queued = p->fpdma & bit;
    p->tfd = 0x50;
    p->active &= ~bit;
    p->fpdma &= ~bit;
    p->ci &= ~bit;
    p->sact &= ~bit;
    sim_event(p, queued ? IS_SDBS : IS_DHRS);
}

static void sim_link_error(struct sim_port *p)
{
    p->halted = true;
    p->hung = true; /* its queue is in an unknown state */
    p->tfd = sim_random(2) ? 0x50 : 0xd0;
    sim_event(p, IS_IFS);
}

/* Something happens at the port. False: nothing can. */
static bool sim_port_step(struct sim_port *p)
{
    if (p->linking && sim.now >= p->ready_at) {
        p->linking = false;
        p->tfd = p->disk.packet ? 0x00 : 0x50;
        p->sig = p->disk.packet ? SIG_ATAPI : SIG_ATA;
        if (p->cmd & CMD_FRE)
            sim_event(p, IS_DHRS);
        return true;
    }
    if (!p->active || p->halted || p->hung)
        return false;
    uint32_t slot = sim_random(32), pick = p->active;
    while (!(pick >> slot & 1))
        slot = (slot + 1) % 32;
    if (sim_chance(p->p_link)) {
        sim_link_error(p);
        return true;
    }
    if (sim_chance(p->p_hang)) {
        p->hung = true;
        return true;
    }
    p->commands++;
    enum sim_result result = sim_chance(p->p_abort) ? SIM_FAILED : sim_execute(p, slot);
    if (result == SIM_SILENT)
        p->hung = true;
    else if (result == SIM_FAILED)
        sim_fail(p, slot);
    else
        sim_complete(p, slot);
    return true;
}

static bool sim_step(void)
{
    uint32_t first = sim_random(SIM_PORTS);
    for (uint32_t i = 0; i < SIM_PORTS; i++) {
        struct sim_port *p = &sim.port[(first + i) % SIM_PORTS];
        struct sim_disk *d = &p->disk;
        if (d->attached && d->cache_on && sim_random(4) == 0) {
            uint32_t block = sim_random(d->blocks); /* the disk writes back when it likes */
            if (d->dirty[block])
                sim_land(d, block);
        }
        if (sim_port_step(p))
            return true;
    }
    return false;
}

static void sim_new_commands(struct sim_port *p, uint32_t bits)
{
    if (!(p->cmd & CMD_ST))
        sim_violate("a command to an engine that does not run");
    if (bits & (p->ci | p->active))
        sim_violate("a command in a slot that is taken");
    p->ci |= bits;
    if (p->halted)
        return;
    for (uint32_t slot = 0; slot < 32; slot++) {
        if (!(bits >> slot & 1))
            continue;
        bool queued = sim_is_queued(p, slot);
        if (queued != (p->sact >> slot & 1))
            sim_violate("PxSACT does not fit the command");
        if (p->active && (!queued || p->active != p->fpdma))
            sim_violate("queued and other commands at the same time");
        if (queued && slot >= p->disk.depth)
            sim_violate("a tag beyond the disk's queue");
        p->active |= 1u << slot;
        if (queued)
            p->fpdma |= 1u << slot;
        if (!queued && sim_random(2))
            sim_event(p, IS_PSS); /* PIO tells of its start */
    }
}

static void sim_link_event(struct sim_port *p)
{
    p->serr |= 1u << 16 | 1u << 26;
    sim_event(p, IS_PCS | IS_PRCS);
}

static void sim_comreset(struct sim_port *p, bool on)
{
    p->active = p->fpdma = 0;
    p->hung = p->ncq_error = p->halted = false;
    p->linking = false;
    p->sig = ~0u;
    p->tfd = 0x7f;
    p->ssts = 0;
    if (on || !p->disk.attached)
        return;
    p->resets++;
    p->ssts = 0x123;
    p->tfd = 0x80;
    p->linking = true;
    p->ready_at = sim.now + sim_random(50) * MS;
    sim_link_event(p);
}

static void sim_write_cmd(struct sim_port *p, uint32_t value)
{
    bool stop = p->cmd & CMD_ST && !(value & CMD_ST);
    if (value & CMD_ST && !(p->cmd & CMD_ST)) {
        if (p->tfd & (TFD_BSY | TFD_DRQ))
            sim_violate("ST is set while the disk is busy");
        if (p->cmd & CMD_CR)
            sim_violate("ST is set while CR still is");
        if (p->active)
            sim_violate("ST is set while the disk still works on a command");
        p->halted = false;
    }
    p->cmd = (value & ~(CMD_CR | CMD_FR)) | (p->cmd & CMD_CR);
    if (value & CMD_FRE)
        p->cmd |= CMD_FR;
    if (value & CMD_ST)
        p->cmd |= CMD_CR;
    if (stop) {
        p->ci = p->sact = 0;
        p->cr_delay = sim_random(3);
    }
}

static uint32_t sim_read_cmd(struct sim_port *p)
{
    if (!(p->cmd & CMD_ST) && p->cmd & CMD_CR && p->cr_delay-- == 0)
        p->cmd &= ~CMD_CR;
    return p->cmd;
}

static uint32_t *sim_register(struct sim_port *p, uint32_t reg)
{
    switch (reg) {
    case PORT_CLB:
        return &p->clb;
    case PORT_CLBU:
        return &p->clbu;
    case PORT_FB:
        return &p->fb;
    case PORT_FBU:
        return &p->fbu;
    case PORT_IS:
        return &p->is;
    case PORT_IE:
        return &p->ie;
    case PORT_TFD:
        return &p->tfd;
    case PORT_SIG:
        return &p->sig;
    case PORT_SSTS:
        return &p->ssts;
    case PORT_SCTL:
        return &p->sctl;
    case PORT_SERR:
        return &p->serr;
    case PORT_SACT:
        return &p->sact;
    case PORT_CI:
        return &p->ci;
    default:
        sim_violate("a register that is not there");
        return &p->serr;
    }
}

static void sim_write_port(struct sim_port *p, uint32_t reg, uint32_t value)
{
    switch (reg) {
    case PORT_CMD:
        sim_write_cmd(p, value);
        break;
    case PORT_IS:
        p->is &= ~value;
        break;
    case PORT_SERR:
        p->serr &= ~value;
        break;
    case PORT_SACT:
        p->sact |= value;
        break;
    case PORT_CI:
        sim_new_commands(p, value);
        break;
    case PORT_SCTL:
        if (SSTS_DET(value) != SSTS_DET(p->sctl)) {
            if (p->cmd & (CMD_ST | CMD_CR))
                sim_violate("COMRESET while the engine runs");
            sim_comreset(p, SSTS_DET(value) == SCTL_DET_RESET);
        }
        p->sctl = value;
        break;
    default:
        *sim_register(p, reg) = value;
        break;
    }
}

static void sim_hba_reset(void)
{
    for (uint32_t i = 0; i < SIM_PORTS; i++) {
        struct sim_port *p = &sim.port[i];
        p->clb = p->clbu = p->fb = p->fbu = p->is = p->ie = p->cmd = 0;
        p->sctl = p->serr = p->sact = p->ci = 0;
        sim_comreset(p, true);
    }
    sim.is = 0;
    sim.ghc = GHC_AE;
}

uint32_t hba_read(const struct hba *hba, uint32_t reg)
{
    (void)hba;
    sim_mortal();
    if (reg >= PORT_REGS(0)) {
        struct sim_port *p = &sim.port[(reg - PORT_REGS(0)) / 0x80 % SIM_PORTS];
        uint32_t at = (reg - PORT_REGS(0)) % 0x80;
        return at == PORT_CMD ? sim_read_cmd(p) : *sim_register(p, at);
    }
    switch (reg) {
    case HBA_CAP:
        return sim.cap;
    case HBA_GHC:
        return sim.ghc;
    case HBA_IS:
        return sim.is;
    case HBA_PI:
        return sim.pi;
    case HBA_CAP2:
        return sim.cap2;
    case HBA_BOHC:
        return sim.bohc;
    default:
        return 0;
    }
}

void hba_write(const struct hba *hba, uint32_t reg, uint32_t value)
{
    (void)hba;
    sim_mortal();
    if (reg >= PORT_REGS(0)) {
        sim_write_port(&sim.port[(reg - PORT_REGS(0)) / 0x80 % SIM_PORTS],
                       (reg - PORT_REGS(0)) % 0x80, value);
        return;
    }
    if (reg == HBA_GHC && value & GHC_HR)
        sim_hba_reset();
    else if (reg == HBA_GHC)
        sim.ghc = value;
    else if (reg == HBA_BOHC)
        sim.bohc = value & ~BOHC_BOS;
    else if (reg == HBA_IS) {
        sim.is &= ~value;
        sim_interrupt();
    }
    if (reg == HBA_GHC)
        sim_interrupt();
}

static void sim_attach(uint32_t index, uint32_t block_size, bool ncq)
{
    struct sim_disk *d = &sim.port[index].disk;
    free(d->view);
    free(d->medium);
    *d = (struct sim_disk){.attached = true,
                           .ncq = ncq,
                           .lba48 = true,
                           .cache_on = true,
                           .fua = true,
                           .trim = true,
                           .log10h = true,
                           .block_size = block_size,
                           .depth = ncq ? 32 : 1,
                           .blocks = SIM_BLOCKS};
    snprintf(d->serial, sizeof(d->serial), "DISK%-16u", index);
    d->view = calloc(SIM_BLOCKS, block_size);
    d->medium = calloc(SIM_BLOCKS, block_size);
}

static void sim_plug(uint32_t index, bool in)
{
    struct sim_port *p = &sim.port[index];
    p->disk.attached = in;
    sim_comreset(p, !in);
    p->halted = !in;
    if (!in)
        sim_link_event(p);
}

static void sim_init(uint64_t seed)
{
    for (uint32_t i = 0; i < SIM_PORTS; i++) {
        free(sim.port[i].disk.view);
        free(sim.port[i].disk.medium);
    }
    memset(&sim, 0, sizeof(sim));
    sim.random = seed * 0x9e3779b97f4a7c15ull + 1;
    sim.now = 1000 * MS;
    sim.cap = CAP_S64A | CAP_SNCQ | CAP_SCLO | 31u << 8 | (SIM_PORTS - 1);
    sim.pi = (1u << SIM_PORTS) - 1;
    for (uint32_t i = 0; i < SIM_PORTS; i++)
        sim_comreset(&sim.port[i], true);
}

#endif
