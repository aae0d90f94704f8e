# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernel and Debian's own programs in guests that share one NIC with the host's own stack: DHCP, ssh,
iperf3, transfers with checksums, IPv6."""

import os
import re
import subprocess

import debian_programs
import gdb
import guest_net
import harness
from guest_net import run
from peer import MIB, Server, noise
from test_management import DHCP, HOST_XML, UP, UPLINK, check_healthy, hostfwd

GUESTS = int(os.environ.get("E2E_NET_GUESTS", "2"))  # 16 by hand
MEGABYTES = int(os.environ.get("E2E_NET_MEGABYTES", "8"))  # 1024 by hand
TRANSFERS = int(os.environ.get("E2E_NET_TRANSFERS", "1"))  # between two guests
IPERF_MAX = 64
LIMIT = 120 + 2 * MEGABYTES
LEASES = 16
GATEWAY, GATEWAY6 = "10.0.2.2", "fec0::2"
HOST6 = "fec0::5054:ff:fe00:1"
SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace "$ip/24" dev "$interface"
ip route replace default via "$router"
"""


def name_of(number):
    return f"guest{number}"


def address6(number):
    return f"fec0::5054:ff:fe0e:{number:x}"


class Kit:
    """Programs for guests and for this machine, and a key for ssh."""

    def __init__(self, folder):
        self.programs, self.key = debian_programs.Programs(), os.path.join(folder, "net-debian.key")
        if os.path.exists(self.key):
            os.remove(self.key)
        self._output("dropbearkey", "-t", "ed25519", "-f", self.key)
        public = re.search(r"^ssh-ed25519 .*$", self._output("dropbearkey", "-y", "-f", self.key), re.M)
        files = {"authorized_keys": public.group(0) + "\n", "passwd": "root:x:0:0:root:/root:/bin/sh\n",
                 "dhcp.sh": SCRIPT}
        places = {"authorized_keys": "root/.ssh/authorized_keys", "passwd": "etc/passwd", "dhcp.sh": "etc/dhcp.sh"}
        self.words = self.programs.words("dropbear", "iperf3")
        for name, text in files.items():
            path = os.path.join(folder, "net-debian-" + name)
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            self.words += ["--add", f"{path}:{places[name]}"]

    def _output(self, *command):
        done = subprocess.run(self.programs.command(*command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        harness.check(done.returncode == 0, f"{command[0]}: {done.stdout}")
        return done.stdout

    def ssh(self, port, command, data):
        done = subprocess.run(self.programs.command("dbclient", "-y", "-y", "-i", self.key, "-p", str(port),
                                                    "root@127.0.0.1", command),
                              input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.LIMIT)
        harness.check(done.returncode == 0, f"ssh ended with {done.returncode}: {done.stderr.decode()}")
        return done.stdout.decode()

    def iperf3_server(self, port):
        return subprocess.Popen(self.programs.command("iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)),
                                stdout=subprocess.DEVNULL)


def lease(machine, number):
    """Its address by DHCP; QEMU's server has 16, of which one is the host's."""
    guest = name_of(number)
    run(machine, guest, "ip link set eth0 up")
    if number >= LEASES:
        run(machine, guest, f"ip addr add 10.0.2.{99 + number}/24 dev eth0; ip route add default via {GATEWAY}")
        return f"10.0.2.{99 + number}"
    found = run(machine, guest, "udhcpc -i eth0 -n -q -s /etc/dhcp.sh", r"udhcpc: lease of (10\.0\.2\.\d+)")
    run(machine, guest, f"ping -c 2 -W 20 {GATEWAY}", "2 packets transmitted, 2 packets received")
    return found.group(1)


def check_ssh(machine, kit, port):
    run(machine, name_of(1), "mkdir -p /etc/dropbear && dropbear -R -s -E")
    data = noise(MIB)
    said = kit.ssh(port, "hostname; sha256sum", data)
    want = f"{name_of(1)}\n{Server.sum_of(data)}"
    harness.check(said.startswith(want), f"ssh said {said!r}, not {want!r}")


def iperf3(machine, guest, words):
    """Mbit/s, as the guest's iperf3 has it; under emulation a figure of the emulator's."""
    found = run(machine, guest, f"iperf3 -f m -n {min(MEGABYTES, IPERF_MAX)}M {words}", r".*?([\d.]+) Mbits/sec .*receiver", LIMIT)
    return float(found.group(1))


def check_iperf3(machine, kit, beta):
    port = gdb.free_port()
    server = kit.iperf3_server(port)
    run(machine, name_of(2), "iperf3 -s -D")
    try:
        rates = {text: iperf3(machine, name_of(1), words) for text, words in (
            ("to the outside", f"-c {GATEWAY} -p {port}"), ("from there", f"-c {GATEWAY} -p {port} -R"),
            ("to a guest", f"-c {beta}"), ("from it", f"-c {beta} -R"),
            ("to it by IPv6", f"-6 -c {address6(2)}"), ("from it by IPv6", f"-6 -c {address6(2)} -R"),
            ("to it by UDP", f"-u -b 20M -c {beta}"))}
    finally:
        server.kill()
        server.wait()
    print(f"e2e net_debian: iperf3, Mbit/s under emulation: {rates}")


def stream(machine, guest, megabytes, to, port):
    """Random bytes to a server, as they are made; their sum."""
    made = f"head -c {megabytes * MIB} /dev/urandom | tee /tmp/fifo | nc {to} {port}"
    found = run(machine, guest, "rm -f /tmp/fifo; mkfifo /tmp/fifo; { sha256sum </tmp/fifo >/tmp/sum & }; "
                f"{made} >/tmp/said; wait; cat /tmp/sum", r"([0-9a-f]{64})", LIMIT)
    return found.group(1)


def check_transfer_between(machine, beta):
    """From the first guest to the second. The receiver has a standard input of its own: from a terminal's it
    would be stopped as soon as something is typed there."""
    first, second = name_of(1), name_of(2)
    run(machine, second, "rm -f /tmp/open /tmp/got; mkfifo /tmp/open; "
        "{ (nc -l -p 5000 <>/tmp/open | sha256sum >/tmp/got.new; mv /tmp/got.new /tmp/got) & }; "
        "while ! netstat -ltn | grep -q :5000; do sleep 1; done")
    there = stream(machine, first, MEGABYTES, beta, 5000)
    run(machine, second, "while [ ! -e /tmp/got ]; do sleep 1; done; cat /tmp/got", there, LIMIT)


def check_transfers(machine, server, beta):
    """With the outside, both ways; and between the guests, TRANSFERS times."""
    first = name_of(1)
    server.go()
    run(machine, first, f"nc {GATEWAY} {server.port} </dev/null | sha256sum", Server.sum_of(server.data), LIMIT)
    there = stream(machine, first, MEGABYTES, GATEWAY, server.sink)
    run(machine, first, "cat /tmp/said", there)
    harness.check(server.taken[-1].digest() == there, "what the guest sent differs")
    for _ in range(TRANSFERS):
        check_transfer_between(machine, beta)


def check_ipv6(machine):
    for number in (1, 2):
        wait = "ip -6 addr show dev eth0 | grep -v tentative | grep -q fec0"
        run(machine, name_of(number), f"while ! {wait}; do sleep 1; done; ip -6 addr show dev eth0",
            rf"\s*inet6 {address6(number)}/64", 60)
    for target in (GATEWAY6, address6(2), HOST6):
        run(machine, name_of(1), f"ping -6 -c 2 -W 20 {target}", "2 packets transmitted, 2 packets received")
    run(machine, name_of(1), f"wget -q -O - 'http://[{HOST6}]:9100/healthz'", "ok")
    shown = machine.command(f"ping {address6(1)} 2")
    harness.check("2 packets transmitted, 2 received" in shown, shown)


def check_crowd(machine, server):
    """All guests at once through one NIC: each sends, and is told the right sum."""
    before = len(server.taken)
    for number in range(1, GUESTS + 1):
        run(machine, name_of(number), "rm -f /tmp/end; { (head -c 2097152 /dev/urandom >/tmp/data; "
            f"nc {GATEWAY} {server.sink} </tmp/data >/tmp/said; touch /tmp/end) & }}")
    for number in range(1, GUESTS + 1):
        found = run(machine, name_of(number),
                    "while [ ! -e /tmp/end ]; do sleep 1; done; cat /tmp/said; sha256sum /tmp/data",
                    r"([0-9a-f]{64})\n([0-9a-f]{64})", LIMIT)
        harness.check(found.group(1) == found.group(2), f"{name_of(number)}: what it sent differs")
    harness.check(len(server.taken) - before == GUESTS, "some did not send")


def test_guests_on_one_uplink():
    kit = Kit(harness.LOGS)
    vms = guest_net.Guests("net-debian").network(more=UPLINK)
    vms.write("host.xml", HOST_XML.format(more=DHCP))
    kernel, initrd = guest_net.kernel(out=os.path.join(harness.LOGS, "net-debian.img"), more=kit.words)
    for number in range(1, GUESTS + 1):
        vms.add(name_of(number), kernel, initrd, f"console=ttyS0 quiet hostname={name_of(number)}", memory=192,
                devices=guest_net.interface(number))
    web, ssh, server = gdb.free_port(), gdb.free_port(), Server(noise(MEGABYTES * MIB))
    command = harness.pvh(vms.package(), "console=all", memory=640 + 224 * GUESTS)
    command += ["-netdev", f"user,id=n,{hostfwd(web)},hostfwd=tcp:127.0.0.1:{ssh}-10.0.2.16:22",
                "-device", "e1000e,netdev=n"]
    with harness.Console("net-debian", command) as machine:
        machine.expect(UP, 60 + 10 * GUESTS)
        guest_net.start(machine, *[name_of(number) for number in range(1, GUESTS + 1)])
        leases = [lease(machine, number) for number in range(1, GUESTS + 1)]
        harness.check(leases[0] == "10.0.2.16" and len(set(leases)) == GUESTS, f"leases: {leases}")
        check_ssh(machine, kit, ssh)
        check_ipv6(machine)
        check_iperf3(machine, kit, leases[1])
        check_transfers(machine, server, leases[1])
        check_crowd(machine, server)
        check_healthy(web)
        machine.command("shutdown-host")
        machine.wait_end(60 + 30 * GUESTS)
    server.close()
