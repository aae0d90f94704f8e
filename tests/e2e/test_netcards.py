# SPDX-License-Identifier: BSD-2-Clause
"""Guests' network cards: stock Linux drivers of virtio and the e1000, against each other."""

import os
import re

import demo
import guest_net
import harness
from guest_net import run

MEGABYTES = int(os.environ.get("E2E_NET_MEGABYTES", "8"))
NO_OFFLOADS = ("      <driver><host csum='off' mrg_rxbuf='off'/><guest csum='off'/></driver>\n")
TWO_QUEUES = "      <driver queues='2'/>\n"


def vlan(tag):
    return f"      <vlan><tag id='{tag}'/></vlan>\n"


def transfer(machine, sender, receiver, number):
    """A TCP transfer to 10.0.0.NUMBER, whose two ends agree."""
    run(machine, receiver, "rm -f /tmp/done; { (nc -l -p 5000 | sha256sum > /tmp/sum; "
                           "touch /tmp/done) & }")
    run(machine, sender, f"dd if=/dev/urandom of=/tmp/data bs=1M count={MEGABYTES} 2>/dev/null; "
                         f"nc 10.0.0.{number} 5000 < /tmp/data", limit=300)
    there = run(machine, receiver, "while [ ! -e /tmp/done ]; do sleep 1; done; cat /tmp/sum",
                r"([0-9a-f]{64})").group(1)
    here = run(machine, sender, "sha256sum /tmp/data", r"([0-9a-f]{64})").group(1)
    harness.check(here == there, f"{sender} sent {here}, {receiver} has {there}")


def stat(machine, guest, card, name):
    text = machine.command(f"domifstat {guest} {card}")
    match = re.search(rf"^{card} {name} (\d+)", text, re.M)
    harness.check(match, f"domifstat has no {name}:\n{text}")
    return int(match.group(1))


def check_offloads(machine):
    """Segments pass whole between guests that take them: far fewer frames than packets on a wire."""
    before = stat(machine, "alpha", "vnet0", "tx_packets")
    transfer(machine, "alpha", "gamma", 3)
    frames = stat(machine, "alpha", "vnet0", "tx_packets") - before
    wire = MEGABYTES * 1048576 // 1448
    harness.check(frames < wire // 4, f"{frames} frames for what are {wire} packets on a wire")
    # One that takes neither sums nor segments gets them cut, and cannot send any.
    transfer(machine, "alpha", "beta", 2)
    transfer(machine, "beta", "alpha", 1)


def check_link(machine):
    carrier = "cat /sys/class/net/eth0/carrier"
    machine.command("domif-setlink beta vnet0 down")
    harness.check("vnet0 down" in machine.command("domif-getlink beta vnet0"), "it is not down")
    run(machine, "beta", f"while [ $({carrier}) = 1 ]; do sleep 1; done; {carrier}", "0")
    run(machine, "alpha", "ping -c 1 -W 2 10.0.0.2", status=1)
    machine.command(f"domif-setlink beta {guest_net.mac(2)} up")
    run(machine, "beta", f"while [ $({carrier}) = 0 ]; do sleep 1; done; {carrier}", "1")
    guest_net.ping(machine, "alpha", 2)


def check_vlans(machine):
    """VLAN 5 has alpha and beta, VLAN 6 gamma: nothing of one is seen in the other."""
    for number, name in enumerate(("alpha", "beta", "gamma"), 1):
        run(machine, name, f"ip addr add 10.1.0.{number}/24 dev eth1 && ip link set eth1 up")
    before = stat(machine, "gamma", "vnet1", "rx_packets")
    run(machine, "alpha", "ping -c 2 -W 20 10.1.0.2", "2 packets transmitted, 2 packets received")
    run(machine, "alpha", "ping -c 2 -W 2 10.1.0.3", status=1)
    seen = stat(machine, "gamma", "vnet1", "rx_packets") - before
    harness.check(seen == 0, f"{seen} frames of VLAN 5 came out in VLAN 6")


def check_jumbo(machine):
    for name in ("alpha", "gamma"):
        run(machine, name, "cat /sys/class/net/eth0/mtu", "9000")
    before = stat(machine, "gamma", "vnet0", "rx_packets")
    guest_net.ping(machine, "alpha", 3, size=8972, count=5)
    frames = stat(machine, "gamma", "vnet0", "rx_packets") - before
    harness.check(frames < 5 * 3, f"{frames} frames for 5 packets that fit into one each")


def test_guest_devices():
    vms = guest_net.Guests("net-cards").network(more="  <mtu size='9000'/>\n").network("vlans")
    more = {"alpha": (TWO_QUEUES, 5), "beta": (NO_OFFLOADS, 5), "gamma": ("", 6)}
    for number, (name, (driver, tag)) in enumerate(more.items(), 1):
        vms.guest(name, guest_net.interface(number, more=driver) +
                  guest_net.interface(16 + number, "vlans", more=vlan(tag)),
                  vcpus=2 if name == "alpha" else 1)
    with vms.boot("console=all", memory=1536) as machine:
        guest_net.start(machine, *more)
        for number, name in enumerate(more, 1):
            guest_net.address(machine, name, number)
        run(machine, "alpha", "ls /sys/class/net/eth0/queues", "rx-0[ \n]+rx-1")
        guest_net.ping(machine, "alpha", 2)
        check_offloads(machine)
        check_jumbo(machine)
        check_link(machine)
        check_vlans(machine)
        demo.shell_to_the_end(machine, "beta", "reboot -f")
        guest_net.start(machine, "beta")
        guest_net.address(machine, "beta", 2)
        guest_net.ping(machine, "alpha", 2)
        guest_net.ping(machine, "beta", 3)


def test_e1000():
    """A guest without virtio: Linux' driver of the 82540EM, to and from a virtio guest."""
    vms = guest_net.Guests("net-e1000").network()
    vms.guest("alpha", guest_net.interface(1, model="e1000"), e1000=True, memory=224)
    vms.guest("beta", guest_net.interface(2))
    with vms.boot("console=all", memory=1536) as machine:
        guest_net.start(machine, "alpha", "beta")
        guest_net.address(machine, "alpha", 1)
        guest_net.address(machine, "beta", 2)
        run(machine, "alpha", "readlink /sys/class/net/eth0/device/driver", ".*/e1000")
        guest_net.ping(machine, "alpha", 2)
        transfer(machine, "alpha", "beta", 2)
        transfer(machine, "beta", "alpha", 1)
        harness.check("e1000" in machine.command("domiflist alpha"), "domiflist has no e1000")
        machine.command("domif-setlink alpha vnet0 down")
        carrier = "cat /sys/class/net/eth0/carrier"
        run(machine, "alpha", f"while [ $({carrier}) = 1 ]; do sleep 1; done; {carrier}", "0")
