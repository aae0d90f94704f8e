/* SPDX-License-Identifier: BSD-2-Clause */
/* The RSDP's place from UEFI's configuration table (UEFI specification, "EFI Configuration Table"):
 * multiboot2 loaders pass a copy, but ring 3 wants to read the original. */
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/bootmap.h"
#include "lib/string.h"

#define SYSTEM_TABLE_SIZE 120u
#define SYSTEM_ENTRIES    104u
#define SYSTEM_TABLES     112u
#define ENTRY_SIZE        24u
#define ENTRIES_MAX       256u

/* 8868e871-e4f1-11d3-bc22-0080c73c8881 and, for ACPI 1.0, eb9d2d30-2d88-11d3-9a16-0090273fc14d. */
static const uint8_t acpi_20[16] = {0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
                                    0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81};
static const uint8_t acpi_10[16] = {0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11,
                                    0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d};

static uint64_t read_word(const uint8_t *bytes)
{
    uint64_t v;
    memcpy(&v, bytes, sizeof(v));
    return v;
}

uint64_t acpi_rsdp_from_efi(uint64_t system_table)
{
    const uint8_t *system = system_table ? boot_map(hpa(system_table), SYSTEM_TABLE_SIZE) : NULL;
    if (!system || memcmp(system, "IBI SYST", 8))
        return 0;
    uint64_t count = MIN(read_word(system + SYSTEM_ENTRIES), ENTRIES_MAX);
    const uint8_t *entry = boot_map(hpa(read_word(system + SYSTEM_TABLES)), count * ENTRY_SIZE);
    uint64_t old = 0;

    for (uint64_t i = 0; entry && i < count; i++, entry += ENTRY_SIZE) {
        if (!memcmp(entry, acpi_20, sizeof(acpi_20)))
            return read_word(entry + 16);
        if (!memcmp(entry, acpi_10, sizeof(acpi_10)))
            old = read_word(entry + 16);
    }
    return old;
}
