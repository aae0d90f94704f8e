# SPDX-License-Identifier: BSD-2-Clause
"""Debian packages, downloaded with apt and unpacked into a cache, never installed."""

import fcntl
import os
import subprocess


def output(*command, cwd=None):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=cwd, text=True).stdout


def newest_kernel_package(meta):
    """The package that a meta package like linux-image-cloud-amd64 stands for."""
    for line in output("apt-cache", "depends", "--no-recommends", meta).splitlines():
        word = line.split()[-1]
        if word.startswith("linux-image-") and word != meta:
            return word
    raise SystemExit(f"apt knows no kernel behind {meta}: run apt-get update")


def version(package):
    for line in output("apt-cache", "policy", package).splitlines():
        if "Candidate:" in line:
            return line.split()[-1]
    raise SystemExit(f"apt knows no package {package}: run apt-get update")


def unpacked(package, cache):
    """Folder with the package's files."""
    folder = os.path.join(cache, "unpacked", f"{package}_{version(package)}")
    os.makedirs(cache, exist_ok=True)
    with open(os.path.join(cache, "unpacked.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run side by side want the same ones
        if not os.path.isdir(folder):
            unpack(package, cache, folder)
    return folder


def unpack(package, cache, folder):
    debs = os.path.join(cache, "debs")
    os.makedirs(debs, exist_ok=True)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    print(f"download {package}", flush=True)
    subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package],
                   check=True, cwd=debs, stdout=subprocess.DEVNULL)
    newest = max((os.path.join(debs, f) for f in os.listdir(debs) if f.startswith(package + "_")),
                 key=os.path.getmtime)
    subprocess.run(["dpkg", "-x", newest, folder + ".part"], check=True)
    os.rename(folder + ".part", folder)


def cloud_kernel(cache):
    """(path of vmlinuz, folder of its modules) of linux-image-cloud-amd64."""
    folder = unpacked(newest_kernel_package("linux-image-cloud-amd64"), cache)
    boot = os.path.join(folder, "boot")
    modules = os.path.join(folder, "lib", "modules")
    image = next(f for f in os.listdir(boot) if f.startswith("vmlinuz-"))
    return os.path.join(boot, image), os.path.join(modules, os.listdir(modules)[0])
