/* SPDX-License-Identifier: BSD-2-Clause */
/* The chip's counters of what did not become a frame. Reading clears them. */
#include "drivers/nic/intel/intel.h"

static void add_counters(struct nic *nic, enum nic_stat stat, const uint8_t *registers, uint32_t n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t value = nic_read32(nic, STATISTICS + registers[i]);
        if (value == UINT32_MAX)
            return; /* it is gone; whoever reads STATUS next sees it */
        sum += value;
    }
    nic_add(nic, stat, sum);
}

void intel_count(struct nic *nic)
{
    static const uint8_t missed[] = {STAT_MPC}, /* RNBC counts those that waited, too */
        received[] = {STAT_CRCERRS, STAT_SYMERRS, STAT_RXERRC, STAT_SEC, STAT_CEXTERR,
                      STAT_RLEC,    STAT_RUC,     STAT_RFC,    STAT_ROC, STAT_RJC},
                         sent[] = {STAT_ECOL, STAT_LATECOL, STAT_TNCRS};
    add_counters(nic, NIC_RX_MISSED, missed, sizeof(missed));
    add_counters(nic, NIC_RX_ERRORS, received, sizeof(received));
    add_counters(nic, NIC_TX_ERRORS, sent, sizeof(sent));
}
