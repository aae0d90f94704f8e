# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's own tests (tests/ring3), which run as the root task in place of the manager: system calls, IPC,
scheduling, revocation, random calls, one vCPU. By instruction count on one CPU, in real time on two and four."""

import os
import re

import harness


def kernel_tests(name, *arguments, smp):
    pkg = os.path.join(harness.LOGS, name + ".pkg")
    harness.tool("tools/mkpkg", "--out", pkg, "--component", f"manager={harness.component('ktest')}")
    command = [*harness.qemu(*arguments, "-kernel", harness.KERNEL, "-initrd", pkg, smp=smp)]
    if "-icount" in arguments:
        command = [part.replace("thread=multi", "thread=single") for part in command]
    with harness.Machine(name, command) as machine:
        machine.expect(r"manager: \d+ passed, \d+ failed", 240)
        machine.wait_end(30)
        passed, failed = re.findall(r"manager: (\d+) passed, (\d+) failed", machine.text)[-1]
        wrong = re.findall(r"not ok .*", machine.text)
        harness.check(int(failed) == 0 and int(passed) > 10000, f"{passed} passed; {wrong}")


def test_one_cpu_counted():
    kernel_tests("kernel-1", "-icount", "shift=0,sleep=off", smp=1)


def test_two_cpus():
    kernel_tests("kernel-2", smp=2)


def test_four_cpus():
    kernel_tests("kernel-4", smp=4)
