#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the multiboot flats of kvm-unit-tests, built by the user elsewhere, bare in QEMU, under
Debian's KVM on the same rig, and as guests of Mullion; tabulates PASS and FAIL lines. Mullion has
no pc-testdev: what ioapic, emulator and others do with its interrupt lines and its memory fails.

  tests/e2e/kvm_unit_tests.py ~/kvm-unit-tests [--rig bare --rig mullion] [NAME...]

Writes build/e2e/kvm-unit-tests.md. A test is an entry of x86/unittests.cfg; entries for other
architectures, and those that need Intel or Hyper-V, are left out unless named."""

import argparse
import os
import re
import shlex
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "bench"))
import debian  # noqa: E402
import harness  # noqa: E402
import kvm_rig  # noqa: E402

SKIP = re.compile(r"^(vmx|vmexit|svm|hyperv|intel|pmu|kvmclock_test|realmode_vmx|vmware|asyncpf)"
                  r"|_vmx|ept|vpid")
LIMIT = 90
MACHINE = ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-M", "q35", "-cpu", "max"]
ENDED = r"^(\[[\w-]+\] )?(SUMMARY: \d+ tests.*|--- DONE.*|Terminate.*)"


class Entry:
    def __init__(self, name, fields, folder):
        self.name = re.sub(r"[^A-Za-z0-9-]", "-", name)
        self.flat = os.path.join(folder, "x86", fields["file"])
        self.cpus = int(fields.get("smp", "1"))
        words = shlex.split(fields.get("qemu_params", fields.get("extra_params", "")))
        self.arguments = " ".join(shlex.split(fields.get("test_args", "")))
        if "-append" in words:
            self.arguments = words[words.index("-append") + 1]
        memory = words[words.index("-m") + 1] if "-m" in words else "128"
        self.memory = int(re.match(r"\d+", memory).group()) * (1024 if memory[-1] in "gG" else 1)
        self.usable = (os.path.exists(self.flat) and fields.get("arch", "x86_64") == "x86_64"
                       and not SKIP.search(name) and "hv_" not in " ".join(words))


def entries(folder):
    name, fields = None, {}
    with open(os.path.join(folder, "x86", "unittests.cfg"), encoding="utf-8") as f:
        lines = f.read().splitlines()
    for line in [*lines, "[end]"]:
        line = line.split("#")[0].strip()
        if line.startswith("["):
            if "file" in fields:
                yield Entry(name, fields, folder)
            name, fields = line.strip("[]"), {}
        elif "=" in line:
            key, _, value = line.partition("=")
            fields[key.strip()] = value.strip()


def verdicts(text):
    """{check: passed?}; a check seen more than once passes if it always does."""
    found = {}
    for word, name in re.findall(r"(PASS|FAIL):? (.+?)\s*$", text, re.M):
        name = re.sub(r"0x[0-9a-f]+|\d{3,}", "#", name)
        found[name] = found.get(name, True) and word == "PASS"
    return found


def until_end(machine):
    """All that a test prints: until its summary, its death, or the limit."""
    try:
        machine.expect(ENDED, LIMIT)
    except harness.Failure:
        pass  # some tests have no summary; what they printed counts
    return machine.text


def run_bare(entry):
    command = [*MACHINE, "-smp", str(entry.cpus), "-m", str(entry.memory), "-nodefaults",
               "-display", "none", "-no-reboot", "-serial", "stdio", "-device",
               "isa-debug-exit,iobase=0xf4", "-device", "pc-testdev", "-device", "pci-testdev",
               "-kernel", entry.flat, "-append", entry.arguments]
    with harness.Machine(f"kut-{entry.name}-bare", command) as machine:
        return until_end(machine)


def run_mullion(entry):
    vms = harness.VmSet(f"kut-{entry.name}")
    vms.add(entry.name, entry.flat, cmdline=entry.arguments or None, vcpus=entry.cpus,
            memory=entry.memory)
    with vms.boot("console=all onidle=poweroff", smp=2, memory=entry.memory + 512) as machine:
        text = until_end(machine)
    return "\n".join(re.findall(rf"^\[{re.escape(entry.name)}\] (.*)$", text, re.M))


def run_kvm(chosen):
    """All tests in one boot of the KVM rig: {name: output}."""
    kernel, modules = debian.cloud_kernel(harness.CACHE)
    lines = [kvm_rig.setup()]
    for entry in chosen:
        lines.append(f"$b timeout -s KILL {LIMIT} /run {entry.name} -m {entry.memory} -smp {entry.cpus}"
                     " -device isa-debug-exit,iobase=0xf4 -device pc-testdev -device pci-testdev"
                     f" -kernel /{os.path.basename(entry.flat)} -append '{entry.arguments}'\n"
                     f'echo "== end {entry.name}"\n')
    lines.append("$b poweroff -f\n")
    runner = ("#!/bin/busybox sh\nname=$1; shift; echo \"== $name\"\n"
              f"exec {kvm_rig.GUEST_QEMU} \"$@\" </dev/null 2>&1\n")
    programs = {os.path.basename(e.flat): e.flat for e in chosen}
    data = kvm_rig.archive(kernel, modules, programs, "".join(lines), {"run": runner.encode()})
    path = os.path.join(harness.LOGS, "kut-kvm.cpio")
    os.makedirs(harness.LOGS, exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    text = kvm_rig.run([*MACHINE, "-smp", "4"], kernel, path,
                       os.path.join(harness.LOGS, "kut-kvm.log"), LIMIT * len(chosen) + 120,
                       memory=4096)
    return {entry.name: kvm_rig.section(text, entry.name) for entry in chosen}


def cell(found):
    if found is None:
        return "–"
    passed = sum(found.values())
    return f"{passed} / {len(found) - passed}"


def table(results, rigs):
    lines = ["# kvm-unit-tests: checks passed / failed", "",
             "| test | " + " | ".join(rigs) + " | passes under KVM, not under Mullion |",
             "|---|" + "--:|" * len(rigs) + "---|"]
    for name, by_rig in results.items():
        kvm, ours = by_rig.get("kvm") or {}, by_rig.get("mullion")
        missing = [c for c, good in kvm.items() if good and not (ours or {}).get(c)]
        note = "; ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        lines.append(f"| {name} | " + " | ".join(cell(by_rig.get(r)) for r in rigs)
                     + f" | {note if ours is not None else ''} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="built tree of kvm-unit-tests")
    parser.add_argument("--rig", action="append", choices=("bare", "kvm", "mullion"))
    parser.add_argument("name", nargs="*", help="only these entries")
    options = parser.parse_intermixed_args()
    rigs = options.rig or ["bare", "kvm", "mullion"]
    chosen = [e for e in entries(options.folder) if (e.name in options.name if options.name
                                                     else e.usable)]
    results = {entry.name: {} for entry in chosen}
    for rig, work in (("bare", run_bare), ("mullion", run_mullion)):
        for entry in chosen if rig in rigs else ():
            try:
                results[entry.name][rig] = verdicts(work(entry))
            except harness.Failure as failure:
                results[entry.name][rig] = {}
                print(f"{rig} {entry.name}: {failure}", flush=True)
            print(f"{rig} {entry.name}: {cell(results[entry.name][rig])}", flush=True)
    if "kvm" in rigs:
        for name, text in run_kvm(chosen).items():
            results[name]["kvm"] = verdicts(text)
    text = table(results, rigs)
    with open(os.path.join(harness.LOGS, "kvm-unit-tests.md"), "w", encoding="utf-8") as f:
        f.write(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
