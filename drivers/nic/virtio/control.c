/* SPDX-License-Identifier: BSD-2-Clause */
/* The control queue: one command at a time, waited for. */
#include "drivers/nic/virtio/virtio.h"

#include <string.h>

#define CLASS_RX      0u
#define RX_PROMISC    0u
#define RX_ALLMULTI   1u
#define CLASS_MAC     1u
#define MAC_TABLE_SET 0u
#define CLASS_MQ      4u
#define MQ_PAIRS_SET  0u
#define ACK_OK        0u
#define ACK_NONE      0xffu
#define COMMAND_TRIES 10000u /* of 100 microseconds */
#define MULTICAST     1u
#define COMMAND_MAX   512u

static uint32_t control_index(const struct nic *nic)
{
    uint32_t pairs = 1;
    if (virtio_has(nic, F_MQ))
        pairs = nic_read16(nic, nic->config->virtio.device + NET_MAX_PAIRS);
    return 2 * pairs;
}

/* False: it was refused, or not answered (then the chip is not trusted any more). */
static bool command(struct nic *nic, uint8_t class, uint8_t code, const void *data, uint32_t bytes)
{
    struct nic_queue *q = &nic->queue[0];
    struct virtio_memory *m = virtio_memory(q);
    struct nic_virtio_queue *v = q->virtio;
    volatile uint8_t *ack = &m->command[COMMAND_MAX];
    if (!v->control_size || bytes > COMMAND_MAX - 2)
        return false;
    m->command[0] = class;
    m->command[1] = code;
    memcpy(&m->command[2], data, bytes);
    *ack = ACK_NONE;
    const struct virtq queue = {&m->control, v->control_size, control_index(nic), v->control_bell};
    m->control.desc[0] = (struct virtq_desc){
        .addr = virtio_address(q, m->command), .len = bytes + 2, .flags = DESC_NEXT, .next = 1};
    m->control.desc[1] =
        (struct virtq_desc){.addr = virtio_address(q, ack), .len = 1, .flags = DESC_WRITE};
    m->control.avail[v->control_count % v->control_size] = 0;
    v->control_count++;
    virtio_show(nic, &queue, v->control_count - 1, v->control_count);
    for (uint32_t i = 0; virtio_used_idx(&m->control) != (uint16_t)v->control_count; i++) {
        if (i == COMMAND_TRIES) {
            nic_distrust(nic, "its control queue does not answer");
            return false;
        }
        nic_sleep(nic, 100);
    }
    return *ack == ACK_OK;
}

const char *virtio_set_control(struct nic *nic)
{
    struct nic_virtio_queue *v = nic->queue[0].virtio;
    if (!virtio_has(nic, F_CTRL_VQ))
        return NULL;
    v->control_size =
        virtio_set_queue(nic, control_index(nic), &virtio_memory(&nic->queue[0])->control, NIC_RING,
                         NO_VECTOR, &v->control_bell);
    return v->control_size ? NULL : "its control queue cannot be used";
}

const char *virtio_set_pairs(struct nic *nic, uint32_t pairs)
{
    uint16_t n = (uint16_t)pairs;
    if (pairs < 2 || command(nic, CLASS_MQ, MQ_PAIRS_SET, &n, sizeof(n)))
        return NULL;
    return "it refuses more than one pair of queues";
}

static void put_count(uint8_t *to, uint32_t n)
{
    memcpy(to, &n, sizeof(n));
}

/* Two lists, stations and groups, each with its count before it. */
static bool set_table(struct nic *nic)
{
    uint8_t table[8 + FRAME_MACS * 6];
    uint32_t at = 0;
    for (uint32_t pass = 0; pass < 2; pass++) {
        uint32_t count_at = at, n = 0;
        at += 4;
        for (uint32_t i = 0; i < nic->filter.macs; i++) {
            const uint8_t *mac = nic->filter.mac[i];
            if ((mac[0] & MULTICAST) != pass)
                continue;
            memcpy(&table[at], mac, 6);
            at += 6;
            n++;
        }
        put_count(&table[count_at], n);
    }
    return command(nic, CLASS_MAC, MAC_TABLE_SET, table, at);
}

void virtio_filter(struct nic *nic)
{
    uint8_t everything = nic->filter.everything != 0;
    uint8_t multicast = everything || nic->filter.all_multicast;
    if (!nic->running || !virtio_has(nic, F_CTRL_RX))
        return;
    if (!everything && !set_table(nic))
        everything = 1;
    command(nic, CLASS_RX, RX_PROMISC, &everything, 1);
    command(nic, CLASS_RX, RX_ALLMULTI, &multicast, 1);
}
