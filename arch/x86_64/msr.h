/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers that the platform code uses, by the manuals' names. */
#ifndef ARCH_MSR_H
#define ARCH_MSR_H

#define IA32_APIC_BASE         0x1bu
#define APIC_BASE_BSP          (1ull << 8)
#define APIC_BASE_EXTD         (1ull << 10)
#define APIC_BASE_EN           (1ull << 11)
#define IA32_SPEC_CTRL         0x48u
#define SPEC_CTRL_IBRS         (1ull << 0)
#define SPEC_CTRL_STIBP        (1ull << 1)
#define IA32_PRED_CMD          0x49u
#define PRED_CMD_IBPB          (1ull << 0)
#define IA32_ARCH_CAPABILITIES 0x10au
#define IA32_FLUSH_CMD         0x10bu
#define FLUSH_CMD_L1D          (1ull << 0)
#define IA32_SYSENTER_CS       0x174u
#define IA32_PAT               0x277u
#define IA32_TSC_DEADLINE      0x6e0u
#define X2APIC_MSR             0x800u /* register of xAPIC offset 0xNN0 is 0x800 + NN */
#define IA32_EFER              0xc0000080u
#define EFER_SCE               (1ull << 0)
#define EFER_NXE               (1ull << 11)
#define EFER_AIBRSE            (1ull << 21)
#define IA32_STAR              0xc0000081u
#define IA32_LSTAR             0xc0000082u
#define IA32_FMASK             0xc0000084u
#define IA32_FS_BASE           0xc0000100u
#define IA32_GS_BASE           0xc0000101u
#define IA32_KERNEL_GS_BASE    0xc0000102u
#define IA32_TSC_AUX           0xc0000103u
#define AMD_DE_CFG             0xc0011029u
#define DE_CFG_LFENCE          (1ull << 1)

#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)

#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

#endif
