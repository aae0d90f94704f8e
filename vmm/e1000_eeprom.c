/* SPDX-License-Identifier: BSD-2-Clause */
/* The 82540EM's surroundings: a 64-word Microwire EEPROM (93C46), which holds the address, and the
 * PHY inside the chip. */
#include <string.h>
#include "vmm/e1000_parts.h"

#define EECD_SK   0x001u
#define EECD_CS   0x002u
#define EECD_DI   0x004u
#define EECD_DO   0x008u
#define EECD_REQ  0x040u
#define EECD_GNT  0x080u
#define EECD_PRES 0x100u

#define EERD_START 0x01u
#define EERD_DONE  0x10u

#define MICROWIRE_READ  6u /* start bit and opcode */
#define MICROWIRE_BITS  9u /* of a request: those, and six of address */
#define EEPROM_SUM      0xbabau
#define EEPROM_SUM_WORD 63u

#define MDIC_REGISTER(v) ((v) >> 16 & 0x1fu)
#define MDIC_PHY(v)      ((v) >> 21 & 0x1fu)
#define MDIC_OP          0x0c000000u
#define MDIC_OP_WRITE    0x04000000u
#define MDIC_OP_READ     0x08000000u
#define MDIC_READY       0x10000000u
#define MDIC_INTERRUPT   0x20000000u
#define MDIC_ERROR       0x40000000u

/* IEEE 802.3, clause 22, and the M88E1000's own. */
#define PHY_CONTROL    0u
#define PHY_STATUS     1u
#define PHY_ID1        2u
#define PHY_ID2        3u
#define PHY_ADVERTISE  4u
#define PHY_PARTNER    5u
#define PHY_EXPANSION  6u
#define PHY_1000_CTRL  9u
#define PHY_1000       10u
#define PHY_EXTENDED   15u
#define PHY_M88_STATUS 17u

#define PHY_CONTROL_RESET   0x8000u
#define PHY_CONTROL_RESTART 0x0200u
#define PHY_STATUS_LINK     0x0004u
#define PHY_STATUS_DONE     0x0020u
#define PHY_M88_LINK        0x0400u
#define PHY_M88_1000_FULL   0xa800u /* 1000 Mbit/s, full duplex, resolved */

/* --- EEPROM --- */

void e1000_eeprom_init(struct e1000 *card, const uint8_t mac[6])
{
    uint16_t sum = 0;
    memset(card->eeprom, 0, sizeof card->eeprom);
    for (unsigned i = 0; i < 3; i++)
        card->eeprom[i] = (uint16_t)(mac[2 * i] | (unsigned)mac[2 * i + 1] << 8);
    card->eeprom[0x0a] = 0x4408; /* initialization control 1: identity is loaded from here */
    card->eeprom[0x0b] = 0x001e; /* subsystem, its vendor, device, vendor */
    card->eeprom[0x0c] = 0x8086;
    card->eeprom[0x0d] = 0x100e;
    card->eeprom[0x0e] = 0x8086;
    card->eeprom[0x0f] = 0x0640; /* initialization control 2: full duplex, no pause frames */
    for (unsigned i = 0; i < EEPROM_SUM_WORD; i++)
        sum = (uint16_t)(sum + card->eeprom[i]);
    card->eeprom[EEPROM_SUM_WORD] = (uint16_t)(EEPROM_SUM - sum);
}

uint32_t e1000_eecd_read(const struct e1000 *card)
{
    uint32_t out = card->microwire.out % (16 * E1000_EEPROM_WORDS);
    uint32_t bit = (uint32_t)card->eeprom[out / 16] >> (15 - out % 16) & 1u;
    uint32_t value = e1000_get(card, E1000_EECD) | EECD_PRES;
    if (value & EECD_REQ)
        value |= EECD_GNT;
    /* DO is pulled up while the EEPROM does not drive it. */
    return !card->microwire.reading || bit ? value | EECD_DO : value;
}

void e1000_eecd_write(struct e1000 *card, uint32_t value)
{
    uint32_t before = e1000_get(card, E1000_EECD);
    value &= EECD_SK | EECD_CS | EECD_DI | EECD_REQ;
    e1000_set(card, E1000_EECD, value);
    if (!(value & EECD_CS)) {
        memset(&card->microwire, 0, sizeof card->microwire);
        return;
    }
    if (!((before ^ value) & EECD_SK))
        return;
    if (!(value & EECD_SK)) { /* falling: the next bit is shown */
        card->microwire.out++;
        return;
    }
    if (card->microwire.reading || (!card->microwire.bits && !(value & EECD_DI)))
        return; /* before the start bit */
    card->microwire.in = card->microwire.in << 1 | (value & EECD_DI ? 1u : 0u);
    if (++card->microwire.bits < MICROWIRE_BITS)
        return;
    card->microwire.reading = card->microwire.in >> 6 == MICROWIRE_READ;
    /* The falling edge that follows brings the first bit. */
    card->microwire.out = 16 * (card->microwire.in & 63u) - 1;
    card->microwire.bits = card->microwire.in = 0;
}

uint32_t e1000_eerd(const struct e1000 *card, uint32_t value)
{
    uint32_t word = value >> 8 & 0xffu;
    if (!(value & EERD_START))
        return value & 0xff00u;
    uint32_t data = word < E1000_EEPROM_WORDS ? card->eeprom[word] : 0;
    return data << 16 | word << 8 | EERD_DONE;
}

/* --- PHY --- */

void e1000_phy_reset(struct e1000 *card)
{
    memset(card->phy, 0, sizeof card->phy);
    card->phy[PHY_CONTROL] = 0x1140; /* autonegotiation, full duplex, 1000 Mbit/s */
    card->phy[PHY_STATUS] = 0x7949;
    card->phy[PHY_ID1] = 0x0141; /* Marvell */
    card->phy[PHY_ID2] = 0x0c20; /* M88E1011 */
    card->phy[PHY_ADVERTISE] = 0x0de1;
    card->phy[PHY_PARTNER] = 0x4de0;
    card->phy[PHY_EXPANSION] = 1;
    card->phy[PHY_1000_CTRL] = 0x0e00;
    card->phy[PHY_1000] = 0x3c00;
    card->phy[PHY_EXTENDED] = 0x3000;
}

static uint16_t read_phy(const struct e1000 *card, uint32_t which)
{
    uint16_t value = card->phy[which];
    if (which == PHY_STATUS && card->net->link)
        value |= PHY_STATUS_LINK | PHY_STATUS_DONE;
    if (which == PHY_M88_STATUS)
        value = card->net->link ? PHY_M88_1000_FULL | PHY_M88_LINK : PHY_M88_1000_FULL;
    return value;
}

static void write_phy(struct e1000 *card, uint32_t which, uint16_t value)
{
    if (which == PHY_CONTROL && value & PHY_CONTROL_RESET)
        e1000_phy_reset(card);
    else if (which == PHY_CONTROL)
        card->phy[which] = value & (uint16_t)~PHY_CONTROL_RESTART;
    else if (which != PHY_STATUS && which != PHY_ID1 && which != PHY_ID2 &&
             which != PHY_M88_STATUS && which != PHY_1000 && which != PHY_PARTNER)
        card->phy[which] = value;
}

uint32_t e1000_mdic(struct e1000 *card, uint32_t value)
{
    uint32_t which = MDIC_REGISTER(value), op = value & MDIC_OP;
    uint32_t result = (value & ~(MDIC_READY | MDIC_ERROR)) | MDIC_READY;
    if (MDIC_PHY(value) != 1)
        return result | MDIC_ERROR;
    if (op == MDIC_OP_READ)
        result = (result & ~0xffffu) | read_phy(card, which);
    else if (op == MDIC_OP_WRITE)
        write_phy(card, which, (uint16_t)value);
    if (value & MDIC_INTERRUPT)
        e1000_interrupt(card, ICR_MDAC);
    return result;
}
