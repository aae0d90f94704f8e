/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver that lies: garbage in every register of each virtio device, then queues with looping,
 * out-of-range and changing descriptors. Success is that this CPU still runs afterwards. */
#include "lib/virtio.h"

#define QUEUE_SIZE 8u
#define SPINS      4000000u

struct queue {
    struct descriptor table[QUEUE_SIZE];
    uint16_t available[4 + QUEUE_SIZE] __attribute__((aligned(16)));
    uint16_t used[4 + QUEUE_SIZE * 4] __attribute__((aligned(16)));
};
static volatile struct queue queue __attribute__((aligned(4096)));
static uint8_t buffer[4096] __attribute__((aligned(4096)));
static uint32_t garbage = 0x2545f491u;

static uint32_t next(void)
{
    garbage ^= garbage << 13;
    garbage ^= garbage >> 17;
    garbage ^= garbage << 5;
    return garbage;
}

static void notify(const struct virtio_device *d, uint16_t value)
{
    if (d->notify)
        *(volatile uint16_t *)d->notify = value;
    else if (d->notify_port)
        outw((uint16_t)d->notify_port, value);
}

static void registers(const struct virtio_device *d)
{
    for (uint32_t round = 0; round < 4; round++)
        for (uint32_t offset = 0; offset < 64; offset++) {
            write8(d->common, offset, (uint8_t)next());
            write16(d->common, offset & ~1u, (uint16_t)next());
            *(volatile uint32_t *)(d->common + (offset & ~3u)) = next();
            (void)*(volatile uint8_t *)(d->common + offset);
            if (offset % 8 == 0)
                notify(d, (uint16_t)next());
        }
    write8(d->common, COMMON_STATUS, 0);
    for (uint32_t offset = 0; d->config && offset < 64; offset++)
        write8(d->config, offset, (uint8_t)next());
}

static void set_up(const struct virtio_device *d, uint16_t index)
{
    virtio_set_queue(d, index, QUEUE_SIZE, queue.table, queue.available, queue.used);
}

static void fill_descriptors(unsigned kind)
{
    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        volatile struct descriptor *t = &queue.table[i];
        t->address = (uint64_t)buffer;
        t->length = 64;
        t->flags = 1 | (i & 1 ? 2 : 0);
        t->next = (uint16_t)((i + 1) % QUEUE_SIZE); /* kind 0: a loop */
        if (kind == 1)
            t->address = (uint64_t)next() << 32 | next();
        if (kind == 2)
            t->length = 0xffffffffu;
        if (kind == 3)
            t->next = (uint16_t)next();
        if (kind == 4)
            t->flags = (uint16_t)next();
        if (kind == 5)
            t->address = 0xfee00000u;
        if (kind == 6)
            t->address = ~0ull - 16;
        if (kind == 7)
            t->address = 0xffffffffc0ull;
    }
}

static void queues(const struct virtio_device *d)
{
    for (unsigned kind = 0; kind < 9; kind++) {
        virtio_negotiate(d);
        for (uint16_t q = 0; q < 4; q++)
            set_up(d, q);
        write8(d->common, COMMON_STATUS, 15);
        fill_descriptors(kind);
        for (uint16_t i = 0; i < QUEUE_SIZE; i++)
            queue.available[2 + i] = kind == 8 ? (uint16_t)next() : i;
        queue.available[1] = kind == 8 ? 0x7777 : QUEUE_SIZE;
        for (uint16_t q = 0; q < 4; q++)
            virtio_notify(d, q);
        for (unsigned i = 0; i < 500; i++) { /* change it while it is read */
            queue.table[next() % QUEUE_SIZE].address = next();
            queue.table[next() % QUEUE_SIZE].next = (uint16_t)next();
            queue.available[1] = (uint16_t)(queue.available[1] + 1);
            if (i % 50 == 0)
                virtio_notify(d, (uint16_t)(i / 50 % 4));
        }
    }
    write8(d->common, COMMON_STATUS, 0);
}

/* Queue addresses outside memory, sizes that are no power of two. */
static void bad_queues(const struct virtio_device *d)
{
    static const uint64_t bad[] = {
        0, 1, 0xfee00000ull, 0xfffffffffffff000ull, 1ull << 52, 0xcfull << 40};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        virtio_negotiate(d);
        set_up(d, 0);
        write16(d->common, COMMON_QUEUE_SIZE, (uint16_t)(i * 3));
        write64(d->common, COMMON_QUEUE_DESC + 8 * (i % 3), bad[i]);
        write8(d->common, COMMON_STATUS, 15);
        notify(d, 0);
    }
    write8(d->common, COMMON_STATUS, 0);
}

/* --- the disk: requests that are well-formed but for one thing --- */

#define SECTOR       512u
#define NO_ANSWER    0xeeu
#define DISK_SECTORS 128u /* each filled with its number, see tests/guest/run */

static volatile struct {
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status;
} request __attribute__((aligned(16)));

static void restart(const struct virtio_device *d)
{
    virtio_negotiate(d);
    queue.available[0] = queue.available[1] = 0;
    queue.used[0] = queue.used[1] = 0;
    set_up(d, 0);
    write8(d->common, COMMON_STATUS, 15);
}

static void describe(uint16_t index, uint64_t address, uint32_t length, uint16_t flags)
{
    queue.table[index].address = address;
    queue.table[index].length = length;
    queue.table[index].flags = flags;
    queue.table[index].next = (uint16_t)(index + 1);
}

static void offer(const struct virtio_device *d)
{
    request.status = NO_ANSWER;
    queue.available[2 + queue.available[1] % QUEUE_SIZE] = 0;
    __asm__ volatile("" ::: "memory");
    queue.available[1] = (uint16_t)(queue.available[1] + 1);
    notify(d, 0);
}

/* Status, or NO_ANSWER. */
static uint8_t await(uint16_t used)
{
    for (uint32_t i = 0; i < SPINS && (uint16_t)queue.used[1] == used; i++)
        __asm__ volatile("pause");
    return request.status;
}

static uint8_t ask(const struct virtio_device *d, uint32_t type, uint64_t sector, uint64_t data,
                   uint32_t length)
{
    uint16_t used = queue.used[1];
    request.type = type;
    request.sector = sector;
    describe(0, (uint64_t)&request, 16, 1);
    describe(1, data, length, type == 0 || type == 8 ? 3 : 1);
    describe(2, (uint64_t)&request.status, 1, 2);
    offer(d);
    return await(used);
}

static bool reads_well(const struct virtio_device *d, uint8_t sector)
{
    if (ask(d, 0, sector, (uint64_t)buffer, SECTOR))
        return false;
    for (uint32_t i = 0; i < SECTOR; i++) {
        if (buffer[i] != sector)
            return false;
    }
    return true;
}

/* The header and the descriptors change while the device works. */
static bool moving_target(const struct virtio_device *d)
{
    restart(d);
    for (uint32_t i = 0; i < 40; i++) {
        uint16_t used = queue.used[1];
        request.type = next() % 16;
        request.sector = next() % (2 * DISK_SECTORS);
        describe(0, (uint64_t)&request, 16, 1);
        describe(1, (uint64_t)buffer, SECTOR, next() % 2 ? 3 : 1);
        describe(2, (uint64_t)&request.status, 1, 2);
        offer(d);
        for (uint32_t j = 0; j < 200 && (uint16_t)queue.used[1] == used; j++) {
            request.type = next() % 16;
            request.sector = next();
            queue.table[1].length = next() % 8192;
            queue.table[1].address = next();
        }
        uint8_t status = await(used);
        if (status > 2 && (uint16_t)queue.used[1] != used)
            return false;
        if ((uint16_t)queue.used[1] == used)
            restart(d);
    }
    restart(d);
    return reads_well(d, 9);
}

static void disk(const struct virtio_device *d)
{
    restart(d);
    check("hostile_virtio.disk_reads", reads_well(d, 5));
    check("hostile_virtio.disk_end", reads_well(d, DISK_SECTORS - 1));
    check("hostile_virtio.disk_beyond",
          ask(d, 0, DISK_SECTORS, (uint64_t)buffer, SECTOR) == 1 &&
              ask(d, 0, ~0ull, (uint64_t)buffer, SECTOR) == 1 &&
              ask(d, 0, DISK_SECTORS - 1, (uint64_t)buffer, 2 * SECTOR) == 1);
    check("hostile_virtio.disk_odd_size", ask(d, 0, 0, (uint64_t)buffer, 100) == 1);
    check("hostile_virtio.disk_unknown_request", ask(d, 0x4711, 0, (uint64_t)buffer, SECTOR) == 2);
    check("hostile_virtio.disk_read_only", ask(d, 1, 0, (uint64_t)buffer, SECTOR) == 1);
    check("hostile_virtio.disk_id", ask(d, 8, 0, (uint64_t)buffer, 20) == 0);
    ask(d, 0, 0, 0xcf00000000ull, SECTOR); /* where there is no memory */
    restart(d);
    ask(d, 0, 0, (uint64_t)buffer, 0xfffffe00u);
    restart(d);
    describe(0, (uint64_t)&request, 3, 0); /* no header, no status */
    offer(d);
    restart(d);
    check("hostile_virtio.disk_after_mistakes", reads_well(d, 7));
    check("hostile_virtio.disk_moving_target", moving_target(d));
    write8(d->common, COMMON_STATUS, 0);
}

/* --- the network card: frames that are well-formed but for one thing --- */

#define NET_ID   0x1041u
#define TRANSMIT 1u
#define HEADER   12u

/* Sends a frame of `length` bytes with its header; true: it was given back. */
static bool sends(const struct virtio_device *d, uint64_t address, uint32_t length, uint16_t flags)
{
    virtio_negotiate(d);
    queue.available[0] = queue.available[1] = 0;
    queue.used[0] = queue.used[1] = 0;
    set_up(d, TRANSMIT);
    write8(d->common, COMMON_STATUS, 15);
    describe(0, address, length, flags);
    queue.available[2] = 0;
    __asm__ volatile("" ::: "memory");
    queue.available[1] = 1;
    virtio_notify(d, TRANSMIT);
    for (uint32_t i = 0; i < SPINS && !(uint16_t)queue.used[1]; i++)
        __asm__ volatile("pause");
    return queue.used[1] == 1;
}

static void net(const struct virtio_device *d)
{
    for (uint32_t i = 0; i < sizeof buffer; i++)
        buffer[i] = i < HEADER ? 0 : i < HEADER + 6 ? 0xff : 2;
    check("hostile_virtio.net_sends", sends(d, (uint64_t)buffer, HEADER + 60, 0));
    check("hostile_virtio.net_longest", sends(d, (uint64_t)buffer, HEADER + 1514, 0));
    sends(d, (uint64_t)buffer, HEADER - 1, 0);  /* no header */
    sends(d, (uint64_t)buffer, HEADER + 60, 1); /* the table ends in its second descriptor */
    sends(d, (uint64_t)buffer, HEADER + 60, 2); /* to write into */
    sends(d, 0xcf00000000ull, HEADER + 60, 0);
    for (uint32_t i = 0; i < 40; i++) { /* any header */
        for (uint32_t j = 0; j < HEADER; j++)
            buffer[j] = (uint8_t)next();
        sends(d, (uint64_t)buffer, HEADER + next() % 2000, 0);
    }
    for (uint32_t i = 0; i < HEADER; i++)
        buffer[i] = 0;
    check("hostile_virtio.net_after_mistakes", sends(d, (uint64_t)buffer, HEADER + 60, 0));
    virtio_reset(d);
}

void guest_main(void)
{
    uint32_t devices = 0;
    for (uint32_t bdf = 0; bdf < 256; bdf++) {
        struct virtio_device d = {.bdf = bdf};
        if (!virtio_find(&d))
            continue;
        devices++;
        registers(&d);
        queues(&d);
        bad_queues(&d);
        if (pci_read(bdf, 0) >> 16 == VIRTIO_BLOCK)
            disk(&d);
        if (pci_read(bdf, 0) >> 16 == NET_ID)
            net(&d);
    }
    say("info %u virtio devices\n", devices);
    check("hostile_virtio.survived", true);
}
