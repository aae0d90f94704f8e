/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual CPU. It has one owner at a time: the thread whose vcpu_run is in progress, or a system
 * call that claimed it for a moment. Only the owner touches its state; everybody else sets bits in
 * `requests`. */
#ifndef VIRT_VCPU_H
#define VIRT_VCPU_H

#include "kernel/thread.h"
#include "lib/tsc_math.h"
#include "virt/ops.h"
#include "virt/pv.h"
#include "virt/vlapic.h"

/* What others ask of a vCPU. Those in REQ_OUTSIDE need the host's state loaded. */
#define REQ_IRQ     0x01u /* something in the local APIC or the ExtINT line changed */
#define REQ_TIMER   0x02u /* the APIC timer fired */
#define REQ_NMI     0x04u
#define REQ_FLUSH   0x08u /* guest-physical mappings were removed */
#define REQ_KICK    0x10u /* vcpu_run returns */
#define REQ_INIT    0x20u
#define REQ_SIPI    0x40u
#define REQ_ABORT   0x80u  /* vcpu_run fails with abort_status */
#define REQ_EOI     0x100u /* eoi_vector ended by way of vcpu_lapic: tell the VMM */
#define REQ_POSTED  0x200u /* REQ_IRQ that stands while the guest runs on */
#define REQ_INSIDE  (REQ_IRQ | REQ_POSTED | REQ_TIMER | REQ_NMI | REQ_FLUSH)
#define REQ_OUTSIDE (REQ_KICK | REQ_INIT | REQ_SIPI | REQ_ABORT | REQ_EOI)

/* The external interrupt on its way into the guest. */
enum virq_state { IRQ_IDLE, IRQ_OFFERED, IRQ_TAKEN, IRQ_WINDOW };
enum virq_source { IRQ_FROM_LAPIC, IRQ_FROM_EVENT };
struct virq {
    uint8_t state, source;
    uint8_t vector;
    bool ignore_tpr;
};

struct vexit_info {
    uint64_t gpa, gla; /* NPF */
    uint64_t code, info;
    const char *rule; /* INVALID: which rule was broken; NULL: not known */
    uint32_t error;
    uint16_t port;
    uint8_t size, flags, vector, number;
    bool has_error, gla_valid;
    uint8_t insn_len; /* 0: not known */
    uint8_t insn_count;
    const uint8_t *insn;
    struct {
        uint16_t selector;
        uint8_t source;
    } task;
};

/* Legend: (c) constant, (w) owner only, (a) atomic. */
struct vcpu { /* OBJ_VCPU */
    struct obj obj;
    struct vcpu_page *page; /* (c) two pages: exits and registers, then the XSAVE image */
    void *hw;               /* (c) the vendor's part */
    _Atomic uint32_t requests;
    uint32_t apic_id;        /* (c) */
    uint64_t rax, rip;       /* (w) */
    uint64_t rsp, rflags;    /* (w) the vendor's, since leave() */
    uint32_t block;          /* (w) VCPU_BLOCK_* */
    bool stepping;           /* (w) RFLAGS.TF at the exit */
    uint8_t run_state;       /* (w) VCPU_RUN_* */
    bool flush;              /* (w) the next entry must not use old guest-physical translations */
    uint8_t nmi_pending;     /* (w) at most two: one to be taken, one latched behind it */
    uint8_t eoi_vector;      /* (w) see REQ_EOI */
    bool hlt_reported;       /* (w) VCPU_EXIT_HLT_IF0 was given */
    struct vcpu_event event; /* (w) goes in at the next entry: exception, NMI, INT n */
    struct virq irq;         /* (w) */
    uint16_t event_vector;   /* (w) EVENT_INTR of the VMM or cut short: vector | 0x100; 0: none */
    struct vexit_info x;     /* (w) */
    struct guest *guest;     /* (c) referenced */
    struct vlapic lapic;     /* (w) but for its atomic parts */
    uint64_t tsc_offset;     /* (w) */
    uint64_t tsc_scale;      /* (w) see struct vcpu_page */
    uint64_t tsc_adjust;     /* (w) */
    uint64_t tsc_aux;        /* (w) */
    uint64_t spec_ctrl;      /* (w) */
    uint64_t dr[4];          /* (w) when not in the CPU's registers */
    bool dr_loaded;          /* (w) dr[] is in the CPU */
    bool aux_loaded;         /* (w) tsc_aux is in the CPU, and not 0 */
    struct cpu *cpu;         /* (w) whose registers hold some of its state; NULL: none */
    struct fpu_area fpu;     /* (w) */
    uint64_t *shadow;        /* (w) cells of MSR_RULE_SHADOW, one page */
    struct pv pv;            /* (w) and object lock */
    struct thread *_Atomic thread; /* the owner; set and cleared by vcpu_claim() and disclaim */
    _Atomic uint32_t extint;       /* (a) the line at LINT0 */
    _Atomic uint32_t nmis;         /* (a) that came since REQ_NMI was served */
    _Atomic uint32_t sipi;         /* (a) vector of the last SIPI */
    int64_t abort_status;          /* before REQ_ABORT */
    uint32_t yield_turn;           /* (w) see vcpu_yield() */
    uint64_t entered, paused;      /* (w) TSC of the last enter, of the last preemption; 0: none */
    struct pd *pd;                 /* (c) domain with the page mapped, referenced */
    uint64_t page_va;              /* (c) */
    uint64_t stat[VCPU_STATS];
};
_Static_assert(sizeof(struct vcpu) <= 2048, "one slab object");

/* Asks something of a vCPU, from any CPU: makes it look at its requests soon. */
void vcpu_request(struct vcpu *vcpu, uint32_t bits);
/* Something edge-triggered was posted to the local APIC: REQ_IRQ, without an exit where the CPU
 * can.
 */
void vcpu_post(struct vcpu *vcpu);
/* An NMI arrives, from any CPU. */
static inline void vcpu_send_nmi(struct vcpu *vcpu)
{
    __atomic_fetch_add((uint32_t *)&vcpu->nmis, 1, __ATOMIC_RELAXED);
    vcpu_request(vcpu, REQ_NMI);
}
/* The owner asks itself: the bits are seen before the next entry. */
static inline void vcpu_note(struct vcpu *vcpu, uint32_t bits)
{
    __atomic_fetch_or((uint32_t *)&vcpu->requests, bits, __ATOMIC_RELAXED);
}
/* Drops thread->ran, which keeps the vCPU's memory while its state may be in the CPU. */
void vcpu_forget(struct thread *thread);
/* Becomes the owner; false: it runs, or someone else works on it. */
static inline bool vcpu_claim(struct vcpu *vcpu, struct thread *thread)
{
    struct thread *nobody = NULL;
    return __atomic_compare_exchange_n((struct thread **)&vcpu->thread, &nobody, thread, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}
static inline void vcpu_disclaim(struct vcpu *vcpu)
{
    __atomic_store_n((struct thread **)&vcpu->thread, NULL, __ATOMIC_RELEASE);
}

/* The owner gives its CPU away: to that vCPU of its guest if it waits for one; GUEST_VCPUS: to any
 * that does, by turns; else to whom the scheduler finds. */
void vcpu_yield(struct vcpu *vcpu, uint32_t apic_id);

/* What the loop does after an exit. */
enum verdict {
    RUN,    /* enter again */
    HOST,   /* host state first, then look again */
    TO_VMM, /* page->reason and page->exit are set; x_groups are still to be saved */
    DONE    /* only inside vcpu.c */
};
typedef enum verdict (*exit_handler)(struct vcpu *vcpu);
extern const exit_handler exit_handlers[VEXITS];

/* Returns `reason` to the VMM with these state groups. */
enum verdict vcpu_to_vmm(struct vcpu *vcpu, enum vcpu_exit reason, uint32_t groups);

/* The single-step trap behind an instruction that the kernel carried out. */
enum verdict vcpu_step_trap(struct vcpu *vcpu);

/* Past the instruction that exited; ends an interrupt shadow. */
static inline enum verdict vcpu_skip(struct vcpu *vcpu)
{
    vcpu->rip += vcpu->x.insn_len;
    vcpu->block &= ~VCPU_BLOCK_SHADOW;
    if (unlikely(vcpu->stepping))
        return vcpu_step_trap(vcpu);
    return RUN;
}
/* The guest's TSC at the host's time `tsc`. */
static inline uint64_t vcpu_tsc(const struct vcpu *vcpu, uint64_t tsc)
{
    return tsc_scaled(tsc, vcpu->tsc_scale) + vcpu->tsc_offset;
}
static inline struct guest *vcpu_guest(struct vcpu *vcpu)
{
    return vcpu->guest;
}

#endif
