/* SPDX-License-Identifier: BSD-2-Clause */
/* A model of Intel's gigabit controllers for the driver's own code: registers, EEPROM, receive and
 * transmit rings of the three families, checksums and segmentation as their manuals describe them.
 * A test says which family it is: SIM_LEGACY (8254x), SIM_EXTENDED (82574), SIM_ADVANCED (igb). */
#ifndef TESTS_UNIT_NIC_INTEL_SIM_H
#define TESTS_UNIT_NIC_INTEL_SIM_H

#include "tests/unit/nic_world.h"
#include "drivers/nic/intel/intel.h"

enum sim_family { SIM_LEGACY, SIM_EXTENDED, SIM_ADVANCED };

#define SIM_WORDS 0x8000u /* 128 KiB of registers */

static struct {
    enum sim_family family;
    uint32_t reg[SIM_WORDS];
    uint16_t eeprom[64];
    bool gone, hangs, reset_hangs, eeprom_silent;
    bool link;
    uint32_t resets, interrupts;
    uint32_t reset_left;
    /* Context of a transmit queue. */
    uint64_t context_low[2], context_high[2];
    uint8_t frame[FRAME_BYTES_MAX + 64];
    uint32_t frame_length, frame_limit; /* the latter: 0 or the length of a TSO frame */
    uint64_t frame_first;
    uint32_t contexts;
    uint32_t missed;
} sim;

static uint32_t *sim_reg(uint32_t reg)
{
    if (reg / 4 >= SIM_WORDS || reg % 4)
        abort();
    return &sim.reg[reg / 4];
}

static uint32_t sim_rx(uint32_t q)
{
    return sim.family == SIM_ADVANCED ? IGB_RX_RING(q) : RX_RING(q);
}

static uint32_t sim_tx(uint32_t q)
{
    return sim.family == SIM_ADVANCED ? IGB_TX_RING(q) : TX_RING(q);
}

static void sim_reset(void)
{
    memset(sim.reg, 0, sizeof(sim.reg));
    sim.resets++;
    *sim_reg(EECD) = EECD_AUTO_RD;
    *sim_reg(RAL(0)) = 0x12005452;
    *sim_reg(RAH(0)) = RAH_AV | 0x5634;
    sim.frame_length = 0;
    sim.contexts = 0;
}

static void sim_init(const struct nic_chip *chip, enum sim_family family, uint32_t pairs)
{
    uint32_t sum = 0;
    world_init(chip, pairs);
    memset(&sim, 0, sizeof(sim));
    sim.family = family;
    sim.link = true;
    sim_reset();
    sim.resets = 0;
    for (uint32_t i = 0; i < 63; i++) {
        sim.eeprom[i] = (uint16_t)(i * 0x101 + 2);
        sum += sim.eeprom[i];
    }
    sim.eeprom[63] = (uint16_t)(0xbaba - sum);
    world.config.irq_messages = family == SIM_EXTENDED;
    world.config.irqs = family == SIM_EXTENDED ? NIC_IRQS : 1;
}

static uint32_t sim_status(void)
{
    uint32_t status = *sim_reg(CTRL) & CTRL_MASTER_OFF ? 0 : STATUS_MASTER;
    return status | (sim.link ? STATUS_LU | STATUS_FD | 2u << 6 : 0);
}

static uint32_t sim_eerd(void)
{
    uint32_t shift = sim.family == SIM_LEGACY ? 8 : 2, done = sim.family == SIM_LEGACY ? 16 : 2;
    uint32_t eerd = *sim_reg(EERD);
    if (sim.eeprom_silent || !(eerd & EERD_START))
        return eerd;
    return (uint32_t)sim.eeprom[(eerd >> shift) % 64] << 16 | done;
}

uint32_t nic_read32(const struct nic *of, uint32_t reg)
{
    uint32_t value = *sim_reg(reg);
    (void)of;
    if (sim.gone)
        return UINT32_MAX;
    switch (reg) {
    case STATUS:
        return sim_status();
    case EERD:
        return sim_eerd();
    case MDIC:
        return value | MDIC_READY | (value & MDIC_READ ? PHY_AUTONEG : 0);
    case CTRL:
        if (sim.reset_left && !sim.reset_hangs)
            sim.reset_left--;
        return value | (sim.reset_left ? CTRL_RST : 0);
    case ICR:
        *sim_reg(ICR) = 0;
        return value;
    case STATISTICS + STAT_MPC:
        value = sim.missed;
        sim.missed = 0;
        return value;
    default:
        return value;
    }
}

static void sim_transmit(uint32_t q);

void nic_write32(const struct nic *of, uint32_t reg, uint32_t value)
{
    (void)of;
    if (sim.gone)
        return;
    if (reg == CTRL && value & CTRL_RST) {
        if (*sim_reg(RCTL) & RCTL_EN || *sim_reg(TCTL) & TCTL_EN)
            world_violate("a reset while it receives or sends");
        sim_reset();
        sim.reset_left = 3;
        return;
    }
    if (reg == IMS || reg == IMC) {
        uint32_t *mask = sim_reg(IMS);
        *mask = reg == IMS ? *mask | value : *mask & ~value;
        return;
    }
    if (reg == ICR)
        value = *sim_reg(ICR) & ~value;
    *sim_reg(reg) = value;
    for (uint32_t q = 0; q < NIC_PAIRS; q++) {
        if (reg == sim_tx(q) + RING_TAIL && !sim.hangs)
            sim_transmit(q);
    }
}

uint16_t nic_read16(const struct nic *of, uint32_t reg)
{
    (void)of;
    (void)reg;
    world_violate("a 16-bit access");
    return 0;
}

void nic_write16(const struct nic *of, uint32_t reg, uint16_t value)
{
    nic_read16(of, reg + value);
}

uint8_t nic_read8(const struct nic *of, uint32_t reg)
{
    return (uint8_t)nic_read16(of, reg);
}

void nic_write8(const struct nic *of, uint32_t reg, uint8_t value)
{
    nic_read16(of, reg + value);
}

static struct intel_descriptor *sim_descriptor(uint32_t ring, uint32_t index)
{
    uint64_t base = *sim_reg(ring + RING_BAL) | (uint64_t)*sim_reg(ring + RING_BAH) << 32;
    if (*sim_reg(ring + RING_LEN) != NIC_RING * 16 || index >= NIC_RING)
        world_violate("a ring's length, head or tail");
    return (struct intel_descriptor *)world_memory(base + 16ull * (index % NIC_RING), 16);
}

/* --- transmit --- */

struct sim_context {
    uint32_t l3, csum_start, csum_at, headers, mss;
    bool ipv6, tcp;
};

static struct sim_context sim_context(uint32_t q)
{
    uint64_t low = sim.context_low[q], high = sim.context_high[q];
    struct sim_context c;
    if (sim.family == SIM_ADVANCED) {
        c.l3 = (uint32_t)(low >> 9) & 127;
        c.csum_start = c.l3 + ((uint32_t)low & 511);
        c.tcp = high >> 11 & 1;
        c.ipv6 = !(high >> 10 & 1);
        c.csum_at = c.csum_start + (c.tcp ? 16 : 6);
        c.headers = c.csum_start + ((uint32_t)(high >> 40) & 255);
    } else {
        c.l3 = (uint32_t)low & 255;
        c.csum_start = (uint32_t)(low >> 32) & 255;
        c.csum_at = (uint32_t)(low >> 40) & 255;
        c.tcp = high >> 24 & 1;
        c.ipv6 = !(high >> 25 & 1);
        c.headers = (uint32_t)(high >> 40) & 255;
        if (sim.contexts &&
            (((low >> 8) & 255) != c.l3 + 10 || (low >> 16 & 0xffff) != c.csum_start - 1))
            world_violate("a context's IP header");
    }
    c.mss = (uint32_t)(high >> 48);
    return c;
}

static void sim_put_sum(uint8_t *f, uint32_t length, const struct sim_context *c)
{
    if (c->csum_start >= length || c->csum_at + 2 > length) {
        world_violate("a checksum beyond the frame");
        return;
    }
    put_be(f + c->csum_at, ~ones_sum(f + c->csum_start, length - c->csum_start, 0) & 0xffff, 2);
}

/* One frame of a segmented one, as the manuals' "TCP Segmentation" has its headers. */
static void sim_segment(const struct sim_context *c, uint32_t at, uint32_t bytes, uint32_t index)
{
    static uint8_t f[FRAME_BYTES_MAX];
    uint32_t length = c->headers + bytes;
    bool last = at + bytes == sim.frame_length;
    memcpy(f, sim.frame, c->headers);
    memcpy(f + c->headers, sim.frame + at, bytes);
    uint8_t *ip = f + c->l3, *tcp = f + c->csum_start;
    if (c->ipv6) {
        put_be(ip + 4, length - c->l3 - 40, 2);
    } else {
        if (get_be(ip + 2, 2) || get_be(ip + 10, 2))
            world_violate("length and sum of IP before segmentation");
        put_be(ip + 2, length - c->l3, 2);
        put_be(ip + 4, get_be(ip + 4, 2) + index, 2);
        put_be(ip + 10, ~ones_sum(ip, 20, 0) & 0xffff, 2);
    }
    put_be(tcp + 4, get_be(tcp + 4, 4) + at - c->headers, 4);
    if (!last)
        tcp[13] &= 0xf6; /* FIN, PSH */
    uint32_t sum = get_be(f + c->csum_at, 2) + length - c->csum_start;
    put_be(f + c->csum_at, (sum & 0xffff) + (sum >> 16), 2);
    sim_put_sum(f, length, c);
    world_sent(f, length);
}

static void sim_frame_done(uint32_t q)
{
    bool advanced = sim.family == SIM_ADVANCED;
    struct sim_context c = sim_context(q);
    bool tse = sim.frame_first >> (advanced ? 31 : 26) & 1, sum = sim.frame_first >> 41 & 1;
    if ((tse || sum) && !sim.contexts)
        world_violate("an offload without a context");
    if (tse) {
        uint32_t payload =
            advanced ? (uint32_t)(sim.frame_first >> 46) : (uint32_t)sim.context_high[q] & 0xfffff;
        if (payload != sim.frame_length - c.headers || !c.mss || c.headers > sim.frame_length)
            world_violate("the payload of a segmented frame");
        for (uint32_t at = c.headers, i = 0; at < sim.frame_length && !world.violation; i++) {
            uint32_t bytes = sim.frame_length - at < c.mss ? sim.frame_length - at : c.mss;
            sim_segment(&c, at, bytes, i);
            at += bytes;
        }
    } else {
        if (advanced && sim.frame_first >> 46 != sim.frame_length)
            world_violate("PAYLEN");
        if (sum)
            sim_put_sum(sim.frame, sim.frame_length, &c);
        world_sent(sim.frame, sim.frame_length);
    }
    sim.frame_length = 0;
}

static void sim_one_descriptor(uint32_t q, struct intel_descriptor *d)
{
    uint32_t dtyp = (uint32_t)(d->high >> 20) & 15;
    uint32_t data = sim.family == SIM_ADVANCED ? 3 : 1;
    uint32_t length = (uint32_t)d->high & (sim.family == SIM_ADVANCED ? 0xffff : 0xfffff);
    if (!(d->high >> 29 & 1))
        world_violate("a legacy descriptor");
    if (dtyp != data) {
        sim.context_low[q] = d->low;
        sim.context_high[q] = d->high;
        sim.contexts++;
        return;
    }
    const uint8_t *from = world_memory(d->low, length);
    if (!from || !length || sim.frame_length + length > FRAME_BYTES_MAX) {
        world_violate("a data descriptor's length");
        return;
    }
    if (!sim.frame_length)
        sim.frame_first = d->high;
    memcpy(sim.frame + sim.frame_length, from, length);
    sim.frame_length += length;
    if (d->high >> 24 & 1)
        sim_frame_done(q);
    if (d->high >> 27 & 1)
        d->high |= 1ull << 32;
}

static void sim_transmit(uint32_t q)
{
    uint32_t ring = sim_tx(q), *head = sim_reg(ring + RING_HEAD);
    if (*head != *sim_reg(ring + RING_TAIL) && !(*sim_reg(TCTL) & TCTL_EN))
        world_violate("a tail while it does not send");
    while (*head != *sim_reg(ring + RING_TAIL) && !world.violation) {
        struct intel_descriptor *d = sim_descriptor(ring, *head);
        if (d)
            sim_one_descriptor(q, d);
        *head = (*head + 1) % NIC_RING;
    }
}

/* --- receive --- */

/* Status and length at their places; `sums`: 1 good, 2 bad, 0 not looked at. */
static void sim_write_back(struct intel_descriptor *d, uint32_t length, bool last, uint32_t sums,
                           bool bad)
{
    uint64_t high;
    if (sim.family == SIM_LEGACY) {
        high = length | 1ull << 32 | (uint64_t)last << 33;
        high |= sums ? 3ull << 37 : 1ull << 34;
        high |= sums == 2 ? 1ull << 45 : 0;
        high |= bad ? 1ull << 40 : 0;
    } else {
        high = 1ull | (uint64_t)last << 1 | (uint64_t)length << 32;
        high |= sums ? 3ull << 5 : sim.family == SIM_EXTENDED ? 4 : 0;
        high |= sums == 2 ? 1ull << 29 : 0;
        high |= bad ? 1ull << 31 : 0;
    }
    d->low = 0;
    d->high = high;
}

/* A frame arrives. False: it had no descriptors for it, and dropped it. */
static bool sim_arrive(uint32_t q, const struct frame *f, uint32_t sums, bool bad)
{
    uint32_t ring = sim_rx(q), *head = sim_reg(ring + RING_HEAD), done = 0;
    uint32_t room = (*sim_reg(ring + RING_TAIL) - *head) % NIC_RING;
    if (!(*sim_reg(RCTL) & RCTL_EN) || room * NIC_RX_BUFFER < f->length) {
        sim.missed++;
        return false;
    }
    while (done < f->length) {
        struct intel_descriptor *d = sim_descriptor(ring, *head);
        uint32_t bytes = f->length - done < NIC_RX_BUFFER ? f->length - done : NIC_RX_BUFFER;
        uint8_t *to = d ? world_memory(d->low, NIC_RX_BUFFER) : NULL;
        if (!to)
            return false;
        memcpy(to, f->bytes + done, bytes);
        done += bytes;
        sim_write_back(d, bytes, done == f->length, sums, bad);
        *head = (*head + 1) % NIC_RING;
    }
    return true;
}

#endif
