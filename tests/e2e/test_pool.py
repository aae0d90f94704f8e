# SPDX-License-Identifier: BSD-2-Clause
"""Guests on volumes of a pool: snapshots, clones, a full pool, a process that is killed, a machine
that is cut off. mullion-fsck and mullion-img look at the disk from the host."""

import hashlib
import os
import random
import re
import subprocess
import uuid

import demo
import disks
import gdb
import harness

KILLS = int(os.environ.get("E2E_KILLS", "6"))
CUTS = int(os.environ.get("E2E_CUTS", "3"))
MIB = disks.MIB
POOL = uuid.UUID("7a3b6f0e-5d1c-4e57-9a54-6d756c6c696f")
VOLUME = """    <disk type='volume' device='disk'>
      <driver name='qemu' type='raw' discard='unmap'/>
      <source pool='tank' volume='{volume}'/>
      <target dev='{target}' bus='virtio'/>
{more}    </disk>
"""


def volume(name, target="vda", read_only=False):
    return VOLUME.format(volume=name, target=target,
                         more="      <readonly/>\n" if read_only else "")


def tool(name, *words, status=0):
    """Runs a host tool on a partition; what it printed."""
    command = [os.path.join(harness.BUILD, name), *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    harness.check(done.returncode == status,
                  f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def img(d, *words, status=0):
    return tool("mullion-img", "-p", "tank", d.path, *words, status=status)


def fsck(d):
    return tool("mullion-fsck", "-p", "tank", d.path)


def pool_disk(name, megabytes=64, size=48, behind=(("after", 4),)):
    os.makedirs(harness.LOGS, exist_ok=True)
    d = disks.Disk(os.path.join(harness.LOGS, name + ".img"), megabytes,
                   [("tank", size), *behind], types={"tank": POOL})
    img(d, "pool-create")
    return d


def linux(vms, name, devices, **options):
    vms.add(name, demo.KERNEL, demo.INITRD, f"console=ttyS0 hostname={name}", memory=192,
            devices=devices, **options)


def boot(name, d, vms, *more):
    return harness.Console(name, harness.pvh(vms.package(), "console=all") + d.qemu() + list(more))


def to_prompt(machine):
    machine.send("\n")
    machine.prompt()


def power_off(machine):
    machine.command("shutdown-host")
    machine.wait_end(180)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def export(d, name):
    path = d.path + ".raw"
    img(d, "export", name, path)
    with open(path, "rb") as f:
        return f.read()


def imported(d, name, data):
    path = d.path + ".raw"
    with open(path, "wb") as f:
        f.write(data)
    img(d, "import", path, name)


def check_read(machine, guest, device, data, limit=harness.LIMIT):
    demo.shell(machine, guest, f"dd if=/dev/{device} bs=64k count={len(data) // 65536} iflag=direct "
               "2>/dev/null | sha256sum", f"^{sha256(data)}", limit)


def test_volumes_and_snapshots():
    """Two volumes, a snapshot of both at one instant, a clone, a revert, names that are refused."""
    d = pool_disk("pool")
    before = noise(1, 4 * MIB)
    imported(d, "root", before)
    img(d, "vol-create", "data", "1G")
    vms = harness.VmSet("pool")
    linux(vms, "alpha", volume("root") + volume("data", "vdb"))
    linux(vms, "thief", volume("root"), autostart=False)
    linux(vms, "lost", volume("nothing"), autostart=False)
    linux(vms, "looker", volume("root@one", read_only=True), autostart=False)
    with boot("pool", d, vms) as machine:
        machine.expect(r"pool tank: \d+ MiB, \d+ MiB free, 2 volumes")
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        check_read(machine, "alpha", "vda", before)
        demo.shell(machine, "alpha", "cat /sys/block/vdb/size", f"^{1 << 21}$")
        check_read(machine, "alpha", "vdb", bytes(MIB))
        for guest, why in (("thief", "volume 'root' is in use by alpha vda"),
                           ("lost", "pool tank has no volume 'nothing'")):
            machine.send(f"start {guest}\n")
            machine.expect(rf"{guest}.xml:\d+: <domain/devices/disk/source>: {why}")
            to_prompt(machine)
        harness.check("snapshot one created" in machine.command("snapshot-create alpha one"), "no snapshot")
        demo.shell(machine, "alpha", "dd if=/dev/urandom of=/tmp/x bs=1M count=1 2>/dev/null; "
                   "dd if=/tmp/x of=/dev/vda bs=4k seek=3 conv=fsync 2>/dev/null; dd if=/tmp/x "
                   "of=/dev/vdb bs=64k seek=99 conv=fsync 2>/dev/null; echo wrote-$((40+2))", "wrote-42")
        listed = machine.command("snapshot-list alpha")
        harness.check(len(re.findall(r"^ one +(root|data)", listed, re.M)) == 2, listed)
        machine.command("start looker")
        demo.wait_ready(machine, "looker")
        to_prompt(machine)
        check_read(machine, "looker", "vda", before)
        demo.shell(machine, "looker", "cat /sys/block/vda/ro", "^1$")
        harness.check("is in use" in machine.command("snapshot-revert alpha one"), "reverted in use")
        harness.check("cloned" in machine.command("vol-clone root copy --pool tank"), "no clone")
        harness.check("in use" in machine.command("vol-list tank"), "vol-list shows no user")
        for guest in ("alpha", "looker"):
            machine.command(f"destroy {guest}")
            machine.wait_state(guest, "shut off")
        harness.check("reverted" in machine.command("snapshot-revert alpha one"), "not reverted")
        machine.command("start alpha")
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        check_read(machine, "alpha", "vda", before)
        power_off(machine)
    fsck(d)
    harness.check(export(d, "root") == before, "the revert is not on the disk")
    copy = export(d, "copy")
    harness.check(copy[:3 * 4096] == before[:3 * 4096] and copy != before, "the clone is not as it was")


def test_full_pool():
    """A full pool is an error for who writes, and for nobody else; with space, writing goes on."""
    d = pool_disk("pool-full", size=32)
    imported(d, "ballast", noise(3, 12 * MIB))
    img(d, "vol-create", "root", "64M")
    vms = harness.VmSet("pool-full")
    linux(vms, "alpha", volume("root"))
    with boot("pool-full", d, vms) as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        write = ("dd if=/dev/urandom of=/dev/vda bs=64k count=400 oflag=direct 2>/dev/null; "
                 "echo ended-$((40+$?))")
        demo.shell(machine, "alpha", write, "ended-41", 300)
        harness.check("deleted" in machine.command("vol-delete ballast --pool tank"), "not deleted")
        demo.shell(machine, "alpha", write.replace("ended", "again"), "again-40", 300)
        demo.shell(machine, "alpha", "dd if=/dev/vda of=/tmp/x bs=64k count=400 iflag=direct 2>/dev/null; "
                   "dd if=/tmp/x of=/dev/vda bs=64k conv=fsync 2>/dev/null; echo copied-$((40+$?))",
                   "copied-40", 300)
        power_off(machine)
    fsck(d)


def test_full_pool_grows():
    """A guest that meets the end of a full pool goes on when the pool has grown under it; another one,
    which copies meanwhile, notices nothing."""
    d = pool_disk("pool-grow", megabytes=128, size=32, behind=())
    data = noise(6, 4 * MIB)
    imported(d, "from", data)
    imported(d, "to", bytes(4 * MIB))
    img(d, "vol-create", "root", "64M")
    vms = harness.VmSet("pool-grow")
    linux(vms, "alpha", volume("root"))
    linux(vms, "beta", volume("from", read_only=True) + volume("to", "vdb"))
    with boot("pool-grow", d, vms) as machine:
        demo.wait_ready(machine, "alpha", "beta")
        to_prompt(machine)
        demo.shell(machine, "beta", COPY.replace("blkdiscard /dev/vdb 2>/dev/null; ", ""), "round-1")
        write = ("dd if=/dev/urandom of=/dev/vda bs=64k count=500 oflag=direct 2>/dev/null; "
                 "echo ended-$((40+$?))")
        demo.shell(machine, "alpha", write, "ended-41", 300)
        harness.check("not so much free space" in machine.command("pool-grow tank 1G"), "grew beyond the disk")
        answer = machine.command("pool-grow tank 64M", 300)
        harness.check("Pool tank is larger" in answer, answer)
        demo.shell(machine, "alpha", write.replace("ended", "again"), "again-40", 300)
        answer = machine.command("pool-grow tank", 300)
        harness.check("Pool tank is larger" in answer, answer)
        size = int(re.search(r"^ tank +active +(\d+)", machine.command("pool-list"), re.M).group(1))
        harness.check(size > 110 << 10, f"the pool has {size} KiB only")
        demo.shell(machine, "beta", "touch /tmp/stop; wait; echo all-$((40+2))", "all-42", 300)
        check_read(machine, "beta", "vdb", data, 300)
        harness.check("copy-43" not in machine.text, "the other guest saw an error")
        power_off(machine)
    fsck(d)
    harness.check(export(d, "to") == data, "the copy differs")


COPY = ("i=0; while [ ! -e /tmp/stop ]; do dd if=/dev/vda of=/dev/vdb bs=64k iflag=direct "
        "oflag=direct 2>/dev/null || echo copy-$((40+3)); i=$((i+1)); echo round-$i; "
        "blkdiscard /dev/vdb 2>/dev/null; done &\n")


def test_process_is_killed():
    """The pool's process and the disk's driver die by turns, again and again, while a guest copies
    into fresh blocks."""
    d = pool_disk("pool-kill", megabytes=96, size=80)
    data = noise(5, 16 * MIB)
    imported(d, "from", data)
    img(d, "vol-create", "to", "16M")
    vms = harness.VmSet("pool-kill")
    linux(vms, "alpha", volume("from") + volume("to", "vdb"))
    port = gdb.free_port()
    places = (gdb.Place("pool", "client_ended"), gdb.Place("ahci", "hba_interrupt"))
    again = (r"pool tank: .* {} restarts", r"driver is up, {} restarts")
    with boot("pool-kill", d, vms, "-gdb", f"tcp:127.0.0.1:{port}") as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        demo.shell(machine, "alpha", COPY, "round-1")
        for kill in range(KILLS):
            with gdb.Debugger(port) as debugger:
                debugger.arm(places[kill % 2])
                debugger.crash(places[kill % 2])
            machine.expect(again[kill % 2].format(kill // 2 + 1), refuse="copy-43")
            if kill == KILLS // 2:
                to_prompt(machine)
                machine.command("snapshot-create alpha middle")
        to_prompt(machine)
        demo.shell(machine, "alpha", "touch /tmp/stop; wait; dd if=/dev/vda of=/dev/vdb bs=64k "
                   "conv=fsync 2>/dev/null; echo all-$((40+2))", "all-42", 300)
        check_read(machine, "alpha", "vdb", data, 300)
        harness.check("copy-43" not in machine.text and "I/O error" not in machine.text,
                      "a guest saw an error")
        power_off(machine)
    fsck(d)
    for name in ("from", "to", "from@middle"):
        harness.check(export(d, name) == data, f"{name} differs")


PLACES, KEPT = 1500, 8  # sectors that are written in turn; snapshots that stay


def numbers(data):
    """What each place of a volume holds."""
    return [int(data[i * 37 * 512:][:8].strip(b"\0") or b"0") for i in range(PLACES)]


def check_numbers(held, last):
    """Each place holds the newest number up to `last`, or the next, of which the machine had no time to tell."""
    for place, number in enumerate(held):
        newest = max(last - (last - place) % PLACES, 0)
        harness.check(number == newest or (last < number < last + 100 and number % PLACES == place),
                      f"place {place} holds {number}, not {newest}")


def test_power_cuts():
    """The machine is cut off at any moment while a guest fills a thin volume, with snapshots: what it
    was told is on the medium is there, and the pool is clean."""
    d = pool_disk("pool-cut", size=40)
    img(d, "vol-create", "root", "32M")
    vms = harness.VmSet("pool-cut")
    linux(vms, "alpha", volume("root"))
    clock, last, before = random.Random(8), 0, [0] * PLACES
    for cut in range(CUTS):
        with boot("pool-cut", d, vms) as machine:
            demo.wait_ready(machine, "alpha")
            to_prompt(machine)
            if cut >= KEPT:
                harness.check("deleted" in machine.command(f"snapshot-delete alpha s{cut - KEPT}"), "not deleted")
            harness.check("created" in machine.command(f"snapshot-create alpha s{cut}"), "no snapshot")
            demo.to_shell(machine, "alpha")
            machine.send(f"i={last}; while :; do i=$((i+1)); printf %08d $i | dd of=/dev/vda bs=512 "
                         f"seek=$((i%{PLACES}*37)) conv=sync,fsync,notrunc 2>/dev/null && echo durable-$i; done\n")
            machine.expect(f"durable-{last + 1 + clock.randrange(60)}$")
            text = machine.text
        fsck(d)
        harness.check(numbers(export(d, f"root@s{cut}")) == before, "the snapshot is not what the volume was")
        last = max(map(int, re.findall(r"durable-(\d+)$", text, re.M)))
        before = numbers(export(d, "root"))
        check_numbers(before, last)
        print(f"  cut {cut + 1}: {last} writes were durable", flush=True)
