# SPDX-License-Identifier: BSD-2-Clause
"""A guest that dies is reported with its reason and registers, and follows its on_crash."""

import re

import demo
import gdb
import harness
from test_guests import accounts, check_accounts
from test_hostile import beats_are_right


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


def no_page_tables(intel):
    vms = harness.VmSet("crash-tables" + ("-intel" if intel else ""))
    vms.add("doomed", harness.test_guest("triple_fault"), cmdline="tables")
    with (vms.boot_intel if intel else vms.boot)("console=all") as machine:
        machine.expect(r"doomed.*triple fault: .* no memory is at guest-physical 0x1000000")
        machine.send("\n")
        machine.prompt()
        machine.wait_state("doomed", "shut off")


def test_no_page_tables():
    """CR3 points to where no memory is: what cannot be delivered ends the guest, it does not spin."""
    no_page_tables(False)


def test_no_page_tables_on_intel():
    no_page_tables(True)


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
        demo.to_shell(machine, "linux")
        machine.send("echo c > /proc/sysrq-trigger\n")
        machine.expect("Kernel panic")
        machine.leave()
        machine.wait_state("linux", "shut off")
        text = machine.command("dmesg")
        harness.check(re.search("linux: crashed: guest panicked", text), f"no reason:\n{text}")


def vmm_dies(name, topic, function, provoke):
    """The VMM of `victim` crashes in a function; its neighbour's heart beats on, all memory comes
    back, and it can be started again."""
    vms = harness.VmSet(name).add("beta", harness.test_guest("counter"))
    vms.add("victim", harness.test_guest(topic), memory=64, virtio=True, autostart=False)
    port = gdb.free_port()
    command = harness.pvh(vms.package(), "console=all") + ["-gdb", f"tcp:127.0.0.1:{port}"]
    place = gdb.Place("vmm", function)
    with harness.Console(name, command) as machine:
        machine.expect(r"^\[beta\] beat 2 ")
        machine.send("\n")
        machine.prompt()
        machine.command("start victim")  # the first start also takes what stays with the definition
        machine.expect(r"^\[victim\] ")
        machine.command("destroy victim")
        before = accounts(machine)
        with gdb.Debugger(port) as debugger:
            debugger.arm(place)
            provoke(machine)
            debugger.crash(place)
            machine.expect("vmm:victim: exception 14, .*address 0$")
            machine.expect("victim: its VMM ended: it crashed")
            machine.expect(r"^\[beta\] beat \d+ ")
        machine.send("\n")
        machine.prompt()
        machine.wait_state("victim", "shut off")
        check_accounts(before, machine)
        machine.command("start victim")
        machine.expect(r"^\[victim\] ")
        last = machine.expect(r"^\[beta\] beat (\d+) ").group(1)
        machine.expect(rf"^\[beta\] beat {int(last) + 2} ")
        beats_are_right(machine.text)


def test_vmm_dies_in_a_vcpu_thread():
    """In a device model, with the devices' lock taken."""
    vmm_dies("crash-vcpu-thread", "hostile_pci", "pci_config_read",
             lambda machine: machine.send("start victim\n"))


def test_vmm_dies_in_its_event_thread():
    """In a timer of the PIT, with the devices' lock taken."""
    vmm_dies("crash-event-thread", "timers", "pit_fire",
             lambda machine: machine.send("start victim\n"))


def test_console_dies_and_comes_back():
    """At a key that is typed; the guests do not notice."""
    vms = harness.VmSet("crash-console").add("beta", harness.test_guest("counter"))
    port = gdb.free_port()
    command = harness.pvh(vms.package(), "console=all") + ["-gdb", f"tcp:127.0.0.1:{port}"]
    place = gdb.Place("console", "line_key")
    with harness.Console("crash-console", command) as machine:
        machine.expect(r"^\[beta\] beat 2 ")
        with gdb.Debugger(port) as debugger:
            debugger.arm(place)
            machine.send("x")
            debugger.crash(place)
            machine.expect("console: exception 14, .*address 0$")
            machine.expect("console: ended; it is started again")
            machine.expect(r"^\[beta\] beat \d+ ")
        machine.send("\n")
        machine.prompt()
        harness.check("running" in machine.state("beta"), "beta does not run")
