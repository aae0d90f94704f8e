/* SPDX-License-Identifier: BSD-2-Clause */
/* From the RSDP to the tables (ACPI specification, "ACPI Software Programming Model"). */
#include "arch/x86_64/acpi_tables.h"

#include "arch/x86_64/bootmap.h"
#include "arch/x86_64/klog.h"
#include "lib/string.h"

#define RSDP_V1        20u
#define RSDP_V2        36u
#define RSDP_SIGNATURE "RSD PTR "
#define RSDP_ALIGNMENT 16u
#define BIOS_AREA      0xe0000ull
#define BIOS_AREA_SIZE 0x20000ull
#define EBDA_POINTER   0x40eull
#define EBDA_SEARCHED  1024u
#define FADT_DSDT      40u
#define FADT_X_DSDT    140u

struct acpi_info acpi;

static uint8_t rsdp_copy[RSDP_V2];
static uint32_t rsdp_copied;

/* Where entries of the root table are read from. */
struct root {
    struct acpi_table table;
    uint32_t entry_size; /* 4: RSDT, 8: XSDT */
};

static uint8_t sum(const uint8_t *bytes, uint64_t length)
{
    uint8_t s = 0;
    for (uint64_t i = 0; i < length; i++)
        s = (uint8_t)(s + bytes[i]);
    return s;
}

static uint64_t read64(const uint8_t *bytes, uint32_t size)
{
    uint64_t v = 0;
    memcpy(&v, bytes, size);
    return v;
}

bool acpi_open(uint64_t pa, const char *signature, struct acpi_table *t)
{
    const uint8_t *header = pa ? boot_map(hpa(pa), ACPI_HEADER) : NULL;
    char name[5] = {0};

    if (!header)
        return false;
    memcpy(name, header, 4);
    uint32_t length = (uint32_t)read64(header + 4, 4);
    if (signature && memcmp(name, signature, 4))
        return false;
    for (uint32_t i = 0; i < 4; i++)
        name[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    if (length < ACPI_HEADER || length > ACPI_TABLE_MAX) {
        kprintf("acpi: %s at %lx ignored: length %u\n", name, pa, length);
        return false;
    }
    t->bytes = boot_map(hpa(pa), length);
    t->length = length;
    if (!t->bytes)
        return false;
    if (sum(t->bytes, length)) {
        kprintf("acpi: %s at %lx ignored: wrong checksum\n", name, pa);
        return false;
    }
    return true;
}

static bool rsdp_valid(const uint8_t *rsdp, uint64_t available)
{
    if (available < RSDP_V1 || memcmp(rsdp, RSDP_SIGNATURE, 8) || sum(rsdp, RSDP_V1))
        return false;
    if (rsdp[15] < 2)
        return true;
    uint64_t length = available < RSDP_V2 ? 0 : read64(rsdp + 20, 4);
    return length >= RSDP_V2 && length <= available && !sum(rsdp, length);
}

static const uint8_t *search(uint64_t base, uint64_t size)
{
    const uint8_t *area = boot_map(hpa(base), size);
    for (uint64_t at = 0; area && at + RSDP_V1 <= size; at += RSDP_ALIGNMENT) {
        if (rsdp_valid(area + at, size - at)) {
            acpi.rsdp = base + at;
            return area + at;
        }
    }
    return NULL;
}

static const uint8_t *search_bios(void)
{
    const uint8_t *pointer = boot_map(hpa(EBDA_POINTER), 2);
    uint64_t ebda = pointer ? read64(pointer, 2) << 4 : 0;
    const uint8_t *found = NULL;

    if (ebda >= 0x400 && ebda < MIB - EBDA_SEARCHED)
        found = search(ebda, EBDA_SEARCHED);
    return found ? found : search(BIOS_AREA, BIOS_AREA_SIZE);
}

void acpi_use_rsdp_copy(const void *rsdp, uint32_t length)
{
    rsdp_copied = (uint32_t)MIN(length, sizeof(rsdp_copy));
    memcpy(rsdp_copy, rsdp, rsdp_copied);
}

static const uint8_t *find_rsdp(uint64_t pa)
{
    if (pa) {
        const uint8_t *rsdp = boot_map(hpa(pa), RSDP_V2);
        if (rsdp && rsdp_valid(rsdp, RSDP_V2)) {
            acpi.rsdp = pa;
            return rsdp;
        }
        kprintf("acpi: RSDP at %lx ignored: damaged\n", pa);
    }
    if (rsdp_valid(rsdp_copy, rsdp_copied))
        return rsdp_copy;
    return search_bios();
}

static bool open_root(const uint8_t *rsdp, struct root *root)
{
    uint64_t xsdt = rsdp[15] >= 2 ? read64(rsdp + 24, 8) : 0;

    root->entry_size = 8;
    if (acpi_open(xsdt, "XSDT", &root->table))
        return true;
    root->entry_size = 4;
    return acpi_open(read64(rsdp + 16, 4), "RSDT", &root->table);
}

/* The n-th table with this signature, verified. */
static bool find_table(const struct root *root, const char *signature, uint32_t n,
                       struct acpi_table *t)
{
    uint32_t count = (root->table.length - ACPI_HEADER) / root->entry_size;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t offset = ACPI_HEADER + i * root->entry_size;
        if (acpi_open(acpi_read(&root->table, offset, root->entry_size), signature, t) && !n--)
            return true;
    }
    return false;
}

static void read_aml(const struct root *root, const struct acpi_table *fadt)
{
    struct acpi_table t;
    uint64_t dsdt = acpi_read(fadt, FADT_X_DSDT, 8);

    if (acpi_open(dsdt ? dsdt : acpi_read(fadt, FADT_DSDT, 4), "DSDT", &t))
        acpi_find_s5(&t);
    for (uint32_t n = 0; !acpi.s5_valid && find_table(root, "SSDT", n, &t); n++)
        acpi_find_s5(&t);
}

void acpi_init(uint64_t rsdp)
{
    struct root root;
    struct acpi_table t;

    acpi = (struct acpi_info){.nmi_lint = 2};
    const uint8_t *found = find_rsdp(rsdp);
    if (!found || !open_root(found, &root)) {
        kprintf("acpi: no tables; one CPU, no I/O APIC, no power-off\n");
        return;
    }
    if (find_table(&root, "APIC", 0, &t))
        acpi_madt(&t);
    else
        kprintf("acpi: no MADT; one CPU, no I/O APIC\n");
    if (find_table(&root, "SRAT", 0, &t))
        acpi_srat(&t);
    if (find_table(&root, "HPET", 0, &t))
        acpi_hpet(&t);
    if (find_table(&root, "MCFG", 0, &t))
        acpi_mcfg(&t);
    if (find_table(&root, "FACP", 0, &t)) {
        acpi_fadt(&t);
        read_aml(&root, &t);
    }
    kprintf("acpi: %u CPUs, %u I/O APICs%s%s\n", acpi.cpu_count, acpi.ioapic_count,
            acpi.s5_valid ? ", power-off" : "", acpi.reset_valid ? ", reset register" : "");
}
