/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual machine control block. (AMD APM vol. 2, Appendix B "Layout of VMCB".) */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

struct vmcb_segment {
    uint16_t selector, attr;
    uint32_t limit;
    uint64_t base;
};

struct vmcb {
    uint16_t intercept_cr_read, intercept_cr_write;
    uint16_t intercept_dr_read, intercept_dr_write;
    uint32_t intercept_exceptions;
    uint32_t intercept_misc1, intercept_misc2, intercept_misc3;
    uint8_t reserved1[0x24];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm_base, msrpm_base;
    uint64_t tsc_offset;
    uint32_t asid;
    uint32_t tlb_control;
    uint32_t int_control;
    uint32_t int_vector;
    uint64_t int_shadow;
    uint64_t exit_code, exit_info1, exit_info2, exit_int_info;
    uint64_t np_enable;
    uint64_t avic_bar, ghcb;
    uint64_t event_inject;
    uint64_t n_cr3;
    uint64_t lbr_enable;
    uint32_t clean;
    uint32_t reserved2;
    uint64_t next_rip;
    uint8_t insn_count;
    uint8_t insn[15];
    uint8_t reserved3[0x320];

    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved4[0x2b];
    uint8_t cpl;
    uint32_t reserved5;
    uint64_t efer;
    uint8_t reserved6[0x70];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved7[0x58];
    uint64_t rsp;
    uint64_t s_cet, ssp, isst;
    uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t reserved8[0x20];
    uint64_t pat, debugctl, br_from, br_to, last_from, last_to;
    uint8_t reserved9[0x968];
};

#define VMCB_AT(field, offset) \
    _Static_assert(offsetof(struct vmcb, field) == (offset), "VMCB layout: " #field)
VMCB_AT(intercept_exceptions, 0x008);
VMCB_AT(intercept_misc3, 0x014);
VMCB_AT(pause_threshold, 0x03c);
VMCB_AT(iopm_base, 0x040);
VMCB_AT(tsc_offset, 0x050);
VMCB_AT(asid, 0x058);
VMCB_AT(int_control, 0x060);
VMCB_AT(int_shadow, 0x068);
VMCB_AT(exit_code, 0x070);
VMCB_AT(exit_int_info, 0x088);
VMCB_AT(np_enable, 0x090);
VMCB_AT(event_inject, 0x0a8);
VMCB_AT(n_cr3, 0x0b0);
VMCB_AT(clean, 0x0c0);
VMCB_AT(next_rip, 0x0c8);
VMCB_AT(insn_count, 0x0d0);
VMCB_AT(es, 0x400);
VMCB_AT(tr, 0x490);
VMCB_AT(cpl, 0x4cb);
VMCB_AT(efer, 0x4d0);
VMCB_AT(cr4, 0x548);
VMCB_AT(rip, 0x578);
VMCB_AT(rsp, 0x5d8);
VMCB_AT(rax, 0x5f8);
VMCB_AT(cr2, 0x640);
VMCB_AT(pat, 0x668);
VMCB_AT(last_to, 0x690);
_Static_assert(sizeof(struct vmcb) == 4096, "the VMCB is one page");

/* intercept_misc1 */
#define MISC1_INTR     (1u << 0)
#define MISC1_NMI      (1u << 1)
#define MISC1_INIT     (1u << 3)
#define MISC1_VINTR    (1u << 4)
#define MISC1_RDPMC    (1u << 15)
#define MISC1_CPUID    (1u << 18)
#define MISC1_IRET     (1u << 20)
#define MISC1_INVD     (1u << 22)
#define MISC1_PAUSE    (1u << 23)
#define MISC1_HLT      (1u << 24)
#define MISC1_INVLPGA  (1u << 26)
#define MISC1_IOIO     (1u << 27)
#define MISC1_MSR      (1u << 28)
#define MISC1_FERR     (1u << 30)
#define MISC1_SHUTDOWN (1u << 31)

/* intercept_misc2 */
#define MISC2_VMRUN      (1u << 0)
#define MISC2_VMMCALL    (1u << 1)
#define MISC2_VMLOAD     (1u << 2)
#define MISC2_VMSAVE     (1u << 3)
#define MISC2_STGI       (1u << 4)
#define MISC2_CLGI       (1u << 5)
#define MISC2_SKINIT     (1u << 6)
#define MISC2_ICEBP      (1u << 8)
#define MISC2_WBINVD     (1u << 9)
#define MISC2_MONITOR    (1u << 10)
#define MISC2_MWAIT      (1u << 11)
#define MISC2_MWAIT_COND (1u << 12)
#define MISC2_XSETBV     (1u << 13)
#define MISC2_RDPRU      (1u << 14)

/* intercept_misc3 */
#define MISC3_INVLPGB (1u << 0)
#define MISC3_MCOMMIT (1u << 3)
#define MISC3_TLBSYNC (1u << 4)

/* int_control */
#define INT_TPR_MASK  0xfu
#define INT_VIRQ      (1u << 8)
#define INT_PRIO(p)   ((uint32_t)(p) << 16)
#define INT_PRIO_MASK (0xfu << 16)
#define INT_IGN_TPR   (1u << 20)
#define INT_MASKING   (1u << 24)

/* tlb_control */
#define TLB_KEEP       0u
#define TLB_FLUSH_ALL  1u
#define TLB_FLUSH_ASID 3u

/* event_inject, exit_int_info */
#define EVT_VECTOR     0xffull
#define EVT_TYPE_SHIFT 8u
#define EVT_TYPE_MASK  7ull
#define EVT_INTR       0ull
#define EVT_NMI        2ull
#define EVT_EXC        3ull
#define EVT_SWINT      4ull
#define EVT_ERROR      (1ull << 11)
#define EVT_VALID      (1ull << 31)

/* clean bits */
#define CLEAN_I    (1u << 0)
#define CLEAN_PERM (1u << 1)
#define CLEAN_ASID (1u << 2)
#define CLEAN_TPR  (1u << 3)
#define CLEAN_NP   (1u << 4)
#define CLEAN_CR   (1u << 5)
#define CLEAN_DR   (1u << 6)
#define CLEAN_DT   (1u << 7)
#define CLEAN_SEG  (1u << 8)
#define CLEAN_CR2  (1u << 9)
#define CLEAN_LBR  (1u << 10)
#define CLEAN_ALL  0x7ffu

/* #VMEXIT codes (Appendix C). */
#define EXIT_CR8_WRITE  0x018u
#define EXIT_DR_READ    0x020u
#define EXIT_DR_WRITE   0x030u
#define EXIT_EXC        0x040u
#define EXIT_INTR       0x060u
#define EXIT_NMI        0x061u
#define EXIT_INIT       0x063u
#define EXIT_VINTR      0x064u
#define EXIT_RDPMC      0x06fu
#define EXIT_CPUID      0x072u
#define EXIT_IRET       0x074u
#define EXIT_INVD       0x076u
#define EXIT_PAUSE      0x077u
#define EXIT_HLT        0x078u
#define EXIT_INVLPGA    0x07au
#define EXIT_IOIO       0x07bu
#define EXIT_MSR        0x07cu
#define EXIT_FERR       0x07eu
#define EXIT_SHUTDOWN   0x07fu
#define EXIT_VMRUN      0x080u
#define EXIT_VMMCALL    0x081u
#define EXIT_VMLOAD     0x082u
#define EXIT_VMSAVE     0x083u
#define EXIT_STGI       0x084u
#define EXIT_CLGI       0x085u
#define EXIT_SKINIT     0x086u
#define EXIT_ICEBP      0x088u
#define EXIT_WBINVD     0x089u
#define EXIT_MONITOR    0x08au
#define EXIT_MWAIT      0x08bu
#define EXIT_MWAIT_COND 0x08cu
#define EXIT_XSETBV     0x08du
#define EXIT_RDPRU      0x08eu
#define EXIT_INVLPGB    0x0a0u
#define EXIT_MCOMMIT    0x0a3u
#define EXIT_TLBSYNC    0x0a4u
#define EXIT_NPF        0x400u

#endif
