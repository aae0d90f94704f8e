/* SPDX-License-Identifier: BSD-2-Clause */
/* FADT, and the one object of the DSDT or an SSDT that power-off needs (ACPI specification, "Fixed
 * ACPI Description Table" and "ACPI Machine Language"). */
#include "user/host_acpi.h"

#include <stddef.h>
#include <string.h>

#define HEADER    36u
#define TABLE_MAX (1u << 20) /* longer is taken for damage */

#define FADT_DSDT          40u
#define FADT_SMI_CMD       48u
#define FADT_ACPI_ENABLE   52u
#define FADT_PM1A_CNT      64u
#define FADT_PM1B_CNT      68u
#define FADT_FLAGS         112u
#define FADT_RESET_REG     116u
#define FADT_RESET_VALUE   128u
#define FADT_X_DSDT        140u
#define FADT_X_PM1A_CNT    172u
#define FADT_X_PM1B_CNT    184u
#define FADT_RESET_REG_SUP (1u << 10)
#define GAS_ADDRESS        4u

#define AML_ZERO    0x00u
#define AML_ONE     0x01u
#define AML_NAME    0x08u
#define AML_BYTE    0x0au
#define AML_WORD    0x0bu
#define AML_DWORD   0x0cu
#define AML_PACKAGE 0x12u
#define SLP_TYP_MAX 7u

struct table {
    const uint8_t *bytes;
    uint32_t length;
};

static bool has(const struct table *t, uint32_t offset, uint32_t size)
{
    return offset <= t->length && size <= t->length - offset;
}

/* Little-endian number; 0 where the table ends before. */
static uint64_t number(const struct table *t, uint32_t offset, uint32_t size)
{
    uint64_t value = 0;
    if (has(t, offset, size))
        memcpy(&value, t->bytes + offset, size);
    return value;
}

/* signature NULL: any. false: absent or damaged. */
static bool open_table(uint64_t pa, const char *signature, host_acpi_map map, struct table *t)
{
    *t = (struct table){pa ? map(pa, HEADER) : NULL, HEADER};
    if (!t->bytes || (signature && memcmp(t->bytes, signature, 4) != 0))
        return false;
    uint32_t length = (uint32_t)number(t, 4, 4);
    if (length < HEADER || length > TABLE_MAX)
        return false;
    *t = (struct table){map(pa, length), length};
    uint8_t sum = 0;
    for (uint32_t i = 0; t->bytes && i < length; i++)
        sum = (uint8_t)(sum + t->bytes[i]);
    return t->bytes && !sum;
}

/* The n-th good table with this signature. */
static bool find_table(const struct table *root, const char *signature, uint32_t n,
                       host_acpi_map map, struct table *t)
{
    uint32_t size = memcmp(root->bytes, "XSDT", 4) == 0 ? 8 : 4;
    for (uint32_t at = HEADER; has(root, at, size); at += size)
        if (open_table(number(root, at, size), signature, map, t) && !n--)
            return true;
    return false;
}

/* The extended address when the table has one in I/O space, else the old one. */
static uint16_t port(const struct table *t, uint32_t extended, uint32_t old)
{
    uint64_t address = number(t, extended + GAS_ADDRESS, 8);
    if (number(t, extended, 1) != GAS_IO || !address || address > UINT16_MAX)
        address = number(t, old, 4);
    return address <= UINT16_MAX ? (uint16_t)address : 0;
}

static void read_fadt(struct host_acpi *acpi, const struct table *t)
{
    uint64_t smi = number(t, FADT_SMI_CMD, 4);

    acpi->pm1a_control = port(t, FADT_X_PM1A_CNT, FADT_PM1A_CNT);
    acpi->pm1b_control = port(t, FADT_X_PM1B_CNT, FADT_PM1B_CNT);
    acpi->smi_command = smi <= UINT16_MAX ? (uint16_t)smi : 0;
    acpi->acpi_enable = (uint8_t)number(t, FADT_ACPI_ENABLE, 1);
    acpi->reset_space = (uint8_t)number(t, FADT_RESET_REG, 1);
    acpi->reset_address = number(t, FADT_RESET_REG + GAS_ADDRESS, 8);
    acpi->reset_value = (uint8_t)number(t, FADT_RESET_VALUE, 1);
    acpi->reset_valid = (number(t, FADT_FLAGS, 4) & FADT_RESET_REG_SUP) && acpi->reset_address &&
                        has(t, FADT_RESET_VALUE, 1) && acpi->reset_space <= GAS_PCI_CONFIG &&
                        (acpi->reset_space != GAS_IO || acpi->reset_address <= UINT16_MAX);
}

/* An integer constant at *at; moves it on. false: something else stands there. */
static bool aml_integer(const struct table *t, uint32_t *at, uint64_t *value)
{
    uint64_t op = number(t, *at, 1);
    uint32_t size = op == AML_BYTE ? 1 : op == AML_WORD ? 2 : op == AML_DWORD ? 4 : 0;

    if (!has(t, *at, 1 + size) || (!size && op != AML_ZERO && op != AML_ONE))
        return false;
    *value = size ? number(t, *at + 1, size) : op;
    *at += 1 + size;
    return true;
}

/* Name (_S5, Package () { type_a, type_b, ... }) with the name at offset `at`. */
static bool s5_package(struct host_acpi *acpi, const struct table *t, uint32_t at)
{
    uint64_t a, b;

    if (number(t, at - 1, 1) != AML_NAME &&
        !(number(t, at - 1, 1) == '\\' && number(t, at - 2, 1) == AML_NAME))
        return false;
    at += 4;
    if (number(t, at, 1) != AML_PACKAGE || !has(t, at, 3))
        return false;
    /* PkgLength: the two top bits of its first byte count the bytes that follow. */
    at += 2 + (uint32_t)(number(t, at + 1, 1) >> 6);
    uint64_t elements = number(t, at++, 1);
    if (!elements || !aml_integer(t, &at, &a))
        return false;
    if (elements < 2 || !aml_integer(t, &at, &b))
        b = a;
    if (a > SLP_TYP_MAX || b > SLP_TYP_MAX)
        return false;
    acpi->s5_type_a = (uint8_t)a;
    acpi->s5_type_b = (uint8_t)b;
    return true;
}

static void find_s5(struct host_acpi *acpi, const struct table *t)
{
    for (uint32_t at = HEADER + 2; has(t, at, 4) && !acpi->s5_valid; at++)
        if (memcmp(t->bytes + at, "_S5_", 4) == 0)
            acpi->s5_valid = s5_package(acpi, t, at);
}

void host_acpi_read(struct host_acpi *acpi, uint64_t root_pa, host_acpi_map map)
{
    struct table root, fadt, t;

    *acpi = (struct host_acpi){0};
    if (!open_table(root_pa, NULL, map, &root) || !find_table(&root, "FACP", 0, map, &fadt))
        return;
    read_fadt(acpi, &fadt);
    uint64_t dsdt = number(&fadt, FADT_X_DSDT, 8);
    if (open_table(dsdt ? dsdt : number(&fadt, FADT_DSDT, 4), "DSDT", map, &t))
        find_s5(acpi, &t);
    for (uint32_t n = 0; !acpi->s5_valid && find_table(&root, "SSDT", n, map, &t); n++)
        find_s5(acpi, &t);
}
