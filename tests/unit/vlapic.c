/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC: priorities, messages, modes, timers. */
#include "test.h"

#include "fake/virt_world.h"

#include "virt/doorbell.c"
#include "virt/guest.c"
#include "virt/vlapic.c"
#include "virt/vlapic_timer.c"
#include "virt/vlapic_vectors.c"

/* PV EOI is not in use here. */
void pv_eoi_sync(struct vcpu *vcpu, bool cancel)
{
    (void)vcpu;
    (void)cancel;
}
void pv_unmap(struct vcpu *vcpu, uint64_t address, uint64_t size)
{
    (void)vcpu;
    (void)address;
    (void)size;
}

static struct vcpu *v(uint32_t i)
{
    return &fake_vcpu[i];
}
static enum vlapic_result put(uint32_t i, uint32_t msr, uint64_t value)
{
    return vlapic_wrmsr(v(i), msr, &value);
}
static uint64_t get(uint32_t i, uint32_t msr)
{
    uint64_t value = ~0ull;
    return vlapic_rdmsr(v(i), msr, &value) == VLAPIC_OK ? value : ~0ull;
}
static bool pending(uint32_t i, uint32_t vector)
{
    return v(i)->lapic.irr[vector / 32] >> (vector % 32) & 1;
}
/* Which vCPUs have `vector` pending, as a mask; clears it. */
static uint32_t targets(uint32_t vector)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < FAKE_VCPUS; i++) {
        mask |= (uint32_t)pending(i, vector) << i;
        v(i)->lapic.irr[vector / 32] = 0;
        v(i)->requests = 0;
    }
    return mask;
}

static void take(struct vlapic *lapic, uint8_t vector)
{
    vlapic_lend(lapic, vector);
    vlapic_accept(lapic);
}

TEST(priorities)
{
    fake_world();
    struct vlapic *l = &v(0)->lapic;
    CHECK_EQ(vlapic_highest(l), -1);
    vlapic_post(l, 0x41, false);
    vlapic_post(l, 0x52, false);
    vlapic_post(l, 0x55, false);
    CHECK_EQ(vlapic_highest(l), 0x55);
    take(l, 0x55);
    CHECK_EQ(vlapic_highest(l), -1); /* 0x52 is of the same class */
    CHECK_EQ(vlapic_ppr(l), 0x50);
    vlapic_post(l, 0x60, false);
    CHECK_EQ(vlapic_highest(l), 0x60);
    take(l, 0x60);
    CHECK_EQ(vlapic_eoi(l), -1);
    CHECK_EQ(vlapic_isr_highest(l), 0x55);
    CHECK_EQ(vlapic_eoi(l), -1);
    CHECK_EQ(vlapic_highest(l), 0x52);
    CHECK_EQ(put(0, 0x808, 0x73), VLAPIC_OK);
    CHECK_EQ(vlapic_ppr(l), 0x73);
    CHECK_EQ(get(0, 0x80a), 0x73);
    l->svr = 0xff;
    CHECK_EQ(vlapic_highest(l), -1);
}

TEST(level_eoi)
{
    fake_world();
    struct vlapic *l = &v(0)->lapic;
    vlapic_post(l, 0x31, true);
    take(l, 0x31);
    uint64_t value = 0;
    CHECK_EQ(vlapic_wrmsr(v(0), 0x80b, &value), VLAPIC_EOI);
    CHECK_EQ(value, 0x31);
    /* the same vector as an edge: no message */
    vlapic_post(l, 0x31, false);
    take(l, 0x31);
    CHECK_EQ(put(0, 0x80b, 0), VLAPIC_OK);
    CHECK_EQ(put(0, 0x80b, 0), VLAPIC_OK); /* nothing in service */
}

/* The short way of an EOI does what the long way does, or nothing. */
TEST(eoi_alone)
{
    fake_world();
    struct vlapic *l = &v(0)->lapic;
    CHECK(vlapic_eoi_alone(l)); /* nothing in service */
    take(l, 0x31);
    take(l, 0xf2);
    CHECK(vlapic_eoi_alone(l));
    CHECK_EQ(vlapic_isr_highest(l), 0x31);
    vlapic_post(l, 0x45, false); /* something waits: the long way looks at it */
    CHECK(!vlapic_eoi_alone(l));
    CHECK_EQ(vlapic_isr_highest(l), 0x31);
    l->irr[2] = 0;
    vlapic_post(l, 0x31, true); /* level: the VMM must hear of it */
    l->irr[1] = 0;
    CHECK(!vlapic_eoi_alone(l));
    l->tmr[1] = 0;
    l->base &= ~APIC_BASE_EXTD;
    CHECK(!vlapic_eoi_alone(l));
    l->base |= APIC_BASE_EXTD;
    CHECK(vlapic_eoi_alone(l));
    CHECK_EQ(vlapic_isr_highest(l), -1);
}

TEST(ipi_x2apic)
{
    fake_world();
    CHECK_EQ(put(0, 0x830, 2ull << 32 | 0x41), VLAPIC_OK); /* physical */
    CHECK_EQ(targets(0x41), 4);
    put(0, 0x830, 0x0aull << 32 | 0x841); /* logical: cluster 0, members 1 and 3 */
    CHECK_EQ(targets(0x41), 0xa);
    put(0, 0x830, 0x0001000full << 32 | 0x841); /* another cluster */
    CHECK_EQ(targets(0x41), 0);
    put(1, 0x830, 0x40041); /* self */
    CHECK_EQ(targets(0x41), 2);
    put(1, 0x830, 0x80041); /* all */
    CHECK_EQ(targets(0x41), 0xf);
    put(1, 0x830, 0xc0041); /* all but self */
    CHECK_EQ(targets(0x41), 0xd);
    put(1, 0x830, 0xffffffffull << 32 | 0x41); /* broadcast */
    CHECK_EQ(targets(0x41), 0xf);
    CHECK_EQ(put(3, 0x83f, 0x41), VLAPIC_OK);
    CHECK_EQ(targets(0x41), 8);
    v(2)->lapic.svr = 0xff; /* software disabled: no fixed interrupts */
    put(0, 0x830, 0x80041);
    CHECK_EQ(targets(0x41), 0xb);
}

TEST(ipi_signals)
{
    fake_world();
    put(0, 0x830, 1ull << 32 | 0x400);
    CHECK_EQ(v(1)->requests, REQ_NMI);
    put(0, 0x830, 1ull << 32 | 0x400);
    CHECK_EQ(v(1)->nmis, 2);            /* one may be latched behind the other */
    put(0, 0x830, 2ull << 32 | 0x4500); /* INIT assert */
    CHECK_EQ(v(2)->requests, REQ_INIT);
    put(0, 0x830, 3ull << 32 | 0x8500); /* INIT de-assert */
    CHECK_EQ(v(3)->requests, 0);
    put(0, 0x830, 3ull << 32 | 0x69a);
    CHECK_EQ(v(3)->requests, REQ_SIPI);
    CHECK_EQ(v(3)->sipi, 0x9a);
}

TEST(lowest_priority)
{
    fake_world();
    v(0)->lapic.tpr = 0x40;
    v(1)->lapic.tpr = 0x30;
    v(2)->lapic.tpr = 0x40;
    v(3)->lapic.tpr = 0x30;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < 8; i++) {
        put(0, 0x830, 0xfull << 32 | 0x941);
        uint32_t mask = targets(0x41);
        CHECK(mask == 2 || mask == 8); /* one of the lowest */
        seen |= mask;
    }
    CHECK_EQ(seen, 0xa); /* taking turns */
}

static void to_xapic(uint32_t i)
{
    vlapic_set_base(v(i), v(i)->lapic.base & ~(APIC_BASE_EXTD | APIC_BASE_ENABLE));
    vlapic_set_base(v(i), v(i)->lapic.base | APIC_BASE_ENABLE);
    v(i)->lapic.svr = 0x1ff;
}
static void write(uint32_t i, uint32_t offset, uint32_t value)
{
    uint64_t v64 = value;
    vlapic_write(v(i), offset, &v64);
}
static uint32_t read(uint32_t i, uint32_t offset)
{
    uint64_t value;
    vlapic_read(v(i), offset, &value);
    return (uint32_t)value;
}

TEST(xapic)
{
    fake_world();
    for (uint32_t i = 0; i < FAKE_VCPUS; i++) {
        to_xapic(i);
        CHECK_EQ(read(i, 0x20), i << 24);
        write(i, 0xd0, 1u << (24 + i));
    }
    write(0, 0x310, 0x0a000000);
    write(0, 0x300, 0x841); /* logical flat */
    CHECK_EQ(targets(0x41), 0xa);
    for (uint32_t i = 0; i < FAKE_VCPUS; i++) {
        write(i, 0xe0, 0x0fffffff); /* cluster model */
        write(i, 0xd0, (i / 2) << 28 | 1u << (24 + i % 2));
    }
    write(0, 0x310, 0x13000000);
    write(0, 0x300, 0x841);
    CHECK_EQ(targets(0x41), 0xc);
    write(0, 0x310, 0x03000000);
    write(0, 0x300, 0x841);
    CHECK_EQ(targets(0x41), 0x3);
    write(0, 0x310, 0xff000000);
    write(0, 0x300, 0x41);
    CHECK_EQ(targets(0x41), 0xf);
    CHECK_EQ(read(0, 0x30), 0x50014);
    /* an illegal vector: ESR after a write of ESR */
    write(0, 0x300, 0x4000f);
    write(0, 0x280, 0);
    CHECK_EQ(read(0, 0x280), 0x20);
    write(0, 0x280, 0);
    CHECK_EQ(read(0, 0x280), 0);
    read(0, 0x3d0);
    write(0, 0x280, 0);
    CHECK_EQ(read(0, 0x280), 0x80);
    CHECK_EQ(get(0, 0x802), ~0ull); /* no MSRs in this mode */
}

TEST(base_modes)
{
    fake_world();
    uint64_t base = v(1)->lapic.base;
    CHECK(!vlapic_set_base(v(1), base & ~APIC_BASE_EXTD));   /* x2 to x */
    CHECK(!vlapic_set_base(v(1), base & ~APIC_BASE_ENABLE)); /* EXTD alone */
    CHECK(!vlapic_set_base(v(1), base | 1));
    CHECK(!vlapic_set_base(v(1), base + 0x1000));
    CHECK(vlapic_set_base(v(1), base & ~(APIC_BASE_EXTD | APIC_BASE_ENABLE)));
    CHECK(!vlapic_set_base(v(1), base)); /* off to x2 */
    CHECK_EQ(read(1, 0x30), 0xffffffff);
    put(0, 0x830, 1ull << 32 | 0x41); /* a disabled APIC hears nothing */
    CHECK_EQ(targets(0x41), 0);
    CHECK(vlapic_set_base(v(1), (base & ~APIC_BASE_EXTD)));
    write(1, 0x20, 7u << 24);
    CHECK(vlapic_set_base(v(1), base)); /* x2: the identity is fixed again */
    CHECK_EQ(get(1, 0x802), 1);
    CHECK_EQ(get(1, 0x80d), 2);
}

TEST(reserved_bits)
{
    fake_world();
    CHECK_EQ(put(0, 0x808, 0x100), VLAPIC_FAULT);
    CHECK_EQ(put(0, 0x80b, 1), VLAPIC_FAULT);
    CHECK_EQ(put(0, 0x80f, 0x200), VLAPIC_FAULT);
    CHECK_EQ(put(0, 0x802, 0), VLAPIC_FAULT); /* read only */
    CHECK_EQ(put(0, 0x80e, 0), VLAPIC_FAULT); /* DFR is gone */
    CHECK_EQ(put(0, 0x830, 0x2000), VLAPIC_FAULT);
    CHECK_EQ(put(0, 0x83f, 0x100), VLAPIC_FAULT);
    CHECK_EQ(put(0, 0x8ff, 0), VLAPIC_FAULT);
    CHECK_EQ(get(0, 0x8ff), ~0ull);
    CHECK_EQ(get(0, 0x83f), ~0ull);
    for (uint32_t msr = 0x800; msr <= 0x8ff; msr++) /* none may do harm */
        for (uint32_t bit = 0; bit < 64; bit++)
            put(0, msr, 1ull << bit);
}

TEST(lvt_and_disable)
{
    fake_world();
    CHECK_EQ(put(0, 0x835, 0x700), VLAPIC_OK);
    CHECK_EQ(get(0, 0x835), 0x700);
    CHECK_EQ(put(0, 0x80f, 0xff), VLAPIC_OK);
    CHECK_EQ(get(0, 0x835), 0x10700);
    CHECK_EQ(put(0, 0x835, 0x700), VLAPIC_OK);
    CHECK_EQ(get(0, 0x835), 0x10700); /* stays masked while disabled */
}

/* Linux writes back what it read on hardware: ExtINT with the read-only bits 12 and 14. */
TEST(lint0)
{
    fake_world();
    CHECK_EQ(put(0, 0x835, 0x5700), VLAPIC_OK);
    CHECK_EQ(get(0, 0x835), 0x700);
    CHECK(vlapic_extint(&v(0)->lapic));
    CHECK_EQ(put(0, 0x834, 0x4400), VLAPIC_FAULT); /* reserved where there is no pin */
    CHECK_EQ(put(0, 0x835, 0x10700), VLAPIC_OK);
    CHECK(!vlapic_extint(&v(0)->lapic));
    vlapic_lint0_rises(v(0));
    CHECK_EQ(v(0)->requests & (REQ_NMI | REQ_INIT), 0);
    CHECK_EQ(put(0, 0x835, 0x051), VLAPIC_OK);
    CHECK(!vlapic_extint(&v(0)->lapic));
    vlapic_lint0_rises(v(0));
    CHECK(pending(0, 0x51));
    CHECK_EQ(put(0, 0x835, 0x400), VLAPIC_OK);
    vlapic_lint0_rises(v(0));
    CHECK(v(0)->requests & REQ_NMI);
    CHECK_EQ(v(0)->nmis, 1);
    CHECK_EQ(put(0, 0x835, 0x500), VLAPIC_OK);
    vlapic_lint0_rises(v(0));
    CHECK(v(0)->requests & REQ_INIT);
    CHECK(vlapic_set_base(v(0), APIC_BASE_RESET | APIC_BASE_BSP));
    CHECK(vlapic_extint(&v(0)->lapic)); /* off: the pin is the CPU's INTR */
}

static uint32_t expire(uint64_t cycles)
{
    fake_wait(cycles);
    if (!(v(0)->requests & REQ_TIMER))
        return 0;
    v(0)->requests = 0;
    vlapic_timer_expired(v(0));
    uint32_t fired = pending(0, 0x50);
    v(0)->lapic.irr[2] = 0;
    return fired;
}

TEST(timer_oneshot)
{
    fake_world();
    put(0, 0x832, 0x50);
    put(0, 0x83e, 0xb); /* by 1 */
    put(0, 0x838, 50000);
    CHECK_EQ(get(0, 0x839), 50000);
    CHECK_EQ(expire(40000), 0);
    CHECK_EQ(get(0, 0x839), 30000);
    CHECK_EQ(expire(59000), 0);
    CHECK_EQ(expire(1000), 1);
    CHECK_EQ(get(0, 0x839), 0);
    CHECK_EQ(expire(1000000), 0);
    put(0, 0x83e, 0x3); /* by 16 */
    put(0, 0x838, 1000);
    CHECK_EQ(expire(31999), 0);
    CHECK_EQ(expire(1), 1);
    put(0, 0x832, 0x10050); /* masked: counts, does not interrupt */
    put(0, 0x838, 1000);
    CHECK_EQ(expire(40000), 0);
    put(0, 0x838, 1000);
    put(0, 0x838, 0); /* stopped */
    CHECK(fake_armed == NULL);
}

/* Neither the count nor the divider makes the host's timer run wild. */
TEST(timer_periods_have_a_least)
{
    fake_world();
    put(0, 0x80f, 0x1ff);
    put(0, 0x832, 0x20040);
    put(0, 0x83e, 0xa); /* by 128 */
    put(0, 0x838, 1);
    uint64_t least = v(0)->lapic.timer_period;
    CHECK(least >= 20000ull * tsc_khz / 1000000);
    put(0, 0x83e, 0xb); /* by 1 */
    CHECK_EQ(v(0)->lapic.timer_period, least);
}

/* What one interrupt costs the host is counted in cycles: on a slow CPU so must the least be, or a
 * guest that asks for it gets no further. */
TEST(timer_periods_have_a_least_on_a_slow_cpu)
{
    fake_world();
    tsc_khz = 50000;
    put(0, 0x832, 0x20050);
    put(0, 0x83e, 0xb);
    put(0, 0x838, 100);
    CHECK(fake_armed->deadline >= fake_tsc + 10000);
    tsc_khz = 2000000;
}

/* Nobody is told of the end of a masked timer's period: the host takes no interrupt for it. */
TEST(timer_masked_is_arithmetic)
{
    fake_world();
    put(0, 0x832, 0x30050);
    put(0, 0x83e, 0xb);
    put(0, 0x838, 50000);
    uint64_t begin = fake_tsc;
    CHECK(fake_armed == NULL);
    fake_wait(250000);
    CHECK_EQ(get(0, 0x839), 25000);
    put(0, 0x832, 0x20050); /* unmasked: nothing of what went by, then the next end */
    CHECK_EQ(expire(0), 0);
    CHECK_EQ(fake_armed->deadline, begin + 300000);
    CHECK_EQ(expire(50000), 1);
    fake_tsc += 150000; /* an end that is not seen yet when the guest masks still counts */
    put(0, 0x832, 0x30050);
    CHECK(v(0)->requests & REQ_TIMER);
    CHECK_EQ(expire(0), 1);
    CHECK(fake_armed == NULL);
    CHECK_EQ(get(0, 0x839), 25000);
    put(0, 0x832, 0x10050); /* one-shot: over while masked */
    put(0, 0x838, 1000);
    fake_wait(5000);
    CHECK_EQ(get(0, 0x839), 0);
    put(0, 0x832, 0x50);
    CHECK_EQ(expire(1000000), 0);
    CHECK(fake_armed == NULL);
    put(0, 0x832, 0x50050); /* a deadline must read as 0 when it is over: it is waited for */
    vlapic_set_deadline(v(0), fake_tsc + v(0)->tsc_offset + 1000);
    CHECK_EQ(expire(1000), 0);
    CHECK_EQ(vlapic_deadline(&v(0)->lapic), 0);
}

TEST(timer_periodic)
{
    fake_world();
    put(0, 0x832, 0x20050);
    put(0, 0x83e, 0xb);
    put(0, 0x838, 50000);
    uint64_t begin = fake_tsc;
    for (uint32_t i = 1; i <= 5; i++) {
        CHECK_EQ(expire(100000), 1);
        CHECK_EQ(fake_tsc, begin + i * 100000); /* no drift */
    }
    /* seen late: one interrupt, and the phase stays */
    struct timer *timer = fake_armed;
    timer_disarm(timer);
    fake_tsc += 350000;
    timer->fire(timer);
    CHECK_EQ(expire(0), 1);
    CHECK_EQ(fake_armed->deadline, begin + 900000);
    /* too fast for a host: slowed down */
    put(0, 0x838, 1);
    CHECK(fake_armed->deadline >= fake_tsc + 40000);
    uint64_t end = fake_armed->deadline;
    put(0, 0x832, 0x50); /* once more, at the same time */
    CHECK_EQ(expire(end - fake_tsc), 1);
    CHECK(fake_armed == NULL);
}

TEST(timer_counts_on_in_another_mode)
{
    fake_world();
    put(0, 0x832, 0x50);
    put(0, 0x83e, 0xb);
    put(0, 0x838, 50000);
    uint64_t begin = fake_tsc;
    fake_wait(60000);
    put(0, 0x832, 0x20050);
    CHECK_EQ(get(0, 0x839), 20000);
    CHECK_EQ(expire(40000), 1);
    CHECK_EQ(fake_armed->deadline, begin + 200000);
    fake_wait(60000);
    put(0, 0x832, 0x50); /* back: this count is the last */
    CHECK_EQ(get(0, 0x839), 20000);
    CHECK_EQ(expire(40000), 1);
    put(0, 0x832, 0x20050); /* a count that is over is not begun again */
    CHECK_EQ(get(0, 0x839), 0);
    CHECK(fake_armed == NULL);
    put(0, 0x838, 50000);
    put(0, 0x832, 0x40050);
    CHECK(fake_armed == NULL);
    put(0, 0x832, 0x50);
    CHECK_EQ(get(0, 0x839), 0);
}

TEST(timer_deadline)
{
    fake_world();
    v(0)->tsc_offset = (uint64_t)-500000; /* guest TSC behind */
    vlapic_set_deadline(v(0), 1);
    CHECK_EQ(vlapic_deadline(&v(0)->lapic), 0); /* not in this mode */
    put(0, 0x832, 0x40050);
    put(0, 0x838, 77); /* ignored */
    CHECK(fake_armed == NULL);
    uint64_t guest_now = fake_tsc - 500000;
    vlapic_set_deadline(v(0), guest_now + 1000);
    CHECK_EQ(fake_armed->deadline, fake_tsc + 1000);
    CHECK_EQ(expire(999), 0);
    CHECK_EQ(expire(1), 1);
    CHECK_EQ(vlapic_deadline(&v(0)->lapic), 0);
    vlapic_set_deadline(v(0), 1); /* long past: at once */
    CHECK_EQ(expire(0), 1);
    vlapic_set_deadline(v(0), UINT64_MAX);
    CHECK_EQ(expire(1ull << 40), 0);
    vlapic_set_deadline(v(0), 0);
    CHECK(fake_armed == NULL);
    /* the guest moves its TSC forward over the deadline */
    vlapic_set_deadline(v(0), fake_tsc - 500000 + 100000);
    v(0)->tsc_offset += 200000;
    vlapic_tsc_changed(v(0));
    CHECK_EQ(expire(0), 1);
    /* a request left over from an older setting does nothing */
    vlapic_set_deadline(v(0), fake_tsc + v(0)->tsc_offset + 5000);
    vcpu_note(v(0), REQ_TIMER);
    CHECK_EQ(expire(10), 0);
    CHECK_EQ(expire(5000), 1);
}

TEST(deadline_of_a_scaled_tsc)
{
    fake_world();
    v(0)->tsc_scale = tsc_ratio(3, 2);
    v(0)->tsc_offset = (uint64_t)-500000;
    put(0, 0x832, 0x40050);
    vlapic_set_deadline(v(0), vcpu_tsc(v(0), fake_tsc) + 3000);
    CHECK_EQ(fake_armed->deadline, fake_tsc + 2001);
    CHECK_EQ(expire(1999), 0);
    CHECK_EQ(expire(2), 1);
    v(0)->tsc_scale = 0;
}

/* The CPU ends the guest by itself: the host's timer is armed only for a vCPU that sleeps. */
TEST(timer_of_the_cpu)
{
    fake_world();
    virt_assists = ASSIST_PREEMPT_TIMER;
    struct vlapic *l = &v(0)->lapic;
    l->lvt[LVT_TIMER] = 0x40000 | 0x41;
    vlapic_set_deadline(v(0), fake_tsc + 1000);
    CHECK_EQ(l->due, fake_tsc + 1000);
    CHECK(!fake_armed);
    vlapic_timer_sleep(l);
    CHECK_EQ(fake_armed->deadline, fake_tsc + 1000);
    vlapic_timer_wake(l);
    CHECK(!fake_armed);
    vlapic_timer_expired(v(0)); /* an exit before the time */
    CHECK_EQ(l->due, fake_tsc + 1000);
    CHECK(!pending(0, 0x41));
    fake_wait(1000);
    vlapic_timer_expired(v(0));
    CHECK(pending(0, 0x41));
    CHECK_EQ(l->due, 0);
    vlapic_timer_sleep(l);
    CHECK(!fake_armed);
    l->lvt[LVT_TIMER] = 0x20000 | 0x41; /* periodic, by 1 */
    l->timer_divide = 0xb;
    vlapic_timer_set_initial(v(0), 100000);
    uint64_t first = l->due;
    fake_wait(first - fake_tsc);
    vlapic_timer_expired(v(0));
    CHECK_EQ(l->due, first + 200000);
    vlapic_timer_stop(l);
    CHECK_EQ(l->due, 0);
    /* a count shorter than a cycle of a slow TSC ends as well */
    tsc_khz = 50000;
    l->lvt[LVT_TIMER] = 0x41;
    targets(0x41);
    vlapic_timer_set_initial(v(0), 1);
    CHECK_EQ(l->due, fake_tsc + 1);
    fake_wait(1);
    vlapic_timer_expired(v(0));
    CHECK(pending(0, 0x41));
    CHECK_EQ(l->due, 0);
    l->due = 1; /* of nothing */
    vlapic_timer_expired(v(0));
    CHECK_EQ(l->due, 0);
    tsc_khz = 2000000;
    virt_assists = 0;
}

/* What is posted into a descriptor is moved by the CPU, or by the next entry. */
TEST(posted_interrupts)
{
    static uint32_t page[1024] __attribute__((aligned(8))),
        descriptor[16] __attribute__((aligned(64)));
    fake_world();
    memset(page, 0, sizeof(page));
    memset(descriptor, 0, sizeof(descriptor));
    struct vlapic *l = &v(0)->lapic;
    CHECK(!vlapic_posts(l));
    l->irr = descriptor;
    CHECK(!vlapic_posts(l)); /* the CPU does not deliver yet */
    l->page = page;
    CHECK(vlapic_delegate(l));
    CHECK(vlapic_posts(l));
    vlapic_post(l, 0x41, false);
    CHECK_EQ(descriptor[2], 2);
    CHECK_EQ(vlapic_irr_highest(l), 0x41);
    descriptor[POSTED_NOTIFICATION] = 1;
    CHECK(!vlapic_delegate(l));
    CHECK_EQ(descriptor[2], 0);
    CHECK_EQ(descriptor[POSTED_NOTIFICATION], 0);
    CHECK_EQ(page[4 * 0x22], 2);
    CHECK_EQ(vlapic_page_status(l), 0x41);
    vlapic_post(l, 0x52, false);
    put(0, 0x80f, 0xff); /* the APIC is switched off: nothing is delegated any more */
    vlapic_delegate(l);
    CHECK(!vlapic_posts(l));
    vlapic_reset(v(0), true);
    CHECK_EQ(vlapic_irr_highest(l), -1);
    CHECK(l->irr == descriptor);
}

TEST(init_keeps_identity)
{
    fake_world();
    vlapic_post(&v(2)->lapic, 0x41, false);
    put(2, 0x832, 0x50);
    put(2, 0x838, 1000);
    vlapic_reset(v(2), true);
    CHECK_EQ(vlapic_irr_highest(&v(2)->lapic), -1);
    CHECK(fake_armed == NULL);
    CHECK(vlapic_x2(&v(2)->lapic));
    CHECK_EQ(v(2)->lapic.svr, 0xff);
    CHECK_EQ(v(2)->lapic.lvt[LVT_LINT0], 0x10000);
}

TEST(msi)
{
    fake_world();
    struct apic_message m;
    CHECK(!msi_decode(0xfef00000, 0x41, &m));
    CHECK(!msi_decode(0x1fee00000, 0x41, &m));
    CHECK(!msi_decode(0xfee00000, 0x241, &m)); /* SMI */
    CHECK(msi_decode(0xfee02000, 0x41, &m));
    guest_deliver(&fake_guest, &m, NULL);
    CHECK_EQ(targets(0x41), 4);
    CHECK(msi_decode(0xfee0500c, 0x41, &m)); /* logical: 0 and 2, in cluster 0 */
    guest_deliver(&fake_guest, &m, NULL);
    CHECK_EQ(targets(0x41), 5);
    CHECK(msi_decode(0xfeeff000, 0x41, &m));
    CHECK_EQ(guest_deliver(&fake_guest, &m, NULL), 4);
    CHECK_EQ(targets(0x41), 0xf);
    CHECK(msi_decode(0xfee0f00c, 0x141, &m)); /* lowest priority: one */
    CHECK_EQ(guest_deliver(&fake_guest, &m, NULL), 1);
    CHECK_EQ(__builtin_popcount(targets(0x41)), 1);
    CHECK(msi_decode(0xfee01000, 0xc041, &m)); /* level */
    guest_deliver(&fake_guest, &m, NULL);
    CHECK(v(1)->lapic.tmr[2] & 2);
    CHECK(msi_decode(0xfee09000, 0x41, &m));
    CHECK_EQ(guest_deliver(&fake_guest, &m, NULL), 0);
    CHECK(msi_decode(0xfee01000, 0x05, &m)); /* an illegal vector is dropped */
    guest_deliver(&fake_guest, &m, NULL);
    CHECK_EQ(v(1)->lapic.irr[0], 0);
}
