/* SPDX-License-Identifier: BSD-2-Clause */
/* Values that stand in <network> and in a domain's <interface>. */
#include "manager/definition/domain_value.h"
#include "manager/network/network.h"

#include <string.h>

#define RATE_MAX 4000000000ull /* KB/s, KiB */

const char *network_vlan_tag(struct network_vlan *vlan, bool trunk, const char *id,
                             const char *native_mode)
{
    uint64_t value;
    if (!id || !value_u64(id, 4094, &value) || !value)
        return "id is not a VLAN from 1 to 4094";
    if (native_mode && strcmp(native_mode, "untagged") != 0)
        return "only nativeMode=\"untagged\" can be honoured";
    if (vlan->mode == SWITCH_VLAN_ACCESS)
        return "several tags need trunk=\"yes\"";
    if (!trunk && !native_mode) {
        if (vlan->mode != SWITCH_VLAN_NONE)
            return "several tags need trunk=\"yes\"";
        vlan->mode = SWITCH_VLAN_ACCESS;
        vlan->vlan = (uint32_t)value;
        return NULL;
    }
    vlan->mode = SWITCH_VLAN_TRUNK;
    if (vlan->trunk[value / 64] >> (value % 64) & 1)
        return "this VLAN is given twice";
    vlan->trunk[value / 64] |= 1ull << (value % 64);
    if (native_mode && vlan->vlan)
        return "there is one native VLAN";
    if (native_mode)
        vlan->vlan = (uint32_t)value;
    return NULL;
}

static bool read_amount(const char *text, uint64_t unit, uint64_t *out)
{
    uint64_t value = 0;
    if (text && (!value_u64(text, RATE_MAX, &value) || !value))
        return false;
    *out = value * unit;
    return true;
}

const char *network_rate(struct switch_rate *rate, const char *average, const char *peak,
                         const char *burst)
{
    if (!average)
        return "attribute average is missing";
    if (!read_amount(average, 1000, &rate->average))
        return "average is not a number of KB/s from 1 to 4000000000";
    if (!read_amount(peak, 1000, &rate->peak))
        return "peak is not a number of KB/s from 1 to 4000000000";
    if (!read_amount(burst, 1024, &rate->burst))
        return "burst is not a number of KiB from 1 to 4000000000";
    if (rate->peak && rate->peak < rate->average)
        return "peak is less than average";
    return NULL;
}
