/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzz targets of NIC drivers share: a script of bytes, a hostile switch, and what must
 * hold whatever chip and switch say: no frame is posted outside of the pool, every buffer is in one
 * place, the driver comes to rest. */
#ifndef TESTS_FUZZ_NIC_SCRIPT_H
#define TESTS_FUZZ_NIC_SCRIPT_H

#include "tests/fuzz/script.h"
#include "tests/unit/nic_world.h"

/* A frame for the wire with headers that are right or not, described as the script says. */
static void give_frame(struct script *s)
{
    static struct frame f;
    uint32_t kind = draw(s, 1), pair = kind >> 7;
    make_frame(&f, draw(s, 2) % 66000 % (FRAME_BYTES_MAX - 100), kind & 1, kind & 2);
    if (kind & 4)
        f.flags = (uint16_t)draw(s, 2);
    else if (kind & 8)
        f.flags |= kind & 1 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
    f.gso_size = (uint16_t)draw(s, 2);
    if (kind & 16)
        f.csum_start = (uint16_t)draw(s, 2);
    if (kind & 32)
        f.csum_offset = (uint16_t)draw(s, 2);
    for (uint32_t n = kind & 64 ? draw(s, 1) % 8 : 0; n; n--) {
        uint32_t at = draw(s, 1) % 64;
        f.bytes[at] = (uint8_t)draw(s, 1);
    }
    const char *before = world.violation; /* what it gives into, the script may have spoilt */
    switch_give(pair % card.active, &f);
    world.violation = before;
}

/* The switch's words, and what lies in the channel. */
static void lie_in_channel(struct script *s)
{
    struct frame_pair *pair = &world.channel->pair[draw(s, 1) % NIC_PAIRS];
    uint32_t what = draw(s, 1), value = draw(s, 4);
    struct frame_entry *e = &pair->receive.entry[draw(s, 2) % FRAME_ENTRIES];
    switch (what % 8) {
    case 0:
        pair->receive.ended = value;
        break;
    case 1:
        pair->send.ended = value;
        break;
    case 2:
        e->length = value;
        break;
    case 3:
        e->buffers = (uint16_t)value;
        break;
    case 4:
        e->offset = value * 0x10001ull;
        break;
    case 5:
        world.channel->filter.macs = value % 64;
        world.channel->mtu = value;
        world.channel->filter.everything = value & 1;
        world.channel->generation++;
        break;
    case 6:
        world.channel->switch_epoch = value;
        break;
    default:
        pair->receive.ended = pair->receive.posted;
    }
}

static void look_at_frames(void)
{
    static struct frame f;
    for (uint32_t p = 0; p < card.active; p++) {
        while (switch_take(p, &f))
            ;
    }
}

/* False: the driver has given the chip up. */
static bool step(void)
{
    bool alive = !world_work();
    for (uint32_t p = 0; alive && card.running && p < card.active; p++) {
        if (!buffers_are_whole(&card.queue[p]))
            abort();
    }
    if (world.violation)
        abort();
    return alive;
}

/* What a chip can do of itself. */
struct hostile_chip {
    void (*arrival)(struct script *s); /* frames, right or not, lie in its receive buffers */
    void (*sent)(struct script *s);    /* it is done with what it sends, in whatever order */
    void (*registers)(struct script *s);
    void (*cause)(struct script *s); /* what its interrupt says */
};

static bool hostile_step(struct script *s, const struct hostile_chip *chip)
{
    switch (draw(s, 1) % 8) {
    case 0:
        chip->arrival(s);
        return true;
    case 1:
        chip->sent(s);
        return true;
    case 2:
        give_frame(s);
        return true;
    case 3:
        lie_in_channel(s);
        return true;
    case 4:
        chip->registers(s);
        return true;
    case 5:
        chip->cause(s);
        nic_interrupt(&card, draw(s, 1) % NIC_IRQS);
        return true;
    case 6:
        world.now += draw(s, 2) * NIC_MS;
        look_at_frames();
        return true;
    default:
        if (draw(s, 1) & 1)
            switch_follow();
        return step();
    }
}

#endif
