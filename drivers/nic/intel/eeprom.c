/* SPDX-License-Identifier: BSD-2-Clause */
/* The EEPROM, and the station's address ("EEPROM Interface", "Receive Address Low/High"). */
#include "drivers/nic/intel/intel.h"

#include <string.h>
#include "user/program.h"

#define READ_TRIES 1000u /* of 10 microseconds */
#define CHECKSUM   0xbabau
#define MULTICAST  1u

bool intel_eeprom_read(const struct nic *nic, uint32_t word, uint16_t *value)
{
    nic_write32(nic, EERD, word << nic->intel->eerd_shift | EERD_START);
    for (uint32_t i = 0; i < READ_TRIES; i++) {
        uint32_t eerd = nic_read32(nic, EERD);
        if (eerd == UINT32_MAX)
            return false;
        if (eerd & nic->intel->eerd_done) {
            *value = (uint16_t)(eerd >> 16);
            return true;
        }
        nic_sleep(nic, 10);
    }
    return false;
}

/* Only told: a chip whose address is sound works with a wrong sum. */
static void check_sum(const struct nic *nic)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < nic->intel->eeprom_words; i++) {
        uint16_t word;
        if (!intel_eeprom_read(nic, i, &word)) {
            log_line("%s: word %u of its EEPROM cannot be read", nic->config->name, i);
            return;
        }
        sum += word;
    }
    if (nic->intel->eeprom_words && (sum & 0xffffu) != CHECKSUM)
        log_line("%s: its EEPROM's checksum is wrong", nic->config->name);
}

static bool is_station(const uint8_t *mac)
{
    static const uint8_t zero[6];
    return !(mac[0] & MULTICAST) && memcmp(mac, zero, 6) != 0;
}

const char *intel_find_mac(struct nic *nic)
{
    uint32_t low = nic_read32(nic, RAL(0)), high = nic_read32(nic, RAH(0));
    for (uint32_t i = 0; i < 4; i++)
        nic->mac[i] = (uint8_t)(low >> 8 * i);
    nic->mac[4] = (uint8_t)high;
    nic->mac[5] = (uint8_t)(high >> 8);
    check_sum(nic);
    if (high & RAH_AV && is_station(nic->mac))
        return NULL;
    for (uint32_t i = 0; i < 3; i++) {
        uint16_t word;
        if (!intel_eeprom_read(nic, i, &word))
            return "its EEPROM cannot be read, and it has no address";
        nic->mac[2 * i] = (uint8_t)word;
        nic->mac[2 * i + 1] = (uint8_t)(word >> 8);
    }
    return is_station(nic->mac) ? NULL : "its EEPROM holds no address";
}
