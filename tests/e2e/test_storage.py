# SPDX-License-Identifier: BSD-2-Clause
"""Guests on partitions of a SATA disk, through a driver that is killed on the way."""

import hashlib
import os
import random
import re

import again
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
    d = disk("storage-kill", [("from", 4), ("to-alpha", 4), ("to-beta", 4)])
    data = noise(5, 4 * MIB)
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
            for guest in guests:
                machine.expect(rf"^\[{guest}\] round-", refuse="copy-43")
        to_prompt(machine)
        for guest in guests:
            demo.shell(machine, guest, "touch /tmp/stop; wait; echo all-$((40+2))", "all-42", 300)
            check_read(machine, guest, "vdb", data, 300)
        harness.check("copy-43" not in machine.text and "I/O error" not in machine.text,
                      "a guest saw an error")
        power_off(machine)
    for name in d.partition:
        harness.check(d.read(d.partition[name].first, len(data)) == data, f"{name} differs")


def test_optical_drive_and_trim():
    """The host's DVD drive is read and never written; what a guest forgets, the host's disk forgets."""
    d = disk("storage-trim", [("root", 8)])
    root = d.partition["root"]
    data, disc = noise(9, 8 * MIB), noise(10, 2 * MIB)
    d.write(root.first, data)
    image = os.path.join(harness.LOGS, "storage-disc.iso")
    with open(image, "wb") as f:
        f.write(disc)
    vms = harness.VmSet("storage-trim")
    linux(vms, "alpha", volume("by-partlabel/root").replace("type='raw'/", "type='raw' discard='unmap'/") +
          volume("by-id/ata-QEMU_DVD-ROM_DISC", "vdb", read_only=True))
    linux(vms, "writer", volume("by-id/ata-QEMU_DVD-ROM_DISC"), autostart=False)
    command = harness.pvh(vms.package(), "console=all") + d.qemu(options=",discard=unmap") + [
        "-drive", f"file={image},format=raw,if=none,id=cd,media=cdrom,readonly=on",
        "-device", "ide-cd,drive=cd,bus=ide.1,serial=DISC"]
    with harness.Console("storage-trim", command) as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        check_read(machine, "alpha", "vdb", disc)
        machine.send("start writer\n")
        machine.expect(r"writer.xml:\d+: .*cannot be written")
        to_prompt(machine)
        demo.shell(machine, "alpha", "blkdiscard -o 1048576 -l 4194304 /dev/vda && sync; echo forgot-$?", "^forgot-0")
        stats = machine.command("domblkstat alpha vda")
        harness.check(re.search(r"discard_operations\s+[1-9]", stats), stats)
        power_off(machine)
    held = d.read(root.first, 8 * MIB)
    harness.check(held[:MIB] == data[:MIB] and held[5 * MIB:] == data[5 * MIB:], "more was forgotten than was said")
    harness.check(held[MIB:5 * MIB] == bytes(4 * MIB), "the disk has not heard of it")


LAYER = """    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/>
      <source dev='/dev/disk/by-partlabel/over'/>
      <backingStore type='file'><format type='raw'/><source file='root.img'/></backingStore>
      <target dev='vda' bus='virtio'/>
    </disk>
"""


def test_an_overlay_on_a_partition():
    """An image of the VM set with a partition above it: what a guest writes is there after its next start and the
    machine's, the image is as it was, and another image is not mixed up with it."""
    d = disk("storage-layer", [("over", 24)])
    image = noise(11, 8 * MIB)
    vms = harness.VmSet("storage-layer")
    linux(vms, "alpha", LAYER)
    vms.data("root.img", image)
    command = harness.pvh(vms.package(), "console=all") + d.qemu()
    with harness.Console("storage-layer", command) as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        check_read(machine, "alpha", "vda", image)
        # The second MiB goes over the fifth, and half a page of it to where the map has no bit around it.
        demo.shell(machine, "alpha", "dd if=/dev/vda of=/dev/vda bs=1M skip=1 seek=4 count=1 conv=fsync && "
                   "dd if=/dev/vda of=/dev/vda bs=512 skip=2048 seek=12291 count=3 conv=fsync; echo wrote-$((40+$?))",
                   "wrote-40")
        machine.command("destroy alpha")
        machine.wait_state("alpha", "shut off")
        machine.command("start alpha")
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        wanted = bytearray(image)
        wanted[4 * MIB:5 * MIB] = image[MIB:2 * MIB]
        wanted[12291 * 512:12294 * 512] = image[MIB:MIB + 3 * 512]
        check_read(machine, "alpha", "vda", bytes(wanted))
        demo.shell(machine, "alpha", "dd if=/dev/zero of=/dev/vda bs=1M seek=2 count=1 conv=fsync; echo zeroed-$((40+$?))",
                   "zeroed-40")
        wanted[2 * MIB:3 * MIB] = bytes(MIB)
    with harness.Console("storage-layer", command) as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        check_read(machine, "alpha", "vda", bytes(wanted))
        power_off(machine)
    vms.data("root.img", image[:-1] + b"!")
    command = harness.pvh(vms.package(), "console=all") + d.qemu()
    with harness.Console("storage-layer-other", command) as machine:
        machine.expect("the volume above root.img is not used: it was written above another image")
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        demo.shell(machine, "alpha", "dd if=/dev/vda of=/dev/null bs=4k count=1 || echo read-$((40+1))", "^read-41")


GUESTS, SHARE_READS = 16, int(os.environ.get("E2E_SHARE", "300"))


def reads_of(machine, guests):
    """What each guest has read so far, looked at forwards and backwards, so that those at the end of
    the line are not looked at later than the others."""
    total = {}
    for guest in [*guests, *reversed(guests)]:
        text = machine.command(f"domblkstat {guest} vda")
        total[guest] = total.get(guest, 0) + int(re.search(r"rd_bytes\s+(\d+)", text).group(1))
    return total


def test_sixteen_guests_share_a_disk():
    """They never stop reading, some with 16 requests at a time and some with 8; the disk is what all of
    them wait for, and each gets a sixteenth."""
    guests = [f"guest{i:02}" for i in range(GUESTS)]
    d = disk("storage-share", [(guest, 4) for guest in guests], 80)
    vms = harness.VmSet("storage-share")
    for i, guest in enumerate(guests):
        vms.add(guest, harness.test_guest("disk_load"), cmdline="deep" if i % 2 else "shallow", memory=16,
                devices=volume("by-partlabel/" + guest, read_only=True))
    command = harness.pvh(vms.package(), memory=2048) + d.qemu(options=",throttling.iops-total=1000")
    with harness.Console("storage-share", command) as machine:
        to_prompt(machine)
        for guest in guests:
            machine.wait_state(guest, "running")
        before, now = {}, dict.fromkeys(guests, 0)

        def all_read(bytes_each):
            now.update(reads_of(machine, guests))
            return min(now[g] - before.get(g, 0) for g in guests) >= bytes_each

        harness.eventually(lambda: all_read(1), lambda: f"not all have read: {now}")
        before = dict(now)
        harness.eventually(lambda: all_read(2 * SHARE_READS * 4096),
                           lambda: f"one stands still: {before}, then {now}", 4 * harness.LIMIT)
        got = [(now[g] - before[g]) // 8192 for g in guests]
        print(f"  reads of 4 KiB: {got}", flush=True)
        mean = sum(got) / GUESTS
        harness.check(max(got) <= mean * 1.05 and min(got) >= mean * 0.95,
                      f"not within 5 %% of {mean:.0f}: {got}".replace("%%", "%"))
        harness.check("not ok" not in machine.text, "a guest saw an error")


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
    machines = again.Again("storage-cut", harness.pvh(vms.package(), "console=all") + d.qemu(), "alpha")
    clock, last = random.Random(8), 0
    for cut in range(CUTS):
        with machines.start() as machine:
            machine.send(f"i={last}; while :; do i=$((i+1)); printf %08d $i | dd of=/dev/vda bs=512 "
                         "seek=$i conv=sync,fsync,notrunc 2>/dev/null && echo durable-$i; done\n")
            machine.expect(f"durable-{last + 1 + clock.randrange(60)}$")
            text = machine.text
        last = max(map(int, re.findall(r"durable-(\d+)$", text, re.M)))
        for i in range(1, last + 1):
            harness.check(d.read(root.first + i * 512, 8) == b"%08d" % i, f"write {i} is lost")
        print(f"  cut {cut + 1}: {last} writes were durable", flush=True)
