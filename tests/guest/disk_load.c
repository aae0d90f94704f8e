/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads blocks of 4 KiB all over its first disk, and never stops: at most 16 at a time, or 8 if its
 * command line says "shallow". Looks every few milliseconds which have ended. */
#include "lib/virtio.h"

#define VECTOR     0x58u
#define QUEUE_SIZE 64u
#define DEPTH      16u
#define SHALLOW    8u
#define BLOCK      4096u
#define SECTORS    (BLOCK / 512u)
#define PAUSE_TSC  4000000u

static volatile struct {
    struct descriptor table[QUEUE_SIZE];
    uint16_t available[4 + QUEUE_SIZE] __attribute__((aligned(16)));
    uint16_t used[4 + QUEUE_SIZE * 4] __attribute__((aligned(16)));
} queue __attribute__((aligned(4096)));
static volatile struct {
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status;
} request[DEPTH] __attribute__((aligned(16)));
static uint8_t buffer[DEPTH][BLOCK] __attribute__((aligned(4096)));
static uint32_t blocks, random = 0x2545f491u;

static void describe(uint32_t index, volatile void *address, uint32_t length, uint16_t flags)
{
    queue.table[index].address = (uint64_t)address;
    queue.table[index].length = length;
    queue.table[index].flags = flags;
    queue.table[index].next = (uint16_t)(index + 1);
}

/* Request i has descriptors 3i to 3i + 2. */
static void offer(uint32_t i)
{
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    request[i].sector = (uint64_t)(random % blocks) * SECTORS;
    describe(3 * i, &request[i], 16, DESCRIPTOR_NEXT);
    describe(3 * i + 1, buffer[i], BLOCK, DESCRIPTOR_NEXT | DESCRIPTOR_WRITE);
    describe(3 * i + 2, &request[i].status, 1, DESCRIPTOR_WRITE);
    queue.available[2 + queue.available[1] % QUEUE_SIZE] = (uint16_t)(3 * i);
    __asm__ volatile("" ::: "memory");
    queue.available[1] = (uint16_t)(queue.available[1] + 1);
}

static void rest(void)
{
    uint32_t before = irq_count[VECTOR];
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + PAUSE_TSC);
    while (irq_count[VECTOR] == before)
        wait_for_interrupt();
}

static void work(const struct virtio_device *d, uint32_t depth)
{
    uint16_t seen = 0;
    for (uint32_t i = 0; i < depth; i++)
        offer(i);
    virtio_notify(d, 0);
    say("disk_load begins, %u blocks\n", blocks);
    for (;;) {
        bool more = false;
        for (; seen != queue.used[1]; seen++, more = true) {
            uint32_t i = queue.used[2 + seen % QUEUE_SIZE * 4] / 3u;
            if (request[i].status)
                say("not ok disk_load: status %u\n", request[i].status);
            offer(i);
        }
        if (more)
            virtio_notify(d, 0);
        rest();
    }
}

static bool find_disk(struct virtio_device *d)
{
    for (d->bdf = 0; d->bdf < 256; d->bdf++) {
        if (virtio_find(d) && pci_read(d->bdf, 0) >> 16 == VIRTIO_BLOCK)
            return true;
    }
    return false;
}

void guest_main(void)
{
    struct virtio_device d;
    pic_init(0xff, 0xff);
    apic_init(apic_has_x2());
    trap_set(VECTOR, irq_counted);
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
    check("disk_load.has_a_disk", find_disk(&d));
    virtio_negotiate(&d);
    virtio_set_queue(&d, 0, QUEUE_SIZE, queue.table, queue.available, queue.used);
    write8(d.common, COMMON_STATUS, STATUS_DRIVER_OK);
    blocks = *(volatile uint32_t *)d.config / SECTORS;
    check("disk_load.has_blocks", blocks);
    work(&d, guest_has_word("shallow") ? SHALLOW : DEPTH);
}
