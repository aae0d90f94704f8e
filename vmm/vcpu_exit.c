/* SPDX-License-Identifier: BSD-2-Clause */
/* What each exit means. One call a case; port and memory accesses first, they are the hot ones. */
#include "abi/kinfo.h"
#include "abi/status.h"
#include "user/syscall_stubs.h"
#include "vmm/alu.h"
#include "vmm/kvmclock.h"
#include "vmm/machine.h"
#include "vmm/vmm.h"
#include "vmm/vmx_rules.h"
#include "vmm/x86.h"

#define LAPIC_BASE 0xfee00000ull
#define LAPIC_SIZE 0x1000ull

static void end_of_emulation(struct vmm_vcpu *vcpu, enum emul_result result, const char *what)
{
    if (__builtin_expect(result == EMUL_UNKNOWN, 0))
        vmm_crash(vcpu, "an instruction cannot be emulated (%s)", what);
}

/* --- port I/O --- */

static void exit_pio_slow(struct vmm_vcpu *vcpu)
{
    struct vcpu_page *page = vcpu->page;
    if (page->exit.pio.flags & PIO_STRING) {
        end_of_emulation(vcpu, emulate_insn(&vcpu->emul), "string port I/O");
        return;
    }
    emulate_skip(&vcpu->emul, (uint32_t)(page->exit.pio.next_rip - page->rip));
}

/* The size is 1, 2 or 4; RIP and RAX are all that changes in the usual case. */
static void exit_pio(struct vmm_vcpu *vcpu)
{
    struct vcpu_page *page = vcpu->page;
    struct machine *machine = &vcpu->vmm->machine;
    uint16_t port = page->exit.pio.port;
    uint32_t size = page->exit.pio.size, flags = page->exit.pio.flags;
    if (flags & PIO_STRING) {
        exit_pio_slow(vcpu);
        return;
    }
    if (flags & PIO_IN) {
        uint64_t value = machine_pio_read(machine, port, size);
        uint64_t mask = size == 4 ? ~0ull : alu_mask(size);
        page->gpr[GPR_RAX] = (page->gpr[GPR_RAX] & ~mask) | value;
    } else {
        machine_pio_write(machine, port, size, (uint32_t)page->gpr[GPR_RAX]);
    }
    page->dirty |= VCPU_GROUP_CORE;
    bool plain = !(page->rflags & (RFLAGS_TF | RFLAGS_RF)) && !(page->block & VCPU_BLOCK_SHADOW);
    if (__builtin_expect(!plain, 0)) {
        exit_pio_slow(vcpu);
        return;
    }
    page->rip = page->exit.pio.next_rip;
}

/* --- memory --- */

static uint64_t lapic_read(struct vmm_vcpu *vcpu, uint64_t gpa, uint32_t size)
{
    uint64_t value = 0;
    uint32_t reg = (uint32_t)(gpa & 0xff0), shift = (uint32_t)(gpa & 15) * 8;
    if (shift >= 32 || sys_vcpu_lapic(vcpu->slot, LAPIC_OP_READ, reg, 0, &value) != OK)
        return 0;
    return (value & 0xffffffff) >> shift & alu_mask(size);
}

/* The manuals allow aligned 32-bit writes only; others do nothing. */
static void lapic_write(struct vmm_vcpu *vcpu, uint64_t gpa, uint32_t size, uint64_t value)
{
    uint64_t ignored;
    if ((gpa & 15) == 0 && size >= 4)
        sys_vcpu_lapic(vcpu->slot, LAPIC_OP_WRITE, (uint32_t)(gpa & 0xff0), (uint32_t)value,
                       &ignored);
}

static uint64_t bus_mmio_read(void *opaque, uint64_t gpa, uint32_t size)
{
    struct vmm_vcpu *vcpu = opaque;
    if (gpa - LAPIC_BASE < LAPIC_SIZE)
        return lapic_read(vcpu, gpa, size);
    return machine_mmio_read(&vcpu->vmm->machine, gpa, size);
}

static void bus_mmio_write(void *opaque, uint64_t gpa, uint32_t size, uint64_t value)
{
    struct vmm_vcpu *vcpu = opaque;
    if (gpa - LAPIC_BASE < LAPIC_SIZE)
        lapic_write(vcpu, gpa, size, value);
    else
        machine_mmio_write(&vcpu->vmm->machine, gpa, size, value);
}

static void exit_mmio(struct vmm_vcpu *vcpu)
{
    const struct vcpu_page *page = vcpu->page;
    unsigned long long gpa = page->exit.mmio.gpa;
    if (__builtin_expect(page->exit.mmio.flags & MMIO_DELIVERY, 0)) {
        /* A PC would read ones from there, which is one more exception, and at last the third. */
        vmm_crash(vcpu,
                  "triple fault: an exception cannot be delivered, no memory is at "
                  "guest-physical %#llx",
                  gpa);
        return;
    }
    if (__builtin_expect(page->exit.mmio.flags & MMIO_FETCH, 0)) {
        vmm_crash(vcpu, "the guest executes at guest-physical %#llx, where no memory is", gpa);
        return;
    }
    end_of_emulation(vcpu, emulate_mmio(&vcpu->emul), "device memory");
}

static uint32_t bus_port_read(void *opaque, uint16_t port, uint32_t size)
{
    struct vmm_vcpu *vcpu = opaque;
    return machine_pio_read(&vcpu->vmm->machine, port, size);
}

static void bus_port_write(void *opaque, uint16_t port, uint32_t size, uint32_t value)
{
    struct vmm_vcpu *vcpu = opaque;
    machine_pio_write(&vcpu->vmm->machine, port, size, value);
}

static uint8_t *bus_fpu_load(void *opaque)
{
    struct vmm_vcpu *vcpu = opaque;
    sys_vcpu_get(vcpu->slot, VCPU_GROUP_FPU);
    return (uint8_t *)vcpu->page + 4096;
}

static void bus_fpu_store(void *opaque)
{
    struct vmm_vcpu *vcpu = opaque;
    sys_vcpu_set(vcpu->slot, VCPU_GROUP_FPU);
}

static uint64_t bus_tpr_read(void *opaque)
{
    struct vmm_vcpu *vcpu = opaque;
    uint64_t tpr = 0;
    sys_vcpu_lapic(vcpu->slot, LAPIC_OP_TPR_READ, 0, 0, &tpr);
    return tpr >> 4;
}

static void bus_tpr_write(void *opaque, uint64_t cr8)
{
    struct vmm_vcpu *vcpu = opaque;
    uint64_t ignored;
    sys_vcpu_lapic(vcpu->slot, LAPIC_OP_TPR_WRITE, 0, cr8 << 4, &ignored);
}

const struct emul_bus vcpu_bus = {
    .mmio_read = bus_mmio_read,
    .mmio_write = bus_mmio_write,
    .port_read = bus_port_read,
    .port_write = bus_port_write,
    .fpu_load = bus_fpu_load,
    .fpu_store = bus_fpu_store,
    .tpr_read = bus_tpr_read,
    .tpr_write = bus_tpr_write,
};

/* --- model-specific registers --- */

static void fault(struct vmm_vcpu *vcpu, uint8_t vector, bool has_error)
{
    vcpu->page->event =
        (struct vcpu_event){.type = EVENT_EXC, .vector = vector, .has_error = has_error};
    vcpu->page->dirty |= VCPU_GROUP_EVENTS;
}

static void skip(struct vmm_vcpu *vcpu)
{
    emulate_skip(&vcpu->emul, vcpu->page->insn_len);
}

static void exit_rdmsr(struct vmm_vcpu *vcpu)
{
    struct vcpu_page *page = vcpu->page;
    uint64_t value = 0;
    if (!machine_kvmclock_read(&vcpu->vmm->machine, vcpu->index, page->exit.msr.index, &value)) {
        fault(vcpu, VECTOR_GP, true);
        return;
    }
    page->gpr[GPR_RAX] = value & 0xffffffff;
    page->gpr[GPR_RDX] = value >> 32;
    skip(vcpu);
}

static void exit_wrmsr(struct vmm_vcpu *vcpu)
{
    const struct vcpu_page *page = vcpu->page;
    if (machine_kvmclock_write(&vcpu->vmm->machine, vcpu->index, page->exit.msr.index,
                               page->exit.msr.value))
        skip(vcpu);
    else
        fault(vcpu, VECTOR_GP, true);
}

/* --- interrupts --- */

static void exit_extint(struct vmm_vcpu *vcpu)
{
    uint8_t vector = machine_pic_ack(&vcpu->vmm->machine);
    vcpu->page->event = (struct vcpu_event){.type = EVENT_INTR, .vector = vector};
    vcpu->page->dirty |= VCPU_GROUP_EVENTS;
}

static void exit_eoi(struct vmm_vcpu *vcpu)
{
    machine_eoi(&vcpu->vmm->machine, (uint8_t)vcpu->page->exit.eoi.vector);
}

static void exit_hlt_if0(struct vmm_vcpu *vcpu)
{
    /* Others could kick it: with KVM's spinlocks that is how a CPU waits. */
    if (!vcpu->hlt_reported && vcpu->vmm->config->vcpus == 1)
        log_line("vCPU %u halted with interrupts off", vcpu->index);
    vcpu->hlt_reported = true;
}

/* --- instructions, and ends --- */

static void exit_insn(struct vmm_vcpu *vcpu)
{
    switch (vcpu->page->exit.insn_exit.which) {
    case INSN_INVD:
    case INSN_WBINVD:
        skip(vcpu);
        break;
    case INSN_MONITOR:
    case INSN_MWAIT:
        fault(vcpu, VECTOR_UD, false);
        break;
    case INSN_RDPMC:
        fault(vcpu, VECTOR_GP, true);
        break;
    default:
        end_of_emulation(vcpu, emulate_insn(&vcpu->emul), "intercepted instruction");
        break;
    }
}

static void exit_task_switch(struct vmm_vcpu *vcpu)
{
    end_of_emulation(vcpu, task_switch(&vcpu->emul), "task switch");
}

static void exit_invalid(struct vmm_vcpu *vcpu)
{
    const struct vcpu_page *page = vcpu->page;
    const char *rule = page->exit.invalid.rule;
    if (!rule[0] && ((const struct kinfo *)KINFO_VA)->virt == VIRT_VMX)
        rule = vmx_rule((const struct vmx_state *)((uintptr_t)page + VMX_STATE_OFFSET));
    vmm_crash(vcpu, "the CPU refused the guest's state: %.63s (code %#llx, %#llx)",
              rule && rule[0] ? rule : "no known rule", (unsigned long long)page->exit.invalid.code,
              (unsigned long long)page->exit.invalid.info);
}

void vcpu_exit(struct vmm_vcpu *vcpu)
{
    uint32_t reason = vcpu->page->reason;
    if (reason < VCPU_EXITS)
        vcpu->exits[reason]++;
    switch (reason) {
    case VCPU_EXIT_PIO:
        exit_pio(vcpu);
        break;
    case VCPU_EXIT_MMIO:
        exit_mmio(vcpu);
        break;
    case VCPU_EXIT_NONE:
    case VCPU_EXIT_DEBUG:
        break;
    case VCPU_EXIT_RDMSR:
        exit_rdmsr(vcpu);
        break;
    case VCPU_EXIT_WRMSR:
        exit_wrmsr(vcpu);
        break;
    case VCPU_EXIT_EXTINT:
        exit_extint(vcpu);
        break;
    case VCPU_EXIT_EOI:
        exit_eoi(vcpu);
        break;
    case VCPU_EXIT_INSN:
        exit_insn(vcpu);
        break;
    case VCPU_EXIT_SHUTDOWN:
        vmm_crash(vcpu, "triple fault");
        break;
    case VCPU_EXIT_INVALID:
        exit_invalid(vcpu);
        break;
    case VCPU_EXIT_TASK_SWITCH:
        exit_task_switch(vcpu);
        break;
    case VCPU_EXIT_RESET:
        vmm_end(vcpu->vmm, VMM_EVENT_RESET, "vCPU %u received INIT", vcpu->index);
        break;
    case VCPU_EXIT_HLT_IF0:
        exit_hlt_if0(vcpu);
        break;
    default:
        vmm_crash(vcpu, "exit %u is unknown", reason);
        break;
    }
}
