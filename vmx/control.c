/* SPDX-License-Identifier: BSD-2-Clause */
/* CR0 and CR4. The guest owns the bits in which a toggle may cost nothing (WP, TS, PGE, ...); for
 * the others it reads a shadow, and a write that changes one exits. Then only the shadow is
 * adapted, and the same MOV runs again: it no longer exits, and the CPU itself does the rest, mode
 * changes, page-directory pointers and faults included. */
#include "virt/event.h"
#include "vmx/qualification.h"
#include "vmx/vmx.h"

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
/* Kept in the shadow only: they have no effect on a guest here. */
#define CR0_SHADOWED (CR0_ET | CR0_NE | CR0_NW | CR0_CD)
#define CR4_MCE      (1ull << 6)

uint64_t control_cr0(void)
{
    uint64_t own = vmx_caps.cr0_guest;
    return (vmreadn(VMCS_GUEST_CR0) & own) | (vmreadn(VMCS_CR0_SHADOW) & ~own);
}

uint64_t control_cr4(void)
{
    uint64_t own = vmx_caps.cr4_guest;
    return (vmreadn(VMCS_GUEST_CR4) & own) | (vmreadn(VMCS_CR4_SHADOW) & ~own);
}

static bool cr0_possible(uint64_t value)
{
    uint64_t known = vmx_caps.cr0_guest | CR0_SHADOWED | CR0_PE | CR0_PG;
    return (value & ~known & ~vmx_caps.cr0_fixed0) == 0 &&
           !((value & CR0_PG) && !(value & CR0_PE)) && !((value & CR0_NW) && !(value & CR0_CD));
}

static bool cr4_possible(uint64_t value)
{
    return (value & ~(vmx_caps.cr4_guest | CR4_MCE)) == 0;
}

bool control_load(struct vmx_vcpu *vmx, uint64_t cr0, uint64_t cr4)
{
    if (!cr0_possible(cr0) || !cr4_possible(cr4))
        return false;
    const struct vmx_caps *c = &vmx_caps;
    uint64_t real = (cr0 & c->cr0_guest) | c->cr0_fixed0 | CR0_ET;
    /* A mode that only unrestricted guest has: the entry shall fail, not start something else. */
    vmx->mode_lacked = !c->unrestricted && (cr0 & (CR0_PE | CR0_PG)) != (CR0_PE | CR0_PG);
    vmwriten(VMCS_GUEST_CR0, vmx->mode_lacked ? real & ~CR0_PG : real);
    vmwriten(VMCS_CR0_SHADOW, cr0 | CR0_ET);
    vmwriten(VMCS_GUEST_CR4, (cr4 & c->cr4_guest) | c->cr4_fixed0 | CR4_MCE);
    vmwriten(VMCS_CR4_SHADOW, cr4);
    return true;
}

static uint64_t operand(const struct vcpu *vcpu, uint8_t gpr)
{
    return gpr == GPR_RAX   ? vcpu->rax
           : gpr == GPR_RSP ? vmreadn(VMCS_GUEST_RSP)
                            : vcpu->page->gpr[gpr];
}

static enum vexit move_to_cr0(struct vcpu *vcpu, uint64_t value)
{
    if (!cr0_possible(value))
        return VEXIT_GP;
    if (!vmx_caps.unrestricted && (value & (CR0_PE | CR0_PG)) != (CR0_PE | CR0_PG))
        return vmx_refuse(vcpu, VMX_EXIT_CR, value, CONTROL_MODE_LACKED);
    vmwriten(VMCS_CR0_SHADOW, value | CR0_ET);
    return VEXIT_AGAIN;
}

static enum vexit move_to_cr4(uint64_t value)
{
    if (!cr4_possible(value))
        return VEXIT_GP;
    vmwriten(VMCS_CR4_SHADOW, value);
    return VEXIT_AGAIN;
}

/* Only without TPR shadow. */
static enum vexit access_cr8(struct vcpu *vcpu, const struct cr_access *access)
{
    if (access->type == CR_MOV_TO) {
        uint64_t value = operand(vcpu, access->gpr);
        if (value > 15)
            return VEXIT_GP;
        vcpu->lapic.tpr = (uint8_t)(value << 4);
        return VEXIT_SKIP;
    }
    uint64_t value = vcpu->lapic.tpr >> 4;
    if (access->gpr == GPR_RAX)
        vcpu->rax = value;
    else if (access->gpr == GPR_RSP)
        vmwriten(VMCS_GUEST_RSP, value);
    else
        vcpu->page->gpr[access->gpr] = value;
    return VEXIT_SKIP;
}

enum vexit control_exit(struct vcpu *vcpu)
{
    uint64_t qualification = vmreadn(VMCS_EXIT_QUALIFICATION);
    struct cr_access access = qualification_cr(qualification);
    vcpu->stat[STAT_CR]++;
    if (access.number == 8)
        return access_cr8(vcpu, &access);
    if (access.number == 4 && access.type == CR_MOV_TO)
        return move_to_cr4(operand(vcpu, access.gpr));
    if (access.number == 0 && access.type == CR_MOV_TO)
        return move_to_cr0(vcpu, operand(vcpu, access.gpr));
    /* LMSW changes PE, MP, EM, TS; it cannot clear PE. */
    if (access.number == 0 && access.type == CR_LMSW)
        return move_to_cr0(vcpu, (control_cr0() & ~0xeull) | (access.source & 0xf));
    return vmx_refuse(vcpu, VMX_EXIT_CR, qualification, "this control register access never exits");
}
