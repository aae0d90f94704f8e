# SPDX-License-Identifier: BSD-2-Clause
"""Disks of guests: images of the VM set, read-only and with overlays, seen by a stock Linux."""

import hashlib
import itertools
import os
import random
import re
import shutil
import subprocess

import demo
import harness

OVERLAY = ("  <metadata><mullion:overlay xmlns:mullion='urn:mullion:domain:1' target='{target}' "
           "size='{kib}'/></metadata>\n")


def linux(name, disks, metadata="", vcpus=2, files=()):
    """A VM set with one Linux guest."""
    vms = harness.VmSet(name)
    text = harness.DOMAIN.format(
        name="disks", memory=192, vcpus=vcpus, kernel=vms.file(demo.KERNEL),
        boot=f"    <initrd>{vms.file(demo.INITRD)}</initrd>\n"
             "    <cmdline>console=ttyS0 hostname=disks</cmdline>\n",
        on_poweroff="destroy", on_reboot="restart", on_crash="destroy", devices="".join(disks),
        metadata=metadata)
    vms.write("disks.xml", text)
    for file, data in files:
        vms.data(file, data)
    return vms


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def ext4(folder, size):
    """An image with one file, `hello`, made by mkfs.ext4."""
    path = os.path.join(harness.LOGS, folder)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "hello"), "w", encoding="utf-8") as f:
        f.write("from the image\n")
    image = path + ".img"
    with open(image, "wb") as f:
        f.truncate(size)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", "-d", path, image], check=True)
    with open(image, "rb") as f:
        return f.read()


calls = itertools.count()


def run(machine, command, answer="", status=0, limit=harness.LIMIT):
    """A command at the guest's shell: ends with `status`, and prints what matches. Its output stands
    between marks that no other has: a console begins with what was said before."""
    mark = f"mark{next(calls)}"
    match = demo.shell(machine, "disks", f"echo {mark}; {command}; r=$?; echo; echo {mark}-$r",
                       rf"(?s)^{mark}\n(.*?)^{mark}-(\d+)", limit)
    harness.check(int(match.group(2)) == status,
                  f"{command} ended with {match.group(2)}:\n{match.group(1)}")
    found = re.search("^" + answer, match.group(1), re.M)
    harness.check(found, f"{command} printed no {answer!r}:\n{match.group(1)}")
    return found


def start(machine):
    demo.wait_ready(machine, "disks")
    machine.send("\n")
    machine.prompt()


def test_read_only_image():
    data = noise(3 * 1024 * 1024 + 700)
    padded = hashlib.sha256(data + bytes(-len(data) % 512)).hexdigest()
    serial = "      <serial>RO-1</serial>\n"
    vms = linux("disks-ro", [harness.disk("vda", "data.img", harness.READ_ONLY + serial),
                             harness.disk("vdb", "data.img", "", device="cdrom")],
                files=[("data.img", data)])
    with vms.boot("console=all") as machine:
        start(machine)
        run(machine, "sha256sum /dev/vda /dev/vdb", rf"{padded}  /dev/vda\n{padded}  /dev/vdb")
        run(machine, "cat /sys/block/vda/ro /sys/block/vda/serial", "1\nRO-1")
        run(machine, "dd if=/dev/zero of=/dev/vda bs=512 count=1", status=1)
        run(machine, "sha256sum /dev/vda", padded)
        # All of both disks, read by both CPUs at once, past the page cache.
        run(machine, "(for i in 1 2 3; do dd if=/dev/vda of=/dev/null bs=64k iflag=direct & "
                     "dd if=/dev/vdb of=/dev/null bs=4k iflag=direct & done; wait) 2>/dev/null")


def test_overlay_survives_a_reboot_not_a_shutdown():
    image = ext4("disks-ext4", 32 * 1024 * 1024)
    root = harness.disk("vda", "root.img", harness.TRANSIENT, driver=" discard='unmap'")
    vms = linux("disks-overlay", [root],
                files=[("root.img", image)])
    with vms.boot("console=all", memory=1536) as machine:
        start(machine)
        run(machine, "mount -t ext4 -o discard /dev/vda /mnt && cat /mnt/hello", "from the image")
        run(machine, "dd if=/dev/urandom of=/mnt/new bs=64k count=64 2>/dev/null && sync")
        digest = run(machine, "sha256sum /mnt/new", r"(\w{64})  /mnt/new").group(1)
        demo.shell_to_the_end(machine, "disks", "umount /mnt; reboot -f")
        start(machine)
        run(machine, "mount -t ext4 -o discard /dev/vda /mnt && sha256sum /mnt/new",
            digest + "  /mnt/new")
        run(machine, "rm /mnt/new && sync && fstrim /mnt && umount /mnt")
        stats = machine.command("domblkstat disks vda")
        harness.check(re.search(r"vda wr_req\s+[1-9]", stats), f"no writes in {stats}")
        harness.check("vda" in machine.command("domblklist disks"), "domblklist has no vda")
        machine.command("destroy disks")
        machine.wait_state("disks", "shut off")
        machine.command("start disks")
        start(machine)
        run(machine, "mount -t ext4 /dev/vda /mnt && cat /mnt/hello", "from the image")
        run(machine, "ls /mnt/new", status=1)


def test_full_overlay():
    vms = linux("disks-full", [harness.disk("vda", "data.img", harness.TRANSIENT)],
                OVERLAY.format(target="vda", kib=256), files=[("data.img", noise(1 << 20))])
    with vms.boot("console=all") as machine:
        start(machine)
        run(machine, "dd if=/dev/zero of=/dev/vda bs=4k count=32 oflag=direct")
        run(machine, "dd if=/dev/zero of=/dev/vda bs=4k count=128 oflag=direct", "dd: .*rror",
            status=1)
        harness.check("vda: there is no space left" in machine.command("dmesg"), "no log line")
        run(machine, "dd if=/dev/vda of=/dev/null bs=64k iflag=direct")


def test_limits():
    tune = "      <iotune><total_bytes_sec>262144</total_bytes_sec></iotune>\n"
    vms = linux("disks-limit", [harness.disk("vda", "data.img", harness.READ_ONLY + tune)],
                files=[("data.img", noise(1 << 20))])
    with vms.boot("console=all") as machine:
        start(machine)
        match = run(machine, "time dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct",
                    r"real\s+(\d+)m ?([\d.]+)s")
        seconds = int(match.group(1)) * 60 + float(match.group(2))
        harness.check(3 <= seconds < 8, f"1 MiB at 256 KiB a second took {seconds} s")


def boot_sector(text):
    """Writes a text to the first serial port, from the disk's second sector, which it reads by
    INT 13h: the firmware must know the disk."""
    code = bytes.fromhex("31c08ed88ec0fc"      # DS = ES = 0
                         "b80102bb007eb90200b600cd13"  # read sector 2 to 7e00h from drive DL
                         "720d"                # carry: stop
                         "be007ebaf803"        # SI = 7e00h, DX = COM1
                         "ac84c07403eeebf8"    # until a zero byte
                         "f4ebfd")
    return (code.ljust(510, b"\0") + b"\x55\xaa" + text.encode() + b"\n").ljust(1024, b"\0")


def firmware_set(name, memory, device="disk"):
    """A VM set with a guest that SeaBIOS starts from disk.img."""
    vms = harness.VmSet(name)
    vms.file("/usr/share/seabios/bios-256k.bin")
    more = harness.READ_ONLY + "      <boot order='1'/>\n"
    text = harness.DOMAIN.format(
        name="disks", memory=memory, vcpus=1, kernel="", on_poweroff="destroy",
        boot="    <loader>bios-256k.bin</loader>\n", on_reboot="restart", on_crash="destroy",
        metadata="", devices=harness.disk("vda", "disk.img", more, device))
    vms.write("disks.xml", text.replace("    <kernel></kernel>\n", ""))
    return vms


def test_firmware_boots_from_a_disk():
    vms = firmware_set("disks-firmware", 64)
    vms.data("disk.img", boot_sector("booted from a virtio disk").ljust(1 << 20, b"\0"))
    with vms.boot("console=all") as machine:
        machine.expect(r"^\[disks\] .*booted from a virtio disk")


GRUB = """serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
linux /vmlinuz console=ttyS0 hostname=disks
initrd /initrd.img
boot
"""


def test_firmware_grub_and_linux():
    """The way a PC starts: firmware, a boot loader from the disk, which loads a stock kernel."""
    folder = os.path.join(harness.LOGS, "disks-grub-iso")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(os.path.join(folder, "boot", "grub"))
    shutil.copy(demo.KERNEL, os.path.join(folder, "vmlinuz"))
    shutil.copy(demo.INITRD, os.path.join(folder, "initrd.img"))
    with open(os.path.join(folder, "boot", "grub", "grub.cfg"), "w", encoding="utf-8") as f:
        f.write(GRUB)
    vms = firmware_set("disks-grub", 256, "cdrom")
    subprocess.run(["grub-mkrescue", "-o", os.path.join(vms.folder, "disk.img"), folder],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with vms.boot("console=all") as machine:
        start(machine)
        # Only by the ACPI tables that the firmware got does Linux know the disk's interrupt.
        run(machine, "dd if=/dev/vda bs=2k skip=16 count=1 2>/dev/null | dd bs=1 skip=1 count=5", "CD001")
