/* SPDX-License-Identifier: BSD-2-Clause */
/* All but the firing itself runs on the owner's CPU: the timer only sets a request. */
#include "virt/vlapic_timer.h"

#include "arch/x86_64/insn.h"
#include "arch/x86_64/platform.h"
#include "kernel/machine.h"
#include "virt/vcpu.h"

#define MODE_MASK     0x60000u
#define MODE_ONESHOT  0x00000u
#define MODE_PERIODIC 0x20000u
#define MODE_DEADLINE 0x40000u
/* A guest cannot make the host take timer interrupts faster than this: nanoseconds, and TSC cycles,
 * which is what an interrupt costs (without any assist about a thousand, and the guest shall get
 * further in between). */
#define PERIOD_MIN_NS     20000u
#define PERIOD_MIN_CYCLES 10000u

static uint32_t mode(const struct vlapic *lapic)
{
    return lapic->lvt[LVT_TIMER] & MODE_MASK;
}

/* Divide configuration: bits 3, 1, 0; 0b111 is by 1. */
static uint32_t divisor(const struct vlapic *lapic)
{
    uint32_t bits = (lapic->timer_divide & 3) | (lapic->timer_divide & 8) >> 1;
    return 1u << ((bits + 1) & 7);
}

/* At most 2^32 counts by 128, and a TSC below 2^23 kHz: fits. */
static uint64_t counts_to_tsc(const struct vlapic *lapic, uint32_t counts)
{
    uint64_t cycles = (uint64_t)counts * divisor(lapic) * tsc_khz / 1000000;
    return counts ? MAX(cycles, 1) : 0;
}

static void timer_fire(struct timer *timer)
{
    struct vcpu *vcpu = container_of(timer, struct vcpu, lapic.timer);
    vcpu_request(vcpu, REQ_TIMER);
}

void vlapic_timer_init(struct vlapic *lapic)
{
    timer_init(&lapic->timer, timer_fire);
}

static void disarm(struct vlapic *lapic)
{
    lapic->due = 0;
    if (!(virt_assists & ASSIST_PREEMPT_TIMER))
        timer_disarm(&lapic->timer);
}

/* While it is masked a count goes on by arithmetic alone: nobody is told when it ends. */
static void arm(struct vlapic *lapic, uint64_t tsc)
{
    if ((lapic->lvt[LVT_TIMER] & (LVT_MASKED | MODE_DEADLINE)) == LVT_MASKED)
        disarm(lapic);
    else if (virt_assists & ASSIST_PREEMPT_TIMER)
        lapic->due = tsc;
    else
        timer_arm(&lapic->timer, tsc);
}

void vlapic_timer_sleep(struct vlapic *lapic)
{
    if (lapic->due) {
        timer_arm(&lapic->timer, lapic->due);
        lapic->sleeps = true;
    }
}

void vlapic_timer_wake(struct vlapic *lapic)
{
    if (lapic->sleeps)
        timer_disarm(&lapic->timer);
    lapic->sleeps = false;
}

void vlapic_timer_stop(struct vlapic *lapic)
{
    disarm(lapic);
    lapic->timer_period = 0;
    lapic->deadline = 0;
}

static uint64_t period_of(const struct vlapic *lapic)
{
    uint64_t period = counts_to_tsc(lapic, lapic->timer_initial);
    uint64_t shortest = MAX((uint64_t)PERIOD_MIN_NS * tsc_khz / 1000000, PERIOD_MIN_CYCLES);
    return mode(lapic) == MODE_PERIODIC ? MAX(period, shortest) : period;
}

static void start(struct vlapic *lapic, uint64_t now)
{
    lapic->timer_start = now;
    lapic->timer_period = period_of(lapic);
    arm(lapic, now + lapic->timer_period);
}

void vlapic_timer_set_initial(struct vcpu *vcpu, uint32_t value)
{
    struct vlapic *lapic = &vcpu->lapic;
    if (mode(lapic) == MODE_DEADLINE)
        return;
    vlapic_timer_stop(lapic);
    lapic->timer_initial = value;
    if (value)
        start(lapic, rdtsc());
}

/* What ended until now counts under the old setting. Between one-shot and periodic the count goes
 * on; to and from deadlines it is disarmed. (Intel SDM vol. 3, "APIC Timer".) */
void vlapic_timer_set_lvt(struct vcpu *vcpu, uint32_t value)
{
    struct vlapic *lapic = &vcpu->lapic;
    uint32_t old = lapic->lvt[LVT_TIMER], changed = old ^ value;
    if ((changed & MODE_MASK) && ((old | value) & MODE_DEADLINE))
        vlapic_timer_stop(lapic);
    else if (changed & (MODE_MASK | LVT_MASKED))
        vlapic_timer_expired(vcpu);
    lapic->lvt[LVT_TIMER] = value;
    if ((changed & MODE_MASK) && lapic->timer_period) {
        uint64_t end = lapic->timer_start + lapic->timer_period;
        lapic->timer_period = period_of(lapic);
        lapic->timer_start = end - lapic->timer_period;
    }
    if (changed & LVT_MASKED)
        vcpu_note(vcpu, REQ_TIMER);
}

/* Counting goes on with the new divider from the present count. */
void vlapic_timer_set_divide(struct vcpu *vcpu, uint32_t value)
{
    struct vlapic *lapic = &vcpu->lapic;
    uint32_t left = vlapic_timer_current(lapic);
    lapic->timer_divide = value;
    if (!left)
        return;
    uint64_t now = rdtsc();
    uint64_t remaining = counts_to_tsc(lapic, left);
    lapic->timer_period = period_of(lapic);
    lapic->timer_start = now + remaining - lapic->timer_period;
    arm(lapic, now + remaining);
}

uint32_t vlapic_timer_current(const struct vlapic *lapic)
{
    if (!lapic->timer_period || mode(lapic) == MODE_DEADLINE)
        return 0;
    uint64_t end = lapic->timer_start + lapic->timer_period;
    uint64_t now = rdtsc();
    if (now >= end) {
        if (mode(lapic) != MODE_PERIODIC)
            return 0;
        end += ((now - end) / lapic->timer_period + 1) * lapic->timer_period;
    }
    uint64_t counts = (end - now) * 1000000 / tsc_khz / divisor(lapic);
    return counts > lapic->timer_initial ? lapic->timer_initial : (uint32_t)counts;
}

uint64_t vlapic_deadline(const struct vlapic *lapic)
{
    return mode(lapic) == MODE_DEADLINE ? lapic->deadline : 0;
}

void vlapic_set_deadline(struct vcpu *vcpu, uint64_t guest_tsc)
{
    struct vlapic *lapic = &vcpu->lapic;
    if (mode(lapic) != MODE_DEADLINE)
        return;
    lapic->deadline = guest_tsc;
    if (!guest_tsc) {
        disarm(lapic);
        return;
    }
    /* Compared in guest time, where neither side has wrapped. */
    uint64_t now = rdtsc(), guest_now = vcpu_tsc(vcpu, now);
    if (guest_tsc <= guest_now) {
        disarm(lapic);
        vcpu_note(vcpu, REQ_TIMER);
        return;
    }
    uint64_t wait = tsc_unscaled(guest_tsc - guest_now, vcpu->tsc_scale);
    arm(lapic, wait > UINT64_MAX / 2 ? UINT64_MAX / 2 + now : now + wait);
}

void vlapic_tsc_changed(struct vcpu *vcpu)
{
    if (vlapic_deadline(&vcpu->lapic))
        vlapic_set_deadline(vcpu, vcpu->lapic.deadline);
}

/* The request may be older than the timer's present setting: look at the time, not at the word. */
void vlapic_timer_expired(struct vcpu *vcpu)
{
    struct vlapic *lapic = &vcpu->lapic;
    uint64_t now = rdtsc();
    if (!lapic->deadline && !lapic->timer_period) {
        lapic->due = 0;
        return;
    }
    if (mode(lapic) == MODE_DEADLINE) {
        if (vcpu_tsc(vcpu, now) < lapic->deadline) {
            vlapic_set_deadline(vcpu, lapic->deadline);
            return;
        }
        lapic->deadline = lapic->due = 0;
    } else {
        uint64_t end = lapic->timer_start + lapic->timer_period;
        if (now < end) {
            arm(lapic, end);
            return;
        }
        if (mode(lapic) == MODE_PERIODIC) {
            /* Periods that passed unseen are not made up for: one interrupt tells of all. */
            lapic->timer_start +=
                (now - end) / lapic->timer_period * lapic->timer_period + lapic->timer_period;
            arm(lapic, lapic->timer_start + lapic->timer_period);
        } else {
            lapic->timer_period = lapic->due = 0;
        }
    }
    vcpu->stat[STAT_TIMER]++;
    uint32_t lvt = lapic->lvt[LVT_TIMER];
    if (!(lvt & LVT_MASKED) && (lvt & 0xff) >= 16)
        vlapic_post(lapic, (uint8_t)lvt, false);
}
