# SPDX-License-Identifier: BSD-2-Clause
"""DMA remapping on both of QEMU's IOMMUs: tests/ring3/dma.c has QEMU's edu device copy into memory that is
mapped for it, into memory that is not, and into memory that no longer is."""

import os
import re

import harness

# All addresses, so that edu can aim at any memory.
EDU = ("-device", "edu,dma_mask=0xffffffffffffffff")


def dma_tests(name, *arguments, append="", end="manager: ok dma", refuse="not ok|PANIC"):
    """The log of the kernel tests, up to the end of the one on DMA. An NMI is a panic."""
    os.makedirs(harness.LOGS, exist_ok=True)
    pkg = os.path.join(harness.LOGS, name + ".pkg")
    harness.tool("tools/mkpkg", "--out", pkg, "--component", f"manager={harness.component('ktest')}")
    command = harness.qemu(*arguments, *EDU, "-kernel", harness.KERNEL, "-initrd", pkg, "-append", "nmi=panic " + append)
    with harness.Machine(name, command) as machine:
        machine.expect(end, refuse=refuse)
        return machine.text


def wanted(text, *patterns):
    for pattern in patterns:
        harness.check(re.search(pattern, text), f"no {pattern!r} in:\n{text[-3000:]}")


def aims(text):
    """Where the tests say that edu is about to write, as the log has it."""
    found = re.findall(r"dma: a write to ([0-9a-f]+) follows", text)
    harness.check(len(found) == 2, f"{len(found)} attacks")
    return found


def vtd(name, options):
    text = dma_tests(name, "-device", "intel-iommu" + options)
    wanted(text, r"iommu: 1 VT-d", "dma: confined by VT-d", "dma: edu is kept to its memory")
    for address in aims(text):
        wanted(text, rf"iommu: device 0000:00:0[0-9a-f]\.0: write to {address} stopped: not mapped for writing")
    wanted(text, r"stopped: nothing is mapped for it")
    return text


def test_vtd():
    wanted(vtd("iommu-vtd", ""), "39 address bits, 3 levels, pages up to 1048576 KiB")


def test_vtd_four_levels():
    wanted(vtd("iommu-vtd-48", ",aw-bits=48"), "48 address bits, 4 levels")


def test_vtd_caching_mode():
    """The unit remembers that nothing was mapped."""
    vtd("iommu-vtd-caching", ",caching-mode=on")


def test_amdvi():
    """QEMU 7.2 writes the event log without the address, and does not say that it has: docs/caveats.md."""
    text = dma_tests("iommu-amdvi", "-device", "amd-iommu")
    wanted(text, r"iommu: 1 AMD-Vi, 48 address bits, 4 levels", "dma: confined by AMD-Vi",
           "dma: edu is kept to its memory")


def test_amdvi_without_interrupt_remapping():
    """What remapping is for: here the device's forged NMIs arrive."""
    text = dma_tests("iommu-amdvi-nmi", "-device", "amd-iommu,intremap=off", end="PANIC: NMI of unknown origin",
                     refuse="not ok|manager: ok dma")
    wanted(text, "dma: forged interrupts follow")


def test_noiommu():
    text = dma_tests("iommu-off", "-device", "intel-iommu", append="noiommu")
    wanted(text, "iommu: noiommu: a device's DMA reaches all memory", "dma: confined by nothing")


def test_without():
    text = dma_tests("iommu-none")
    wanted(text, "iommu: none: a device's DMA reaches all memory", "dma: confined by nothing")


def system(name, iommu):
    """Console and a guest on a machine with an IOMMU: the serial line's interrupt goes through it."""
    vms = harness.VmSet(name).add("counter", harness.test_guest("counter"))
    command = [*harness.pvh(vms.package(), "console=all"), "-device", iommu]
    with harness.Console(name, command) as machine:
        machine.expect("iommu: 1 .* interrupts remapped")
        machine.expect(r"^\[counter\] beat 1 ")
        machine.send("\n")
        machine.prompt()
        wanted(machine.command("dmesg"), "interrupts remapped")
        harness.check("running" in machine.state("counter"), "the guest does not run")


def test_system_vtd():
    system("iommu-system-vtd", "intel-iommu")


def test_system_amdvi():
    system("iommu-system-amdvi", "amd-iommu")
