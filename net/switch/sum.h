/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum (RFC 1071), over memory in pieces. */
#ifndef NET_SWITCH_SUM_H
#define NET_SWITCH_SUM_H

#include "net/switch/packet.h"

struct sum {
    uint64_t value; /* in the machine's byte order */
    bool odd;       /* an odd number of bytes so far */
};

void sum_add(struct sum *sum, const uint8_t *data, uint32_t bytes);
void sum_add_slice(struct sum *sum, struct slice slice);
/* The sum's two bytes as they stand in memory, not complemented. */
uint16_t sum_fold(const struct sum *sum);

#endif
