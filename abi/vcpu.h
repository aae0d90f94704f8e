/* SPDX-License-Identifier: BSD-2-Clause */
/* The page a vCPU shares with its VMM, and the vendor-neutral exits. Kernel-owned, mapped writable
 * into the VMM. The VMM may write it at any time: the kernel reads each field once, and takes state
 * from it only on vcpu_run (groups in `dirty`) and vcpu_set. */
#ifndef ABI_VCPU_H
#define ABI_VCPU_H

#include <stdint.h>

enum vcpu_exit {
    VCPU_EXIT_NONE, /* vcpu_run was interrupted: kick, or notification (status NOTIFIED) */
    VCPU_EXIT_PIO,  /* exit.pio */
    VCPU_EXIT_MMIO, /* exit.mmio: access to a guest-physical address without (sufficient) mapping */
    VCPU_EXIT_RDMSR, /* exit.msr: rule MSR_RULE_VMM; answer with rax/rdx, advance RIP by insn_len */
    VCPU_EXIT_WRMSR, /* exit.msr */
    VCPU_EXIT_EXTINT,      /* the guest can take an ExtINT now (VMM asked with LAPIC_OP_EXTINT) */
    VCPU_EXIT_EOI,         /* exit.eoi: EOI of a level-triggered vector */
    VCPU_EXIT_INSN,        /* exit.insn: an intercepted instruction that needs decoding */
    VCPU_EXIT_SHUTDOWN,    /* triple fault; all state groups valid */
    VCPU_EXIT_INVALID,     /* the CPU refused the guest state; exit.invalid */
    VCPU_EXIT_TASK_SWITCH, /* exit.task */
    VCPU_EXIT_RESET,       /* this vCPU took an INIT in a state the kernel does not handle */
    VCPU_EXIT_HLT_IF0,     /* HLT with interrupts off, no NMI possible: the vCPU can never wake
                              (reported once) */
    VCPU_EXIT_DEBUG,       /* reserved for guest debugging */
    VCPU_EXITS
};

/* State groups: `valid` tells which are current in the page after an exit, `dirty` which the VMM
 * changed and vcpu_run must load. GPRs other than RAX and RSP live in the page and are always both.
 */
#define VCPU_GROUP_CORE    0x001u /* rax, rsp, rip, rflags, interruptibility */
#define VCPU_GROUP_SEGS    0x002u /* es..tr, gdtr, idtr */
#define VCPU_GROUP_CTRL    0x004u /* cr0, cr2, cr3, cr4, efer, xcr0 */
#define VCPU_GROUP_DEBUG   0x008u /* dr0-3, dr6, dr7 */
#define VCPU_GROUP_SYSCALL 0x010u /* star, lstar, cstar, sfmask, kernel_gs_base, sysenter_* */
#define VCPU_GROUP_EVENTS  0x020u /* event: pending exception or interrupt to deliver next */
#define VCPU_GROUP_TIME    0x040u /* tsc_offset, tsc_aux, tsc_scale */
#define VCPU_GROUP_MISC    0x080u /* pat, spec_ctrl, run_state */
#define VCPU_GROUP_FPU     0x100u /* vcpu_get/vcpu_set only: XSAVE image in the second page */
#define VCPU_GROUP_CODE \
    0x200u /* exits only: base and attr of seg[CS], attr of seg[SS]: mode and privilege */
#define VCPU_GROUP_ALL 0x0ffu

/* Index into gpr[]: the encoding of ModRM. */
enum vcpu_gpr {
    GPR_RAX,
    GPR_RCX,
    GPR_RDX,
    GPR_RBX,
    GPR_RSP,
    GPR_RBP,
    GPR_RSI,
    GPR_RDI,
    GPR_R8,
    GPR_R9,
    GPR_R10,
    GPR_R11,
    GPR_R12,
    GPR_R13,
    GPR_R14,
    GPR_R15,
    GPR_COUNT
};

/* Segment order: the encoding of Sreg in ModRM. */
enum vcpu_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* attr: type 3:0, S 4, DPL 6:5, P 7, AVL 8, L 9, D/B 10, G 11 (VMCB layout), unusable 12. */
#define SEG_ATTR_S        0x0010u
#define SEG_ATTR_P        0x0080u
#define SEG_ATTR_L        0x0200u
#define SEG_ATTR_DB       0x0400u
#define SEG_ATTR_G        0x0800u
#define SEG_ATTR_UNUSABLE 0x1000u
#define SEG_ATTR_DPL(a)   (((a) >> 5) & 3u)

struct vcpu_segment { /* in the order of a VMCB's, so that SVM copies two words */
    uint16_t selector;
    uint16_t attr;
    uint32_t limit; /* bytes, already scaled by G */
    uint64_t base;
};

struct vcpu_table {
    uint64_t base;
    uint32_t limit;
    uint32_t pad;
};

#define EVENT_NONE  0u
#define EVENT_INTR  1u /* external interrupt with vector */
#define EVENT_NMI   2u
#define EVENT_EXC   3u /* exception, vector and maybe error code */
#define EVENT_SWINT 4u /* INT n, with insn_len */

struct vcpu_event {
    uint8_t type; /* EVENT_* */
    uint8_t vector;
    uint8_t has_error;
    uint8_t insn_len;
    uint32_t error;
};

#define PIO_IN     0x01u
#define PIO_STRING 0x02u /* INS/OUTS: needs decoding */
#define PIO_REP    0x04u

#define MMIO_READ     0x01u
#define MMIO_WRITE    0x02u
#define MMIO_FETCH    0x04u
#define MMIO_PAGEWALK 0x08u /* the access was the CPU's own, to a guest page table */
#define MMIO_DELIVERY 0x10u /* an exception was being delivered: no instruction's access */

enum vcpu_insn {
    INSN_INVD,
    INSN_WBINVD,
    INSN_MONITOR,
    INSN_MWAIT,
    INSN_RDPMC,
    INSN_CR,
    INSN_DR,
    INSN_DESC_TABLE,
    INSN_OTHER
};

#define VCPU_RUN_RUNNABLE  0u
#define VCPU_RUN_HALTED    1u
#define VCPU_RUN_WAIT_SIPI 2u

#define VCPU_BLOCK_NMI    0x1u /* NMIs blocked until IRET */
#define VCPU_BLOCK_SHADOW 0x2u /* interrupt shadow (STI, MOV SS) */

struct vcpu_page {
    uint64_t gpr[GPR_COUNT];
    uint64_t rip, rflags;

    uint32_t reason;    /* enum vcpu_exit */
    uint32_t valid;     /* VCPU_GROUP_* */
    uint32_t dirty;     /* VCPU_GROUP_*, set by the VMM, cleared by vcpu_run */
    uint8_t insn_len;   /* length of the instruction that exited; 0: not known, decode */
    uint8_t insn_count; /* bytes in insn[] (decode assist); 0: fetch them */
    uint8_t insn[14];
    uint32_t block; /* VCPU_BLOCK_*, group CORE */

    union {
        struct {
            uint16_t port;
            uint8_t size;  /* 1, 2, 4 */
            uint8_t flags; /* PIO_* */
            uint64_t next_rip;
        } pio; /* OUT: value in gpr[RAX]; IN: write gpr[RAX], set rip=next_rip, dirty CORE */
        struct {
            uint64_t gpa;
            uint64_t gla;   /* guest-linear, if gla_valid */
            uint32_t flags; /* MMIO_* */
            uint32_t gla_valid;
        } mmio;
        struct {
            uint32_t index;
            uint64_t value; /* WRMSR: EDX:EAX */
        } msr;
        struct {
            uint32_t vector;
        } eoi;
        struct {
            uint32_t which;  /* enum vcpu_insn */
            uint32_t number; /* CR or DR number */
            uint64_t info;   /* raw qualification, for messages only */
        } insn_exit;
        struct {
            uint64_t code; /* raw hardware code, for messages only */
            uint64_t info;
            char rule[64]; /* the violated rule's name, if the kernel knows; abi/vmx_state.h */
        } invalid;
        struct {
            uint16_t selector;
            uint8_t source; /* 0 CALL, 1 IRET, 2 JMP, 3 task gate */
            uint8_t has_error;
            uint32_t error;
            struct vcpu_event event; /* what was being delivered through the task gate */
        } task;
        uint64_t raw[16];
    } exit;

    /* group SEGS */
    struct vcpu_segment seg[SEG_COUNT];
    struct vcpu_table gdtr, idtr;
    /* group CTRL */
    uint64_t cr0, cr2, cr3, cr4, efer, xcr0;
    /* group DEBUG */
    uint64_t dr[4], dr6, dr7;
    /* group SYSCALL */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    /* group EVENTS */
    struct vcpu_event event;
    /* group TIME: guest TSC = host TSC * tsc_scale + tsc_offset */
    uint64_t tsc_offset, tsc_aux;
    /* group MISC */
    uint64_t pat, spec_ctrl;
    uint32_t run_state; /* VCPU_RUN_* */
    uint32_t pad0;
    uint64_t apic_base; /* IA32_APIC_BASE */
    /* group TIME, with ASSIST_TSC_SCALING: 48 bits of fraction, TSC_SCALE_MIN to MAX; 0: 1.0 */
    uint64_t tsc_scale;
};
#define TSC_SCALE_MIN (1ull << 16)
#define TSC_SCALE_MAX ((1ull << 56) - 1)

_Static_assert(sizeof(struct vcpu_page) <= 2048, "the exit page leaves room for the future");

/* guest_msr(): what a guest's access to an MSR does. Unlisted MSRs: #GP and a counter. */
enum msr_rule {
    MSR_RULE_FAULT,    /* #GP(0) */
    MSR_RULE_CONSTANT, /* reads give `value`, writes are ignored */
    MSR_RULE_READONLY, /* reads give `value`, writes #GP(0) */
    MSR_RULE_SHADOW,   /* per-vCPU cell, starts with `value` */
    MSR_RULE_VMM,      /* VCPU_EXIT_RDMSR / VCPU_EXIT_WRMSR */
    MSR_RULES
};

/* guest_cpuid(): key flags. */
#define CPUID_KEY_SUBLEAF 0x1u /* the entry is for one subleaf (ECX) only */

#define GUEST_DIRTY_STEP (32ull << 20) /* bytes a guest_dirty() */

/* guest_doorbell() kinds. */
#define DOORBELL_PIO    0u
#define DOORBELL_MMIO   1u
#define DOORBELL_REMOVE 0x10u
#define DOORBELL_MATCH  0x20u /* only when the value written equals `value` */

/* vcpu_lapic() operations. */
enum lapic_op {
    LAPIC_OP_READ,   /* reg: xAPIC offset 0x000..0x3f0 -> value */
    LAPIC_OP_WRITE,  /* reg: xAPIC offset, value */
    LAPIC_OP_EXTINT, /* value 1: an ExtINT is pending at LINT0, 0: withdrawn */
    LAPIC_OP_NMI,    /* pulse NMI */
    LAPIC_OP_BASE,   /* value: IA32_APIC_BASE as a write */
    LAPIC_OP_INIT,   /* INIT signal */
    /* CR8 works in every mode of the APIC: the VMM emulates MOV CR8 with these. value: TPR */
    LAPIC_OP_TPR_READ,
    LAPIC_OP_TPR_WRITE
};

/* Per-vCPU counters, read with vcpu_stats() into the UTCB, in this order. Always on. */
enum vcpu_stat {
    STAT_EXITS,
    STAT_INTR,
    STAT_PIO,
    STAT_MMIO,
    STAT_CPUID,
    STAT_RDMSR,
    STAT_WRMSR,
    STAT_HLT,
    STAT_PAUSE,
    STAT_HYPERCALL,
    STAT_DOORBELL,
    STAT_EOI,
    STAT_ICR,
    STAT_TIMER,
    STAT_XSETBV,
    STAT_EXC,
    STAT_NPF,
    STAT_CR,
    STAT_INJECT_INTR,
    STAT_INJECT_NMI,
    STAT_INJECT_EXC,
    STAT_MSR_FAULT,
    STAT_TO_VMM,
    STAT_RUN_TSC,
    STAT_STEAL_TSC,
    STAT_LAST_CPU,
    STAT_PV_EOI, /* ended without an exit */
    STAT_DIRTY, /* with ASSIST_PML: pages of 4 KiB that it was the first to write, see guest_dirty()
                 */
    VCPU_STATS
};

#endif
