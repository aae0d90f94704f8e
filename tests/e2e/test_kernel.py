# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's own tests, which run as the root task in the manager's place; its panics."""

import os
import re
import socket

import harness


def ring3_tests(cpus):
    name = f"kernel-{cpus}-cpus"
    vms = harness.VmSet(name).add("tiny", harness.test_guest("tiny"))
    out = harness.package(vms.folder, os.path.join(harness.LOGS, name + ".pkg"),
                          manager="ktest")
    with harness.Machine(name, harness.pvh(out, smp=cpus)) as machine:
        match = machine.expect(r"(\d+) passed, (\d+) failed", 240, refuse="panic")
        harness.check(match.group(2) == "0", "a check failed: see the log")
        machine.wait_end(30)


def test_ring3_one_cpu():
    ring3_tests(1)


def test_ring3_four_cpus():
    ring3_tests(4)


def test_panic_record_after_warm_reset():
    """The NMI button of a machine that hangs: a panic, a reset, and the next run's log tells why."""
    vms = harness.VmSet("panic-record").add("counter", harness.test_guest("counter"))
    monitor = os.path.join(harness.LOGS, "panic-record.monitor")
    command = harness.pvh(vms.package(), "console=all nmi=panic panic=reboot")
    command.remove("-no-reboot")
    command += ["-monitor", f"unix:{monitor},server,nowait"]
    with harness.Console("panic-record", command) as machine:
        machine.expect(r"^\[counter\] beat 1 ")
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(monitor)
            greeting = b""
            while b"(qemu)" not in greeting:
                greeting += link.recv(4096)
            link.sendall(b"nmi\n")
            machine.expect("PANIC: NMI of unknown origin")
            machine.expect(r"^\[.*\] rip ")
            machine.expect("resetting")
            machine.expect("booted by pvh")
            machine.expect(r"^\[counter\] beat 1 ")
        machine.send("\n")
        machine.prompt()
        text = machine.command("dmesg")
        for wanted in ("PANIC: NMI of unknown origin", "rip "):
            harness.check(re.search(rf"last run: \[.*\] {wanted}", text), f"no {wanted!r}:\n{text}")
