/* SPDX-License-Identifier: BSD-2-Clause */
/* MADT, SRAT and SLIT: CPUs, interrupt controllers, proximity domains, their distances. */
#include "boot/acpi_tables.h"

#include "abi/thread.h"

/* MADT (ACPI specification, "Multiple APIC Description Table"). */
#define MADT_LAPIC_ADDRESS 36u
#define MADT_FIRST         44u
enum madt_type {
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LAPIC_NMI = 4,
    MADT_LAPIC_ADDRESS_64 = 5,
    MADT_X2APIC = 9,
    MADT_X2APIC_NMI = 10,
    MADT_TYPES
};
/* Least length of each entry that is read; 0: not read. */
static const uint8_t madt_length[MADT_TYPES] = {
    [MADT_LAPIC] = 8,       [MADT_IOAPIC] = 12,           [MADT_OVERRIDE] = 10,
    [MADT_LAPIC_NMI] = 6,   [MADT_LAPIC_ADDRESS_64] = 12, [MADT_X2APIC] = 16,
    [MADT_X2APIC_NMI] = 12,
};
#define MADT_ENABLED   1u
#define XAPIC_NONE     0xffu
#define X2APIC_NONE    0xffffffffu
#define POLARITY(f)    ((f)&3u)
#define TRIGGER(f)     ((f) >> 2 & 3u)
#define MPS_ACTIVE_LOW 3u
#define MPS_LEVEL      3u

/* SRAT (ACPI specification, "System Resource Affinity Table"). */
#define SRAT_FIRST      48u
#define SRAT_LAPIC      0u
#define SRAT_MEMORY     1u
#define SRAT_X2APIC     2u
#define SRAT_ENABLED    1u
#define SRAT_LAPIC_LEN  16u
#define SRAT_MEMORY_LEN 40u
#define SRAT_X2APIC_LEN 24u

/* SLIT (ACPI specification, "System Locality Information Table"). */
#define SLIT_COUNT  36u
#define SLIT_MATRIX 44u

struct entry {
    uint32_t offset, type, length;
};

/* Steps through type/length entries; false at the end or at damage, which is logged. */
static bool next_entry(const struct acpi_table *t, struct entry *e, const char *name)
{
    e->offset += e->length;
    if (!acpi_has(t, e->offset, 2))
        return false;
    e->type = (uint32_t)acpi_read(t, e->offset, 1);
    e->length = (uint32_t)acpi_read(t, e->offset + 1, 1);
    if (e->length >= 2 && acpi_has(t, e->offset, e->length))
        return true;
    boot_note("acpi: %s damaged at offset %u: entry of length %u\n", name, e->offset, e->length);
    return false;
}

static uint64_t field(const struct acpi_table *t, const struct entry *e, uint32_t offset,
                      uint32_t size)
{
    return acpi_read(t, e->offset + offset, size);
}

/* Room for as many elements as the table could hold entries of `length` bytes. */
static void *array(const struct acpi_table *t, uint32_t length, size_t size)
{
    void *memory = acpi_array(MAX(t->length / length, 1) * size);
    if (!memory)
        boot_note("acpi: no memory for the entries of a table of %u bytes\n", t->length);
    return memory;
}

static bool madt_next(const struct acpi_table *t, struct entry *e)
{
    while (next_entry(t, e, "MADT"))
        if (e->type < MADT_TYPES && madt_length[e->type] && e->length >= madt_length[e->type])
            return true;
    return false;
}

/* Both kinds of CPU entry in one form. false: the entry names no CPU. */
static bool cpu_entry(const struct acpi_table *t, const struct entry *e, struct acpi_cpu *cpu)
{
    bool wide = e->type == MADT_X2APIC;
    uint32_t flags = (uint32_t)field(t, e, wide ? 8 : 4, 4);

    cpu->apic_id = (uint32_t)field(t, e, wide ? 4 : 3, wide ? 4 : 1);
    cpu->domain = 0;
    cpu->enabled = (flags & MADT_ENABLED) != 0;
    return cpu->apic_id != (wide ? X2APIC_NONE : XAPIC_NONE);
}

/* Some firmware lists a CPU in both forms. */
static void add_cpu(const struct acpi_cpu *cpu)
{
    for (uint32_t i = 0; i < acpi->cpu_count; i++) {
        if (acpi->cpu[i].apic_id == cpu->apic_id) {
            acpi->cpu[i].enabled |= cpu->enabled;
            return;
        }
    }
    acpi->cpu[acpi->cpu_count++] = *cpu;
}

static void add_override(const struct acpi_table *t, const struct entry *e)
{
    uint32_t mps = (uint32_t)field(t, e, 8, 2);
    uint32_t irq = (uint32_t)field(t, e, 3, 1);
    struct acpi_isa_irq o = {
        .gsi = (uint32_t)field(t, e, 4, 4),
        .flags = (POLARITY(mps) == MPS_ACTIVE_LOW ? IRQ_ACTIVE_LOW : 0) |
                 (TRIGGER(mps) == MPS_LEVEL ? IRQ_LEVEL : 0),
    };
    if (irq < ISA_IRQS)
        acpi->isa[irq] = o;
    else
        boot_note("acpi: MADT overrides IRQ %u, which ISA has not\n", irq);
}

static void madt_add(const struct acpi_table *t, const struct entry *e)
{
    struct acpi_cpu cpu;

    switch (e->type) {
    case MADT_LAPIC:
    case MADT_X2APIC:
        if (cpu_entry(t, e, &cpu))
            add_cpu(&cpu);
        break;
    case MADT_IOAPIC:
        acpi->ioapic[acpi->ioapic_count++] =
            (struct acpi_ioapic){field(t, e, 4, 4), (uint32_t)field(t, e, 8, 4)};
        break;
    case MADT_OVERRIDE:
        add_override(t, e);
        break;
    case MADT_LAPIC_NMI:
        acpi->nmi_lint = field(t, e, 5, 1) & 1;
        break;
    case MADT_X2APIC_NMI:
        acpi->nmi_lint = field(t, e, 8, 1) & 1;
        break;
    case MADT_LAPIC_ADDRESS_64:
        acpi->lapic_base = field(t, e, 4, 8);
        break;
    }
}

void acpi_madt(const struct acpi_table *t)
{
    struct entry e = {.offset = MADT_FIRST};

    acpi->lapic_base = acpi_read(t, MADT_LAPIC_ADDRESS, 4);
    acpi->cpu = array(t, madt_length[MADT_LAPIC], sizeof(*acpi->cpu));
    acpi->ioapic = array(t, madt_length[MADT_IOAPIC], sizeof(*acpi->ioapic));
    while (acpi->cpu && acpi->ioapic && madt_next(t, &e))
        madt_add(t, &e);
}

static void set_domain(uint32_t apic_id, uint32_t domain)
{
    for (uint32_t i = 0; i < acpi->cpu_count; i++)
        if (acpi->cpu[i].apic_id == apic_id)
            acpi->cpu[i].domain = domain;
}

static void srat_memory(const struct acpi_table *t, const struct entry *e)
{
    struct acpi_mem_domain m = {.base = field(t, e, 8, 8),
                                .size = field(t, e, 16, 8),
                                .domain = (uint32_t)field(t, e, 2, 4)};
    if (!m.size)
        return;
    if (m.base + m.size < m.base) {
        boot_note("acpi: SRAT names memory beyond 64 bits\n");
        return;
    }
    acpi->mem_domain[acpi->mem_domain_count++] = m;
}

static void srat_add(const struct acpi_table *t, const struct entry *e)
{
    /* The domain of the old form lies in two places. */
    uint32_t narrow = (uint32_t)(field(t, e, 2, 1) | field(t, e, 9, 3) << 8);

    if (e->type == SRAT_LAPIC && e->length >= SRAT_LAPIC_LEN && (field(t, e, 4, 4) & SRAT_ENABLED))
        set_domain((uint32_t)field(t, e, 3, 1), narrow);
    if (e->type == SRAT_X2APIC && e->length >= SRAT_X2APIC_LEN &&
        (field(t, e, 12, 4) & SRAT_ENABLED))
        set_domain((uint32_t)field(t, e, 8, 4), (uint32_t)field(t, e, 4, 4));
    if (e->type == SRAT_MEMORY && e->length >= SRAT_MEMORY_LEN &&
        (field(t, e, 28, 4) & SRAT_ENABLED))
        srat_memory(t, e);
}

void acpi_srat(const struct acpi_table *t)
{
    struct entry e = {.offset = SRAT_FIRST};

    acpi->mem_domain = array(t, SRAT_MEMORY_LEN, sizeof(*acpi->mem_domain));
    while (acpi->mem_domain && next_entry(t, &e, "SRAT"))
        srat_add(t, &e);
}

void acpi_slit(const struct acpi_table *t)
{
    uint64_t count = acpi_read(t, SLIT_COUNT, 8);
    if (!count || count > ACPI_TABLE_MAX || t->length < SLIT_MATRIX ||
        count * count > t->length - SLIT_MATRIX) {
        boot_note("acpi: SLIT of %u bytes ignored: %lu nodes\n", t->length, count);
        return;
    }
    uint32_t known = (uint32_t)MIN(count, ROOT_NODES);
    for (uint32_t i = 0; i < known; i++)
        for (uint32_t k = 0; k < known; k++)
            acpi->distance[i][k] = (uint8_t)acpi_read(t, SLIT_MATRIX + i * (uint32_t)count + k, 1);
}
