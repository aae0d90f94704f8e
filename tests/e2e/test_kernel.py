# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's own tests (tests/ring3), which run as the root task in place of the manager: system calls, IPC,
scheduling, revocation, random calls, one vCPU. By instruction count on one CPU, in real time on two and four.
And the kernel's panics."""

import os
import re
import socket

import harness


MEMORY = 2560  # MiB: a whole GiB, from 1 to 2 GiB, is free


def check_all_ran(text):
    harness.check("no guest on a page of 1 GiB" not in text, "there was no GiB for the test of huge pages")


def kernel_tests(name, smp, accel=harness.PARALLEL):
    pkg = os.path.join(harness.LOGS, name + ".pkg")
    harness.tool("tools/mkpkg", "--out", pkg, "--component", f"manager={harness.component('ktest')}")
    command = harness.qemu("-kernel", harness.KERNEL, "-initrd", pkg, smp=smp, memory=MEMORY, accel=accel)
    with harness.Machine(name, command) as machine:
        machine.expect(r"manager: \d+ passed, \d+ failed", 240)
        machine.wait_end(30)
        passed, failed = re.findall(r"manager: (\d+) passed, (\d+) failed", machine.text)[-1]
        wrong = re.findall(r"not ok .*", machine.text)
        harness.check(int(failed) == 0 and int(passed) > 10000, f"{passed} passed; {wrong}")
        check_all_ran(machine.text)


def test_one_cpu_counted():
    kernel_tests("kernel-1", smp=1, accel=harness.COUNTED)


def test_two_cpus():
    kernel_tests("kernel-2", smp=2)


def test_four_cpus():
    kernel_tests("kernel-4", smp=4)


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
