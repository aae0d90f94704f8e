/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/object.h"
#include "abi/status.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

int64_t ask_parent(uint64_t event, uint64_t a, uint64_t b, uint64_t c, uint32_t words)
{
    struct utcb *utcb = utcb_self();
    uint64_t result, badge;
    utcb->mr[0] = event;
    utcb->mr[1] = a;
    utcb->mr[2] = b;
    utcb->mr[3] = c;
    int64_t status = sys_portal_call(SLOT_PARENT, words, 0, &result, &badge);
    return status == OK ? (int64_t)utcb->mr[0] : status;
}

void *map_given(uint32_t slot, uint64_t va, uint64_t size, uint32_t flags, const char *what)
{
    int64_t status = sys_mem_map(SLOT_SELF_PD, slot, va, 0, size, flags);
    if (status != OK)
        fatal("%s cannot be mapped: status %lld", what, (long long)status);
    return (void *)va;
}
