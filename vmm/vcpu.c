/* SPDX-License-Identifier: BSD-2-Clause */
/* One thread a vCPU: run, serve the exit, run again. */
#include <stdlib.h>

#include "abi/object.h"
#include "abi/status.h"
#include "user/syscall_stubs.h"
#include "vmm/vmm.h"

#define WAKE_BIT 1ull

void vcpu_need(struct vmm_vcpu *vcpu, uint32_t groups)
{
    uint32_t missing = groups & ~vcpu->page->valid & ~vcpu->page->dirty;
    if (missing && sys_vcpu_get(vcpu->slot, missing) == OK)
        vcpu->page->valid |= missing;
}

static void bus_need(void *opaque, uint32_t groups)
{
    vcpu_need(opaque, groups);
}

static struct emul_bus bus;

void vcpu_create_all(struct vmm *vmm)
{
    uint32_t count = vmm->config->vcpus;
    vmm->vcpu = calloc(count, sizeof(vmm->vcpu[0]));
    if (!vmm->vcpu)
        refuse("too little heap for %u vCPUs", count);
    bus = vcpu_bus;
    bus.need = bus_need;
    for (uint32_t i = 0; i < count; i++) {
        struct vmm_vcpu *vcpu = &vmm->vcpu[i];
        uint64_t va = VMM_VCPU_VA + i * VMM_VCPU_STEP;
        vcpu->vmm = vmm;
        vcpu->index = i;
        vcpu->slot = slot_alloc();
        vcpu->page = (struct vcpu_page *)va;
        int64_t status = vcpu->slot ? sys_vcpu_create(vcpu->slot, vmm->guest, i, va) : ERR_QUOTA;
        if (status != OK)
            refuse("vCPU %u cannot be made: status %lld", i, (long long)status);
        emul_init(&vcpu->emul, vcpu->page, &vmm->mem, &bus, vcpu, vmm->phys_bits);
        vcpu->page->tsc_offset = vmm->machine.tsc_offset;
        vcpu->page->tsc_scale = vmm->machine.tsc_scale;
        vcpu->page->tsc_aux = 0;
        vcpu->page->dirty |= VCPU_GROUP_TIME;
        status = sys_vcpu_set(vcpu->slot, VCPU_GROUP_TIME);
        if (status != OK)
            refuse("vCPU %u: time stamp counter cannot be set: status %lld", i, (long long)status);
        vcpu->page->dirty &= ~VCPU_GROUP_TIME;
    }
}

/* Until the event thread wants it to run again. Takes no lock: what it waits for comes with a
 * signal to its own notification. */
static void stand(struct vmm_vcpu *vcpu)
{
    struct vmm *vmm = vcpu->vmm;
    __atomic_store_n(&vcpu->stands, 1, __ATOMIC_RELEASE); /* pairs with vcpu_all_stand() */
    sys_notif_signal(SLOT_NOTIF, VMM_BIT_STANDS);
    while (__atomic_load_n(&vmm->wish, __ATOMIC_ACQUIRE) != VMM_RUN) {
        uint64_t bits;
        sys_notif_wait(vcpu->thread.notif, 0, &bits);
    }
    __atomic_store_n(&vcpu->stands, 0, __ATOMIC_RELEASE);
}

static void vcpu_main(void *arg)
{
    struct vmm_vcpu *vcpu = arg;
    const struct vmm *vmm = vcpu->vmm;
    for (;;) {
        if (__builtin_expect(__atomic_load_n(&vmm->wish, __ATOMIC_ACQUIRE) != VMM_RUN, 0))
            stand(vcpu);
        uint64_t bits;
        int64_t status = sys_vcpu_run(vcpu->slot, &bits);
        if (__builtin_expect(status == OK, 1))
            vcpu_exit(vcpu);
        else if (status != NOTIFIED)
            vmm_crash(vcpu, "the kernel refuses to run the vCPU: status %lld", (long long)status);
    }
}

void vcpu_start_all(struct vmm *vmm)
{
    for (uint32_t i = 0; i < vmm->config->vcpus; i++) {
        struct vmm_vcpu *vcpu = &vmm->vcpu[i];
        int64_t status =
            thread_spawn_on(&vcpu->thread, vcpu_main, vcpu, vmm->args->slot[VMM_SLOT_SC(i)]);
        if (status != OK)
            refuse("vCPU %u: no thread: status %lld", i, (long long)status);
    }
}

void vcpu_wake_all(struct vmm *vmm)
{
    for (uint32_t i = 0; i < vmm->config->vcpus; i++) {
        uint32_t notif = __atomic_load_n(&vmm->vcpu[i].thread.notif, __ATOMIC_ACQUIRE);
        if (notif)
            sys_notif_signal(notif, WAKE_BIT);
    }
}

bool vcpu_all_stand(const struct vmm *vmm)
{
    for (uint32_t i = 0; i < vmm->config->vcpus; i++)
        if (!__atomic_load_n(&vmm->vcpu[i].stands, __ATOMIC_ACQUIRE))
            return false;
    return true;
}
