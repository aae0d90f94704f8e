/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI fixed hardware (ACPI specification, "ACPI Hardware Specification"), by port I/O. */
#include "user/power.h"

#include <stddef.h>
#include "abi/map.h"
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "user/host_acpi.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define TABLES_VA   0x0000200000000000ull /* while the tables are read */
#define TABLES_SIZE 0x0000000040000000ull
#define RESET_VA    (TABLES_VA + TABLES_SIZE) /* a reset register in memory, for good */
#define PAGE        4096ull

#define PM1_SCI_EN     (1u << 0)
#define PM1_SLP_TYP(t) ((uint32_t)(t) << 10)
#define PM1_SLP_EN     (1u << 13)
#define PM1_SLP_MASK   (PM1_SLP_TYP(7) | PM1_SLP_EN)
#define ENABLE_WAIT_NS 300000000ull
#define EFFECT_WAIT_NS 500000000ull

#define PCI_ADDRESS 0xcf8u
#define PCI_DATA    0xcfcu
#define PCI_ENABLE  0x80000000u

static struct host_acpi acpi;
static const struct root_info *root;
static uint64_t tables_next; /* end of what is mapped at TABLES_VA */
static volatile uint8_t *reset_memory;

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

static uint16_t in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* Maps what lies in one of the root task's memory capabilities. */
static void *map_at(uint64_t va, uint64_t pa, uint64_t size, uint32_t flags)
{
    uint64_t first = pa & ~(PAGE - 1), bytes = ((pa + size + PAGE - 1) & ~(PAGE - 1)) - first;

    for (uint32_t i = 0; i < root->mem_count; i++) {
        const struct root_mem *mem = &root->mem[i];
        if (first < mem->base || first - mem->base > mem->size ||
            bytes > mem->size - (first - mem->base))
            continue;
        if (sys_mem_map(SLOT_SELF_PD, SLOT_ROOT_MEM + i, va, first - mem->base, bytes, flags) == OK)
            return (char *)va + (pa - first);
    }
    return NULL;
}

static const void *map_table(uint64_t pa, uint64_t size)
{
    uint64_t va = tables_next, room = TABLES_VA + TABLES_SIZE - va;
    if (size + 2 * PAGE > room || pa + size < pa)
        return NULL;
    tables_next += (size + 2 * PAGE - 1) & ~(PAGE - 1);
    return map_at(va, pa, size, MAP_READ);
}

void power_init(const struct root_info *info)
{
    root = info;
    tables_next = TABLES_VA;
    host_acpi_read(&acpi, info->acpi_root, map_table);
    if (tables_next > TABLES_VA)
        sys_mem_unmap(SLOT_SELF_PD, TABLES_VA, tables_next - TABLES_VA);
    if (acpi.reset_valid && acpi.reset_space == GAS_MEMORY)
        reset_memory = map_at(RESET_VA, acpi.reset_address, 1, MAP_READ | MAP_WRITE | MAP_UNCACHED);
}

static void wait_ns(uint64_t ns)
{
    for (uint64_t end = time_tsc() + time_ns_to_tsc(ns); time_tsc() < end;)
        sys_thread_yield();
}

/* The sleep registers work in ACPI mode only; firmware may have left legacy mode on. */
static void enter_acpi_mode(void)
{
    if (!acpi.smi_command || !acpi.acpi_enable || (in16(acpi.pm1a_control) & PM1_SCI_EN))
        return;
    out8(acpi.smi_command, acpi.acpi_enable);
    uint64_t end = time_tsc() + time_ns_to_tsc(ENABLE_WAIT_NS);
    while (!(in16(acpi.pm1a_control) & PM1_SCI_EN) && time_tsc() < end)
        sys_thread_yield();
}

static void sleep_control(uint16_t port, uint8_t type)
{
    if (port)
        out16(port, (uint16_t)((in16(port) & ~PM1_SLP_MASK) | PM1_SLP_TYP(type) | PM1_SLP_EN));
}

void power_off(void)
{
    if (!acpi.s5_valid || !acpi.pm1a_control) {
        log_line("this machine's ACPI tables give no way to power off");
        return;
    }
    if (sys_pd_ports(SLOT_SELF_PD, SLOT_PORTS, 1) != OK)
        return;
    enter_acpi_mode();
    sleep_control(acpi.pm1a_control, acpi.s5_type_a);
    sleep_control(acpi.pm1b_control, acpi.s5_type_b);
    wait_ns(EFFECT_WAIT_NS);
    log_line("ACPI power-off had no effect");
}

static void reset_register(void)
{
    uint64_t address = acpi.reset_address;

    if (acpi.reset_space == GAS_MEMORY) {
        if (reset_memory)
            *reset_memory = acpi.reset_value;
    } else if (acpi.reset_space == GAS_PCI_CONFIG) {
        /* Device in bits 47:32, function in 31:16, offset in 15:0, on bus 0. */
        uint32_t device = (uint32_t)(address >> 32) & 31, function = address >> 16 & 7;
        out32(PCI_ADDRESS, PCI_ENABLE | device << 11 | function << 8 | (address & 0xfc));
        out8((uint16_t)(PCI_DATA + (address & 3)), acpi.reset_value);
    } else {
        out8((uint16_t)address, acpi.reset_value);
    }
    wait_ns(EFFECT_WAIT_NS);
}

void power_reset(uint32_t machine)
{
    if (acpi.reset_valid && sys_pd_ports(SLOT_SELF_PD, SLOT_PORTS, 1) == OK)
        reset_register();
    sys_machine_control(machine, MACHINE_RESET, 0);
}
