# SPDX-License-Identifier: BSD-2-Clause
"""The far end of a guest's TCP connections: a server of the machine that runs the tests."""

import hashlib
import random
import socket
import threading
import time

import guest_net
import harness

MIB = 1 << 20
KINDS_MAX = 8  # different MiB of one connection that are kept, for a look at what is wrong with them


def noise(size):
    """The same bytes for the same size."""
    source = random.Random(size)
    return b"".join(source.randbytes(min(MIB, size - at)) for at in range(0, size, MIB))


class Taken:
    """What came over one connection."""

    def __init__(self):
        self.sum, self.bytes, self.rest = hashlib.sha256(), 0, b""
        self.kinds = {}  # sum of a MiB: [how often, number of the first, its bytes]

    def add(self, piece):
        self.sum.update(piece)
        self.bytes += len(piece)
        self.rest += piece
        while len(self.rest) >= MIB:
            block, self.rest = self.rest[:MIB], self.rest[MIB:]
            number = (self.bytes - len(self.rest)) // MIB - 1
            keep = block if len(self.kinds) < KINDS_MAX else b""
            self.kinds.setdefault(hashlib.sha256(block).hexdigest(), [0, number, keep])[0] += 1

    def digest(self):
        return self.sum.hexdigest()

    def differences(self, want):
        """What is wrong with a stream of one MiB, sent again and again; None: nothing is."""
        if set(self.kinds) == {want} and not self.rest:
            return None
        right = self.kinds.get(want, [0, 0, b""])[2]
        text = [f"{self.bytes} bytes came, {len(self.rest)} after the last MiB, {len(self.kinds)} kinds of MiB"]
        for key, (count, first, block) in self.kinds.items():
            wrong = [i for i in range(min(len(right), len(block))) if right[i] != block[i]]
            if key != want:
                text.append(f"{count} times from MiB {first} on: {len(wrong)} bytes differ, from {wrong[:1]} to "
                            f"{wrong[-1:]}: {block[wrong[0]:wrong[0] + 32].hex() if wrong else ''}")
        return "; ".join(text)


class Server:
    """Sends `data` to whom connects on `port`, in pieces that go() lets through; takes what comes on `sink`,
    and answers with its sum when all has come."""

    def __init__(self, data=b""):
        self.data, self.taken = data, []
        self.let = threading.Semaphore(0)
        self.sockets = [self._listen(self._send), self._listen(self._take)]
        self.port, self.sink = (s.getsockname()[1] for s in self.sockets)

    @staticmethod
    def sum_of(data):
        return hashlib.sha256(data).hexdigest()

    def _listen(self, serve):
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, args=(listener, serve), daemon=True).start()
        return listener

    def _accept(self, listener, serve):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, serve), daemon=True).start()

    @staticmethod
    def _serve(connection, serve):
        with connection:
            try:
                serve(connection)
            except ConnectionError:
                pass  # what came until then is judged

    def _send(self, connection):
        for at in range(0, len(self.data), MIB // 4):
            self.let.acquire()
            connection.sendall(self.data[at:at + MIB // 4])

    def _take(self, connection):
        taken = Taken()
        self.taken.append(taken)
        while piece := connection.recv(65536):
            taken.add(piece)
        connection.sendall(taken.digest().encode() + b"\n")

    def came(self):
        """Bytes, over all connections."""
        return sum(taken.bytes for taken in self.taken)

    def go(self, pieces=None):
        """Lets through so many pieces of 256 KiB, or all."""
        for _ in range(len(self.data) * 4 // MIB if pieces is None else pieces):
            self.let.release()

    def close(self):
        for listener in self.sockets:
            listener.close()


def endless_sender(machine, guest, to):
    """The guest sends one MiB again and again over one connection, `to` is address and port; its sum."""
    made = guest_net.run(machine, guest, "dd if=/dev/urandom of=/tmp/data bs=1M count=1 2>/dev/null; "
                         "sha256sum /tmp/data", "([0-9a-f]{64})")
    guest_net.run(machine, guest, "rm -f /tmp/stop /tmp/end; { (while [ ! -e /tmp/stop ]; do cat /tmp/data; done | "
                  f"nc {to}; touch /tmp/end) & }}")
    return made.group(1)


def wait_for_more(machine, server, size=MIB // 8):
    """Until the connection has brought so much more: what is killed each time before it has done anything would
    only show that connections end some day."""
    end = time.monotonic() + harness.LIMIT
    before = server.came()
    while server.came() < before + size:
        harness.check(time.monotonic() < end, f"after {before} bytes nothing more came for {harness.LIMIT:g} s")
        machine.listen(0.05)


def end_sender(machine, guest, server, want):
    """It still sends, ends, and all that has come over its only connection is right; how many MiB that is."""
    guest_net.run(machine, guest, "[ ! -e /tmp/end ] && touch /tmp/stop")
    guest_net.run(machine, guest, "while [ ! -e /tmp/end ]; do sleep 1; done", "", 300)
    harness.check(len(server.taken) == 1, f"there were {len(server.taken)} connections")
    wrong = server.taken[0].differences(want)
    harness.check(not wrong, f"what the guest sent differs: {wrong}")
    return server.taken[0].bytes // MIB
