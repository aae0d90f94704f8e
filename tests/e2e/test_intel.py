# SPDX-License-Identifier: BSD-2-Clause
"""The Intel rig: the same image, on VMX in Bochs."""

import os
import re
import sys

import demo
import harness
import test_kernel

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "bench"))
import bochs_rig  # noqa: E402

# Bochs executes about a hundred million instructions a second.
LIMIT = 300


def kernel_tests(smp):
    name = f"intel-kernel-{smp}"
    pkg = os.path.join(harness.LOGS, name + ".pkg")
    iso = os.path.join(harness.LOGS, name + ".iso")
    harness.tool("tools/mkpkg", "--out", pkg, "--component", f"manager={harness.component('ktest')}")
    with harness.Machine(name, harness.bochs(harness.image(pkg, iso), smp=smp, memory=test_kernel.MEMORY)) as machine:
        match = machine.expect(r"manager: (\d+) passed, (\d+) failed", 240)
        wrong = re.findall(r"not ok .*", machine.text)
        harness.check(match.group(2) == "0" and int(match.group(1)) > 10000, f"{wrong}")
        test_kernel.check_all_ran(machine.text)


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


def handover_us(cmdline):
    vms = harness.VmSet("intel-handover").add("h", harness.test_guest("handover"), vcpus=2)
    with vms.boot_intel("console=all " + cmdline) as machine:
        return int(machine.expect(r"^\[h\] handover took (\d+) us", LIMIT).group(1))


def test_pause_loops_yield_to_whom_they_wait_for():
    """Two vCPUs on one CPU, each spinning for the other: with exits at PAUSE loops turns take a small
    part of a slice, without them whole ones."""
    directed, blind = handover_us(""), handover_us("nopausefilter")
    print(f"    40 rounds of two turns: {directed} us, without exits at loops {blind} us", flush=True)
    harness.check(directed * 4 < blind, f"PAUSE loops: {directed} us, without {blind} us")


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


def guests_with(name, cmdline, found, *guests, extra="", **machine):
    """Test guests, together, on a CPU that lacks what `cmdline` takes away; `found`: what the
    kernel then says that it found."""
    vms = harness.VmSet(name)
    for guest in guests:
        vms.add(guest, harness.test_guest(guest), memory=64, extra=extra)
    with vms.boot_intel("console=all onidle=poweroff " + cmdline, **machine) as machine:
        for line in found:
            machine.expect(line, LIMIT)
        machine.wait_end(LIMIT)
        verdicts = re.findall(r"^\[(\w+)\] \d+ passed, (\d+) failed", machine.text, re.M)
        harness.check(sorted(verdicts) == sorted((guest, "0") for guest in guests), f"{verdicts}")


def test_assists_switched_off():
    # `nmi` by itself: Bochs 2.7 mixes guests' NMI blocking up (docs/caveats.md).
    for guests in (("interrupts", "timers"), ("nmi",)):
        guests_with("intel-plain-" + guests[0],
                    "novpid notprshadow nomsrbitmap nopausefilter nopreempttimer",
                    ("VPID 0, TPR shadow 0, MSR bitmap 0, pause 0",
                     "timer 0, interrupt delivery 0, APIC registers 0"), *guests)


# Bochs gets this wrong when interrupts of the host come (docs/caveats.md), so on request only, and one
# guest alone.
def test_interrupts_delivered_by_the_cpu():
    guests_with("intel-virtintr", "virtintr",
                ("timer 1, interrupt delivery 1, APIC registers 1",), "interrupts")


def test_interrupt_delivery_without_apic_registers():
    guests_with("intel-noapicregs", "virtintr noapicregs",
                ("interrupt delivery 1, APIC registers 0",), "interrupts")


def posted(switches, found):
    """Exits of a vCPU for interrupts of the host, while another sends it 2,000 IPIs."""
    vms = harness.VmSet("intel-posted")
    vms.add("pv", harness.test_guest("pv"), vcpus=2, memory=64, on_poweroff="preserve")
    with vms.boot_intel("console=all virtintr " + switches, smp=2,
                        cpu="corei7_skylake_x") as machine:
        machine.expect(found, LIMIT)
        match = machine.expect(r"^\[pv\] (\d+) passed, (\d+) failed", LIMIT)
        # The CPU delivers: no EOI needs KVM's flag.
        wrong = re.findall(r"not ok (\S+):", machine.text)
        harness.check(wrong == ["pv.eoi_without_exit"], f"{match.group(0)}: {wrong}")
        machine.send("\n")
        machine.prompt(LIMIT)
        stats = machine.command("domstats pv", LIMIT)
        return int(re.search(r"vcpu\.1\.intr\.sum=(\d+)", stats).group(1))


# Only Bochs 3.0 has them.
if os.environ.get("BOCHS_ROOT"):  # the installed one has none
    def test_posted_interrupts():
        with_it = posted("", "posted interrupts 1")
        without = posted("nopostedintr", "posted interrupts 0")
        harness.check(with_it < 200 and without >= 2000, f"{with_it} exits with, {without} without")


def test_tsc_of_another_frequency():
    guests_with("intel-tsc", "", ("TSC scaling 1",), "timers", cpu="corei7_skylake_x",
                extra="  <clock><timer name='tsc' frequency='123000000'/></clock>\n")


def test_bochs_is_recognised():
    guests_with("intel-bochs", "", ("this is Bochs", "timer 1, interrupt delivery 0"), "pv")


def test_faults_of_bochs():
    """What docs/caveats.md says of Bochs 2.7 and 3.0 is so."""
    iso = bochs_rig.image(os.path.join(harness.LOGS, "bochs-vmx.iso"), "multiboot /boot/vmx.elf\n",
                          {"vmx.elf": harness.test_guest("bochs_vmx")})
    with harness.Machine("bochs-vmx", harness.bochs(iso, memory=256)) as machine:
        machine.expect(r"^\d+ passed, \d+ failed", LIMIT)
        wrong = re.findall(r"^not ok bochs_vmx\.(\w+)", machine.text, re.M)
        known = ["nmi_blocking_ends"] if not os.environ.get("BOCHS_ROOT") else []
        harness.check(wrong == known + ["interrupt_ends_guest_with_if_clear"], f"{wrong}")
