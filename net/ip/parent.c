/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/ip/parent.h"

#include <stdio.h>
#include <string.h>
#include "abi/map.h"
#include "abi/object.h"
#include "abi/status.h"
#include "manager/protocol.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

_Static_assert(MGR_PAYLOAD == IP_PAYLOAD, "one place for structures");

bool parent_call(uint32_t op, uint64_t a, uint64_t b, const char *name)
{
    struct utcb *utcb = utcb_self();
    uint64_t result, badge;
    memset(utcb->mr, 0, MGR_REQUEST * 8);
    utcb->mr[0] = op;
    utcb->mr[1] = a;
    utcb->mr[2] = b;
    if (name)
        snprintf((char *)&utcb->mr[MGR_PAYLOAD], MGR_NAME, "%s", name);
    int64_t status = sys_portal_call(SLOT_PARENT, MGR_REQUEST, 0, &result, &badge);
    return status == OK && (int64_t)utcb->mr[0] == OK;
}

uint64_t parent_number(uint32_t i)
{
    return utcb_self()->mr[i];
}

const void *parent_payload(void)
{
    return &utcb_self()->mr[IP_PAYLOAD];
}

void *parent_map(uint32_t slot, uint64_t va, uint64_t size, const char *what)
{
    return map_given(slot, va, size, MAP_READ | MAP_WRITE, what);
}

uint64_t parent_sleep(uint64_t ns)
{
    uint64_t bits = 0, now = time_ns();
    uint64_t deadline = time_tsc() + time_ns_to_tsc(ns > now ? ns - now : 0);
    return sys_notif_wait(SLOT_NOTIF, deadline, &bits) == OK ? bits : 0;
}
