/* SPDX-License-Identifier: BSD-2-Clause */
#include "manager/guest/lifecycle.h"

#include <stddef.h>

#define NOT_RUNNING "Requested operation is not valid: domain is not running"
#define IS_ACTIVE   "Domain is already active"
#define NOT_PAUSED  "Requested operation is not valid: domain is not paused"
#define IS_STANDING "Requested operation is not valid: the guest has ended; destroy or reset it"

static struct vm_decision invalid(enum vm_state state, const char *error)
{
    return (struct vm_decision){state, VM_STEP_INVALID, error};
}

static struct vm_decision decide(enum vm_state state, enum vm_step step)
{
    return (struct vm_decision){state, step, NULL};
}

/* The guest's vCPUs run, or would but for a suspend. */
static bool is_live(enum vm_state state)
{
    return state == VM_STARTING || state == VM_RUNNING || state == VM_PAUSED ||
           state == VM_SHUTDOWN;
}

static struct vm_decision decide_verb(enum vm_state state, enum vm_input input)
{
    bool vmm = lifecycle_has_vmm(state);
    if (input == VM_IN_START)
        return vmm ? invalid(state, IS_ACTIVE) : decide(VM_STARTING, VM_STEP_LAUNCH);
    if (input == VM_IN_DESTROY && state == VM_WAITING)
        return decide(VM_SHUTOFF, VM_STEP_NONE);
    if (!vmm)
        return invalid(state, NOT_RUNNING);
    if (input == VM_IN_DESTROY)
        return decide(VM_SHUTOFF, VM_STEP_STOP);
    if (input == VM_IN_RESET)
        return decide(VM_STARTING, VM_STEP_RELAUNCH);
    if (!is_live(state))
        return invalid(state, IS_STANDING);
    if (input == VM_IN_RESUME)
        return state == VM_PAUSED ? decide(state, VM_STEP_SIGNAL_RESUME)
                                  : invalid(state, NOT_PAUSED);
    if (state == VM_PAUSED)
        return invalid(state, NOT_RUNNING);
    if (input == VM_IN_SUSPEND)
        return decide(state, VM_STEP_SIGNAL_SUSPEND);
    return decide(VM_SHUTDOWN, VM_STEP_SIGNAL_SHUTDOWN);
}

static struct vm_decision follow(enum domain_action action, enum vm_step restart,
                                 enum vm_state preserved)
{
    if (action == ACTION_PRESERVE)
        return decide(preserved, VM_STEP_NONE);
    if (action == ACTION_DESTROY)
        return decide(VM_SHUTOFF, VM_STEP_STOP);
    return decide(restart == VM_STEP_RETRY ? VM_WAITING : VM_STARTING, restart);
}

struct vm_decision lifecycle_decide(const struct domain *domain, enum vm_state state,
                                    enum vm_input input)
{
    if (input < VM_IN_VERBS)
        return decide_verb(state, input);
    if (!lifecycle_has_vmm(state))
        return decide(state, VM_STEP_NONE); /* the report came too late */
    switch (input) {
    case VM_IN_RUNNING:
        return decide(state == VM_STARTING ? VM_RUNNING : state, VM_STEP_NONE);
    case VM_IN_SUSPENDED:
        return decide(is_live(state) ? VM_PAUSED : state, VM_STEP_NONE);
    case VM_IN_RESUMED:
        return decide(state == VM_PAUSED ? VM_RUNNING : state, VM_STEP_NONE);
    case VM_IN_REFUSED:
        return decide(VM_SHUTOFF, VM_STEP_STOP);
    case VM_IN_DIED:
        /* There is nothing left to preserve; a guest that was already standing stays off. */
        return is_live(state) && domain->on_crash == ACTION_RESTART
                   ? decide(VM_WAITING, VM_STEP_RETRY)
                   : decide(VM_SHUTOFF, VM_STEP_STOP);
    default:
        break;
    }
    if (!is_live(state))
        return decide(state, VM_STEP_NONE);
    if (input == VM_IN_POWEROFF)
        return follow(domain->on_poweroff, VM_STEP_RELAUNCH, VM_PRESERVED);
    if (input == VM_IN_REBOOT)
        return follow(domain->on_reboot, VM_STEP_RELAUNCH, VM_PRESERVED);
    return follow(domain->on_crash, VM_STEP_RETRY, VM_CRASHED);
}
