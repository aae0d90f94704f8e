/* SPDX-License-Identifier: BSD-2-Clause */
/* From the RSDP to the tables (ACPI specification, "ACPI Software Programming Model"), and those
 * that need no more than a field or two. Power-off and reset are ring 3's (user/power.h). */
#include "boot/acpi_tables.h"
#include "lib/string.h"

#define OEM_BOCHS 0x205348434f42ull /* "BOCHS " */
#define RSDP_V1   20u
#define RSDP_V2   36u

/* FADT (ACPI specification, "Fixed ACPI Description Table"). */
#define FADT_PM_TMR      76u
#define FADT_PM_TMR_LEN  91u
#define FADT_FLAGS       112u
#define FADT_X_PM_TMR    208u
#define FADT_TMR_VAL_EXT (1u << 8)

#define HPET_ADDRESS 40u
#define MCFG_FIRST   44u
#define MCFG_ENTRY   16u

/* Generic address structure: space, width, offset, access size, address. */
#define GAS_ADDRESS 4u
#define GAS_MEMORY  0u
#define GAS_IO      1u

struct acpi_info *acpi;
static struct bootinfo *boot;

static uint8_t sum(const uint8_t *bytes, uint64_t length)
{
    uint8_t s = 0;
    for (uint64_t i = 0; i < length; i++)
        s = (uint8_t)(s + bytes[i]);
    return s;
}

/* Maps the table at pa and verifies it. false: absent or damaged (logged). */
static bool open_table(uint64_t pa, const char *signature, struct acpi_table *t)
{
    t->bytes = pa ? early_map(pa, ACPI_HEADER) : NULL;
    t->length = ACPI_HEADER;
    if (!t->bytes || memcmp(t->bytes, signature, 4))
        return false;
    uint32_t length = (uint32_t)acpi_read(t, 4, 4);
    if (length < ACPI_HEADER || length > ACPI_TABLE_MAX) {
        boot_note("acpi: %s at %lx ignored: length %u\n", signature, pa, length);
        return false;
    }
    t->bytes = early_map(pa, length);
    t->length = length;
    if (t->bytes && sum(t->bytes, length)) {
        boot_note("acpi: %s at %lx ignored: wrong checksum\n", signature, pa);
        return false;
    }
    return t->bytes;
}

static bool rsdp_valid(const struct acpi_table *rsdp)
{
    uint32_t length = acpi_read(rsdp, 15, 1) < 2 ? RSDP_V1 : RSDP_V2;
    return acpi_has(rsdp, 0, length) && !sum(rsdp->bytes, RSDP_V1) && !sum(rsdp->bytes, length);
}

/* XSDT, else RSDT. *size: bytes of an entry. */
static bool open_root(const struct acpi_table *rsdp, struct acpi_table *root, uint32_t *size)
{
    *size = 8;
    acpi->root = acpi_read(rsdp, 24, 8);
    if (open_table(acpi->root, "XSDT", root))
        return true;
    *size = 4;
    acpi->root = acpi_read(rsdp, 16, 4);
    if (open_table(acpi->root, "RSDT", root))
        return true;
    acpi->root = 0;
    return false;
}

static void read_fadt(const struct acpi_table *t)
{
    uint64_t port = acpi_read(t, FADT_X_PM_TMR + GAS_ADDRESS, 8);

    /* The extended address when the table has one in I/O space, else the old one. */
    if (acpi_read(t, FADT_X_PM_TMR, 1) != GAS_IO || !port || port > UINT16_MAX)
        port = acpi_read(t, FADT_PM_TMR, 4);
    if (acpi_read(t, FADT_PM_TMR_LEN, 1) != 4 || port > UINT16_MAX)
        return;
    acpi->pm_timer_port = (uint16_t)port;
    acpi->pm_timer_32bit = (acpi_read(t, FADT_FLAGS, 4) & FADT_TMR_VAL_EXT) != 0;
}

static void read_hpet(const struct acpi_table *t)
{
    if (acpi_read(t, HPET_ADDRESS, 1) == GAS_MEMORY)
        acpi->hpet_base = acpi_read(t, HPET_ADDRESS + GAS_ADDRESS, 8);
}

static void read_mcfg(const struct acpi_table *t)
{
    for (uint32_t at = MCFG_FIRST; acpi_has(t, at, MCFG_ENTRY) && !acpi->mcfg_base;
         at += MCFG_ENTRY) {
        uint32_t first = (uint32_t)acpi_read(t, at + 10, 1);
        uint32_t last = (uint32_t)acpi_read(t, at + 11, 1);
        if (acpi_read(t, at + 8, 2) != 0) /* another segment */
            continue;
        if (first > last) {
            boot_note("acpi: MCFG ignored: buses %u to %u\n", first, last);
            continue;
        }
        acpi->mcfg_base = acpi_read(t, at, 8);
        acpi->mcfg_bus_start = first;
        acpi->mcfg_bus_end = last;
    }
}

void *acpi_array(uint64_t size)
{
    uint64_t bytes = align_up(size, PAGE_SIZE);
    uint64_t at = boot_take(boot, 0, bytes, PAGE_SIZE, BOOTINFO_MEM_KERNEL);
    void *array = at ? early_map(at, bytes) : NULL;
    if (array)
        memset(array, 0, bytes);
    return array;
}

void acpi_init(struct bootinfo *info)
{
    static const struct {
        char signature[5];
        void (*read)(const struct acpi_table *);
    } known[] = {{"APIC", acpi_madt}, /* before the SRAT, which describes its CPUs */
                 {"SRAT", acpi_srat}, {"SLIT", acpi_slit}, {"HPET", read_hpet}, {"MCFG", read_mcfg},
                 {"FACP", read_fadt}, {"DMAR", acpi_dmar}, {"IVRS", acpi_ivrs}};
    struct acpi_table pointer = {info->rsdp_copy, info->rsdp_copied}, root, t;
    uint32_t size;

    boot = info;
    acpi = &info->acpi;
    *acpi = (struct acpi_info){.nmi_lint = 2};
    for (uint32_t i = 0; i < ISA_IRQS; i++)
        acpi->isa[i].gsi = i; /* ISA: edge, active high */
    if (!rsdp_valid(&pointer) || !open_root(&pointer, &root, &size)) {
        boot_note("acpi: no tables; one CPU, no I/O APIC, no power-off\n");
        return;
    }
    info->features.bochs = acpi_read(&pointer, 9, 6) == OEM_BOCHS && !info->features.hypervisor;
    for (uint32_t i = 0; i < ARRAY_LEN(known); i++) {
        bool found = false;
        for (uint32_t at = ACPI_HEADER; acpi_has(&root, at, size) && !found; at += size)
            found = open_table(acpi_read(&root, at, size), known[i].signature, &t);
        if (found)
            known[i].read(&t);
    }
    boot_note("acpi: %u CPUs, %u I/O APICs\n", acpi->cpu_count, acpi->ioapic_count);
}
