/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/network/nic.h"

#include <stdio.h>
#include <string.h>
#include "abi/object.h"
#include "abi/status.h"
#include "manager/bootpkg.h"
#include "manager/window.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define NIC_QUOTA      (1u << 20)
#define NIC_PRIORITY   26u /* as disk drivers: above the console and all VMMs */
#define STATUS_STEP    (1ull << 20)
#define LOW_MEMORY_END (1ull << 32)
#define ANSWER_NS      10000000000ull

static const struct nic_model models[] = {
    {0x8086, 0x100e, "82540EM", NIC_E1000, 0}, {0x8086, 0x10d3, "82574L", NIC_E1000E, 0},
    {0x8086, 0x10c9, "82576", NIC_IGB, 0},     {0x8086, 0x1521, "I350", NIC_IGB, 0},
    {0x1af4, 0x1000, "virtio", NIC_VIRTIO, 0}, {0x1af4, 0x1041, "virtio", NIC_VIRTIO, 0},
};

static struct nic_setup setup;
static struct nic nics[NICS];
static uint32_t count;
static const struct package_file *program_file;

uint32_t nic_count(void)
{
    return count;
}

const struct nic *nic_at(uint32_t index)
{
    return index < count ? &nics[index] : NULL;
}

struct nic *nic_by_badge(uint64_t badge)
{
    return badge >= NIC_BADGE && badge - NIC_BADGE < count ? &nics[badge - NIC_BADGE] : NULL;
}

static const char *find_virtio(struct nic *n)
{
    struct pci_virtio v;
    const char *why = hostpci_virtio(n->device, &v);
    if (why)
        return why;
    const struct pci_virtio_structure *s = v.structure;
    n->bar = s[PCI_VIRTIO_COMMON].bar;
    n->virtio = (struct nic_virtio){.common = s[PCI_VIRTIO_COMMON].offset,
                                    .common_size = s[PCI_VIRTIO_COMMON].size,
                                    .notify = s[PCI_VIRTIO_NOTIFY].offset,
                                    .notify_size = s[PCI_VIRTIO_NOTIFY].size,
                                    .notify_multiplier = v.notify_multiplier,
                                    .isr = s[PCI_VIRTIO_ISR].offset,
                                    .device = s[PCI_VIRTIO_DEVICE].offset,
                                    .device_size = s[PCI_VIRTIO_DEVICE].size};
    return NULL;
}

/* Without an interrupt the driver looks by the clock: slow, but a shared line stops no NIC. */
static void take_interrupts(struct nic *n)
{
    if (n->model->kind == NIC_E1000E || n->model->kind == NIC_VIRTIO)
        n->irqs = hostpci_take_messages(n->device, n->bar, n->irq, NIC_IRQS);
    n->has_messages = n->irqs == NIC_IRQS;
    if (n->has_messages)
        return;
    const char *why = hostpci_take_irq(n->device, &n->irq[0]);
    n->irqs = why ? 0 : 1;
    if (why)
        log_line("nic %s: it is looked at by the clock: %s", n->address, why);
}

static const char *take_memory(struct nic *n)
{
    uint64_t va = MANAGER_NICS_VA + n->index * STATUS_STEP;
    if (physmem_alloc_below(&n->rings, NIC_RINGS_BYTES, PHYSMEM_PAGE, LOW_MEMORY_END) != OK ||
        physmem_alloc_below(&n->pool, NIC_POOL_BYTES, PHYSMEM_PAGE, LOW_MEMORY_END) != OK ||
        window_zero(&n->pool) != OK)
        return "there is no memory below 4 GiB for it";
    int64_t status =
        physmem_alloc(&n->status_memory, NIC_STATUS_BYTES, PHYSMEM_PAGE, PHYSMEM_ANY_NODE);
    if (status == OK)
        status = window_zero(&n->status_memory);
    if (status == OK)
        status = sys_mem_map(SLOT_SELF_PD, n->status_memory.slot, va, 0, n->status_memory.size,
                             MAP_READ);
    n->status = (const struct nic_status *)va;
    return status == OK ? NULL : "no memory for its status";
}

/* From here on the NIC reaches its rings and its frames, and nothing else, if there is an IOMMU. */
static const char *confine(struct nic *n)
{
    const struct mem_block *blocks[] = {&n->rings, &n->pool};
    uint64_t kind;
    n->dma_space = slot_alloc();
    int64_t status = n->dma_space ? sys_device_create(n->dma_space, SLOT_MACHINE, SLOT_SELF_PD,
                                                      n->device->id.v, 1, &kind)
                                  : ERR_QUOTA;
    if (status != OK)
        return "its DMA cannot be confined";
    n->is_confined = kind != DMA_OPEN;
    for (uint32_t i = 0; i < 2; i++) {
        if (sys_mem_map(n->dma_space, blocks[i]->slot, blocks[i]->base, 0, blocks[i]->size,
                        MAP_READ | MAP_WRITE) != OK)
            return "it cannot reach its own memory";
    }
    return NULL;
}

/* All that stays while processes come and go. */
static const char *take_all(struct nic *n)
{
    n->bar = n->model->bar;
    const char *why = n->model->kind == NIC_VIRTIO ? find_virtio(n) : NULL;
    if (why)
        return why;
    const struct pci_bar *bar = &n->device->bar[n->bar];
    if (bar->kind != PCI_BAR_MEMORY || !bar->base)
        return "firmware has given its registers no address";
    n->registers = hostpci_memory(bar->base, bar->size);
    if (!n->registers)
        return "its registers do not lie in device memory";
    why = take_memory(n);
    if (!why)
        why = confine(n);
    if (why)
        return why;
    n->notif = slot_alloc();
    if (!n->notif || sys_notif_create(n->notif) != OK)
        return "no notification";
    take_interrupts(n);
    return NULL;
}

static void fill_config(const struct nic *n, struct nic_config *config)
{
    const struct pci_bar *bar = &n->device->bar[n->bar];
    *config = (struct nic_config){.magic = NIC_CONFIG_MAGIC,
                                  .kind = n->model->kind,
                                  .irqs = n->irqs,
                                  .irq_level = n->irqs && n->irq[0].level,
                                  .irq_messages = n->has_messages,
                                  .registers_size = bar->size,
                                  .registers_offset = (uint32_t)(bar->base % PHYSMEM_PAGE),
                                  .channel_pairs = n->port ? NIC_PAIRS : 0,
                                  .rings_base = n->rings.base,
                                  .pool_base = n->pool.base,
                                  .channel_bytes = n->grant.channel_bytes,
                                  .bell_bits = n->grant.bell_bits,
                                  .restarts = n->life.restarts,
                                  .confined = n->is_confined,
                                  .virtio = n->virtio};
    memcpy(config->name, n->name, sizeof(config->name));
    memcpy(config->address, n->address, sizeof(config->address));
    snprintf(config->chip, sizeof(config->chip), "%s", n->model->chip);
}

static const char *spawn(struct nic *n)
{
    const uint32_t rw = RIGHT_READ | RIGHT_WRITE;
    struct spawn_cap caps[NIC_SLOT_IRQ + NIC_IRQS] = {
        {NIC_SLOT_REGISTERS, n->registers, rw, 0},
        {NIC_SLOT_RINGS, n->rings.slot, rw, 0},
        {NIC_SLOT_POOL, n->pool.slot, rw, 0},
        {NIC_SLOT_STATUS, n->status_memory.slot, rw, 0},
    };
    uint32_t used = NIC_SLOT_STATUS + 1;
    for (uint32_t i = 0; i < n->irqs; i++)
        caps[used++] = (struct spawn_cap){NIC_SLOT_IRQ + i, n->irq[i].slot, RIGHT_ALL, 0};
    if (n->port) {
        caps[used++] = (struct spawn_cap){NIC_SLOT_CHANNEL, n->grant.channel, rw, 0};
        caps[used++] = (struct spawn_cap){NIC_SLOT_BELL, n->grant.bell, RIGHT_WRITE, 0};
    }
    struct nic_config config;
    char name[24];
    fill_config(n, &config);
    snprintf(name, sizeof(name), "nic:%s", n->name);
    struct spawn_request request = {
        .file = program_file,
        .name = name,
        .heap_size = NIC_HEAP_BYTES,
        .quota = NIC_QUOTA,
        .priority = NIC_PRIORITY,
        .badge = NIC_BADGE + n->index,
        .portal = setup.portal,
        .fault_notif = setup.notif,
        .fault_bits = NIC_FAULT_BIT,
        .notif = n->notif,
        .data = &config,
        .data_size = sizeof(config),
        .caps = caps,
        .cap_count = used,
    };
    const char *why = setup.ensure_kernel_memory(NIC_QUOTA);
    return why ? why : spawn_program(&n->life.program, &request);
}

/* For messages; returns `name`. */
static const char *life_name(const struct nic *n, char name[24])
{
    snprintf(name, 24, "nic:%s", n->name);
    return name;
}

static void start(struct nic *n)
{
    if (n->failed)
        hostpci_reset(n->device);
    n->failed = false;
    if (n->has_messages)
        hostpci_enable_messages(n->device, n->irq, n->irqs);
    else if (n->irqs)
        hostpci_enable_irq(n->device, &n->irq[0]);
    char name[24];
    life_began(&n->life, life_name(n, name), spawn(n), ANSWER_NS);
}

static void add(const struct pci_device *device, const struct nic_model *model)
{
    struct nic *n = &nics[count];
    *n = (struct nic){.device = device, .model = model, .index = count};
    snprintf(n->name, sizeof(n->name), "eth%u", (unsigned)count);
    snprintf(n->address, sizeof(n->address), "0000:%02x:%02x.%x", (unsigned)PCI_BUS(device->id),
             (unsigned)PCI_DEVICE(device->id), (unsigned)PCI_FUNCTION(device->id));
    const char *why = take_all(n);
    if (why) {
        log_line("nic %s: left out: %s", n->address, why);
        return;
    }
    count++;
    nic_open_port(n);
    start(n);
    if (!n->is_confined)
        log_line("nic %s: no IOMMU keeps it in bounds: a driver that is taken over can make it "
                 "read and write all memory",
                 n->name);
}

static const struct nic_model *model_of(const struct pci_device *device)
{
    for (uint32_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (models[i].vendor == device->vendor && models[i].device == device->device)
            return &models[i];
    }
    return NULL;
}

void nic_start(const struct nic_setup *with)
{
    setup = *with;
    program_file = bootpkg_find("nic");
    for (uint32_t i = 0; i < hostpci_count(); i++) {
        const struct pci_device *device = hostpci_at(i);
        const struct nic_model *model = model_of(device);
        if (!model)
            continue;
        if (!program_file) {
            log_line("the boot package has no driver for NICs: they are not used");
            return;
        }
        if (count == NICS) {
            log_line("only the first %u NICs are used", NICS);
            return;
        }
        add(device, model);
    }
    nic_check_networks();
}

/* Silences the NIC first: from then on it reaches nothing that is used otherwise. */
static void end(struct nic *n)
{
    hostpci_master(n->device, false);
    life_end(&n->life);
}

static void check(struct nic *n, uint64_t now)
{
    char name[24];
    enum life_state state = life_check(&n->life, now);
    if (state == LIFE_GOES_ON)
        return;
    n->failed |= state == LIFE_HANGS;
    life_tell(&n->life, life_name(n, name), state);
    end(n);
}

uint64_t nic_tick(uint64_t now)
{
    uint64_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct nic *n = &nics[i];
        check(n, now);
        if (life_is_due(&n->life, now))
            start(n);
        uint64_t at = life_next(&n->life);
        if (at && (!next || at < next))
            next = at;
    }
    return next;
}

static void log_text(const struct nic *n, const struct utcb *utcb, uint32_t words, const char *end)
{
    char text[200] = "";
    size_t have = words > NIC_PAYLOAD ? (size_t)(words - NIC_PAYLOAD) * 8 : 0;
    memcpy(text, &utcb->mr[NIC_PAYLOAD], have < sizeof(text) ? have : sizeof(text));
    text[sizeof(text) - 1] = 0;
    for (char *p = text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    log_line("nic %s: %s%s", n->name, text, end);
}

uint64_t nic_serve(struct nic *n, struct utcb *utcb, uint32_t words)
{
    int64_t status = OK;
    switch (utcb->mr[0]) {
    case NIC_EVENT_RESET:
        n->life.answer_by = 0;
        hostpci_master(n->device, true);
        if (n->life.restarts)
            log_line("nic %s: driver is up, %u restarts", n->name, (unsigned)n->life.restarts);
        break;
    case NIC_EVENT_TROUBLE:
        log_text(n, utcb, words, "; it was reset");
        break;
    case NIC_EVENT_FAILED:
        n->failed = true;
        log_text(n, utcb, words, "; it is given up for now");
        break;
    default:
        status = ERR_ARG;
    }
    utcb->mr[0] = (uint64_t)status;
    return 1;
}

void nic_info(const struct nic *n, struct mgr_iface *info)
{
    static const char *const drivers[NIC_KINDS] = {
        [NIC_E1000] = "e1000", [NIC_E1000E] = "e1000e", [NIC_IGB] = "igb", [NIC_VIRTIO] = "virtio"};
    const struct nic_status *s = n->status;
    *info = (struct mgr_iface){.link = __atomic_load_n(&s->link, __ATOMIC_RELAXED) != 0,
                               .speed = __atomic_load_n(&s->speed, __ATOMIC_RELAXED),
                               .state = __atomic_load_n(&s->state, __ATOMIC_RELAXED),
                               .restarts = n->life.restarts};
    snprintf(info->name, sizeof(info->name), "%s", n->name);
    snprintf(info->driver, sizeof(info->driver), "%s", drivers[n->model->kind]);
    snprintf(info->chip, sizeof(info->chip), "%s", n->model->chip);
    snprintf(info->address, sizeof(info->address), "%s", n->address);
    snprintf(info->network, sizeof(info->network), "%s", n->network);
    memcpy(info->mac, s->mac, 6);
    for (uint32_t i = 0; i < NIC_STATS; i++)
        info->stat[i] = __atomic_load_n(&s->stat[i], __ATOMIC_RELAXED);
    if (!n->life.program.alive)
        info->state = NIC_FAILED;
}
