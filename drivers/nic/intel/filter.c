/* SPDX-License-Identifier: BSD-2-Clause */
/* What frames the chip lets in. */
#include "drivers/nic/intel/intel.h"

#define FRAME_OVERHEAD 22u /* header, two tags */
#define FCS            4u
#define SHORT_FRAME    1522u
#define MULTICAST      1u

static void set_address(const struct nic *nic, uint32_t index, const uint8_t *mac)
{
    uint32_t low = 0;
    for (uint32_t i = 0; i < 4; i++)
        low |= (uint32_t)mac[i] << 8 * i;
    nic_write32(nic, RAH(index), 0);
    nic_write32(nic, RAL(index), low);
    nic_write32(nic, RAH(index), RAH_AV | mac[4] | (uint32_t)mac[5] << 8);
}

/* "Multicast Table Array", with RCTL.MO 0: bits 47:36 of the address. */
static void add_hash(uint32_t table[128], const uint8_t *mac)
{
    uint32_t hash = ((uint32_t)mac[4] >> 4 | (uint32_t)mac[5] << 4) & 0xfffu;
    table[hash >> 5] |= 1u << (hash & 31u);
}

/* True: all stations have a place. */
static bool set_addresses(const struct nic *nic)
{
    uint32_t table[128] = {0}, used = 1;
    bool fits = true;
    set_address(nic, 0, nic->mac);
    for (uint32_t i = 0; i < nic->filter.macs; i++) {
        const uint8_t *mac = nic->filter.mac[i];
        if (mac[0] & MULTICAST)
            add_hash(table, mac);
        else if (used < nic->intel->addresses)
            set_address(nic, used++, mac);
        else
            fits = false;
    }
    for (uint32_t i = used; i < nic->intel->addresses; i++)
        nic_write32(nic, RAH(i), 0);
    for (uint32_t i = 0; i < 128; i++)
        nic_write32(nic, MTA(i), table[i]);
    return fits;
}

/* True: VLANs are to be filtered. */
static bool set_vlans(const struct nic *nic)
{
    bool any = false;
    for (uint32_t i = 0; i < 64; i++)
        any |= nic->filter.vlan[i] != 0;
    for (uint32_t i = 0; i < 128; i++)
        nic_write32(nic, VFTA(i), (uint32_t)(nic->filter.vlan[i / 2] >> 32 * (i & 1)));
    return any;
}

void intel_filter(struct nic *nic)
{
    uint32_t rctl = RCTL_BAM | RCTL_SECRC;
    uint32_t longest = nic->mtu_now + FRAME_OVERHEAD + FCS;
    bool fits = set_addresses(nic), vlans = set_vlans(nic);
    if (nic->filter.everything || !fits)
        rctl |= RCTL_UPE;
    if (nic->filter.everything || nic->filter.all_multicast)
        rctl |= RCTL_MPE;
    if (vlans && !nic->filter.everything)
        rctl |= RCTL_VFE;
    if (longest > SHORT_FRAME)
        rctl |= RCTL_LPE;
    if (nic->intel->length_register)
        nic_write32(nic, RLPML, longest);
    nic_write32(nic, RCTL, nic->running ? rctl | RCTL_EN : rctl);
}
