/* SPDX-License-Identifier: BSD-2-Clause */
/* Power-off and reset. */
#include "arch/x86_64/acpi_power.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/insn.h"
#include "arch/x86_64/klog.h"
#include "arch/x86_64/kmem.h"
#include "arch/x86_64/platform.h"

#define PM1_SCI_EN     (1u << 0)
#define PM1_SLP_TYP(t) ((uint32_t)(t) << 10)
#define PM1_SLP_EN     (1u << 13)
#define PM1_SLP_MASK   (PM1_SLP_TYP(7) | PM1_SLP_EN)
#define ENABLE_WAIT_US 300000u
#define EFFECT_WAIT_US 500000u

#define GAS_MEMORY     0u
#define GAS_PCI_CONFIG 2u
#define PCI_ADDRESS    0xcf8u
#define PCI_DATA       0xcfcu
#define PCI_ENABLE     0x80000000u
#define RESET_CONTROL  0xcf9u /* of Intel's and compatible chip sets */
#define RESET_PREPARE  0x02u
#define RESET_FULL     0x06u
#define KBC_COMMAND    0x64u
#define KBC_BUSY       0x02u
#define KBC_PULSE      0xfeu
#define KBC_SPINS      100000u

static uint16_t smi_port;
static uint8_t enable_value;
static volatile uint8_t *reset_memory;

void acpi_power_init(uint32_t smi_command, uint8_t acpi_enable)
{
    smi_port = (uint16_t)(smi_command <= UINT16_MAX ? smi_command : 0);
    enable_value = acpi_enable;
    if (!acpi.reset_valid || acpi.reset.space != GAS_MEMORY)
        return;
    reset_memory = kmap_mmio(hpa(acpi.reset.address), 1);
    acpi.reset_valid = reset_memory != NULL;
}

static void wait_us(uint64_t us)
{
    uint64_t start = rdtsc(), span = tsc_from_us(us);
    while (rdtsc() - start < span)
        cpu_pause();
}

/* The sleep registers work in ACPI mode only; firmware may have left legacy mode on. */
static void enter_acpi_mode(void)
{
    if (!smi_port || !enable_value || (inw(acpi.pm1a_control) & PM1_SCI_EN))
        return;
    outb(smi_port, enable_value);
    uint64_t start = rdtsc(), span = tsc_from_us(ENABLE_WAIT_US);
    while (!(inw(acpi.pm1a_control) & PM1_SCI_EN) && rdtsc() - start < span)
        cpu_pause();
}

static void sleep_control(uint16_t port, uint8_t type)
{
    if (port)
        outw(port, (uint16_t)((inw(port) & ~PM1_SLP_MASK) | PM1_SLP_TYP(type) | PM1_SLP_EN));
}

void acpi_poweroff(void)
{
    if (!acpi.s5_valid || !acpi.pm1a_control) {
        kprintf("acpi: this machine's tables give no way to power off\n");
        return;
    }
    irq_disable();
    enter_acpi_mode();
    sleep_control(acpi.pm1a_control, acpi.s5_type_a);
    sleep_control(acpi.pm1b_control, acpi.s5_type_b);
    wait_us(EFFECT_WAIT_US);
    kprintf("acpi: power-off had no effect\n");
}

static void reset_register(void)
{
    const struct acpi_gas *r = &acpi.reset;

    if (!acpi.reset_valid)
        return;
    if (r->space == GAS_MEMORY) {
        *reset_memory = acpi.reset_value;
    } else if (r->space == GAS_PCI_CONFIG) {
        /* Device in bits 47:32, function in 31:16, offset in 15:0, on bus 0. */
        uint32_t device = (uint32_t)(r->address >> 32) & 31, function = r->address >> 16 & 7;
        uint32_t offset = r->address & 0xff;
        outl(PCI_ADDRESS, PCI_ENABLE | device << 11 | function << 8 | (offset & ~3u));
        outb((uint16_t)(PCI_DATA + (offset & 3)), acpi.reset_value);
    } else {
        outb((uint16_t)r->address, acpi.reset_value);
    }
    wait_us(EFFECT_WAIT_US);
}

static void reset_keyboard(void)
{
    for (uint32_t i = 0; i < KBC_SPINS && (inb(KBC_COMMAND) & KBC_BUSY); i++)
        cpu_pause();
    outb(KBC_COMMAND, KBC_PULSE);
    wait_us(EFFECT_WAIT_US);
}

/* An empty IDT makes the next exception a triple fault, which every machine answers with a reset.
 */
static void triple_fault(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};
    __asm__ volatile("lidt %0; int3" ::"m"(none));
}

void acpi_reset(void)
{
    irq_disable();
    reset_register();
    outb(RESET_CONTROL, RESET_PREPARE);
    outb(RESET_CONTROL, RESET_FULL);
    wait_us(EFFECT_WAIT_US);
    reset_keyboard();
    triple_fault();
}
