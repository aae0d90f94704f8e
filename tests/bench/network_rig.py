# SPDX-License-Identifier: BSD-2-Clause
"""Area `network`: two Linux guests talk to each other, under Mullion, and under KVM with vhost-net
and a bridge; counted in instructions, all of both guests and of what lies between them. In Bochs: in QEMU,
counting, two guests of KVM's did not come to their work (docs/caveats.md). Before that one guest talks to itself,
by its loopback: what no hypervisor can take away. Then Mullion's alone, in QEMU,
over a wire between two cards of the host: emulated cards move frames while their registers are written."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import bochs_rig  # noqa: E402
import guest_net  # noqa: E402
import harness  # noqa: E402
import kvm_rig  # noqa: E402

TEST = """#!/bin/sh
n=1
[ "$(hostname)" = beta ] && n=2
ip addr add 10.0.0.$n/24 dev eth0
ip link set eth0 up
/net server &
if [ $n = 1 ]; then
    ip link set lo up
    /net client 127.0.0.1 own_
    /net client 10.0.0.2
    poweroff -f
fi
"""
MODULES = ("llc", "stp", "bridge", "tun", "tap", "vhost_iotlb", "vhost", "vhost_net")
WIRE = [word for i in range(2) for word in ("-netdev", f"hubport,id=p{i},hubid=0", "-device", f"e1000e,netdev=p{i}")]
KVM = """b=/bin/busybox
for m in {modules}; do $b insmod /modules/$m.ko || echo "network_rig: cannot load $m"; done
$b mkdir -p /dev/net
$b ip link set lo up
guest() {{ name=$1; number=$2; shift 2
  {qemu} -m 160 -kernel /linux -initrd /guest.img -append "console=ttyS0 quiet hostname=$name" \\
  -netdev tap,id=n,ifname=tap$number,script=no,downscript=no,vhost=on \\
  -device virtio-net-pci,netdev=n,mac=52:54:00:0e:00:0$number,romfile= "$@" </dev/null 2>&1; }}
up() {{ until $b ip link set tap$1 up 2>/dev/null; do $b usleep 50000; done; $b brctl addif br0 tap$1; }}
# A bridge would learn for 15 s before it forwards.
$b brctl addbr br0
echo 0 >/sys/class/net/br0/bridge/forward_delay
$b ip link set br0 up
echo "== network"
guest beta 2 &
up 2
guest alpha 1 &
up 1
wait $!
echo "== end network"
$b sleep 1
$b poweroff -f
"""


def build(out):
    """The guests' initrd."""
    program, script = os.path.join(out, "net"), os.path.join(out, "test.sh")
    initrd = os.path.join(out, "net.img")
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", program,
                    os.path.join(HERE, "net.c")], check=True)
    with open(script, "w", encoding="utf-8") as f:
        f.write(TEST)
    os.chmod(script, 0o755)
    return guest_net.kernel(out=initrd, more=("--add", program + ":net", "--add", script + ":test.sh"))


def switch_cost(out):
    """What net.c has no part in: the switch's own work, by its number of ports."""
    program = os.path.join(out, "switch_cost")
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-I", harness.ROOT, "-I",
                    os.path.join(harness.ROOT, "tests", "unit"), "-I", os.path.join(harness.BUILD, "gen"),
                    "-o", program, os.path.join(HERE, "switch_cost.c")], check=True)
    return subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout


def _measured(boot, vms, networks, kernel, initrd, devices):
    for number, name in ((2, "beta"), (1, "alpha")):
        vms.add(name, kernel, initrd, f"console=ttyS0 quiet hostname={name}", memory=160,
                devices=guest_net.interface(number, networks[number - 1]))
    with boot(vms, "console=all", devices) as machine:
        machine.expect(r"bench net_done 0", 900)
        return machine.text


def mullion(kernel, initrd):
    def boot(vms, cmdline, _):
        return vms.boot_intel(f"{cmdline} {bochs_rig.OFF}", cpu=bochs_rig.CPU)
    return _measured(boot, guest_net.Guests("bench-net").network(), ("lan", "lan"), kernel, initrd, [])


def mullion_wire(boot, kernel, initrd):
    vms = guest_net.Guests("bench-wire")
    for i, name in enumerate(("one", "two")):
        vms.network(name, f"  <forward mode='bridge'><interface dev='eth{i}'/></forward>\n")
    return _measured(boot, vms, ("one", "two"), kernel, initrd, WIRE)


def kvm(kernel, modules, initrd, out):
    folder = {}
    for root, _, files in os.walk(modules):
        folder.update({f[:-3]: os.path.join(root, f) for f in files if f.endswith(".ko")})
    programs = {f"modules/{name}.ko": folder[name] for name in MODULES}
    script = kvm_rig.setup("kvm-intel") + KVM.format(modules=" ".join(MODULES), qemu=kvm_rig.GUEST_QEMU)
    with open(initrd, "rb") as f:
        data = kvm_rig.archive(kernel, modules, programs, script, {"guest.img": f.read()}, "kvm-intel")
    return bochs_rig.kvm(out, kernel, data, "net-kvm", r"bench net_done 0")
