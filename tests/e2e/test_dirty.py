# SPDX-License-Identifier: BSD-2-Clause
"""How much a guest writes: domdirtyrate-calc, by the dirty bits of nested page tables, and by Intel's
page-modification log."""

import re

import harness

WRITTEN = 2000  # tests/guest/writer.c
SKYLAKE = "corei7_skylake_x"
LIMIT = 300


def rates(machine, name):
    text = machine.command(f"domdirtyrate-calc {name} 1", LIMIT)
    return {key: value for key, value in re.findall(r"dirtyrate\.(\S+)=(\S+)", text)}


def counted(boot, name, cmdline, mode, **machine):
    vms = harness.VmSet(name).add("writer", harness.test_guest("writer"), memory=64)
    vms.add("clock", harness.test_guest("tiny"), autostart=False,
            extra="  <clock><timer name='tsc' frequency='123000000'/></clock>\n")
    with boot(vms)("console=all " + cmdline, **machine) as console:
        console.expect(r"^\[writer\] 1 passed, 0 failed", LIMIT)
        console.send("\n")
        console.prompt(LIMIT)
        for _ in range(2):
            found = rates(console, "writer")
            harness.check(found.get("calc_mode") == mode and
                          WRITTEN <= int(found["pages"]) <= WRITTEN + 50, f"writer: {found}")
            logged = int(found.get("vcpu.0.pages", WRITTEN))
            harness.check(WRITTEN <= logged <= WRITTEN + 50, f"writer: {found}")
        harness.check("not running" in console.command("domdirtyrate-calc clock"), "a stopped domain")
        return console.text, console.command("start clock", LIMIT)


def test_by_dirty_bits_amd():
    _, answer = counted(lambda vms: vms.boot, "dirty-amd", "", "dirty-bitmap")
    harness.check("needs TSC scaling" in answer, answer)


def test_by_page_modification_log():
    text, answer = counted(lambda vms: vms.boot_intel, "dirty-pml", "", "dirty-ring", cpu=SKYLAKE)
    harness.check(re.search("TSC scaling 1, dirty bits 1, PML 1", text), "an assist is missing")
    harness.check("started" in answer, answer)


def test_by_dirty_bits_intel():
    text, answer = counted(lambda vms: vms.boot_intel, "dirty-nopml", "nopml notscscaling",
                           "dirty-bitmap", cpu=SKYLAKE)
    harness.check(re.search("TSC scaling 0, dirty bits 1, PML 0", text), "an assist is not off")
    harness.check("needs TSC scaling" in answer, answer)
