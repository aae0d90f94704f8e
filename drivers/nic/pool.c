/* SPDX-License-Identifier: BSD-2-Clause */
/* Buffers of a queue that are nowhere else. */
#include "drivers/nic/nic.h"

void nic_pool_reset(struct nic_queue *q)
{
    /* The lowest lie on top: what is used most stays in the cache. */
    for (uint32_t i = 0; i < NIC_RX_BUFFERS; i++)
        q->rx_stack[i] = (uint16_t)(NIC_RX_BUFFERS - 1 - i);
    for (uint32_t i = 0; i < NIC_TX_BUFFERS; i++)
        q->tx_stack[i] = (uint16_t)(NIC_TX_BUFFERS - 1 - i);
    q->rx_free = NIC_RX_BUFFERS;
    q->tx_free = NIC_TX_BUFFERS;
}

uint32_t nic_rx_get(struct nic_queue *q)
{
    return q->rx_free ? q->rx_stack[--q->rx_free] : NIC_NONE;
}

void nic_rx_put(struct nic_queue *q, uint32_t buffer)
{
    q->rx_stack[q->rx_free++] = (uint16_t)buffer;
}

uint32_t nic_tx_get(struct nic_queue *q)
{
    return q->tx_free ? q->tx_stack[--q->tx_free] : NIC_NONE;
}

void nic_tx_put(struct nic_queue *q, uint32_t buffer)
{
    q->tx_stack[q->tx_free++] = (uint16_t)buffer;
}
