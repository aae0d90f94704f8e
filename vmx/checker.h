/* SPDX-License-Identifier: BSD-2-Clause */
/* After a VM entry that failed: which rule does the guest's state break? (Intel SDM vol. 3, "Checks
 * on the Guest State Area".) */
#ifndef VMX_CHECKER_H
#define VMX_CHECKER_H

#include "abi/vcpu.h"
#include "lib/types.h"

struct guest_segment {
    uint64_t base;
    uint32_t limit, access;
    uint16_t selector;
};

struct guest_state {
    uint64_t cr0, cr3, cr4, efer, pat, debugctl, dr7;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t sysenter_esp, sysenter_eip;
    uint64_t rip, rflags, pending_debug, link;
    uint64_t pdpte[4];
    struct guest_segment seg[SEG_COUNT];
    struct vcpu_table gdtr, idtr;
    uint32_t entry, activity, interruptibility, event; /* VM-entry interruption information */
    uint32_t phys_bits, linear_bits;
    bool unrestricted;
};

/* From the current VMCS. */
void checker_collect(struct guest_state *s);
/* The first rule that is broken, in the manual's order; NULL: none is. */
const char *checker_rule(const struct guest_state *s);

#endif
