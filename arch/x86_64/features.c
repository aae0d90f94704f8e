/* SPDX-License-Identifier: BSD-2-Clause */
/* The control registers that follow from what CPUID says (boot/features.c). */
#include "arch/x86_64/insn.h"
#include "arch/x86_64/mitigations.h"
#include "arch/x86_64/msr.h"
#include "arch/x86_64/platform.h"

struct cpu_features features;

/* PA0 WB, PA1 WC, PA2 UC-, PA3 UC, PA4 WB, PA5 WT, PA6 UC-, PA7 UC. PA1 is WC and not WT, so that
 * PWT alone means write combining in every page size. */
#define PAT_VALUE 0x0007040600070106ull

static uint64_t cr4_value(void)
{
    uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    cr4 |= features.smep ? CR4_SMEP : 0;
    cr4 |= features.smap ? CR4_SMAP : 0;
    cr4 |= features.umip ? CR4_UMIP : 0;
    cr4 |= features.fsgsbase ? CR4_FSGSBASE : 0;
    cr4 |= features.xsave ? CR4_OSXSAVE : 0;
    return cr4;
}

void cpu_init_registers(void)
{
    uint64_t cr0 = read_cr0();
    cr0 &= ~(CR0_EM | CR0_AM | CR0_NW | CR0_CD);
    write_cr0(cr0 | CR0_WP | CR0_NE | CR0_MP | CR0_TS);
    write_cr4(cr4_value());
    wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_SCE | (features.nx ? EFER_NXE : 0));
    wrmsr(IA32_PAT, PAT_VALUE);
    if (features.xsave)
        xsetbv0(features.xcr0);
    /* The TLB may hold translations with the old PAT. */
    write_cr3(read_cr3());
    mitigations_init_cpu();
}
