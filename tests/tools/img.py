#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mullion-img and mullion-fsck: images in and out, against qemu-img."""
import os
import random
import subprocess
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def sparse(seed, size):
    dice, data = random.Random(seed), bytearray(size)
    for k in range(30):
        at, length = dice.randrange(size - 70000), dice.randrange(1, 70000)
        data[at:at + length] = dice.randbytes(length) if k % 3 else (b"text " * length)[:length]
    return bytes(data)


class Images(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.pool = self.path("pool")
        with open(self.pool, "wb") as f:
            f.truncate(32 << 20)
        self.img("pool-create")

    def tearDown(self):
        status, text = run(os.path.join(BUILD, "mullion-fsck"), self.pool)
        self.folder.cleanup()
        self.assertEqual((status, "clean" in text), (0, True), text)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def img(self, *words, status=0):
        done, text = run(os.path.join(BUILD, "mullion-img"), self.pool, *words)
        self.assertEqual(done, status, text)
        return text

    def convert(self, raw, name, *options):
        status, text = run("qemu-img", "convert", "-O", "qcow2", *options, raw, self.path(name))
        self.assertEqual(status, 0, text)
        return self.path(name)

    def test_raw(self):
        data = sparse(1, 5 << 20) + b"odd"
        self.img("import", self.write("in", data), "v")
        self.img("export", "v", self.path("out"))
        self.assertEqual(self.read("out").rstrip(b"\0"), data.rstrip(b"\0"))

    def test_qcow2(self):
        data = sparse(2, (6 << 20) + 4096)
        raw = self.write("in", data)
        for n, options in enumerate(([], ["-o", "cluster_size=512"], ["-o", "cluster_size=2M"],
                                     ["-o", "compat=0.10"], ["-c"], ["-c", "-o", "cluster_size=2M"],
                                     ["-c", "-o", "cluster_size=512"])):
            with self.subTest(options=options):
                self.img("import", self.convert(raw, f"q{n}", *options), "v")
                self.img("export", "v", self.path("out"))
                self.assertEqual(self.read("out"), data)
                self.img("export", "v", self.path("out.qcow2"), "--format", "qcow2")
                self.assertEqual(run("qemu-img", "check", "-q", self.path("out.qcow2")), (0, ""))
                self.assertEqual(run("qemu-img", "compare", "-q", raw, self.path("out.qcow2"))[0], 0)
                self.img("vol-delete", "v")

    def test_what_cannot_be(self):
        raw = self.write("in", sparse(3, 1 << 20))
        whole = self.convert(raw, "whole")
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", whole, "-F", "qcow2", self.path("thin"))
        self.assertIn("backing file", self.img("import", self.path("thin"), "v", status=1))
        self.convert(raw, "zstd", "-c", "-o", "compression_type=zstd")
        self.assertIn("something else than zlib", self.img("import", self.path("zstd"), "v", status=1))
        self.write("short", self.read("whole")[:150000])
        self.assertIn("lies outside", self.img("import", self.path("short"), "v", status=1))
        self.assertIn("there is no such volume", self.img("export", "v", self.path("x"), status=1))
        self.assertIn("--force", self.img("pool-create", status=1))
        large = self.write("large", random.Random(4).randbytes(40 << 20))
        self.assertIn("the pool is full", self.img("import", large, "v", status=1))
        self.assertNotIn("v ", self.img("vol-list").split("KiB\n")[1])

    def test_volumes(self):
        data = sparse(5, 1 << 20)
        self.img("import", self.write("in", data), "v")
        self.img("snapshot-create", "s", "v")
        self.img("vol-clone", "v@s", "copy")
        self.assertIn("has 1 snapshots", self.img("vol-delete", "v", status=1))
        self.assertIn("--shrink", self.img("vol-resize", "v", "64K", status=1))
        self.img("vol-resize", "v", "64K", "--shrink")
        self.img("snapshot-revert", "s", "v")
        for name in ("v", "v@s", "copy"):
            self.img("export", name, self.path("out"))
            self.assertEqual(self.read("out"), data)


if __name__ == "__main__":
    unittest.main()
