# SPDX-License-Identifier: BSD-2-Clause
"""A disk that reports errors: the guest is told, the log names the place, others go on."""

import demo
import disks
import harness
from test_storage import check_read, disk, linux, noise, sha256, to_prompt, volume

MIB = disks.MIB
RULE = """[inject-error]
event = "none"
iotype = "{kind}"
errno = "5"
sector = "{sector}"
once = "{once}"
"""


def failing(d, rules, **options):
    """QEMU's arguments for the disk, with errors injected."""
    config = d.path + ".errors"
    with open(config, "w", encoding="ascii") as f:
        f.write("\n".join(RULE.format(**rule) for rule in rules))
    arguments = d.qemu(**options)
    arguments[1] = arguments[1].replace(f"file={d.path},", f"file=blkdebug:{config}:{d.path},")
    return arguments


def rule(kind, sector, once="off"):
    return {"kind": kind, "sector": sector, "once": once}


def test_errors_reach_the_guest():
    """One block cannot be read, one not written: those requests fail, all others succeed."""
    d, other = disk("errors", [("root", 16)]), disk("errors-other", [("spare", 16)])
    data = noise(6, 8 * MIB)
    for each, name in ((d, "root"), (other, "spare")):
        each.write(each.partition[name].first, data)
    first = d.partition["root"].first // 512
    bad_read, bad_write = first + 2 * MIB // 512, first + 12 * MIB // 512
    vms = harness.VmSet("errors")
    linux(vms, "alpha", volume("by-partlabel/root") + volume("by-partlabel/spare", "vdb"))
    command = harness.pvh(vms.package(), "console=all") + failing(
        d, [rule("read", bad_read), rule("write", bad_write)])
    command += other.qemu(bus="ide.1", name="d1", serial="DISK1")
    with harness.Console("errors", command) as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        demo.shell(machine, "alpha", "dd if=/dev/vda of=/dev/null bs=4k skip=512 count=1 "
                   "iflag=direct || echo read-$((40+1))", "^read-41")
        demo.shell(machine, "alpha", "dd if=/dev/zero of=/dev/vda bs=4k seek=3072 count=1 "
                   "oflag=direct || echo write-$((40+2))", "^write-42")
        log = machine.command("dmesg")
        for kind, sector in (("read", bad_read), ("write", bad_write)):
            harness.check(f"port 0: {kind}, LBA {sector}, 8 blocks" in log.replace("\r", ""),
                          f"the log does not name the {kind} of LBA {sector}")
        check_read(machine, "alpha", "vda", data[:MIB])
        check_read(machine, "alpha", "vdb", data)
        demo.shell(machine, "alpha", "dd if=/dev/vdb of=/dev/vda bs=1M seek=4 count=4 "
                   "oflag=direct && dd if=/dev/vda bs=1M skip=4 count=4 iflag=direct | sha256sum",
                   f"^{sha256(data[:4 * MIB])}")


def test_a_failed_flush_is_an_error():
    """fsync() fails once, when the disk has failed to flush; the next one succeeds."""
    d = disk("flush-error", [("root", 16)])
    vms = harness.VmSet("flush-error")
    linux(vms, "alpha", volume("by-partlabel/root"))
    command = harness.pvh(vms.package(), "console=all") + failing(d, [rule("flush", -1, once="on")])
    with harness.Console("flush-error", command) as machine:
        demo.wait_ready(machine, "alpha")
        to_prompt(machine)
        demo.shell(machine, "alpha", "dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync "
                   "|| echo flush-$((40+1))", "^flush-41")
        demo.shell(machine, "alpha", "dd if=/dev/zero of=/dev/vda bs=4k count=1 conv=fsync "
                   "&& echo flush-$((40+2))", "^flush-42")
        harness.check("flush, LBA 0, 0 blocks" in machine.command("dmesg"),
                      "the log does not tell of it")
