# SPDX-License-Identifier: BSD-2-Clause
"""What the console promises to scripts and to people."""

import re

import harness


def talkative(name):
    vms = harness.VmSet(name)
    return vms.add("alpha", harness.test_guest("counter")).add("beta", harness.test_guest("counter"))


def whole_lines(raw):
    """Lines with a guest's words: each is "[name] words" from the first column on, nothing else."""
    found = 0
    for line in raw.split(b"\n"):
        if re.search(rb"\[(alpha|beta)\]|beat \d", line):
            harness.check(re.fullmatch(rb"\[(alpha|beta)\] [ -~]*\r*", line), f"torn: {line!r}")
            found += 1
    return found


def test_lines_are_whole_while_typing():
    with talkative("console-lines").boot("console=all") as machine:
        machine.expect(r"^\[alpha\] beat 2 ")
        for _ in range(20):
            text = machine.command("list")
            harness.check("alpha" in text and "beat" not in text, f"a command's output:\n{text}")
        # Slowly typed, with output due between the keys.
        for key in "nodeinfo":
            machine.send(key)
            machine.expect(key)
        machine.send("\n")
        machine.expect("Hypervisor:")
        machine.expect(r"^\[beta\] beat 20 ")
        harness.check(whole_lines(machine.raw) > 30, "the guests said nothing")


def test_escapes_of_a_guest_stay_with_it():
    """hostile_ports writes what it likes to its serial port; none of it may reach the terminal."""
    vms = harness.VmSet("console-escapes").add("evil", harness.test_guest("hostile_ports"))
    with vms.boot("console=all") as machine:
        machine.expect(r"^\[evil\] \d+ passed", 300)
        for line in machine.raw.split(b"\n"):
            if line.startswith(b"[evil]"):
                harness.check(re.fullmatch(rb"[ -~\t\x80-\xff]*\r*", line), f"controls: {line!r}")
