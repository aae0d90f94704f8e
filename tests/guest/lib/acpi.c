/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests need of ACPI: power-off, PM timer, CPUs, I/O APIC, ECAM. */
#include "guest.h"

#define PVH_MAGIC 0x336ec578u

struct acpi acpi;

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
} __attribute__((packed));

static uint32_t at32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t at64(const uint8_t *p)
{
    return at32(p) | (uint64_t)at32(p + 4) << 32;
}

static bool sums_to_zero(const uint8_t *p, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + p[i]);
    return sum == 0;
}

static const struct rsdp *scan(uint64_t start, uint64_t end)
{
    for (uint64_t p = start; p + 36 <= end; p += 16)
        if (memcmp((const void *)p, "RSD PTR ", 8) == 0 && sums_to_zero((const uint8_t *)p, 20))
            return (const struct rsdp *)p;
    return NULL;
}

/* Reads at fixed low addresses: the compiler must not reason about them as null pointers. */
static uint32_t low_word(uint64_t address)
{
    uint16_t value;
    __asm__ volatile("movw (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static const struct rsdp *find_rsdp(void)
{
    const uint8_t *start_info = (const uint8_t *)(uint64_t)boot_info;
    if (boot_info && at32(start_info) == PVH_MAGIC && at64(start_info + 32))
        return (const struct rsdp *)at64(start_info + 32);
    uint64_t ebda = (uint64_t)low_word(0x40e) << 4;
    const struct rsdp *found = NULL;
    if (ebda >= 0x80000 && ebda < 0xa0000)
        found = scan(ebda, ebda + 1024 < 0xa0000 ? ebda + 1024 : 0xa0000);
    return found ? found : scan(0xe0000, 0x100000);
}

/* _S5_ is a package of small integers: NameOp, name, PackageOp, length, count, elements. */
static void find_s5(const uint8_t *dsdt)
{
    uint32_t length = at32(dsdt + 4);
    for (uint32_t i = 36; i + 8 < length; i++) {
        if (memcmp(dsdt + i, "_S5_\x12", 5) != 0)
            continue;
        const uint8_t *p = dsdt + i + 5;
        p += (*p >> 6) + 2; /* package length, element count */
        acpi.s5_type = *p == 0x0a ? p[1] : *p <= 1 ? *p : 7;
        acpi.s5_found = 1;
        return;
    }
}

static void read_fadt(const uint8_t *fadt)
{
    acpi.pm1a_event = (uint16_t)at32(fadt + 56);
    acpi.pm1a_control = (uint16_t)at32(fadt + 64);
    acpi.pm_timer = (uint16_t)at32(fadt + 76);
    acpi.sci = (uint16_t)low_word((uint64_t)(fadt + 46));
    acpi.pm_timer_32 = (fadt[113] & 1) != 0;
    acpi.reset_port = (uint16_t)at64(fadt + 120);
    acpi.reset_value = fadt[128];
    find_s5((const uint8_t *)(uint64_t)at32(fadt + 40));
}

static void read_madt(const uint8_t *madt)
{
    uint32_t length = at32(madt + 4);
    acpi.local_apic = at32(madt + 36);
    for (uint32_t i = 44; i + 2 <= length && madt[i + 1] >= 2; i += madt[i + 1]) {
        const uint8_t *e = madt + i;
        if (e[0] == 0 && (at32(e + 4) & 1) && acpi.cpus < AP_MAX)
            acpi.apic_id[acpi.cpus++] = e[3];
        if (e[0] == 9 && (at32(e + 8) & 1) && acpi.cpus < AP_MAX)
            acpi.apic_id[acpi.cpus++] = at32(e + 4);
        if (e[0] == 1 && !acpi.io_apic)
            acpi.io_apic = at32(e + 4);
        if (e[0] == 2 && e[3] < 16) {
            acpi.isa_gsi[e[3]] = (uint8_t)at32(e + 4);
            acpi.isa_flags[e[3]] = (uint16_t)low_word((uint64_t)(e + 8));
        }
    }
}

static void read_table(const uint8_t *table)
{
    if (memcmp(table, "FACP", 4) == 0)
        read_fadt(table);
    else if (memcmp(table, "APIC", 4) == 0)
        read_madt(table);
    else if (memcmp(table, "MCFG", 4) == 0 && at32(table + 4) >= 60) {
        acpi.ecam = at64(table + 44);
        acpi.ecam_buses = table[55] + 1u;
    } else if (memcmp(table, "HPET", 4) == 0)
        acpi.hpet = at32(table + 44);
}

void acpi_init(void)
{
    for (unsigned i = 0; i < 16; i++)
        acpi.isa_gsi[i] = (uint8_t)i;
    const struct rsdp *rsdp = find_rsdp();
    if (!rsdp)
        return;
    bool wide = rsdp->revision >= 2 && rsdp->xsdt;
    const uint8_t *root = (const uint8_t *)(wide ? rsdp->xsdt : rsdp->rsdt);
    uint32_t step = wide ? 8 : 4;
    for (uint32_t i = 36; i + step <= at32(root + 4); i += step)
        read_table((const uint8_t *)(wide ? at64(root + i) : at32(root + i)));
}

uint32_t pm_ticks(void)
{
    return inl(acpi.pm_timer) & 0xffffffu;
}

void delay_us(uint32_t us)
{
    uint64_t limit = (uint64_t)us * 358 / 100, passed = 0;
    uint32_t last = pm_ticks();
    while (passed < limit) {
        pause_cpu();
        uint32_t now = pm_ticks();
        passed += (now - last) & 0xffffffu;
        last = now;
    }
}
