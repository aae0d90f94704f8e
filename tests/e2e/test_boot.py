# SPDX-License-Identifier: BSD-2-Clause
"""Every way to boot: PVH, SeaBIOS with GRUB (CD and disk), OVMF with GRUB, the loader of our own,
Secure Boot; CPU counts; CPUs without virtualisation."""

import os
import subprocess

import demo
import harness

OVMF = "/usr/share/OVMF/"
SNAKEOIL = "/usr/share/ovmf/PkKek-1-snakeoil"


def small_set(name):
    return harness.VmSet(name).add("tiny", harness.test_guest("tiny"))


def boots(name, command):
    """Mullion is up when its console answers and its guest ran."""
    with harness.Console(name, command) as machine:
        machine.expect(r"^\[tiny\] 1 passed, 0 failed", 240)
        machine.send("\n")
        machine.prompt()
        machine.command("nodeinfo")


def iso(name):
    path = os.path.join(harness.LOGS, name + ".iso")
    return harness.image(small_set(name).package(), path, "console=all")


def cd(path):
    return ("-drive", f"file={path},format=raw,if=none,id=boot,readonly=on",
            "-device", "ide-cd,drive=boot")


def disk(path):
    return ("-drive", f"file={path},format=raw,if=none,id=boot,snapshot=on",
            "-device", "ide-hd,drive=boot")


def ovmf(code="OVMF_CODE_4M.fd", variables="OVMF_VARS_4M.fd"):
    return ("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF}{code}",
            "-drive", f"if=pflash,format=raw,unit=1,snapshot=on,file={OVMF}{variables}")


def test_pvh():
    name = "boot-pvh"
    boots(name, harness.pvh(small_set(name).package(), "console=all"))


def test_seabios_cd():
    boots("boot-seabios-cd", harness.qemu(*cd(iso("boot-seabios-cd")), "-vga", "std"))


def test_seabios_disk():
    boots("boot-seabios-disk", harness.qemu(*disk(iso("boot-seabios-disk")), "-vga", "std"))


def test_ovmf_cd():
    boots("boot-ovmf-cd", harness.qemu(*ovmf(), *cd(iso("boot-ovmf-cd")), "-vga", "std"))


def test_ovmf_disk():
    boots("boot-ovmf-disk", harness.qemu(*ovmf(), *disk(iso("boot-ovmf-disk")), "-vga", "std"))


def unified(name):
    out = os.path.join(harness.LOGS, name + ".efi")
    esp = os.path.join(harness.LOGS, name + ".img")
    harness.tool("tools/mkuefi", "--loader", harness.LOADER, "--kernel", harness.KERNEL,
                 "--package", small_set(name).package(), "--cmdline", "console=all", "--out", out,
                 "--esp", esp)
    return out, esp


def test_own_loader():
    _, esp = unified("boot-loader")
    boots("boot-loader", harness.qemu(*ovmf(), *disk(esp)))


def secure_boot(name, sign):
    out, esp = unified(name)
    if sign:
        key = os.path.join(harness.LOGS, name + ".key")
        subprocess.run(["openssl", "rsa", "-in", SNAKEOIL + ".key", "-passin", "pass:snakeoil",
                        "-out", key], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["sbsign", "--key", key, "--cert", SNAKEOIL + ".pem", "--output", out, out],
                       check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["mcopy", "-o", "-i", esp, out, "::/EFI/BOOT/BOOTX64.EFI"], check=True)
    firmware = ovmf("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.snakeoil.fd")
    return harness.qemu("-global", "driver=cfi.pflash01,property=secure,value=on", *firmware,
                        *disk(esp), machine="q35,smm=on")


def test_secure_boot_signed():
    boots("boot-signed", secure_boot("boot-signed", True))


def test_secure_boot_unsigned():
    command = secure_boot("boot-unsigned", False)
    with harness.Console("boot-unsigned", command) as machine:
        machine.expect("Access Denied|Security Violation|No bootable|failed to load", 240,
                       refuse=r"mullion|Mullion")


def test_cpu_counts():
    for cpus in (1, 2, 4, 8):
        name = f"boot-{cpus}-cpus"
        command = harness.pvh(small_set(name).package(), "console=all", smp=cpus)
        with harness.Console(name, command) as machine:
            machine.expect(r"^\[tiny\] 1 passed, 0 failed", 240)
            machine.send("\n")
            machine.prompt()
            text = machine.command("nodeinfo")
            harness.check(f" {cpus}\n" in text + "\n", f"nodeinfo does not show {cpus} CPUs:\n{text}")


def test_memory_above_4g():
    name = "boot-6g"
    boots(name, harness.pvh(small_set(name).package(), "console=all", memory=6144))


def test_cpu_without_virtualisation():
    name = "boot-no-svm"
    command = harness.pvh(small_set(name).package(), "console=all", cpu="max,-svm")
    with harness.Console(name, command) as machine:
        machine.expect(r"(?i)(svm|virtuali[sz]ation)", 120, refuse=r"^\[tiny\]")


def test_demo_from_iso():
    out = os.path.join(harness.LOGS, "boot-demo.iso")
    harness.image(demo.package(), out, "console=all")
    command = harness.qemu(*cd(out), "-vga", "std", smp=demo.SMP, memory=demo.MEMORY)
    with harness.Console("boot-demo-iso", command) as machine:
        demo.both_answer(machine)
    os.remove(out)


def test_no_package():
    """No boot package at all: a sentence, not a hang."""
    with harness.Console("boot-no-package", harness.qemu("-kernel", harness.KERNEL)) as machine:
        machine.expect(r"(?i)(package|module)", 60)

