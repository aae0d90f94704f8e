# SPDX-License-Identifier: BSD-2-Clause
"""What a definition or a verb says about CPU time has its effect, or is refused with the place."""

import json
import os
import re
import time

import harness

SPIN = harness.test_guest("spin")
MEASURE_S = 0.6


def boot(vms, cmdline="", **machine):
    """On CPUs that run at once: in turns, one would wait for another's for longer than any slice."""
    return vms.boot(cmdline, accel=harness.PARALLEL, **machine)


def tune(*elements):
    return "<cputune>" + "".join(elements) + "</cputune>\n"


def pin(cpu, vcpu=0):
    return f"<vcpupin vcpu='{vcpu}' cpuset='{cpu}'/>"


def reserve(budget, period):
    return ("<metadata><mullion:reservation xmlns:mullion='urn:mullion:domain:1' "
            f"budget='{budget}' period='{period}'/></metadata>\n")


def has(text, pattern):
    harness.check(re.search(pattern, text, re.M), f"no {pattern!r} in:\n{text}")


def stats(machine, guest):
    """{field: value} of domstats."""
    text = machine.command(f"domstats {guest}")
    return {key: int(value) for key, value in re.findall(r"^  (\S+)=(\d+)$", text, re.M)}


def used(machine, *guests, field="vcpu.0.time"):
    return [stats(machine, guest)[field] for guest in guests]


def share_of_cpu(before, after):
    """Of a vCPU that always wants to run, between two answers of stats(): by its own account, in
    which the time that goes by is what it ran, waited and was throttled. So it does not matter that
    guests are asked one after the other, nor that the host is busy."""
    ran, waited, throttled = (after[f"vcpu.0.{key}"] - before[f"vcpu.0.{key}"]
                              for key in ("time", "wait", "throttled"))
    return ran / max(ran + waited + throttled, 1)


def cpu_time(machine, guest):
    """By vcpuinfo, which asks the kernel only, s: domstats makes the guest's VMM work, for which
    the guest pays."""
    return float(re.search(r"^CPU time: +([\d.]+)s", machine.command(f"vcpuinfo {guest}"), re.M)[1])


def measure(machine, *guests):
    """Each guest's share of a CPU, of those that spin, while the first of them ran MEASURE_S."""
    before = [stats(machine, guest) for guest in guests]
    begin, end = cpu_time(machine, guests[0]), time.monotonic() + harness.LIMIT
    while cpu_time(machine, guests[0]) < begin + MEASURE_S:
        harness.check(time.monotonic() < end, f"{guests[0]} does not run {MEASURE_S} s")
        time.sleep(0.2)  # asking takes CPU time too
    after = [stats(machine, guest) for guest in guests]
    return [share_of_cpu(then, now) for then, now in zip(before, after)]


def test_settings_are_shown_and_changed():
    vms = harness.VmSet("sched-verbs").add("a", SPIN, vcpus=2, extra=tune(
        "<shares>2048</shares><quota>50000</quota>", pin(1, 1), "<emulatorpin cpuset='0'/>"))
    vms.add("b", SPIN, autostart=False, extra="<iothreads>1</iothreads>\n" + tune(
        "<iothreadpin iothread='1' cpuset='1'/>"))
    with boot(vms) as machine:
        machine.prompt()
        text = machine.command("schedinfo a")
        has(text, r"^Scheduler      : posix$")
        has(text, r"^cpu_shares     : 2048$")
        has(text, r"^vcpu_period    : 100000$")
        has(text, r"^vcpu_quota     : 50000$")
        has(text, r"^emulator_quota : -1$")
        text = machine.command("vcpupin a")
        has(text, r"^ 0      0-1$")
        has(text, r"^ 1      1$")
        has(machine.command("emulatorpin a"), r"^       \*: 0$")
        has(machine.command("emulatorpin b"), r"^       \*: 1$")  # its I/O thread is that
        has(machine.command("emulatorpin b 0"), r"the I/O thread is the emulator's, which "
                                                r"<emulatorpin> keeps on other CPUs")
        has(machine.command("vcpuinfo a"), r"at most 50000 us of 100000 us")
        has(machine.command("schedinfo a --set vcpu_quota=-1 cpu_shares=512"),
            r"^vcpu_quota     : -1$")
        text = machine.command("vcpuinfo a --pretty")
        harness.check("at most" not in text, f"a quota still:\n{text}")
        has(text, r"^CPU Affinity:   1 \(out of 2\)$")
        has(machine.command("schedinfo a --config"), r"^cpu_shares     : 2048$")
        has(machine.command("schedinfo a --set vcpu_period=999"),
            r"value of 'vcpu_period' is out of range \[1000, 1000000\]")
        has(machine.command("schedinfo a --set frob=1"), r"invalid scheduler option: frob")
        has(machine.command("vcpupin a 0 5"), r"this host has CPUs 0-1, none of 5")
        has(machine.command("schedinfo a"), r"^cpu_shares     : 512$")
        machine.command("destroy a")
        has(machine.command("schedinfo a --live"), r"domain is not running")
        has(machine.command("schedinfo a"), r"^cpu_shares     : 2048$")


def test_refusals_name_element_and_line():
    vms = harness.VmSet("sched-refusals")
    vms.add("pinned", SPIN, extra=tune("\n", pin(7)))
    vms.add("shares", SPIN, extra=tune("<shares>1</shares>"))
    vms.add("sum", SPIN, vcpus=2, extra=tune(pin(0), pin(0, 1)) + reserve(6000, 10000))
    vms.add("whole", SPIN, vcpus=2, extra=tune("<global_quota>100000</global_quota>"))
    vms.add("good", harness.test_guest("tiny"))
    with boot(vms, "console=all") as machine:
        machine.expect(r"^\[good\] 1 passed, 0 failed")
        machine.send("\n")
        machine.prompt()
        text = machine.command("dmesg")
        has(text, r"pinned\.xml:\d+: <domain/cputune/vcpupin>: this host has CPUs 0-1, none of 7")
        has(text, r"shares\.xml:\d+: <domain/cputune/shares>: \"1\" is not a number from 2 to 262144")
        has(text, r"sum\.xml:\d+: <domain/metadata/mullion:reservation>: .*on CPUs 0 make 120\.0 % "
                  r"of a CPU; there are 95 %")
        has(text, r"whole\.xml:\d+: <domain/cputune/global_quota>: .*may take 300000 us")


def test_pins_move_a_running_guest():
    vms = harness.VmSet("sched-pins").add("a", SPIN, extra=tune(pin(0)))
    with boot(vms) as machine:
        machine.prompt()
        for cpu in (0, 1, 0):
            machine.command(f"vcpupin a 0 {cpu}")
            # It moves when its CPU looks at its queue again.
            harness.eventually(lambda: stats(machine, "a")["vcpu.0.host_cpu"] == cpu,
                               lambda: f"it is not on CPU {cpu}:\n" + machine.command("vcpuinfo a"))
            has(machine.command("vcpuinfo a"), rf"^CPU: +{cpu}$")
        has(machine.command("vcpuinfo a"), r"^CPU Affinity:   y-$")


def test_quota_caps_a_spinner():
    vms = harness.VmSet("sched-quota")
    vms.add("capped", SPIN, extra=tune(pin(0), "<period>500000</period><quota>50000</quota>"))
    vms.add("free", SPIN, extra=tune(pin(0)))
    with boot(vms) as machine:
        machine.prompt()
        share, _ = measure(machine, "capped", "free")
        harness.check(0.05 < share < 0.15, f"10 % became {share:.1%}")
        machine.command("schedinfo capped --set vcpu_quota=-1")
        share, _ = measure(machine, "capped", "free")
        harness.check(0.35 < share < 0.65, f"without its quota it has {share:.1%}, not a half")


def test_top():
    vms = harness.VmSet("sched-top").add("a", SPIN)
    with boot(vms) as machine:
        machine.prompt()
        text = machine.command("top --once")
        has(text, r"^DOMAIN +VC CPU +RUN% ")
        has(text, r"^a +0 +[01] +[1-9]")
        has(text, r"^a +e ")
        machine.send("top\n")
        for _ in range(2):  # it is drawn again and again
            machine.expect(r"^top: up \d+s, 2 CPUs, 1 of 1 domains active$")
            machine.expect(r"^a +0 +[01] +[1-9]")
            machine.expect(r"^any key ends$")
        machine.send("q")
        machine.prompt()
        has(machine.command("list"), r"running")


def test_shares_divide_a_cpu():
    vms = harness.VmSet("sched-shares")
    vms.add("little", SPIN, extra=tune(pin(0), "<shares>512</shares>"))
    vms.add("much", SPIN, extra=tune(pin(0), "<shares>2048</shares>"))
    with boot(vms) as machine:
        machine.prompt()
        little, much = measure(machine, "little", "much")
        harness.check(3 < much / little < 6, f"1:4 became {little:.1%} and {much:.1%}")
        machine.command("schedinfo little --set cpu_shares=2048")
        little, much = measure(machine, "little", "much")
        harness.check(0.7 < much / little < 1.4, f"1:1 became {little:.1%} and {much:.1%}")


def test_schedulers_go_before_shares():
    """fifo before everything with a share, also after a change; idle takes what others leave."""
    vms = harness.VmSet("sched-vcpusched")
    vms.add("first", SPIN, extra=tune(
        pin(1), "<quota>30000</quota><vcpusched vcpus='0' scheduler='fifo' priority='9'/>"))
    vms.add("shared", SPIN, extra=tune(pin(1)))
    vms.add("last", SPIN, extra=tune(pin(1), "<vcpusched vcpus='0' scheduler='idle'/>"))
    with boot(vms) as machine:
        machine.prompt()
        has(machine.command("vcpuinfo first"), r"^Scheduling: +fixed, priority 1[6-9], at most 30000 us")
        first, shared, last = measure(machine, "first", "shared", "last")
        harness.check(0.25 < first < 0.35, f"30 % at a fixed priority became {first:.1%}")
        harness.check(last < 0.05 * shared, f"an idle guest got {last:.1%} beside {shared:.1%}")
        machine.command("schedinfo first --set vcpu_quota=-1")
        first, shared = measure(machine, "first", "shared")
        harness.check(first > 0.9 and shared < 0.05, f"without its quota {first:.1%}, {shared:.1%}")


def test_reservations_are_kept_and_admitted():
    vms = harness.VmSet("sched-reserved")
    vms.add("kept", SPIN, extra=tune(pin(0)) + reserve(60000, 100000))
    vms.add("other", SPIN, extra=tune(pin(0), "<shares>262144</shares>"))
    vms.add("second", SPIN, autostart=False, extra=tune(pin(0)) + reserve(40000, 100000))
    with boot(vms) as machine:
        machine.prompt()
        text = machine.command("start second")
        has(text, r"second\.xml:\d+: <domain/metadata/mullion:reservation>: vCPU 0 needs 40\.0 % of "
                  r"a CPU; of CPUs 0 even the least reserved has promised 60\.0 % of 95 %")
        has(machine.command("vcpuinfo kept"), r"^Scheduling: +reserved, 60000 us of 100000 us$")
        share, _ = measure(machine, "kept", "other")
        harness.check(0.5 < share < 0.7, f"60 % became {share:.1%}")
        machine.command("vcpupin kept 0 1")  # there it fits, and here there is room again
        has(machine.command("start second"), r"Domain 'second' started")
        has(machine.command("vcpupin kept 0 0"), r"needs 60\.0 % of a CPU")
        has(machine.command("vcpupin kept 0"), r"^ 0      1$")


def test_trace_becomes_a_picture():
    vms = harness.VmSet("sched-trace")
    vms.add("a", SPIN, extra=tune(pin(0))).add("b", SPIN, extra=tune(pin(0)))
    with boot(vms) as machine:
        machine.prompt()
        has(machine.command("trace on"), r"^Scheduling events are traced$")
        measure(machine, "a", "b")
        has(machine.command("trace off"), r"not traced any more")
        dump = os.path.join(harness.LOGS, "sched-trace.txt")
        with open(dump, "w", encoding="utf-8") as f:
            f.write(machine.command("trace dump"))
    picture = dump[:-4] + ".json"
    harness.tool("tools/trace2json", dump, picture)
    with open(picture, encoding="utf-8") as f:
        events = json.load(f)["traceEvents"]
    spans = [e for e in events if e["ph"] == "X"]
    on_cpu = [e for e in spans if e["pid"] == 1 and e["tid"] == 0]
    for guest in "ab":
        turns = [e["dur"] for e in on_cpu if e["name"] == f"{guest} vcpu 0"]
        harness.check(len(turns) > 10, f"{guest} had {len(turns)} turns on CPU 0")
    on_cpu.sort(key=lambda e: e["ts"])
    for this, following in zip(on_cpu, on_cpu[1:]):
        harness.check(this["ts"] + this["dur"] <= following["ts"] + 0.01,
                      f"two at once on CPU 0: {this} {following}")
    names = {e["args"]["name"] for e in events if e["ph"] == "M"}
    harness.check({"host CPUs", "CPU 0", "CPU 1", "a", "b", "emulator"} <= names, f"{names}")
    harness.check(any(e["name"] == "waits" for e in spans), "nobody ever waited")


def test_idle_cpus_may_poll():
    """Two vCPUs that wake each other on two CPUs that look instead of halting: no wake-up is lost."""
    vms = harness.VmSet("sched-poll").add("smp", harness.test_guest("smp"), vcpus=2, memory=64)
    with boot(vms, "console=all haltpoll") as machine:
        match = machine.expect(r"^\[smp\] (\d+) passed, (\d+) failed", harness.LIMIT * 2)
        harness.check(match.group(2) == "0", "a check of the smp guest failed: see the log")


def test_cpu_offline_moves_guests():
    vms = harness.VmSet("sched-offline")
    vms.add("a", SPIN).add("pinned", SPIN, extra=tune(pin(1)))
    vms.add("kept", SPIN, extra=reserve(40000, 100000))
    with boot(vms) as machine:
        machine.prompt()
        has(machine.command("nodecpumap"), r"^CPUs online:    2\nCPU map:        yy$")
        for _ in range(3):
            has(machine.command("cpu-offline 1"), r"^CPU 1 is offline$")
            has(machine.command("nodecpumap"), r"^CPU map:        y-$")
            has(machine.command("cpu-offline 0"), r"it is the last CPU")
            before = stats(machine, "pinned")["vcpu.0.time"]
            measure(machine, "a", "pinned", "kept")
            for guest in ("a", "pinned", "kept"):
                harness.check(stats(machine, guest)["vcpu.0.host_cpu"] == 0,
                              f"{guest} is on a CPU that is offline")
            harness.check(stats(machine, "pinned")["vcpu.0.time"] > before, "pinned stands still")
            has(machine.command("cpu-online 1"), r"^CPU 1 is online$")
            harness.eventually(lambda: stats(machine, "pinned")["vcpu.0.host_cpu"] == 1,
                               lambda: "pinned does not come back to CPU 1")
        has(machine.command("cpu-offline 7"), r"this host has no such CPU")
        has(machine.command("cpu-offline x"), r"'x' is not the number of a CPU")


def test_core_scheduling_keeps_guests_off_siblings():
    """Two cores of two threads: guests use CPUs 0 and 2 only, and the log knows why."""
    vms = harness.VmSet("sched-cores")
    vms.add("a", SPIN).add("b", SPIN).add("c", SPIN)
    vms.add("sibling", SPIN, extra=tune(pin(1)))
    with boot(vms, "coresched", smp="4,sockets=1,cores=2,threads=2") as machine:
        machine.prompt()
        text = machine.command("dmesg")
        has(text, r"CPUs: 4 threads, 2 cores")
        has(text, r"sibling\.xml:\d+: <domain/cputune/vcpupin>: this host has CPUs 0,2, none of 1")
        measure(machine, "a", "b", "c")
        places = set()

        def used_both():  # three on two CPUs: they wander
            places.update(stats(machine, guest)["vcpu.0.host_cpu"] for guest in "abc")
            return len(places) > 1
        harness.eventually(used_both, lambda: f"guests run on CPUs {places}")
        harness.check(places == {0, 2}, f"guests run on CPUs {places}")


def cpupool(name):
    return (f"<metadata><mullion:cpupool xmlns:mullion='urn:mullion:domain:1' name='{name}'/>"
            "</metadata>\n")


def check_place(machine, guest, *cpus):
    """All of a guest's vCPUs run on these host CPUs only, and go on running."""
    before, now = used(machine, guest)[0], {}

    def runs_there():
        now.update(stats(machine, guest))
        return now["vcpu.0.host_cpu"] in cpus and now["vcpu.0.time"] > before + 20_000_000
    harness.eventually(runs_there, lambda: f"{guest} is on CPU {now['vcpu.0.host_cpu']}, not on one of "
                                           f"{cpus}, or stands still")


def test_cpu_pools():
    vms = harness.VmSet("sched-pools")
    vms.write("host.xml", "<host>\n<cpupool name='real' cpus='3'/>\n"
                          "<cpupool name='wrong' cpus='3-4'/>\n</host>\n")
    vms.add("free", SPIN).add("pinned", SPIN, extra=tune(pin(2)))
    vms.add("kept", SPIN, extra=cpupool("real"))
    vms.add("lost", SPIN, extra=cpupool("none"))
    vms.add("split", SPIN, extra=tune("\n", pin(0)) + cpupool("real"))
    with boot(vms, smp=4) as machine:
        machine.prompt()
        text = machine.command("dmesg")
        has(text, r"host\.xml:3: <host/cpupool>: CPU pool 'wrong': this host has no CPUs 4")
        has(text, r"lost\.xml:\d+: <domain/metadata/mullion:cpupool>: there is no CPU pool 'none'")
        has(text, r"split\.xml:\d+: <domain/cputune/vcpupin>: CPU pool 'real' has CPUs 3, none of 0")
        text = machine.command("cpupool-list")
        has(text, r"^ - +2 +0-2$")
        has(text, r"^ real +1 +3$")
        has(machine.command("dominfo kept"), r"^CPU pool: +real$")
        check_place(machine, "kept", 3)
        check_place(machine, "free", 0, 1, 2)
        has(machine.command("cpupool-create b 2"),
            r"domain 'pinned': this host has CPUs 0-1, none of 2; CPUs 2-3 are CPU pools'")
        has(machine.command("cpupool-cpu-add real 1-2"), r"domain 'pinned': this host has CPUs 0, ")
        has(machine.command("cpupool-cpu-add real 1"), r"^CPU pool 'real' changed$")
        has(machine.command("cpu-offline 3"), r"^CPU 3 is offline$")
        check_place(machine, "kept", 1)
        has(machine.command("cpu-offline 1"), r"CPU pool 'real' has no CPU that is online")
        has(machine.command("cpu-online 3"), r"^CPU 3 is online$")
        has(machine.command("cpupool-cpu-remove real 1"), r"^CPU pool 'real' changed$")
        check_place(machine, "kept", 3)
        has(machine.command("cpupool-destroy real"), r"domain 'kept': there is no CPU pool 'real'")
        has(machine.command("cpupool-migrate pinned real"), r"CPU pool 'real' has CPUs 3, none of 2")
        has(machine.command("cpupool-migrate free real"), r"^Domain 'free' migrated$")
        check_place(machine, "free", 3)
        for guest in ("free", "kept"):
            has(machine.command(f"cpupool-migrate {guest} -"), r"migrated$")
        has(machine.command("cpupool-destroy real"), r"^CPU pool 'real' destroyed$")
        check_place(machine, "pinned", 2)


def test_nodes_and_their_distances():
    """Four nodes in a ring. What does not fit on a node comes from the nearest, vCPUs begin there."""
    vms = harness.VmSet("sched-nodes")
    vms.add("near", SPIN, memory=300,
            extra="<numatune><memory mode='preferred' nodeset='2'/></numatune>\n")
    command = harness.pvh(vms.package(), "", smp=4, memory=1024)
    for node in range(4):
        command += ["-object", f"memory-backend-ram,id=m{node},size=256M",
                    "-numa", f"node,nodeid={node},memdev=m{node},cpus={node}"]
    for node in range(4):
        for other in range(4):
            way = min((node - other) % 4, (other - node) % 4)
            command += ["-numa", f"dist,src={node},dst={other},val={(10, 21, 31)[way]}"]
    with harness.Console(vms.name, command) as machine:
        machine.prompt()
        text = machine.command("dmesg")
        has(text, r"memory node 2: distances 31 21 10 21$")
        check_place(machine, "near", 0, 1, 2, 3)
