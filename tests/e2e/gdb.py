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
PROBE = 16  # bytes by which a program is told from others at the same addresses


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Place:
    """A function of a ring-3 program."""

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

    def _ask(self, text):
        self._send(text)
        # The stub also says, unasked, that connecting has stopped the machine.
        while (answer := self._receive()).startswith("T") and text != "s":
            pass
        harness.check(answer and not re.match(r"E\d\d$", answer), f"the stub refuses {text!r}: {answer!r}")
        return answer

    def arm(self, place):
        self._ask("qXfer:features:read:target.xml:0,40")  # only then it lets registers be written
        self._ask(f"Z1,{place.address:x},1")
        self._send("c")

    def crash(self, place):
        """Waits until a CPU comes to the place, and lets it go on at address 0, where nothing is."""
        while True:
            try:
                stopped = self._receive()
            except TimeoutError as hang:
                raise harness.Failure(f"nothing came to {place.address:#x}") from hang
            if not stopped.startswith("T05"):
                continue  # connecting has stopped the machine
            self._ask("Hg" + re.search(r"thread:([^;]+);", stopped).group(1))
            code = self._ask(f"m{place.address:x},{PROBE:x}")
            self._ask(f"z1,{place.address:x},1")
            if code == place.code.hex():
                break
            self._ask("s")  # another program at that address: over it
            self.arm(place)
        self._ask(f"P{RIP:x}=" + bytes(8).hex())
        self._send("c")
