/* SPDX-License-Identifier: BSD-2-Clause */
/* The link: the PHY negotiates by itself, the MAC follows it (CTRL.ASDE). */
#include "drivers/nic/intel/intel.h"

#define MDIC_TRIES 200u /* of 10 microseconds; a frame on MDIO takes 64 */

static bool mdic(const struct nic *nic, uint32_t command, uint16_t *value)
{
    nic_write32(nic, MDIC, command | MDIC_PHY);
    for (uint32_t i = 0; i < MDIC_TRIES; i++) {
        uint32_t now = nic_read32(nic, MDIC);
        if (now & MDIC_READY) {
            *value = (uint16_t)now;
            return !(now & MDIC_ERROR);
        }
        nic_sleep(nic, 10);
    }
    return false;
}

/* One that has not negotiated yet may wait to be told (QEMU's 82576 does); but a link that is up,
 * or has only not been seen by the MAC since its reset, is left alone: negotiating takes seconds.
 */
static bool is_waiting(const struct nic *nic)
{
    uint16_t status;
    return !(nic_read32(nic, STATUS) & STATUS_LU) &&
           mdic(nic, MDIC_READ | PHY_STATUS << 16, &status) && !(status & PHY_NEGOTIATED);
}

void intel_wake_phy(const struct nic *nic)
{
    uint16_t control;
    const uint32_t asleep = PHY_POWERDOWN | PHY_ISOLATE;
    if (!mdic(nic, MDIC_READ | PHY_CONTROL << 16, &control))
        return; /* no copper */
    if (!(control & asleep) && control & PHY_AUTONEG && !is_waiting(nic))
        return;
    uint32_t awake = (control & ~asleep) | PHY_AUTONEG | PHY_RESTART;
    mdic(nic, MDIC_WRITE | PHY_CONTROL << 16 | (awake & 0xffffu), &control);
}

void intel_link(struct nic *nic, struct nic_link *link)
{
    static const uint32_t speeds[4] = {10, 100, 1000, 1000};
    uint32_t status = nic_read32(nic, STATUS);
    if (status == UINT32_MAX) {
        nic_distrust(nic, "it answers with ones only");
        return;
    }
    link->up = (status & STATUS_LU) != 0;
    link->full_duplex = (status & STATUS_FD) != 0;
    link->speed = link->up ? speeds[STATUS_SPEED(status)] : 0;
}
