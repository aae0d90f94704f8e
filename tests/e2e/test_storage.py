# SPDX-License-Identifier: BSD-2-Clause
"""Guests on partitions of a SATA disk, through a driver that is killed on the way."""

import hashlib
import os
import random
import re

import demo
import disks
import gdb
import harness

KILLS = int(os.environ.get("E2E_KILLS", "10"))
CUTS = int(os.environ.get("E2E_CUTS", "3"))
MIB = disks.MIB
VOLUME = """    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/>
      <source dev='{path}'/>
      <target dev='{target}' bus='virtio'/>
{more}    </disk>
"""


def volume(path, target="vda", read_only=False):
    return VOLUME.format(path="/dev/disk/" + path, target=target,
                         more="      <readonly/>\n" if read_only else "")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def disk(name, partitions, megabytes=64):
    os.makedirs(harness.LOGS, exist_ok=True)
    return disks.Disk(os.path.join(harness.LOGS, name + ".img"), megabytes, partitions)


def linux(vms, name, devices, **options):
    vms.add(name, demo.KERNEL, demo.INITRD, f"console=ttyS0 hostname={name}", memory=192,
            devices=devices, **options)


def power_off(machine):
    """The host's own way down: guests off, caches written."""
    machine.command("shutdown-host")
    machine.wait_end(180)


def to_prompt(machine):
    machine.send("\n")
    machine.prompt()


def check_read(machine, guest, device, data, limit=harness.LIMIT):
    megabytes = len(data) // MIB
    demo.shell(machine, guest, f"dd if=/dev/{device} bs=1M count={megabytes} iflag=direct | sha256sum",
               f"^{sha256(data)}", limit)


def test_guest_and_host_see_the_same():
    """What the host wrote is read, what the guest writes is there afterwards, and neighbours on the
    disk are as they were."""
    d = disk("storage", [("before", 4), ("root", 16), ("after", 4)])
    root = d.partition["root"]
    head, guard = noise(1, 4 * MIB), noise(2, MIB)
    d.write(root.first, head)
    for place in (root.first - MIB, root.first + root.size):
        d.write(place, guard)
    vms = harness.VmSet("storage")
    linux(vms, "alpha", volume("by-partlabel/root"))
    with harness.Console("storage", harness.pvh(vms.package(), "console=all") + d.qemu()) as machine:
        machine.expect("disk ata-QEMU_HARDDISK_DISK0: 3 partitions")
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        harness.check("pci_0000_00_1f_2" in machine.command("nodedev-list"), "no controller listed")
        harness.check("no IOMMU" in machine.command("dmesg"), "nothing is said of protection")
        check_read(machine, "alpha", "vda", head)
        demo.shell(machine, "alpha", "cat /sys/block/vda/size", f"^{root.size // 512}$")
        written = demo.shell(
            machine, "alpha", "dd if=/dev/urandom of=/tmp/x bs=1M count=4 2>/dev/null; "
            "dd if=/tmp/x of=/dev/vda bs=1M seek=8 conv=fsync; echo new-$(sha256sum < /tmp/x)", r"^new-([0-9a-f]{64})")
        power_off(machine)
    harness.check(sha256(d.read(root.first + 8 * MIB, 4 * MIB)) == written.group(1),
                  "the image does not hold what the guest wrote")
    harness.check(d.read(root.first, 4 * MIB) == head, "what was not written has changed")
    for place in (root.first - MIB, root.first + root.size):
        harness.check(d.read(place, MIB) == guard, "a neighbour's data has changed")


def test_names_and_refusals():
    """Volumes by every name; what is taken, unknown or overlapping is refused with its line."""
    d = disk("storage-names", [("one", 8), ("two", 8)])
    data = noise(3, MIB)
    d.write(d.partition["one"].first, data)
    vms = harness.VmSet("storage-names")
    linux(vms, "reader", volume("by-id/ata-QEMU_HARDDISK_DISK0-part1", read_only=True) +
          volume(f"by-partuuid/{d.partition['two'].uuid}", "vdb", read_only=True))
    linux(vms, "writer", volume("by-partlabel/one"), autostart=False)
    linux(vms, "whole", volume("by-id/ata-QEMU_HARDDISK_DISK0"), autostart=False)
    linux(vms, "lost", volume("by-partlabel/nowhere"), autostart=False)
    with harness.Console("storage-names",
                         harness.pvh(vms.package(), "console=all") + d.qemu()) as machine:
        demo.wait_ready(machine, "reader")
        to_prompt(machine)
        check_read(machine, "reader", "vda", data)
        demo.shell(machine, "reader", "cat /sys/block/vda/ro /sys/block/vdb/ro", r"^1\n1$")
        for guest, why in (("writer", r"by-partlabel/one, or a part of it, is in use by reader vda"),
                           ("whole", r"DISK0, or a part of it, is in use by reader vd"),
                           ("lost", r"by-partlabel/nowhere: there is none")):
            machine.send(f"start {guest}\n")
            machine.expect(rf"{guest}.xml:\d+: <domain/devices/disk/source>: /dev/disk/.*{why}")
            to_prompt(machine)
        machine.command("destroy reader")
        machine.wait_state("reader", "shut off")
        machine.command("start writer")
        demo.wait_ready(machine, "writer")


def test_torn_table():
    """The backup serves when the primary partition table is torn."""
    d = disk("storage-torn", [("root", 8)])
    data = noise(4, MIB)
    d.write(d.partition["root"].first, data)
    d.write(512 + 40, b"\xff" * 8)
    vms = harness.VmSet("storage-torn")
    linux(vms, "alpha", volume("by-partlabel/root"))
    with harness.Console("storage-torn",
                         harness.pvh(vms.package(), "console=all") + d.qemu()) as machine:
        machine.expect("primary partition table has a wrong checksum; the backup is used")
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        check_read(machine, "alpha", "vda", data)


COPY = ("i=0; while [ ! -e /tmp/stop ]; do dd if=/dev/vda of=/dev/vdb bs=64k iflag=direct "
        "oflag=direct 2>/dev/null || echo copy-$((40+3)); i=$((i+1)); echo round-$i; done &\n")


def test_driver_is_killed():
    """The driver dies again and again while two guests copy: no error, not a bit wrong."""
    d = disk("storage-kill", [("from", 24), ("to-alpha", 24), ("to-beta", 24)], megabytes=96)
    data = noise(5, 24 * MIB)
    d.write(d.partition["from"].first, data)
    guests = ("alpha", "beta")
    vms = harness.VmSet("storage-kill")
    for guest in guests:
        linux(vms, guest, volume("by-partlabel/from", read_only=True) +
              volume(f"by-partlabel/to-{guest}", "vdb"))
    port = gdb.free_port()
    command = harness.pvh(vms.package(), "console=all") + d.qemu() + ["-gdb", f"tcp:127.0.0.1:{port}"]
    place = gdb.Place("ahci", "hba_interrupt")
    with harness.Console("storage-kill", command) as machine:
        demo.wait_ready(machine, *guests)
        to_prompt(machine)
        for guest in guests:
            demo.shell(machine, guest, COPY, "round-1")
        for kill in range(KILLS):
            with gdb.Debugger(port) as debugger:
                debugger.arm(place)
                debugger.crash(place)
            machine.expect(rf"driver is up, {kill + 1} restarts", refuse="copy-43")
        to_prompt(machine)
        for guest in guests:
            demo.shell(machine, guest, "touch /tmp/stop; wait; echo all-$((40+2))", "all-42", 300)
            check_read(machine, guest, "vdb", data, 300)
        harness.check("copy-43" not in machine.text and "I/O error" not in machine.text,
                      "a guest saw an error")
        power_off(machine)
    for name in d.partition:
        harness.check(d.read(d.partition[name].first, len(data)) == data, f"{name} differs")


def test_two_controllers_one_behind_a_bridge():
    """A second controller on a bus of its own; each has its driver."""
    near, far = disk("storage-near", [("near", 8)]), disk("storage-far", [("far", 16)])
    data = noise(7, MIB)
    far.write(far.partition["far"].first, data)
    vms = harness.VmSet("storage-bridge")
    linux(vms, "alpha", volume("by-partlabel/near") + volume("by-partlabel/far", "vdb"))
    command = harness.pvh(vms.package(), "console=all") + near.qemu() + [
        "-device", "pcie-root-port,id=port1,chassis=1", "-device", "ich9-ahci,id=second,bus=port1",
        *far.qemu(name="d1", serial="DISK1", bus="second.2")]
    with harness.Console("storage-bridge", command) as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        harness.check("pci_0000_01_00_0" in machine.command("nodedev-list"), "none behind the bridge")
        check_read(machine, "alpha", "vdb", data)
        demo.shell(machine, "alpha", "dd if=/dev/vdb of=/dev/vda bs=64k count=16 conv=fsync; "
                   "echo copied-$?", "^copied-0")
        power_off(machine)
    harness.check(near.read(near.partition["near"].first, MIB) == data, "the copy differs")


def behind_iommu(name, *options):
    """The same disk, when the controller reaches only what is mapped for it."""
    d = disk(name, [("root", 8)])
    data = noise(6, 2 * MIB)
    d.write(d.partition["root"].first, data)
    vms = harness.VmSet(name)
    linux(vms, "alpha", volume("by-partlabel/root"))
    command = harness.pvh(vms.package(), "console=all") + [*options, *d.qemu()]
    with harness.Console(name, command) as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        check_read(machine, "alpha", "vda", data)
        text = machine.command("dmesg")
        harness.check("no IOMMU" not in text, "the controller is not confined")
        harness.check("stopped: " not in text, "the IOMMU stopped a request")
        demo.shell(machine, "alpha", "dd if=/dev/vda of=/dev/vda bs=1M count=2 seek=2 "
                   "iflag=direct oflag=direct; echo copied-$?", "^copied-0")
        power_off(machine)
    harness.check(d.read(d.partition["root"].first + 2 * MIB, 2 * MIB) == data, "the copy differs")


def test_behind_vtd():
    behind_iommu("storage-vtd", "-device", "intel-iommu")


def test_behind_amdvi():
    behind_iommu("storage-amdvi", "-device", "amd-iommu")


def test_power_cuts():
    """The machine is cut off at any moment, again and again: what the guest was told is on the
    medium is there."""
    d = disk("storage-cut", [("root", 32)])
    root = d.partition["root"]
    vms = harness.VmSet("storage-cut")
    linux(vms, "alpha", volume("by-partlabel/root"))
    command = harness.pvh(vms.package(), "console=all") + d.qemu()
    clock, last = random.Random(8), 0
    for _ in range(CUTS):
        with harness.Console("storage-cut", command) as machine:
            demo.wait_ready(machine, "alpha")
            to_prompt(machine)
            machine.enter("alpha")
            machine.send("\n")
            machine.expect(r"alpha:\S*# ")
            machine.send(f"i={last}; while :; do i=$((i+1)); printf %08d $i | dd of=/dev/vda bs=512 "
                         "seek=$i conv=sync,fsync,notrunc 2>/dev/null && echo durable-$i; done\n")
            machine.expect(f"durable-{last + 1 + clock.randrange(60)}$")
            text = machine.text
        last = max(map(int, re.findall(r"durable-(\d+)$", text, re.M)))
        for i in range(1, last + 1):
            harness.check(d.read(root.first + i * 512, 8) == b"%08d" % i, f"write {i} is lost")
