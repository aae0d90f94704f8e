# SPDX-License-Identifier: BSD-2-Clause
"""What the scheduler promises, seen from outside: shares, caps, deadlines, progress, overcommit.

Where a figure must be exact the machine counts instructions (one CPU; a tick of its TSC is one
instruction), so that the host's own load plays no part. E2E_SCHED=long runs all of it in full size."""

import os
import re
import time

import demo
import harness
from test_sched import cpu_time, pin, reserve, share_of_cpu, stats, tune

LOAD = harness.test_guest("load")
LONG = os.environ.get("E2E_SCHED") == "long"


def started(machine, *guests):
    for _ in guests:
        machine.expect(rf"^\[({'|'.join(guests)})\] load \w+ begins", 300)
    machine.send("\n")
    machine.prompt()


def test_caps_within_two_percent():
    caps = {"c5": 5, "c20": 20, "c30": 30}
    vms = harness.VmSet("sched-caps").add("free", LOAD, cmdline="spin")
    for name, percent in caps.items():
        vms.add(name, LOAD, cmdline="spin",
                extra=tune(f"<period>10000</period><quota>{percent * 100}</quota>"
                           if percent * 100 >= 1000 else
                           f"<period>20000</period><quota>{percent * 200}</quota>"))
    with vms.boot_counted("console=all") as machine:
        started(machine, "free", *caps)
        before = {name: stats(machine, name) for name in caps}
        wanted = stats(machine, "free")["vcpu.0.time"] + 700_000_000
        harness.eventually(lambda: stats(machine, "free")["vcpu.0.time"] >= wanted,
                           lambda: "free stands still")
        for name, percent in caps.items():
            after = stats(machine, name)
            share = 100 * share_of_cpu(before[name], after)
            print(f"    cap of {percent} %: {share:.2f} %", flush=True)
            harness.check(abs(share - percent) < 0.02 * percent,
                          f"a cap of {percent} % became {share:.2f} %")


FORK_AND_READ = ("while :; do /bin/true; cat /bin/busybox | md5sum; head -c 8192 /dev/hwrng; done"
                 " >/dev/hvc0 2>&1 &\n")


def busy_shell(machine, guest, command):
    demo.to_shell(machine, guest, 300)
    machine.send(command)
    machine.expect(rf"{guest}:\S*# ", 600)
    machine.leave()


def test_reserved_guest_beside_seven_busy_ones():
    """2 ms of each 10, beside guests that spin, fork and hammer I/O: not one deadline is missed."""
    kinds = ["stock"] * 3 if LONG else ["stock"]
    kinds += ["io", "doze", "timer", "spin", "spin", "spin"][len(kinds) - 1:]
    kinds += ["doorbell"] * (7 - len(kinds))
    vms = harness.VmSet("sched-reserved-busy")
    for i, kind in enumerate(kinds):
        if kind == "stock":
            vms.add(f"g{i}", demo.KERNEL, demo.INITRD, f"console=ttyS0 quiet hostname=g{i}",
                    memory=160, virtio=True)
        else:
            vms.add(f"g{i}", LOAD, cmdline=kind, virtio=kind == "doorbell", autostart=False)
    vms.add("real", LOAD, cmdline="periodic", autostart=False, extra=reserve(2000, 10000))
    periods = 1000 if LONG else 200
    with vms.boot_counted("console=all", memory=2048) as machine:
        stock = [f"g{i}" for i, kind in enumerate(kinds) if kind == "stock"]
        demo.wait_ready(machine, *stock, limit=900)
        machine.send("\n")
        machine.prompt()
        for name in stock:
            busy_shell(machine, name, FORK_AND_READ)
        for i, kind in enumerate(kinds):
            if kind != "stock":
                machine.command(f"start g{i}")
        machine.command("start real")
        line = machine.expect(rf"^\[real\] periods {periods} late (\d+) worst (\d+) us", 1200)
        machine.send("\n")
        machine.prompt()
        missed = stats(machine, "real")["vcpu.0.deadline_misses.sum"]
        print(f"    {periods} periods, worst {line.group(2)} us, {missed} missed", flush=True)
        harness.check(line.group(1) == "0", f"late: {line.group(0)}")
        harness.check(missed == 0, f"the kernel counted {missed} missed deadlines")
        for i in range(len(kinds)):
            harness.check(stats(machine, f"g{i}")["vcpu.0.time"] > 0, f"g{i} never ran")


def wait_cpu_time(machine, guest, seconds):
    end, begin = time.monotonic() + 10 * harness.LIMIT, cpu_time(machine, guest)
    while cpu_time(machine, guest) < begin + seconds:
        harness.check(time.monotonic() < end, f"{guest} does not run {seconds} s")
        time.sleep(1)  # who is asked pays for the answer: at five a second one of eight loses 2 %


NAPS = 30000
EIGHT = {f"g{i}": 512 << i // 2 for i in range(8)}


def accounts(machine, names):
    return {name: stats(machine, name) for name in names}


def off_by(shares, before, after):
    """(worst relative error of a share, CPU time in all, what each got in parts of the first's)"""
    rate = {name: share_of_cpu(before[name], after[name]) for name in shares}
    whole = sum(after[n]["vcpu.0.time"] - before[n]["vcpu.0.time"] for n in shares)
    scale = sum(shares.values()) / sum(rate.values()) / 512
    got = {name: rate[name] * scale for name in shares}
    return max(abs(got[n] * 512 / shares[n] - 1) for n in shares), whole, list(got.values())


def check_shares(machine, shares, seconds):
    """Within 3 % while the last one runs so long. Nobody types meanwhile but to ask for its account:
    the console runs above all shares."""
    before = accounts(machine, shares)
    wait_cpu_time(machine, "g7", seconds)
    worst, whole, got = off_by(shares, before, accounts(machine, shares))
    print("    shares 1:2:4:8 got " + " ".join(f"{g:.3f}" for g in got) +
          f": off by {worst:.1%} in {whole / 1e9:.1f} s of CPU time", flush=True)
    harness.check(worst < 0.03, f"shares are off by {worst:.1%}")


def test_shares_counted():
    """Eight guests with a clock, shares 1:2:4:8, twice each, counted: within 3 %. On one CPU; by hand,
    E2E_SCHED=long, on two."""
    vms = harness.VmSet("sched-counted")
    for name, share in EIGHT.items():
        vms.add(name, LOAD, cmdline="ticking", memory=4, extra=tune(f"<shares>{share}</shares>"))
    with vms.boot_counted("console=all", smp=2 if LONG else 1) as machine:
        started(machine, *EIGHT)
        check_shares(machine, EIGHT, 4 if LONG else 1)


# By hand, E2E_SCHED=long: counting, eight kernels take minutes to boot.
if LONG:
    def test_eight_stock_guests_by_shares():
        """On two CPUs, with eight Linux guests, of which every other one forks."""
        vms = harness.VmSet("sched-eight")
        for name in EIGHT:
            vms.add(name, demo.KERNEL, demo.INITRD, f"console=ttyS0 quiet hostname={name}",
                    memory=160)
        with vms.boot_counted("console=all", smp=2, memory=2560) as machine:
            demo.wait_ready(machine, *EIGHT, limit=1800)
            machine.send("\n")
            machine.prompt()
            for i, (name, share) in enumerate(EIGHT.items()):
                busy_shell(machine, name, f"while :; do {'/bin/true' if i % 2 else ':'}; done &\n")
                machine.command(f"schedinfo {name} --set cpu_shares={share}")
            check_shares(machine, EIGHT, 4)


ROUNDS, SLICE_NS = 100, 3_000_000


def progress(machine):
    """{guest: {field: value}} of all that run, by one command."""
    heads = re.split(r"^Domain: '(\S+)'\n", machine.command("domstats", 600), flags=re.M)
    return {name: {key: int(value) for key, value in re.findall(r"^  (\S+)=(\d+)$", text, re.M)}
            for name, text in zip(heads[1::2], heads[2::2])}


def test_a_hundred_guests_get_on():
    """Equal guests, fifty for each CPU: each gets a whole slice before all together have had as much
    as ROUNDS of them each."""
    names = [f"t{i}" for i in range(100)]
    vms = harness.VmSet("sched-hundred")
    for name in names:
        vms.add(name, LOAD, cmdline="spin", memory=4)
    with vms.boot_counted(smp=2, memory=2048) as machine:
        machine.prompt()
        for name in names:
            machine.wait_state(name, "running")
        before, ran = progress(machine), dict.fromkeys(names, 0)
        while min(ran.values()) < SLICE_NS:
            least = min(names, key=ran.get)
            harness.check(sum(ran.values()) < ROUNDS * SLICE_NS * len(names),
                          f"{least} ran {ran[least] / 1e6:.1f} ms of {sum(ran.values()) / 1e9:.1f} s")
            after = progress(machine)
            ran = {n: after[n]["vcpu.0.time"] - before[n]["vcpu.0.time"] for n in names}
        print(f"    {min(ran.values()) / 1e6:.1f} to {max(ran.values()) / 1e6:.1f} ms each "
              f"of {sum(ran.values()) / 1e9:.1f} s", flush=True)


def test_nobody_sleeps_for_ever():
    """Each sleeps until its clock wakes it, all the time; what interrupts the machine between a guest's STI and its
    HLT must not let the clock's interrupt in there, or nothing wakes that guest again."""
    names = [f"n{i}" for i in range(8)]
    vms = harness.VmSet("sched-naps")
    for name in names:
        vms.add(name, LOAD, cmdline="nap", memory=4)
    with vms.boot_counted("console=all") as machine:
        started(machine, *names)
        wanted = {name: stats(machine, name)["vcpu.0.timer.sum"] + NAPS for name in names}
        late = set(names)

        def all_woke():
            late.difference_update([n for n in sorted(late) if stats(machine, n)["vcpu.0.timer.sum"] >= wanted[n]])
            return not late
        harness.eventually(all_woke, lambda: f"nothing wakes {sorted(late)}")


def init_time(machine, name):
    return float(machine.expect(rf"^\[{name}\] \[ *(\d+\.\d+)\] Run /init", 1200).group(1))


def test_smp_guest_boots_on_one_cpu():
    """Four vCPUs on one CPU: the boot takes at most 1.3 times what the same work takes on one."""
    times = {}
    for vcpus in (1, 4):
        vms = harness.VmSet(f"sched-smp{vcpus}")
        vms.add("l", demo.KERNEL, demo.INITRD, "console=ttyS0", memory=160, vcpus=vcpus)
        with vms.boot_counted("console=all") as machine:
            times[vcpus] = init_time(machine, "l")
    print(f"    to init: 1 vCPU {times[1]:.3f} s, 4 vCPUs {times[4]:.3f} s, "
          f"{times[4] / times[1]:.2f} times", flush=True)
    harness.check(times[4] < 1.3 * times[1], f"overcommitted 4:1 the boot takes {times}")


TRICKS = ("yield", "timer", "doze", "sleepy", "io", "doorbell")


def test_tricks_gain_nothing():
    """Each way to look for more than one's share, beside a guest that just computes, on one CPU: all
    threads of the trickster together get a half at most."""
    vms = harness.VmSet("sched-tricks").add("fair", LOAD, cmdline="spin", extra=tune(pin(1)))
    for trick in TRICKS:
        vms.add(trick, LOAD, cmdline=trick, virtio=trick == "doorbell", autostart=False,
                extra=tune(pin(1), "<emulatorpin cpuset='1'/>"))
    with vms.boot("", smp=2) as machine:
        machine.prompt()
        machine.wait_state("fair", "running")
        for trick in TRICKS:
            machine.command(f"start {trick}")
            machine.wait_state(trick, "running")
            wait_cpu_time(machine, "fair", 0.3)
            before = stats(machine, trick), stats(machine, "fair")
            wait_cpu_time(machine, "fair", 10 if LONG else 2)
            after = stats(machine, trick), stats(machine, "fair")
            got, fair = (sum(now[key] - then[key] for key in ("vcpu.0.time", "emulator.time"))
                         for then, now in zip(before, after))
            helper = after[0]["emulator.time"] - before[0]["emulator.time"]
            # The two are asked one after the other: what counts is the fair one's own account.
            left = share_of_cpu(before[1], after[1])
            print(f"    {trick}: {got / (got + fair):.1%}, of which its VMM's thread "
                  f"{helper / (got + fair):.1%}; it left {left:.1%}", flush=True)
            harness.check(left > 0.46, f"{trick} left only {left:.1%}")
            machine.command(f"destroy {trick}")
            machine.wait_state(trick, "shut off")
