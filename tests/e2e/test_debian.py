# SPDX-License-Identifier: BSD-2-Clause
"""A stock Debian from a SATA disk, as a PC starts it: firmware, GRUB, kernel, systemd."""

import os
import re

import debian_root
import harness
from test_sata import firmware_guest, sata
from test_storage import to_prompt, volume

DISK = "/dev/disk/by-id/ata-QEMU_HARDDISK_DISK0"
LIMIT = 400
FIO = ("fio --name=check --filename=/var/tmp/fio --size=24M --bs=4k --rw=randwrite --direct=1 --ioengine=libaio "
       "--iodepth=16 --fsync=64 --verify=crc32c --verify_fatal=1 --do_verify=1 --minimal")


def run(machine, command, answer, limit=LIMIT):
    """A command at the root shell of the guest, whose console is entered."""
    machine.send(command + "\n")
    match = machine.expect(answer, limit)
    machine.expect(debian_root.PROMPT, limit)
    return match


def to_shell(machine):
    machine.expect("GRUB starts Debian", LIMIT)
    machine.expect("systemd.*running in system mode", LIMIT)
    machine.send("\n")
    machine.prompt()
    machine.enter("disks")
    machine.expect(debian_root.PROMPT, LIMIT)


def boot_work_reboot(name, devices):
    vms = firmware_guest(name, 512, devices)
    command = harness.pvh(vms.package(), "console=all", memory=1536) + debian_root.copy(name)
    with harness.Console(name, command) as machine:
        to_shell(machine)
        run(machine, "systemctl is-system-running --wait; systemctl is-active multi-user.target", r"^active\r?$")
        run(machine, "dpkg -i ~/hello.deb && hello", "^Hello, world!")
        run(machine, FIO + "; echo fio-$?", r"^fio-0")
        run(machine, "dpkg -V hello coreutils && sha256sum /usr/bin/fio > ~/sum; sync; echo verified-$?", "^verified-0")
        machine.send("reboot\n")
        machine.leave()
        to_shell(machine)
        run(machine, "hello && sha256sum -c ~/sum", r"(?s)^Hello, world!.*: OK")
        run(machine, "dmesg | grep -c -i -E 'I/O error|recovery complete|exception Emask'; echo looked-$?", r"^0\r?\nlooked-1")
        machine.send("poweroff\n")
        machine.leave()
        machine.wait_state("disks", "shut off", LIMIT)
        harness.check(not re.search(r"port 0: .*LBA", machine.command("dmesg")), "the disk had errors")
        machine.command("shutdown-host")
        machine.wait_end(180)


# By hand, E2E_DEBIAN="virtio sata": each takes minutes, and the disk is made first.
BUSES = os.environ.get("E2E_DEBIAN", "").split()

if "virtio" in BUSES:
    def test_from_virtio():
        boot_work_reboot("debian-virtio", volume("by-id/ata-QEMU_HARDDISK_DISK0"))

if "sata" in BUSES:
    def test_from_sata():
        boot_work_reboot("debian-sata", sata("sda", DISK))
