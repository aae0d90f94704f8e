/* SPDX-License-Identifier: BSD-2-Clause */
/* Architectural constants that the VMM needs; names as in the AMD64 and Intel manuals. */
#ifndef VMM_X86_H
#define VMM_X86_H

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_DE         (1ull << 3)
#define CR4_PSE        (1ull << 4)
#define CR4_PAE        (1ull << 5)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_UMIP       (1ull << 11)
#define CR4_LA57       (1ull << 12)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)
#define CR4_GUEST_BITS 0x00750fffull /* all that the CPUID policy can let a guest set */

#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)

#define RFLAGS_CF       (1ull << 0)
#define RFLAGS_ONE      (1ull << 1)
#define RFLAGS_PF       (1ull << 2)
#define RFLAGS_AF       (1ull << 4)
#define RFLAGS_ZF       (1ull << 6)
#define RFLAGS_SF       (1ull << 7)
#define RFLAGS_TF       (1ull << 8)
#define RFLAGS_IF       (1ull << 9)
#define RFLAGS_DF       (1ull << 10)
#define RFLAGS_OF       (1ull << 11)
#define RFLAGS_IOPL     (3ull << 12)
#define RFLAGS_NT       (1ull << 14)
#define RFLAGS_RF       (1ull << 16)
#define RFLAGS_VM       (1ull << 17)
#define RFLAGS_AC       (1ull << 18)
#define RFLAGS_ARITH    (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define RFLAGS_WRITABLE 0x003f7fd5ull /* bits that exist; the others read as fixed values */

#define VECTOR_DE 0u
#define VECTOR_DB 1u
#define VECTOR_UD 6u
#define VECTOR_NM 7u
#define VECTOR_TS 10u
#define VECTOR_NP 11u
#define VECTOR_SS 12u
#define VECTOR_GP 13u
#define VECTOR_PF 14u
#define VECTOR_AC 17u

/* #PF error code. */
#define PF_PRESENT 0x01u
#define PF_WRITE   0x02u
#define PF_USER    0x04u
#define PF_RSVD    0x08u
#define PF_FETCH   0x10u

#define DR6_BS 0x4000ull
#define DR6_BT 0x8000ull
#define DR7_GD 0x2000ull

#endif
