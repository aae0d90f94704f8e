/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/guest/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "abi/status.h"
#include "console/config.h"
#include "manager/storage/pool.h"
#include "manager/storage/volume.h"
#include "user/program.h"
#include "user/syscall_stubs.h"

#define RETRY_FIRST_MS     100u
#define RETRY_LAST_MS      60000u
#define CRASH_FORGOTTEN_NS 60000000000ull

struct vm_host vm_host;
static struct vm *vms[VMS_MAX];
static uint32_t count;

struct vm *vm_add(const struct domain *def)
{
    if (count == VMS_MAX)
        return NULL;
    struct vm *vm = calloc(1, sizeof(*vm));
    if (!vm)
        return NULL;
    vm->def = *def;
    vm->index = count;
    vms[count++] = vm;
    return vm;
}

uint32_t vm_count(void)
{
    return count;
}

struct vm *vm_at(uint32_t index)
{
    return index < count ? vms[index] : NULL;
}

struct vm *vm_by_name(const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(vms[i]->def.name, name))
            return vms[i];
    }
    return NULL;
}

struct vm *vm_by_badge(uint64_t badge)
{
    for (uint32_t i = 0; i < count; i++) {
        if (badge && vms[i]->id == badge)
            return vms[i];
    }
    return NULL;
}

uint32_t vm_active(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++)
        n += vms[i]->state != VM_SHUTOFF || vms[i]->draining;
    return n;
}

/* The text is the VMM's, which a guest may have taken over: only what a terminal can bear is kept.
 */
static void set_reason(struct vm *vm, const char *what, const char *text)
{
    size_t used = 0;
    const char *parts[] = {what, text && *text ? ": " : "", text ? text : ""};
    for (int i = 0; i < 3; i++) {
        for (const char *p = parts[i]; *p && used < sizeof(vm->reason) - 1; p++) {
            unsigned char c = (unsigned char)*p;
            vm->reason[used++] = (c >= 0x20 && c < 0x7f) || c == '\n' ? (char)c : '?';
        }
    }
    vm->reason[used] = 0;
}

static void log_reason(const struct vm *vm)
{
    for (const char *line = vm->reason; *line;) {
        size_t length = strcspn(line, "\n");
        log_line("%s: %.*s", vm->def.name, (int)length, line);
        line += length + (line[length] != 0);
    }
}

static void tell_console(void)
{
    if (vm_host.console_notif)
        sys_notif_signal(vm_host.console_notif, CONSOLE_BIT_CHANGED);
}

/* Each crash in a row doubles the pause: a guest that crashes at once must not eat the host. */
static void schedule_retry(struct vm *vm)
{
    if (time_ns() - vm->started_ns > CRASH_FORGOTTEN_NS)
        vm->crashes = 0;
    uint64_t ms = RETRY_FIRST_MS;
    for (uint32_t i = 0; i < vm->crashes && ms < RETRY_LAST_MS; i++)
        ms *= 2;
    vm->crashes++;
    vm->start_at = time_tsc() + time_ns_to_tsc((ms < RETRY_LAST_MS ? ms : RETRY_LAST_MS) * 1000000);
}

/* What it needs is still being looked for, or in the hands of a disk driver that has not answered
 * the end of the guest before. */
static bool must_wait(struct vm *vm, uint64_t now)
{
    return vm_drain(vm) || (vm_needs_volumes(vm) && (volume_searching(now) || pool_searching() ||
                                                     ahci_is_closing() || pool_is_closing()));
}

static const char *launch(struct vm *vm)
{
    uint64_t now = time_tsc();
    if (must_wait(vm, now)) {
        vm->state = VM_WAITING;
        vm->start_at = now;
        return NULL;
    }
    const char *why = vm_launch(vm);
    if (why) {
        vm->state = VM_SHUTOFF;
        set_reason(vm, "not started", why);
        log_reason(vm);
        return vm->reason;
    }
    log_line("%s: started, %u vCPUs, %llu KiB", vm->def.name, (unsigned)vm->def.vcpus,
             (unsigned long long)(vm->def.memory / 1024));
    return NULL;
}

static const char *execute(struct vm *vm, struct vm_decision decision)
{
    switch (decision.step) {
    case VM_STEP_NONE:
        return NULL;
    case VM_STEP_LAUNCH:
        return launch(vm);
    case VM_STEP_STOP:
        vm_release(vm);
        return NULL;
    case VM_STEP_RELAUNCH:
        vm_release(vm);
        vm->restarts++;
        return launch(vm);
    case VM_STEP_RETRY:
        vm_release(vm);
        vm->restarts++;
        schedule_retry(vm);
        return NULL;
    case VM_STEP_SIGNAL_SHUTDOWN:
        sys_notif_signal(vm->vmm.notif, VMM_CTL_SHUTDOWN);
        return NULL;
    case VM_STEP_SIGNAL_SUSPEND:
        sys_notif_signal(vm->vmm.notif, VMM_CTL_SUSPEND);
        return NULL;
    case VM_STEP_SIGNAL_RESUME:
        sys_notif_signal(vm->vmm.notif, VMM_CTL_RESUME);
        return NULL;
    case VM_STEP_INVALID:
        break;
    }
    return decision.error;
}

const char *vm_input(struct vm *vm, enum vm_input input)
{
    if (vm_host.stopping && (input == VM_IN_START || input == VM_IN_RESET))
        return "the host is being shut down";
    struct vm_decision decision = lifecycle_decide(&vm->def, vm->state, input);
    bool restart = decision.step == VM_STEP_RELAUNCH || decision.step == VM_STEP_RETRY;
    if (vm_host.stopping && restart) {
        decision.state = VM_SHUTOFF;
        decision.step = VM_STEP_STOP;
    }
    if (input == VM_IN_DESTROY && decision.step == VM_STEP_STOP)
        set_reason(vm, "destroyed", NULL);
    bool stops = decision.step == VM_STEP_STOP || restart;
    vm->state = decision.state;
    if (stops)
        log_line("%s: %s", vm->def.name, vm->state == VM_SHUTOFF ? "shut off" : "restarting");
    const char *why = execute(vm, decision);
    if (vm->state == VM_SHUTOFF)
        vm_drop_overlays(vm);
    tell_console();
    return why;
}

static bool ends_vmm(enum vm_input input)
{
    return input == VM_IN_POWEROFF || input == VM_IN_REBOOT || input == VM_IN_CRASH ||
           input == VM_IN_REFUSED;
}

void vm_event(struct vm *vm, uint64_t event, const char *text)
{
    static const struct {
        enum vm_input input;
        const char *what;
    } known[] = {
        [VMM_EVENT_RUNNING] = {VM_IN_RUNNING, NULL},
        [VMM_EVENT_POWEROFF] = {VM_IN_POWEROFF, "powered off"},
        [VMM_EVENT_RESET] = {VM_IN_REBOOT, "reset"},
        [VMM_EVENT_CRASH] = {VM_IN_CRASH, "crashed"},
        [VMM_EVENT_REFUSED] = {VM_IN_REFUSED, MGR_REFUSED},
        [VMM_EVENT_SUSPENDED] = {VM_IN_SUSPENDED, NULL},
        [VMM_EVENT_RESUMED] = {VM_IN_RESUMED, NULL},
    };
    if (event < VMM_EVENT_RUNNING || event >= sizeof(known) / sizeof(known[0]))
        return;
    enum vm_input input = known[event].input;
    if (known[event].what && !vm->has_pending) {
        set_reason(vm, known[event].what, text);
        log_reason(vm);
    }
    if (input == VM_IN_RUNNING && vm->state == VM_STARTING)
        log_line("%s: running, %llu ms after start", vm->def.name,
                 (unsigned long long)((time_ns() - vm->started_ns) / 1000000));
    if (!ends_vmm(input)) {
        vm_input(vm, input);
    } else if (!vm->has_pending) {
        vm->has_pending = true;
        vm->pending = input;
    }
}

bool vm_has_pending(void)
{
    for (uint32_t i = 0; i < count; i++) {
        if (vms[i]->has_pending)
            return true;
    }
    return false;
}

void vm_run_pending(void)
{
    for (uint32_t i = 0; i < count; i++) {
        struct vm *vm = vms[i];
        if (!vm->has_pending)
            continue;
        vm->has_pending = false;
        vm_input(vm, vm->pending);
    }
}

/* A notification says only that it is time to look: the bit of a VMM that has just been ended may
 * still come when the next run's VMM is there. */
void vm_check_health(void)
{
    for (uint32_t i = 0; i < count; i++) {
        struct vm *vm = vms[i];
        struct thread_info info;
        if (!lifecycle_has_vmm(vm->state))
            continue;
        enum program_health health = program_check(&vm->vmm, &info);
        if (health == PROGRAM_RUNS)
            continue;
        if (health == PROGRAM_FAULTED) {
            char name[DOMAIN_NAME + 8];
            snprintf(name, sizeof(name), "vmm:%s", vm->def.name);
            program_report_fault(name, &info);
        }
        /* What the VMM said before it ended explains more than its end. */
        if (vm->has_pending) {
            vm->has_pending = false;
            vm_input(vm, vm->pending);
            continue;
        }
        set_reason(vm, "its VMM ended", health == PROGRAM_ENDED ? "it exited" : "it crashed");
        log_reason(vm);
        vm_input(vm, VM_IN_DIED);
    }
}

/* Ascending by order; those without one, and equals, by file name, as they stand in the package. */
static int compare_order(const void *a, const void *b)
{
    const struct vm *x = *(struct vm *const *)a, *y = *(struct vm *const *)b;
    if (x->def.start_order != y->def.start_order)
        return x->def.start_order < y->def.start_order ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

void vm_schedule_boot(void)
{
    struct vm *queue[VMS_MAX];
    uint64_t at = time_tsc();
    memcpy(queue, vms, count * sizeof(queue[0]));
    qsort(queue, count, sizeof(queue[0]), compare_order);
    for (uint32_t i = 0; i < count; i++) {
        struct vm *vm = queue[i];
        if (!vm->def.autostart || vm->state != VM_SHUTOFF)
            continue;
        at += time_ns_to_tsc((uint64_t)vm->def.start_delay_ms * 1000000) + 1;
        vm->start_at = at;
        vm->state = VM_WAITING;
    }
}

uint64_t vm_tick(uint64_t now)
{
    for (;;) {
        struct vm *next = NULL;
        for (uint32_t i = 0; i < count; i++) {
            bool due = vms[i]->start_at <= now;
            if (vm_drain(vms[i]) || vms[i]->state != VM_WAITING || (due && must_wait(vms[i], now)))
                continue;
            if (!next || vms[i]->start_at < next->start_at)
                next = vms[i];
        }
        if (!next)
            return 0;
        if (next->start_at > now)
            return next->start_at;
        vm_input(next, VM_IN_START);
        /* Refused because the host stops: it must not be tried for ever. */
        if (next->state == VM_WAITING) {
            next->state = VM_SHUTOFF;
            vm_drop_overlays(next);
        }
    }
}
