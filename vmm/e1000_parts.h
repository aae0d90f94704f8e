/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of the 82540EM, and the parts of its model among themselves. */
#ifndef VMM_E1000_PARTS_H
#define VMM_E1000_PARTS_H

#include "vmm/e1000.h"

#define E1000_CTRL      0x0000u
#define E1000_STATUS    0x0008u
#define E1000_EECD      0x0010u
#define E1000_EERD      0x0014u
#define E1000_MDIC      0x0020u
#define E1000_VET       0x0038u
#define E1000_ICR       0x00c0u
#define E1000_ITR       0x00c4u
#define E1000_ICS       0x00c8u
#define E1000_IMS       0x00d0u
#define E1000_IMC       0x00d8u
#define E1000_RCTL      0x0100u
#define E1000_TCTL      0x0400u
#define E1000_PBA       0x1000u
#define E1000_RDBAL     0x2800u
#define E1000_RDBAH     0x2804u
#define E1000_RDLEN     0x2808u
#define E1000_RDH       0x2810u
#define E1000_RDT       0x2818u
#define E1000_TDBAL     0x3800u
#define E1000_TDBAH     0x3804u
#define E1000_TDLEN     0x3808u
#define E1000_TDH       0x3810u
#define E1000_TDT       0x3818u
#define E1000_STATS     0x4000u /* statistics, cleared by reading */
#define E1000_MPC       0x4010u
#define E1000_GPRC      0x4074u
#define E1000_GPTC      0x4080u
#define E1000_GORCL     0x4088u
#define E1000_GOTCL     0x4090u
#define E1000_TORL      0x40c0u
#define E1000_TOTL      0x40c8u
#define E1000_TPR       0x40d0u
#define E1000_TPT       0x40d4u
#define E1000_STATS_END 0x4128u
#define E1000_RXCSUM    0x5000u
#define E1000_MTA       0x5200u /* 128 words */
#define E1000_RA        0x5400u /* 16 pairs */
#define E1000_VFTA      0x5600u /* 128 words */
#define E1000_VFTA_END  0x5800u

#define CTRL_SLU 0x00000040u
#define CTRL_RST 0x04000000u
#define CTRL_VME 0x40000000u

#define STATUS_FD   0x00000001u
#define STATUS_LU   0x00000002u
#define STATUS_1000 0x00000080u

#define ICR_TXDW   0x00000001u
#define ICR_TXQE   0x00000002u
#define ICR_LSC    0x00000004u
#define ICR_RXDMT0 0x00000010u
#define ICR_RXO    0x00000040u
#define ICR_RXT0   0x00000080u
#define ICR_MDAC   0x00000200u
#define ICR_ALL    0x0001ffffu

#define RCTL_EN    0x00000002u
#define RCTL_UPE   0x00000008u
#define RCTL_MPE   0x00000010u
#define RCTL_LPE   0x00000020u
#define RCTL_BAM   0x00008000u
#define RCTL_VFE   0x00040000u
#define RCTL_BSEX  0x02000000u
#define RCTL_SECRC 0x04000000u
#define TCTL_EN    0x00000002u
#define RAH_AV     0x80000000u

#define E1000_DESCRIPTOR 16u /* bytes, both kinds */

static inline uint32_t e1000_get(const struct e1000 *card, uint32_t at)
{
    return card->reg[at / 4];
}

static inline void e1000_set(struct e1000 *card, uint32_t at, uint32_t value)
{
    card->reg[at / 4] = value;
}

/* Descriptor number i of the ring whose base register is RDBAL or TDBAL; NULL: outside RAM. */
static inline uint8_t *e1000_descriptor(const struct e1000 *card, uint32_t ring, uint32_t i)
{
    uint64_t base = (uint64_t)e1000_get(card, ring + 4) << 32 | e1000_get(card, ring);
    return guest_ptr(card->machine, (base & ~15ull) + (uint64_t)i * E1000_DESCRIPTOR,
                     E1000_DESCRIPTOR);
}

/* Descriptors of the ring: RDLEN, TDLEN. */
static inline uint32_t e1000_ring_size(const struct e1000 *card, uint32_t ring)
{
    return (e1000_get(card, ring + (E1000_RDLEN - E1000_RDBAL)) & 0xfff80u) / E1000_DESCRIPTOR;
}

/* Adds to a statistic; bytes: to a pair of registers. */
void e1000_count(struct e1000 *card, uint32_t at, uint32_t n);
void e1000_count_bytes(struct e1000 *card, uint32_t at, uint32_t n);
/* Causes of an interrupt. */
void e1000_interrupt(struct e1000 *card, uint32_t causes);
/* What may be done now: frames given back, sent, buffers posted. */
void e1000_serve(struct e1000 *card);

/* --- e1000_tx.c --- */
void e1000_send(struct e1000 *card);
/* True: some were given back. */
bool e1000_reap(struct e1000 *card);
void e1000_tx_void(struct e1000 *card);
void e1000_tx_give_back(struct e1000 *card);

/* --- e1000_rx.c --- */
void e1000_fill(struct e1000 *card);
bool e1000_receive(struct e1000 *card);
/* Bytes of payload that the guest takes. */
uint32_t e1000_mtu(const struct e1000 *card);
/* Filters of the guest to the channel. */
void e1000_listen(struct e1000 *card);

/* --- e1000_eeprom.c: the EEPROM and the PHY --- */
void e1000_eeprom_init(struct e1000 *card, const uint8_t mac[6]);
uint32_t e1000_eecd_read(const struct e1000 *card);
void e1000_eecd_write(struct e1000 *card, uint32_t value);
uint32_t e1000_eerd(const struct e1000 *card, uint32_t value);
void e1000_phy_reset(struct e1000 *card);
/* MDIC: value written to it, as it is to be read then. */
uint32_t e1000_mdic(struct e1000 *card, uint32_t value);

#endif
