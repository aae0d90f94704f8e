/* SPDX-License-Identifier: BSD-2-Clause */
/* VCPU_EXIT_INVALID on VMX, without a rule's name: the guest-state area as it was when the CPU
 * refused it, in the vCPU's page behind struct vcpu_page. For messages only. */
#ifndef ABI_VMX_STATE_H
#define ABI_VMX_STATE_H

#include "abi/vcpu.h"

#define VMX_STATE_OFFSET 2048u

/* Access rights. (Intel SDM vol. 3, "Format of Access Rights".) */
#define ACCESS_TYPE     0x0000fu
#define ACCESS_S        0x00010u
#define ACCESS_DPL(a)   ((a) >> 5 & 3u)
#define ACCESS_P        0x00080u
#define ACCESS_RESERVED 0xfffe0f00u
#define ACCESS_L        0x02000u
#define ACCESS_DB       0x04000u
#define ACCESS_G        0x08000u
#define ACCESS_UNUSABLE 0x10000u

struct vmx_segment {
    uint64_t base;
    uint32_t limit, access; /* access rights as in the VMCS */
    uint16_t selector;
};

struct vmx_state {
    uint64_t cr0, cr3, cr4, efer, pat, debugctl, dr7;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t sysenter_esp, sysenter_eip;
    uint64_t rip, rflags, pending_debug, link;
    uint64_t pdpte[4];
    struct vmx_segment seg[SEG_COUNT];
    struct vcpu_table gdtr, idtr;
    uint32_t entry, activity, interruptibility, event; /* VM-entry interruption information */
    uint32_t phys_bits, linear_bits;
    uint32_t unrestricted, pad;
};

_Static_assert(VMX_STATE_OFFSET >= sizeof(struct vcpu_page) &&
                   VMX_STATE_OFFSET + sizeof(struct vmx_state) <= 4096,
               "both fit in a page");

#endif
