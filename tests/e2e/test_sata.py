# SPDX-License-Identifier: BSD-2-Clause
"""Guests without virtio disks: an AHCI controller of their own, seen by a stock Linux's libata and by SeaBIOS."""

import os
import re

import debian
import demo
import disks
import harness
import test_disks
from test_storage import disk, noise, power_off, sha256, to_prompt

MIB = disks.MIB
MODULES = ("ahci", "sd_mod", "sr_mod", "isofs")
SATA = """    <controller type='sata' index='0'/>
    <disk type='{kind}' device='{device}'>
      <driver name='qemu' type='raw' discard='unmap'/>
      <source {attribute}='{source}'/>
      <target dev='{target}' bus='sata'/>
{more}    </disk>
"""


def sata(target, source, more="", device="disk"):
    block = source.startswith("/dev/")
    return SATA.format(kind="block" if block else "file", attribute="dev" if block else "file", source=source,
                       target=target, more=more, device=device)


def kernel_and_initrd():
    """Debian's kernel for real machines: the one for clouds has no AHCI."""
    folder = debian.unpacked(debian.newest_kernel_package("linux-image-amd64"), harness.CACHE)
    modules = os.path.join(folder, "lib", "modules")
    version = os.listdir(modules)[0]
    initrd = os.path.join(harness.LOGS, "sata-initrd.img")
    os.makedirs(harness.LOGS, exist_ok=True)
    words = [w for name in MODULES for w in ("--module", name)]
    harness.tool("tools/mkinitrd", "--out", initrd, "--busybox", "/bin/busybox", "--modules",
                 os.path.join(modules, version), *words)
    kernel = os.path.join(harness.LOGS, "sata-vmlinuz")
    if not os.path.exists(kernel):
        os.symlink(os.path.join(folder, "boot", "vmlinuz-" + version), kernel)
    return kernel, initrd


def test_libata_reads_and_writes():
    """Queued commands, flushes and TRIM on a real partition, an overlay, and a CD-ROM drive."""
    d = disk("sata", [("root", 32)])
    root = d.partition["root"]
    head, image = noise(1, 8 * MIB), noise(2, 2 * MIB)
    d.write(root.first, head)
    kernel, initrd = kernel_and_initrd()
    vms = harness.VmSet("sata")
    vms.data("image", image)
    vms.add("alpha", kernel, initrd, "console=ttyS0 hostname=alpha", memory=256, virtio=False, devices=sata(
        "sda", "/dev/disk/by-partlabel/root", "      <serial>SN-1</serial>\n") + sata("sdb", "image", harness.TRANSIENT) +
        sata("sdc", "image", device="cdrom"))
    with harness.Console("sata", harness.pvh(vms.package(), "console=all") + d.qemu()) as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        # Which of the two is sda is chance: Linux asks both at once.
        for name, size in (("one", root.size), ("two", len(image))):
            demo.shell(machine, "alpha", f"{name}=/dev/$(grep -lx {size // 512} /sys/block/sd*/size | cut -d/ -f4); "
                       f"echo ${name}", "^/dev/sd[ab]")
        demo.shell(machine, "alpha", "dmesg | grep -c 'depth 32'", r"^2$")
        demo.shell(machine, "alpha", "dd if=$one bs=1M count=8 iflag=direct | sha256sum", f"^{sha256(head)}")
        demo.shell(machine, "alpha", "sha256sum < $two", f"^{sha256(image)}")
        demo.shell(machine, "alpha", "sha256sum < /dev/sr0", f"^{sha256(image)}")
        demo.shell(machine, "alpha", "for i in 1 2 3 4; do dd if=$one of=/dev/null bs=4k count=256 skip=$((i*256)) "
                   "iflag=direct & done; wait; dd if=$one of=$one bs=1M count=8 seek=16 iflag=direct conv=fsync "
                   "&& echo copied-$((40+2))", "^copied-42")
        demo.shell(machine, "alpha", "dd if=/dev/zero of=$two bs=64k seek=1 count=1 oflag=direct; "
                   "dd if=$two bs=64k count=1 skip=2 | sha256sum", f"^{sha256(image[2 * 65536:3 * 65536])}")
        demo.shell(machine, "alpha", "blkdiscard -o 1048576 -l 65536 $two && dd if=$two bs=64k skip=16 count=1 | "
                   "sha256sum", f"^{sha256(bytes(65536))}")
        text = demo.shell(machine, "alpha", "dmesg | grep -c -e 'exception Emask' -e 'failed command'; echo errors-$?",
                          r"^(\d+)\nerrors-").group(1)
        harness.check(text == "0", "libata saw errors")
        stats = machine.command("domblkstat alpha sda")
        harness.check(re.search(r"sda flush_operations\s+[1-9]", stats) or "flush" not in stats, f"no flush in {stats}")
        power_off(machine)
    harness.check(d.read(root.first + 16 * MIB, 8 * MIB) == head, "the copy differs")


def firmware_guest(name, memory, devices):
    """A VM set with a guest that SeaBIOS starts."""
    vms = harness.VmSet(name)
    vms.file("/usr/share/seabios/bios-256k.bin")
    text = harness.DOMAIN.format(name="disks", memory=memory, vcpus=1, kernel="", on_poweroff="destroy",
                                 boot="    <loader>bios-256k.bin</loader>\n", on_reboot="restart", on_crash="destroy",
                                 metadata="", devices=devices)
    vms.write("disks.xml", text.replace("    <kernel></kernel>\n", ""))
    return vms


def sector_image(text):
    return test_disks.boot_sector(text).ljust(1 << 20, b"\0")


def test_firmware_follows_the_boot_order():
    """Three disks can be booted; the definition's first one is not the first on any bus."""
    order = harness.READ_ONLY + "      <boot order='{}'/>\n"
    vms = firmware_guest("sata-order", 64, harness.disk("vda", "vda.img", order.format(2)) +
                         sata("sda", "sda.img", order.format(3)) + sata("sdb", "sdb.img", order.format(1)))
    for name in ("vda", "sda", "sdb"):
        vms.data(name + ".img", sector_image(f"booted from {name}"))
    with vms.boot("console=all") as machine:
        machine.expect(r"^\[disks\] .*booted from sdb", refuse="booted from (vda|sda)")


def test_firmware_without_an_order():
    vms = firmware_guest("sata-boot", 64, sata("sda", "sda.img", harness.READ_ONLY))
    vms.data("sda.img", sector_image("booted from a SATA disk"))
    with vms.boot("console=all") as machine:
        machine.expect(r"^\[disks\] .*booted from a SATA disk")
