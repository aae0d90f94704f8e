/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of AHCI drivers over faked system calls and a faked spawner: what they are given, in
 * which order a dead one's controller is silenced, when the next one starts. */
#include "test.h"
#include <stdarg.h>
#include <stdint.h>
#define USER_SYSCALL_STUBS_H

static uint64_t now_tsc, sent_bits[4096];
static uint32_t next_slot = 200;
static uint64_t dma_kind;
static struct {
    uint64_t address, size;
} reachable[8];
static uint32_t reachable_count;

static int64_t sys_notif_create(uint32_t slot)
{
    (void)slot;
    return 0;
}
static int64_t sys_notif_signal(uint32_t notif, uint64_t bits)
{
    sent_bits[notif] |= bits;
    return 0;
}
static int64_t sys_cap_copy(uint32_t pd, uint32_t dst, uint32_t src, uint32_t rights,
                            uint64_t badge)
{
    (void)pd, (void)dst, (void)src, (void)rights, (void)badge;
    return 0;
}
static int64_t sys_cap_revoke(uint32_t src)
{
    (void)src;
    return 0;
}
static int64_t sys_device_create(uint32_t dst, uint32_t machine, uint32_t pd, uint32_t requester,
                                 uint32_t count, uint64_t *kind)
{
    (void)dst, (void)machine, (void)pd, (void)count;
    *kind = dma_kind;
    return requester == 0xfa ? 0 : -1;
}
static uint8_t status_page[1 << 16];
static int64_t sys_mem_map(uint32_t space, uint32_t mem, uint64_t address, uint64_t offset,
                           uint64_t size, uint32_t flags)
{
    (void)mem, (void)offset, (void)flags;
    if (space == 1) /* the manager's own */
        return 0;
    reachable[reachable_count].address = address;
    reachable[reachable_count++].size = size;
    return 0;
}
static int64_t sys_mem_derive(uint32_t dst, uint32_t src, uint64_t offset, uint64_t size,
                              uint32_t rights)
{
    (void)dst, (void)src, (void)offset, (void)size, (void)rights;
    return 0;
}

#include "user/program.h"
uint32_t slot_alloc(void)
{
    return next_slot++ % 4000 + 64;
}
void slot_free(uint32_t slot)
{
    (void)slot;
}
uint64_t time_tsc(void)
{
    return now_tsc;
}
uint64_t time_ns(void)
{
    return now_tsc;
}
uint64_t time_ns_to_tsc(uint64_t ns)
{
    return ns;
}
static char logged[65536];
void log_line(const char *format, ...)
{
    va_list args;
    size_t used = strlen(logged);
    va_start(args, format);
    vsnprintf(logged + used, sizeof(logged) - used, format, args);
    va_end(args);
}

#include "manager/bootpkg.h"
static struct package_file driver_file;
static bool has_driver;
const struct package_file *bootpkg_find(const char *name)
{
    return has_driver && !strcmp(name, "ahci") ? &driver_file : NULL;
}

#include "manager/window.h"
static uint8_t window_bytes[1 << 18];
void *window_open(const struct mem_block *block)
{
    return block->size <= sizeof(window_bytes) ? window_bytes : NULL;
}
void window_close(const struct mem_block *block)
{
    (void)block;
}
int64_t window_zero(const struct mem_block *block)
{
    (void)block;
    return 0;
}

#include "manager/ahci.h"
static struct pci_device devices[2];
static uint32_t device_count;
static bool mastering;
uint32_t hostpci_count(void)
{
    return device_count;
}
const struct pci_device *hostpci_at(uint32_t index)
{
    return &devices[index];
}
uint32_t hostpci_memory(uint64_t base, uint64_t size)
{
    return base == 0xfebd1800 && size == 0x1000 ? 77 : 0;
}
const char *hostpci_take_irq(const struct pci_device *device, struct hostpci_irq *irq)
{
    (void)device;
    *irq = (struct hostpci_irq){.slot = 78, .is_message = true};
    return NULL;
}
void hostpci_enable_irq(const struct pci_device *device, const struct hostpci_irq *irq)
{
    (void)device, (void)irq;
}
void hostpci_master(const struct pci_device *device, bool on)
{
    (void)device;
    mastering = on;
}

static int spawned, ended;
static const char *spawn_why;
static struct ahci_config last_config;
static enum program_health driver_health;
static bool ended_while_mastering;
const char *spawn_program(struct program *program, const struct spawn_request *request)
{
    if (spawn_why)
        return spawn_why;
    memcpy(&last_config, request->data, sizeof(last_config));
    program->alive = true;
    spawned++;
    return NULL;
}
void program_end(struct program *program)
{
    ended_while_mastering |= mastering;
    ended += program->alive;
    program->alive = false;
}
enum program_health program_check(const struct program *program, struct thread_info *info)
{
    (void)program;
    memset(info, 0, sizeof(*info));
    return driver_health;
}
void program_report_fault(const char *name, const struct thread_info *info)
{
    (void)info;
    log_line("%s: fault", name);
}
static const char *enough(uint64_t quota)
{
    return quota ? NULL : "none";
}

#include "manager/physmem.c"
#include "manager/channel.c"
#include "manager/ahci_calls.c"
#define count controller_count
#include "manager/ahci.c"
#undef count

#define SECOND 1000000000ull
static struct utcb utcb;

static void begin(void)
{
    static const struct ahci_setup with = {5, 6, enough};
    controller_count = 0;
    memset(ranges, 0, sizeof(ranges));
    range_count = block_count = pool_used = 0;
    extents = pool_free = NULL;
    physmem_add(6, 16ull << 20, 64ull << 20, 0);
    physmem_add(7, 8ull << 30, 8ull << 20, 0);
    memset(sent_bits, 0, sizeof(sent_bits));
    reachable_count = 0;
    now_tsc = SECOND;
    logged[0] = 0;
    spawned = ended = 0;
    spawn_why = NULL;
    ended_while_mastering = mastering = false;
    driver_health = PROGRAM_RUNS;
    has_driver = true;
    dma_kind = DMA_VTD;
    device_count = 1;
    devices[0] = (struct pci_device){.id = {0xfa}, .class_code = PCI_CLASS_AHCI};
    devices[0].bar[5] =
        (struct pci_bar){.base = 0xfebd1800, .size = 0x1000, .kind = PCI_BAR_MEMORY};
    setup = with;
}

static void start_all(void)
{
    const struct ahci_setup with = setup;
    ahci_start(&with);
    if (controller_count)
        controllers[0].status = (const struct ahci_status *)status_page;
}

static uint64_t driver_says(uint64_t event)
{
    utcb.mr[0] = event;
    ahci_serve(&controllers[0], &utcb, 1);
    return utcb.mr[0];
}

TEST(driver_is_given_what_it_needs)
{
    begin();
    start_all();
    CHECK_EQ(spawned, 1);
    CHECK_EQ(last_config.abar_offset, 0x800);
    CHECK_EQ(last_config.abar_size, 0x1000);
    CHECK(!strcmp(last_config.address, "0000:00:1f.2"));
    CHECK(last_config.dma_base && last_config.dma_base + AHCI_DMA_BYTES <= LOW_MEMORY_END);
    CHECK_EQ(reachable_count, 1); /* its own memory, at its physical address, and no more */
    CHECK_EQ(reachable[0].address, last_config.dma_base);
    CHECK_EQ(reachable[0].size, AHCI_DMA_BYTES);
    CHECK(!mastering && !strstr(logged, "no IOMMU"));
    CHECK_EQ(driver_says(AHCI_EVENT_RESET), OK);
    CHECK(mastering);
    CHECK(ahci_by_badge(AHCI_BADGE) == &controllers[0] && !ahci_by_badge(AHCI_BADGE + 1));
    CHECK(!ahci_by_badge(1));
}

TEST(no_iommu_is_said_once)
{
    begin();
    dma_kind = DMA_OPEN;
    start_all();
    char *first = strstr(logged, "no IOMMU");
    CHECK(first && !strstr(first + 1, "no IOMMU"));
}

TEST(controllers_that_cannot_be_used)
{
    begin();
    has_driver = false;
    start_all();
    CHECK(!ahci_count() && strstr(logged, "no driver for AHCI") && ahci_settled());
    begin();
    devices[0].bar[5].base = 0;
    start_all();
    CHECK(!ahci_count() && strstr(logged, "ahci 0000:00:1f.2: left out: firmware has given"));
    begin();
    devices[0].bar[5].base = 0x1000;
    start_all();
    CHECK(!ahci_count() && strstr(logged, "do not lie in device memory"));
    begin();
    devices[0].id.v = 0xfb;
    start_all();
    CHECK(!ahci_count() && strstr(logged, "its DMA cannot be confined"));
    begin();
    devices[0].class_code = 0x010802;
    start_all();
    CHECK(!ahci_count() && !logged[0]);
}

TEST(dead_driver_is_started_again)
{
    begin();
    start_all();
    driver_says(AHCI_EVENT_RESET);
    driver_says(AHCI_EVENT_DISKS);
    CHECK(ahci_settled());
    now_tsc += 5 * SECOND;
    driver_health = PROGRAM_FAULTED;
    ahci_tick(now_tsc);
    CHECK(ended == 1 && spawned == 2 && !ended_while_mastering && !mastering);
    CHECK_EQ(last_config.restarts, 1);
    CHECK(strstr(logged, "ahci:0000:00:1f.2: fault"));
    CHECK(!ahci_settled());
    /* It dies at once, again and again: the pauses double. */
    uint64_t last = 0;
    for (int i = 0; i < 12; i++) {
        uint64_t at = ahci_tick(now_tsc);
        CHECK(at > now_tsc && at - now_tsc >= last && at - now_tsc <= RETRY_LAST_NS);
        last = at - now_tsc;
        now_tsc = at;
        ahci_tick(now_tsc);
    }
    CHECK_EQ(last, RETRY_LAST_NS);
    CHECK(!ended_while_mastering);
    driver_health = PROGRAM_RUNS;
}

TEST(driver_that_cannot_be_spawned)
{
    begin();
    spawn_why = "no luck";
    start_all();
    CHECK(strstr(logged, "not started: no luck"));
    uint64_t at = ahci_tick(now_tsc);
    CHECK(at > now_tsc);
    spawn_why = NULL;
    now_tsc = at;
    ahci_tick(now_tsc);
    CHECK_EQ(spawned, 1);
}

TEST(driver_that_hangs)
{
    begin();
    start_all();
    uint64_t at = ahci_tick(now_tsc);
    CHECK_EQ(at, now_tsc + FIRST_ANSWER_NS);
    driver_says(AHCI_EVENT_RESET);
    driver_says(AHCI_EVENT_DISKS);
    CHECK_EQ(ahci_tick(now_tsc), 0); /* nothing is expected of it */
    now_tsc += 1000 * SECOND;
    ahci_tick(now_tsc);
    CHECK_EQ(ended, 0);
    ahci_job(&controllers[0]);
    CHECK(sent_bits[controllers[0].notif] & AHCI_BIT_JOB);
    driver_says(AHCI_EVENT_NEXT);
    CHECK_EQ(utcb.mr[1], AHCI_JOB_NONE);
    CHECK_EQ(ahci_tick(now_tsc), 0);
    ahci_job(&controllers[0]);
    now_tsc += ANSWER_NS;
    ahci_tick(now_tsc);
    CHECK(ended == 1 && spawned == 2 && strstr(logged, "does not answer"));
}

TEST(stop)
{
    begin();
    start_all();
    driver_says(AHCI_EVENT_DISKS);
    ahci_stop();
    CHECK(sent_bits[controllers[0].notif] & AHCI_BIT_STOP);
    CHECK(!ahci_stopped());
    driver_says(AHCI_EVENT_NEXT); /* does not end the wait */
    CHECK(!ahci_stopped() && ahci_tick(now_tsc));
    driver_says(AHCI_EVENT_STOPPED);
    CHECK(ahci_stopped());
    driver_health = PROGRAM_ENDED;
    ahci_tick(now_tsc);
    CHECK(spawned == 1 && ahci_stopped() && !strstr(logged, "started again"));
    /* One that dies over it keeps nobody waiting. */
    begin();
    start_all();
    ahci_stop();
    driver_health = PROGRAM_FAULTED;
    ahci_tick(now_tsc);
    CHECK(ahci_stopped() && spawned == 1);
}
