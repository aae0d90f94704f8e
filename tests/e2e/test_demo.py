# SPDX-License-Identifier: BSD-2-Clause
"""The demo: two stock guests side by side, worked with as a user does."""

import re

import demo
import harness


def prompt(machine):
    machine.send("\n")
    machine.prompt()


def test_both_guests_to_a_shell():
    with demo.boot("demo-shells") as machine:
        demo.both_answer(machine)
        harness.check("running" in machine.state("alpha"), "alpha does not run")
        harness.check("running" in machine.state("beta"), "beta does not run")


def test_smp_guest_uses_both_vcpus():
    with demo.boot("demo-smp") as machine:
        demo.wait_ready(machine, "alpha", "beta")
        prompt(machine)
        demo.shell(machine, "beta", "grep -c ^processor /proc/cpuinfo", "^2$")
        busy = "for c in 0 1; do taskset $((1<<c)) sh -c 'i=0; while [ $i -lt 20000 ];" \
               " do i=$((i+1)); done; echo done-on-$0' $c & done; wait"
        demo.to_shell(machine, "beta")
        machine.send(busy + "\n")
        seen = {machine.expect(r"^done-on-(\d)").group(1) for _ in range(2)}
        machine.leave()
        harness.check(seen == {"0", "1"}, f"work was done on vCPUs {sorted(seen)}")
        text = machine.command("vcpuinfo beta")
        harness.check(len(re.findall(r"(?i)^VCPU:", text, re.M)) == 2, f"vcpuinfo beta:\n{text}")


def test_poweroff_and_start_again():
    with demo.boot("demo-poweroff") as machine:
        demo.wait_ready(machine, "alpha", "beta")
        prompt(machine)
        for _ in range(2):
            demo.shell_to_the_end(machine, "alpha", "poweroff")
            machine.wait_state("alpha", "shut off")
            machine.command("start alpha")
            demo.wait_ready(machine, "alpha")
            prompt(machine)
        demo.shell(machine, "beta", "echo still-$(hostname)", "^still-beta")


def test_reboot():
    with demo.boot("demo-reboot") as machine:
        demo.wait_ready(machine, "alpha", "beta")
        prompt(machine)
        demo.shell_to_the_end(machine, "beta", "reboot")
        demo.wait_ready(machine, "beta")
        prompt(machine)
        demo.shell(machine, "beta", "echo back-$(hostname)", "^back-beta")


def test_acpi_shutdown():
    with demo.boot("demo-shutdown") as machine:
        demo.wait_ready(machine, "alpha", "beta")
        prompt(machine)
        machine.command("shutdown beta")
        machine.wait_state("beta", "shut off")
        harness.check("running" in machine.state("alpha"), "alpha went down with beta")


def test_reset_suspend_resume_destroy():
    with demo.boot("demo-verbs") as machine:
        demo.wait_ready(machine, "alpha", "beta")
        prompt(machine)
        machine.command("suspend alpha")
        machine.wait_state("alpha", "paused")
        machine.command("resume alpha")
        machine.wait_state("alpha", "running")
        demo.shell(machine, "alpha", "echo resumed-$(hostname)", "^resumed-alpha")
        machine.command("reset alpha")
        demo.wait_ready(machine, "alpha")
        prompt(machine)
        machine.command("destroy alpha")
        machine.wait_state("alpha", "shut off")


def test_information_verbs():
    with demo.boot("demo-information") as machine:
        demo.wait_ready(machine, "alpha", "beta")
        prompt(machine)
        for verb, expected in (("dominfo alpha", r"262144"), ("domstats beta", r"vcpu"),
                               ("vcpuinfo alpha", r"(?i)cpu"), ("nodeinfo", r"CPU"),
                               ("dmesg", r"(?i)mullion"), ("help", r"destroy")):
            text = machine.command(verb)
            harness.check(re.search(expected, text), f"{verb} has no {expected!r}:\n{text}")
        text = machine.command("dominfo nobody")
        harness.check("nobody" in text, f"an unknown guest is not named: {text!r}")
        text = machine.command("frobnicate")
        harness.check("frobnicate" in text, f"an unknown command is not named: {text!r}")


def test_virtio_devices_in_linux():
    with demo.boot("demo-virtio") as machine:
        demo.wait_ready(machine, "alpha", "beta")
        prompt(machine)
        demo.shell(machine, "alpha", "cat /sys/class/misc/hw_random/rng_current", "^virtio_rng")
        demo.shell(machine, "alpha", "cat /sys/devices/system/clocksource/clocksource0/"
                                     "current_clocksource", "^(kvm-clock|tsc)")
        demo.shell(machine, "beta", "dd if=/dev/hwrng bs=512 count=1 2>/dev/null | wc -c", "^512$")


def test_kernel_log_is_clean():
    with demo.boot("demo-log") as machine:
        demo.wait_ready(machine, "alpha", "beta")
        bad = re.findall(r"^\[(?:alpha|beta)\] .*(?:WARNING|BUG:|Oops|consistency problem|unstable|"
                         r"Call Trace|not responding|failed).*$", machine.text, re.M)
        harness.check(not bad, "kernel lines of the guests:\n" + "\n".join(bad))
        prompt(machine)
        demo.shell(machine, "alpha", "grep -c ' avx ' /proc/cpuinfo", "^1$")


def test_paravirtual_features_in_linux():
    # One CPU for three vCPUs: they take time from each other.
    with demo.boot("demo-pv", smp=1) as machine:
        demo.wait_ready(machine, "alpha", "beta")
        prompt(machine)
        demo.shell(machine, "alpha", "awk '/^cpu / {print ($9 > 0) ? \"stolen\" : \"none\"}' "
                                     "/proc/stat", "^stolen$")
        demo.shell(machine, "beta", "dmesg | grep -c 'KVM setup\\|setup PV IPIs'", r"^[1-9]\d*$")
        text = machine.command("domstats beta")
        taken = int(re.search(r"vcpu\.0\.inject_intr\.sum=(\d+)", text).group(1))
        ended = int(re.search(r"vcpu\.0\.pv_eoi\.sum=(\d+)", text).group(1))
        harness.check(ended > taken // 2, f"{ended} of {taken} interrupts ended without an exit")
