/* SPDX-License-Identifier: BSD-2-Clause */
/* FADT, HPET, MCFG, and the one object of the DSDT that power-off needs. */
#include "arch/x86_64/acpi_power.h"
#include "arch/x86_64/acpi_tables.h"

#include "arch/x86_64/klog.h"
#include "lib/string.h"

/* FADT (ACPI specification, "Fixed ACPI Description Table"). */
#define FADT_SMI_CMD       48u
#define FADT_ACPI_ENABLE   52u
#define FADT_PM1A_CNT      64u
#define FADT_PM1B_CNT      68u
#define FADT_PM_TMR        76u
#define FADT_PM_TMR_LEN    91u
#define FADT_FLAGS         112u
#define FADT_RESET_REG     116u
#define FADT_RESET_VALUE   128u
#define FADT_X_PM1A_CNT    172u
#define FADT_X_PM1B_CNT    184u
#define FADT_X_PM_TMR      208u
#define FADT_TMR_VAL_EXT   (1u << 8)
#define FADT_RESET_REG_SUP (1u << 10)

#define HPET_ADDRESS   40u
#define MCFG_FIRST     44u
#define MCFG_ENTRY     16u
#define GAS_MEMORY     0u
#define GAS_IO         1u
#define GAS_PCI_CONFIG 2u

/* AML (ACPI specification, "ACPI Machine Language"). */
#define AML_ZERO    0x00u
#define AML_ONE     0x01u
#define AML_NAME    0x08u
#define AML_BYTE    0x0au
#define AML_WORD    0x0bu
#define AML_DWORD   0x0cu
#define AML_PACKAGE 0x12u
#define SLP_TYP_MAX 7u

/* The extended address when the table has one in I/O space, else the old one. */
static uint32_t port(const struct acpi_table *t, uint32_t extended, uint32_t old)
{
    struct acpi_gas gas = acpi_read_gas(t, extended);
    if (gas.space == GAS_IO && gas.address && gas.address <= UINT16_MAX)
        return (uint32_t)gas.address;
    uint64_t v = acpi_read(t, old, 4);
    return v <= UINT16_MAX ? (uint32_t)v : 0;
}

void acpi_fadt(const struct acpi_table *t)
{
    uint32_t flags = (uint32_t)acpi_read(t, FADT_FLAGS, 4);

    acpi.pm1a_control = (uint16_t)port(t, FADT_X_PM1A_CNT, FADT_PM1A_CNT);
    acpi.pm1b_control = (uint16_t)port(t, FADT_X_PM1B_CNT, FADT_PM1B_CNT);
    if (acpi_read(t, FADT_PM_TMR_LEN, 1) == 4) {
        acpi.pm_timer_port = port(t, FADT_X_PM_TMR, FADT_PM_TMR);
        acpi.pm_timer_32bit = (flags & FADT_TMR_VAL_EXT) != 0;
    }
    acpi.reset = acpi_read_gas(t, FADT_RESET_REG);
    acpi.reset_value = (uint8_t)acpi_read(t, FADT_RESET_VALUE, 1);
    acpi.reset_valid = (flags & FADT_RESET_REG_SUP) && acpi.reset.address &&
                       acpi_has(t, FADT_RESET_VALUE, 1) &&
                       (acpi.reset.space != GAS_IO || acpi.reset.address <= UINT16_MAX) &&
                       acpi.reset.space <= GAS_PCI_CONFIG;
    acpi_power_init((uint32_t)acpi_read(t, FADT_SMI_CMD, 4),
                    (uint8_t)acpi_read(t, FADT_ACPI_ENABLE, 1));
}

void acpi_hpet(const struct acpi_table *t)
{
    struct acpi_gas gas = acpi_read_gas(t, HPET_ADDRESS);
    if (gas.space == GAS_MEMORY && acpi_has(t, HPET_ADDRESS, 12))
        acpi.hpet_base = gas.address;
}

void acpi_mcfg(const struct acpi_table *t)
{
    for (uint32_t at = MCFG_FIRST; acpi_has(t, at, MCFG_ENTRY); at += MCFG_ENTRY) {
        uint32_t first = (uint32_t)acpi_read(t, at + 10, 1);
        uint32_t last = (uint32_t)acpi_read(t, at + 11, 1);
        if (acpi_read(t, at + 8, 2) != 0) /* another segment */
            continue;
        if (first > last) {
            kprintf("acpi: MCFG ignored: buses %u to %u\n", first, last);
            continue;
        }
        acpi.mcfg_base = acpi_read(t, at, 8);
        acpi.mcfg_bus_start = first;
        acpi.mcfg_bus_end = last;
        return;
    }
}

/* An integer constant at *at; moves it on. false: something else stands there. */
static bool aml_integer(const struct acpi_table *t, uint32_t *at, uint64_t *value)
{
    uint64_t op = acpi_read(t, *at, 1);
    uint32_t size = op == AML_BYTE ? 1 : op == AML_WORD ? 2 : op == AML_DWORD ? 4 : 0;

    if (!acpi_has(t, *at, 1 + size) || (!size && op != AML_ZERO && op != AML_ONE))
        return false;
    *value = size ? acpi_read(t, *at + 1, size) : op;
    *at += 1 + size;
    return true;
}

/* Name (_S5, Package () { type_a, type_b, ... }) with the name at offset `at`. */
static bool s5_package(const struct acpi_table *t, uint32_t at)
{
    uint64_t a, b;

    if (acpi_read(t, at - 1, 1) != AML_NAME &&
        !(acpi_read(t, at - 1, 1) == '\\' && acpi_read(t, at - 2, 1) == AML_NAME))
        return false;
    at += 4;
    if (acpi_read(t, at, 1) != AML_PACKAGE || !acpi_has(t, at, 3))
        return false;
    /* PkgLength: the two top bits of its first byte count the bytes that follow. */
    at += 2 + (uint32_t)(acpi_read(t, at + 1, 1) >> 6);
    uint64_t elements = acpi_read(t, at++, 1);
    if (!elements || !aml_integer(t, &at, &a))
        return false;
    if (elements < 2 || !aml_integer(t, &at, &b))
        b = a;
    if (a > SLP_TYP_MAX || b > SLP_TYP_MAX)
        return false;
    acpi.s5_type_a = (uint8_t)a;
    acpi.s5_type_b = (uint8_t)b;
    return true;
}

void acpi_find_s5(const struct acpi_table *t)
{
    for (uint32_t at = ACPI_HEADER + 2; acpi_has(t, at, 4) && !acpi.s5_valid; at++)
        if (!memcmp(t->bytes + at, "_S5_", 4))
            acpi.s5_valid = s5_package(t, at);
}
