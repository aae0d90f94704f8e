/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "lib/tsc_math.h"
#include "vmm/kvmclock.h"

#define SYSTEM_ENABLE      1ull
#define FLAG_TSC_STABLE    1u
#define FLAG_GUEST_STOPPED 2u

/* Both structures are the guest's ABI. */
struct system_time {
    uint32_t version; /* odd while being written */
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t pad1[2];
} __attribute__((packed, aligned(4))); /* KVM asks the guest for no more than that */
_Static_assert(sizeof(struct system_time) == 32, "pvclock_vcpu_time_info");

struct wall_time {
    uint32_t version, sec, nsec;
};
_Static_assert(sizeof(struct wall_time) == 12, "pvclock_wall_clock");

/* Only this thread writes the version, but the guest may scribble on it: made odd from whatever it
 * holds, then even again. */
static uint32_t begin(uint32_t *version)
{
    uint32_t odd = __atomic_load_n(version, __ATOMIC_RELAXED) | 1u;
    __atomic_store_n(version, odd, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return odd;
}

static void end(uint32_t *version, uint32_t odd)
{
    __atomic_store_n(version, odd + 1, __ATOMIC_RELEASE);
}

static void fill_system(struct kvmclock *clock, uint64_t msr, uint8_t flags)
{
    struct system_time *time = guest_ptr(clock->machine, msr & ~SYSTEM_ENABLE, sizeof *time);
    if (!time)
        return;
    uint32_t odd = begin(&time->version);
    time->tsc_timestamp = clock->tsc_ref;
    time->system_time = clock->ns_ref;
    time->tsc_to_system_mul = clock->multiplier;
    time->tsc_shift = clock->shift;
    time->flags = flags;
    end(&time->version, odd);
    clock->updates++;
}

/* The wall clock at system time 0. */
static bool write_wall(struct kvmclock *clock, uint64_t gpa)
{
    struct wall_time *wall = gpa & 3u ? NULL : guest_ptr(clock->machine, gpa, sizeof *wall);
    if (!wall)
        return false;
    int64_t ns = clock->machine->wall_offset_ns;
    uint64_t unix_ns = ns > 0 ? (uint64_t)ns : 0;
    uint32_t odd = begin(&wall->version);
    wall->sec = (uint32_t)(unix_ns / NS_PER_S);
    wall->nsec = (uint32_t)(unix_ns % NS_PER_S);
    end(&wall->version, odd);
    clock->wall_msr = gpa;
    return true;
}

static bool write_system(struct kvmclock *clock, unsigned vcpu, uint64_t value)
{
    uint64_t gpa = value & ~SYSTEM_ENABLE;
    if (value & SYSTEM_ENABLE) {
        if (gpa & 3u || !guest_ptr(clock->machine, gpa, sizeof(struct system_time)))
            return false;
        fill_system(clock, value, FLAG_TSC_STABLE);
    }
    clock->system_msr[vcpu] = value;
    return true;
}

bool kvmclock_write(struct kvmclock *clock, unsigned vcpu, uint32_t msr, uint64_t value)
{
    if (vcpu >= VMM_MAX_VCPUS)
        return false;
    if (msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_WALL_CLOCK_NEW)
        return write_wall(clock, value);
    if (msr == MSR_KVM_SYSTEM_TIME || msr == MSR_KVM_SYSTEM_TIME_NEW)
        return write_system(clock, vcpu, value);
    return false;
}

bool kvmclock_read(const struct kvmclock *clock, unsigned vcpu, uint32_t msr, uint64_t *value)
{
    if (vcpu >= VMM_MAX_VCPUS)
        return false;
    if (msr == MSR_KVM_WALL_CLOCK || msr == MSR_KVM_WALL_CLOCK_NEW)
        *value = clock->wall_msr;
    else if (msr == MSR_KVM_SYSTEM_TIME || msr == MSR_KVM_SYSTEM_TIME_NEW)
        *value = clock->system_msr[vcpu];
    else
        return false;
    return true;
}

void kvmclock_stopped(struct kvmclock *clock)
{
    for (unsigned i = 0; i < VMM_MAX_VCPUS; i++) {
        if (clock->system_msr[i] & SYSTEM_ENABLE)
            fill_system(clock, clock->system_msr[i], FLAG_TSC_STABLE | FLAG_GUEST_STOPPED);
    }
}

/* ns = (ticks << shift) * multiplier >> 32, a negative shift being one to the right. The shift
 * brings the frequency between 1 and 2 GHz, so that the multiplier has all of its 32 bits. */
static void set_scale(struct kvmclock *clock, uint64_t tsc_khz)
{
    uint64_t khz = tsc_khz ? tsc_khz : 1, scaled = khz;
    int shift = 0;
    for (; scaled > 2000000; scaled >>= 1)
        shift--;
    for (; scaled <= 1000000; scaled <<= 1)
        shift++;
    /* 10^6 * 2^32 / khz, scaled; at most 2^20 * 2^32 * 2^11 before the division. */
    uint64_t numerator = shift < 0 ? 1000000ull << (32 - shift) : 1000000ull << 32;
    clock->multiplier = (uint32_t)(numerator / (shift < 0 ? khz : scaled));
    clock->shift = (int8_t)shift;
}

void kvmclock_init(struct kvmclock *clock, struct machine *machine)
{
    memset(clock, 0, sizeof *clock);
    clock->machine = machine;
    clock->tsc_ref = tsc_scaled(machine->host->clock_tsc(machine->host_ctx), machine->tsc_scale) +
                     machine->tsc_offset;
    clock->ns_ref = clock_ns(machine);
    set_scale(clock, machine->guest_tsc_khz);
}
