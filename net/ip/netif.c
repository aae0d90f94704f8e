/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/netif.h"

#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/pbuf.h>
#include <lwip_hooks.h>
#include <netif/ethernet.h>
#include <string.h>
#include "net/ip/config.h"
#include "user/frame_owner.h"

#define BATCH       16u
#define FRAME_MIN   14u /* Ethernet header */
#define NO_BUFFER   UINT16_MAX
#define MTU_MIN_IP6 1280u

static struct netif interface;
static struct frame_owner owner;
static struct frame_offer offer;
static uint8_t *area;
static bool is_ready;
/* Which buffer an entry names, by its posting number. */
static uint16_t receive_buffer[FRAME_ENTRIES], send_buffer[FRAME_ENTRIES];
static uint16_t free_send[IP_SEND];
static uint32_t free_count;
static struct hostif_counts counts;
static ip6_addr_t gateway6;
static bool has_gateway6;

static struct frame_owner_ring *receive_ring(void)
{
    return &owner.receive[0];
}

static struct frame_owner_ring *send_ring(void)
{
    return &owner.send[0];
}

static bool post(struct frame_owner_ring *ring, uint16_t *table, uint16_t buffer, uint32_t length)
{
    const struct frame_entry entry = {.offset = (uint64_t)buffer * IP_BUFFER, .length = length};
    uint32_t index = ring->posted % FRAME_ENTRIES;
    if (!frame_owner_post(ring, &entry, 1))
        return false;
    table[index] = buffer;
    return true;
}

static void reclaim(void)
{
    struct frame_entry entry;
    uint32_t index;
    while (frame_owner_take(&owner, send_ring(), &entry, &index)) {
        if (send_buffer[index] != NO_BUFFER && free_count < IP_SEND)
            free_send[free_count++] = send_buffer[index];
        send_buffer[index] = NO_BUFFER;
    }
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    (void)netif;
    if (!is_ready || p->tot_len > IP_BUFFER) {
        counts.tx_dropped++;
        return ERR_IF;
    }
    if (!free_count)
        reclaim();
    if (!free_count) {
        counts.tx_dropped++;
        return ERR_BUF;
    }
    uint16_t buffer = free_send[free_count - 1];
    uint16_t length = pbuf_copy_partial(p, area + (uint64_t)buffer * IP_BUFFER, p->tot_len, 0);
    if (!post(send_ring(), send_buffer, buffer, length)) {
        counts.tx_dropped++;
        return ERR_BUF;
    }
    free_count--;
    return ERR_OK;
}

static err_t init(struct netif *netif)
{
    netif->name[0] = 'h';
    netif->name[1] = '0';
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = link_output;
    netif->mtu = IP_MTU;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, offer.mac, ETH_HWADDR_LEN);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
    return ERR_OK;
}

struct netif *hostif_start(const struct hostif_setup *setup)
{
    area = setup->area;
    offer = (struct frame_offer){.pairs = 1, .owner_mtu = IP_MTU};
    memcpy(offer.mac, setup->mac, sizeof(offer.mac));
    is_ready = false;
    counts = (struct hostif_counts){0};
    frame_owner_init(&owner, setup->channel, 1, setup->bell, setup->bell_bits);
    __atomic_store_n(&setup->channel->carrier, 1, __ATOMIC_RELAXED);
    /* All multicast: lwIP's groups are few, and it drops the others itself. */
    __atomic_store_n(&setup->channel->listens, FRAME_LISTENS_MULTICAST, __ATOMIC_RELAXED);
    frame_owner_reset(&owner, &offer);
    memset(&interface, 0, sizeof(interface));
    if (!netif_add(&interface, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4, NULL, init,
                   ethernet_input))
        return NULL;
    netif_set_default(&interface);
    netif_set_up(&interface);
    return &interface;
}

static void begin(void)
{
    is_ready = true;
    free_count = 0;
    for (uint16_t i = 0; i < IP_SEND; i++)
        free_send[free_count++] = (uint16_t)(IP_RECEIVE + i);
    for (uint16_t i = 0; i < IP_RECEIVE; i++)
        post(receive_ring(), receive_buffer, i, IP_BUFFER);
    frame_owner_ring_bell(&owner, receive_ring());
}

bool hostif_link(void)
{
    const struct frame_channel *channel = owner.channel;
    return is_ready && __atomic_load_n(&channel->link, __ATOMIC_RELAXED) == 1;
}

static void look_at_link(void)
{
    frame_owner_changed(&owner);
    uint32_t mtu = __atomic_load_n(&owner.channel->mtu, __ATOMIC_RELAXED);
    /* IPv6 has a least MTU; a network below it has no IPv6, and lwIP counts on it. */
    mtu = mtu > IP_MTU || !mtu ? IP_MTU : mtu < MTU_MIN_IP6 ? MTU_MIN_IP6 : mtu;
    if (interface.mtu != mtu) {
        interface.mtu = (u16_t)mtu;
        interface.mtu6 = (u16_t)mtu;
    }
    if (hostif_link() && !netif_is_link_up(&interface))
        netif_set_link_up(&interface);
    else if (!hostif_link() && netif_is_link_up(&interface))
        netif_set_link_down(&interface);
}

static void input(uint16_t buffer, uint32_t length)
{
    struct pbuf *p = NULL;
    if (length >= FRAME_MIN && length <= IP_BUFFER)
        p = pbuf_alloc(PBUF_RAW, (u16_t)length, PBUF_POOL);
    if (!p) {
        counts.rx_dropped++;
        return;
    }
    pbuf_take(p, area + (uint64_t)buffer * IP_BUFFER, (u16_t)length);
    if (interface.input(p, &interface) != ERR_OK)
        pbuf_free(p);
}

bool hostif_poll(void)
{
    struct frame_entry entry;
    uint32_t index, n = 0;
    if (!is_ready) {
        if (!frame_owner_ready(&owner))
            return false;
        begin();
    }
    look_at_link();
    reclaim();
    while (n < BATCH && frame_owner_take(&owner, receive_ring(), &entry, &index)) {
        uint16_t buffer = receive_buffer[index];
        n++;
        if (buffer == NO_BUFFER)
            continue;
        receive_buffer[index] = NO_BUFFER;
        input(buffer, entry.length);
        post(receive_ring(), receive_buffer, buffer, IP_BUFFER);
    }
    frame_owner_ring_bell(&owner, receive_ring());
    return n == BATCH;
}

void hostif_flush(void)
{
    if (is_ready)
        frame_owner_ring_bell(&owner, send_ring());
}

bool hostif_arm(void)
{
    if (!is_ready)
        return frame_owner_ready(&owner);
    /* Ended send entries are looked at when there is something to send. */
    return frame_owner_arm(receive_ring());
}

struct hostif_counts hostif_counts(void)
{
    counts.lies = owner.lies;
    return counts;
}

void hostif_set_gateway6(const ip6_addr_t *gateway)
{
    has_gateway6 = gateway != NULL;
    if (gateway)
        ip6_addr_copy(gateway6, *gateway);
}

const ip6_addr_t *netif_ip6_gateway(struct netif *netif, const ip6_addr_t *to)
{
    (void)to;
    return has_gateway6 && netif == &interface ? &gateway6 : NULL;
}
