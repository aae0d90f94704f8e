/* SPDX-License-Identifier: BSD-2-Clause */
/* 82576 and I350: advanced descriptors, one pair of rings, one message for all causes. */
#include "drivers/nic/intel/intel.h"
#include "user/frame.h"

#define SRRCTL_VALUE (2u | (1u << 25)) /* 2 KiB buffers, advanced descriptors with one buffer */
#define GPIE_NSICR   1u                /* reading ICR clears it always */
#define ENABLE_TRIES 100u
#define EITR_0       0x1680u
#define EITR_VALUE   (50u << 2) /* microseconds, bits 14:2 */

/* Advanced receive descriptor as written back: second word, as 82574's extended one. */
#define STATUS_DD    (1ull << 0)
#define STATUS_EOP   (1ull << 1)
#define STATUS_UDPCS (1ull << 4)
#define STATUS_L4I   (1ull << 5)
#define ERROR_L4E    (1ull << 29)
#define ERROR_IPE    (1ull << 30)
#define ERROR_RXE    (1ull << 31)

/* Advanced transmit descriptors. */
#define ADV_CONTEXT  (2ull << 20)
#define ADV_DATA     (3ull << 20)
#define DCMD_EOP     (1ull << 24)
#define DCMD_IFCS    (1ull << 25)
#define DCMD_RS      (1ull << 27)
#define DCMD_DEXT    (1ull << 29)
#define DCMD_TSE     (1ull << 31)
#define ADV_IPV4     (1ull << 10)
#define ADV_TCP      (1ull << 11)
#define ADV_POPTS_IP (1ull << 40)
#define ADV_POPTS_TU (1ull << 41)
#define PAYLEN_SHIFT 46

static const char *reset(struct nic *nic)
{
    static const struct intel family = {.rx_ring = IGB_RX_RING(0),
                                        .tx_ring = IGB_TX_RING(0),
                                        .ring_step = IGB_RX_RING(1) - IGB_RX_RING(0),
                                        .addresses = 16,
                                        .eerd_done = 1u << 1,
                                        .eerd_shift = 2,
                                        .express = true,
                                        .length_register = true,
                                        .written = {.length_shift = 32,
                                                    .done = STATUS_DD,
                                                    .end = STATUS_EOP,
                                                    .damaged = ERROR_RXE,
                                                    .checked = STATUS_L4I | STATUS_UDPCS,
                                                    .wrong = ERROR_L4E | ERROR_IPE}};
    nic->pairs = 1;
    nic->takes = FRAME_TAKES_CSUM | FRAME_TAKES_TCP4 | FRAME_TAKES_TCP6;
    return intel_reset(nic, &family);
}

static bool enable(const struct nic *nic, uint32_t dctl)
{
    nic_write32(nic, dctl, nic_read32(nic, dctl) | DCTL_ENABLE);
    for (uint32_t i = 0; i < ENABLE_TRIES; i++) {
        if (nic_read32(nic, dctl) & DCTL_ENABLE)
            return true;
        nic_sleep(nic, 100);
    }
    return false;
}

static const char *start(struct nic *nic)
{
    struct nic_queue *q = &nic->queue[0];
    nic_write32(nic, CTRL_EXT, nic_read32(nic, CTRL_EXT) | CTRL_EXT_DRV);
    nic_write32(nic, EIMC, UINT32_MAX);
    nic_write32(nic, GPIE, GPIE_NSICR);
    nic_write32(nic, EITR_0, EITR_VALUE);
    nic_write32(nic, MRQC, 0);
    nic_write32(nic, RXCSUM, RXCSUM_IPOFLD | RXCSUM_TUOFLD);
    intel_set_rings(q);
    nic_write32(nic, intel_rx_register(q, RING_SRRCTL), SRRCTL_VALUE);
    nic_write32(nic, TCTL, TCTL_EN | TCTL_PSP | TCTL_CT | TCTL_COLD | TCTL_RTLC);
    if (!enable(nic, intel_tx_register(q, RING_DCTL)) ||
        !enable(nic, intel_rx_register(q, RING_DCTL)))
        return "its queues do not start";
    return NULL;
}

/* VLAN_MACIP_LENS; TYPE_TUCMD and MSS_L4LEN_IDX. */
static void put_context(struct nic_queue *q, const struct nic_tx *tx)
{
    uint64_t lengths = (uint64_t)(tx->csum_start - tx->l3_start) | (uint64_t)tx->l3_start << 9;
    uint64_t high = ADV_CONTEXT | DCMD_DEXT | (tx->ipv6 ? 0 : ADV_IPV4) | (tx->udp ? 0 : ADV_TCP);
    if (tx->tso)
        high |= (uint64_t)(tx->header_length - tx->csum_start) << 40 | (uint64_t)tx->mss << 48;
    intel_put(q, lengths, high, NIC_NONE);
}

static bool transmit(struct nic_queue *q, const struct nic_tx *tx)
{
    uint64_t command = ADV_DATA | DCMD_DEXT | DCMD_IFCS, options = 0;
    uint64_t payload = tx->tso ? tx->length - tx->header_length : tx->length;
    if (NIC_RING - 1 - (q->tx_tail - q->tx_head) < tx->parts + 1)
        return false;
    if (tx->csum) {
        put_context(q, tx);
        options = ADV_POPTS_TU | (tx->tso && !tx->ipv6 ? ADV_POPTS_IP : 0);
    }
    if (tx->tso) {
        nic_segment_headers(q, tx);
        command |= DCMD_TSE;
    }
    for (uint32_t i = 0; i < tx->parts; i++) {
        bool last = i + 1 == tx->parts;
        uint64_t high = tx->bytes[i] | command | options | payload << PAYLEN_SHIFT;
        high |= last ? DCMD_EOP | DCMD_RS : 0;
        intel_put(q, q->pool_base + nic_tx_at(tx->buffer[i]), high, tx->buffer[i]);
    }
    return true;
}

const struct nic_chip nic_igb = {
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
    .transmit = transmit,
    .transmit_bell = intel_transmit_bell,
    .reap = intel_reap,
};
