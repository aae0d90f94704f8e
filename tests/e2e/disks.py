# SPDX-License-Identifier: BSD-2-Clause
"""Disk images with partition tables, written here so that no tool of the host is needed."""

import struct
import uuid
import zlib

BLOCK = 512
MIB = 1 << 20
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")


class Partition:
    def __init__(self, name, first, size, identity, kind=LINUX):
        self.name, self.first, self.size = name, first, size  # bytes
        self.uuid, self.type = identity, kind


class Disk:
    """A raw image with a GPT. partitions: (label, MiB) in order, from 1 MiB on."""

    def __init__(self, path, megabytes, partitions, types=None):
        self.path, self.size = path, megabytes * MIB
        self.partition = {}
        at = MIB
        for name, size in partitions:
            identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{path}/{name}")
            self.partition[name] = Partition(name, at, size * MIB, identity,
                                             (types or {}).get(name, LINUX))
            at += size * MIB
        with open(path, "wb") as f:
            f.truncate(self.size)
        self._write_tables()

    def _write_tables(self):
        entries = b""
        for p in self.partition.values():
            last = (p.first + p.size) // BLOCK - 1
            entries += struct.pack("<16s16sQQQ72s", p.type.bytes_le, p.uuid.bytes_le,
                                   p.first // BLOCK, last, 0, p.name.encode("utf-16-le"))
        entries = entries.ljust(128 * 128, b"\0")
        blocks = self.size // BLOCK
        table_blocks = len(entries) // BLOCK
        mbr = bytes(446) + struct.pack("<8BII", 0, 0, 2, 0, 0xEE, 255, 255, 255, 1,
                                       min(blocks - 1, 0xFFFFFFFF))
        self.write(0, mbr.ljust(510, b"\0") + b"\x55\xaa")
        for here, other, table in ((1, blocks - 1, 2), (blocks - 1, 1, blocks - 1 - table_blocks)):
            head = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, here, other,
                               2 + table_blocks, blocks - 2 - table_blocks,
                               uuid.uuid5(uuid.NAMESPACE_URL, self.path).bytes_le, table, 128, 128,
                               zlib.crc32(entries))
            head = head[:16] + struct.pack("<I", zlib.crc32(head)) + head[20:]
            self.write(here * BLOCK, head)
            self.write(table * BLOCK, entries)

    def write(self, offset, data):
        with open(self.path, "r+b") as f:
            f.seek(offset)
            f.write(data)

    def read(self, offset, size):
        with open(self.path, "rb") as f:
            f.seek(offset)
            return f.read(size)

    def qemu(self, bus="ide.0", name="d0", serial="DISK0", options=""):
        """QEMU's arguments: a disk at a port, by default of q35's own AHCI controller."""
        return ["-drive", f"file={self.path},format=raw,if=none,id={name},cache=writeback{options}",
                "-device", f"ide-hd,drive={name},bus={bus},serial={serial}"]
