/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of AHCI drivers over faked system calls and a faked spawner: what they are given, in
 * which order a dead one's controller is silenced, when the next one starts. */
#include "tests/unit/fake/driver_life.h"

static uint64_t dma_kind;
static uint8_t status_page[1 << 16];
static int64_t sys_device_create(uint32_t dst, uint32_t machine, uint32_t pd, uint32_t requester,
                                 uint32_t count, uint64_t *kind)
{
    (void)dst, (void)machine, (void)pd, (void)count;
    *kind = dma_kind;
    return requester == 0xfa ? 0 : -1;
}

#include "manager/host/numa.c"
#include "manager/host/physmem.c"
#include "manager/storage/channel.c"
#include "manager/life.c"
#include "manager/storage/ahci_calls.c"
#define count controller_count
#include "manager/storage/ahci.c"
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
    health = PROGRAM_RUNS;
    has_driver = true;
    driver_name = "ahci";
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
    CHECK_EQ(((const struct ahci_config *)last_config)->abar_offset, 0x800);
    CHECK_EQ(((const struct ahci_config *)last_config)->abar_size, 0x1000);
    CHECK(!strcmp(((const struct ahci_config *)last_config)->address, "0000:00:1f.2"));
    CHECK(((const struct ahci_config *)last_config)->dma_base &&
          ((const struct ahci_config *)last_config)->dma_base + AHCI_DMA_BYTES <= LOW_MEMORY_END);
    CHECK_EQ(reachable_count, 1); /* its own memory, at its physical address, and no more */
    CHECK_EQ(reachable[0].address, ((const struct ahci_config *)last_config)->dma_base);
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
    health = PROGRAM_FAULTED;
    ahci_tick(now_tsc);
    CHECK(ended == 1 && spawned == 2 && !ended_while_mastering && !mastering);
    CHECK_EQ(((const struct ahci_config *)last_config)->restarts, 1);
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
    health = PROGRAM_RUNS;
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
    for (int i = 0; i < 10; i++) { /* it is asked now and then, and answers */
        CHECK_EQ(ahci_tick(now_tsc), now_tsc + ANSWER_NS);
        CHECK(sent_bits[controllers[0].notif] & AHCI_BIT_JOB);
        driver_says(AHCI_EVENT_NEXT);
        CHECK_EQ(utcb.mr[1], AHCI_JOB_NONE);
        sent_bits[controllers[0].notif] = 0;
        CHECK_EQ(ahci_tick(now_tsc), now_tsc + ASK_NS);
        CHECK(!sent_bits[controllers[0].notif]);
        now_tsc += ASK_NS;
    }
    CHECK_EQ(ended, 0);
    ahci_job(&controllers[0]);
    CHECK(sent_bits[controllers[0].notif] & AHCI_BIT_JOB);
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
    health = PROGRAM_ENDED;
    ahci_tick(now_tsc);
    CHECK(spawned == 1 && ahci_stopped() && !strstr(logged, "started again"));
    /* One that dies over it keeps nobody waiting. */
    begin();
    start_all();
    ahci_stop();
    health = PROGRAM_FAULTED;
    ahci_tick(now_tsc);
    CHECK(ahci_stopped() && spawned == 1);
}
