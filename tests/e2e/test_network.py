# SPDX-License-Identifier: BSD-2-Clause
"""Guests on networks of the virtual switch, which is killed on the way."""

import os
import time

import demo
import gdb
import guest_net
import harness
from test_netcards import stat

KILLS = int(os.environ.get("E2E_NET_KILLS", "4"))
RATE = 2000  # KB/s: the sums are the slow part
MORE = 100000  # bytes between two deaths


def wait_for_more(machine):
    """Until a part of the transfer has come to beta: each switch carries some of it, or the connection would only be
    tried again ever later."""
    end, before = time.monotonic() + harness.LIMIT, stat(machine, "beta", "vnet0", "rx_bytes")
    while stat(machine, "beta", "vnet0", "rx_bytes") < before + MORE:
        harness.check(time.monotonic() < end, f"nothing more came to beta for {harness.LIMIT:g} s")
        machine.listen(0.1)


def test_two_guests():
    """Ping and a TCP transfer between two guests, while the switch dies again and again."""
    vms = guest_net.Guests("net-two").network()
    slow = f"      <bandwidth><outbound average='{RATE}'/></bandwidth>\n"
    for number, name in enumerate(("alpha", "beta"), 1):
        vms.guest(name, guest_net.interface(number, more=slow if number == 1 else ""))
    port = gdb.free_port()
    command = harness.pvh(vms.package(), "console=all", memory=1024)
    places = [gdb.Place("switch", name) for name in ("forward", "port_show", "port_put", "fabric_run")]
    with harness.Console("net-two", command + ["-gdb", f"tcp:127.0.0.1:{port}"]) as machine:
        guest_net.start(machine, "alpha", "beta")
        for number, name in enumerate(("alpha", "beta"), 1):
            guest_net.address(machine, name, number)
        guest_net.ping(machine, "alpha", 2)
        guest_net.ping(machine, "beta", 1, size=1400)
        guest_net.run(machine, "beta", "mkfifo /tmp/open; "
                      "{ (nc -l -p 5000 <>/tmp/open | sha256sum >/tmp/sum; touch /tmp/end) & }")
        guest_net.run(machine, "alpha", "dd if=/dev/urandom of=/tmp/data bs=1M count=1 2>/dev/null; mkfifo /tmp/copy; "
                      "{ sha256sum </tmp/copy >/tmp/sum & }; { (sleep 1; while [ ! -e /tmp/stop ]; do cat /tmp/data; done | "
                      "tee /tmp/copy | nc 10.0.0.2 5000; wait; touch /tmp/end) & }")
        for kill in range(KILLS):
            wait_for_more(machine)
            place = places[kill % len(places)]
            with gdb.Debugger(port) as debugger:
                debugger.arm(place)
                debugger.crash(place)
            machine.expect(rf"switch: up, {kill + 1} restarts")
            machine.send("\n")
            machine.prompt()
            if kill == KILLS // 2:  # traffic of another kind meanwhile
                guest_net.ping(machine, "beta", 1)
        carried = stat(machine, "beta", "vnet0", "rx_bytes") >> 20
        guest_net.run(machine, "alpha", "[ ! -e /tmp/end ] && touch /tmp/stop")
        sums = [guest_net.run(machine, name, "while [ ! -e /tmp/end ] || [ ! -s /tmp/sum ]; do sleep 1; done; cat /tmp/sum",
                              r"([0-9a-f]{64})", 300).group(1) for name in ("alpha", "beta")]
        harness.check(sums[0] == sums[1], f"the transfer differs: {sums}")
        print(f"e2e network.two_guests: {KILLS} times, {carried} MiB are right")
        # A guest that goes gives its memory back, also what the switch had mapped.
        machine.command("destroy alpha")
        machine.wait_state("alpha", "shut off")
        machine.command("start alpha")
        demo.wait_ready(machine, "alpha")
        machine.send("\n")
        machine.prompt()
        guest_net.address(machine, "alpha", 1)
        guest_net.ping(machine, "alpha", 2)
        info = machine.command("net-info lan")
        harness.check(f"{KILLS} restarts" in info and "alpha vnet0" in info, info)
        machine.command("shutdown-host")
        machine.wait_end(180)
