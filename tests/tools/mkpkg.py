#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/mkpkg: what it packs, and what it says about a bad VM set."""
import hashlib
import os
import struct
import subprocess
import tempfile
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "mkpkg")
DOMAIN = """<domain type="kvm">
  <name>a</name>
  <os>
    <type>hvm</type>
    <kernel>%s</kernel>
    <initrd> images/initrd.img </initrd>
  </os>
  <devices><disk><source file="%s"/></disk></devices>
</domain>
"""


def read_package(path):
    """docs/boot-package.md, read independently of lib/package.c."""
    data = open(path, "rb").read()
    magic, version, count, total, reserved, digest = struct.unpack_from("<8sIIQQ32s", data)
    assert (magic, version, total, reserved) == (b"MULLION\0", 1, len(data), 0)
    index = data[64:64 + 176 * count]
    assert digest == hashlib.sha256(data[:32] + bytes(32) + index).digest()
    files = {}
    for i in range(count):
        name, offset, size, sha = struct.unpack_from("<128sQQ32s", index, 176 * i)
        content = data[offset:offset + size]
        assert offset % 4096 == 0 and len(content) == size
        assert sha == hashlib.sha256(content).digest()
        files[name.rstrip(b"\0").decode()] = content
    assert list(files) == sorted(files, key=str.encode)
    return files


class MkpkgTest(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.root = self.temporary.name
        self.addCleanup(self.temporary.cleanup)
        self.put("prog", "program")

    def put(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def run_tool(self, *extra):
        return subprocess.run([TOOL, "--out", f"{self.root}/p.pkg", "--component", f"manager={self.root}/prog",
                               "--set", f"{self.root}/set", *extra], capture_output=True, text=True)

    def expect_error(self, *texts):
        done = self.run_tool()
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse(os.path.exists(f"{self.root}/p.pkg"))
        for text in texts:
            self.assertIn(text, done.stderr)

    def test_packs_what_is_named(self):
        self.put("set/a.xml", DOMAIN % ("vmlinuz", "./disk.img"))
        self.put("set/vmlinuz", "k" * 5000)
        self.put("set/images/initrd.img", "")
        self.put("set/disk.img", "d")
        self.put("set/unused", "u")
        self.assertEqual(self.run_tool().returncode, 0)
        files = read_package(f"{self.root}/p.pkg")
        self.assertEqual(set(files), {"manager", "set/a.xml", "set/vmlinuz", "set/images/initrd.img", "set/disk.img"})
        self.assertEqual(files["set/vmlinuz"], b"k" * 5000)
        self.assertEqual(files["set/images/initrd.img"], b"")

    def test_missing_files_with_line(self):
        self.put("set/a.xml", DOMAIN % ("vmlinuz", "disk.img"))
        self.put("set/images/initrd.img", "i")
        self.expect_error("a.xml:5: <kernel> names 'vmlinuz'", "a.xml:8: <source> names 'disk.img'", "no such file")

    def test_paths_stay_inside(self):
        self.put("set/images/initrd.img", "i")
        self.put("set/a.xml", DOMAIN % ("../prog", "/etc/passwd"))
        self.expect_error("a.xml:5: <kernel> names '../prog': this leaves", "a.xml:8: <source> names '/etc/passwd': use a")

    def test_malformed(self):
        self.put("set/a.xml", "<domain>\n<name>a</nam>\n</domain>")
        self.expect_error("a.xml:2: not well-formed XML: mismatched tag")
        self.assertEqual(self.run_tool("--raw").returncode, 0)
        self.assertIn("set/a.xml", read_package(f"{self.root}/p.pkg"))

    def test_no_set(self):
        self.expect_error("there is no such folder")
        os.makedirs(f"{self.root}/set")
        self.expect_error("no *.xml in this folder")

    def test_missing_component(self):
        self.put("set/a.xml", "<domain/>")
        os.remove(f"{self.root}/prog")
        self.expect_error("prog: No such file")


if __name__ == "__main__":
    unittest.main()
