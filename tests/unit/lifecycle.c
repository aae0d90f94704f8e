/* SPDX-License-Identifier: BSD-2-Clause */
/* What each state makes of each input, and that the two never contradict each other. */
#include "test.h"
#include "manager/guest/lifecycle.c"

static struct domain d = {
    .on_poweroff = ACTION_DESTROY, .on_reboot = ACTION_RESTART, .on_crash = ACTION_DESTROY};

static struct vm_decision go(enum vm_state state, enum vm_input input)
{
    return lifecycle_decide(&d, state, input);
}

TEST(start_and_stop)
{
    CHECK_EQ(go(VM_SHUTOFF, VM_IN_START).step, VM_STEP_LAUNCH);
    CHECK_EQ(go(VM_SHUTOFF, VM_IN_START).state, VM_STARTING);
    CHECK_EQ(go(VM_WAITING, VM_IN_START).step, VM_STEP_LAUNCH);
    CHECK_EQ(go(VM_RUNNING, VM_IN_START).step, VM_STEP_INVALID);
    CHECK(!strcmp(go(VM_RUNNING, VM_IN_START).error, "Domain is already active"));
    CHECK_EQ(go(VM_STARTING, VM_IN_RUNNING).state, VM_RUNNING);
    CHECK_EQ(go(VM_RUNNING, VM_IN_DESTROY).step, VM_STEP_STOP);
    CHECK_EQ(go(VM_RUNNING, VM_IN_DESTROY).state, VM_SHUTOFF);
    CHECK_EQ(go(VM_CRASHED, VM_IN_DESTROY).step, VM_STEP_STOP);
    CHECK_EQ(go(VM_WAITING, VM_IN_DESTROY).state, VM_SHUTOFF);
    CHECK_EQ(go(VM_WAITING, VM_IN_DESTROY).step, VM_STEP_NONE);
    CHECK_EQ(go(VM_SHUTOFF, VM_IN_DESTROY).step, VM_STEP_INVALID);
}

TEST(suspend_and_resume)
{
    CHECK_EQ(go(VM_RUNNING, VM_IN_SUSPEND).step, VM_STEP_SIGNAL_SUSPEND);
    CHECK_EQ(go(VM_RUNNING, VM_IN_SUSPEND).state, VM_RUNNING);
    CHECK_EQ(go(VM_RUNNING, VM_IN_SUSPENDED).state, VM_PAUSED);
    CHECK_EQ(go(VM_PAUSED, VM_IN_SUSPEND).step, VM_STEP_INVALID);
    CHECK_EQ(go(VM_PAUSED, VM_IN_SHUTDOWN).step, VM_STEP_INVALID);
    CHECK_EQ(go(VM_PAUSED, VM_IN_RESUME).step, VM_STEP_SIGNAL_RESUME);
    CHECK_EQ(go(VM_PAUSED, VM_IN_RESUMED).state, VM_RUNNING);
    CHECK_EQ(go(VM_RUNNING, VM_IN_RESUME).step, VM_STEP_INVALID);
}

TEST(shutdown)
{
    CHECK_EQ(go(VM_RUNNING, VM_IN_SHUTDOWN).state, VM_SHUTDOWN);
    CHECK_EQ(go(VM_SHUTDOWN, VM_IN_SHUTDOWN).step, VM_STEP_SIGNAL_SHUTDOWN);
    CHECK_EQ(go(VM_SHUTDOWN, VM_IN_POWEROFF).step, VM_STEP_STOP);
    CHECK_EQ(go(VM_SHUTOFF, VM_IN_SHUTDOWN).step, VM_STEP_INVALID);
    CHECK_EQ(go(VM_CRASHED, VM_IN_SHUTDOWN).step, VM_STEP_INVALID);
}

TEST(actions_are_followed)
{
    CHECK_EQ(go(VM_RUNNING, VM_IN_REBOOT).step, VM_STEP_RELAUNCH);
    CHECK_EQ(go(VM_RUNNING, VM_IN_CRASH).step, VM_STEP_STOP);
    d.on_poweroff = d.on_crash = ACTION_RESTART;
    d.on_reboot = ACTION_DESTROY;
    CHECK_EQ(go(VM_RUNNING, VM_IN_POWEROFF).step, VM_STEP_RELAUNCH);
    CHECK_EQ(go(VM_RUNNING, VM_IN_REBOOT).step, VM_STEP_STOP);
    CHECK_EQ(go(VM_RUNNING, VM_IN_CRASH).step, VM_STEP_RETRY);
    CHECK_EQ(go(VM_RUNNING, VM_IN_CRASH).state, VM_WAITING);
    CHECK_EQ(go(VM_RUNNING, VM_IN_DIED).step, VM_STEP_RETRY);
    CHECK_EQ(go(VM_CRASHED, VM_IN_DIED).step, VM_STEP_STOP);
    d.on_poweroff = d.on_crash = d.on_reboot = ACTION_PRESERVE;
    CHECK_EQ(go(VM_RUNNING, VM_IN_CRASH).state, VM_CRASHED);
    CHECK_EQ(go(VM_RUNNING, VM_IN_CRASH).step, VM_STEP_NONE);
    CHECK_EQ(go(VM_RUNNING, VM_IN_POWEROFF).state, VM_PRESERVED);
    CHECK_EQ(go(VM_RUNNING, VM_IN_DIED).state, VM_SHUTOFF);
    CHECK_EQ(go(VM_RUNNING, VM_IN_REFUSED).state, VM_SHUTOFF);
    d.on_poweroff = d.on_crash = ACTION_DESTROY;
    d.on_reboot = ACTION_RESTART;
}

/* Reports that come after the end change nothing. */
TEST(late_reports)
{
    for (int input = VM_IN_VERBS; input < VM_INPUTS; input++) {
        CHECK_EQ(go(VM_SHUTOFF, (enum vm_input)input).step, VM_STEP_NONE);
        CHECK_EQ(go(VM_SHUTOFF, (enum vm_input)input).state, VM_SHUTOFF);
    }
    CHECK_EQ(go(VM_CRASHED, VM_IN_POWEROFF).state, VM_CRASHED);
    CHECK_EQ(go(VM_CRASHED, VM_IN_RESUMED).state, VM_CRASHED);
}

/* Over all actions: a state with a VMM is reached only by a launch or from one with a VMM, and one
 * without only by a stop. */
TEST(steps_and_states_agree)
{
    for (int action = 0; action < 3; action++) {
        d.on_poweroff = d.on_reboot = d.on_crash = (enum domain_action)action;
        for (int s = 0; s < VM_STATES; s++) {
            for (int i = 0; i < VM_INPUTS; i++) {
                struct vm_decision to = go((enum vm_state)s, (enum vm_input)i);
                bool before = lifecycle_has_vmm((enum vm_state)s);
                bool after = lifecycle_has_vmm(to.state);
                bool launches = to.step == VM_STEP_LAUNCH || to.step == VM_STEP_RELAUNCH;
                bool stops = to.step == VM_STEP_STOP || to.step == VM_STEP_RETRY;
                CHECK(!stops || (before && !after));
                CHECK(!launches || after);
                CHECK(to.step != VM_STEP_LAUNCH || !before);
                CHECK(to.step != VM_STEP_RELAUNCH || before);
                CHECK(launches || stops || before == after);
                CHECK((to.step == VM_STEP_INVALID) == (to.error != NULL));
            }
        }
    }
}
