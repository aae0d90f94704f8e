/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to a virtual machine: a table of states and inputs, without side effects. */
#ifndef MANAGER_GUEST_LIFECYCLE_H
#define MANAGER_GUEST_LIFECYCLE_H

#include "manager/definition/domain.h"

enum vm_state {
    VM_SHUTOFF,  /* no VMM */
    VM_WAITING,  /* no VMM; will be started after its delay */
    VM_STARTING, /* VMM there, no guest instruction yet */
    VM_RUNNING,
    VM_PAUSED,
    VM_SHUTDOWN,  /* asked to shut down, still running */
    VM_CRASHED,   /* preserved after a crash: VMM there, vCPUs stand */
    VM_PRESERVED, /* preserved after power-off or reboot */
    VM_STATES
};

enum vm_input {
    VM_IN_START,
    VM_IN_SHUTDOWN,
    VM_IN_DESTROY,
    VM_IN_RESET,
    VM_IN_SUSPEND,
    VM_IN_RESUME,
    VM_IN_VERBS, /* from here on: what the VMM or the machine reports */
    VM_IN_RUNNING = VM_IN_VERBS,
    VM_IN_POWEROFF,
    VM_IN_REBOOT,
    VM_IN_CRASH,
    VM_IN_REFUSED,
    VM_IN_SUSPENDED,
    VM_IN_RESUMED,
    VM_IN_DIED, /* the VMM itself crashed or ended */
    VM_INPUTS
};

enum vm_step {
    VM_STEP_NONE,
    VM_STEP_LAUNCH,   /* allocate and start a VMM */
    VM_STEP_STOP,     /* end the VMM, take everything back */
    VM_STEP_RELAUNCH, /* stop, then launch */
    VM_STEP_RETRY,    /* stop, then launch after a pause that grows with each crash */
    VM_STEP_SIGNAL_SHUTDOWN,
    VM_STEP_SIGNAL_SUSPEND,
    VM_STEP_SIGNAL_RESUME,
    VM_STEP_INVALID /* the state does not allow it: `error` says why */
};

struct vm_decision {
    enum vm_state state;
    enum vm_step step;
    const char *error;
};

struct vm_decision lifecycle_decide(const struct domain *domain, enum vm_state state,
                                    enum vm_input input);
/* True if a VMM belongs to the state. */
static inline bool lifecycle_has_vmm(enum vm_state state)
{
    return state != VM_SHUTOFF && state != VM_WAITING;
}

#endif
