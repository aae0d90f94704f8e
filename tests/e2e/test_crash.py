# SPDX-License-Identifier: BSD-2-Clause
"""A guest that dies is reported with its reason and registers, and follows its on_crash."""

import re

import demo
import harness


def test_triple_fault_is_reported():
    vms = harness.VmSet("triple").add("doomed", harness.test_guest("triple_fault"))
    vms.add("counter", harness.test_guest("counter"))
    with vms.boot("console=all") as machine:
        machine.expect(r"(?i)doomed.*triple fault")
        machine.expect(r"(?i)rip")
        machine.expect(r"^\[counter\] beat \d+")
        machine.send("\n")
        machine.prompt()
        state = machine.state("doomed")
        harness.check("shut off" in state or "crashed" in state, f"doomed is {state!r}")


def test_on_crash_restart():
    vms = harness.VmSet("crash-restart").add("doomed", harness.test_guest("triple_fault"),
                                             on_crash="restart")
    with vms.boot("console=all") as machine:
        for _ in range(3):
            machine.expect(r"^\[doomed\] ok triple_fault.about_to_die")


def test_on_crash_preserve():
    vms = harness.VmSet("crash-preserve").add("doomed", harness.test_guest("triple_fault"),
                                              on_crash="preserve")
    with vms.boot("console=all") as machine:
        machine.expect(r"(?i)doomed.*triple fault")
        machine.send("\n")
        machine.prompt()
        machine.wait_state("doomed", "crashed")
        machine.command("destroy doomed")
        machine.wait_state("doomed", "shut off")


def test_linux_panic_is_reported():
    vms = harness.VmSet("panic").add("linux", demo.KERNEL, demo.INITRD,
                                     "console=ttyS0 hostname=linux sysrq_always_enabled",
                                     memory=256)
    with vms.boot("console=all") as machine:
        demo.wait_ready(machine, "linux")
        machine.send("\n")
        machine.prompt()
        machine.enter("linux")
        machine.send("\n")
        machine.expect(r"linux:\S*# ")
        machine.send("echo c > /proc/sysrq-trigger\n")
        machine.expect("Kernel panic")
        machine.leave()
        machine.wait_state("linux", "shut off")
        text = machine.command("dmesg")
        harness.check(re.search("linux: crashed: guest panicked", text), f"no reason:\n{text}")
