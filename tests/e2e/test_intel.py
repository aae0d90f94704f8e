# SPDX-License-Identifier: BSD-2-Clause
"""The Intel rig: the same image, on VMX in Bochs."""

import os
import re

import demo
import harness

# Bochs executes about a hundred million instructions a second.
LIMIT = 300


def kernel_tests(smp):
    name = f"intel-kernel-{smp}"
    pkg = os.path.join(harness.LOGS, name + ".pkg")
    iso = os.path.join(harness.LOGS, name + ".iso")
    harness.tool("tools/mkpkg", "--out", pkg, "--component", f"manager={harness.component('ktest')}")
    with harness.Machine(name, harness.bochs(harness.image(pkg, iso), smp=smp)) as machine:
        match = machine.expect(r"manager: (\d+) passed, (\d+) failed", 240)
        wrong = re.findall(r"not ok .*", machine.text)
        harness.check(match.group(2) == "0" and int(match.group(1)) > 10000, f"{wrong}")


def test_kernel_on_one_cpu():
    kernel_tests(1)


def test_kernel_on_two_cpus():
    kernel_tests(2)


def test_two_stock_guests_to_their_shells():
    iso = harness.image(demo.package(), os.path.join(harness.LOGS, "intel-demo.iso"), "console=all")
    with harness.Console("intel-demo", harness.bochs(iso, memory=2048)) as machine:
        demo.wait_ready(machine, "alpha", "beta", limit=LIMIT)
        machine.send("\n")
        machine.prompt(LIMIT)
        for guest in ("alpha", "beta"):
            demo.shell(machine, guest, "echo $((6*7))-$(hostname)", f"^42-{guest}", LIMIT)


def test_two_vcpus_on_two_cpus():
    vms = harness.VmSet("intel-smp").add("smp", harness.test_guest("smp"), vcpus=2, memory=64)
    with vms.boot_intel("console=all", smp=2) as machine:
        match = machine.expect(r"^\[smp\] (\d+) passed, (\d+) failed", LIMIT)
        harness.check(match.group(2) == "0", "a check of the smp guest failed: see the log")


def refused_without_unrestricted(name, cmdline="", **machine):
    """What starts outside 64-bit mode is refused with a sentence, and only that guest."""
    vms = harness.VmSet(name).add("tiny", harness.test_guest("tiny"))
    with vms.boot_intel("console=all " + cmdline, **machine) as console:
        console.expect(r"unrestricted guest 0", LIMIT)
        console.expect(r"tiny: crashed: .*needs unrestricted guest", LIMIT)
        console.send("\n")
        console.prompt(LIMIT)
        console.wait_state("tiny", "shut off", LIMIT)


def test_cpu_without_unrestricted_guest():
    refused_without_unrestricted("intel-lynnfield", cpu="corei5_lynnfield_750")


def test_64_bit_linux_without_unrestricted_guest():
    vms = harness.VmSet("intel-linux")
    vms.add("linux", demo.KERNEL, demo.INITRD, "console=ttyS0 hostname=linux", memory=160)
    with vms.boot_intel("console=all nounrestricted") as machine:
        machine.expect(r"unrestricted guest 0", LIMIT)
        demo.wait_ready(machine, "linux", limit=LIMIT)


def test_unrestricted_guest_switched_off():
    refused_without_unrestricted("intel-restricted", "nounrestricted")


def guests_with(name, cmdline, found, *guests):
    """Test guests, together, on a CPU that lacks what `cmdline` takes away; `found`: what the
    kernel then says that it found."""
    vms = harness.VmSet(name)
    for guest in guests:
        vms.add(guest, harness.test_guest(guest), memory=64)
    with vms.boot_intel("console=all onidle=poweroff " + cmdline) as machine:
        for line in found:
            machine.expect(line, LIMIT)
        machine.wait_end(LIMIT)
        verdicts = re.findall(r"^\[(\w+)\] \d+ passed, (\d+) failed", machine.text, re.M)
        harness.check(sorted(verdicts) == sorted((guest, "0") for guest in guests), f"{verdicts}")


# Not `interrupts`: without the preemption timer it does not end in Bochs (docs/caveats.md).
def test_assists_switched_off():
    words = "novpid notprshadow nomsrbitmap nopausefilter nopreempttimer"
    for guest in ("timers", "nmi"):
        guests_with("intel-plain-" + guest, words,
                    ("VPID 0, TPR shadow 0, MSR bitmap 0, pause 0",
                     "timer 0, interrupt delivery 0, APIC registers 0"), guest)


# Bochs gets this wrong when interrupts of the host come (docs/caveats.md), so on request only, and one
# guest alone.
def test_interrupts_delivered_by_the_cpu():
    guests_with("intel-virtintr", "virtintr",
                ("timer 1, interrupt delivery 1, APIC registers 1",), "interrupts")


def test_interrupt_delivery_without_apic_registers():
    guests_with("intel-noapicregs", "virtintr noapicregs",
                ("interrupt delivery 1, APIC registers 0",), "interrupts")


def test_bochs_is_recognised():
    guests_with("intel-bochs", "", ("this is Bochs", "timer 1, interrupt delivery 0"), "pv")
