/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's local APIC. Owned by whoever has claimed the vCPU; others may only call vlapic_post()
 * and vlapic_matches(). (Intel SDM vol. 3, "Advanced Programmable Interrupt Controller"; AMD APM
 * vol. 2, same title.) */
#ifndef VIRT_VLAPIC_H
#define VIRT_VLAPIC_H

#include "sched/timer.h"

#define APIC_BASE_BSP    (1ull << 8)
#define APIC_BASE_EXTD   (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_RESET  0xfee00000ull

#define X2APIC_MSR_FIRST 0x800u
#define X2APIC_MSR_EOI   0x80bu
#define X2APIC_MSR_LAST  0x8ffu

/* Delivery modes (ICR, LVT, MSI data bits 10:8). */
enum apic_mode {
    APIC_FIXED,
    APIC_LOWEST,
    APIC_SMI,
    APIC_RESERVED3,
    APIC_NMI,
    APIC_INIT,
    APIC_SIPI,
    APIC_EXTINT
};

#define LVT_MASKED 0x10000u
#define LVT_MODE   0x00700u

enum vlapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };

#define POSTED_NOTIFICATION 8u /* word of a posted-interrupt descriptor; bit 0 */

struct vlapic {
    /* own_irr, or the CPU's posted-interrupt descriptor: eight words and, in that, the bit
     * "outstanding notification". Atomic: any CPU sets, the owner or its CPU clears. */
    uint32_t *irr;
    uint32_t own_irr[8] __attribute__((aligned(8)));
    uint32_t tmr[8]; /* atomic: set with irr; 1: level */
    uint32_t isr[8];
    uint8_t lent; /* vector on offer to the CPU, not in irr; 0: none */
    /* Virtual-APIC page of a CPU that delivers interrupts by itself; (c), NULL: this one does not.
     * direct: it does now. IRR and ISR are in the page then, irr[] has what was posted since. */
    uint32_t *page;
    bool direct;
    uint8_t tpr;
    uint32_t id, ldr, dfr, svr, esr, esr_pending, icr2, icr;
    uint32_t lvt[LVTS];
    uint32_t timer_initial, timer_divide;
    uint64_t base;         /* IA32_APIC_BASE */
    uint64_t deadline;     /* guest's IA32_TSC_DEADLINE, 0: not armed */
    uint64_t timer_start;  /* host TSC at which the running count began */
    uint64_t timer_period; /* TSC cycles of timer_initial; 0: stopped */
    uint64_t due;          /* ASSIST_PREEMPT_TIMER: host TSC at which the timer runs out; 0: none */
    struct timer timer;
    bool sleeps; /* `timer` stands in for the CPU's preemption timer */
};

struct vcpu;
struct guest;

/* An interrupt message between APICs, or from a device. */
struct apic_message {
    uint32_t dest;
    uint8_t vector;
    uint8_t mode; /* enum apic_mode */
    bool logical, level;
    bool x2; /* dest is 32 bits wide, by x2APIC rules */
};

/* State after power-up; init: after INIT (identity and IA32_APIC_BASE stay). */
void vlapic_reset(struct vcpu *vcpu, bool init);
/* Sets a vector pending, from any CPU. The caller then requests REQ_IRQ. */
void vlapic_post(struct vlapic *lapic, uint8_t vector, bool level);
/* The CPU that runs the guest takes what is posted there, if it gets VEC_POSTED. From any CPU. */
static inline bool vlapic_posts(const struct vlapic *lapic)
{
    return lapic->irr != lapic->own_irr && __atomic_load_n(&lapic->direct, __ATOMIC_RELAXED);
}
/* Is this APIC addressed? From any CPU. */
bool vlapic_matches(const struct vlapic *lapic, const struct apic_message *m);
static inline bool vlapic_enabled(const struct vlapic *lapic) /* software and hardware */
{
    return (lapic->base & APIC_BASE_ENABLE) != 0 && (lapic->svr & 0x100u) != 0;
}
static inline bool vlapic_x2(const struct vlapic *lapic)
{
    return (lapic->base & APIC_BASE_EXTD) != 0;
}
/* Highest vector above everything in service, whatever TPR says; -1: none. */
int vlapic_highest(const struct vlapic *lapic);
/* Words 0 to 7 of ISR and IRR as the guest reads them. */
uint32_t vlapic_in_service(const struct vlapic *lapic, uint32_t i);
uint32_t vlapic_pending(const struct vlapic *lapic, uint32_t i);
/* Highest vector pending and in service; -1: none. */
int vlapic_irr_highest(const struct vlapic *lapic);
/* While a vector is on offer to the CPU it is out of IRR: the CPU takes it long before the kernel
 * sees that, and from then on the same vector can become pending again. Given back, it is pending.
 */
void vlapic_lend(struct vlapic *lapic, uint8_t vector);
void vlapic_give_back(struct vlapic *lapic);
int vlapic_isr_highest(const struct vlapic *lapic);
/* By the owner, before it is entered: lets the CPU deliver, as far as page and mode allow; true:
 * that has changed. With `direct` moves what was posted to the page. */
bool vlapic_delegate(struct vlapic *lapic);
/* The highest vector in service << 8 | the highest pending, in the page; 0: none. */
uint16_t vlapic_page_status(const struct vlapic *lapic);
uint8_t vlapic_ppr(const struct vlapic *lapic);
/* The CPU took the lent vector: it is in service. */
void vlapic_accept(struct vlapic *lapic);
/* End of interrupt. Vector that the VMM must know of (level-triggered), or -1. */
int vlapic_eoi(struct vlapic *lapic);
/* The same in x2APIC mode, when nothing waits for it and nobody must hear of it; false: it is not
 * that simple, and nothing has been done. */
static inline bool vlapic_eoi_alone(struct vlapic *lapic)
{
    if (!vlapic_x2(lapic) || lapic->direct)
        return false;
    const uint64_t *irr = (const uint64_t *)(const void *)lapic->irr;
    if (__atomic_load_n(&irr[0], __ATOMIC_RELAXED) | __atomic_load_n(&irr[1], __ATOMIC_RELAXED) |
        __atomic_load_n(&irr[2], __ATOMIC_RELAXED) | __atomic_load_n(&irr[3], __ATOMIC_RELAXED))
        return false;
    uint64_t *isr = (uint64_t *)(void *)lapic->isr;
    const uint64_t *tmr = (const uint64_t *)(const void *)lapic->tmr;
#pragma GCC unroll 4
    for (uint32_t i = 4; i-- > 0;) {
        if (!isr[i])
            continue;
        uint64_t bit = 1ull << 63 >> __builtin_clzll(isr[i]);
        if (__atomic_load_n(&tmr[i], __ATOMIC_RELAXED) & bit)
            return false;
        isr[i] &= ~bit;
        break;
    }
    return true;
}
/* The timer ran out: sets its vector pending, starts the next period. */
void vlapic_timer_expired(struct vcpu *vcpu);
/* The guest's TSC jumped: the deadline keeps its guest time. */
void vlapic_tsc_changed(struct vcpu *vcpu);

/* The line from the 8259 is at LINT0. Does it ask for an INTA cycle: ExtINT, or an APIC that is off
 * and lets it through? */
bool vlapic_extint(const struct vlapic *lapic);
/* The line goes up: what LINT0's other delivery modes make of it. From any CPU; the caller then
 * requests REQ_IRQ. */
void vlapic_lint0_rises(struct vcpu *vcpu);

/* Result of a register access. */
enum vlapic_result { VLAPIC_OK, VLAPIC_FAULT, VLAPIC_EOI /* *value: vector, for the VMM */ };
/* By xAPIC offset (0x000..0x3f0) or x2APIC MSR number. */
enum vlapic_result vlapic_read(struct vcpu *vcpu, uint32_t offset, uint64_t *value);
enum vlapic_result vlapic_write(struct vcpu *vcpu, uint32_t offset, uint64_t *value);
enum vlapic_result vlapic_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
enum vlapic_result vlapic_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool vlapic_set_base(struct vcpu *vcpu, uint64_t value); /* false: #GP */
uint64_t vlapic_deadline(const struct vlapic *lapic);
void vlapic_set_deadline(struct vcpu *vcpu, uint64_t guest_tsc);

#endif
