# SPDX-License-Identifier: BSD-2-Clause
"""A station on the wire of an emulated NIC, beside QEMU's own network: whole Ethernet frames over a
UDP socket. It answers ARP for its address and serves the time; and sends what no real stack sends."""

import os
import random
import socket
import struct
import threading

ADDRESS = "10.0.2.77"
MAC = bytes.fromhex("020000000077")
HOST = "10.0.2.15"
NTP_EPOCH = 2208988800


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip(source, target, protocol, payload, fragment=0, ident=0):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, fragment, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def with_sum(source, target, protocol, payload, at):
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack(">BBH", 0, protocol,
                                                                               len(payload))
    return payload[:at] + struct.pack(">H", checksum(pseudo + payload)) + payload[at + 2:]


def udp(source, target, ports, data):
    packet = struct.pack(">HHHH", *ports, 8 + len(data), 0) + data
    return ip(source, target, 17, with_sum(source, target, 17, packet, 6))


def syn(source, target, ports):
    packet = struct.pack(">HHIIBBHHH", *ports, random.getrandbits(32), 0, 5 << 4, 2, 64000, 0, 0)
    return ip(source, target, 6, with_sum(source, target, 6, packet, 16))


class Wire:
    """One end of a wire to QEMU; take() gets what comes."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.peer = probe.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def qemu(self, devices, user=()):
        """A hub with this wire and a NIC for each of the devices, n0, n1 ...; user: options of QEMU's own network, which
        is there, too, then."""
        port, peer = self.socket.getsockname()[1], self.peer[1]
        words = ["-netdev", f"socket,id=wire,udp=127.0.0.1:{port},localaddr=127.0.0.1:{peer}",
                 "-netdev", "hubport,id=tap,hubid=0,netdev=wire"]
        if user:
            words += ["-netdev", ",".join(("user,id=user", *user)), "-netdev", "hubport,id=out,hubid=0,netdev=user"]
        for i, device in enumerate(devices):
            words += ["-netdev", f"hubport,id=p{i},hubid=0", "-device", f"{device},netdev=p{i},id=n{i}"]
        return words

    def send(self, frame):
        try:
            self.socket.sendto(frame, self.peer)
        except OSError:
            pass  # QEMU is behind, or gone

    def close(self):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                frame = self.socket.recv(65536)
            except OSError:
                return
            self.take(frame)


class Station(Wire):
    """unix_time: what its time server says; None: it has none."""

    def __init__(self, unix_time=None):
        self.unix_time, self.asked = unix_time, 0
        self.host_mac = bytes.fromhex("525400000001")
        super().__init__()

    def send_ip(self, packet):
        self.send(self.host_mac + MAC + b"\x08\0" + packet)

    def take(self, frame):
        kind = frame[12:14]
        if kind == b"\x08\x06" and frame[20:22] == b"\0\1" and \
                frame[38:42] == socket.inet_aton(ADDRESS):
            self.send(frame[6:12] + MAC + frame[12:20] + b"\0\2" + MAC + frame[38:42] +
                      frame[22:32])
        elif kind == b"\x08\0" and frame[23] == 17 and frame[30:34] == socket.inet_aton(ADDRESS):
            self._udp(frame)

    def _udp(self, frame):
        ports, question = struct.unpack(">HH", frame[34:38]), frame[42:]
        if ports[1] != 123 or self.unix_time is None:
            return
        self.asked += 1
        now = struct.pack(">II", self.unix_time + NTP_EPOCH & 0xffffffff, 0)
        answer = bytes([0x24, 2]) + bytes(22) + question[40:48] + now + now
        source = socket.inet_ntoa(frame[26:30])
        packet = udp(ADDRESS, source, (123, ports[0]), answer)
        self.send(frame[6:12] + MAC + b"\x08\0" + packet)

    # --- what no real stack sends ---
    def flood_syns(self, count):
        for i in range(count):
            source = f"10.0.2.{100 + i % 100}"
            self.send_ip(syn(source, HOST, (random.randrange(1024, 65536), 9100)))

    def flood_fragments(self, count):
        for i in range(count):
            self.send_ip(ip(f"10.0.2.{100 + i % 100}", HOST, 17, bytes(1000), 0x2000 | i % 60 * 125,
                            random.getrandbits(16)))

    def flood_arp(self, count):
        for i in range(count):
            last = 100 + i % 100  # not the address of anybody who is there
            other = bytes([2, 0, 0, 0, 1, last])
            body = b"\0\1\x08\0\6\4\0\1" + other + bytes([10, 0, 2, last]) + bytes(6) + \
                socket.inet_aton(HOST)
            self.send(b"\xff" * 6 + other + b"\x08\x06" + body)

    def flood_noise(self, count):
        for i in range(count):
            kind = (b"\x08\0", b"\x86\xdd", b"\x08\x06", os.urandom(2))[i % 4]
            self.send(self.host_mac + MAC + kind + os.urandom(random.randrange(0, 1400)))


class Tap(Wire):
    """A station on a wire between uplinks: remembers all frames, answers ARP and pings for 10.VLAN.0.77."""

    def __init__(self):
        self.frames = []
        super().__init__()

    @staticmethod
    def vlan(frame):
        """0: untagged."""
        return struct.unpack(">H", frame[14:16])[0] & 0xfff if frame[12:14] == b"\x81\0" else 0

    def seen(self, source):
        """Frames from an address, as text."""
        mac = bytes.fromhex(source.replace(":", ""))
        return [frame for frame in self.frames if frame[6:12] == mac]

    def take(self, frame):
        self.frames.append(frame)
        vlan = self.vlan(frame)
        own = bytes([10, vlan & 0xff, 0, 77])
        rest = frame[18:] if vlan else frame[14:]
        kind, tag = (frame[16:18], frame[12:16]) if vlan else (frame[12:14], b"")
        head = frame[6:12] + MAC + tag + kind
        if kind == b"\x08\x06" and rest[6:8] == b"\0\1" and rest[24:28] == own:
            self.send(head + rest[:6] + b"\0\2" + MAC + own + rest[8:18] + bytes(18))
        elif kind == b"\x08\0" and rest[9] == 1 and rest[16:20] == own and rest[20] == 8:
            data = rest[20:struct.unpack(">H", rest[2:4])[0]]
            data = b"\0\0\0\0" + data[4:]
            answer = rest[:12] + own + rest[12:16] + data[:2] + struct.pack(">H", checksum(data)) + data[4:]
            self.send(head + answer + bytes(max(0, 60 - len(head) - len(answer))))
