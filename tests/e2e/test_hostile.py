# SPDX-License-Identifier: BSD-2-Clause
"""Hostile guests beside a checksummed counter that must never miss a beat."""

import os
import re

import harness

HOSTILE = ("hostile_ports", "hostile_msrs", "hostile_pci", "hostile_virtio", "hostile_control",
           "flood")
MASK = 0xffffffff


def step(x):
    x ^= (x << 13) & MASK
    x ^= x >> 17
    return x ^ (x << 5) & MASK


def beats_are_right(text):
    """The counter's beats so far: each present, in order, with the right checksum."""
    total, number = 0x4d756c6c, 0
    for beat, value in re.findall(r"^\[beta\] beat (\d+) ([0-9a-f]+)\n", text, re.M):
        number += 1
        harness.check(int(beat) == number, f"beat {number} is missing: {beat} came")
        total = step(total ^ number)
        harness.check(int(value, 16) == total, f"beat {beat} says {value}, not {total:x}")
    return number


def beside(topic, intel=False):
    vms = harness.VmSet("beside-" + topic + ("-intel" if intel else ""))
    vms.add("beta", harness.test_guest("counter"), memory=32)
    vms.add("evil", harness.test_guest(topic), memory=64, virtio=True,
            vcpus=2 if topic == "hostile_ipis" else 1)
    boot, smp = (vms.boot_intel, 1) if intel else (vms.boot, 2)
    with boot("console=all", smp=smp) as machine:
        machine.expect(r"^\[evil\] \d+ passed, (\d+) failed|evil.*(triple fault|crashed|stopped)",
                       300)
        machine.send("\n")
        machine.prompt()
        machine.wait_state("evil", "shut off")
        last = machine.expect(r"^\[beta\] beat (\d+) ").group(1)
        machine.expect(rf"^\[beta\] beat {int(last) + 3} ")
        harness.check(beats_are_right(machine.text) >= 3, "no beats")
        harness.check("[beta] not ok" not in machine.text, "beta's memory changed")


def test_ports():
    beside("hostile_ports")


def test_msrs():
    beside("hostile_msrs")


def test_pci():
    beside("hostile_pci")


def test_virtio():
    beside("hostile_virtio")


def test_ipis():
    beside("hostile_ipis")


def test_control_registers_on_intel():
    beside("hostile_control", intel=True)


# By hand: minutes in Bochs. `make check` runs the guests there, too, but alone.
if os.environ.get("E2E_HOSTILE") == "intel":
    def test_all_on_intel():
        for topic in (*HOSTILE, "hostile_ipis", "triple_fault"):
            beside(topic, intel=True)
            print(f"    {topic}: the neighbour missed no beat", flush=True)


def test_flood():
    beside("flood")


def test_triple_fault():
    beside("triple_fault")


def test_hostile_again_and_again():
    """Started and destroyed in the middle of it, many times."""
    vms = harness.VmSet("hostile-again").add("beta", harness.test_guest("counter"), memory=32)
    for topic in HOSTILE:
        vms.add(topic, harness.test_guest(topic), memory=64, virtio=True, autostart=False)
    with vms.boot("console=all", smp=2) as machine:
        machine.expect(r"^\[beta\] beat 1 ")
        machine.send("\n")
        machine.prompt()
        for topic in HOSTILE * 3:
            machine.command(f"start {topic}")
            machine.expect(r"^\[beta\] beat \d+ ")
            machine.send("\n")
            machine.prompt()
            machine.command(f"destroy {topic}")
            machine.wait_state(topic, "shut off")
        harness.check(beats_are_right(machine.text) > 0, "no beats")
