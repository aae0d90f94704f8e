# SPDX-License-Identifier: BSD-2-Clause
"""The scheduler's figures: waking halted vCPUs, switching between guests, on one host CPU."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
import harness  # noqa: E402
import kvm_rig  # noqa: E402
from kvm_rig import figures  # noqa: E402

PROGRAMS = {name: os.path.join(harness.BUILD, "tests", "bench", name + ".elf")
            for name in ("sched_guest", "sched_wake", "sched_turns", "sched_cost")}

# KVM fires timers before their time and polls for halted vCPUs: measured with both, as it comes, and
# without, which shows what a wake-up itself costs.
KVM = """run() {{ name=$1; shift; echo "== $name"; {qemu} "$@" </dev/null 2>&1; echo "== end $name"; }}
run guest -m 64 -mem-prealloc -kernel /sched_guest.elf
run wake -m 64 -mem-prealloc -smp 2 -kernel /sched_wake.elf
for g in a b; do
    {qemu} -m 64 -mem-prealloc -kernel /sched_turns.elf </dev/null >/tmp/$g 2>&1 &
    pids="$pids $!"
done
until $b grep -q measured /tmp/a && $b grep -q measured /tmp/b; do $b sleep 1; done 2>/dev/null
kill -9 $pids
for g in a b; do echo "== turns_$g"; $b cat /tmp/$g; echo "== end turns_$g"; done
$b sleep 1
$b rmmod kvm_amd kvm
$b insmod /modules/kvm.ko lapic_timer_advance_ns=0 halt_poll_ns=0
$b insmod /modules/kvm-amd.ko
run guest_plain -m 64 -mem-prealloc -kernel /sched_guest.elf
run wake_plain -m 64 -mem-prealloc -smp 2 -kernel /sched_wake.elf
$b sleep 1
$b poweroff -f
"""


def switch(a, b):
    """Of two guests' turns and gaps: one switch."""
    if not ("gap" in a and "turn" in a and "gap" in b and "turn" in b):
        return None
    return (a["gap"] - b["turn"] + b["gap"] - a["turn"]) // 4


def mullion(boot):
    """boot(vms, cmdline): a console."""
    found = {}
    for name, vcpus in (("sched_guest", 1), ("sched_wake", 2)):
        vms = harness.VmSet("bench-" + name).add("sched", PROGRAMS[name], memory=64, vcpus=vcpus)
        with boot(vms, "console=all") as machine:
            machine.expect(r"^\[sched\] \d+ passed", 600)
            found.update(figures(machine.text))
    found.pop("switch", None)
    vms = harness.VmSet("bench-yield").add("sched", PROGRAMS["sched_guest"], memory=64)
    vms.add("a", harness.test_guest("load"), cmdline="yield")
    with boot(vms, "console=all") as machine:
        found["yield"] = int(machine.expect(r"^\[sched\] bench switch (\d+)\s", 600).group(1))
    vms = harness.VmSet("bench-turns")
    for name in "ab":
        vms.add(name, PROGRAMS["sched_turns"], memory=64)
    with boot(vms, "console=all") as machine:
        turns = []
        for name in "ab":
            machine.expect(rf"^\[{name}\] turns measured", 600)
        for name in "ab":
            turns.append(figures("\n".join(re.findall(rf"^\[{name}\] (bench .*)$", machine.text,
                                                      re.M))))
    found["switch"] = switch(*turns)
    return found


def bare(run):
    """run(name, program): its output."""
    found = figures(run("bench-bare-sched", PROGRAMS["sched_guest"]))
    found.pop("switch", None)
    return found, figures(run("bench-sched-cost", PROGRAMS["sched_cost"]))


def archive(kernel, modules):
    programs = {os.path.basename(path): path for path in PROGRAMS.values()}
    script = kvm_rig.setup() + KVM.format(qemu=kvm_rig.GUEST_QEMU)
    return kvm_rig.archive(kernel, modules, programs, script, {})


def kvm(text):
    """What KVM's rig said: (as it comes, without early timers and polling)."""
    found = [{**figures(kvm_rig.section(text, "guest" + how)),
              **figures(kvm_rig.section(text, "wake" + how))} for how in ("", "_plain")]
    for figure in found:
        figure.pop("switch", None)
    found[0]["switch"] = switch(*(figures(kvm_rig.section(text, "turns_" + name)) for name in "ab"))
    return found
