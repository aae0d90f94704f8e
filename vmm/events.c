/* SPDX-License-Identifier: BSD-2-Clause */
/* The first thread: doorbells, timers, the manager's orders, the console's bytes. */
#include "abi/object.h"
#include "abi/status.h"
#include "user/bell.h"
#include "user/syscall_stubs.h"
#include "vmm/machine.h"
#include "vmm/vmm.h"

/* By which drivers of disks are told of requests. */
static struct bell bell;

#define DOORBELL_BITS (((1ull << DOORBELLS) - 1) << VMM_CTL_OWN_SHIFT)
_Static_assert(VMM_CTL_OWN_SHIFT + DOORBELLS <= 62, "doorbells leave the two topmost bits");

static void ring_doorbells(struct vmm *vmm, uint64_t bits)
{
    for (bits = (bits & DOORBELL_BITS) >> VMM_CTL_OWN_SHIFT; bits; bits &= bits - 1)
        machine_doorbell(&vmm->machine, (unsigned)__builtin_ctzll(bits));
}

/* Waits for bits but those of vCPU threads that came to a stand; everything else is kept for later.
 */
static uint64_t wait_until_all_stand(struct vmm *vmm)
{
    uint64_t kept = 0;
    while (!vcpu_all_stand(vmm)) {
        uint64_t bits = 0;
        if (sys_notif_wait(SLOT_NOTIF, 0, &bits) != OK)
            continue;
        kept |= bits & ~VMM_BIT_STANDS;
    }
    return kept;
}

static uint64_t suspend(struct vmm *vmm)
{
    uint32_t wish = VMM_RUN;
    if (!__atomic_compare_exchange_n(&vmm->wish, &wish, VMM_PAUSE, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return 0; /* suspended already, or ending */
    vcpu_wake_all(vmm);
    uint64_t kept = wait_until_all_stand(vmm);
    stats_refresh(vmm, true);
    report(VMM_EVENT_SUSPENDED, NULL);
    return kept;
}

static void resume(struct vmm *vmm)
{
    uint32_t wish = VMM_PAUSE;
    if (__atomic_load_n(&vmm->wish, __ATOMIC_ACQUIRE) == VMM_PAUSE)
        machine_kvmclock_stopped(&vmm->machine); /* all vCPUs stand still */
    if (!__atomic_compare_exchange_n(&vmm->wish, &wish, VMM_RUN, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return;
    machine_net_announce(&vmm->machine);
    vcpu_wake_all(vmm);
    report(VMM_EVENT_RESUMED, NULL);
}

static void send_nmi(struct vmm *vmm)
{
    for (uint32_t i = 0; i < vmm->config->vcpus; i++) {
        uint64_t ignored;
        sys_vcpu_lapic(vmm->vcpu[i].slot, LAPIC_OP_NMI, 0, 0, &ignored);
    }
}

static void channel_bits(struct vmm *vmm, uint64_t bits)
{
    if (bits & (VMM_CTL_SERIAL_IN | VMM_CTL_SERIAL_ROOM))
        machine_serial_event(&vmm->machine);
    if (bits & (VMM_CTL_HVC_IN | VMM_CTL_HVC_ROOM))
        machine_hvc_event(&vmm->machine);
    if (bits & VMM_CTL_DISK)
        machine_disk_event(&vmm->machine);
    if (bits & VMM_CTL_NET)
        machine_net_event(&vmm->machine);
}

static uint64_t control_bits(struct vmm *vmm, uint64_t bits)
{
    uint64_t kept = 0;
    if (bits & VMM_CTL_ORDERS)
        bell_flush(&bell); /* these wait for others */
    if (bits & VMM_CTL_SHUTDOWN)
        machine_power_button(&vmm->machine);
    if (bits & VMM_CTL_NMI)
        send_nmi(vmm);
    if (bits & VMM_CTL_RESET)
        vmm_end(vmm, VMM_EVENT_RESET, "reset by the manager");
    if (bits & VMM_CTL_SUSPEND)
        kept = suspend(vmm);
    if (bits & VMM_CTL_RESUME)
        resume(vmm);
    if (bits & VMM_CTL_DIRTY_START)
        dirty_start(vmm);
    if (bits & VMM_CTL_DIRTY_STOP)
        dirty_stop(vmm);
    if (bits & (VMM_CTL_STATS | VMM_CTL_DIRTY_START | VMM_CTL_DIRTY_STOP))
        stats_refresh(vmm, __atomic_load_n(&vmm->wish, __ATOMIC_RELAXED) == VMM_PAUSE);
    return kept;
}

/* Bits that came while suspend() waited are the result: they are served next. */
static uint64_t serve(struct vmm *vmm, uint64_t bits)
{
    ring_doorbells(vmm, bits);
    if (bits & VMM_BIT_TIMER)
        machine_run_timers(&vmm->machine);
    channel_bits(vmm, bits);
    return control_bits(vmm, bits);
}

struct bell *events_bell(void)
{
    return &bell;
}

_Noreturn void events_run(struct vmm *vmm)
{
    uint64_t bits = 0;
    bell.owner = utcb_self();
    while (__atomic_load_n(&vmm->ending, __ATOMIC_ACQUIRE) != 2) {
        if (bits == 0 && bell_wait(&bell, SLOT_NOTIF, &bits) != OK)
            continue;
        bits = serve(vmm, bits);
    }
    bell_flush(&bell);
    wait_until_all_stand(vmm);
    stats_refresh(vmm, false);
    report(vmm->end_event, vmm->end_text);
    /* What follows is the manager's decision. A guest that is to be preserved stands here. */
    for (;;)
        sys_notif_wait(SLOT_NOTIF, 0, &bits);
}
