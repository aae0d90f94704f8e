/* SPDX-License-Identifier: BSD-2-Clause */
/* Events: injection again after a cut-short delivery, double faults, offers; doorbells. */
#include "test.h"

#include "fake/virt_world.h"

#include "virt/doorbell.c"
#include "virt/event.c"
#include "virt/guest.c"
#include "virt/vlapic.c"
#include "virt/vlapic_timer.c"
#include "virt/vlapic_vectors.c"

static uint32_t pv_offers;
void pv_eoi_sync(struct vcpu *vcpu, bool cancel)
{
    (void)cancel;
    vcpu->pv.eoi_armed = false;
}
void pv_eoi_arm(struct vcpu *vcpu, uint8_t vector)
{
    (void)vector;
    vcpu->pv.eoi_early = true;
}
void pv_eoi_taken(struct vcpu *vcpu, uint8_t vector)
{
    (void)vector;
    vcpu->pv.eoi_early = false;
    pv_offers++;
}
void pv_eoi_disarm(struct vcpu *vcpu)
{
    vcpu->pv.eoi_early = false;
}
void pv_unmap(struct vcpu *vcpu, uint64_t address, uint64_t size)
{
    (void)vcpu;
    (void)address;
    (void)size;
}

static struct vcpu *const c = &fake_vcpu[0];

static void again(uint8_t type, uint8_t vector)
{
    event_again(c, &(struct vcpu_event){.type = type, .vector = vector});
}
static void taken(void)
{
    c->irq.state = IRQ_TAKEN;
    event_taken(c);
}

TEST(double_faults)
{
    fake_world();
    static const struct {
        uint8_t first, second, result;
    } table[] = {{13, 13, 8}, {14, 14, 8}, {14, 13, 8}, {13, 14, 14}, {0, 13, 8},
                 {1, 13, 13}, {13, 6, 6},  {14, 6, 6},  {17, 17, 17}};
    for (uint32_t i = 0; i < ARRAY_LEN(table); i++) {
        c->event.type = EVENT_NONE;
        again(EVENT_EXC, table[i].first);
        CHECK_EQ(event_exception(c, table[i].second, true, 4), RUN);
        CHECK_EQ(c->event.vector, table[i].result);
        CHECK_EQ(c->event.error, table[i].result == 8 ? 0 : 4);
    }
    c->event.type = EVENT_NONE;
    again(EVENT_EXC, 8);
    CHECK_EQ(event_exception(c, 13, true, 0), TO_VMM);
    CHECK_EQ(c->page->reason, VCPU_EXIT_SHUTDOWN);
}

TEST(nmi)
{
    fake_world();
    c->nmi_pending = true;
    c->block = VCPU_BLOCK_NMI;
    event_update(c);
    CHECK_EQ(c->event.type, EVENT_NONE);
    CHECK(!event_wakes(c));
    c->block = 0;
    CHECK(event_wakes(c)); /* also with IF=0 */
    event_update(c);
    CHECK_EQ(c->event.type, EVENT_NMI);
    CHECK(!c->nmi_pending);
    /* a fault while it was delivered: the fault first, the NMI stays */
    event_exception(c, 13, true, 0);
    CHECK_EQ(c->event.type, EVENT_EXC);
    CHECK(c->nmi_pending);
    CHECK(c->requests & REQ_NMI);
    /* an exception waits: the NMI has to */
    event_update(c);
    CHECK_EQ(c->event.vector, 13);
    CHECK(c->nmi_pending);
}

/* The CPU has taken a vector and the guest has ended it by PV EOI: the kernel has seen neither.
 * What is sent then is another interrupt. */
TEST(comes_again_before_the_kernel_sees_it_taken)
{
    fake_world();
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    c->irq.state = IRQ_TAKEN;
    vlapic_post(&c->lapic, 0x41, false);
    event_taken(c);
    CHECK_EQ(vlapic_isr_highest(&c->lapic), 0x41);
    CHECK_EQ(vlapic_irr_highest(&c->lapic), 0x41);
    vlapic_eoi(&c->lapic);
    event_update(c);
    CHECK_EQ(c->irq.state, IRQ_OFFERED);
    CHECK_EQ(c->irq.vector, 0x41);
}

/* The CPU delivers: pending and in service are words of the virtual-APIC page, 16 bytes apart. */
static uint32_t apic_page[1024];
static uint32_t *in_page(uint32_t offset, uint8_t vector)
{
    return &apic_page[offset / 4 + vector / 32 * 4];
}
static void direct_world(void)
{
    fake_world();
    memset(apic_page, 0xff, sizeof(apic_page));
    c->lapic.page = apic_page;
}

TEST(the_cpu_delivers)
{
    direct_world();
    vlapic_post(&c->lapic, 0x41, false);
    vlapic_post(&c->lapic, 0x95, true);
    uint32_t before = fake_offers;
    event_update(c);
    CHECK(c->lapic.direct);
    CHECK_EQ(fake_offers, before + 1);
    CHECK_EQ(c->irq.state, IRQ_IDLE);
    CHECK_EQ(*in_page(0x200, 0x41), 2);
    CHECK_EQ(*in_page(0x200, 0x95), 1u << 0x15);
    CHECK_EQ(*in_page(0x200, 0x21), 0);
    CHECK_EQ(*in_page(0x100, 0x41), 0);
    CHECK_EQ(vlapic_page_status(&c->lapic), 0x95);
    CHECK_EQ(vlapic_irr_highest(&c->lapic), 0x95);
    fake_reg[VREG_RFLAGS] = RFLAGS_IF;
    CHECK(event_wakes(c));
    /* the CPU takes it, and wakes for nothing of its class or below */
    *in_page(0x200, 0x95) = 0;
    *in_page(0x100, 0x95) = 1u << 0x15;
    CHECK_EQ(vlapic_page_status(&c->lapic), 0x9541);
    CHECK_EQ(vlapic_ppr(&c->lapic), 0x90);
    CHECK(!event_wakes(c));
    uint64_t value = 0;
    CHECK_EQ(vlapic_rdmsr(c, 0x814, &value), VLAPIC_OK);
    CHECK_EQ(value, 1u << 0x15);
    CHECK_EQ(vlapic_rdmsr(c, 0x822, &value), VLAPIC_OK);
    CHECK_EQ(value, 2);
    CHECK_EQ(vlapic_eoi(&c->lapic), 0x95); /* level */
    CHECK_EQ(vlapic_page_status(&c->lapic), 0x41);
    CHECK(event_wakes(c));
}

TEST(delivery_changes_hands)
{
    direct_world();
    c->lapic.svr = 0xff;
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    CHECK(!c->lapic.direct);
    c->lapic.svr = 0x1ff;
    event_update(c);
    CHECK(c->lapic.direct);
    *in_page(0x200, 0x41) = 0;
    *in_page(0x100, 0x41) = 2;
    *in_page(0x200, 0x52) = 1u << 0x12;
    c->lapic.svr = 0xff; /* disabled by software: both stay */
    event_update(c);
    CHECK(!c->lapic.direct);
    CHECK_EQ(vlapic_isr_highest(&c->lapic), 0x41);
    CHECK_EQ(vlapic_irr_highest(&c->lapic), 0x52);
    c->lapic.svr = 0x1ff;
    event_update(c);
    CHECK_EQ(vlapic_page_status(&c->lapic), 0x4152);
    CHECK_EQ(c->lapic.irr[2], 0);
    vlapic_reset(c, true);
    event_update(c);
    CHECK_EQ(vlapic_isr_highest(&c->lapic), -1);
    CHECK_EQ(vlapic_irr_highest(&c->lapic), -1);
}

/* What the VMM or a cut-short delivery brings goes in past the local APIC. */
TEST(events_past_the_cpu_that_delivers)
{
    direct_world();
    again(EVENT_INTR, 0x31);
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    CHECK_EQ(c->irq.state, IRQ_OFFERED);
    CHECK_EQ(c->irq.vector, 0x31);
    taken();
    CHECK_EQ(c->irq.state, IRQ_IDLE);
    CHECK_EQ(vlapic_page_status(&c->lapic), 0x41);
    c->pv.eoi_armed = true; /* while xAPIC mode was on */
    c->lapic.direct = false;
    event_update(c);
    CHECK(!c->pv.eoi_armed);
}

TEST(what_is_on_offer_is_pending)
{
    fake_world();
    c->lapic.svr = 0x1ff;
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    uint64_t value = 0;
    CHECK_EQ(vlapic_rdmsr(c, 0x822, &value), VLAPIC_OK); /* IRR of 40h to 5fh */
    CHECK_EQ(value, 2);
    vlapic_post(&c->lapic, 0x41, false); /* not taken yet: one interrupt */
    event_update(c);
    taken();
    CHECK_EQ(vlapic_irr_highest(&c->lapic), -1);
    vlapic_eoi(&c->lapic);
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    vlapic_reset(c, true);
    event_update(c);
    CHECK_EQ(c->irq.state, IRQ_IDLE);
}

TEST(offers)
{
    fake_world();
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    CHECK_EQ(c->irq.state, IRQ_OFFERED);
    CHECK_EQ(c->irq.vector, 0x41);
    CHECK(!c->irq.ignore_tpr);
    uint32_t offers = fake_offers;
    event_update(c);
    CHECK_EQ(fake_offers, offers); /* nothing new: the vendor is not asked */
    vlapic_post(&c->lapic, 0x61, false);
    event_update(c);
    CHECK_EQ(c->irq.vector, 0x61); /* replaces the one not taken yet */
    taken();
    CHECK_EQ(vlapic_isr_highest(&c->lapic), 0x61);
    CHECK_EQ(c->irq.state, IRQ_IDLE);
    CHECK_EQ(vlapic_irr_highest(&c->lapic), 0x41);
    vlapic_eoi(&c->lapic);
    event_update(c);
    CHECK_EQ(c->irq.vector, 0x41);
    taken();
    CHECK_EQ(pv_offers, 0);
    c->pv.eoi.msr = 1;
    vlapic_eoi(&c->lapic);
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    taken();
    CHECK_EQ(pv_offers, 1);
}

TEST(interrupted_interrupt)
{
    fake_world();
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    taken();
    /* its delivery faulted: it goes in again, not through the APIC, and before all others */
    again(EVENT_INTR, 0x41);
    vlapic_post(&c->lapic, 0x91, false);
    event_update(c);
    CHECK_EQ(c->irq.source, IRQ_FROM_EVENT);
    CHECK_EQ(c->irq.vector, 0x41);
    CHECK(c->irq.ignore_tpr);
    taken();
    CHECK_EQ(c->event_vector, 0);
    CHECK_EQ(c->irq.vector, 0x91); /* then the next */
    CHECK_EQ(vlapic_isr_highest(&c->lapic), 0x41);
}

TEST(extint)
{
    fake_world();
    vlapic_post(&c->lapic, 0x41, false);
    c->extint = 1;
    event_update(c);
    CHECK_EQ(c->irq.state, IRQ_WINDOW);
    c->lapic.lvt[LVT_LINT0] |= 0x10000;
    event_update(c);
    CHECK_EQ(c->irq.state, IRQ_OFFERED); /* masked at the pin */
    c->lapic.lvt[LVT_LINT0] = 0x30;
    event_update(c);
    CHECK_EQ(c->irq.state, IRQ_OFFERED); /* not as ExtINT */
    c->lapic.lvt[LVT_LINT0] = 0x700;
    event_update(c);
    CHECK_EQ(c->irq.state, IRQ_WINDOW);
    c->extint = 0;
    event_update(c);
    CHECK_EQ(c->irq.state, IRQ_OFFERED);
    CHECK_EQ(c->irq.vector, 0x41);
}

/* Only an unmasked LINT0 in mode ExtINT lets the 8259 through, or an APIC that is switched off. */
TEST(extint_by_lint0)
{
    fake_world();
    c->extint = 1;
    static const struct {
        uint32_t lvt, base;
        enum virq_state state;
    } table[] = {{0x700, APIC_BASE_ENABLE, IRQ_WINDOW},
                 {0x10700, APIC_BASE_ENABLE, IRQ_IDLE},
                 {0x00031, APIC_BASE_ENABLE, IRQ_IDLE},
                 {0x10700, 0, IRQ_WINDOW}};
    for (uint32_t i = 0; i < ARRAY_LEN(table); i++) {
        c->lapic.lvt[LVT_LINT0] = table[i].lvt;
        c->lapic.base = APIC_BASE_RESET | table[i].base;
        event_update(c);
        CHECK_EQ(c->irq.state, table[i].state);
    }
}

TEST(nmi_waits_for_the_shadow)
{
    fake_world();
    c->nmi_pending = 2;
    c->block = VCPU_BLOCK_SHADOW;
    event_update(c);
    CHECK_EQ(c->event.type, EVENT_NONE);
    c->block = 0;
    event_update(c);
    CHECK_EQ(c->event.type, EVENT_NMI);
    CHECK_EQ(c->nmi_pending, 1); /* one more is latched */
}

TEST(wake_from_hlt)
{
    fake_world();
    CHECK(!event_wakes(c));
    vlapic_post(&c->lapic, 0x41, false);
    event_update(c);
    CHECK(!event_wakes(c)); /* IF=0 */
    fake_reg[VREG_RFLAGS] = RFLAGS_IF;
    CHECK(event_wakes(c));
    c->lapic.tpr = 0x40;
    CHECK(!event_wakes(c)); /* masked by its class */
    c->lapic.tpr = 0x3f;
    CHECK(event_wakes(c));
    fake_reg[VREG_RFLAGS] = 0;
    c->pv.kicked = true;
    CHECK(event_wakes(c));
    CHECK(!event_wakes(c)); /* once */
}

TEST(doorbells)
{
    struct doorbell_table table = {0};
    static struct notif notif;
    struct doorbell bell = {.kind = DOORBELL_PIO, .address = 0x1000, .notif = &notif, .bits = 1};
    fake_signals = 0;
    CHECK_EQ(doorbell_add(&table, &bell), OK);
    CHECK_EQ(doorbell_add(&table, &bell), ERR_EXISTS);
    bell.match = true;
    bell.bits = 2;
    bell.address = 0x1004;
    for (uint64_t value = 0; value < 100; value++) {
        bell.value = value;
        CHECK_EQ(doorbell_add(&table, &bell), OK);
    }
    CHECK_EQ(notif.obj.refs, 101);
    CHECK(doorbell_ring(&table, DOORBELL_PIO, 0x1000, 77));
    CHECK_EQ(fake_signals, 1);
    CHECK(!doorbell_ring(&table, DOORBELL_MMIO, 0x1000, 77));
    CHECK(!doorbell_ring(&table, DOORBELL_PIO, 0x1001, 77));
    CHECK(doorbell_ring(&table, DOORBELL_PIO, 0x1004, 99));
    CHECK(!doorbell_ring(&table, DOORBELL_PIO, 0x1004, 100));
    CHECK_EQ(fake_signals, 3);
    CHECK(doorbell_ring_any(&table, DOORBELL_PIO, 0x1000));
    CHECK(!doorbell_ring_any(&table, DOORBELL_PIO, 0x1004)); /* the value decides */
    bell.value = 50;
    struct doorbell *gone = doorbell_remove(&table, &bell);
    CHECK(gone != NULL && doorbell_remove(&table, &bell) == NULL);
    CHECK(!doorbell_ring(&table, DOORBELL_PIO, 0x1004, 50));
    doorbell_free(gone);
    doorbell_free_all(&table);
    CHECK_EQ(notif.obj.refs, 0);
    CHECK_EQ(table.count, 0);
    CHECK(!doorbell_ring(&table, DOORBELL_PIO, 0x1000, 77));
}
