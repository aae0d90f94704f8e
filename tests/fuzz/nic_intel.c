/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile 82574: registers and descriptors hold what the script says. */
#include "drivers/nic/e1000e/e1000e.c"
#include "tests/unit/nic_intel_sim.h"
#include "user/frame_owner.c"
#include "drivers/nic/pool.c"
#include "drivers/nic/offload.c"
#include "drivers/nic/receive.c"
#include "drivers/nic/transmit.c"
#include "drivers/nic/nic.c"
#include "drivers/nic/intel/eeprom.c"
#include "drivers/nic/intel/filter.c"
#include "drivers/nic/intel/interrupt.c"
#include "drivers/nic/intel/link.c"
#include "drivers/nic/intel/receive.c"
#include "drivers/nic/intel/reset.c"
#include "drivers/nic/intel/statistics.c"
#include "drivers/nic/intel/transmit.c"
#include "tests/fuzz/nic_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Buffers that have come in, as the script says: most are right. */
static void hostile_arrival(struct script *s)
{
    struct nic_queue *q = &card.queue[draw(s, 1) % NIC_PAIRS];
    for (uint32_t n = draw(s, 1) % 16; n; n--) {
        uint32_t how = draw(s, 1), at = (q->rx_head + n - 1) % NIC_RING;
        uint32_t length = how & 0x80 ? draw(s, 2) : draw(s, 1) * 8u;
        uint64_t high = 1u | (how & 2u) | (uint64_t)length << 32;
        if (how & 4)
            high |= (uint64_t)draw(s, 4) << (how & 8 ? 32 : 0);
        struct intel_descriptor *d = (struct intel_descriptor *)q->rings + at;
        *d = (struct intel_descriptor){how & 16 ? draw(s, 4) : 0, high};
    }
}

/* Transmit descriptors that are done, in whatever order; or any bytes of the rings. */
static void hostile_rings(struct script *s)
{
    struct nic_queue *q = &card.queue[draw(s, 1) % NIC_PAIRS];
    struct intel_descriptor *tx = (struct intel_descriptor *)q->rings + NIC_RING;
    uint32_t n = draw(s, 1) % 32;
    if (n & 1) {
        uint32_t at = draw(s, 2) % (2 * NIC_RING * 16 - 32);
        for (uint32_t i = 0; i < n; i++)
            q->rings[at + i] = (uint8_t)draw(s, 1);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        tx[(q->tx_head + i) % NIC_RING].high |= 1ull << 32;
}

static void hostile_registers(struct script *s)
{
    uint32_t reg = draw(s, 2) * 4;
    *sim_reg(reg % (SIM_WORDS * 4)) = draw(s, 4);
    sim.link = reg & 4;
}

static void hostile_cause(struct script *s)
{
    *sim_reg(ICR) = draw(s, 4);
}

static const struct hostile_chip chip = {hostile_arrival, hostile_rings, hostile_registers,
                                         hostile_cause};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s = {data, data + size};
    sim_init(&nic_e1000e, SIM_EXTENDED, NIC_PAIRS);
    sim.hangs = true; /* what it sends, and that it is done with it, the script says */
    if (world_open())
        abort();
    while (s.at < s.end && hostile_step(&s, &chip))
        ;
    return 0;
}
