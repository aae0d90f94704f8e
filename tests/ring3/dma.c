/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices and their DMA, with QEMU's edu device (docs/specs/edu in its source): one page of memory
 * of its own, and an engine that copies between that and any address. */
#include "tests/ring3/ktest.h"

#include <string.h>

#define BAR_VA 0x0000530000000000ull
#define RAM_VA 0x0000531000000000ull
#define PAGE   4096u
#define LARGE  (2ull << 20)
#define COPIED 2048u /* at once: 7.2 of QEMU refuses to fill the last byte of edu's page */

/* Device addresses below 256 MiB, which edu reaches without further options. */
#define DEV_A     0x200000ull
#define DEV_B     0x201000ull
#define DEV_LARGE 0x4000000ull

#define EDU_ID          0x11e81234u
#define EDU_BUFFER      0x40000u
#define EDU_SOURCE      0x80u
#define EDU_TARGET      0x88u
#define EDU_COUNT       0x90u
#define EDU_COMMAND     0x98u
#define EDU_RAISE       0x60u
#define EDU_ACKNOWLEDGE 0x64u
#define EDU_RUN         1u
#define EDU_TO_RAM      2u

#define CAPABILITY_MSI 5u

static volatile uint8_t *edu;
static uint8_t *ram; /* LARGE bytes */
static uint64_t ram_pa;
static uint32_t device, machine_pd = SLOT_SELF_PD;

static uint32_t config_read(uint32_t function, uint32_t offset)
{
    uint32_t value, address = 0x80000000u | function << 8 | offset;
    __asm__ volatile("outl %0, %1" ::"a"(address), "Nd"((uint16_t)0xcf8));
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)0xcfc));
    return value;
}

static void config_write(uint32_t function, uint32_t offset, uint32_t value)
{
    uint32_t address = 0x80000000u | function << 8 | offset;
    __asm__ volatile("outl %0, %1" ::"a"(address), "Nd"((uint16_t)0xcf8));
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"((uint16_t)0xcfc));
}

/* Copies between edu's buffer and a device address; how may have EDU_TO_RAM. */
static void dma(uint64_t address, uint32_t how)
{
    *(volatile uint64_t *)(edu + EDU_SOURCE) = how ? EDU_BUFFER : address;
    *(volatile uint64_t *)(edu + EDU_TARGET) = how ? address : EDU_BUFFER;
    *(volatile uint64_t *)(edu + EDU_COUNT) = COPIED;
    *(volatile uint64_t *)(edu + EDU_COMMAND) = EDU_RUN | how;
    while (*(volatile uint64_t *)(edu + EDU_COMMAND) & EDU_RUN)
        __asm__ volatile("pause");
}

static void fill(uint64_t offset, uint8_t value)
{
    memset(ram + offset, value, COPIED);
}

static bool holds(uint64_t offset, uint8_t value)
{
    for (uint32_t i = 0; i < COPIED; i++)
        if (ram[offset + i] != value)
            return false;
    return true;
}

/* Fills edu's buffer with this value, through page 0 of our RAM, mapped at DEV_A. */
static void load(uint8_t value)
{
    fill(0, value);
    dma(DEV_A, 0);
}

static bool find_edu(uint32_t *function)
{
    for (*function = 0; *function < 0x100; ++*function)
        if (config_read(*function, 0) == EDU_ID)
            return true;
    return false;
}

/* Maps its registers, and lets it be a bus master. */
static bool open_edu(uint32_t function)
{
    uint64_t bar = config_read(function, 0x10) & ~15u;
    for (uint32_t i = 0; i < ktest_info->mem_count; i++) {
        const struct root_mem *m = &ktest_info->mem[i];
        if (m->kind != ROOT_MEM_MMIO || bar < m->base || bar - m->base >= m->size)
            continue;
        CHECK_OK(sys_mem_map(SLOT_SELF_PD, SLOT_ROOT_MEM + i, BAR_VA, bar - m->base, 1u << 20,
                             MAP_READ | MAP_WRITE));
        CHECK(sys_mem_map(device, SLOT_ROOT_MEM + i, bar, bar - m->base, PAGE, MAP_READ) ==
              ERR_ARG);
        edu = (volatile uint8_t *)BAR_VA;
        config_write(function, 4, config_read(function, 4) | 6);
        return true;
    }
    return false;
}

static void bad_arguments(uint32_t function, uint32_t mem)
{
    uint64_t confined;
    uint32_t slot = slot_alloc();
    CHECK(sys_device_create(slot, SLOT_MACHINE, machine_pd, function, 1, &confined) == ERR_EXISTS);
    CHECK(sys_device_create(slot, SLOT_MACHINE, machine_pd, 0, 256, &confined) == ERR_EXISTS);
    CHECK(sys_device_create(slot, SLOT_MACHINE, machine_pd, 0, 0, &confined) == ERR_ARG);
    CHECK(sys_device_create(slot, SLOT_MACHINE, machine_pd, 1, 256, &confined) == ERR_ARG);
    CHECK(sys_device_create(slot, SLOT_SELF_PD, machine_pd, 0, 1, &confined) == ERR_CAP);
    CHECK(sys_device_create(slot, SLOT_MACHINE, SLOT_MACHINE, 0, 1, &confined) == ERR_CAP);
    CHECK(sys_mem_map(device, mem, ram_pa, 0, PAGE, MAP_READ | MAP_EXEC) == ERR_ARG);
    CHECK(sys_mem_map(device, mem, ram_pa, 0, PAGE, MAP_READ | MAP_UNCACHED) == ERR_ARG);
    CHECK(sys_mem_map(device, mem, 0xfee00000, 0, PAGE, MAP_READ) == ERR_ARG);
    CHECK(sys_mem_map(device, mem, 0xfedff000, 0, 2 * PAGE, MAP_READ) == ERR_ARG);
    CHECK(sys_mem_map(device, mem, 1ull << 57, 0, PAGE, MAP_READ) == ERR_ARG);
    slot_free(slot);
}

static void without_iommu(uint32_t mem)
{
    CHECK(sys_mem_map(device, mem, DEV_A, 0, PAGE, MAP_READ) == ERR_ARG);
    CHECK_OK(sys_mem_map(device, mem, ram_pa, 0, LARGE, MAP_READ | MAP_WRITE));
    fill(0, 0x11);
    dma(ram_pa, 0);
    dma(ram_pa + PAGE, EDU_TO_RAM);
    CHECK(holds(PAGE, 0x11));
    CHECK_OK(sys_mem_unmap(device, ram_pa, LARGE));
}

/* Single pages: page 0 is the source, page 1 a target, page 2 the victim. */
static void pages(uint32_t mem)
{
    CHECK_OK(sys_mem_map(device, mem, DEV_A, 0, PAGE, MAP_READ | MAP_WRITE));
    CHECK(sys_mem_map(device, mem, DEV_A, PAGE, PAGE, MAP_READ) == ERR_EXISTS);
    CHECK_OK(sys_mem_map(device, mem, DEV_B, PAGE, PAGE, MAP_READ | MAP_WRITE));
    load(0x21);
    dma(DEV_B, EDU_TO_RAM);
    CHECK(holds(PAGE, 0x21));
    /* Another's memory, by its physical address. */
    fill(2 * PAGE, 0x77);
    log_line("dma: a write to %lx follows", ram_pa + 2 * PAGE);
    dma(ram_pa + 2 * PAGE, EDU_TO_RAM);
    CHECK(holds(2 * PAGE, 0x77));
    /* Unmapped, then mapped without the right to write. */
    load(0x22);
    CHECK_OK(sys_mem_unmap(device, DEV_B, PAGE));
    log_line("dma: a write to %lx follows", (uint64_t)DEV_B);
    dma(DEV_B, EDU_TO_RAM);
    CHECK(holds(PAGE, 0x21));
    CHECK_OK(sys_mem_map(device, mem, DEV_B, PAGE, PAGE, MAP_READ));
    dma(DEV_B, EDU_TO_RAM);
    CHECK(holds(PAGE, 0x21));
    dma(DEV_B, 0); /* edu's buffer becomes 0x21 again */
    dma(DEV_A, EDU_TO_RAM);
    CHECK(holds(0, 0x21));
    CHECK_OK(sys_mem_unmap(device, DEV_B, PAGE));
}

/* A large page, a hole cut into it, and the loss of the capability it was mapped through. */
static void large_page(uint32_t mem)
{
    const uint64_t at = 0x42000;
    uint32_t copy = slot_alloc();
    CHECK_OK(sys_cap_copy(SLOT_SELF_PD, copy, mem, RIGHT_ALL, 0));
    CHECK_OK(sys_mem_map(device, copy, DEV_LARGE, 0, LARGE, MAP_READ | MAP_WRITE));
    load(0x31);
    dma(DEV_LARGE + at, EDU_TO_RAM);
    CHECK(holds(at, 0x31));
    CHECK_OK(sys_mem_unmap(device, DEV_LARGE + at, PAGE));
    load(0x32);
    dma(DEV_LARGE + at, EDU_TO_RAM);
    CHECK(holds(at, 0x31));
    dma(DEV_LARGE + at + PAGE, EDU_TO_RAM);
    CHECK(holds(at + PAGE, 0x32));
    load(0x33);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, copy));
    dma(DEV_LARGE + at + PAGE, EDU_TO_RAM);
    CHECK(holds(at + PAGE, 0x32));
    slot_free(copy);
}

/* The device goes while its memory stays; then it comes back and has nothing. */
static void gone(uint32_t function, uint32_t kind)
{
    uint64_t confined;
    load(0x41);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, device));
    fill(0, 0x42);
    dma(DEV_A, EDU_TO_RAM);
    CHECK(holds(0, 0x42));
    CHECK_OK(sys_device_create(device, SLOT_MACHINE, machine_pd, function, 1, &confined));
    CHECK(confined == kind);
    dma(DEV_A, EDU_TO_RAM);
    CHECK(holds(0, 0x42));
}

/* An interrupt that was given out arrives. */
static void interrupt(uint32_t function)
{
    uint32_t irq = slot_alloc(), n = slot_alloc(), at = config_read(function, 0x34) & 0xfc;
    uint64_t address, data, bits = 0;
    CHECK_OK(sys_notif_create(n));
    CHECK_OK(sys_msi_create(irq, SLOT_MACHINE, 0, &address, &data));
    CHECK_OK(sys_irq_bind(irq, n, 4));
    while (at && (config_read(function, at) & 0xff) != CAPABILITY_MSI)
        at = config_read(function, at) >> 8 & 0xfc;
    config_write(function, at + 4, (uint32_t)address);
    config_write(function, at + 8, (uint32_t)(address >> 32));
    config_write(function, at + 12, (uint32_t)data);
    config_write(function, at, config_read(function, at) | 1u << 16);
    *(volatile uint32_t *)(edu + EDU_RAISE) = 1;
    CHECK_OK(sys_notif_wait(n, time_tsc() + time_ns_to_tsc(5000000000ull), &bits));
    CHECK(bits == 4);
    *(volatile uint32_t *)(edu + EDU_ACKNOWLEDGE) = 1;
    config_write(function, at, config_read(function, at) & ~(1u << 16));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, irq));
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, n));
    slot_free(irq);
    slot_free(n);
}

/* The device makes NMIs up: 0x404 is delivery mode 4, vector 4. The log would tell. */
static void forged_interrupts(uint32_t mem)
{
    CHECK_OK(sys_mem_map(device, mem, DEV_A, 0, PAGE, MAP_READ));
    load(0x04);
    log_line("dma: forged interrupts follow");
    dma(0xfee00000, EDU_TO_RAM);
    CHECK_OK(sys_mem_unmap(device, DEV_A, PAGE));
}

static uint64_t memory_used(void)
{
    sys_pd_info(SLOT_SELF_PD);
    return ((const struct pd_info *)utcb_self()->mr)->kmem_used;
}

void test_dma(void)
{
    uint32_t function, mem = slot_alloc();
    uint64_t confined, size;
    CHECK_OK(sys_pd_ports(SLOT_SELF_PD, SLOT_PORTS, 1));
    sys_machine_info(SLOT_MACHINE);
    uint64_t kind = ((const struct machine_info *)utcb_self()->mr)->dma;
    log_line("dma: confined by %s", kind == DMA_VTD     ? "VT-d"
                                    : kind == DMA_AMDVI ? "AMD-Vi"
                                                        : "nothing");
    if (!find_edu(&function))
        return;
    device = slot_alloc();
    CHECK_OK(sys_mem_derive(mem, ktest_ram(64 << 20), 16 << 20, LARGE, RIGHT_ALL));
    CHECK_OK(sys_mem_info(mem, &ram_pa, &size));
    ram = (uint8_t *)RAM_VA;
    CHECK_OK(sys_mem_map(SLOT_SELF_PD, mem, RAM_VA, 0, LARGE, MAP_READ | MAP_WRITE));
    uint64_t before = memory_used();
    CHECK_OK(sys_device_create(device, SLOT_MACHINE, machine_pd, function, 1, &confined));
    CHECK(confined == kind);
    bad_arguments(function, mem);
    CHECK(open_edu(function));
    interrupt(function);
    if (kind == DMA_OPEN) {
        without_iommu(mem);
    } else {
        pages(mem);
        large_page(mem);
        gone(function, (uint32_t)kind);
        if (kind == DMA_AMDVI) /* QEMU's VT-d passes messages that do not name an entry */
            forged_interrupts(mem);
        log_line("dma: edu is kept to its memory");
    }
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, device));
    CHECK_OK(sys_mem_unmap(SLOT_SELF_PD, BAR_VA, 1u << 20));
    CHECK_OK(sys_mem_unmap(SLOT_SELF_PD, RAM_VA, LARGE));
    CHECK(memory_used() <= before);
    CHECK_OK(sys_cap_delete(SLOT_SELF_PD, mem));
    slot_free(device);
    slot_free(mem);
}
