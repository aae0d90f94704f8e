/* SPDX-License-Identifier: BSD-2-Clause */
/* 82540EM: legacy receive descriptors, one pair of rings, an interrupt pin. */
#include "drivers/nic/intel/intel.h"
#include "user/frame.h"

#define TIPG_COPPER  0x00602008u /* IPGT 8, IPGR1 8, IPGR2 6 */
#define INTERVAL_NS  256u
#define INTERRUPT_NS 50000u /* at most 20,000 interrupts a second */

/* Legacy receive descriptor, second word. */
#define STATUS_DD    (1ull << 32)
#define STATUS_EOP   (1ull << 33)
#define STATUS_IXSM  (1ull << 34)
#define STATUS_TCPCS (1ull << 37)
#define STATUS_IPCS  (1ull << 38)
#define ERROR_CE     (1ull << 40)
#define ERROR_SE     (1ull << 41)
#define ERROR_SEQ    (1ull << 42)
#define ERROR_CXE    (1ull << 44)
#define ERROR_TCPE   (1ull << 45)
#define ERROR_IPE    (1ull << 46)
#define ERROR_RXE    (1ull << 47)
#define ERRORS       (ERROR_CE | ERROR_SE | ERROR_SEQ | ERROR_CXE | ERROR_RXE)

static const char *reset(struct nic *nic)
{
    static const struct intel family = {.rx_ring = RX_RING(0),
                                        .tx_ring = TX_RING(0),
                                        .ring_step = RX_RING(1) - RX_RING(0),
                                        .addresses = 16,
                                        .eerd_done = 1u << 4,
                                        .eerd_shift = 8,
                                        .eeprom_words = 64,
                                        .written = {.length_shift = 0,
                                                    .done = STATUS_DD,
                                                    .end = STATUS_EOP,
                                                    .damaged = ERRORS,
                                                    .unchecked = STATUS_IXSM,
                                                    .checked = STATUS_TCPCS,
                                                    .wrong = ERROR_TCPE | ERROR_IPE}};
    nic->pairs = 1;
    nic->takes = FRAME_TAKES_CSUM | FRAME_TAKES_TCP4;
    return intel_reset(nic, &family);
}

static const char *start(struct nic *nic)
{
    intel_set_rings(&nic->queue[0]);
    nic_write32(nic, RX_RING(0) + RING_RDTR, 0);
    nic_write32(nic, RX_RING(0) + RING_RADV, 0);
    nic_write32(nic, TX_RING(0) + RING_TIDV, 0);
    nic_write32(nic, ITR, INTERRUPT_NS / INTERVAL_NS);
    nic_write32(nic, RXCSUM, RXCSUM_IPOFLD | RXCSUM_TUOFLD);
    nic_write32(nic, TIPG, TIPG_COPPER);
    nic_write32(nic, TCTL, TCTL_EN | TCTL_PSP | TCTL_CT | TCTL_COLD | TCTL_RTLC);
    return NULL;
}

const struct nic_chip nic_e1000 = {
    .reset = reset,
    .start = start,
    .filter = intel_filter,
    .interrupt = intel_interrupt,
    .arm = intel_arm,
    .link = intel_link,
    .count = intel_count,
    .fill = intel_fill,
    .fill_bell = intel_fill_bell,
    .receive = intel_receive,
    .transmit = intel_transmit,
    .transmit_bell = intel_transmit_bell,
    .reap = intel_reap,
};
