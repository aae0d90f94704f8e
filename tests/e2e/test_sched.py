# SPDX-License-Identifier: BSD-2-Clause
"""What a definition or a verb says about CPU time has its effect, or is refused with the place."""

import json
import os
import re
import time

import harness

SPIN = harness.test_guest("spin")
MEASURE_NS = 2_000_000_000


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


def measure(machine, *guests):
    """How long each guest's vCPU 0 ran, ns, in the same stretch of the machine's own time: until
    one of them has run MEASURE_NS. That the host is busy stretches all alike."""
    before = used(machine, *guests)
    end = time.monotonic() + harness.LIMIT
    while time.monotonic() < end:
        ran = [now - then for now, then in zip(used(machine, *guests), before)]
        if max(ran) > MEASURE_NS:
            return ran
    raise harness.Failure(f"{guests} ran only {ran} ns in {harness.LIMIT:g} s")


def test_settings_are_shown_and_changed():
    vms = harness.VmSet("sched-verbs").add("a", SPIN, vcpus=2, extra=tune(
        "<shares>2048</shares><quota>50000</quota>", pin(1, 1), "<emulatorpin cpuset='0'/>"))
    with vms.boot() as machine:
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
    with vms.boot("console=all") as machine:
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
    with vms.boot() as machine:
        machine.prompt()
        for cpu in (0, 1, 0):
            machine.command(f"vcpupin a 0 {cpu}")
            for _ in range(50):  # it moves when its CPU looks at its queue again
                text = machine.command("vcpuinfo a")
                if re.search(rf"^CPU: +{cpu}$", text, re.M):
                    break
            has(text, rf"^CPU: +{cpu}$")
        has(machine.command("vcpuinfo a"), r"^CPU Affinity:   y-$")


def test_quota_caps_a_spinner():
    vms = harness.VmSet("sched-quota")
    vms.add("capped", SPIN, extra=tune(pin(0), "<period>500000</period><quota>50000</quota>"))
    vms.add("free", SPIN, extra=tune(pin(0)))
    with vms.boot() as machine:
        machine.prompt()
        capped, free = measure(machine, "capped", "free")
        share = capped / (capped + free)
        harness.check(0.02 < share < 0.25, f"10 % became {share:.1%}")
        machine.command("schedinfo capped --set vcpu_quota=-1")
        capped, free = measure(machine, "capped", "free")
        share = capped / (capped + free)
        harness.check(0.35 < share < 0.65, f"without its quota it has {share:.1%}, not a half")


def test_top():
    vms = harness.VmSet("sched-top").add("a", SPIN)
    with vms.boot() as machine:
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
    with vms.boot() as machine:
        machine.prompt()
        little, much = measure(machine, "little", "much")
        harness.check(2.7 < much / little < 5.5, f"1:4 became 1:{much / little:.2f}")
        machine.command("schedinfo little --set cpu_shares=2048")
        little, much = measure(machine, "little", "much")
        harness.check(0.7 < much / little < 1.4, f"1:1 became 1:{much / little:.2f}")


def test_reservations_are_kept_and_admitted():
    vms = harness.VmSet("sched-reserved")
    vms.add("kept", SPIN, extra=tune(pin(0)) + reserve(60000, 100000))
    vms.add("other", SPIN, extra=tune(pin(0), "<shares>262144</shares>"))
    vms.add("second", SPIN, autostart=False, extra=tune(pin(0)) + reserve(40000, 100000))
    with vms.boot() as machine:
        machine.prompt()
        text = machine.command("start second")
        has(text, r"second\.xml:\d+: <domain/metadata/mullion:reservation>: vCPU 0 needs 40\.0 % of "
                  r"a CPU; of CPUs 0 even the least reserved has promised 60\.0 % of 95 %")
        has(machine.command("vcpuinfo kept"), r"^Scheduling: +reserved, 60000 us of 100000 us$")
        kept, other = measure(machine, "kept", "other")
        share = kept / (kept + other)
        harness.check(0.5 < share < 0.7, f"60 % became {share:.1%}")
        machine.command("vcpupin kept 0 1")  # there it fits, and here there is room again
        has(machine.command("start second"), r"Domain 'second' started")
        has(machine.command("vcpupin kept 0 0"), r"needs 60\.0 % of a CPU")
        has(machine.command("vcpupin kept 0"), r"^ 0      1$")


def test_trace_becomes_a_picture():
    vms = harness.VmSet("sched-trace")
    vms.add("a", SPIN, extra=tune(pin(0))).add("b", SPIN, extra=tune(pin(0)))
    with vms.boot() as machine:
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
