/* SPDX-License-Identifier: BSD-2-Clause */
/* Which slots of the own capability table are free. Lock-free, because mutexes allocate slots. */
#include "user/program.h"
#include "user/runtime.h"
#include "user/syscall_stubs.h"
#include "abi/object.h"

#define SLOT_WORDS (CAP_SLOTS / 64u)

/* Bit set: taken. A bit that goes up (acquire) pairs with the release when slot_free() clears it,
 * so that the deletion is over before the slot is used again. */
static uint64_t slot_map[SLOT_WORDS];
static uint32_t slot_first = CAP_SLOTS;

static int take(uint32_t slot)
{
    uint64_t bit = 1ull << (slot % 64u);
    return !(__atomic_fetch_or(&slot_map[slot / 64u], bit, __ATOMIC_ACQUIRE) & bit);
}

static void give(uint32_t slot)
{
    __atomic_fetch_and(&slot_map[slot / 64u], ~(1ull << (slot % 64u)), __ATOMIC_RELEASE);
}

void slot_init(uint32_t first_free)
{
    if (first_free == 0 || first_free > CAP_SLOTS)
        first_free = CAP_SLOTS;
    for (uint32_t i = 0; i < SLOT_WORDS; i++)
        slot_map[i] = 0;
    for (uint32_t slot = 0; slot < first_free; slot++)
        slot_map[slot / 64u] |= 1ull << (slot % 64u);
    slot_first = first_free;
}

uint32_t slot_alloc(void)
{
    for (uint32_t i = slot_first / 64u; i < SLOT_WORDS; i++) {
        uint64_t map = __atomic_load_n(&slot_map[i], __ATOMIC_RELAXED);
        while (~map) {
            uint32_t slot = i * 64u + (uint32_t)__builtin_ctzll(~map);
            if (take(slot))
                return slot;
            map = __atomic_load_n(&slot_map[i], __ATOMIC_RELAXED);
        }
    }
    return 0;
}

/* Takes n slots from first on; 0 if all are taken, else the slot that was in the way. */
static uint32_t take_range(uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (take(first + i))
            continue;
        for (uint32_t k = 0; k < i; k++)
            give(first + k);
        return first + i;
    }
    return 0;
}

uint32_t slot_alloc_range(uint32_t n)
{
    if (n == 0 || n > CAP_SLOTS)
        return 0;
    for (uint32_t first = slot_first; first <= CAP_SLOTS - n;) {
        uint32_t busy = take_range(first, n);
        if (busy == 0)
            return first;
        first = busy + 1;
    }
    return 0;
}

void slot_free(uint32_t slot)
{
    if (slot < slot_first || slot >= CAP_SLOTS)
        return;
    sys_cap_delete(SLOT_SELF_PD, slot); /* an empty slot is no mistake here */
    give(slot);
}
