/* SPDX-License-Identifier: BSD-2-Clause */
/* Transmit descriptors of 8254x and 82574 ("Transmit Descriptor Ring Structure", "TCP/IP Context
 * Descriptor", "TCP/IP Data Descriptor"). */
#include "drivers/nic/intel/intel.h"

#define DTYP_DATA (1ull << 20)
#define CMD_EOP   (1ull << 24)
#define CMD_IFCS  (1ull << 25)
#define CMD_TSE   (1ull << 26)
#define CMD_RS    (1ull << 27)
#define CMD_DEXT  (1ull << 29)
#define TUCMD_TCP (1ull << 24)
#define TUCMD_IP  (1ull << 25) /* version 4 */
#define STA_DD    (1ull << 32)
#define POPTS_IP  (1ull << 40)
#define POPTS_TU  (1ull << 41)
#define IP_CSUM   10u /* of IPv4's header */

void intel_put(struct nic_queue *q, uint64_t low, uint64_t high, uint32_t buffer)
{
    uint32_t at = q->tx_tail % NIC_RING;
    volatile struct intel_descriptor *d = &intel_tx_ring(q)[at];
    uint64_t bit = 1ull << at % 64, *report = &q->tx_report[at / 64];
    q->tx_buffer[at] = (uint16_t)buffer;
    *report = high & CMD_RS ? *report | bit : *report & ~bit;
    d->low = low;
    d->high = high;
    q->tx_tail++;
}

/* IPCSS, IPCSO, IPCSE, TUCSS, TUCSO, TUCSE (0: to the end of the frame). */
static uint64_t context_low(const struct nic_tx *tx)
{
    uint64_t ip = tx->l3_start, tu = tx->csum_start;
    uint64_t low = ip | (ip + IP_CSUM) << 8 | (tu - 1) << 16;
    return low | tu << 32 | (tu + tx->csum_offset) << 40;
}

static uint64_t context_high(const struct nic_tx *tx)
{
    uint64_t high = CMD_DEXT | (tx->udp ? 0 : TUCMD_TCP) | (tx->ipv6 ? 0 : TUCMD_IP);
    if (!tx->tso)
        return high;
    uint64_t payload = tx->length - tx->header_length;
    return high | CMD_TSE | payload | (uint64_t)tx->header_length << 40 | (uint64_t)tx->mss << 48;
}

/* The chip keeps the last context; one that segments counts down what it was told, so that it is
 * told again each time. */
static bool needs_context(const struct nic_queue *q, const struct nic_tx *tx, uint64_t low,
                          uint64_t high)
{
    return tx->tso || !q->context_known || q->context[0] != (uint32_t)low ||
           q->context[1] != (uint32_t)(low >> 32) || q->context[2] != (uint32_t)high;
}

static void remember(struct nic_queue *q, const struct nic_tx *tx, uint64_t low, uint64_t high)
{
    q->context_known = !tx->tso;
    q->context[0] = (uint32_t)low;
    q->context[1] = (uint32_t)(low >> 32);
    q->context[2] = (uint32_t)high;
}

bool intel_transmit(struct nic_queue *q, const struct nic_tx *tx)
{
    uint64_t command = CMD_DEXT | DTYP_DATA | CMD_IFCS, options = 0;
    if (NIC_RING - 1 - (q->tx_tail - q->tx_head) < tx->parts + 1)
        return false;
    if (tx->csum) {
        uint64_t low = context_low(tx), high = context_high(tx);
        if (needs_context(q, tx, low, high)) {
            intel_put(q, low, high, NIC_NONE);
            remember(q, tx, low, high);
        }
        options = POPTS_TU | (tx->tso && !tx->ipv6 ? POPTS_IP : 0);
    }
    if (tx->tso) {
        nic_segment_headers(q, tx);
        command |= CMD_TSE;
    }
    for (uint32_t i = 0; i < tx->parts; i++) {
        bool last = i + 1 == tx->parts;
        uint64_t high = tx->bytes[i] | command | options | (last ? CMD_EOP | CMD_RS : 0);
        intel_put(q, q->pool_base + nic_tx_at(tx->buffer[i]), high, tx->buffer[i]);
    }
    return true;
}

void intel_transmit_bell(struct nic_queue *q)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    nic_write32(q->nic, intel_tx_register(q, RING_TAIL), q->tx_tail % NIC_RING);
    q->tx_shown = q->tx_tail;
}

/* Descriptors without RS are done when the next one with it is. */
void intel_reap(struct nic_queue *q)
{
    volatile struct intel_descriptor *ring = intel_tx_ring(q);
    for (;;) {
        uint32_t end = q->tx_head;
        while (end != q->tx_shown && !(q->tx_report[end % NIC_RING / 64] >> end % 64 & 1))
            end++;
        if (end == q->tx_shown || !(ring[end % NIC_RING].high & STA_DD))
            return;
        for (; q->tx_head != end + 1; q->tx_head++) {
            uint32_t buffer = q->tx_buffer[q->tx_head % NIC_RING];
            if (buffer != NIC_NONE)
                nic_tx_done(q, buffer);
        }
    }
}
