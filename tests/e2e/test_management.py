# SPDX-License-Identifier: BSD-2-Clause
"""The host's own network: addresses, HTTP, the clock, the log; clients that behave badly, and a
process that dies."""

import http.client
import os
import re
import select
import socket
import subprocess
import time

import debian
import exposition
import gdb
import guest_net
import harness
import station
from peer import Server, end_sender, endless_sender, wait_for_more

KILLS = int(os.environ.get("E2E_KILLS", "8"))
FLOOD = int(os.environ.get("E2E_FLOOD", "1000"))  # packets of each kind
UPLINK = "  <forward mode='bridge'><interface dev='eth0'/></forward>\n"
HOST_XML = """<host>
  <hostname>mullion1</hostname>
  <management network='lan' mac='52:54:00:00:00:01'>
{more}    <http port='9100'/>
  </management>
</host>
"""
DHCP = "    <ip mode='dhcp'/>\n    <ipv6 mode='auto'/>\n"
UP = r"ip: address 10\.0\.2\.15, gateway 10\.0\.2\.2, by DHCP"


def vm_set(name, more=DHCP, uplink=UPLINK):
    vms = guest_net.Guests(name).network(more=uplink)
    vms.write("host.xml", HOST_XML.format(more=more))
    return vms


def get(port, path="/healthz", method="GET", limit=20, **more):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=limit)
    try:
        connection.request(method, path, **more)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def check_healthy(port, limit=20):
    status, _, body = get(port, limit=limit)
    harness.check((status, body) == (200, "ok\n"), f"/healthz: {status} {body!r}")


def wait_healthy(port, limit=60):
    """Until it answers; how long that took."""
    start = time.monotonic()
    while True:
        try:
            check_healthy(port, 3)
            return time.monotonic() - start
        except (OSError, http.client.HTTPException):
            harness.check(time.monotonic() - start < limit, f"/healthz does not answer for {limit} s")
            time.sleep(0.1)


def hostfwd(port):
    return f"hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:9100"


def raw(port, data):
    client = socket.create_connection(("127.0.0.1", port), timeout=30)
    client.sendall(data)
    return client


def status_of(client):
    data = b""
    try:
        while part := client.recv(65536):
            data += part
    except ConnectionError:
        pass
    finally:
        client.close()
    match = re.match(rb"HTTP/1\.1 (\d+) ", data)
    return int(match.group(1)) if match else None


def test_services():
    """DHCP, SLAAC, ping, HTTP, figures, a time server whose time guests have, syslog."""
    port, log_port = gdb.free_port(), gdb.free_port()
    log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    log.bind(("127.0.0.1", log_port))
    wire = station.Station(unix_time=1893456000)  # 2030-01-01
    more = DHCP + f"    <ntp server='{station.ADDRESS}'/>\n" \
                  f"    <syslog server='10.0.2.2' port='{log_port}'/>\n"
    vms = vm_set("management", more)
    kernel, initrd = guest_net.kernel()
    vms.add("alpha", kernel, initrd=initrd, cmdline="console=ttyS0 quiet hostname=alpha", memory=160,
            autostart=False)
    command = harness.pvh(vms.package(), "console=all")
    with harness.Console("management", command + wire.qemu(["e1000e"], user=[hostfwd(port)])) as machine:
        machine.expect(UP)
        machine.expect(r"ip: the clock is set to 2030-01-01T00:00:0\d\.\d+Z by 10\.0\.2\.77")
        machine.expect(r"ip: address FEC0::5054:FF:FE00:1")
        machine.send("\n")
        machine.prompt()
        shown = machine.command("host-addresses")
        for line in (r"State: +up", r"Address: +10\.0\.2\.15/24", r"Address: +fe80::5054:ff:fe00:1/64",
                     r"Gateway: +10\.0\.2\.2", r"DHCP: +address by DHCP", r"Name server: +10\.0\.2\.3",
                     r"Time server: +10\.0\.2\.77, clock moved by"):
            harness.check(re.search(line, shown), f"host-addresses has no {line!r}:\n{shown}")
        for target, answer in (("10.0.2.2 2", "2 packets transmitted, 2 received"),
                               ("fec0::2 1", "1 packets transmitted, 1 received"),
                               ("10.0.2.99 1", "100% packet loss"),
                               ("no-such-host.invalid 1", "Name or service not known")):
            shown = machine.command("ping " + target)
            harness.check(answer in shown, f"ping {target}:\n{shown}")
        status, headers, _ = get(port)
        harness.check(status == 200 and headers["Date"].startswith("Tue, 01 Jan 2030 00:0"), f"{headers}")
        check_statuses(port)
        machine.command("start alpha")
        guest_net.start(machine, "alpha")
        guest_net.run(machine, "alpha", "date -u +%Y-%m-%d", "2030-01-01")
        check_metrics(port)
        check_syslog(log)
        machine.command("shutdown-host")
        machine.wait_end()
    wire.close()


def check_statuses(port):
    for wanted, path, method, headers in ((404, "/", "GET", {}), (404, "/metrics/", "GET", {}),
                                          (405, "/metrics", "POST", {}), (501, "/", "BREW", {}),
                                          (400, "/healthz", "GET", {"A": "b\x01"}),
                                          (413, "/healthz", "GET", {"Content-Length": "99999999"}),
                                          (431, "/healthz", "GET", {"A": "b" * 8000}),
                                          (414, "/" + "a" * 8000, "GET", {}), (200, "/healthz", "HEAD", {})):
        status, answer, body = get(port, path, method, headers=headers)
        harness.check(status == wanted, f"{method} {path[:20]}: {status}, expected {wanted}")
        harness.check(status != 405 or answer["Allow"] == "GET, HEAD", f"{answer}")
        harness.check(method != "HEAD" or (not body and answer["Content-Length"] == "3"), f"{answer}")


def check_metrics(port):
    status, headers, body = get(port, "/metrics")
    harness.check(status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"),
                  f"{status} {headers}")
    curl = subprocess.run(["curl", "-sS", "--fail", f"http://127.0.0.1:{port}/metrics"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    harness.check(curl.returncode == 0, f"curl: {curl.stdout}")
    body, first = curl.stdout, exposition.read(body)
    promtool = os.path.join(debian.unpacked("prometheus", harness.CACHE), "usr", "bin", "promtool")
    judged = subprocess.run([promtool, "check", "metrics"], input=body, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    harness.check(judged.returncode == 0, f"promtool: {judged.stdout}")
    time.sleep(0.5)
    second = exposition.read(get(port, "/metrics")[2])
    for name in ("mullion_uptime_seconds", "mullion_http_requests_total", "mullion_time_seconds"):
        harness.check(second[name, ""] > first[name, ""] > 0, f"{name} stands still")
    for key in (("mullion_cpu_idle_seconds_total", '{cpu="1"}'),
                ("mullion_vcpu_guest_seconds_total", '{domain="alpha",vcpu="0"}'),
                ("mullion_interface_receive_bytes_total", '{domain="",interface="eth0"}'),
                ("mullion_interface_transmit_frames_total", '{domain="",interface="host"}')):
        harness.check(second.get(key, 0) > 0, f"{key} is missing or 0")


def check_syslog(log):
    lines, end = [], time.monotonic() + 30
    form = re.compile(rb"<(6|30)>1 (-|20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) mullion1 [!-~]{1,48} - - - [ -~]+\Z")
    while not any(b" ip - - - address 10.0.2.15" in line for line in lines):
        ready = select.select([log], [], [], max(end - time.monotonic(), 0))[0]
        harness.check(ready, f"syslog: no line of ip among {lines[-3:]}")
        lines.append(log.recv(65536))
        harness.check(form.match(lines[-1]), f"syslog: {lines[-1]}")
    harness.check(any(b" kernel - - - " in line for line in lines), "syslog: no line of the kernel")


def test_bad_clients():
    """Slow, silent, greedy and talkative clients, and floods: others are served meanwhile."""
    port = gdb.free_port()
    wire = station.Station()
    command = harness.pvh(vm_set("management-bad").package(), "console=all")
    worst = {}
    with harness.Console("management-bad", command + wire.qemu(["e1000e"], user=[hostfwd(port)])) as machine:
        machine.expect(UP)
        wait_healthy(port)
        silent = [raw(port, b"") for _ in range(20)]
        slow = [raw(port, b"GET /me") for _ in range(3)]
        greedy = [raw(port, b"GET /metrics HTTP/1.1\r\nHost: m\r\n\r\n") for _ in range(3)]
        for _ in range(5):
            check_healthy(port)
        endless = raw(port, b"GET / HTTP/1.1\r\n")
        try:
            for i in range(200):
                endless.sendall(b"X-%d: %s\r\n" % (i, b"a" * 100))
        except ConnectionError:
            pass
        status = status_of(endless)
        harness.check(status in (431, None), f"endless head: {status}")
        for client in slow:
            status = status_of(client)  # 408, or a newer one has taken its place
            harness.check(status in (408, None), f"slow client: {status}")
        for client in silent + greedy:
            client.close()
        for flood in (wire.flood_syns, wire.flood_fragments, wire.flood_arp, wire.flood_noise):
            for _ in range(10):
                flood(FLOOD // 10)
                took = wait_healthy(port)
                harness.check(took < 20, f"{flood.__name__}: {took:.0f} s to an answer")
                worst[flood.__name__] = f"{max(took, float(worst.get(flood.__name__, 0))):.2f}"
        figures = exposition.read(get(port, "/metrics")[2])
        harness.check(figures["mullion_tcp_half_open_dropped_total", ""] > 0, "no SYN was too many")
        harness.check(figures["mullion_stack_packets_most", ""] < 192, "received packets used the pool up")
        harness.check(figures["mullion_stack_heap_failures_total", ""] == 0, "the heap was used up")
        harness.check(figures["mullion_tcp_connections", ""] <= 320, "more connections than there can be")
        machine.send("\n")
        machine.prompt()
        print(f"e2e management.bad_clients: at most so many seconds to an answer: {worst}")
        harness.check("Restarts:       0" in machine.command("host-addresses"), "the process has died")
        machine.command("shutdown-host")
        machine.wait_end()
    wire.close()


def test_process_is_killed():
    """The process dies again and again, while a guest sends through the same NIC: address and port come back, and not
    a bit of the guest's is wrong."""
    port, debug, server = gdb.free_port(), gdb.free_port(), Server()
    vms = vm_set("management-kill")
    vms.guest("alpha", guest_net.interface(1))
    command = harness.pvh(vms.package(), "console=all")
    command += ["-netdev", f"user,id=n,{hostfwd(port)}", "-device", "e1000e,netdev=n",
                "-gdb", f"tcp:127.0.0.1:{debug}"]
    place, worst = gdb.Place("ip", "timers_run"), 0
    with harness.Console("management-kill", command) as machine:
        machine.expect(UP)
        guest_net.start(machine, "alpha")
        wait_healthy(port)
        guest_net.run(machine, "alpha", "ip addr add 10.0.2.99/24 dev eth0; ip link set eth0 up")
        want = endless_sender(machine, "alpha", f"10.0.2.2 {server.sink}")
        for _ in range(KILLS):
            wait_for_more(machine, server)
            with gdb.Debugger(debug) as debugger:
                debugger.arm(place)
                debugger.crash(place)
            machine.expect("ip: ended; it is started again")
            machine.expect(UP)
            worst = max(worst, wait_healthy(port))
        machine.send("\n")
        machine.prompt()
        end_sender(machine, "alpha", server, want)
        print(f"e2e management.process_is_killed: {KILLS} times, then at most {worst:.1f} s to an answer")
        harness.check(re.search(rf"Restarts: +{KILLS}\b", machine.command("host-addresses")), "restarts")
        machine.command("shutdown-host")
        machine.wait_end(180)
    server.close()


def test_guest_is_the_client():
    """A network without an uplink, the host in a VLAN of it: a guest there asks the host; its other
    interface, outside the VLAN, does not even see it."""
    static = "    <ip mode='static' address='10.0.0.9' prefix='24'/>\n    <ntp mode='off'/>\n"
    vms = vm_set("management-guest", static, uplink="")
    vms.write("host.xml", HOST_XML.format(more=static).replace(":01'>", ":01' vlan='7'>"))
    vms.guest("alpha", guest_net.interface(1, more="      <vlan><tag id='7'/></vlan>\n") +
              guest_net.interface(2))
    with vms.boot("console=all", memory=1024) as machine:
        machine.expect(r"ip: address 10\.0\.0\.9")
        guest_net.start(machine, "alpha")
        guest_net.address(machine, "alpha", 1)
        guest_net.ping(machine, "alpha", 9)
        guest_net.run(machine, "alpha", "ip addr add 10.1.0.1/24 dev eth1; ip link set eth1 up; "
                      "arping -c 2 -I eth1 10.0.0.9; "
                      "arping -c 2 -I eth0 10.0.0.9", r"[\s\S]*Received 0 response[\s\S]*Received 2 response")
        guest_net.run(machine, "alpha", "wget -q -O - http://10.0.0.9:9100/healthz", "ok")
        guest_net.run(machine, "alpha", "wget -q -O - http://10.0.0.9:9100/metrics | grep interface",
                      r'mullion_interface_up\{domain="alpha",interface="vnet0"\} 1')
        guest_net.run(machine, "alpha", "wget -q -O - http://10.0.0.9:9100/metrics | grep vcpu",
                      r'mullion_vcpu_guest_seconds_total\{domain="alpha",vcpu="0"\} \d')
        shown = machine.command("ping 10.0.0.1 2")
        harness.check("2 packets transmitted, 2 received" in shown, shown)
        machine.command("shutdown-host")
        machine.wait_end()


def flooding_guest(vms):
    """A guest that has tests/e2e/flood.c as its program."""
    program, source = os.path.join(harness.LOGS, "flood"), os.path.join(harness.ROOT, "tests", "e2e", "flood.c")
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", program, source],
                   check=True)
    kernel, initrd = guest_net.kernel(out=os.path.join(harness.LOGS, "net-flood.img"),
                                      more=("--add", program + ":bin/flood"))
    vms.add("alpha", kernel, initrd, "console=ttyS0 quiet hostname=alpha", memory=160, devices=guest_net.interface(1))


def test_guest_floods():
    """A guest floods the host's stack: another one is served meanwhile, within the stack's memory."""
    static = "    <ip mode='static' address='10.0.0.9' prefix='24'/>\n    <ntp mode='off'/>\n"
    vms = vm_set("management-floods", static, uplink="")
    flooding_guest(vms)
    vms.guest("beta", guest_net.interface(2))
    ask = "until timeout 5 wget -q -O /tmp/said http://10.0.0.9:9100/{}; do echo again; done; cat /tmp/said"
    with vms.boot("console=all", memory=1024) as machine:
        machine.expect(r"ip: address 10\.0\.0\.9")
        guest_net.start(machine, "alpha", "beta")
        for number, name in enumerate(("alpha", "beta"), 1):
            guest_net.address(machine, name, number)
        for kind in ("syns", "fragments", "arp", "noise"):
            guest_net.run(machine, "alpha", f"rm -f /tmp/sent; {{ (flood {kind} {20 * FLOOD} >/tmp/new; "
                          "mv /tmp/new /tmp/sent) & }")
            for _ in range(3):
                guest_net.run(machine, "beta", ask.format("healthz"), r"(again\n)*ok", 60)
            guest_net.ping(machine, "beta", 1)
            guest_net.run(machine, "alpha", "while [ ! -e /tmp/sent ]; do sleep 1; done; cat /tmp/sent",
                          rf"{20 * FLOOD} of {20 * FLOOD} {kind} were sent", 300)
        guest_net.run(machine, "beta",
                      ask.format("metrics") + " >/tmp/all; grep -E 'half_open_dropped|heap_failures' /tmp/said", r"[\s\S]*half_open_dropped_total [1-9][\s\S]*heap_failures_total 0")
        harness.check(re.search(r"Restarts: +0\b", machine.command("host-addresses")), "the process has died")
        machine.command("shutdown-host")
        machine.wait_end(180)


def test_bad_definitions():
    """Each is refused by file, line, element and reason; the machine starts all the same."""
    vms = guest_net.Guests("management-xml").network()
    vms.write("host.xml", "<host>\n<management network='lan' mac='52:54:00:00:00:01'>\n"
                          "<ip mode='static' address='192.0.2.1' prefix='33'/>\n</management></host>\n")
    with vms.boot("console=all") as machine:
        machine.expect(r"host\.xml:3: <host/management/ip>: prefix=\"33\"; a number of bits from 1 to 30")
        machine.prompt()
        harness.check("no management network" in machine.command("host-addresses"), "it has one")
        machine.command("shutdown-host")
        machine.wait_end()
    vms.write("host.xml", HOST_XML.format(more=DHCP).replace("'lan'", "'wan'"))
    with vms.boot("console=all") as machine:
        machine.expect(r"host\.xml:3: <host/management>: .*")
        machine.prompt()
        machine.command("shutdown-host")
        machine.wait_end()
