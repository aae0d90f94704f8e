/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/host/host.h"

#include "abi/object.h"
#include "abi/thread.h"
#include "console/config.h"
#include "manager/storage/ahci.h"
#include "manager/storage/pool.h"
#include "manager/guest/vm.h"
#include "user/power.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define GUESTS_GRACE_NS 60000000000ull /* for guests to shut down by themselves */
#define PRESS_NS \
    5000000000ull /* until the button is pressed again: a guest may have been too young */
#define FLUSH_GRACE_NS   30000000000ull /* for disks to write their caches out */
#define DRAIN_NS         100000000ull   /* between looks at drivers that still use guest memory */
#define CONSOLE_GRACE_NS 300000000ull   /* for the console to send its last words */

enum host_state { HOST_UP, HOST_STOPPING, HOST_FLUSHING, HOST_LAST_WORDS };

static enum host_state state;
static enum mgr_host goal;
static uint64_t deadline, next_press;
static uint32_t machine;
static bool when_idle;

void host_init(uint32_t machine_slot, bool off_when_idle)
{
    machine = machine_slot;
    when_idle = off_when_idle;
}

static void last_words(void)
{
    log_line("%s", goal == MGR_HOST_REBOOT ? "restarting the host" : "powering the host off");
    if (vm_host.console_notif)
        sys_notif_signal(vm_host.console_notif, CONSOLE_BIT_CHANGED);
    state = HOST_LAST_WORDS;
    deadline = time_tsc() + time_ns_to_tsc(CONSOLE_GRACE_NS);
}

/* The guests are off; then the disks. */
static void flush_disks(uint64_t now)
{
    pool_stop();
    state = HOST_FLUSHING;
    deadline = now + time_ns_to_tsc(FLUSH_GRACE_NS);
}

static void destroy_guests(void)
{
    uint32_t on = 0;
    for (uint32_t i = 0; i < vm_count(); i++)
        on += vm_at(i)->state != VM_SHUTOFF;
    if (on)
        log_line("destroying %u guests that did not shut down", (unsigned)on);
    for (uint32_t i = 0; i < vm_count(); i++) {
        if (vm_at(i)->state != VM_SHUTOFF)
            vm_input(vm_at(i), VM_IN_DESTROY);
    }
}

void host_stop(enum mgr_host how, bool force)
{
    if (state == HOST_LAST_WORDS || state == HOST_FLUSHING)
        return;
    goal = how;
    state = HOST_STOPPING;
    vm_host.stopping = true;
    deadline = force ? time_tsc() : time_tsc() + time_ns_to_tsc(GUESTS_GRACE_NS);
    next_press = 0;
    for (uint32_t i = 0; i < vm_count() && !force; i++) {
        struct vm *vm = vm_at(i);
        if (vm->state == VM_PAUSED)
            vm_input(vm, VM_IN_RESUME);
        /* Those that cannot be asked (waiting, or standing after a crash) are ended. */
        else if (vm->state == VM_WAITING || vm->state == VM_CRASHED || vm->state == VM_PRESERVED)
            vm_input(vm, VM_IN_DESTROY);
    }
}

static void press_buttons(uint64_t now)
{
    if (now < next_press)
        return;
    next_press = now + time_ns_to_tsc(PRESS_NS);
    for (uint32_t i = 0; i < vm_count(); i++) {
        enum vm_state is = vm_at(i)->state;
        if (is == VM_RUNNING || is == VM_STARTING || is == VM_SHUTDOWN)
            vm_input(vm_at(i), VM_IN_SHUTDOWN);
    }
}

uint64_t host_tick(uint64_t now)
{
    if (state == HOST_UP) {
        if (!when_idle || vm_active())
            return 0;
        log_line("no guest is running any more");
        goal = MGR_HOST_POWEROFF;
        vm_host.stopping = true;
        flush_disks(now);
    }
    if (state == HOST_STOPPING) {
        press_buttons(now);
        if (now >= deadline) {
            destroy_guests();
            deadline = now + time_ns_to_tsc(DRAIN_NS);
        }
        if (!vm_active())
            flush_disks(now);
    }
    if (state == HOST_FLUSHING && (pool_stopped() || now >= deadline))
        ahci_stop(); /* whatever pools have still to write has been written */
    if (state == HOST_FLUSHING && ((pool_stopped() && ahci_stopped()) || now >= deadline)) {
        if (!ahci_stopped() || !pool_stopped())
            log_line("a disk does not write its cache out");
        last_words();
    }
    if (state == HOST_LAST_WORDS && now >= deadline) {
        if (goal == MGR_HOST_REBOOT)
            power_reset(machine);
        else
            power_off();
        log_line("the machine cannot be switched off by software: do it by hand");
        when_idle = false;
        state = HOST_UP;
        return 0;
    }
    return deadline;
}

_Noreturn void host_halt(const char *why)
{
    sys_machine_control(machine ? machine : SLOT_MACHINE, MACHINE_CONSOLE, 0);
    log_line("the boot stops here: %s", why);
    for (;;)
        sys_thread_suspend(SLOT_SELF_THREAD);
}
