/* SPDX-License-Identifier: BSD-2-Clause */
/* States that a CPU with VMX refuses: each ends in the exit that says so, with what names the rule,
 * and the vCPU runs again once it is right. */
#include "tests/ring3/ktest.h"
#include <string.h>
#include "abi/kinfo.h"
#include "vmm/vmx_rules.c"

#define NOT_CANONICAL 0x0000900000000000ull

struct refusal {
    uint32_t group;
    const char *rule;
};

static const struct refusal refusals[] = {
    {VCPU_GROUP_SEGS, "CS: unusable"},
    {VCPU_GROUP_SEGS, "SS: type is no accessed writable data"},
    {VCPU_GROUP_SEGS, "FS or GS: base is not canonical"},
    {VCPU_GROUP_SEGS, "DS or ES: base bits 63:32 are not 0"},
    {VCPU_GROUP_SEGS, "GDTR: base is not canonical"},
    {VCPU_GROUP_SEGS, "IDTR: base is not canonical"},
    {VCPU_GROUP_CTRL, "CR3: a bit beyond the physical address width"},
};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

/* Breaks refusals[i].rule and no other. */
static void spoil(struct vcpu_page *page, uint32_t i)
{
    uint64_t *const place[REFUSALS] = {[2] = &page->seg[SEG_GS].base,
                                       [3] = &page->seg[SEG_ES].base,
                                       [4] = &page->gdtr.base,
                                       [5] = &page->idtr.base,
                                       [6] = &page->cr3};
    if (i == 0)
        page->seg[SEG_CS].attr &= (uint16_t)~SEG_ATTR_P;
    else if (i == 1)
        page->seg[SEG_SS].attr |= 8;
    else
        *place[i] |= i == 6 ? 1ull << 51 : NOT_CANONICAL;
}

void check_refusals(uint32_t vcpu, struct vcpu_page *page, void (*set_state)(void))
{
    const struct vmx_state *refused = (const void *)((const char *)page + VMX_STATE_OFFSET);
    uint64_t bits;
    if (((const struct kinfo *)KINFO_VA)->virt != VIRT_VMX)
        return;
    for (uint32_t i = 0; i < REFUSALS; i++) {
        set_state();
        spoil(page, i);
        CHECK_OK(sys_vcpu_set(vcpu, refusals[i].group));
        CHECK_OK(sys_vcpu_run(vcpu, &bits));
        const char *rule = vmx_rule(refused);
        bool named = page->reason == VCPU_EXIT_INVALID && rule && !strcmp(rule, refusals[i].rule);
        CHECK(named);
        if (!named)
            log_line("exit %u, rule %s, expected %s", page->reason, rule ? rule : "none",
                     refusals[i].rule);
        set_state();
        CHECK(sys_vcpu_run(vcpu, &bits) == OK && page->reason != VCPU_EXIT_INVALID);
    }
}
