# SPDX-License-Identifier: BSD-2-Clause
"""Programs of Debian packages that are not installed: for a guest's initramfs, and to run on this machine
with the libraries that they were made for."""

import os
import re

import debian
import harness

# What ssh and traffic need, and what judges /metrics; newest versions of the machine's own release.
PACKAGES = ("dropbear-bin", "iperf3", "libc6", "libcrypt1", "libtomcrypt1", "libtommath1", "libgmp10", "zlib1g",
            "libiperf0", "libsctp1", "libssl3")
FOLDERS = ("bin", "sbin", "usr/bin", "usr/sbin")
LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
LOADER = "ld-linux-x86-64.so.2"
IN_GUEST = "lib/x86_64-linux-gnu"


class Programs:
    def __init__(self):
        self.roots = [debian.unpacked(package, harness.CACHE) for package in PACKAGES]

    def _find(self, folders, name):
        for root in self.roots:
            for folder in folders:
                path = os.path.join(root, folder, name)
                if os.path.exists(path):
                    return os.path.realpath(path)
        raise harness.Failure(f"no package of {', '.join(PACKAGES)} has {name}")

    def _closure(self, path, found):
        """Libraries that an ELF file names, and those that these name."""
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", debian.output("readelf", "-d", path)):
            if name not in found:
                found[name] = self._find(LIBRARIES, name)
                self._closure(found[name], found)
        return found

    def command(self, name, *arguments):
        """For this machine: the program by its own loader."""
        libraries = ":".join(os.path.join(root, folder) for root in self.roots for folder in LIBRARIES)
        return [self._find(LIBRARIES, LOADER), "--library-path", libraries, self._find(FOLDERS, name), *arguments]

    def words(self, *names):
        """mkinitrd's words that put the programs with their libraries into a guest's initramfs."""
        files, libraries = {}, {}
        for name in names:
            files["usr/bin/" + name] = self._find(FOLDERS, name)
            self._closure(files["usr/bin/" + name], libraries)
        for name, path in libraries.items():
            files[f"{IN_GUEST}/{name}"] = path
        files["lib64/" + LOADER] = self._find(LIBRARIES, LOADER)
        return [word for name, path in files.items() for word in ("--add", f"{path}:{name}")]
