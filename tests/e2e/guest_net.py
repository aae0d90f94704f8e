# SPDX-License-Identifier: BSD-2-Clause
"""Guests with network cards: a stock Debian kernel with its drivers for them, networks of the set,
and what one does at a guest's shell to send something."""

import fcntl
import os
import re

import debian
import demo
import harness

# What an init of demo/ loads, and drivers of network cards.
MODULES = ["virtio_pci", "virtio_console", "virtio-rng", "virtio_balloon", "evdev", "button", "virtio_net"]
NETWORK = "<network>\n  <name>{name}</name>\n{more}</network>\n"
INTERFACE = """    <interface type='network'>
      <mac address='{mac}'/>
      <source network='{network}'/>
      <model type='{model}'/>
{more}    </interface>
"""


def kernel(e1000=False, out=None, more=()):
    """(vmlinuz, initrd): the cloud kernel, or the full one, which knows an e1000; `more`: words for
    mkinitrd."""
    os.makedirs(harness.LOGS, exist_ok=True)
    with open(os.path.join(harness.LOGS, "net-kernel.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        meta = "linux-image-amd64" if e1000 else "linux-image-cloud-amd64"
        folder = debian.unpacked(debian.newest_kernel_package(meta), harness.CACHE)
        boot, modules = os.path.join(folder, "boot"), os.path.join(folder, "lib", "modules")
        image = next(f for f in os.listdir(boot) if f.startswith("vmlinuz-"))
        initrd = out or os.path.join(harness.LOGS, f"net-{'full' if e1000 else 'cloud'}-initrd.img")
        wanted = MODULES + (["e1000"] if e1000 else [])
        harness.tool("tools/mkinitrd", "--out", initrd, "--busybox", "/bin/busybox", "--modules",
                     os.path.join(modules, os.listdir(modules)[0]),
                     *[w for name in wanted for w in ("--module", name)], *more)
        return os.path.join(boot, image), initrd


def mac(number):
    return f"52:54:00:0e:00:{number:02x}"


def interface(number, network="lan", model="virtio", more=""):
    return INTERFACE.format(mac=mac(number), network=network, model=model, more=more)


class Guests(harness.VmSet):
    """Guests, each with address 10.0.0.NUMBER on its first card."""

    def network(self, name="lan", more=""):
        self.write(f"net-{name}.xml", NETWORK.format(name=name, more=more))
        return self

    def guest(self, name, devices, e1000=False, vcpus=1, memory=160):
        image, initrd = kernel(e1000)
        return self.add(name, image, initrd=initrd, cmdline=f"console=ttyS0 quiet hostname={name}",
                        memory=memory, vcpus=vcpus, devices=devices)


def run(machine, guest, command, answer="", limit=harness.LIMIT, status=0):
    """A command at a guest's shell: ends with `status`, and prints what matches."""
    run.calls += 1
    mark = f"mark{run.calls}"
    match = demo.shell(machine, guest, f"echo {mark}; {command}; r=$?; echo; echo {mark}-$r",
                       rf"(?s)^{mark}\n(.*?)^{mark}-(\d+)", limit)
    text = match.group(1)
    harness.check(status is None or int(match.group(2)) == status,
                  f"{guest}: {command} ended with {match.group(2)}:\n{text}")
    found = re.search("^" + answer, text, re.M)
    harness.check(found, f"{guest}: {command} printed no {answer!r}:\n{text}")
    return found


run.calls = 0


def start(machine, *guests):
    demo.wait_ready(machine, *guests)
    machine.send("\n")
    machine.prompt()


def address(machine, guest, number, card="eth0", mtu=None):
    """10.0.0.NUMBER for a card of a guest."""
    more = f" && ip link set {card} mtu {mtu}" if mtu else ""
    run(machine, guest, f"ip addr add 10.0.0.{number}/24 dev {card} && ip link set {card} up" + more)


def ping(machine, guest, number, size=56, count=3):
    run(machine, guest, f"ping -c {count} -W 20 -s {size} 10.0.0.{number}",
        rf"{count} packets transmitted, {count} packets received")
