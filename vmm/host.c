/* SPDX-License-Identifier: BSD-2-Clause */
/* What the devices ask of the kernel. Runs under machine.lock, on any thread. */
#include "abi/object.h"
#include "abi/status.h"
#include "user/syscall_stubs.h"
#include "vmm/vmm.h"

static void host_msi_send(void *host, uint64_t address, uint32_t data)
{
    const struct vmm *vmm = host;
    sys_guest_msi(vmm->guest, address, data);
}

static void host_extint(void *host, bool level)
{
    const struct vmm *vmm = host;
    uint64_t ignored;
    sys_vcpu_lapic(vmm->vcpu[0].slot, LAPIC_OP_EXTINT, 0, level, &ignored);
}

static uint64_t host_clock_ns(void *host)
{
    (void)host;
    return time_ns();
}

static uint64_t host_clock_tsc(void *host)
{
    (void)host;
    return time_tsc();
}

static void host_timer_program(void *host, uint64_t deadline_ns)
{
    (void)host;
    uint64_t deadline = 0;
    if (deadline_ns != UINT64_MAX) {
        uint64_t now = time_ns();
        deadline = time_tsc() + (deadline_ns > now ? time_ns_to_tsc(deadline_ns - now) : 1);
    }
    sys_notif_timer(SLOT_NOTIF, deadline, VMM_BIT_TIMER);
}

static bool host_doorbell_add(void *host, uint16_t port, unsigned index)
{
    const struct vmm *vmm = host;
    return sys_guest_doorbell(vmm->guest, DOORBELL_PIO, port, 0, SLOT_NOTIF,
                              1ull << (VMM_CTL_OWN_SHIFT + index)) == OK;
}

static void host_doorbell_remove(void *host, uint16_t port)
{
    const struct vmm *vmm = host;
    sys_guest_doorbell(vmm->guest, DOORBELL_PIO | DOORBELL_REMOVE, port, 0, SLOT_NOTIF, 0);
}

static void host_event(void *host, enum machine_event event, const char *reason)
{
    struct vmm *vmm = host;
    switch (event) {
    case MACHINE_POWEROFF:
        vmm_end(vmm, VMM_EVENT_POWEROFF, "%s", reason);
        break;
    case MACHINE_RESET:
        vmm_end(vmm, VMM_EVENT_RESET, "%s", reason);
        break;
    case MACHINE_PANIC:
        vmm_end(vmm, VMM_EVENT_CRASH, "guest panicked: %s", reason);
        break;
    case MACHINE_CRASHLOAD:
        log_line("guest panicked: %s", reason);
        break;
    }
}

/* A memory capability is one piece, so single pages cannot go back to the manager: what the balloon
 * holds is counted (vmm_stats.balloon_pages) and stays with this guest. */
static void host_pages_release(void *host, uint64_t gpa, uint64_t count)
{
    (void)host;
    (void)gpa;
    (void)count;
}

static void host_pages_reclaim(void *host, uint64_t gpa, uint64_t count)
{
    (void)host;
    (void)gpa;
    (void)count;
}

const struct host_ops host_ops = {
    .msi_send = host_msi_send,
    .extint = host_extint,
    .clock_ns = host_clock_ns,
    .clock_tsc = host_clock_tsc,
    .timer_program = host_timer_program,
    .doorbell_add = host_doorbell_add,
    .doorbell_remove = host_doorbell_remove,
    .event = host_event,
    .pages_release = host_pages_release,
    .pages_reclaim = host_pages_reclaim,
};
