/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device model sees of the virtual machine, and the machine of its devices: address
 * decoding, interrupts, timers, guest memory.
 *
 * Below stands struct host_ops, the only way from here into the kernel: vmm/main.c implements it
 * with system calls, unit tests with arrays. Above stand the chips, one a file, which know struct
 * machine and nothing else.
 *
 * Locking: machine_* entry points marked [takes the lock] are for vCPU threads and the event
 * thread. They take machine.lock once; all chip callbacks (region_ops, timers, doorbells) run under
 * it. Chips call only functions that are not so marked. */
#ifndef VMM_DEVICE_H
#define VMM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "user/program.h"
#include "vmm/timer.h"

#define NS_PER_S 1000000000ull

/* Guest-physical layout. */
#define GUEST_LOW_RAM_END 0xc0000000ull /* RAM beyond it continues at 4 GiB */
#define GUEST_HIGH_RAM    0x100000000ull
#define GUEST_PCI_MMIO    0xc0000000u /* BARs are placed from here up to the ECAM window */
#define GUEST_ECAM        0xe0000000u
#define GUEST_ECAM_SIZE   0x100000u /* bus 0 */
#define GUEST_IOAPIC      0xfec00000u
#define GUEST_PCI_IO      0xc000u /* I/O BARs are placed from here on */

#define GSI_COUNT 24u
#define GSI_SCI   9u

struct machine;

/* Why a machine stops. The order is that of severity: the first one wins. */
enum machine_event {
    MACHINE_POWEROFF, /* ACPI S5 */
    MACHINE_RESET,    /* port 0xcf9, 0x92, keyboard controller */
    MACHINE_PANIC,    /* pvpanic: the guest's kernel crashed */
    MACHINE_CRASHLOAD /* pvpanic: it crashed and runs its own crash kernel; goes on */
};

/* The way down. Every function may be called under machine.lock, from any thread of the VMM. */
struct host_ops {
    /* Delivers a message-signalled interrupt to the guest's local APICs (sys_guest_msi). */
    void (*msi_send)(void *host, uint64_t address, uint32_t data);
    /* The 8259's INTR output, wired to LINT0 of vCPU 0 (LAPIC_OP_EXTINT). Called on changes only.
     */
    void (*extint)(void *host, bool level);
    /* Monotonic nanoseconds (time_ns) and host TSC (time_tsc). */
    uint64_t (*clock_ns)(void *host);
    uint64_t (*clock_tsc)(void *host);
    /* The earliest deadline changed: machine_run_timers() must be called at clock_ns() >=
     * deadline_ns. UINT64_MAX: no timer is armed. May be called by a thread other than the event
     * thread. */
    void (*timer_program)(void *host, uint64_t deadline_ns);
    /* Guest writes to port shall lead to machine_doorbell(index) instead of an exit. false: could
     * not be had, then writes simply arrive as port I/O. */
    bool (*doorbell_add)(void *host, uint16_t port, unsigned index);
    void (*doorbell_remove)(void *host, uint16_t port);
    /* The guest asked for it. The machine's state does not change; vCPUs are to be stopped. */
    void (*event)(void *host, enum machine_event event, const char *reason);
    /* The balloon: count 4 KiB pages from gpa on are not needed, or needed again. The VMM's own
     * mapping must stay readable and writable in any case: a hostile guest points queues at such
     * pages. */
    void (*pages_release)(void *host, uint64_t gpa, uint64_t count);
    void (*pages_reclaim)(void *host, uint64_t gpa, uint64_t count);
};

/* Accesses arrive naturally formed: size is 1, 2, 4 (or 8, MMIO only) and never above max_size of
 * the region, offset + size never beyond the region. MMIO offsets may be misaligned. */
struct region_ops {
    uint64_t (*read)(void *dev, uint64_t offset, unsigned size);
    void (*write)(void *dev, uint64_t offset, unsigned size, uint64_t value);
};

/* Where a BAR and a fixed device overlap, the fixed device answers. */
enum region_kind { REGION_FIXED, REGION_BAR };

struct pio_region {
    uint16_t base;
    uint16_t count;
    uint8_t max_size; /* wider accesses are split: 1 for the old byte-wide chips */
    uint8_t kind;     /* enum region_kind */
    const struct region_ops *ops;
    void *dev;
    const char *name;
    uint64_t reads, writes;
};

struct mmio_region {
    uint64_t base, size;
    uint8_t max_size; /* 4 or 8 */
    uint8_t kind;
    const struct region_ops *ops;
    void *dev;
    const char *name;
    uint64_t reads, writes;
};

#define PIO_REGIONS  64u
#define MMIO_REGIONS 64u
#define DOORBELLS    46u /* bits of one notification, less those of vmm/config.h and a timer */

struct pio_bus {
    uint8_t index[65536]; /* by port: 1 + number of the region, 0: nothing there */
    struct pio_region *region[PIO_REGIONS];
    uint64_t unclaimed; /* accesses that no device answered */
};

struct mmio_bus {
    struct mmio_region *last;                 /* hit */
    struct mmio_region *region[MMIO_REGIONS]; /* fixed ones first */
    unsigned count;
    uint64_t unclaimed;
};

typedef void doorbell_fn(void *dev, unsigned arg);
struct doorbell {
    doorbell_fn *notify; /* NULL: free */
    void *dev;
    unsigned arg;
    uint16_t port;
    bool in_kernel;
    uint64_t rings;
};

struct machine_devices;
struct disk_source; /* vmm/disks.h */
struct net_source;  /* vmm/net.h */

struct machine {
    /* Set by the owner before machine_devices_init(). */
    const struct host_ops *host;
    void *host_ctx;
    uint8_t *guest_base;        /* where gpa 0 is mapped: VMM_GUEST_BASE, or a test's array */
    uint64_t ram_low, ram_high; /* bytes below 3 GiB, bytes from 4 GiB on */
    uint64_t tsc_khz, guest_tsc_khz;
    uint64_t tsc_scale, tsc_offset; /* the guest's TSC, see struct vcpu_page */
    struct byte_channel *serial;    /* vmm/channel.h; NULL: none connected, output is dropped */
    struct byte_channel *hvc;
    const struct disk_source *disk_source; /* one for each disk of the definition */
    const struct net_source *net_source;   /* one for each interface */
    struct bell *bell; /* the event thread's, for drivers that it tells of requests; may be NULL */

    /* The device side. */
    struct mutex lock;
    struct pio_bus pio;
    struct mmio_bus mmio;
    struct timer_heap timers;
    struct doorbell doorbells[DOORBELLS];
    int64_t wall_offset_ns; /* guest's wall clock = clock_ns() + this */
    /* Interrupt inputs: ISA IRQs 0..15 (0 is the PIT, wherever it is wired), PCI lines 16..23. */
    void (*irq_set)(struct machine *machine, unsigned gsi, bool level);
    struct machine_devices *devices;
};

/* --- for vCPU threads and the event thread [all take the lock] --- */
/* size 1, 2 or 4; no more of a value written counts. Nothing there: reads give all ones, writes go
 * nowhere. */
uint32_t machine_pio_read(struct machine *machine, uint16_t port, unsigned size);
void machine_pio_write(struct machine *machine, uint16_t port, unsigned size, uint32_t value);
/* size 1, 2, 4 or 8. */
uint64_t machine_mmio_read(struct machine *machine, uint64_t gpa, unsigned size);
void machine_mmio_write(struct machine *machine, uint64_t gpa, unsigned size, uint64_t value);
/* Doorbell number index rang in the kernel. Out of range or free: nothing happens (a late ring). */
void machine_doorbell(struct machine *machine, unsigned index);
/* Fires what is due. */
void machine_run_timers(struct machine *machine);

/* --- for chips, and at construction --- */
/* Regions are the device's own storage and must live as long as they are registered. fatal() when
 * the table is full for a fixed region; false for a BAR. */
bool pio_add(struct machine *machine, struct pio_region *region);
void pio_remove(struct machine *machine, struct pio_region *region);
/* The region that answers at a port, NULL if none. */
const struct pio_region *pio_owner(const struct machine *machine, uint16_t port);
bool mmio_add(struct machine *machine, struct mmio_region *region);
void mmio_remove(struct machine *machine, struct mmio_region *region);

/* Whether or not the kernel takes the doorbell, the region that covers the port must do the same as
 * notify when a write arrives there. Index, or -1 when all are in use. */
int doorbell_add(struct machine *machine, uint16_t port, doorbell_fn *notify, void *dev,
                 unsigned arg);
void doorbell_remove(struct machine *machine, int index);

/* Address in the VMM of len bytes of guest RAM, NULL when not all of them are RAM. len 0: NULL. */
static inline void *guest_ptr(const struct machine *machine, uint64_t gpa, uint64_t len)
{
    uint64_t start = 0, size = machine->ram_low;
    if (gpa >= GUEST_HIGH_RAM) {
        start = GUEST_HIGH_RAM;
        size = machine->ram_high;
    }
    uint64_t offset = gpa - start;
    if (len == 0 || offset >= size || len > size - offset)
        return NULL;
    return machine->guest_base + gpa;
}

static inline uint64_t clock_ns(const struct machine *machine)
{
    return machine->host->clock_ns(machine->host_ctx);
}

/* One-shot: fires under the lock, never earlier than deadline_ns. Arming again moves it. */
void timer_arm(struct machine *machine, struct dev_timer *timer, uint64_t deadline_ns);
void timer_cancel(struct machine *machine, struct dev_timer *timer);

static inline void irq_set(struct machine *machine, unsigned gsi, bool level)
{
    machine->irq_set(machine, gsi, level);
}

static inline void msi_send(struct machine *machine, uint64_t address, uint32_t data)
{
    machine->host->msi_send(machine->host_ctx, address, data);
}

static inline void machine_event(struct machine *machine, enum machine_event event,
                                 const char *reason)
{
    machine->host->event(machine->host_ctx, event, reason);
}

#endif
