/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's paravirtual interface: hypercalls, PV EOI, steal time. */
#include "test.h"

#include "fake/virt_world.h"

#include "kernel/mapping.h"
#include "kernel/quiesce.h"
#include "virt/doorbell.c"
#include "virt/event.c"
#include "virt/guest.c"
#include "virt/pv.c"
#include "virt/vlapic.c"
#include "virt/vlapic_timer.c"
#include "virt/vlapic_vectors.c"

static struct vcpu *const c = &fake_vcpu[0];
static uint32_t foreign_pages, locks;
static uint64_t words[512] __attribute__((aligned(4096))); /* the guest's page */
static struct mem mem;
static struct cap cap = {.obj = &mem.obj};
static struct mapping mapping;

struct mapping *mapping_find(struct space *space, uint64_t address, uint64_t size)
{
    (void)space;
    return address >= 0x5000 && address + size <= 0x6000 ? &mapping : NULL;
}
bool kmap_foreign(hpa_t page)
{
    foreign_pages++;
    return page.v == mem.base.v;
}
void kunmap_foreign(hpa_t page)
{
    (void)page;
    foreign_pages--;
}
/* Whoever writes there has until here to let go of it; the page must not go before. */
static uint32_t waits, pages_then;
static bool words_left;
void quiesce(void)
{
    waits++;
    words_left = c->pv.eoi.word || c->pv.steal.word;
    pages_then = foreign_pages;
}
bool object_lock_take(void)
{
    locks++;
    return true;
}

static void begin(void)
{
    fake_world();
    memset(words, 0, sizeof(words));
    foreign_pages = 0;
    foreigners = NULL;
    mem = (struct mem){.base = kva_to_hpa(words)};
    mapping = (struct mapping){.address = 0x5000, .cap = &cap, .flags = MAP_WRITE};
    fake_guest.space.limit = 0x10000;
}

static uint64_t call(uint64_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx, uint64_t rsi)
{
    c->rax = number;
    c->page->gpr[GPR_RBX] = rbx;
    c->page->gpr[GPR_RCX] = rcx;
    c->page->gpr[GPR_RDX] = rdx;
    c->page->gpr[GPR_RSI] = rsi;
    pv_hypercall(c);
    return c->rax;
}

static uint32_t targets(uint32_t vector)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < FAKE_VCPUS; i++) {
        uint32_t *word = &fake_vcpu[i].lapic.irr[vector / 32];
        mask |= (*word >> (vector % 32) & 1) << i;
        *word = 0;
    }
    return mask;
}

static void take_in(struct vlapic *lapic, uint8_t vector)
{
    vlapic_lend(lapic, vector);
    vlapic_accept(lapic);
}

TEST(hypercalls)
{
    begin();
    CHECK_EQ((int64_t)call(77, 0, 0, 0, 0), -1000);
    CHECK_EQ(call(1, 0, 0, 0, 0), 0);
    fake_reg[VREG_CPL] = 3;
    CHECK_EQ((int64_t)call(1, 0, 0, 0, 0), -1);
    CHECK_EQ((int64_t)call(77, 0, 0, 0, 0), -1);
}

TEST(send_ipi)
{
    begin();
    CHECK_EQ(call(10, 0xa, 0, 0, 0x41), 2);
    CHECK_EQ(targets(0x41), 0xa);
    CHECK_EQ(call(10, 3, 0, 2, 0x41), 2); /* from APIC id 2 on */
    CHECK_EQ(targets(0x41), 0xc);
    CHECK_EQ(call(10, 0, 1, 0, 0x41), 0);                   /* id 64: nobody */
    CHECK_EQ(call(10, 0xffffffff, 0, 0xffffffff, 0x41), 0); /* no broadcast, no wrap */
    CHECK_EQ(call(10, ~0ull, ~0ull, 0xfffffff0, 0x41), 0);
    CHECK_EQ(targets(0x41), 0);
    CHECK_EQ(call(10, 2, 0, 0, 0x400), 1);
    CHECK(fake_vcpu[1].requests & REQ_NMI);
    CHECK_EQ((int64_t)call(10, 2, 0, 0, 0x500), -22); /* INIT */
}

TEST(kick)
{
    begin();
    CHECK_EQ(call(5, 0, 2, 0, 0), 0);
    CHECK(fake_vcpu[2].pv.kicked);
    CHECK_EQ(call(5, 0, 9, 0, 0), 0);
    CHECK_EQ(call(5, 0, 0xffffffff, 0, 0), 0);
    CHECK_EQ(call(11, 3, 0, 0, 0), 0);
    CHECK(fake_cpu.resched);
    fake_cpu.resched = 0;
}

TEST(eoi_without_exit)
{
    begin();
    uint32_t *word = (uint32_t *)&words[1];
    CHECK(!pv_wrmsr(c, MSR_KVM_PV_EOI_EN, 0x500b));
    CHECK(pv_wrmsr(c, MSR_KVM_PV_EOI_EN, 0x5009));
    CHECK_EQ(foreign_pages, 1);
    vlapic_post(&c->lapic, 0x41, false);
    take_in(&c->lapic, 0x41);
    pv_eoi_taken(c, 0x41);
    CHECK_EQ(*word, 1);
    *word = 0; /* the guest ends it */
    pv_eoi_sync(c, false);
    CHECK_EQ(vlapic_isr_highest(&c->lapic), -1);
    CHECK(!c->pv.eoi_armed);
    /* another one waits: the guest must tell */
    vlapic_post(&c->lapic, 0x41, false);
    take_in(&c->lapic, 0x41);
    pv_eoi_taken(c, 0x41);
    vlapic_post(&c->lapic, 0x39, false);
    pv_eoi_sync(c, true);
    CHECK_EQ(*word, 0);
    CHECK_EQ(vlapic_isr_highest(&c->lapic), 0x41);
    pv_eoi_taken(c, 0x41);
    CHECK_EQ(*word, 0);
    /* level-triggered: the I/O APIC must hear */
    uint64_t zero = 0;
    vlapic_wrmsr(c, 0x80b, &zero);
    take_in(&c->lapic, 0x39);
    vlapic_wrmsr(c, 0x80b, &zero);
    vlapic_post(&c->lapic, 0x41, true);
    take_in(&c->lapic, 0x41);
    pv_eoi_taken(c, 0x41);
    CHECK_EQ(*word, 0);
    CHECK(pv_wrmsr(c, MSR_KVM_PV_EOI_EN, 0));
    CHECK_EQ(foreign_pages, 0);
}

static void take(void)
{
    c->irq.state = IRQ_TAKEN;
    event_taken(c);
}

/* The flag is set with the offer: that the interrupt was taken shows only later. */
TEST(eoi_before_the_exit)
{
    begin();
    uint32_t *word = (uint32_t *)&words[1];
    CHECK(pv_wrmsr(c, MSR_KVM_PV_EOI_EN, 0x5009));
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    CHECK_EQ(*word, 1);
    *word = 0; /* taken and ended */
    take();
    CHECK_EQ(vlapic_isr_highest(&c->lapic), -1);
    CHECK_EQ(c->irq.state, IRQ_IDLE);
    CHECK_EQ(c->stat[STAT_PV_EOI], 1);
    /* taken, not ended; then another comes, which needs the exit */
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    take();
    CHECK_EQ(vlapic_isr_highest(&c->lapic), 0x41);
    CHECK_EQ(*word, 1);
    vlapic_post(&c->lapic, 0x31, false);
    event_update(c);
    CHECK_EQ(*word, 0);
    uint64_t zero = 0;
    vlapic_wrmsr(c, 0x80b, &zero);
    event_update(c);
    CHECK_EQ(c->irq.vector, 0x31);
    CHECK_EQ(*word, 1);
    /* a second one before it is taken */
    vlapic_post(&c->lapic, 0x51, false);
    event_update(c);
    CHECK_EQ(c->irq.vector, 0x51);
    CHECK_EQ(*word, 0);
    take();
    CHECK_EQ(*word, 0);
    vlapic_wrmsr(c, 0x80b, &zero);
    event_update(c);
    CHECK_EQ(*word, 1);
    CHECK(pv_wrmsr(c, MSR_KVM_PV_EOI_EN, 0)); /* switched off while on offer */
    CHECK_EQ(*word, 0);
    take();
    CHECK_EQ(vlapic_isr_highest(&c->lapic), 0x31);
    CHECK_EQ(c->stat[STAT_PV_EOI], 1);
}

TEST(steal_time)
{
    begin();
    uint32_t *word = (uint32_t *)&words[8];
    CHECK(!pv_wrmsr(c, MSR_KVM_STEAL_TIME, 0x5043));
    CHECK(pv_wrmsr(c, MSR_KVM_STEAL_TIME, 0x5041));
    uint32_t version = word[2];
    CHECK_EQ(version & 1, 0);
    CHECK_EQ(words[8], 0);
    pv_preempted(c);
    CHECK_EQ(word[4], 1);
    fake_tsc += 10000000; /* 5 ms */
    pv_steal(c);
    CHECK_EQ(words[8], 5000000);
    CHECK_EQ(word[2], version + 2);
    CHECK_EQ(word[4], 0);
    word[2] = 7; /* the guest scribbles */
    pv_preempted(c);
    fake_tsc += 2000;
    pv_steal(c);
    CHECK_EQ(word[2] & 1, 0);
    CHECK_EQ(words[8], 5001000);
    uint64_t value = 0;
    CHECK(pv_rdmsr(c, MSR_KVM_STEAL_TIME, &value));
    CHECK_EQ(value, 0x5041);
    pv_unmap(c, 0x6000, 0x1000);
    CHECK_EQ(waits, 0);
    pv_unmap(c, 0x5000, 0x1000);
    CHECK_EQ(waits, 1);
    CHECK(!words_left);
    CHECK_EQ(pages_then, 1);
    CHECK_EQ(foreign_pages, 0);
    pv_preempted(c);
    pv_steal(c); /* nowhere to write */
}

TEST(pages_that_are_not_there)
{
    begin();
    CHECK(pv_wrmsr(c, MSR_KVM_PV_EOI_EN, 0x7009)); /* no memory */
    CHECK_EQ(foreign_pages, 0);
    CHECK(pv_wrmsr(c, MSR_KVM_PV_EOI_EN, 0xfffffffffffff001));
    CHECK_EQ(foreign_pages, 0);
    mapping.flags = 0; /* read-only */
    CHECK(pv_wrmsr(c, MSR_KVM_PV_EOI_EN, 0x5001));
    CHECK_EQ(foreign_pages, 0);
    mapping.flags = MAP_WRITE;
    CHECK(pv_wrmsr(c, MSR_KVM_PV_EOI_EN, 0x5009));
    CHECK(pv_wrmsr(c, MSR_KVM_STEAL_TIME, 0x5041)); /* the same page */
    CHECK_EQ(foreign_pages, 1);
    pv_reset(c, false);
    CHECK_EQ(foreign_pages, 0);
    CHECK_EQ(c->pv.eoi.msr | c->pv.steal.msr, 0);
}
