/* SPDX-License-Identifier: BSD-2-Clause */
/* Start, features, configuration and interrupts. */
#include "drivers/nic/virtio/virtio.h"

#include <string.h>
#include "user/frame.h"
#include "user/random.h"

#define RESET_TRIES 10000u /* of 100 microseconds */
#define READ_TRIES  100u
#define TX_SIZE_MIN (NIC_TX_PARTS + 1)
#define ISR_QUEUE   1u
#define ISR_CONFIG  2u
#define MULTICAST   1u
#define LOCAL       2u

static uint32_t common(const struct nic *nic, uint32_t reg)
{
    return nic->config->virtio.common + reg;
}

static uint8_t get_status(const struct nic *nic)
{
    return nic_read8(nic, common(nic, DEVICE_STATUS));
}

static void add_status(const struct nic *nic, uint8_t bits)
{
    nic_write8(nic, common(nic, DEVICE_STATUS), get_status(nic) | bits);
}

static const char *reset_device(const struct nic *nic)
{
    nic_write8(nic, common(nic, DEVICE_STATUS), 0);
    for (uint32_t i = 0; get_status(nic) != 0; i++) {
        if (i == RESET_TRIES)
            return "its reset does not end";
        nic_sleep(nic, 100);
    }
    return NULL;
}

static uint64_t offered(const struct nic *nic)
{
    nic_write32(nic, common(nic, DEVICE_FEATURE_SELECT), 0);
    uint64_t low = nic_read32(nic, common(nic, DEVICE_FEATURE));
    nic_write32(nic, common(nic, DEVICE_FEATURE_SELECT), 1);
    return low | (uint64_t)nic_read32(nic, common(nic, DEVICE_FEATURE)) << 32;
}

/* Features that stand on others are taken with these only ("Feature bit requirements"). */
static uint64_t choose(uint64_t features)
{
    const uint64_t known = F_CSUM | F_GUEST_CSUM | F_MTU | F_MAC | F_GUEST_TSO4 | F_GUEST_TSO6 |
                           F_GUEST_ECN | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN | F_MRG_RXBUF |
                           F_STATUS | F_CTRL_VQ | F_CTRL_RX | F_MQ | F_EVENT_IDX | F_VERSION_1 |
                           F_PLATFORM | F_HOST_USO | F_SPEED;
    features &= known;
    if (!(features & F_CSUM))
        features &= ~(F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN | F_HOST_USO);
    if (!(features & (F_HOST_TSO4 | F_HOST_TSO6)))
        features &= ~F_HOST_ECN;
    if (!(features & F_GUEST_CSUM) || !(features & F_MRG_RXBUF))
        features &= ~(F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN);
    if (!(features & (F_GUEST_TSO4 | F_GUEST_TSO6)))
        features &= ~F_GUEST_ECN;
    if (!(features & F_CTRL_VQ))
        features &= ~(F_CTRL_RX | F_MQ);
    return features;
}

static const char *negotiate(struct nic *nic)
{
    uint64_t f = choose(offered(nic));
    if (!(f & F_VERSION_1))
        return "it speaks no virtio 1.x";
    nic->virtio_features = f;
    nic_write32(nic, common(nic, DRIVER_FEATURE_SELECT), 0);
    nic_write32(nic, common(nic, DRIVER_FEATURE), (uint32_t)f);
    nic_write32(nic, common(nic, DRIVER_FEATURE_SELECT), 1);
    nic_write32(nic, common(nic, DRIVER_FEATURE), (uint32_t)(f >> 32));
    add_status(nic, STATUS_FEATURES_OK);
    return get_status(nic) & STATUS_FEATURES_OK ? NULL : "it refuses its own features";
}

static const struct {
    uint64_t feature;
    uint32_t takes;
} offload[] = {{F_CSUM, FRAME_TAKES_CSUM},
               {F_HOST_TSO4, FRAME_TAKES_TCP4},
               {F_HOST_TSO6, FRAME_TAKES_TCP6},
               {F_HOST_ECN, FRAME_TAKES_ECN},
               {F_HOST_USO, FRAME_TAKES_UDP}};

/* Bytes of the device's configuration may change while they are read. */
static void read_mac(struct nic *nic)
{
    const struct nic_virtio *v = &nic->config->virtio;
    for (uint32_t i = 0; i < READ_TRIES; i++) {
        uint8_t before = nic_read8(nic, common(nic, CONFIG_GENERATION));
        for (uint32_t k = 0; k < 6; k++)
            nic->mac[k] = nic_read8(nic, v->device + NET_MAC + k);
        if (nic_read8(nic, common(nic, CONFIG_GENERATION)) == before)
            break;
    }
}

static const char *find_out(struct nic *nic)
{
    const struct nic_virtio *v = &nic->config->virtio;
    nic->takes = 0;
    for (uint32_t i = 0; i < sizeof(offload) / sizeof(offload[0]); i++)
        nic->takes |= virtio_has(nic, offload[i].feature) ? offload[i].takes : 0;
    nic->mtu = FRAME_MTU_MAX - 1;
    if (virtio_has(nic, F_MTU))
        nic->mtu = nic_read16(nic, v->device + NET_MTU);
    if (nic->mtu < FRAME_MTU_MIN)
        return "its MTU is impossible";
    nic->pairs = 1;
    if (virtio_has(nic, F_MQ) && nic_read16(nic, v->device + NET_MAX_PAIRS) >= NIC_PAIRS)
        nic->pairs = NIC_PAIRS;
    if (virtio_has(nic, F_MAC)) {
        read_mac(nic);
    } else if (!(nic->mac[0] & LOCAL)) {
        random_bytes(nic->mac, sizeof(nic->mac));
        nic->mac[0] = (uint8_t)((nic->mac[0] & ~MULTICAST) | LOCAL);
    }
    return nic->mac[0] & MULTICAST ? "its address is none of a station" : NULL;
}

static const char *reset(struct nic *nic)
{
    static struct nic_virtio_queue queues[NIC_PAIRS];
    const struct nic_virtio *v = &nic->config->virtio;
    if (v->common_size < COMMON_SIZE || v->device_size < NET_DUPLEX + 1u)
        return "its structures are too small";
    const char *why = reset_device(nic);
    if (why)
        return why;
    for (uint32_t i = 0; i < NIC_PAIRS; i++)
        nic->queue[i].virtio = &queues[i];
    add_status(nic, STATUS_ACKNOWLEDGE);
    add_status(nic, STATUS_DRIVER);
    why = negotiate(nic);
    return why ? why : find_out(nic);
}

static const char *start_pair(struct nic_queue *q)
{
    struct nic *nic = q->nic;
    struct nic_virtio_queue *v = q->virtio;
    struct virtio_memory *m = virtio_memory(q);
    uint32_t vector = nic->config->irq_messages ? q->index : NO_VECTOR;
    virtio_clear(q);
    v->rx_size = virtio_set_queue(nic, 2 * q->index, &m->rx, NIC_RING, vector, &v->rx_bell);
    v->tx_size = virtio_set_queue(nic, 2 * q->index + 1, &m->tx, NIC_RING, vector, &v->tx_bell);
    if (!v->rx_size || v->tx_size < TX_SIZE_MIN)
        return "its queues cannot be used";
    q->rx_size = v->rx_size;
    for (uint32_t i = 0; i < v->rx_size; i++)
        v->free[v->free_count++] = (uint16_t)(v->rx_size - 1 - i);
    return NULL;
}

static const char *start(struct nic *nic)
{
    const char *why = NULL;
    for (uint32_t i = 0; i < nic->active && !why; i++)
        why = start_pair(&nic->queue[i]);
    if (!why)
        why = virtio_set_control(nic);
    if (why)
        return why;
    if (nic->config->irq_messages)
        nic_write16(nic, common(nic, CONFIG_MSIX_VECTOR), (uint16_t)(nic->config->irqs - 1));
    add_status(nic, STATUS_DRIVER_OK);
    return virtio_set_pairs(nic, nic->active);
}

static uint32_t look_at_config(struct nic *nic)
{
    uint8_t status = get_status(nic);
    if (status == UINT8_MAX)
        return NIC_CAUSE_GONE;
    if (status & STATUS_NEEDS_RESET)
        nic_distrust(nic, "it asks for a reset");
    return NIC_CAUSE_LINK;
}

static uint32_t interrupt(struct nic *nic, uint32_t vector)
{
    if (nic->config->irq_messages)
        return vector + 1 == nic->config->irqs ? look_at_config(nic) : NIC_CAUSE_RINGS;
    uint8_t isr = nic_read8(nic, nic->config->virtio.isr);
    if (isr == UINT8_MAX)
        return NIC_CAUSE_GONE;
    return (isr & ISR_QUEUE ? NIC_CAUSE_RINGS : 0) | (isr & ISR_CONFIG ? look_at_config(nic) : 0);
}

static bool arm(struct nic *nic)
{
    bool more = false;
    for (uint32_t i = 0; nic->running && i < nic->active; i++) {
        struct nic_queue *q = &nic->queue[i];
        const struct virtq rx = virtio_rx(q), tx = virtio_tx(q);
        more |= virtio_want(nic, &rx, q->virtio->rx_seen, true);
        more |= virtio_want(nic, &tx, q->virtio->tx_seen, q->tx_head != q->tx_tail);
    }
    return more;
}

static void read_link(struct nic *nic, struct nic_link *link)
{
    const struct nic_virtio *v = &nic->config->virtio;
    link->up = true;
    link->full_duplex = true;
    if (virtio_has(nic, F_STATUS))
        link->up = nic_read16(nic, v->device + NET_STATUS) & NET_LINK_UP;
    if (!virtio_has(nic, F_SPEED))
        return;
    uint32_t speed = nic_read32(nic, v->device + NET_SPEED);
    link->speed = speed > INT32_MAX ? 0 : speed;
    link->full_duplex = nic_read8(nic, v->device + NET_DUPLEX) == 1;
}

static void count(struct nic *nic)
{
    (void)nic; /* the device counts nothing */
}

const struct nic_chip nic_virtio = {
    .reset = reset,
    .start = start,
    .filter = virtio_filter,
    .interrupt = interrupt,
    .arm = arm,
    .link = read_link,
    .count = count,
    .fill = virtio_fill,
    .fill_bell = virtio_fill_bell,
    .receive = virtio_receive,
    .transmit = virtio_transmit,
    .transmit_bell = virtio_transmit_bell,
    .reap = virtio_reap,
};
