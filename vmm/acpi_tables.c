/* SPDX-License-Identifier: BSD-2-Clause */
/* RSDP, XSDT, FADT, FACS, DSDT, MADT, MCFG: ACPI specification 6.4, "ACPI Software Programming
 * Model". The tables describe vmm/machine.c; the DSDT has no methods. */
#include "vmm/acpi_tables.h"

#include <string.h>

#include "vmm/aml.h"

#define PM_BASE     0x600u
#define RESET_PORT  0xcf9u
#define RESET_VALUE 0x06u
#define SCI_IRQ     9u
#define PVPANIC     0x505u
#define LAPIC_BASE  0xfee00000u
#define IOAPIC_BASE 0xfec00000u
#define ECAM_BASE   0xe0000000u
#define ECAM_SIZE   0x100000u
#define ECAM_WINDOW 0x10000000u /* what a chipset sets aside for it */
#define HOLE        0xc0000000u /* of RAM, where BARs go */
#define HOLE_MIDDLE 0xe0000000u
#define HOLE_ECAM   0xf0000000u /* the first address beyond the last window for ECAM */
#define S5_TYPE     5u

struct sdt_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} __attribute__((packed));

struct gas { /* Generic Address Structure */
    uint8_t space, bit_width, bit_offset, access_size;
    uint64_t address;
} __attribute__((packed));

struct fadt {
    struct sdt_header header;
    uint32_t firmware_ctrl, dsdt;
    uint8_t reserved0, preferred_profile;
    uint16_t sci_int;
    uint32_t smi_cmd;
    uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
    uint32_t pm1a_evt_blk, pm1b_evt_blk, pm1a_cnt_blk, pm1b_cnt_blk, pm2_cnt_blk, pm_tmr_blk;
    uint32_t gpe0_blk, gpe1_blk;
    uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base;
    uint8_t cst_cnt;
    uint16_t p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t iapc_boot_arch;
    uint8_t reserved1;
    uint32_t flags;
    struct gas reset_reg;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t minor_version;
    uint64_t x_firmware_ctrl, x_dsdt;
    struct gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr, x_gpe0, x_gpe1;
    struct gas sleep_control, sleep_status;
    uint64_t hypervisor_id;
} __attribute__((packed));

_Static_assert(sizeof(struct sdt_header) == 36, "ACPI: System Description Table Header");
_Static_assert(sizeof(struct fadt) == 276, "ACPI: Fixed ACPI Description Table, revision 6");

#define FADT_WBINVD        (1u << 0)
#define FADT_PROC_C1       (1u << 2)
#define FADT_SLP_BUTTON    (1u << 5) /* no fixed sleep button */
#define FADT_FIX_RTC       (1u << 6) /* RTC wakes are not in the PM1 block */
#define FADT_TMR_VAL_EXT   (1u << 8)
#define FADT_RESET_REG_SUP (1u << 10)
#define IAPC_LEGACY        (1u << 0)
#define IAPC_NO_VGA        (1u << 2)

static uint8_t sum(const void *data, uint32_t size)
{
    const uint8_t *bytes = data;
    uint8_t total = 0;
    for (uint32_t i = 0; i < size; i++)
        total = (uint8_t)(total + bytes[i]);
    return total;
}

static uint32_t area_gpa(const struct acpi_area *area, const void *at)
{
    return area->base + (uint32_t)((const uint8_t *)at - area->bytes);
}

/* Zeroed room, or NULL. */
static void *area_take(struct acpi_area *area, uint32_t size, uint32_t align)
{
    uint32_t at = (area->used + align - 1) & ~(align - 1);
    if (area->overflow || at > area->size || size > area->size - at) {
        area->overflow = true;
        return NULL;
    }
    area->used = at + size;
    memset(area->bytes + at, 0, size);
    return area->bytes + at;
}

static void finish(struct sdt_header *header, const char *signature, uint8_t revision,
                   uint32_t length)
{
    memcpy(header->signature, signature, 4);
    header->length = length;
    header->revision = revision;
    memcpy(header->oem_id, "MULLIO", 6);
    memcpy(header->oem_table_id, "MULLION ", 8);
    header->oem_revision = 1;
    memcpy(header->creator_id, "MULL", 4);
    header->creator_revision = 1;
    header->checksum = 0;
    header->checksum = (uint8_t)(0 - sum(header, length));
}

/* --- DSDT --- */

static void add_routing(struct aml *aml, unsigned (*gsi_of)(unsigned slot, unsigned pin))
{
    aml_name(aml, "_PRT");
    aml_package(aml, 128);
    for (unsigned slot = 0; slot < 32; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            aml_package(aml, 4);
            aml_integer(aml, (uint64_t)slot << 16 | 0xffff);
            aml_integer(aml, pin);
            aml_integer(aml, 0);
            aml_integer(aml, gsi_of(slot, pin));
            aml_end(aml);
        }
    }
    aml_end(aml);
}

static void add_isa_device(struct aml *aml, const char *name, const char *id, uint16_t port,
                           uint8_t ports, uint8_t irq)
{
    aml_device(aml, name);
    aml_name(aml, "_HID");
    aml_eisa_id(aml, id);
    aml_name_integer(aml, "_UID", 1);
    aml_resources(aml);
    aml_resource_ports(aml, port, ports);
    if (irq)
        aml_resource_irq(aml, irq);
    aml_resources_end(aml);
    aml_end(aml);
}

static void add_panic_device(struct aml *aml)
{
    aml_device(aml, "PEVT");
    aml_name(aml, "_HID");
    aml_string(aml, "QEMU0001"); /* the identity that Linux's pvpanic driver binds to */
    aml_name_integer(aml, "_STA", 0xb);
    aml_resources(aml);
    aml_resource_ports(aml, PVPANIC, 1);
    aml_resources_end(aml);
    aml_end(aml);
}

/* What is taken without a driver: the ECAM window (else Linux does not trust MCFG), the PM block.
 */
static void add_board(struct aml *aml, uint32_t ecam)
{
    aml_device(aml, "MBRD");
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0C02");
    aml_name_integer(aml, "_UID", 1);
    aml_resources(aml);
    aml_resource_fixed_memory(aml, ecam, ECAM_SIZE);
    aml_resource_ports(aml, PM_BASE, 0x10);
    aml_resources_end(aml);
    aml_end(aml);
}

/* Always two windows, so that the table's size does not depend on where firmware puts ECAM. */
static void add_memory_windows(struct aml *aml, uint32_t ecam)
{
    uint32_t first = HOLE, end = ecam, second = ecam + ECAM_WINDOW;
    if (ecam < HOLE || ecam >= HOLE_ECAM)
        end = second = HOLE_MIDDLE;
    if (ecam == HOLE) {
        first = HOLE + ECAM_WINDOW;
        end = second = HOLE_MIDDLE;
    }
    aml_resource_memory_window(aml, first, end - 1);
    aml_resource_memory_window(aml, second, IOAPIC_BASE - 1);
}

static void add_host_bridge(struct aml *aml, const struct acpi_board *board)
{
    aml_device(aml, "PCI0");
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0A08");
    aml_name(aml, "_CID");
    aml_eisa_id(aml, "PNP0A03");
    aml_name_integer(aml, "_UID", 0);
    aml_name_integer(aml, "_SEG", 0);
    aml_name_integer(aml, "_BBN", 0);
    aml_resources(aml);
    aml_resource_buses(aml, 0, 0);
    aml_resource_ports(aml, 0xcf8, 8);
    aml_resource_port_window(aml, 0x0000, 0x0cf7);
    aml_resource_port_window(aml, 0x0d00, 0xffff);
    add_memory_windows(aml, board->ecam);
    aml_resources_end(aml);
    add_routing(aml, board->gsi_of);
    aml_device(aml, "ISA_");
    aml_name_integer(aml, "_ADR", 31u << 16);
    add_isa_device(aml, "COM1", "PNP0501", 0x3f8, 8, 4);
    add_isa_device(aml, "RTC_", "PNP0B00", 0x70, 2, 8);
    add_panic_device(aml);
    aml_end(aml);
    aml_end(aml);
}

static void add_processor(struct aml *aml, uint32_t number)
{
    static const char digits[] = "0123456789ABCDEF";
    const char name[5] = {'C', '0', digits[number >> 4 & 15], digits[number & 15], 0};
    aml_device(aml, name);
    aml_name(aml, "_HID");
    aml_string(aml, "ACPI0007");
    aml_name_integer(aml, "_UID", number);
    aml_end(aml);
}

static uint32_t build_dsdt(struct acpi_area *area, const struct acpi_board *board)
{
    struct sdt_header *header = area_take(area, sizeof(*header), 16);
    struct aml aml;
    if (!header)
        return 0;
    aml_init(&aml, header + 1, area->size - area->used);
    aml_scope(&aml, "\\_SB_");
    add_host_bridge(&aml, board);
    add_board(&aml, board->ecam);
    for (uint32_t i = 0; i < board->vcpus; i++)
        add_processor(&aml, i);
    aml_end(&aml);
    aml_name(&aml, "\\_S5_");
    aml_package(&aml, 4);
    aml_integer(&aml, S5_TYPE);
    for (uint32_t i = 0; i < 3; i++)
        aml_integer(&aml, 0);
    aml_end(&aml);
    area->overflow |= aml.overflow;
    area->used += aml.used;
    finish(header, "DSDT", 2, (uint32_t)sizeof(*header) + aml.used);
    return area_gpa(area, header);
}

/* --- fixed tables --- */

static struct gas port_block(uint16_t port, uint8_t bytes)
{
    uint8_t access = bytes == 1 ? 1 : bytes == 2 ? 2 : 3;
    return (struct gas){
        .space = 1, .bit_width = (uint8_t)(8 * bytes), .access_size = access, .address = port};
}

static uint32_t build_fadt(struct acpi_area *area, uint32_t dsdt)
{
    uint8_t *facs = area_take(area, 64, 64);
    struct fadt *fadt = area_take(area, sizeof(*fadt), 16);
    if (!facs || !fadt)
        return 0;
    memcpy(facs, "FACS", 4);
    facs[4] = 64;
    facs[32] = 2; /* version */
    fadt->firmware_ctrl = area_gpa(area, facs);
    fadt->dsdt = dsdt;
    fadt->x_dsdt = dsdt;
    fadt->sci_int = SCI_IRQ;
    fadt->pm1a_evt_blk = PM_BASE;
    fadt->pm1a_cnt_blk = PM_BASE + 4;
    fadt->pm_tmr_blk = PM_BASE + 8;
    fadt->pm1_evt_len = 4;
    fadt->pm1_cnt_len = 2;
    fadt->pm_tmr_len = 4;
    fadt->p_lvl2_lat = 0xffff; /* no C2, no C3 */
    fadt->p_lvl3_lat = 0xffff;
    fadt->century = 0x32;
    fadt->iapc_boot_arch = IAPC_LEGACY | IAPC_NO_VGA;
    fadt->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_TMR_VAL_EXT |
                  FADT_RESET_REG_SUP;
    fadt->reset_reg = port_block(RESET_PORT, 1);
    fadt->reset_value = RESET_VALUE;
    fadt->x_pm1a_evt = port_block(PM_BASE, 4);
    fadt->x_pm1a_evt.access_size = 2;
    fadt->x_pm1a_cnt = port_block(PM_BASE + 4, 2);
    fadt->x_pm_tmr = port_block(PM_BASE + 8, 4);
    finish(&fadt->header, "FACP", 6, sizeof(*fadt));
    return area_gpa(area, fadt);
}

static void madt_entry(struct acpi_area *area, uint8_t type, const void *body, uint8_t size)
{
    uint8_t *entry = area_take(area, size + 2u, 1);
    if (!entry)
        return;
    entry[0] = type;
    entry[1] = (uint8_t)(size + 2);
    memcpy(entry + 2, body, size);
}

static uint32_t build_madt(struct acpi_area *area, uint32_t vcpus)
{
    struct sdt_header *header = area_take(area, sizeof(*header) + 8, 16);
    if (!header)
        return 0;
    const uint32_t fixed[2] = {LAPIC_BASE, 1}; /* flags: a PC-AT compatible 8259 pair exists */
    memcpy(header + 1, fixed, 8);
    for (uint32_t i = 0; i < vcpus; i++) {
        const uint8_t lapic[6] = {(uint8_t)i, (uint8_t)i, 1, 0, 0, 0};
        madt_entry(area, 0, lapic, sizeof(lapic));
    }
    const uint32_t base = IOAPIC_BASE;
    uint8_t ioapic[10] = {0};
    memcpy(ioapic + 2, &base, 4);
    madt_entry(area, 1, ioapic, sizeof(ioapic));
    const uint8_t pit[8] = {0, 0, 2, 0, 0, 0, 0, 0};
    const uint8_t sci[8] = {0, SCI_IRQ, SCI_IRQ, 0, 0, 0, 0x0d, 0}; /* level, active high */
    madt_entry(area, 2, pit, sizeof(pit));
    madt_entry(area, 2, sci, sizeof(sci));
    const uint8_t nmi[4] = {0xff, 0, 0, 1}; /* every CPU's LINT1 */
    madt_entry(area, 4, nmi, sizeof(nmi));
    if (area->overflow)
        return 0;
    finish(header, "APIC", 5, area->used - (uint32_t)((uint8_t *)header - area->bytes));
    return area_gpa(area, header);
}

static uint32_t build_mcfg(struct acpi_area *area, uint32_t ecam)
{
    struct sdt_header *header = area_take(area, sizeof(*header) + 24, 16);
    if (!header)
        return 0;
    const uint64_t base = ecam; /* segment 0, bus 0 to 0 */
    memcpy((uint8_t *)(header + 1) + 8, &base, 8);
    finish(header, "MCFG", 1, sizeof(*header) + 24);
    return area_gpa(area, header);
}

/* Guests that know nothing of 64-bit tables read this one. */
static uint32_t build_rsdt(struct acpi_area *area, const uint64_t *tables, uint32_t count)
{
    struct sdt_header *rsdt = area_take(area, (uint32_t)sizeof(*rsdt) + 4 * count, 16);
    if (!rsdt)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        memcpy((uint8_t *)(rsdt + 1) + 4 * i, &tables[i], 4);
    finish(rsdt, "RSDT", 1, (uint32_t)sizeof(*rsdt) + 4 * count);
    return area_gpa(area, rsdt);
}

void acpi_rsdp_build(uint8_t rsdp[ACPI_RSDP_SIZE], uint32_t rsdt, uint32_t xsdt)
{
    const uint32_t length = ACPI_RSDP_SIZE;
    const uint64_t address = xsdt;
    memset(rsdp, 0, ACPI_RSDP_SIZE);
    memcpy(rsdp, "RSD PTR ", 8);
    memcpy(rsdp + 9, "MULLIO", 6);
    rsdp[15] = 2; /* revision */
    memcpy(rsdp + 16, &rsdt, 4);
    memcpy(rsdp + 20, &length, 4);
    memcpy(rsdp + 24, &address, 8);
    rsdp[8] = (uint8_t)(0 - sum(rsdp, 20));
    rsdp[32] = (uint8_t)(0 - sum(rsdp, 36));
}

bool acpi_tables_lay(struct acpi_area *area, const struct acpi_board *board)
{
    uint32_t dsdt = build_dsdt(area, board);
    area->fadt = build_fadt(area, dsdt);
    uint64_t tables[ACPI_TABLES] = {area->fadt, build_madt(area, board->vcpus),
                                    build_mcfg(area, board->ecam)};
    struct sdt_header *xsdt = area_take(area, sizeof(*xsdt) + sizeof(tables), 16);
    area->rsdt = build_rsdt(area, tables, ACPI_TABLES);
    if (area->overflow || !xsdt)
        return false;
    memcpy(xsdt + 1, tables, sizeof(tables));
    finish(xsdt, "XSDT", 1, sizeof(*xsdt) + sizeof(tables));
    area->xsdt = area_gpa(area, xsdt);
    return true;
}

bool acpi_tables_build(const struct guest_mem *mem, uint32_t vcpus,
                       unsigned (*gsi_of)(unsigned slot, unsigned pin))
{
    const struct acpi_board board = {.vcpus = vcpus, .ecam = ECAM_BASE, .gsi_of = gsi_of};
    uint8_t *bytes = guest_mem_writable(mem, ACPI_AREA_GPA, ACPI_AREA_END - ACPI_AREA_GPA);
    if (!bytes)
        return false;
    struct acpi_area area = {
        .bytes = bytes, .size = ACPI_AREA_END - ACPI_AREA_GPA, .base = ACPI_AREA_GPA};
    uint8_t *rsdp = area_take(&area, ACPI_RSDP_SIZE, 16);
    if (!acpi_tables_lay(&area, &board))
        return false;
    acpi_rsdp_build(rsdp, area.rsdt, area.xsdt);
    return true;
}
