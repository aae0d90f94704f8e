# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's own tests, which run as the root task in the manager's place."""

import os

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
