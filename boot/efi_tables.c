/* SPDX-License-Identifier: BSD-2-Clause */
#include <stddef.h>
#include "boot/bootinfo.h"
#include "boot/efi_tables.h"

/* UEFI 2.10, "EFI System Table", 64-bit layout. */
#define SYSTEM_TABLE_SIZE    120u
#define SYSTEM_TABLE_ENTRIES 104u
#define SYSTEM_TABLE_CONFIG  112u
#define ENTRIES_MAX          1024u /* a wild count must not walk off */

struct config_entry {
    uint8_t guid[16];
    uint64_t table;
};

uint64_t efi_find_rsdp(uint64_t system_table)
{
    /* EFI_ACPI_20_TABLE_GUID and ACPI_TABLE_GUID, as they lie in memory. */
    static const uint8_t acpi[2][16] = {{0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11, 0xbc, 0x22,
                                         0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81},
                                        {0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11, 0x9a, 0x16,
                                         0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};
    uint64_t count, config;
    const char *table = system_table ? early_map(system_table, SYSTEM_TABLE_SIZE) : NULL;
    if (!table || __builtin_memcmp(table, "IBI SYST", 8) != 0)
        return 0;
    __builtin_memcpy(&count, table + SYSTEM_TABLE_ENTRIES, sizeof(count));
    __builtin_memcpy(&config, table + SYSTEM_TABLE_CONFIG, sizeof(config));
    if (count > ENTRIES_MAX)
        return 0;
    const char *entries = early_map(config, count * sizeof(struct config_entry));
    if (!entries)
        return 0;
    for (unsigned version = 0; version < 2; version++) {
        for (uint64_t i = 0; i < count; i++) {
            struct config_entry entry;
            __builtin_memcpy(&entry, entries + i * sizeof(entry), sizeof(entry));
            if (__builtin_memcmp(entry.guid, acpi[version], sizeof(entry.guid)) == 0)
                return entry.table;
        }
    }
    return 0;
}
