# SPDX-License-Identifier: BSD-2-Clause
"""Many guests, many starts, and the kernel's accounts afterwards."""

import os
import re

import demo
import harness

CYCLES = int(os.environ.get("E2E_CYCLES", "200"))


def accounts(machine):
    """What nodeinfo says about memory and objects: must be the same before and after."""
    lines = machine.command("nodeinfo").splitlines()
    return [line for line in lines
            if re.search(r"(?i)(free|used|memory|objects|frames|pages|own)", line)]


def check_accounts(before, machine):
    after = accounts(machine)
    harness.check(before and before == after, "accounts differ:\n  before " +
                  "\n  before ".join(before) + "\n  after  " + "\n  after  ".join(after))


def test_eight_guests_on_two_cpus():
    vms = harness.VmSet("eight")
    for i in range(8):
        vms.add(f"g{i}", demo.KERNEL, demo.INITRD, f"console=ttyS0 hostname=g{i}", memory=160)
    with vms.boot("console=all", smp=2, memory=2560) as machine:
        demo.wait_ready(machine, *(f"g{i}" for i in range(8)), limit=600)
        machine.send("\n")
        machine.prompt()
        for i in range(8):
            demo.shell(machine, f"g{i}", "echo $((6*7))-$(hostname)", f"^42-g{i}")


def test_eight_vcpus_on_four_cpus():
    vms = harness.VmSet("eight-vcpus").add("smp", harness.test_guest("smp"), vcpus=8, memory=64)
    with vms.boot("console=all", smp=4) as machine:
        match = machine.expect(r"^\[smp\] (\d+) passed, (\d+) failed", 300)
        harness.check(match.group(2) == "0", "a check of the smp guest failed: see the log")
        harness.check("[smp] info 8 cpus" in machine.text, "not all of 8 vCPUs started")


def test_fpu_state_of_a_neighbour():
    """One guest restores FPU state all the time, on another CPU one does nothing but exit. With
    E2E_ACCEL=tcg,thread=multi it shows the fault of QEMU that docs/caveats.md tells of."""
    vms = harness.VmSet("guests-fpu")
    for cpu, kind in enumerate(("exits", "restore")):
        vms.add(kind, harness.test_guest("load"), cmdline=kind, extra=f"<cputune><vcpupin vcpu='0' "
                f"cpuset='{cpu}'/><emulatorpin cpuset='{cpu}'/></cputune>\n")
    with vms.boot("console=all") as machine:
        machine.expect(r"^\[restore\] load restore begins")
        machine.expect(r"^\[exits\] exits 262144")


def test_start_stop_cycles():
    vms = harness.VmSet("cycles").add("tiny", harness.test_guest("tiny"), virtio=True)
    with vms.boot("console=all") as machine:
        machine.expect(r"^\[tiny\] 1 passed, 0 failed")
        machine.send("\n")
        machine.prompt()
        machine.wait_state("tiny", "shut off")
        before = accounts(machine)
        for i in range(CYCLES):
            machine.command("start tiny")
            machine.expect(r"^\[tiny\] 1 passed, 0 failed")
            machine.send("\n")
            machine.prompt()
            machine.wait_state("tiny", "shut off")
            if i % 50 == 49:
                print(f"    {i + 1} of {CYCLES} cycles", flush=True)
        check_accounts(before, machine)


def test_destroy_while_running():
    vms = harness.VmSet("destroy").add("counter", harness.test_guest("counter"), memory=32)
    with vms.boot("console=all") as machine:
        machine.expect(r"^\[counter\] beat 2 ")
        machine.send("\n")
        machine.prompt()
        machine.command("destroy counter")
        machine.wait_state("counter", "shut off")
        before = accounts(machine)
        for _ in range(10):
            machine.command("start counter")
            machine.expect(r"^\[counter\] beat 2 ")
            machine.send("\n")
            machine.prompt()
            machine.command("destroy counter")
            machine.wait_state("counter", "shut off")
        check_accounts(before, machine)


def test_memory_that_does_not_fit():
    vms = harness.VmSet("too-big").add("big", harness.test_guest("tiny"), memory=65536)
    vms.add("tiny", harness.test_guest("tiny"))
    with vms.boot("console=all", memory=512) as machine:
        machine.expect(r"^\[tiny\] 1 passed, 0 failed")
        machine.send("\n")
        machine.prompt()
        text = machine.command("start big") + machine.command("dmesg")
        harness.check(re.search(r"big.*memory|memory.*big", text), f"no reason for big:\n{text}")


def test_halted_for_good_costs_nothing():
    vms = harness.VmSet("hlt").add("asleep", harness.test_guest("hlt_if0"))
    vms.add("counter", harness.test_guest("counter"))
    with vms.boot("console=all", smp=1) as machine:
        machine.expect(r"^\[counter\] beat 5 ")
        machine.send("\n")
        machine.prompt()
        machine.command("destroy asleep")
        machine.wait_state("asleep", "shut off")
