/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/storage/ahci.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "abi/thread.h"
#include "manager/bootpkg.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define AHCI_QUOTA     (1u << 20)
#define AHCI_PRIORITY  26u /* above the console and all VMMs: it serves all of them */
#define ABAR           5u
#define ABAR_MIN       0x1000u
#define STATUS_STEP    (1ull << 20)
#define LOW_MEMORY_END (1ull << 32)
/* An answer takes one command's time-out at most; the first word of disks comes after COMRESET,
 * staggered spin-up and IDENTIFY of 32 ports. */
#define ANSWER_NS       60000000000ull
#define FIRST_ANSWER_NS 180000000000ull
#define ASK_NS          30000000000ull

static struct ahci_setup setup;
static struct ahci controllers[AHCI_CONTROLLERS];
static uint32_t count;
static const struct package_file *program_file;

uint32_t ahci_count(void)
{
    return count;
}

struct ahci *ahci_at(uint32_t index)
{
    return index < count ? &controllers[index] : NULL;
}

struct ahci *ahci_by_badge(uint64_t badge)
{
    return badge >= AHCI_BADGE && badge - AHCI_BADGE < count ? &controllers[badge - AHCI_BADGE]
                                                             : NULL;
}

/* What the driver and the manager share of its state. */
static const char *take_status(struct ahci *a)
{
    uint64_t va = MANAGER_DISKS_VA + a->index * STATUS_STEP;
    int64_t status =
        physmem_alloc(&a->status_memory, AHCI_STATUS_BYTES, PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (status == OK)
        status = window_zero(&a->status_memory);
    if (status == OK)
        status = sys_mem_map(SLOT_SELF_PD, a->status_memory.slot, va, 0, a->status_memory.size,
                             MAP_READ);
    a->status = (const struct ahci_status *)va;
    return status == OK ? NULL : "no memory for its status";
}

/* From here on the controller reaches what is mapped for it, and nothing else, if there is an
 * IOMMU.
 */
static const char *confine(struct ahci *a)
{
    uint64_t kind;
    a->dma_space = slot_alloc();
    int64_t status = a->dma_space ? sys_device_create(a->dma_space, SLOT_MACHINE, SLOT_SELF_PD,
                                                      a->device->id.v, 1, &kind)
                                  : ERR_QUOTA;
    if (status != OK)
        return "its DMA cannot be confined";
    a->is_confined = kind != DMA_OPEN;
    return ahci_let_reach(a, &a->dma, 1) == OK ? NULL : "it cannot reach its own memory";
}

int64_t ahci_let_reach(const struct ahci *a, const struct mem_block *blocks, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int64_t status = sys_mem_map(a->dma_space, blocks[i].slot, blocks[i].base, 0,
                                     blocks[i].size, MAP_READ | MAP_WRITE);
        if (status != OK && status != ERR_EXISTS) /* another volume of the same client */
            return status;
    }
    return OK;
}

/* All that stays while processes come and go. */
static const char *take_all(struct ahci *a)
{
    const struct pci_bar *bar = &a->device->bar[ABAR];
    if (bar->kind != PCI_BAR_MEMORY || !bar->base)
        return "firmware has given its registers no address";
    if (bar->size < ABAR_MIN / 2)
        return "its registers are too small";
    a->abar = hostpci_memory(bar->base, bar->size);
    if (!a->abar)
        return "its registers do not lie in device memory";
    if (physmem_alloc_below(&a->dma, AHCI_DMA_BYTES, PHYSMEM_PAGE, LOW_MEMORY_END) != OK)
        return "there is no memory below 4 GiB for it";
    const char *why = confine(a);
    if (!why)
        why = take_status(a);
    if (why)
        return why;
    a->notif = slot_alloc();
    if (!a->notif || sys_notif_create(a->notif) != OK)
        return "no notification";
    return hostpci_take_irq(a->device, &a->irq);
}

static const char *spawn(struct ahci *a)
{
    const struct pci_bar *bar = &a->device->bar[ABAR];
    const uint32_t rw = RIGHT_READ | RIGHT_WRITE;
    const struct spawn_cap caps[] = {{AHCI_SLOT_ABAR, a->abar, rw, 0},
                                     {AHCI_SLOT_DMA, a->dma.slot, rw, 0},
                                     {AHCI_SLOT_IRQ, a->irq.slot, RIGHT_ALL, 0},
                                     {AHCI_SLOT_STATUS, a->status_memory.slot, rw, 0}};
    struct ahci_config config = {.magic = AHCI_CONFIG_MAGIC,
                                 .abar_size = bar->size,
                                 .abar_offset = (uint32_t)(bar->base % PHYSMEM_PAGE),
                                 .irq_level = a->irq.level,
                                 .dma_base = a->dma.base,
                                 .restarts = a->life.restarts};
    snprintf(config.address, sizeof(config.address), "%s", a->address);
    struct spawn_request request = {
        .file = program_file,
        .name = a->name,
        .heap_size = AHCI_HEAP_BYTES,
        .quota = AHCI_QUOTA,
        .priority = AHCI_PRIORITY,
        .badge = AHCI_BADGE + a->index,
        .portal = setup.portal,
        .fault_notif = setup.notif,
        .fault_bits = AHCI_FAULT_BIT,
        .notif = a->notif,
        .data = &config,
        .data_size = sizeof(config),
        .caps = caps,
        .cap_count = sizeof(caps) / sizeof(caps[0]),
    };
    const char *why = setup.ensure_kernel_memory(AHCI_QUOTA);
    return why ? why : spawn_program(&a->life.program, &request);
}

static void start(struct ahci *a)
{
    a->is_reset = a->ports_known = false;
    hostpci_enable_irq(a->device, &a->irq);
    life_began(&a->life, a->name, spawn(a), FIRST_ANSWER_NS);
}

static void add(const struct pci_device *device)
{
    struct ahci *a = &controllers[count];
    *a = (struct ahci){.device = device, .index = count};
    snprintf(a->name, sizeof(a->name), "ahci:0000:%02x:%02x.%x", (unsigned)PCI_BUS(device->id),
             (unsigned)PCI_DEVICE(device->id), (unsigned)PCI_FUNCTION(device->id));
    a->address = a->name + strlen("ahci:");
    const char *why = take_all(a);
    if (why) {
        log_line("ahci %s: left out: %s", a->address, why);
        return;
    }
    count++;
    start(a);
}

void ahci_start(const struct ahci_setup *with)
{
    setup = *with;
    program_file = bootpkg_find("ahci");
    for (uint32_t i = 0; i < hostpci_count(); i++) {
        const struct pci_device *device = hostpci_at(i);
        if (device->class_code != PCI_CLASS_AHCI)
            continue;
        if (!program_file)
            log_line("the boot package has no driver for AHCI: its disks are not used");
        else if (count == AHCI_CONTROLLERS)
            log_line("only the first %u AHCI controllers are used", AHCI_CONTROLLERS);
        else
            add(device);
        if (!program_file || count == AHCI_CONTROLLERS)
            break;
    }
    bool confined = true;
    for (uint32_t i = 0; i < count; i++)
        confined &= controllers[i].is_confined;
    if (!confined)
        log_line("storage: no IOMMU keeps the disk controllers in bounds: a driver that is taken "
                 "over can make them read and write all memory");
}

/* Silences the controller first: from then on it reaches nothing that is used otherwise. */
static void end(struct ahci *a)
{
    hostpci_master(a->device, false);
    life_end(&a->life);
    for (uint32_t i = 0; i < AHCI_CHANNELS; i++)
        channel_driver_died(&a->channel[i]);
    a->stopped = a->stopping;
}

uint64_t ahci_tick(uint64_t now)
{
    uint64_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct ahci *a = &controllers[i];
        enum life_state state = life_check(&a->life, now);
        if (state != LIFE_GOES_ON && !a->stopped)
            life_tell(&a->life, a->name, state);
        if (state != LIFE_GOES_ON)
            end(a);
        if (!a->stopping && life_is_due(&a->life, now))
            start(a);
        if (a->ports_known && !a->stopping && life_asks(&a->life, now, ASK_NS, ANSWER_NS))
            sys_notif_signal(a->notif, AHCI_BIT_JOB);
        uint64_t at = life_next(&a->life);
        if (at && !a->stopped && (!next || at < next))
            next = at;
    }
    return next;
}

void ahci_job(struct ahci *a)
{
    if (!a->life.program.alive || !a->ports_known)
        return; /* it asks by itself when it knows its disks */
    life_expect(&a->life, ANSWER_NS);
    sys_notif_signal(a->notif, AHCI_BIT_JOB);
}

void ahci_stop(void)
{
    for (uint32_t i = 0; i < count; i++) {
        struct ahci *a = &controllers[i];
        if (a->stopping)
            continue;
        a->stopping = true;
        a->stopped = !a->life.program.alive;
        a->life.answer_by = 0; /* it has all the time again */
        life_expect(&a->life, ANSWER_NS);
        sys_notif_signal(a->notif, AHCI_BIT_STOP);
    }
}

bool ahci_stopped(void)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!controllers[i].stopped)
            return false;
    }
    return true;
}

bool ahci_settled(void)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct ahci *a = &controllers[i];
        if (!a->ports_known && !(a->life.restarts > 3 && !a->life.program.alive))
            return false;
    }
    return true;
}
