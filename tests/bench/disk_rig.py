# SPDX-License-Identifier: BSD-2-Clause
"""The storage benchmark: one Linux program reads a disk that answers at once (QEMU's null-co), bare over AHCI,
under Mullion and under KVM with QEMU over virtio-blk."""

import os
import re
import subprocess

import debian
import demo
import harness
import kvm_rig
import rows
import test_pool

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = ("depth_1", "depth_32", "sequential")
COUNTS = {"depth_1": 2048 + 64, "depth_32": 2048 + 2 * 32 + 64, "sequential": 128 + 4}
MODULES = ("ahci", "sd_mod", "virtio_pci", "virtio_blk")
NULL = "driver=null-co,size=1G,if=none,id=null"
ZEROES = NULL + ",read-zeroes=on"  # a partition table is looked for on it
VOLUME = "/dev/disk/by-id/ata-QEMU_HARDDISK_NULL"
POOLED = 136 << 20  # bytes that are read of a partition and of a volume
CMDLINE = "console=ttyS0 hostname=disk panic=-1 quiet"
SCRIPT = """#!/bin/sh
grep -q bench=yes /proc/cmdline || exit 0
d=/dev/vda
[ -e $d ] || d=/dev/sda
seen() { awk '/virtio.*req|ahci/ {s += $2} END {print s}' /proc/interrupts; }
for t in depth_1 depth_32 sequential; do
    before=$(seen)
    /bin/disk $d $t
    echo "bench interrupts_$t $(($(seen) - before))"
done
echo disks-are-done
sleep 1
poweroff -f
"""


def programs(out):
    """(kernel, initramfs): Debian's kernel for real machines, which has AHCI and virtio."""
    program, script = os.path.join(out, "disk"), os.path.join(out, "disk.sh")
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-nostdlib", "-static", "-ffreestanding",
                    "-fno-stack-protector", "-fcf-protection=none", "-Wl,--build-id=none", "-o", program,
                    os.path.join(HERE, "disk.c")], check=True)
    with open(script, "w", encoding="ascii") as f:
        f.write(SCRIPT)
    folder = debian.unpacked(debian.newest_kernel_package("linux-image-amd64"), harness.CACHE)
    modules = os.path.join(folder, "lib", "modules")
    version = os.listdir(modules)[0]
    initrd = os.path.join(out, "disk.cpio")
    harness.tool("tools/mkinitrd", "--out", initrd, "--busybox", "/bin/busybox", "--modules",
                 os.path.join(modules, version), *[w for name in MODULES for w in ("--module", name)],
                 "--add", f"{program}:bin/disk", "--add", f"{script}:test.sh")
    return os.path.join(folder, "boot", "vmlinuz-" + version), initrd


def host_disk(drive):
    return ["-drive", drive, "-device", "ide-hd,drive=null,bus=ide.0,serial=NULL"]


def bare(machine, kernel, initrd, limit):
    command = [*machine, "-m", "256", *host_disk(ZEROES), "-kernel", kernel, "-initrd", initrd, "-append",
               CMDLINE + " bench=yes"]
    with harness.Machine("bench-disk-bare", command) as run:
        run.expect("disks-are-done", limit)
        return run.text


def mullion_set(name, kernel, initrd, words, devices=harness.disk("vda", VOLUME)):
    vms = harness.VmSet(name)
    vms.add("disk", kernel, initrd, CMDLINE + words, memory=256, virtio=False, devices=devices)
    return vms


def boot(machine, vms, drive=ZEROES):
    command = [*machine, "-m", "1024", *host_disk(drive), "-kernel", harness.KERNEL, "-initrd", vms.package(), "-append",
               "console=all"]
    return harness.Console(vms.name, command)


def mullion(machine, kernel, initrd, limit):
    with boot(machine, mullion_set("bench-disk", kernel, initrd, " bench=yes")) as run:
        run.expect("disks-are-done", limit)
        return run.text


def quick_disk():
    """A disk with a partition and a pool that answers at once: what its blocks hold is no data for QEMU."""
    d = test_pool.pool_disk("bench-quick", megabytes=300, size=150, behind=(("plain", POOLED // test_pool.MIB),))
    mark = bytes([165]) * 4096
    test_pool.imported(d, "root", mark * (POOLED // 4096))
    with open(d.path, "r+b") as f:
        for at in range(0, d.size, 4096):
            f.seek(at)
            if f.read(4096) == mark:
                f.seek(at)
                f.write(bytes(4096))
    sparse = d.path + ".qcow2"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", "-S", "4k", d.path, sparse], check=True)
    return f"file={sparse},format=qcow2,if=none,id=null,cache.no-flush=on"


def pooled(machine, kernel, initrd, limit):
    """What the same program says of a partition and of a pool's volume, side by side on a disk."""
    drive, texts = quick_disk(), []
    for name, devices in (("bench-disk-plain", harness.disk("vda", "/dev/disk/by-partlabel/plain")),
                          ("bench-disk-pooled", test_pool.volume("root"))):
        with boot(machine, mullion_set(name, kernel, initrd, " bench=yes", devices), drive) as run:
            run.expect("disks-are-done", limit)
            texts.append(run.text)
    return texts


def exits_of(text):
    """All exits of the guest's first vCPU."""
    found = re.search(r"vcpu\.0\.exits\.sum=(\d+)", text)
    return int(found.group(1)) if found else None


def mullion_exits(machine, kernel, initrd, limit):
    """{test: exits a request}: what the guest's shell does is in it, too."""
    result = {}
    with boot(machine, mullion_set("bench-disk-exits", kernel, initrd, "")) as run:
        demo.wait_ready(run, "disk", limit=limit)
        run.send("\n")
        run.prompt()
        for test in TESTS:
            before = exits_of(run.command("domstats disk"))
            run.enter("disk")
            run.send(f"/bin/disk /dev/vda {test}\n")
            run.expect(rf"bench {test} \d+", limit)
            run.leave()
            after = exits_of(run.command("domstats disk"))
            if before is not None and after is not None:
                result[test] = (after - before) / COUNTS[test]
    return result


def pool_time(run):
    """CPU time that the pool's process has used, in ns: instructions, here."""
    text = run.command("pool-list")
    found = re.search(r"^ tank +active( +\d+){3} +(\d+)", text, re.M)
    harness.check(found, f"no pool is active:\n{text}")
    return int(found.group(2)) * 1000


def snapshots(machine, limit):
    """{order: instructions of the pool's process} for a volume of 1 TiB with data all over it."""
    d = test_pool.pool_disk("bench-pool", megabytes=128, size=100)
    test_pool.img(d, "vol-create", "huge", "1T")
    vms = harness.VmSet("bench-pool")
    test_pool.linux(vms, "alpha", test_pool.volume("huge"))
    # The machine's time does not stand still while the host's disk flushes.
    command = [*machine, "-m", "1024", *d.qemu(options=",cache.no-flush=on"), "-kernel", harness.KERNEL, "-initrd", vms.package(), "-append",
               "console=all"]
    result = {}
    with harness.Console("bench-pool", command) as run:
        demo.wait_ready(run, "alpha", limit=limit)
        run.send("\n")
        run.prompt()
        demo.shell(run, "alpha", "i=0; while [ $i -lt 64 ]; do dd if=/dev/urandom of=/dev/vda bs=4k count=1 seek=$((i*4194304)) "
                   "conv=notrunc,fsync 2>/dev/null || echo bad-$i; i=$((i+1)); done; echo wrote-$i", "wrote-64", limit)
        for order in ("snapshot-create alpha one", "vol-clone huge copy --pool tank"):
            before = pool_time(run)
            harness.check(re.search("created|cloned", run.command(order)), f"{order} failed")
            result[order.split()[0]] = pool_time(run) - before
    return result


KVM = """echo "== disk"
{qemu} -m 256 -kernel /generic -initrd /disk.cpio -append '{cmdline}' -drive {drive} \\
    -device virtio-blk-pci,drive=null </dev/null 2>&1
echo "== end disk"
$b sleep 1
$b poweroff -f
"""


def kvm(machine, cloud_kernel, modules, kernel, initrd, out, limit):
    with open(initrd, "rb") as f:
        guest = f.read()
    script = kvm_rig.setup() + KVM.format(qemu=kvm_rig.GUEST_QEMU, cmdline=CMDLINE + " bench=yes", drive=NULL)
    data = kvm_rig.archive(cloud_kernel, modules, {"generic": kernel}, script, {"disk.cpio": guest})
    cached = os.path.join(harness.CACHE, f"kvm-disk-{kvm_rig.key(kernel, data)}.txt")
    if os.path.exists(cached):
        with open(cached, encoding="utf-8") as f:
            return f.read()
    path = os.path.join(out, "kvm-disk.cpio")
    with open(path, "wb") as f:
        f.write(data)
    text = kvm_rig.run(machine, cloud_kernel, path, os.path.join(out, "kvm-disk.log"), limit)
    if "disks-are-done" in text:
        with open(cached, "w", encoding="utf-8") as f:
            f.write(text)
    return text


TITLES = {"depth_1": ("random 4 KiB read, depth 1", 2.0), "depth_32": ("random 4 KiB read, depth 32", 1.3),
          "sequential": ("sequential 1 MiB read", 1.5)}


def pool_rows(plain, volume):
    for test, (title, _) in TITLES.items():
        own = plain.get(test)
        yield rows.row(title + ", a partition (bare) and a pool's volume on it", "instructions", own, volume.get(test),
                       target=int(own * 1.1) if own else None, area="storage")


def table(bare_figures, mullion_figures, kvm_figures, exits, orders):
    for order, used in orders.items():
        yield rows.row(f"{order} of a volume of 1 TiB: the pool's process", "instructions", mullion=used, target=1000000,
                       area="storage")
    for test, (title, factor) in TITLES.items():
        own = bare_figures.get(test)
        yield rows.row(title, "instructions", own, mullion_figures.get(test), kvm_figures.get(test),
                       int(own * factor) if own else None, "storage")
    for test, (title, _) in TITLES.items():
        def each(found, name="interrupts_" + test):
            return round(found[name] * 1000 / COUNTS[test]) if name in found else None
        yield rows.row(title + ": interrupts in 1,000 requests", "interrupts", each(bare_figures), each(mullion_figures),
                       each(kvm_figures), 1000 if test == "depth_1" else None, "storage")
        if test in exits:
            yield rows.row(title + ": exits in 1,000 requests", "exits", None, round(exits[test] * 1000),
                           None, None, "storage")
