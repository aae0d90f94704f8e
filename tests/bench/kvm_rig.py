# SPDX-License-Identifier: BSD-2-Clause
"""The rival's rig: Debian's cloud kernel with KVM and Debian's own QEMU in an initramfs, which
runs the same guest programs under KVM, on the same emulated machine."""

import hashlib
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
import cpio  # noqa: E402
import debian  # noqa: E402

QEMU = "/usr/bin/qemu-system-x86_64"
FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin", "multiboot_dma.bin",
            "multiboot.bin", "linuxboot.bin", "pvh.bin")
GUEST_QEMU = ("qemu-system-x86_64 -nodefaults -display none -accel kvm -M q35 -cpu host -no-reboot"
              " -serial stdio")

SETUP = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
for m in irqbypass kvm VENDOR; do $b insmod /modules/$m.ko || echo "kvm_rig: cannot load $m"; done
echo 4 > /proc/sys/kernel/printk
"""
# First touches are of 4 KiB pages; all else runs with huge pages as Debian has them.
BENCH = """run() {{ name=$1; shift; echo "== $name"; {qemu} "$@" </dev/null 2>&1; echo "== end $name"; }}
pages=/sys/kernel/mm/transparent_hugepage/enabled
echo never > $pages
run exits -m 256 -mem-prealloc -smp 2 -device pci-testdev -kernel /exits.elf
echo always > $pages
echo "== cycle"; /tsc x
run tiny -m 64 -kernel /tiny.elf
/tsc x; echo "== end cycle"
{qemu} -m 64 -mem-prealloc -kernel /hlt_if0.elf </dev/null >/tmp/out 2>&1 &
pid=$!
until $b grep -q passed /tmp/out 2>/dev/null; do $b usleep 20000; done
echo "== memory"; $b grep ^VmRSS /proc/$pid/status; echo "== end memory"
$b kill -9 $pid
run linux -m 256 -kernel /linux -initrd /linux.cpio -append '{cmdline}'
$b sleep 1  # the serial line is slower than the power switch
$b poweroff -f
"""


def setup(vendor="kvm-amd"):
    return SETUP.replace("VENDOR", vendor)


def closure(program):
    """The program's shared libraries and its loader."""
    text = debian.output("ldd", program)
    return sorted(set(re.findall(r"(/\S+) \(0x", text)))


def firmware(name):
    for folder in ("/usr/share/seabios", "/usr/share/qemu", "/usr/lib/ipxe/qemu"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    return None


def modules(folder, vendor):
    wanted = {"irqbypass.ko", "kvm.ko", vendor + ".ko"}
    for root, _, files in os.walk(folder):
        for name in wanted & set(files):
            yield name, os.path.join(root, name)


def archive(kernel, module_folder, programs, script, files, vendor="kvm-amd"):
    """The initramfs: Debian's QEMU with all it needs, KVM's modules, programs (name to path), files
    (name to bytes), and the script as first process."""
    out = cpio.Archive()
    out.console()
    for folder in ("proc", "sys", "tmp"):
        out.add(folder, 0o40755)
    out.copy("/bin/busybox", "bin/busybox")
    out.copy(QEMU)
    for library in closure(QEMU):
        out.copy(library)
    for name in FIRMWARE:
        path = firmware(name)
        if path:
            out.copy(path, "usr/share/qemu/" + name)
    for name, path in modules(module_folder, vendor):
        out.copy(path, "modules/" + name)
    for name, path in programs.items():
        out.copy(path, name)
    out.copy(kernel, "linux")
    for name, data in files.items():
        out.file(name, data)
    out.file("init", script.encode())
    return out.bytes()


def bench_archive(kernel, module_folder, programs, linux_initrd, cmdline, vendor="kvm-amd"):
    script = setup(vendor) + BENCH.format(qemu=GUEST_QEMU, cmdline=cmdline)
    return archive(kernel, module_folder, programs, script, {"linux.cpio": linux_initrd}, vendor)


def key(kernel, initrd):
    digest = hashlib.sha256(initrd)
    with open(kernel, "rb") as f:
        digest.update(f.read())
    return digest.hexdigest()[:16]


def run(machine, kernel, initrd_path, log, timeout, memory=1536):
    """Boots the rig; gives its whole serial output."""
    command = [*machine, "-m", str(memory), "-kernel", kernel, "-initrd", initrd_path, "-append",
               "console=ttyS0 quiet panic=-1", "-display", "none", "-no-reboot", "-nodefaults",
               "-serial", "stdio"]
    text = []
    with open(log, "w") as out, subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True,
                                                 errors="replace", stdout=subprocess.PIPE,
                                                 stderr=subprocess.STDOUT) as qemu:
        killer = threading.Timer(timeout, qemu.kill)
        killer.start()
        for line in qemu.stdout:
            out.write(line)
            out.flush()
            text.append(line)
            if line.startswith("== ") and not line.startswith("== end"):
                print("  kvm:", line[3:].strip(), flush=True)
        killer.cancel()
    return "".join(text).replace("\r", "")


def section(text, name):
    match = re.search(rf"^== {name}\n(.*?)^== end {name}$", text, re.M | re.S)
    return match.group(1) if match else ""


def figures(text):
    """{name: value} of a guest's bench lines."""
    return {name: int(value) for name, value in re.findall(r"\bbench (\w+) (\d+)", text)}
