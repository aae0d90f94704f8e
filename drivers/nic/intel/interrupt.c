/* SPDX-License-Identifier: BSD-2-Clause */
/* One interrupt for all causes: a pin, or a message. Causes of the rings stay masked from the first
 * interrupt until the rings are empty. */
#include "drivers/nic/intel/intel.h"

#define RINGS_RX (ICR_RXT0 | ICR_RXDMT0 | ICR_RXO)
#define RARE     (ICR_LSC | ICR_RXSEQ)

uint32_t intel_interrupt(struct nic *nic, uint32_t vector)
{
    uint32_t icr = nic_read32(nic, ICR), causes = 0;
    (void)vector;
    if (icr == UINT32_MAX)
        return NIC_CAUSE_GONE;
    if (icr & (RINGS_RX | ICR_TXDW)) {
        nic_write32(nic, IMC, RINGS_RX | ICR_TXDW);
        nic->armed &= ~(RINGS_RX | ICR_TXDW);
        causes |= NIC_CAUSE_RINGS;
    }
    if (icr & RARE)
        causes |= NIC_CAUSE_LINK;
    return causes;
}

bool intel_arm(struct nic *nic)
{
    uint32_t wanted = RARE;
    if (nic->running)
        wanted |= RINGS_RX;
    for (uint32_t i = 0; nic->running && i < NIC_PAIRS; i++) {
        if (nic->queue[i].tx_head != nic->queue[i].tx_tail)
            wanted |= ICR_TXDW;
    }
    if (wanted & ~nic->armed)
        nic_write32(nic, IMS, wanted & ~nic->armed);
    nic->armed |= wanted;
    return false; /* what came while they were masked interrupts now */
}
