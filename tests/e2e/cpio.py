# SPDX-License-Identifier: BSD-2-Clause
"""A cpio archive in the new ASCII format, as the Linux kernel reads it for its initramfs."""

import os
import stat


class Archive:
    def __init__(self):
        self.parts = []
        self.inode = 1
        self.folders = set()

    def add(self, name, mode, data=b"", device=(0, 0)):
        name = name.strip("/")
        parent = os.path.dirname(name)
        if parent and parent not in self.folders:
            self.add(parent, stat.S_IFDIR | 0o755)
        if stat.S_ISDIR(mode):
            if name in self.folders:
                return
            self.folders.add(name)
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        self.parts += [head, bytes(-len(head) % 4), data, bytes(-len(data) % 4)]
        self.inode += 1

    def file(self, name, data, mode=0o755):
        self.add(name, stat.S_IFREG | mode, data)

    def copy(self, path, name=None):
        with open(path, "rb") as f:
            self.file(name or path, f.read())

    def link(self, name, target):
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def console(self):
        self.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))

    def bytes(self):
        self.add("TRAILER!!!", 0)
        return b"".join(self.parts)
