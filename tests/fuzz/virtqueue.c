/* SPDX-License-Identifier: BSD-2-Clause */
/* A hostile driver: the input is what it puts into the rings, descriptors and indirect tables of
 * one device, with kicks in between. Four bytes of header (device, features), then records of eight
 * bytes: place (2), what (2), value (4). */
#include "../unit/vmm_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void step(struct driver *d, const uint8_t *s)
{
    unsigned place = s[0] | (unsigned)s[1] << 8, queue = s[2] % 3;
    uint32_t value;
    memcpy(&value, s + 4, 4);
    switch (s[2] >> 2 & 7u) {
    case 0: /* anywhere in the queue's pages */
        memcpy(fake_ram + QUEUE_AT(queue) + place % 0x3ff0, &value, 4);
        break;
    case 1: /* a descriptor that is likely to be sound */
        set_desc(QUEUE_AT(queue), place % 8, DATA_AT + (value & 0xffffu), value >> 16, s[3], s[1]);
        break;
    case 2:
        set_desc(QUEUE_AT(queue) + 0x3000, place % 8, value, s[3], s[1] & 7u, s[0]);
        break;
    case 3:
        set_desc(QUEUE_AT(queue), place % 8, QUEUE_AT(queue) + 0x3000, 16 * (value % 16), 4, 0);
        break;
    case 4:
        offer(d, queue, place % 9);
        break;
    case 5:
        fake_type("input");
        fake_ring.room = place;
        machine_hvc_event(&vm);
        fake_advance(value % NS_PER_S);
        break;
    case 6:
        common_write(d, place % 64, 1u << s[3] % 3, value);
        break;
    default:
        kick(d, queue);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct driver d;
    if (size < 4)
        return 0;
    machine_start();
    driver_start(&d, 1 + data[0] % 3, (data[1] & 1u) << 28 | (data[1] & 2u) << 28, 3);
    for (size_t at = 4; at + 8 <= size && at < 8 * 512; at += 8)
        step(&d, data + at);
    return 0;
}
