/* SPDX-License-Identifier: BSD-2-Clause */
#include "virt/vlapic.h"

#include "virt/guest.h"
#include "virt/vcpu.h"
#include "virt/vlapic_timer.h"

#define REG_ID      0x02u
#define REG_VERSION 0x03u
#define REG_TPR     0x08u
#define REG_APR     0x09u
#define REG_PPR     0x0au
#define REG_EOI     0x0bu
#define REG_RRD     0x0cu
#define REG_LDR     0x0du
#define REG_DFR     0x0eu
#define REG_SVR     0x0fu
#define REG_ISR     0x10u
#define REG_TMR     0x18u
#define REG_IRR     0x20u
#define REG_ESR     0x28u
#define REG_ICR     0x30u
#define REG_ICR2    0x31u
#define REG_LVT     0x32u
#define REG_INITIAL 0x38u
#define REG_CURRENT 0x39u
#define REG_DIVIDE  0x3eu
#define REG_SELF    0x3fu

#define VERSION     (0x14u | (LVTS - 1) << 16)
#define ESR_SEND    0x20u
#define ESR_ILLEGAL 0x80u
#define ESR_RECV    0x40u

static uint32_t load_word(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static uint32_t x2_ldr(uint32_t id)
{
    return (id >> 4) << 16 | 1u << (id & 15);
}

static bool matches_logical(const struct vlapic *lapic, const struct apic_message *m)
{
    if (vlapic_x2(lapic)) {
        uint32_t ldr = x2_ldr(lapic->id);
        if (!m->x2) /* an 8-bit destination reaches cluster 0 */
            return ldr >> 16 == 0 && (ldr & m->dest & 0xff) != 0;
        return ldr >> 16 == m->dest >> 16 && (ldr & m->dest & 0xffff) != 0;
    }
    uint32_t mda = m->dest & 0xff, ldr = lapic->ldr >> 24;
    if (lapic->dfr >> 28 == 0xf) /* flat */
        return (ldr & mda) != 0;
    if (mda == 0xff)
        return true;
    return (ldr & 0xf0) == (mda & 0xf0) && (ldr & mda & 0xf) != 0;
}

bool vlapic_matches(const struct vlapic *lapic, const struct apic_message *m)
{
    if (!(lapic->base & APIC_BASE_ENABLE))
        return false;
    if (m->dest == (m->x2 ? 0xffffffffu : 0xffu))
        return true;
    return m->logical ? matches_logical(lapic, m) : m->dest == lapic->id;
}

void vlapic_reset(struct vcpu *vcpu, bool init)
{
    struct vlapic *lapic = &vcpu->lapic;
    vlapic_timer_stop(lapic);
    if (!lapic->irr)
        lapic->irr = lapic->own_irr;
    for (uint32_t i = 0; i < 8; i++) {
        __atomic_store_n(&lapic->irr[i], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&lapic->tmr[i], 0, __ATOMIC_RELAXED);
        lapic->isr[i] = 0;
    }
    lapic->lent = 0;
    lapic->direct = false;
    lapic->tpr = 0;
    lapic->ldr = 0;
    lapic->dfr = 0xffffffffu;
    lapic->svr = 0xff;
    lapic->esr = lapic->esr_pending = lapic->icr = lapic->icr2 = 0;
    lapic->timer_initial = lapic->timer_divide = 0;
    for (uint32_t i = 0; i < LVTS; i++)
        lapic->lvt[i] = LVT_MASKED;
    if (!init) {
        lapic->id = vcpu->apic_id;
        lapic->base = APIC_BASE_RESET | APIC_BASE_ENABLE | (vcpu->apic_id == 0 ? APIC_BASE_BSP : 0);
    }
    /* Virtual wire, as firmware leaves it: a guest that is booted without firmware expects it. */
    if (lapic->base & APIC_BASE_BSP)
        lapic->lvt[LVT_LINT0] = (uint32_t)APIC_EXTINT << 8;
    vcpu_note(vcpu, REQ_IRQ);
}

/* An error: the guest reads ESR after writing it; the error LVT may tell at once. */
static void raise_error(struct vcpu *vcpu, uint32_t bit)
{
    struct vlapic *lapic = &vcpu->lapic;
    uint32_t lvt = lapic->lvt[LVT_ERROR];
    bool fresh = !(lapic->esr_pending & bit);
    lapic->esr_pending |= bit;
    if (fresh && !(lvt & LVT_MASKED) && (lvt & 0xff) >= 16) {
        vlapic_post(lapic, (uint8_t)lvt, false);
        vcpu_note(vcpu, REQ_IRQ);
    }
}

static void post_self(struct vcpu *vcpu, uint8_t vector)
{
    if (vector < 16) {
        raise_error(vcpu, ESR_RECV);
        return;
    }
    vlapic_post(&vcpu->lapic, vector, false);
    vcpu_note(vcpu, REQ_IRQ);
}

/* (Intel SDM vol. 3, "Issuing Interprocessor Interrupts".) */
static void send_ipi(struct vcpu *vcpu, uint32_t icr, uint32_t dest)
{
    struct vlapic *lapic = &vcpu->lapic;
    struct apic_message m = {.dest = dest,
                             .vector = (uint8_t)icr,
                             .mode = (icr >> 8) & 7,
                             .logical = (icr & 0x800u) != 0,
                             .x2 = vlapic_x2(lapic)};
    uint32_t shorthand = (icr >> 18) & 3;
    vcpu->stat[STAT_ICR]++;
    if ((m.mode == APIC_FIXED || m.mode == APIC_LOWEST) && m.vector < 16) {
        raise_error(vcpu, ESR_SEND);
        return;
    }
    /* INIT level de-assert: for APICs of another age; no effect. */
    if (m.mode == APIC_INIT && (icr & 0xc000u) == 0x8000u)
        return;
    if (shorthand == 1) {
        if (m.mode == APIC_FIXED)
            post_self(vcpu, m.vector);
        return;
    }
    if (shorthand >= 2) {
        m.dest = m.x2 ? 0xffffffffu : 0xffu;
        m.logical = false;
    }
    guest_deliver(vcpu->guest, &m, shorthand == 3 ? vcpu : NULL);
}

static void write_svr(struct vcpu *vcpu, uint32_t value)
{
    struct vlapic *lapic = &vcpu->lapic;
    lapic->svr = value & 0x1ff;
    if (!(lapic->svr & 0x100))
        for (uint32_t i = 0; i < LVTS; i++)
            lapic->lvt[i] |= LVT_MASKED;
    vcpu_note(vcpu, REQ_IRQ);
}

bool vlapic_extint(const struct vlapic *lapic)
{
    uint32_t lvt = load_word(&lapic->lvt[LVT_LINT0]);
    if (!(lapic->base & APIC_BASE_ENABLE))
        return true;
    return !(lvt & LVT_MASKED) && (lvt >> 8 & 7) == APIC_EXTINT;
}

void vlapic_lint0_rises(struct vcpu *vcpu)
{
    uint32_t lvt = load_word(&vcpu->lapic.lvt[LVT_LINT0]);
    if (!(vcpu->lapic.base & APIC_BASE_ENABLE) || (lvt & LVT_MASKED))
        return;
    switch ((enum apic_mode)(lvt >> 8 & 7)) {
    case APIC_FIXED:
        if ((lvt & 0xff) >= 16 && vlapic_enabled(&vcpu->lapic))
            vlapic_post(&vcpu->lapic, (uint8_t)lvt, false);
        return;
    case APIC_NMI:
        vcpu_send_nmi(vcpu);
        return;
    case APIC_INIT:
        vcpu_request(vcpu, REQ_INIT);
        return;
    default: /* ExtINT follows the level: vlapic_extint() */
        return;
    }
}

static const uint32_t lvt_bits[LVTS] = {
    [LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
    [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff,
};

/* Delivery status; remote IRR of the two pins. Written as what was read, so a write of 1 is no
 * fault. */
static uint32_t lvt_read_only(uint32_t which)
{
    return which == LVT_LINT0 || which == LVT_LINT1 ? 0x5000u : 0x1000u;
}

static void write_lvt(struct vcpu *vcpu, enum vlapic_lvt which, uint32_t value)
{
    struct vlapic *lapic = &vcpu->lapic;
    value &= lvt_bits[which];
    if (!(lapic->svr & 0x100))
        value |= LVT_MASKED;
    if (which == LVT_TIMER)
        vlapic_timer_set_lvt(vcpu, value);
    lapic->lvt[which] = value;
    if (which == LVT_LINT0)
        vcpu_note(vcpu, REQ_IRQ);
}

static enum vlapic_result write_eoi(struct vcpu *vcpu, uint64_t *value)
{
    vcpu->stat[STAT_EOI]++;
    if (vcpu->pv.eoi_armed)
        pv_eoi_sync(vcpu, true);
    int vector = vlapic_eoi(&vcpu->lapic);
    if (vlapic_irr_highest(&vcpu->lapic) >= 0)
        vcpu_note(vcpu, REQ_IRQ); /* it may have waited for this */
    if (vector < 0)
        return VLAPIC_OK;
    *value = (uint64_t)vector;
    return VLAPIC_EOI;
}

/* Registers that both modes write alike; reg is the offset / 16. */
static enum vlapic_result write_register(struct vcpu *vcpu, uint32_t reg, uint64_t *value)
{
    struct vlapic *lapic = &vcpu->lapic;
    uint32_t v = (uint32_t)*value;
    switch (reg) {
    case REG_TPR:
        lapic->tpr = (uint8_t)v;
        vcpu_note(vcpu, REQ_IRQ);
        return VLAPIC_OK;
    case REG_EOI:
        return write_eoi(vcpu, value);
    case REG_SVR:
        write_svr(vcpu, v);
        return VLAPIC_OK;
    case REG_ESR:
        lapic->esr = lapic->esr_pending;
        lapic->esr_pending = 0;
        return VLAPIC_OK;
    case REG_LVT ... REG_LVT + LVTS - 1:
        write_lvt(vcpu, (enum vlapic_lvt)(reg - REG_LVT), v);
        return VLAPIC_OK;
    case REG_INITIAL:
        vlapic_timer_set_initial(vcpu, v);
        return VLAPIC_OK;
    case REG_DIVIDE:
        vlapic_timer_set_divide(vcpu, v & 0xb);
        return VLAPIC_OK;
    default:
        return VLAPIC_FAULT;
    }
}

static enum vlapic_result read_register(struct vcpu *vcpu, uint32_t reg, uint64_t *value)
{
    const struct vlapic *lapic = &vcpu->lapic;
    switch (reg) {
    case REG_VERSION:
        *value = VERSION;
        break;
    case REG_TPR:
        *value = lapic->tpr;
        break;
    case REG_PPR:
        *value = vlapic_ppr(lapic);
        break;
    case REG_SVR:
        *value = lapic->svr;
        break;
    case REG_ISR ... REG_ISR + 7:
        *value = vlapic_in_service(lapic, reg - REG_ISR);
        break;
    case REG_TMR ... REG_TMR + 7:
        *value = load_word(&lapic->tmr[reg - REG_TMR]);
        break;
    case REG_IRR ... REG_IRR + 7:
        *value = vlapic_pending(lapic, reg - REG_IRR);
        break;
    case REG_ESR:
        *value = lapic->esr;
        break;
    case REG_LVT ... REG_LVT + LVTS - 1:
        *value = lapic->lvt[reg - REG_LVT];
        break;
    case REG_INITIAL:
        *value = lapic->timer_initial;
        break;
    case REG_CURRENT:
        *value = vlapic_timer_current(lapic);
        break;
    case REG_DIVIDE:
        *value = lapic->timer_divide;
        break;
    default:
        return VLAPIC_FAULT;
    }
    return VLAPIC_OK;
}

/* Memory-mapped registers do not fault: an illegal one sets ESR. In x2APIC mode, or when disabled,
 * there is nothing behind the page; the VMM asks only when the guest got there. */
enum vlapic_result vlapic_read(struct vcpu *vcpu, uint32_t offset, uint64_t *value)
{
    struct vlapic *lapic = &vcpu->lapic;
    *value = 0;
    if (!(lapic->base & APIC_BASE_ENABLE) || vlapic_x2(lapic)) {
        *value = 0xffffffffu;
        return VLAPIC_OK;
    }
    switch (offset >> 4) {
    case REG_ID:
        *value = (uint64_t)lapic->id << 24;
        return VLAPIC_OK;
    case REG_LDR:
        *value = lapic->ldr;
        return VLAPIC_OK;
    case REG_DFR:
        *value = lapic->dfr;
        return VLAPIC_OK;
    case REG_ICR:
        *value = lapic->icr;
        return VLAPIC_OK;
    case REG_ICR2:
        *value = lapic->icr2;
        return VLAPIC_OK;
    case REG_APR:
    case REG_RRD:
    case REG_EOI:
        return VLAPIC_OK;
    default:
        if (read_register(vcpu, offset >> 4, value) != VLAPIC_OK)
            raise_error(vcpu, ESR_ILLEGAL);
        return VLAPIC_OK;
    }
}

enum vlapic_result vlapic_write(struct vcpu *vcpu, uint32_t offset, uint64_t *value)
{
    struct vlapic *lapic = &vcpu->lapic;
    uint32_t v = (uint32_t)*value;
    if (!(lapic->base & APIC_BASE_ENABLE) || vlapic_x2(lapic))
        return VLAPIC_OK;
    switch (offset >> 4) {
    case REG_ID:
        lapic->id = v >> 24;
        return VLAPIC_OK;
    case REG_LDR:
        lapic->ldr = v & 0xff000000u;
        return VLAPIC_OK;
    case REG_DFR:
        lapic->dfr = v | 0x0fffffffu;
        return VLAPIC_OK;
    case REG_ICR:
        lapic->icr = v & ~0x1000u;
        send_ipi(vcpu, lapic->icr, lapic->icr2 >> 24);
        return VLAPIC_OK;
    case REG_ICR2:
        lapic->icr2 = v & 0xff000000u;
        return VLAPIC_OK;
    default:
        break;
    }
    enum vlapic_result result = write_register(vcpu, offset >> 4, value);
    if (result != VLAPIC_FAULT)
        return result;
    raise_error(vcpu, ESR_ILLEGAL);
    return VLAPIC_OK;
}

enum vlapic_result vlapic_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    const struct vlapic *lapic = &vcpu->lapic;
    if (!vlapic_x2(lapic))
        return VLAPIC_FAULT;
    switch (msr - X2APIC_MSR_FIRST) {
    case REG_ID:
        *value = lapic->id;
        return VLAPIC_OK;
    case REG_LDR:
        *value = x2_ldr(lapic->id);
        return VLAPIC_OK;
    case REG_ICR:
        *value = (uint64_t)lapic->icr2 << 32 | lapic->icr;
        return VLAPIC_OK;
    default:
        return read_register(vcpu, msr - X2APIC_MSR_FIRST, value);
    }
}

/* Reserved bits fault. (Intel SDM vol. 3, "x2APIC Register Address Space".) */
static bool reserved_bits(uint32_t reg, uint64_t value)
{
    switch (reg) {
    case REG_TPR:
    case REG_SELF:
        return value > 0xff;
    case REG_EOI:
    case REG_ESR:
        return value != 0;
    case REG_SVR:
        return (value & ~0x1ffull) != 0;
    case REG_LVT ... REG_LVT + LVTS - 1:
        return (value & ~(uint64_t)(lvt_bits[reg - REG_LVT] | lvt_read_only(reg - REG_LVT))) != 0;
    case REG_DIVIDE:
        return (value & ~0xbull) != 0;
    case REG_INITIAL:
        return value > 0xffffffffu;
    case REG_ICR:
        return (value & 0xfff32000u) != 0;
    default:
        return true;
    }
}

enum vlapic_result vlapic_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    struct vlapic *lapic = &vcpu->lapic;
    uint32_t reg = msr - X2APIC_MSR_FIRST;
    if (!vlapic_x2(lapic) || reserved_bits(reg, *value))
        return VLAPIC_FAULT;
    switch (reg) {
    case REG_ICR:
        lapic->icr = (uint32_t)*value & ~0x1000u; /* delivery status is always idle */
        lapic->icr2 = (uint32_t)(*value >> 32);
        send_ipi(vcpu, lapic->icr, lapic->icr2);
        return VLAPIC_OK;
    case REG_SELF:
        vcpu->stat[STAT_ICR]++;
        post_self(vcpu, (uint8_t)*value);
        return VLAPIC_OK;
    default:
        return write_register(vcpu, reg, value);
    }
}

/* (Intel SDM vol. 3, "x2APIC State Transitions".) The registers cannot move: the VMM maps no RAM at
 * the reset address, and nobody moves them. */
bool vlapic_set_base(struct vcpu *vcpu, uint64_t value)
{
    struct vlapic *lapic = &vcpu->lapic;
    uint64_t mode = APIC_BASE_ENABLE | APIC_BASE_EXTD;
    uint64_t from = lapic->base & mode, to = value & mode;
    if (value == lapic->base)
        return true;
    if ((value & ~(mode | APIC_BASE_BSP)) != APIC_BASE_RESET)
        return false;
    if (to == APIC_BASE_EXTD)
        return false;
    if (from == mode && to == APIC_BASE_ENABLE)
        return false;
    if (from == 0 && to == mode)
        return false;
    lapic->base = value;
    if (to == 0 && from != 0)
        vlapic_reset(vcpu, true);
    if (to == mode && from != mode) {
        lapic->id = vcpu->apic_id;
        lapic->ldr = x2_ldr(lapic->id);
    }
    vcpu_note(vcpu, REQ_IRQ);
    return true;
}
