/* SPDX-License-Identifier: BSD-2-Clause */
/* 82574L: extended receive descriptors, two pairs of rings with RSS, MSI-X with a vector a pair and
 * one for the rest. */
#include "drivers/nic/intel/intel.h"
#include "user/frame.h"
#include "user/random.h"

#define TIPG_COPPER   0x00602008u
#define INTERVAL_NS   256u
#define INTERRUPT_NS  50000u
#define TXDCTL_VALUE  ((1u << 24) | (1u << 22) | (1u << 16)) /* GRAN, bit 22 always, WTHRESH 1 */
#define TARC_ENABLE   (1u << 10)
#define MRQC_TWO      1u            /* two queues by RSS */
#define MRQC_FIELDS   (0x37u << 16) /* TCP and plain IP, versions 4 and 6 */
#define RETA_WORDS    32u
#define RSSRK_WORDS   10u
#define RETA_QUEUE(i) ((i) << 7) /* bit 7 of an entry's byte */
#define VECTOR_REST   2u
#define ALL_RINGS     (ICR_RXQ(0) | ICR_RXQ(1) | ICR_TXQ(0) | ICR_TXQ(1))

/* Extended receive descriptor as written back: second word. */
#define STATUS_DD    (1ull << 0)
#define STATUS_EOP   (1ull << 1)
#define STATUS_IXSM  (1ull << 2)
#define STATUS_UDPCS (1ull << 4)
#define STATUS_TCPCS (1ull << 5)
#define ERROR_CE     (1ull << 24)
#define ERROR_SE     (1ull << 25)
#define ERROR_SEQ    (1ull << 26)
#define ERROR_CXE    (1ull << 28)
#define ERROR_TCPE   (1ull << 29)
#define ERROR_IPE    (1ull << 30)
#define ERROR_RXE    (1ull << 31)
#define ERRORS       (ERROR_CE | ERROR_SE | ERROR_SEQ | ERROR_CXE | ERROR_RXE)

static const char *reset(struct nic *nic)
{
    static const struct intel family = {.rx_ring = RX_RING(0),
                                        .tx_ring = TX_RING(0),
                                        .ring_step = RX_RING(1) - RX_RING(0),
                                        .addresses = 16,
                                        .eerd_done = 1u << 1,
                                        .eerd_shift = 2,
                                        .express = true,
                                        .eeprom_words = 64,
                                        .written = {.length_shift = 32,
                                                    .done = STATUS_DD,
                                                    .end = STATUS_EOP,
                                                    .damaged = ERRORS,
                                                    .unchecked = STATUS_IXSM,
                                                    .checked = STATUS_TCPCS | STATUS_UDPCS,
                                                    .wrong = ERROR_TCPE | ERROR_IPE}};
    nic->pairs = nic->config->irq_messages ? NIC_PAIRS : 1;
    nic->takes = FRAME_TAKES_CSUM | FRAME_TAKES_TCP4 | FRAME_TAKES_TCP6;
    return intel_reset(nic, &family);
}

/* Connections spread over the queues; the key is nobody's to guess. */
static void spread(const struct nic *nic, uint32_t queues)
{
    if (queues < 2) {
        nic_write32(nic, MRQC, 0);
        return;
    }
    uint32_t key[RSSRK_WORDS];
    random_bytes(key, sizeof(key));
    for (uint32_t i = 0; i < RSSRK_WORDS; i++)
        nic_write32(nic, RSSRK(i), key[i]);
    for (uint32_t i = 0; i < RETA_WORDS; i++)
        nic_write32(nic, RETA(i), RETA_QUEUE(1u) << 8 | RETA_QUEUE(1u) << 24);
    nic_write32(nic, MRQC, MRQC_TWO | MRQC_FIELDS);
}

static void route_interrupts(const struct nic *nic)
{
    uint32_t ivar = 0;
    if (!nic->config->irq_messages) {
        nic_write32(nic, ITR, INTERRUPT_NS / INTERVAL_NS);
        return;
    }
    const uint32_t vector[5] = {0, 1, 0, 1, VECTOR_REST}; /* RxQ0, RxQ1, TxQ0, TxQ1, other */
    for (uint32_t i = 0; i < 5; i++)
        ivar |= (IVAR_VALID | vector[i]) << 4 * i;
    nic_write32(nic, IVAR, ivar | IVAR_EACH);
    nic_write32(nic, CTRL_EXT, nic_read32(nic, CTRL_EXT) | CTRL_EXT_PBA);
    nic_write32(nic, EIAC, ALL_RINGS);
    for (uint32_t i = 0; i < NIC_PAIRS; i++)
        nic_write32(nic, EITR(i), INTERRUPT_NS / INTERVAL_NS);
}

static const char *start(struct nic *nic)
{
    uint32_t queues = nic->active;
    nic_write32(nic, CTRL_EXT, nic_read32(nic, CTRL_EXT) | CTRL_EXT_DRV);
    nic_write32(nic, RFCTL, RFCTL_EXSTEN);
    for (uint32_t i = 0; i < queues; i++) {
        intel_set_rings(&nic->queue[i]);
        nic_write32(nic, RX_RING(i) + RING_RDTR, 0);
        nic_write32(nic, TX_RING(i) + RING_TIDV, 0);
        nic_write32(nic, TX_RING(i) + RING_DCTL, TXDCTL_VALUE);
        nic_write32(nic, TARC(i), nic_read32(nic, TARC(i)) | TARC_ENABLE);
    }
    nic_write32(nic, RX_RING(0) + RING_RADV, 0);
    spread(nic, queues);
    route_interrupts(nic);
    nic_write32(nic, RXCSUM, RXCSUM_IPOFLD | RXCSUM_TUOFLD | (queues > 1 ? RXCSUM_PCSD : 0));
    nic_write32(nic, TIPG, TIPG_COPPER);
    nic_write32(nic, TCTL, TCTL_EN | TCTL_PSP | TCTL_CT | TCTL_COLD | TCTL_RTLC | TCTL_MULR);
    return NULL;
}

static uint32_t interrupt(struct nic *nic, uint32_t vector)
{
    if (!nic->config->irq_messages)
        return intel_interrupt(nic, vector);
    if (vector != VECTOR_REST) {
        uint32_t own = ICR_RXQ(vector) | ICR_TXQ(vector);
        nic_write32(nic, IMC, own);
        nic->armed &= ~own;
        return NIC_CAUSE_RINGS;
    }
    uint32_t icr = nic_read32(nic, ICR);
    if (icr == UINT32_MAX)
        return NIC_CAUSE_GONE;
    nic_write32(nic, ICR, ICR_LSC | ICR_OTHER | ICR_RXO);
    nic->armed &= ~(ICR_LSC | ICR_OTHER);
    return NIC_CAUSE_LINK;
}

static bool arm(struct nic *nic)
{
    if (!nic->config->irq_messages)
        return intel_arm(nic);
    uint32_t wanted = ICR_LSC | ICR_OTHER;
    for (uint32_t i = 0; nic->running && i < NIC_PAIRS; i++) {
        wanted |= ICR_RXQ(i);
        if (nic->queue[i].tx_head != nic->queue[i].tx_tail)
            wanted |= ICR_TXQ(i);
    }
    if (wanted & ~nic->armed)
        nic_write32(nic, IMS, wanted & ~nic->armed);
    nic->armed |= wanted;
    return false;
}

const struct nic_chip nic_e1000e = {
    .reset = reset,
    .start = start,
    .filter = intel_filter,
    .interrupt = interrupt,
    .arm = arm,
    .link = intel_link,
    .count = intel_count,
    .fill = intel_fill,
    .fill_bell = intel_fill_bell,
    .receive = intel_receive,
    .transmit = intel_transmit,
    .transmit_bell = intel_transmit_bell,
    .reap = intel_reap,
};
