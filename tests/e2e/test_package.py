# SPDX-License-Identifier: BSD-2-Clause
"""A boot package that is altered, cut or missing a file stops with a message that names the file."""

import os
import re
import struct

import harness

HEADER = struct.Struct("<8sIIQ8s32s")
ENTRY = struct.Struct("<128sQQ32s")


def small_package(name):
    vms = harness.VmSet(name).add("tiny", harness.test_guest("tiny"))
    return vms.package()


def index(data):
    """[(name, offset, size)] of a package."""
    count = HEADER.unpack_from(data)[2]
    entries = (ENTRY.unpack_from(data, HEADER.size + ENTRY.size * i) for i in range(count))
    return [(name.rstrip(b"\0").decode(), offset, size) for name, offset, size, _ in entries]


def refuses(name, data, message):
    """Boots the bytes as a package: `message` must come, and no guest may run."""
    path = os.path.join(harness.LOGS, name + ".pkg")
    with open(path, "wb") as f:
        f.write(data)
    with harness.Console(name, harness.pvh(path, "console=all")) as machine:
        machine.expect(message, 60, refuse=r"^\[tiny\] 1 passed")


def original(name):
    with open(small_package(name), "rb") as f:
        return bytearray(f.read())


def test_each_file_altered():
    data = original("package-altered")
    for name, offset, size in index(data):
        copy = bytearray(data)
        copy[offset + size // 2] ^= 0x10
        refuses("package-altered-" + name.replace("/", "-"), copy, re.escape(name))


def test_cut():
    data = original("package-cut")
    for part in (0, 8, 64, 200, 4096, len(data) // 2, len(data) - 4096):
        refuses(f"package-cut-{part}", data[:part] or b"\0", r"(?i)(package|module)")


def test_header_altered():
    data = original("package-header")
    for offset in (0, 8, 12, 16, 32, HEADER.size + 3, HEADER.size + 130):
        copy = bytearray(data)
        copy[offset] ^= 1
        refuses(f"package-header-{offset}", copy, r"(?i)(package|module)")


def test_hostile_xml_names_file_and_line():
    vms = harness.VmSet("package-xml").add("tiny", harness.test_guest("tiny"))
    vms.write("bad.xml", "<domain type='kvm'>\n  <name>bad</name>\n  <warp/>\n</domain>\n")
    vms.write("broken.xml", "<domain type='kvm'><name>x</na")
    vms.write("twin.xml", harness.DOMAIN.format(
        name="tiny", memory=32, vcpus=1, kernel="tiny.elf", boot="", on_poweroff="destroy",
        on_reboot="restart", on_crash="destroy", devices="", metadata=""))
    path = vms.package(raw=True)
    with harness.Console("package-xml", harness.pvh(path, "console=all")) as machine:
        machine.expect(r"^\[tiny\] 1 passed, 0 failed")
        machine.send("\n")
        machine.prompt()
        text = machine.command("dmesg")
        for wanted in (r"bad\.xml:\d+", r"broken\.xml:\d+", r"twin\.xml:\d+"):
            harness.check(re.search(wanted, text), f"dmesg has no {wanted!r}:\n{text}")


def test_corrupt_images_are_refused():
    vms = harness.VmSet("package-images").add("tiny", harness.test_guest("tiny"))
    with open(harness.test_guest("tiny"), "rb") as f:
        elf = f.read()
    broken = {"cut": elf[:100], "empty": b"", "noise": bytes(range(256)) * 64,
              "phoff": elf[:28] + b"\xff\xff\xff\xff" + elf[32:],
              "bzimage": bytes(0x202) + b"HdrS" + b"\xff" * 1024}
    for name, data in broken.items():
        path = os.path.join(vms.folder, name + ".img")
        with open(path, "wb") as f:
            f.write(data)
        vms.add(name, path)
    with vms.boot("console=all") as machine:
        machine.expect(r"^\[tiny\] 1 passed, 0 failed")
        machine.send("\n")
        machine.prompt()
        for name in broken:
            text = machine.command(f"start {name}")
            harness.check("Failed to start" in text and "running" not in machine.state(name),
                          f"{name} started:\n{text}")
            harness.check(re.search(rf"{name}.*{name}\.img|{name}\.img", text),
                          f"no reason for {name}:\n{text}")
