/* SPDX-License-Identifier: BSD-2-Clause */
/* Address decoding, timers and doorbells: what all device models stand on. */
#include <string.h>
#include "vmm/device.h"

/* --- ports --- */

static void lay(struct pio_bus *bus, unsigned number)
{
    const struct pio_region *region = bus->region[number];
    for (unsigned i = 0; i < region->count && region->base + i <= 0xffff; i++)
        bus->index[region->base + i] = (uint8_t)(number + 1);
}

/* BARs first, fixed devices over them; within a kind a later registration wins, so that 0xcf9 can
 * stand inside 0xcf8..0xcff. */
static void lay_all(struct pio_bus *bus)
{
    memset(bus->index, 0, sizeof bus->index);
    for (unsigned i = 0; i < PIO_REGIONS; i++) {
        if (bus->region[i] && bus->region[i]->kind == REGION_BAR)
            lay(bus, i);
    }
    for (unsigned i = 0; i < PIO_REGIONS; i++) {
        if (bus->region[i] && bus->region[i]->kind == REGION_FIXED)
            lay(bus, i);
    }
}

bool pio_add(struct machine *machine, struct pio_region *region)
{
    struct pio_bus *bus = &machine->pio;
    for (unsigned i = 0; i < PIO_REGIONS; i++) {
        if (bus->region[i])
            continue;
        bus->region[i] = region;
        lay_all(bus);
        return true;
    }
    if (region->kind == REGION_FIXED)
        fatal("no room for port region %s", region->name);
    return false;
}

void pio_remove(struct machine *machine, struct pio_region *region)
{
    struct pio_bus *bus = &machine->pio;
    for (unsigned i = 0; i < PIO_REGIONS; i++) {
        if (bus->region[i] == region) {
            bus->region[i] = NULL;
            lay_all(bus);
            return;
        }
    }
}

const struct pio_region *pio_owner(const struct machine *machine, uint16_t port)
{
    unsigned number = machine->pio.index[port];
    return number ? machine->pio.region[number - 1] : NULL;
}

static inline uint32_t size_mask(unsigned size)
{
    return 0xffffffffu >> (8 * (4 - size));
}

/* The region that can take the whole access, or NULL: nothing there, or it must be split. */
static inline struct pio_region *pio_whole(struct pio_bus *bus, uint16_t port, unsigned size)
{
    unsigned number = bus->index[port];
    if (number == 0)
        return NULL;
    struct pio_region *region = bus->region[number - 1];
    if (size > region->max_size || port + size > (unsigned)region->base + region->count)
        return NULL;
    return region;
}

static uint32_t pio_read_part(struct pio_bus *bus, uint16_t port, unsigned size);
static void pio_write_part(struct pio_bus *bus, uint16_t port, unsigned size, uint32_t value);

/* Nobody takes the access whole: its halves. Apart, for the usual case to keep nothing. */
static __attribute__((noinline)) uint32_t pio_read_split(struct pio_bus *bus, uint16_t port,
                                                         unsigned size)
{
    if (size == 1) {
        bus->unclaimed++;
        return 0xff;
    }
    unsigned half = size / 2;
    uint32_t low = pio_read_part(bus, port, half);
    return low | pio_read_part(bus, (uint16_t)(port + half), half) << (8 * half);
}

static __attribute__((noinline)) void pio_write_split(struct pio_bus *bus, uint16_t port,
                                                      unsigned size, uint32_t value)
{
    if (size == 1) {
        bus->unclaimed++;
        return;
    }
    unsigned half = size / 2;
    pio_write_part(bus, port, half, value);
    pio_write_part(bus, (uint16_t)(port + half), half, value >> (8 * half));
}

static inline uint32_t pio_read_part(struct pio_bus *bus, uint16_t port, unsigned size)
{
    struct pio_region *region = pio_whole(bus, port, size);
    if (__builtin_expect(!region, 0))
        return pio_read_split(bus, port, size);
    region->reads++;
    return (uint32_t)region->ops->read(region->dev, (uint64_t)(port - region->base), size) &
           size_mask(size);
}

static inline void pio_write_part(struct pio_bus *bus, uint16_t port, unsigned size, uint32_t value)
{
    struct pio_region *region = pio_whole(bus, port, size);
    if (__builtin_expect(!region, 0)) {
        pio_write_split(bus, port, size, value);
        return;
    }
    region->writes++;
    region->ops->write(region->dev, (uint64_t)(port - region->base), size, value & size_mask(size));
}

uint32_t machine_pio_read(struct machine *machine, uint16_t port, unsigned size)
{
    mutex_lock(&machine->lock);
    uint32_t value = pio_read_part(&machine->pio, port, size);
    mutex_unlock(&machine->lock);
    return value;
}

void machine_pio_write(struct machine *machine, uint16_t port, unsigned size, uint32_t value)
{
    mutex_lock(&machine->lock);
    pio_write_part(&machine->pio, port, size, value);
    mutex_unlock(&machine->lock);
}

/* --- MMIO --- */

bool mmio_add(struct machine *machine, struct mmio_region *region)
{
    struct mmio_bus *bus = &machine->mmio;
    if (bus->count == MMIO_REGIONS) {
        if (region->kind == REGION_FIXED)
            fatal("no room for memory-mapped region %s", region->name);
        return false;
    }
    unsigned at = bus->count++;
    if (region->kind == REGION_FIXED) {
        at = 0;
        memmove(bus->region + 1, bus->region, (bus->count - 1) * sizeof bus->region[0]);
    }
    bus->region[at] = region;
    bus->last = NULL; /* the new one may hide what was hit */
    return true;
}

void mmio_remove(struct machine *machine, struct mmio_region *region)
{
    struct mmio_bus *bus = &machine->mmio;
    for (unsigned i = 0; i < bus->count; i++) {
        if (bus->region[i] != region)
            continue;
        bus->count--;
        memmove(bus->region + i, bus->region + i + 1, (bus->count - i) * sizeof bus->region[0]);
        bus->last = NULL;
        return;
    }
}

/* A last-hit cache, then a walk: a machine has about a dozen regions. */
static struct mmio_region *mmio_find(struct mmio_bus *bus, uint64_t gpa)
{
    struct mmio_region *region = bus->last;
    if (region && gpa - region->base < region->size)
        return region;
    for (unsigned i = 0; i < bus->count; i++) {
        region = bus->region[i];
        if (gpa - region->base < region->size) {
            bus->last = region;
            return region;
        }
    }
    return NULL;
}

static inline struct mmio_region *mmio_whole(struct mmio_bus *bus, uint64_t gpa, unsigned size)
{
    struct mmio_region *region = mmio_find(bus, gpa);
    if (!region || size > region->max_size || size > region->size - (gpa - region->base))
        return NULL;
    return region;
}

static uint64_t mmio_read_part(struct mmio_bus *bus, uint64_t gpa, unsigned size);
static void mmio_write_part(struct mmio_bus *bus, uint64_t gpa, unsigned size, uint64_t value);

static __attribute__((noinline)) uint64_t mmio_read_split(struct mmio_bus *bus, uint64_t gpa,
                                                          unsigned size)
{
    if (size == 1) {
        bus->unclaimed++;
        return 0xff;
    }
    unsigned half = size / 2;
    uint64_t low = mmio_read_part(bus, gpa, half);
    return low | mmio_read_part(bus, gpa + half, half) << (8 * half);
}

static __attribute__((noinline)) void mmio_write_split(struct mmio_bus *bus, uint64_t gpa,
                                                       unsigned size, uint64_t value)
{
    if (size == 1) {
        bus->unclaimed++;
        return;
    }
    unsigned half = size / 2;
    mmio_write_part(bus, gpa, half, value);
    mmio_write_part(bus, gpa + half, half, value >> (8 * half));
}

static inline uint64_t mmio_read_part(struct mmio_bus *bus, uint64_t gpa, unsigned size)
{
    struct mmio_region *region = mmio_whole(bus, gpa, size);
    if (__builtin_expect(!region, 0))
        return mmio_read_split(bus, gpa, size);
    region->reads++;
    uint64_t value = region->ops->read(region->dev, gpa - region->base, size);
    return size == 8 ? value : value & size_mask(size);
}

static inline void mmio_write_part(struct mmio_bus *bus, uint64_t gpa, unsigned size,
                                   uint64_t value)
{
    struct mmio_region *region = mmio_whole(bus, gpa, size);
    if (__builtin_expect(!region, 0)) {
        mmio_write_split(bus, gpa, size, value);
        return;
    }
    region->writes++;
    region->ops->write(region->dev, gpa - region->base, size,
                       size == 8 ? value : value & size_mask(size));
}

uint64_t machine_mmio_read(struct machine *machine, uint64_t gpa, unsigned size)
{
    mutex_lock(&machine->lock);
    uint64_t value = mmio_read_part(&machine->mmio, gpa, size);
    mutex_unlock(&machine->lock);
    return value;
}

void machine_mmio_write(struct machine *machine, uint64_t gpa, unsigned size, uint64_t value)
{
    mutex_lock(&machine->lock);
    mmio_write_part(&machine->mmio, gpa, size, value);
    mutex_unlock(&machine->lock);
}

/* --- doorbells --- */

int doorbell_add(struct machine *machine, uint16_t port, doorbell_fn *notify, void *dev,
                 unsigned arg)
{
    for (unsigned i = 0; i < DOORBELLS; i++) {
        struct doorbell *bell = &machine->doorbells[i];
        if (bell->notify)
            continue;
        *bell = (struct doorbell){.notify = notify, .dev = dev, .arg = arg, .port = port};
        bell->in_kernel = machine->host->doorbell_add(machine->host_ctx, port, i);
        return (int)i;
    }
    return -1;
}

void doorbell_remove(struct machine *machine, int index)
{
    if (index < 0 || index >= (int)DOORBELLS)
        return;
    struct doorbell *bell = &machine->doorbells[index];
    if (bell->in_kernel)
        machine->host->doorbell_remove(machine->host_ctx, bell->port);
    *bell = (struct doorbell){0};
}

void machine_doorbell(struct machine *machine, unsigned index)
{
    if (index >= DOORBELLS)
        return;
    mutex_lock(&machine->lock);
    struct doorbell *bell = &machine->doorbells[index];
    if (bell->notify) {
        bell->rings++;
        bell->notify(bell->dev, bell->arg);
    }
    mutex_unlock(&machine->lock);
}

/* --- timers --- */

static void program_host(struct machine *machine)
{
    const struct dev_timer *first = timer_heap_first(&machine->timers);
    uint64_t deadline = first ? first->deadline_ns : UINT64_MAX;
    if (deadline == machine->timers.programmed_ns)
        return;
    machine->timers.programmed_ns = deadline;
    machine->host->timer_program(machine->host_ctx, deadline);
}

void timer_arm(struct machine *machine, struct dev_timer *timer, uint64_t deadline_ns)
{
    timer_heap_put(&machine->timers, timer, deadline_ns);
    program_host(machine);
}

void timer_cancel(struct machine *machine, struct dev_timer *timer)
{
    timer_heap_remove(&machine->timers, timer);
    program_host(machine);
}

void machine_run_timers(struct machine *machine)
{
    mutex_lock(&machine->lock);
    /* The host's timer is one-shot and has fired: whatever is left must be programmed again. */
    machine->timers.programmed_ns = UINT64_MAX;
    uint64_t now = clock_ns(machine);
    for (;;) {
        struct dev_timer *timer = timer_heap_first(&machine->timers);
        /* `now` is read once: a timer that re-arms itself in the past cannot hold the lock forever,
         * because devices arm relative to what they saw expire, and the rest waits for the next
         * round. */
        if (!timer || timer->deadline_ns > now)
            break;
        timer_heap_remove(&machine->timers, timer);
        timer->fire(timer->dev);
    }
    program_host(machine);
    mutex_unlock(&machine->lock);
}
