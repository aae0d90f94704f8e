/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile virtio network device: used rings, headers and registers hold what the script says. */
#include "tests/unit/nic_virtio_sim.h"
#include "user/frame_owner.c"
#include "drivers/nic/pool.c"
#include "drivers/nic/offload.c"
#include "drivers/nic/receive.c"
#include "drivers/nic/transmit.c"
#include "drivers/nic/nic.c"
#include "drivers/nic/virtio/control.c"
#include "drivers/nic/virtio/queue.c"
#include "drivers/nic/virtio/traffic.c"
#include "drivers/nic/virtio/virtio.c"
#include "tests/fuzz/nic_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Buffers of frames, most of them ones that the device was given. */
static void hostile_arrival(struct script *s)
{
    struct sim_queue *q = &sim.queue[2 * (draw(s, 1) % card.active)];
    for (uint32_t n = draw(s, 1) % 16; n && q->enabled; n--) {
        uint32_t how = draw(s, 1);
        uint32_t id = how & 1 ? draw(s, 2) : sim_buffer(q);
        uint32_t length = how & 2 ? draw(s, 4) : draw(s, 2) % (NIC_RX_BUFFER + 1);
        uint8_t *at =
            !(how & 1) && id < 256 ? world_memory(sim_desc(q, id)->addr, NET_HEADER) : NULL;
        for (uint32_t i = 0; at && how & 4 && i < NET_HEADER; i++)
            at[i] = (uint8_t)draw(s, 1);
        if (at && !(how & 4)) {
            memset(at, 0, NET_HEADER);
            at[10] = (uint8_t)(how >> 4 & 3);
        }
        sim_use(q, id, length);
    }
}

static void hostile_sent(struct script *s)
{
    struct sim_queue *q = &sim.queue[2 * (draw(s, 1) % card.active) + 1];
    for (uint32_t n = draw(s, 1) % 32; n && q->enabled; n--) {
        uint32_t how = draw(s, 1);
        if (how & 1)
            sim_use(q, draw(s, 1), draw(s, 4));
        else if (sim_waiting(q))
            sim_use(q, sim_next(q), 0);
    }
    if (draw(s, 1) == 1 && q->enabled)
        *sim_word(q->device + 2) = (uint16_t)draw(s, 2);
}

static void hostile_registers(struct script *s)
{
    sim.device[draw(s, 1) % sizeof(sim.device)] = (uint8_t)draw(s, 1);
    sim.device[NET_MAX_PAIRS] = 2; /* or the control queue is one that this model lacks */
    sim.device[NET_MAX_PAIRS + 1] = 0;
    sim.status |= draw(s, 1) & 0x40u;
}

static void hostile_cause(struct script *s)
{
    (void)s; /* the vector is all that there is */
}

static const struct hostile_chip chip = {hostile_arrival, hostile_sent, hostile_registers,
                                         hostile_cause};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, data + size};
    uint64_t features = F_VERSION_1;
    uint32_t bits = draw(&s, 4);
    sim_init(features | bits, NIC_PAIRS);
    sim.hangs = true;
    if (world_open() || !card.running)
        return 0;
    while (s.at < s.end && hostile_step(&s, &chip))
        ;
    return 0;
}
