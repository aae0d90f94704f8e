# SPDX-License-Identifier: BSD-2-Clause
"""The demo VM set and what one does with a stock Linux guest at its shell."""

import os

import harness

FOLDER = os.path.join(harness.BUILD, "demo")
KERNEL = os.path.join(FOLDER, "vmlinuz")
INITRD = os.path.join(FOLDER, "initrd.img")
SMP, MEMORY = 4, 4096


def package():
    """The demo's boot package, made once a run."""
    harness.check(os.path.exists(INITRD), f"{FOLDER} is missing: make demo")
    out = os.path.join(harness.LOGS, "demo.pkg")
    if not os.path.exists(out) or os.path.getmtime(out) < os.path.getmtime(harness.KERNEL):
        os.makedirs(harness.LOGS, exist_ok=True)
        harness.package(FOLDER, out + ".new")
        os.replace(out + ".new", out)
    return out


def boot(name, cmdline="console=all", smp=SMP):
    return harness.Console(name, harness.pvh(package(), cmdline, smp=smp, memory=MEMORY))


def wait_ready(machine, *guests, limit=300):
    """Waits until the guests' init says that they are ready, in any order."""
    waiting = set(guests)
    while waiting:
        pattern = "|".join(sorted(waiting))
        match = machine.expect(rf"({pattern}): ready, Linux", limit)
        waiting.discard(match.group(1))


def to_shell(machine, guest, limit=harness.LIMIT):
    """From Mullion's prompt to that of a guest's shell, through `console NAME`."""
    machine.enter(guest)
    machine.send("\n")
    machine.expect(rf"{guest}:\S*# ", limit)


def shell(machine, guest, command, answer, limit=harness.LIMIT):
    """Types a command at a guest's shell, waits for the answer."""
    to_shell(machine, guest, limit)
    machine.send(command + "\n")
    match = machine.expect(answer, limit)
    machine.leave()
    return match


def shell_to_the_end(machine, guest, command, limit=harness.LIMIT):
    """Types a command that ends the guest (poweroff, reboot) and comes back to the prompt."""
    to_shell(machine, guest, limit)
    machine.send(command + "\n")
    machine.expect("reboot: |Restarting system|Power down", limit)
    machine.leave()


def both_answer(machine):
    wait_ready(machine, "alpha", "beta")
    machine.send("\n")
    machine.prompt()
    for guest in ("alpha", "beta"):
        shell(machine, guest, "echo $((6*7))-$(hostname)", f"^42-{guest}")
