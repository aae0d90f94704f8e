/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot program finds out about the CPU. */
#ifndef ARCH_CPU_FEATURES_H
#define ARCH_CPU_FEATURES_H

#include "abi/kinfo.h"
#include "lib/types.h"

struct cpu_features {
    enum cpu_vendor vendor;
    uint32_t family, model, stepping;
    uint32_t phys_bits, linear_bits;
    bool x2apic, tsc_deadline, invariant_tsc, nx, page1gb, smep, smap, umip, fsgsbase, xsave,
        xsaveopt, xsaves, avx, svm, vmx, rdtscp, monitor, mwait, ibrs, stibp, ibpb, ssbd,
        hypervisor;
    bool bochs; /* emulated: its firmware names itself, as QEMU's does, but no hypervisor does */
    bool tcg, error_pointers; /* QEMU's TCG; FXRSTOR and XRSTOR load FIP, FDP and FOP */
    /* mwait: MONITOR and MWAIT are fit for the idle loop */
    uint64_t xcr0;       /* state components the host enables */
    uint32_t xsave_size; /* bytes of the area for xcr0; 512 without XSAVE */
    char name[48];
};

/* Against speculation: what this CPU needs. */
struct mitigations {
    bool decided; /* anything at all */
    bool ibpb_on_switch, stibp, ibrs, auto_ibrs, rsb_fill, verw, l1d_flush, untrain_ret,
        lfence_serial;
};

#endif
