# SPDX-License-Identifier: BSD-2-Clause
"""A guest behind a network card of the host: QEMU's user network on the other side of it, links that
go down, a driver that is killed on the way, frames with tags and frames of 9000 bytes."""

import json
import os
import re
import socket

import demo
import gdb
import guest_net
import harness
from peer import MIB, Server, end_sender, endless_sender, noise, wait_for_more

KILLS = int(os.environ.get("E2E_KILLS", "3"))
MEGABYTES = int(os.environ.get("E2E_NIC_MEGABYTES", "2"))
UPLINK = "  <forward mode='bridge'><interface dev='eth0'/></forward>\n"
GATEWAY = "10.0.2.2"


class Monitor:
    """QEMU's machine protocol."""

    def __init__(self, path):
        self.path, self.socket = path, None

    def option(self):
        return ["-qmp", f"unix:{self.path},server=on,wait=off"]

    def ask(self, command, **arguments):
        if not self.socket:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(self.path)
            self.file = self.socket.makefile("rw")
            self.file.readline()
            self.ask("qmp_capabilities")
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while "return" not in (answer := json.loads(self.file.readline())):
            harness.check("error" not in answer, f"{command}: {answer}")


def interfaces(machine):
    """Counters of eth0, as iface-list shows them."""
    text = machine.command("iface-list --all")
    return dict((name, int(value)) for name, value in re.findall(r"^eth0 (\w+) (\d+)$", text, re.M))


def dhcp(machine, guest):
    guest_net.run(machine, guest, "ip link set eth0 up")
    guest_net.run(machine, guest, "udhcpc -i eth0 -n -q -s /bin/true", "udhcpc: lease of 10.0.2.15")
    guest_net.run(machine, guest, "ip addr add 10.0.2.15/24 dev eth0")
    guest_net.run(machine, guest, f"ping -c 3 -W 20 {GATEWAY}",
                  "3 packets transmitted, 3 packets received")


def transfer(machine, guest, server):
    """TCP both ways with checksums."""
    want = Server.sum_of(server.data)
    server.go()
    guest_net.run(machine, guest, f"nc {GATEWAY} {server.port} </dev/null >/tmp/data; sha256sum /tmp/data",
                  want, 300)
    # The other end answers with the sum when it has read to the end.
    guest_net.run(machine, guest, f"nc {GATEWAY} {server.sink} </tmp/data & sleep 1; wait", "", 300)
    harness.check(server.taken[-1].digest() == want, "what the guest sent differs")


def set_link(machine, monitor, up):
    monitor.ask("set_link", name="n0", up=up)
    machine.expect("eth0: the link is up" if up else "eth0: the link is down", 60)


def boot(name, model, kills=0, extra=()):
    vms = guest_net.Guests(name).network("lan", UPLINK)
    vms.guest("alpha", guest_net.interface(1))
    return harness.pvh(vms.package(), "console=all", memory=768) + [
        "-netdev", "user,id=n0", "-device", model + ",netdev=n0", *extra]


def outside(model):
    """DHCP, ping, TCP both ways through a card of that model; its link goes down and comes up."""
    name = "nic-" + model.split(",", maxsplit=1)[0]
    monitor = Monitor(os.path.join(harness.LOGS, name + ".qmp"))
    server = Server(noise(MEGABYTES * MIB))
    with harness.Console(name, boot(name, model, extra=monitor.option())) as machine:
        guest_net.start(machine, "alpha")
        harness.check("active" in machine.command("iface-list"), "the link is not up")
        dhcp(machine, "alpha")
        transfer(machine, "alpha", server)
        set_link(machine, monitor, False)
        machine.send("\n")
        machine.prompt()
        harness.check("no link" in machine.command("iface-list"), "the link is not down")
        set_link(machine, monitor, True)
        machine.send("\n")
        machine.prompt()
        guest_net.run(machine, "alpha", f"ping -c 3 -W 20 {GATEWAY}", "3 packets transmitted, 3")
        counters = interfaces(machine)
        harness.check(counters["rx_bytes"] > MEGABYTES * MIB and counters["tx_bytes"] > MEGABYTES * MIB,
                      f"the counters say {counters}")
        harness.check(not any(counters[c] for c in ("resets", "lies", "restarts", "rx_errs", "tx_errs")),
                      f"the driver was not content: {counters}")
        machine.command("shutdown-host")
        machine.wait_end(180)
    server.close()
    return counters


def test_82540em():
    harness.check(outside("e1000")["tx_segmented"], "nothing was cut by the chip")


def test_82574():
    harness.check(outside("e1000e")["tx_segmented"], "nothing was cut by the chip")


def test_virtio():
    outside("virtio-net-pci")


def test_driver_is_killed():
    """The driver dies again and again while a guest sends over one TCP connection, the same MiB each
    time: not a bit is wrong."""
    port = gdb.free_port()
    server = Server()
    command = boot("nic-kill", "e1000e", extra=["-gdb", f"tcp:127.0.0.1:{port}"])
    place = gdb.Place("nic", "nic_transmit")
    with harness.Console("nic-kill", command) as machine:
        guest_net.start(machine, "alpha")
        dhcp(machine, "alpha")
        want = endless_sender(machine, "alpha", f"{GATEWAY} {server.sink}")
        for kill in range(KILLS):
            wait_for_more(machine, server)
            with gdb.Debugger(port) as debugger:
                debugger.arm(place)
                debugger.crash(place)
            machine.expect(rf"nic eth0: driver is up, {kill + 1} restarts")
        machine.send("\n")
        machine.prompt()
        harness.check(interfaces(machine)["restarts"] == KILLS, "it died for another reason, too")
        sent = end_sender(machine, "alpha", server, want)
        print(f"e2e nic.driver_is_killed: {KILLS} times, {sent} MiB are right")
    server.close()


if harness.QEMU_ROOT:  # the installed one has no such card
    def test_82576():
        harness.check(outside("igb")["tx_segmented"], "nothing was cut by the chip")


def test_82540em_in_bochs():
    """On Intel's CPU: DHCP, ping and TCP through Bochs's own card and user network."""
    server = Server(noise(MIB))
    vms = guest_net.Guests("nic-bochs").network("lan", UPLINK)
    vms.guest("alpha", guest_net.interface(1))
    with vms.boot_intel("console=all", memory=1024, nic=True) as machine:
        demo.wait_ready(machine, "alpha", limit=600)
        machine.send("\n")
        machine.prompt()
        dhcp(machine, "alpha")
        transfer(machine, "alpha", server)
        counters = interfaces(machine)
        harness.check(counters["rx_bytes"] > MIB and not counters["resets"],
                      f"the driver was not content: {counters}")
    server.close()
