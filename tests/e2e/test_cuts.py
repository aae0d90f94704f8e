# SPDX-License-Identifier: BSD-2-Clause
"""Power cuts under a file system: the machine is cut off while a guest writes files and waits for each to be on the
medium. E2E_CUTS=200 cuts more often."""

import hashlib
import os
import random
import re
import subprocess

import again
import harness
from test_storage import CUTS, disk, linux, volume

SIZE = 24  # MiB
FILES = 40
WORK = ("echo 3 > /proc/sys/vm/drop_caches; mount -t ext4 /dev/vda /mnt && i={last}; while :; do i=$((i+1)); "
        "{{ echo file-$i; dd if=/dev/urandom bs=1k count=$((i%9)) 2>/dev/null; }} > /tmp/x; "
        "dd if=/tmp/x of=/mnt/$((i%{files})) bs=4k conv=fsync 2>/dev/null && echo durable-$i-$(sha256sum < /mnt/$((i%{files}))); done\n")


def fsck(d, name):
    """What e2fsck says of the partition once the journal has been replayed: nothing may be wrong."""
    root = d.partition["root"]
    path = os.path.join(harness.LOGS, name + ".ext4")
    with open(path, "wb") as f:
        f.write(d.read(root.first, root.size))
    replay = subprocess.run(["/sbin/e2fsck", "-p", "-E", "journal_only", path], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    check = subprocess.run(["/sbin/e2fsck", "-fn", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    harness.check(check.returncode == 0, f"the file system is damaged:\n{replay.stdout}\n{check.stdout}")
    return path


def content(path, number):
    """A file of the image, as its journal leaves it."""
    done = subprocess.run(["/sbin/debugfs", "-R", f"cat /{number}", path], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return done.stdout


def verify(path, durable):
    """Of each file, the last version that was durable, or one that came later. One may be empty: that which the
    next version had just truncated."""
    last, empty = {}, 0
    for number, digest in durable:
        last[number % FILES] = (number, digest)
    for name, (number, digest) in last.items():
        held = content(path, name)
        later = re.match(rb"file-(\d+)\n", held)
        empty += not held
        harness.check(not held or hashlib.sha256(held).hexdigest() == digest or
                      (later and int(later.group(1)) > number),
                      f"file {name} holds neither version {number} nor a later one: {held[:20]!r}")
    harness.check(empty <= 1, f"{empty} files are empty")


def last_of(durable):
    return max(number for number, _ in durable)


def test_a_file_system_needs_its_journal_only():
    d = disk("cuts-ext4", [("root", SIZE)])
    path = os.path.join(harness.LOGS, "cuts.ext4")
    with open(path, "wb") as f:
        f.truncate(SIZE << 20)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", path], check=True)
    with open(path, "rb") as f:
        d.write(d.partition["root"].first, f.read())
    vms = harness.VmSet("cuts-ext4")
    linux(vms, "alpha", volume("by-partlabel/root"))
    machines = again.Again("cuts-ext4", harness.pvh(vms.package(), "console=all") + d.qemu(), "alpha")
    clock, last, durable = random.Random(9), 0, []
    for cut in range(CUTS):
        with machines.start() as machine:
            machine.send(WORK.format(last=last, files=FILES))
            machine.expect(f"durable-{last + 1 + clock.randrange(60)}-")
            text = machine.text
        durable += [(int(n), digest) for n, digest in re.findall(r"durable-(\d+)-([0-9a-f]{64})", text)]
        last = last_of(durable)
        verify(fsck(d, "cuts"), durable)
        print(f"  cut {cut + 1}: {last} files were durable", flush=True)
