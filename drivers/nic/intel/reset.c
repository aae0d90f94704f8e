/* SPDX-License-Identifier: BSD-2-Clause */
/* Brings a controller to a known state. The order is the manuals' ("Initialization and Reset
 * Operation"; for PCI Express: "Master Disable" before "Software Reset"). */
#include "drivers/nic/intel/intel.h"

#include <string.h>

#define RESET_TRIES    100u /* of 100 microseconds */
#define EEPROM_TRIES   500u
#define DRAIN_TRIES    1000u
#define SETTLE_US      2000u /* 8254x: at least 1 microsecond, and its EEPROM is read meanwhile */
#define FLOW_TYPE      0x8808u
#define FLOW_ADDRESS_L 0x00c28001u
#define FLOW_ADDRESS_H 0x00000100u
#define FLOW_PAUSE     0xffffu

static void quiet(struct nic *nic)
{
    nic_write32(nic, IMC, UINT32_MAX);
    nic_write32(nic, RCTL, 0);
    nic_write32(nic, TCTL, TCTL_PSP);
    nic_read32(nic, STATUS);
    nic->armed = 0;
}

/* What is on its way over the bus arrives before the reset, not after it. */
static void drain(const struct nic *nic)
{
    if (!nic->intel->express)
        return;
    nic_write32(nic, CTRL, nic_read32(nic, CTRL) | CTRL_MASTER_OFF);
    for (uint32_t i = 0; i < DRAIN_TRIES && nic_read32(nic, STATUS) & STATUS_MASTER; i++)
        nic_sleep(nic, 1);
}

static const char *software_reset(const struct nic *nic)
{
    nic_write32(nic, CTRL, nic_read32(nic, CTRL) | CTRL_RST);
    nic_sleep(nic, SETTLE_US);
    for (uint32_t i = 0; nic_read32(nic, CTRL) & CTRL_RST; i++) {
        if (i == RESET_TRIES)
            return "its reset does not end";
        nic_sleep(nic, 100);
    }
    /* A card without an EEPROM never says that it has read it (nor does QEMU's 82576): whether it
     * has an address is asked later. */
    for (uint32_t i = 0; nic->intel->express && i < EEPROM_TRIES; i++) {
        if (nic_read32(nic, EECD) & EECD_AUTO_RD)
            break;
        nic_sleep(nic, 100);
    }
    return NULL;
}

/* Pause frames as auto-negotiation has agreed on them. */
static void set_control(const struct nic *nic)
{
    uint32_t ctrl = nic_read32(nic, CTRL);
    ctrl &= ~(CTRL_LRST | CTRL_ILOS | CTRL_FRCSPD | CTRL_FRCDPLX | CTRL_VME | CTRL_PHY_RST |
              CTRL_MASTER_OFF | CTRL_RST);
    nic_write32(nic, CTRL, ctrl | CTRL_SLU | CTRL_ASDE | CTRL_FD);
    nic_write32(nic, FCAL, FLOW_ADDRESS_L);
    nic_write32(nic, FCAH, FLOW_ADDRESS_H);
    nic_write32(nic, FCT, FLOW_TYPE);
    nic_write32(nic, FCTTV, FLOW_PAUSE);
}

static void clear_tables(const struct nic *nic)
{
    for (uint32_t i = 0; i < 128; i++) {
        nic_write32(nic, MTA(i), 0);
        nic_write32(nic, VFTA(i), 0);
    }
    for (uint32_t i = 1; i < nic->intel->addresses; i++) {
        nic_write32(nic, RAH(i), 0);
        nic_write32(nic, RAL(i), 0);
    }
}

const char *intel_reset(struct nic *nic, const struct intel *family)
{
    nic->intel = family;
    if (nic_read32(nic, STATUS) == UINT32_MAX)
        return "it answers with ones only";
    quiet(nic);
    drain(nic);
    const char *why = software_reset(nic);
    if (why)
        return why;
    quiet(nic);
    nic_read32(nic, ICR);
    why = intel_find_mac(nic);
    if (why)
        return why;
    clear_tables(nic);
    nic_write32(nic, WUC, 0);
    set_control(nic);
    intel_wake_phy(nic);
    intel_count(nic); /* what was counted before is not ours */
    memset(&nic->filter, 0, sizeof(nic->filter));
    nic->mtu = NIC_MTU;
    if (nic_read32(nic, STATUS) == UINT32_MAX)
        return "it answers with ones only";
    return NULL;
}

static void set_ring(const struct nic *nic, uint32_t at, uint64_t base)
{
    nic_write32(nic, at + RING_BAL, (uint32_t)base);
    nic_write32(nic, at + RING_BAH, (uint32_t)(base >> 32));
    nic_write32(nic, at + RING_LEN, NIC_RING * sizeof(struct intel_descriptor));
    nic_write32(nic, at + RING_HEAD, 0);
    nic_write32(nic, at + RING_TAIL, 0);
}

void intel_set_rings(struct nic_queue *q)
{
    const uint32_t bytes = NIC_RING * sizeof(struct intel_descriptor);
    memset(q->rings, 0, 2 * bytes);
    for (uint32_t i = 0; i < NIC_RING; i++)
        q->rx_buffer[i] = q->tx_buffer[i] = NIC_NONE;
    q->rx_head = q->rx_tail = q->rx_shown = 0;
    q->tx_head = q->tx_tail = q->tx_shown = 0;
    q->context_known = false;
    set_ring(q->nic, intel_rx_register(q, 0), q->rings_base);
    set_ring(q->nic, intel_tx_register(q, 0), q->rings_base + bytes);
}
