/* SPDX-License-Identifier: BSD-2-Clause */
/* What ring 3 needs to say which rule a refused state breaks, out of the current VMCS. */
#include "arch/x86_64/platform.h"
#include "vmx/vmx.h"

static void collect_segments(struct vmx_state *s)
{
    for (uint32_t i = 0; i < SEG_COUNT; i++)
        s->seg[i] = (struct vmx_segment){.base = vmreadn(VMCS_GUEST_BASE(i)),
                                         .limit = vmread32(VMCS_GUEST_LIMIT(i)),
                                         .access = vmread32(VMCS_GUEST_ACCESS(i)),
                                         .selector = vmread16(VMCS_GUEST_SELECTOR(i))};
    s->gdtr = (struct vcpu_table){.base = vmreadn(VMCS_GUEST_GDTR_BASE),
                                  .limit = vmread32(VMCS_GUEST_GDTR_LIMIT)};
    s->idtr = (struct vcpu_table){.base = vmreadn(VMCS_GUEST_IDTR_BASE),
                                  .limit = vmread32(VMCS_GUEST_IDTR_LIMIT)};
}

void vmx_collect(struct vmx_state *s)
{
    *s = (struct vmx_state){
        .cr0 = vmreadn(VMCS_GUEST_CR0),
        .cr3 = vmreadn(VMCS_GUEST_CR3),
        .cr4 = vmreadn(VMCS_GUEST_CR4),
        .efer = vmread64(VMCS_GUEST_EFER),
        .pat = vmread64(VMCS_GUEST_PAT),
        .debugctl = vmread64(VMCS_GUEST_DEBUGCTL),
        .dr7 = vmreadn(VMCS_GUEST_DR7),
        .cr0_fixed0 = vmx_caps.cr0_fixed0,
        .cr0_fixed1 = vmx_caps.cr0_fixed1,
        .cr4_fixed0 = vmx_caps.cr4_fixed0,
        .cr4_fixed1 = vmx_caps.cr4_fixed1,
        .sysenter_esp = vmreadn(VMCS_GUEST_SYSENTER_ESP),
        .sysenter_eip = vmreadn(VMCS_GUEST_SYSENTER_EIP),
        .rip = vmreadn(VMCS_GUEST_RIP),
        .rflags = vmreadn(VMCS_GUEST_RFLAGS),
        .pending_debug = vmreadn(VMCS_GUEST_PENDING_DEBUG),
        .link = vmread64(VMCS_LINK_POINTER),
        .entry = vmread32(VMCS_ENTRY_CONTROLS),
        .activity = vmread32(VMCS_GUEST_ACTIVITY),
        .interruptibility = vmread32(VMCS_GUEST_INTERRUPTIBILITY),
        .event = vmread32(VMCS_ENTRY_INTERRUPTION_INFO),
        .phys_bits = features.phys_bits,
        .linear_bits = features.linear_bits,
        .unrestricted = vmx_caps.unrestricted,
    };
    for (uint32_t i = 0; i < 4; i++)
        s->pdpte[i] = vmread64(VMCS_GUEST_PDPTE(i));
    collect_segments(s);
}
