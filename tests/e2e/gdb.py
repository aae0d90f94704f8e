# SPDX-License-Identifier: BSD-2-Clause
"""A small client of QEMU's debugger stub: makes a program of Mullion crash at a place of the test's
choice, as a flipped bit would."""

import os
import re
import socket
import struct
import subprocess

import harness

RIP = 16  # number of the register in the stub's amd64 description
TRIES = 3
PROBE = 16  # bytes by which a program is told from others at the same addresses


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Place:
    """A function of a ring-3 program: one that is called by its address, because where a program is compiled
    as a whole others may have become part of their callers."""

    def __init__(self, program, function):
        path = os.path.join(harness.BUILD, "ring3", program + ".debug")
        symbols = subprocess.run(["nm", path], stdout=subprocess.PIPE, text=True, check=True).stdout
        match = re.search(rf"^([0-9a-f]+) [tT] {re.escape(function)}$", symbols, re.M)
        harness.check(match, f"{program} has no function {function}")
        self.address = int(match.group(1), 16)
        with open(path, "rb") as f:
            self.code = self._bytes(f.read())

    def _bytes(self, elf):
        (offset,) = struct.unpack_from("<Q", elf, 32)
        size, count = struct.unpack_from("<HH", elf, 54)
        for i in range(count):
            kind, _, start, va, _, length = struct.unpack_from("<IIQQQQ", elf, offset + i * size)
            if kind == 1 and va <= self.address < va + length:
                start += self.address - va
                return elf[start:start + PROBE]
        raise harness.Failure(f"{self.address:#x} is in no segment")


class Debugger:
    """Connecting stops the machine; it runs again after arm() and crash()."""

    def __init__(self, port, limit=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=limit)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _send(self, text):
        body = text.encode()
        self.socket.sendall(b"$" + body + b"#%02x" % (sum(body) & 0xff))

    def _receive(self):
        while True:
            match = re.search(rb"\$([^#]*)#..", self.buffer)
            if match:
                self.buffer = self.buffer[match.end():]
                self.socket.sendall(b"+")
                return match.group(1).decode()
            data = self.socket.recv(4096)
            harness.check(data, "the debugger stub closed the connection")
            self.buffer += data

    def _ask(self, text, may_fail=False):
        self._send(text)
        # The stub also says, unasked, that connecting has stopped the machine.
        while (answer := self._receive()).startswith("T") and text != "s":
            pass
        harness.check(may_fail or (answer and not re.match(r"E\d\d$", answer)), f"the stub refuses {text!r}: {answer!r}")
        return answer

    def arm(self, place):
        self._ask("qXfer:features:read:target.xml:0,40")  # only then it lets registers be written
        self._ask(f"Z1,{place.address:x},1")
        self._send("c")

    def _places(self):
        """Where each CPU is; the machine is stopped."""
        rips, answer = [], self._ask("qfThreadInfo")
        while answer.startswith("m"):
            self._ask("Hg" + answer[1:])
            rips.append("%#x" % struct.unpack("<Q", bytes.fromhex(self._ask(f"p{RIP:x}")))[0])
            answer = self._ask("qsThreadInfo")
        return ", ".join(rips)

    def _stopped(self, place):
        """Waits until the machine has stopped at a breakpoint. A machine that stands still, or was stopped by
        something else, is looked at and goes on: the stub may have missed a stop."""
        for _ in range(TRIES):
            try:
                while True:
                    stopped = self._receive()
                    if stopped.startswith("T05"):
                        return stopped
                    if stopped.startswith("T"):
                        self._send("c")
            except TimeoutError:
                self.socket.sendall(b"\x03")
                while not (stopped := self._receive()).startswith("T"):
                    continue
                if stopped.startswith("T05"):
                    return stopped
                where = self._places()
                print(f"  nothing comes to {place.address:#x}: CPUs at {where}", flush=True)
                self._send("c")
        raise harness.Failure(f"nothing came to {place.address:#x}: CPUs at {where}")

    def crash(self, place):
        """Waits until a CPU comes to the place, and lets it go on at address 0, where nothing is."""
        while True:
            stopped = self._stopped(place)
            self._ask("Hg" + re.search(r"thread:([^;]+);", stopped).group(1))
            # A guest's program may be there, of which the stub cannot read.
            code = self._ask(f"m{place.address:x},{PROBE:x}", may_fail=True)
            self._ask(f"z1,{place.address:x},1")
            if code == place.code.hex():
                break
            self._ask("s")  # another program at that address: over it
            self.arm(place)
        self._ask(f"P{RIP:x}=" + bytes(8).hex())
        self._send("c")
