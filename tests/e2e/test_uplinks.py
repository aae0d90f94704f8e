# SPDX-License-Identifier: BSD-2-Clause
"""Wires between real uplinks: VLANs on them, long frames, two uplinks of one network, cables in a ring, a link that
flaps. What is on the wire is seen by a station there."""

import os
import re

import capture
import guest_net
import harness
import station
from guest_net import mac, run
from peer import MIB
from test_nic import GATEWAY, Monitor, dhcp, interfaces

MEGABYTES = int(os.environ.get("E2E_NET_MEGABYTES", "4"))
FLAPS = int(os.environ.get("E2E_NET_FLAPS", "6"))
PING = "2 packets transmitted, 2 packets received"


def uplink(*names, more=""):
    devices = "".join(f"<interface dev='{name}'/>" for name in names)
    return f"  <forward mode='bridge'>{devices}</forward>\n{more}"


def vlan(tag):
    return f"      <vlan><tag id='{tag}'/></vlan>\n"


def broadcast(tag, text):
    frame = b"\xff" * 6 + station.MAC + (b"\x81\0" + tag.to_bytes(2, "big") if tag else b"") + b"\x88\xb5" + text
    return frame + bytes(60 - len(frame))


def received(machine, guest):
    return int(run(machine, guest, "cat /sys/class/net/eth0/statistics/rx_packets", r"(\d+)").group(1))


def check_wire(wire):
    """All that guests sent is on the wire under their VLAN's tag, and nothing else."""
    for number, tag in ((1, 5), (2, 5), (3, 6)):
        tags = {wire.vlan(frame) for frame in wire.seen(mac(number))}
        harness.check(tags == {tag}, f"guest {number} of VLAN {tag} is on the wire with VLANs {tags}")
    longest = max(len(frame) for frame in wire.seen(mac(1)))
    harness.check(longest == 14 + 4 + 9000, f"the longest frame has {longest} bytes")


def check_leaks(machine, wire):
    """What comes in from the wire reaches its VLAN only; without a tag, nobody."""
    for number, name in enumerate(("alpha", "beta", "gamma"), 1):
        run(machine, name, f"ip link set eth0 promisc on; ip addr flush dev eth0; echo {number}")
    before = {name: received(machine, name) for name in ("alpha", "beta", "gamma")}
    for tag, count in ((5, 10), (6, 40), (7, 50), (0, 50)):
        for _ in range(count):
            wire.send(broadcast(tag, b"leak?"))
    # What was sent last has come when this is answered.
    run(machine, "alpha", "ip addr add 10.5.0.1/24 dev eth0; ping -c 2 -W 20 10.5.0.77", PING)
    run(machine, "gamma", "ip addr add 10.6.0.3/24 dev eth0; ping -c 2 -W 20 10.6.0.77", PING)
    got = {name: received(machine, name) - before[name] for name in before}
    # Besides: answers to those that asked, and what guests of a VLAN ask each other.
    harness.check(10 <= got["alpha"] < 20 and 10 <= got["beta"] < 20 and 40 <= got["gamma"] < 50,
                  f"of 10 frames of VLAN 5, 40 of VLAN 6, and 100 of none of them, guests have {got}")


def check_capture(machine):
    """The console's own look at gamma's port: what the wire sends is there without a tag, and nothing of VLAN 5."""
    run(machine, "gamma", "{ (sleep 2; ping -c 4 -i 0.2 10.6.0.77) >/dev/null & }")
    shown = machine.command("net-capture two gamma vnet0 8", 60)
    frames = capture.frames(shown)
    kinds = {frame[12:14] for frame in frames}
    harness.check(len(frames) == 8 and b"\x08\0" in kinds and b"\x81\0" not in kinds,
                  f"captured: {[frame[:16].hex() for frame in frames]}")
    shown = machine.command("net-capture two nobody", 60)
    harness.check("network 'two' has no port 'nobody'" in shown, shown)


def test_tagged_wire():
    """Two networks, each with an uplink to one wire: guests of a VLAN on either side of it talk, others do not see
    them; with frames of 9000 bytes, and TCP whose segments the cards cut behind a tag."""
    more = "  <mtu size='9000'/>\n"
    vms = guest_net.Guests("uplinks")
    vms.network("one", uplink("eth0", more=more)).network("two", uplink("eth1", more=more))
    for number, (name, network, tag) in enumerate((("alpha", "one", 5), ("beta", "two", 5), ("gamma", "two", 6)), 1):
        vms.guest(name, guest_net.interface(number, network, more=vlan(tag)))
    wire = station.Tap()
    command = harness.pvh(vms.package(), "console=all", memory=1280) + wire.qemu(["e1000e", "virtio-net-pci"])
    with harness.Console("uplinks", command) as machine:
        guest_net.start(machine, "alpha", "beta", "gamma")
        for number, (name, tag) in enumerate((("alpha", 5), ("beta", 5), ("gamma", 6)), 1):
            run(machine, name, f"ip addr add 10.{tag}.0.{number}/24 dev eth0 && ip link set eth0 up")
        for name, address in (("alpha", "10.5.0.2"), ("beta", "10.5.0.77"), ("gamma", "10.6.0.77")):
            run(machine, name, f"ping -c 2 -W 20 -s 8972 {address}", PING)
        run(machine, "gamma", "ip addr add 10.5.0.3/24 dev eth0; ping -c 1 -W 2 -I 10.5.0.3 10.5.0.1",
            "1 packets transmitted, 0 packets received", status=1)
        run(machine, "beta", "rm -f /tmp/got; { (nc -l -p 5000 | sha256sum >/tmp/new; mv /tmp/new /tmp/got) & }")
        there = run(machine, "alpha", f"head -c {MEGABYTES * MIB} /dev/urandom >/tmp/data; "
                    "nc 10.5.0.2 5000 </tmp/data; sha256sum /tmp/data", r"([0-9a-f]{64})", 300).group(1)
        run(machine, "beta", "while [ ! -e /tmp/got ]; do sleep 1; done; cat /tmp/got", there, 300)
        check_wire(wire)
        check_leaks(machine, wire)
        check_capture(machine)
        counters = interfaces(machine)
        harness.check(counters["tx_segmented"] and not counters["lies"], f"eth0: {counters}")
        machine.command("shutdown-host")
        machine.wait_end(180)
    wire.close()


def check_flaps(machine, monitor):
    """One link and the other fail by turns while a guest asks for echoes."""
    run(machine, "alpha", f"{{ ping -i 0.2 {GATEWAY} >/tmp/pings & }}")
    for flap in range(FLAPS):
        number = flap % 2
        for up in (False, True):
            monitor.ask("set_link", name=f"n{number}", up=up)
            machine.expect(f"eth{number}: the link is {'up' if up else 'down'}", 60)
    machine.send("\n")
    machine.prompt()
    run(machine, "alpha", "killall -INT ping; sleep 1; tail -3 /tmp/pings",
        r"\d+ packets transmitted, [1-9]\d* packets received")
    run(machine, "alpha", f"ping -c 2 -W 20 {GATEWAY}", PING)


def test_two_uplinks():
    """Both uplinks of a network lead to one and the same wire: a ring, if the switch were to close it."""
    vms = guest_net.Guests("uplinks-two").network("lan", uplink("eth0", "eth1"))
    vms.guest("alpha", guest_net.interface(1))
    wire = station.Tap()
    monitor = Monitor(os.path.join(harness.LOGS, "uplinks-two.qmp"))
    command = harness.pvh(vms.package(), "console=all", memory=768)
    command += wire.qemu(["e1000e", "e1000e"], user=("net=10.0.2.0/24",)) + monitor.option()
    with harness.Console("uplinks-two", command) as machine:
        guest_net.start(machine, "alpha")
        dhcp(machine, "alpha")
        harness.check(re.search(r"lan: frames of .* come back through eth[01]: there is a loop", machine.text),
                      "nobody spoke of a loop")
        before = len(wire.frames)
        run(machine, "alpha", f"ping -c 5 -W 20 {GATEWAY}", "5 packets transmitted, 5 packets received")
        frames = len(wire.frames) - before
        harness.check(frames < 100, f"{frames} frames on the wire for five echoes")
        check_flaps(machine, monitor)
        machine.command("shutdown-host")
        machine.wait_end(180)
    wire.close()
