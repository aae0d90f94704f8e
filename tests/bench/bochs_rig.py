# SPDX-License-Identifier: BSD-2-Clause
"""The Intel rig: the benchmark's guests in Bochs, where one tick of the TSC is one instruction;
bare, under Mullion on VMX, and under KVM of Debian's cloud kernel with Debian's QEMU."""

import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import harness  # noqa: E402

CPU = "corei7_haswell_4770"
# Bochs speculates as little as QEMU does, but Mullion and KVM cannot tell.
OFF = "mitigations=off"
LIMIT = 900
GRUB = "set gfxpayload=text\n"


def image(out, config, files):
    """A CD whose GRUB carries out `config`; files: name in /boot to path."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(out)) as root:
        os.makedirs(f"{root}/boot/grub")
        for name, path in files.items():
            shutil.copyfile(path, f"{root}/boot/{name}")
        with open(f"{root}/boot/grub/grub.cfg", "w", encoding="utf-8") as f:
            f.write(GRUB + config + "boot\n")
        command = ["grub-mkrescue", "--locales=", "--fonts=", "--themes=", "-o", out, root]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    harness.check(done.returncode == 0, f"grub-mkrescue failed:\n{done.stdout[-2000:]}")
    return out


def text_of(name, iso, end, memory=1024):
    with harness.Machine(name, harness.bochs(iso, memory=memory, cpu=CPU)) as machine:
        machine.expect(end, LIMIT)
        return machine.text


def bare(out, kernel, initrd, exits, cmdline):
    """(text of the exits guest, text of Linux). GRUB loads the same files both times, so that the
    guest is entered when Linux would have been."""
    load = f"linux /boot/linux {cmdline}\ninitrd /boot/linux.cpio\n"
    files = {"linux": kernel, "linux.cpio": initrd, "exits.elf": exits}
    iso = image(os.path.join(out, "intel-bare.iso"), load + "multiboot /boot/exits.elf\n", files)
    text = text_of("bench-intel-bare", iso, r"^\d+ passed")
    iso = image(os.path.join(out, "intel-linux.iso"), load, files)
    return text, text_of("bench-intel-bare-linux", iso, r"^tsc \d+[^\d]")


def mullion(vms, end, cmdline=""):
    with vms.boot_intel(f"console=all onidle=poweroff {OFF} {cmdline}", cpu=CPU) as machine:
        machine.expect(end, LIMIT)
        return machine.text


def kvm(out, kernel, data, name="intel-kvm", end=r"^== end linux"):
    """Serial output of the whole rig; data: its initramfs."""
    path = os.path.join(out, name + ".cpio")
    with open(path, "wb") as f:
        f.write(data)
    iso = image(os.path.join(out, name + ".iso"),
                f"linux /boot/linux console=ttyS0 quiet panic=-1 {OFF}\n"
                "initrd /boot/kvm.cpio\n",
                {"linux": kernel, "kvm.cpio": path})
    return text_of("bench-" + name, iso, end, memory=2048)
