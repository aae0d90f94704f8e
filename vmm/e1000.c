/* SPDX-License-Identifier: BSD-2-Clause */
/* The 82540EM as a whole: registers, interrupts, link, reset_chip, epochs. */
#include "vmm/e1000_parts.h"

#include <string.h>

#define CHIP_MEMORY   0u
#define CHIP_IO       1u
#define BAR_BYTES     0x20000u
#define CHIP_IO_BYTES 64u
#define IO_ADDRESS    0u
#define IO_DATA       4u

/* --- statistics --- */

void e1000_count(struct e1000 *card, uint32_t at, uint32_t n)
{
    uint32_t now = e1000_get(card, at);
    e1000_set(card, at, n > UINT32_MAX - now ? UINT32_MAX : now + n); /* they stick at the end */
}

void e1000_count_bytes(struct e1000 *card, uint32_t at, uint32_t n)
{
    uint64_t now = (uint64_t)e1000_get(card, at + 4) << 32 | e1000_get(card, at);
    now += n;
    e1000_set(card, at, (uint32_t)now);
    e1000_set(card, at + 4, (uint32_t)(now >> 32));
}

/* --- interrupts --- */

/* ITR: at least so many times 256 ns between two interrupts. */
static void drive_line(struct e1000 *card)
{
    uint64_t now = clock_ns(card->machine);
    uint64_t next = card->interrupt_ns + (e1000_get(card, E1000_ITR) & 0xffffu) * 256ull;
    bool wanted = e1000_get(card, E1000_ICR) & e1000_get(card, E1000_IMS);
    if (wanted && !card->pci.intx && now < next) {
        timer_arm(card->machine, &card->throttle, next);
        return;
    }
    if (wanted && !card->pci.intx)
        card->interrupt_ns = now;
    pci_set_intx(&card->pci, wanted);
}

static void throttle_over(void *dev)
{
    drive_line(dev);
}

void e1000_interrupt(struct e1000 *card, uint32_t causes)
{
    e1000_set(card, E1000_ICR, e1000_get(card, E1000_ICR) | (causes & ICR_ALL));
    drive_line(card);
}

static uint32_t read_icr(struct e1000 *card)
{
    uint32_t causes = e1000_get(card, E1000_ICR);
    e1000_set(card, E1000_ICR, 0);
    drive_line(card);
    return causes;
}

/* --- epochs --- */

static bool wants_channel(const struct e1000 *card)
{
    return e1000_get(card, E1000_RCTL) & RCTL_EN || e1000_get(card, E1000_TCTL) & TCTL_EN;
}

/* What was posted for the guest is void: its rings changed, or it stopped. */
static void restart_chip(struct e1000 *card)
{
    struct frame_offer offer = {
        .takes = FRAME_TAKES_MERGE, .pairs = 1, .owner_mtu = e1000_mtu(card)};
    uint32_t low = e1000_get(card, E1000_RA), high = e1000_get(card, E1000_RA + 4);
    memcpy(offer.mac, &low, 4);
    memcpy(offer.mac + 4, &high, 2);
    e1000_tx_void(card);
    card->receive_next = e1000_get(card, E1000_RDH);
    card->buffers_left = 0;
    card->running = wants_channel(card);
    e1000_listen(card);
    net_restart(card->net, &offer);
}

void e1000_serve(struct e1000 *card)
{
    if (!card->running || card->net->restarting)
        return;
    e1000_receive(card);
    e1000_reap(card);
    if (!pci_is_master(&card->pci))
        return;
    e1000_send(card);
    e1000_fill(card);
}

static void card_ready(void *owner)
{
    struct e1000 *card = owner;
    e1000_tx_give_back(card);
    e1000_serve(card);
}

static void card_event(void *owner)
{
    e1000_serve(owner);
}

static void settle_chip(void *owner)
{
    e1000_serve(owner);
}

static void card_changed(void *owner)
{
    struct e1000 *card = owner;
    uint32_t status = STATUS_FD | STATUS_1000 | (card->net->link ? STATUS_LU : 0);
    if (status == e1000_get(card, E1000_STATUS))
        return;
    e1000_set(card, E1000_STATUS, status);
    e1000_interrupt(card, ICR_LSC);
}

/* --- reset_chip --- */

static void reset_registers(struct e1000 *card)
{
    uint32_t low, high = 0;
    memset(card->reg, 0, sizeof card->reg);
    memset(&card->microwire, 0, sizeof card->microwire);
    memset(card->context, 0, sizeof card->context);
    card->frame.begun = false;
    card->frame.bad = false;
    memcpy(&low, card->eeprom, 4);
    memcpy(&high, &card->eeprom[2], 2);
    e1000_set(card, E1000_RA, low);
    e1000_set(card, E1000_RA + 4, high | RAH_AV);
    e1000_set(card, E1000_CTRL, STATUS_FD | 0x200u /* 1000 Mbit/s */);
    e1000_set(card, E1000_PBA, 0x00100030);
    e1000_set(card, E1000_VET, 0x8100);
    e1000_phy_reset(card);
    timer_cancel(card->machine, &card->throttle);
    timer_cancel(card->machine, &card->settle);
    pci_set_intx(&card->pci, false);
    e1000_set(card, E1000_STATUS, STATUS_FD | STATUS_1000 | (card->net->link ? STATUS_LU : 0));
}

static void reset_chip(struct e1000 *card)
{
    bool was_running = card->running;
    reset_registers(card);
    if (was_running)
        restart_chip(card);
    /* Nothing of before is given back: the guest has forgotten it. */
    card->void_from = card->void_to = card->frames_sent = 0;
}

/* --- registers --- */

static uint32_t read_register(struct e1000 *card, uint32_t at)
{
    if (at >= E1000_STATS && at < E1000_STATS_END) {
        uint32_t value = e1000_get(card, at);
        e1000_set(card, at, 0);
        return value;
    }
    switch (at) {
    case E1000_ICR:
        return read_icr(card);
    case E1000_EECD:
        return e1000_eecd_read(card);
    case E1000_ICS:
    case E1000_IMC:
        return 0; /* write-only */
    default:
        return at < E1000_REGISTERS ? e1000_get(card, at) : 0;
    }
}

static void write_enable(struct e1000 *card, uint32_t at, uint32_t value)
{
    uint32_t before = e1000_get(card, at);
    e1000_set(card, at, value);
    uint32_t what = at == E1000_RCTL ? RCTL_EN | RCTL_LPE | RCTL_BSEX | 0x30000u : TCTL_EN;
    e1000_listen(card);
    /* TCTL and the filters change while the other side goes on. */
    bool off_or_on = card->running != wants_channel(card);
    if (off_or_on || (at == E1000_RCTL && (before ^ value) & what))
        restart_chip(card);
    else
        e1000_serve(card);
}

static void write_ring(struct e1000 *card, uint32_t at, uint32_t value)
{
    e1000_set(card, at, value);
    if (at == E1000_RDH)
        card->receive_next = value;
    if (at == E1000_RDT || at == E1000_TDT)
        e1000_serve(card);
}

static void write_control(struct e1000 *card, uint32_t value)
{
    if (value & CTRL_RST)
        reset_chip(card);
    else
        e1000_set(card, E1000_CTRL, value);
}

static void write_plain(struct e1000 *card, uint32_t at, uint32_t value)
{
    bool statistic = at >= E1000_STATS && at < E1000_STATS_END;
    if (at >= E1000_REGISTERS || statistic)
        return;
    e1000_set(card, at, value);
    if (at >= E1000_MTA && at < E1000_VFTA_END)
        e1000_listen(card);
}

static void write_register(struct e1000 *card, uint32_t at, uint32_t value)
{
    switch (at) {
    case E1000_CTRL:
        write_control(card, value);
        break;
    case E1000_STATUS: /* read-only */
        break;
    case E1000_EECD:
        e1000_eecd_write(card, value);
        break;
    case E1000_EERD:
        e1000_set(card, at, e1000_eerd(card, value));
        break;
    case E1000_MDIC:
        e1000_set(card, at, e1000_mdic(card, value));
        break;
    case E1000_ICR: /* ones clear */
        e1000_set(card, at, e1000_get(card, at) & ~value);
        drive_line(card);
        break;
    case E1000_ICS:
        e1000_interrupt(card, value);
        break;
    case E1000_IMS:
        e1000_set(card, at, e1000_get(card, at) | (value & ICR_ALL));
        drive_line(card);
        break;
    case E1000_IMC:
        e1000_set(card, E1000_IMS, e1000_get(card, E1000_IMS) & ~value);
        drive_line(card);
        break;
    case E1000_RCTL:
    case E1000_TCTL:
        write_enable(card, at, value);
        break;
    case E1000_RDH:
    case E1000_RDT:
    case E1000_TDH:
    case E1000_TDT:
        write_ring(card, at, value & 0xffffu);
        break;
    default:
        write_plain(card, at, value);
        break;
    }
}

/* --- BARs --- */

/* Registers are 32 bits wide; a driver has no business with parts of them. */
static uint64_t card_read(void *dev, uint64_t offset, unsigned size)
{
    return size == 4 && offset % 4 == 0 ? read_register(dev, (uint32_t)offset) : 0;
}

static void card_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    if (size == 4 && offset % 4 == 0)
        write_register(dev, (uint32_t)offset, (uint32_t)value);
}

static uint64_t io_read(void *dev, uint64_t offset, unsigned size)
{
    struct e1000 *card = dev;
    if (size != 4)
        return 0;
    if (offset == IO_DATA && card->io_address % 4 == 0)
        return read_register(card, card->io_address);
    return offset == IO_ADDRESS ? card->io_address : 0;
}

static void io_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
    struct e1000 *card = dev;
    if (size != 4)
        return;
    if (offset == IO_ADDRESS)
        card->io_address = (uint32_t)value & (BAR_BYTES - 1);
    else if (offset == IO_DATA && card->io_address % 4 == 0)
        write_register(card, card->io_address, (uint32_t)value);
}

void e1000_init(struct e1000 *card, struct pci_bus *bus, unsigned slot, uint8_t interrupt_line,
                struct net *net)
{
    static const struct region_ops memory_ops = {card_read, card_write};
    static const struct region_ops io_ops = {io_read, io_write};
    static const struct pci_identity identity = {.vendor = 0x8086,
                                                 .device = 0x100e,
                                                 .subsystem_vendor = 0x8086,
                                                 .subsystem = 0x001e,
                                                 .class_code = 0x020000,
                                                 .revision = 3,
                                                 .interrupt_pin = 1};
    memset(card, 0, sizeof *card);
    card->net = net;
    card->machine = bus->machine;
    card->settle = (struct dev_timer){.fire = settle_chip, .dev = card};
    card->throttle = (struct dev_timer){.fire = throttle_over, .dev = card};
    net->owner = (struct net_owner){card_ready, card_changed, card_event, card};
    pci_device_init(&card->pci, bus, slot, "e1000", &identity);
    card->pci.config[PCI_INTERRUPT_LINE] = interrupt_line;
    pci_add_bar(&card->pci, CHIP_MEMORY, PCI_BAR_MEMORY, BAR_BYTES, &memory_ops, card);
    pci_add_bar(&card->pci, CHIP_IO, PCI_BAR_IO, CHIP_IO_BYTES, &io_ops, card);
    e1000_eeprom_init(card, net->config->mac);
    reset_registers(card);
}
