# SPDX-License-Identifier: BSD-2-Clause
"""A disk with a stock Debian on it: packages as they are in the archive, on a GPT disk that a PC's firmware
boots by GRUB. Made once and kept in the cache; tests write to a copy of it."""

import fcntl
import glob
import hashlib
import os
import shutil
import struct
import subprocess

import disks
import harness

SUITE = "bookworm"
PACKAGES = ("systemd-sysv", "udev", "kmod", "linux-image-amd64", "initramfs-tools", "zstd", "fio", "e2fsprogs")
EXTRA = "hello"  # installed by the guest, from a file on its disk
BOOT, ROOT = "boot", "root"
BOOT_MIB, ROOT_MIB = 1, 1400
PROMPT = r"root@debian:\S*# "
# Drivers for what the tests boot it on; initramfs-tools' own word for that is MODULES=list.
DRIVERS = "virtio_pci virtio_blk ahci sd_mod ext4"
GRUB_MODULES = ("biosdisk", "part_gpt", "ext2", "linux", "normal", "serial", "terminal", "echo", "test")
GRUB = """serial --unit=0 --speed=115200
terminal_output serial
echo GRUB starts Debian
linux /vmlinuz root=LABEL=root ro console=ttyS0
initrd /initrd.img
boot
"""
GETTY = """[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I vt220
"""
FILES = {
    "etc/hostname": "debian\n",
    "etc/fstab": "LABEL=root / ext4 errors=remount-ro 0 1\n",
    "etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf": GETTY,
    "boot/grub/grub.cfg": GRUB,
}


def _run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                          **options)
    harness.check(done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def _sources():
    """Where this machine's apt fetches Debian from."""
    found = glob.glob("/etc/apt/sources.list.d/*.sources") + glob.glob("/etc/apt/sources.list.d/*.list")
    return [p for p in ["/etc/apt/sources.list", *sorted(found)] if os.path.exists(p)]


def _hook(name, text):
    return f"--{name}-hook={text}"


def _bootstrap(work, image, first):
    """Packages into a folder, files on top, and all of it into the root partition."""
    overlay = os.path.join(work, "overlay")
    for name, text in FILES.items():
        path = os.path.join(overlay, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    os.makedirs(os.path.join(overlay, "root"))
    _run("apt-get", "-q", "-o", "APT::Sandbox::User=", "download", EXTRA, cwd=work)
    shutil.copy(glob.glob(os.path.join(work, EXTRA + "_*.deb"))[0], os.path.join(overlay, "root", EXTRA + ".deb"))
    configure = [f"--aptopt={p}" for p in sorted(glob.glob("/etc/apt/apt.conf.d/*"))
                 if not os.path.basename(p).startswith(("docker", "20", "50", "70"))]
    drivers = (f"mkdir -p $1/etc/initramfs-tools/conf.d && echo MODULES=list > $1/etc/initramfs-tools/conf.d/list && "
               f"echo {DRIVERS} | tr ' ' '\\n' > $1/etc/initramfs-tools/modules")
    seen = os.path.join(work, "seen")  # the root without what mmdebstrap has mounted in it
    _run("mmdebstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES), *configure,
         _hook("essential", drivers),
         _hook("customize", f"cp -r {overlay}/. $1 && chroot $1 passwd -d root"),
         _hook("customize", f"mkdir -p {seen} && mount --bind $1 {seen} && /sbin/mke2fs -q -F -t ext4 -L root -d {seen} "
                            f"-E offset={first} {image} {ROOT_MIB - 1}M; r=$?; umount {seen}; exit $r"),
         SUITE, "/dev/null", *_sources())


def _install_grub(disk, work):
    """GRUB's two parts, as grub-bios-setup lays them: the first names the block where the second is, whose first
    block names the rest."""
    core = os.path.join(work, "core.img")
    _run("grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(hd0,gpt2)/boot/grub", *GRUB_MODULES)
    with open(core, "rb") as f:
        data = bytearray(f.read())
    harness.check(len(data) <= disk.partition[BOOT].size, "GRUB does not fit into its partition")
    place = disk.partition[BOOT].first // disks.BLOCK
    struct.pack_into("<Q", data, 0x1f4, place + 1)
    disk.write(disk.partition[BOOT].first, data)
    with open("/usr/lib/grub/i386-pc/boot.img", "rb") as f:
        boot = bytearray(f.read(440))
    struct.pack_into("<Q", boot, 0x5c, place)
    disk.write(0, boot)


def _recipe():
    with open(__file__, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:16]


def image():
    """Path of the image in the cache; nobody writes to it."""
    path = os.path.join(harness.CACHE, f"debian-root-{_recipe()}.img")
    os.makedirs(harness.CACHE, exist_ok=True)
    with open(os.path.join(harness.CACHE, "debian-root.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            _make(path)
    return path


def _make(path):
    harness.check(shutil.which("mmdebstrap"), "mmdebstrap is missing: make setup")
    work = path + ".work"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    disk = disks.Disk(path + ".part", BOOT_MIB + ROOT_MIB + 2, [(BOOT, BOOT_MIB), (ROOT, ROOT_MIB)])
    _bootstrap(work, path + ".part", disk.partition[ROOT].first)
    _install_grub(disk, work)
    shutil.rmtree(work)
    os.rename(path + ".part", path)


def copy(name):
    """A disk of a test's own, on top of the image in the cache; QEMU's arguments for it at port 0."""
    os.makedirs(harness.LOGS, exist_ok=True)
    top = os.path.join(harness.LOGS, name + ".qcow2")
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", os.path.abspath(image()), top)
    return ["-drive", f"file={top},format=qcow2,if=none,id=d0,cache=writeback",
            "-device", "ide-hd,drive=d0,bus=ide.0,serial=DISK0"]
