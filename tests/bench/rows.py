# SPDX-License-Identifier: BSD-2-Clause
"""The rows of the benchmark: what tests/bench/exits.c calls them, what they are for a reader."""

# name in exits.c, title. The goal of each is a fifth of KVM's figure unless given in FIXED.
EXITS = (
    ("cpuid", "CPUID"),
    ("hypercall", "unknown hypercall"),
    ("pio_vmm_out", "port write to the VMM (UART scratch register)"),
    ("pio_vmm_in", "port read from the VMM (UART scratch register)"),
    ("pio_pic", "port read of the PIC's mask (KVM: in the kernel, Mullion: in the VMM)"),
    ("doorbell_pio", "port doorbell (KVM: pci-testdev ioeventfd, Mullion: virtio notify)"),
    ("doorbell_mmio", "MMIO doorbell (KVM: pci-testdev ioeventfd)"),
    ("mmio_vmm_read", "MMIO read from the VMM (ECAM)"),
    ("mmio_vmm_write", "MMIO write to the VMM (ECAM)"),
    ("xapic_read", "xAPIC register read by MMIO (KVM: in the kernel)"),
    ("io_apic_write", "I/O APIC index write (KVM: in the kernel, Mullion: in the VMM)"),
    ("rdmsr", "rdmsr in the kernel (IA32_APIC_BASE)"),
    ("wrmsr", "wrmsr in the kernel (IA32_APIC_BASE, same value)"),
    ("apic_eoi", "x2APIC EOI (bare: xAPIC)"),
    ("self_ipi", "x2APIC self-IPI, taken at once (bare: xAPIC)"),
    ("self_ipi_hlt", "x2APIC self-IPI, out of HLT (bare: xAPIC)"),
    ("deadline_write", "TSC-deadline write"),
    ("deadline_taken", "TSC deadline armed and taken"),
    ("cr0_wp_twice", "two CR0.WP toggles"),
    ("cr4_pge_twice", "two CR4.PGE toggles"),
    ("first_touch", "first touch of a 4 KiB page (KVM: present in the host, no huge pages)"),
    ("ipi_halted_round_trip", "IPI to a halted vCPU and its answer, both on one host CPU"),
)
# Toggles are to run without an exit: what they cost bare, and a little.
FIXED = {"cr0_wp_twice": ("bare", 1.5), "cr4_pge_twice": ("bare", 1.5)}


# name, title, goal: a part of KVM's figure, or a number. A yield stays inside one VM on KVM.
SCHEDULER = (
    ("switch", "from one guest's vCPU to another's when its turn ends, all in", 1 / 4),
    ("yield", "from one guest's vCPU to another's by a yield, all in", None),
    ("device_wake", "a port write for which a device interrupts a halted vCPU, to its first"
     " instruction", 1 / 4),
    ("ipi_wake", "an IPI to a halted vCPU, to its first instruction", 1 / 4),
    ("tick", "lost of 10,000,000 instructions when nothing else is to run", 0),
    ("timer_soon", "a timer 50 us ahead: from its deadline to the halted guest's first instruction",
     None),
    ("timer_late", "the same, 2 ms ahead", None),
)
# Figures of KVM without early timers and polling, which hide a wake-up's cost behind work done in
# advance.
PLAIN = (
    ("timer_soon", "timer 50 us ahead; KVM without early timers and polling", 1 / 4),
    ("timer_late", "timer 2 ms ahead; KVM without early timers and polling", 1 / 4),
    ("device_wake", "device's interrupt; KVM without polling", 1 / 4),
    ("ipi_wake", "IPI; KVM without polling", 1 / 4),
)
CONTEXTS = (1, 10, 100, 1000, 10000)

RIGS = {"core": "qemu-amd", "intel": "bochs-intel", "scheduler": "qemu-amd",
        "network": "bochs-intel", "storage": "qemu-amd"}
# Goals on Intel, in Bochs; what is not here has none there.
INTEL = {"cpuid": 250, "rdmsr": 250, "wrmsr": 250, "apic_eoi": 200, "deadline_write": 300,
         "pio_vmm_out": 800, "pio_vmm_in": 800, "doorbell_pio": 250, "mmio_vmm_read": 1500,
         "mmio_vmm_write": 1500, "first_touch": 800}
ASSISTED = ("apic_eoi", "self_ipi", "self_ipi_hlt")


def goal(name, bare, kvm):
    if name in FIXED and bare is not None:
        return int(bare * FIXED[name][1])
    return kvm // 5 if kvm is not None else None


def exit_rows(bare, mullion, kvm):
    for name, title in EXITS:
        yield row(title, "instructions", bare.get(name), mullion.get(name), kvm.get(name),
                  goal(name, bare.get(name), kvm.get(name)))


def intel_rows(bare, plain, assisted, kvm):
    """assisted: with the local APIC's assists, which only some exits notice."""
    for name, title in EXITS:
        yield row(title, "ticks", bare.get(name), plain.get(name), kvm.get(name), INTEL.get(name),
                  area="intel")
    for name, title in EXITS:
        if name in ASSISTED:
            # Without an exit: what it costs bare, and one.
            target = bare[name] + 1 if name == "apic_eoi" and name in bare else None
            yield row(title + ", APIC virtualisation", "ticks", bare.get(name),
                      assisted.get(name), kvm.get(name), target, area="intel")


# name in net.c, title, unit, part of KVM's figure that is the goal.
NETWORK = (
    ("udp_round_trip", "UDP round trip of 64 bytes", "ticks", 4),
    ("udp_packet", "UDP packet of 1,400 bytes", "ticks", 3),
    ("tcp_kib", "KiB of TCP", "ticks", 3),
)


def network_rows(mullion, wire, kvm, cost):
    """wire: guests on either side of a wire between two cards of the host; cost: of the switch alone."""
    for name, what, unit, part in NETWORK:
        target = kvm[name] // part if name in kvm else None
        yield row(what + ", guest to guest", unit, None, mullion.get(name), kvm.get(name), target, "network")
    for name, what, unit, _ in NETWORK:
        yield row(what + ", inside one guest", unit, None, mullion.get("own_" + name), kvm.get("own_" + name),
                  area="network")
    for name, what, unit, _ in NETWORK:
        yield row(what + ", over two cards and a wire, in QEMU", unit, None, wire.get(name), area="network")
    for ports in (2, 16, 64, 256):
        yield row(f"the switch's own work on a frame, {ports} ports", "ns here", mullion=cost.get(f"switch_frame_{ports}"),
                  area="network")


def scheduler_rows(bare, mullion, kvm, plain, cost):
    for rival, wanted in ((kvm, SCHEDULER), (plain, PLAIN)):
        for name, title, part in wanted:
            figure = rival.get(name)
            target = part if not part else int(figure * part) if figure is not None else None
            yield row(title, "instructions", bare.get(name), mullion.get(name), figure, target,
                      area="scheduler")
    for what, title in (("pick", "pick"), ("wake", "wake-up")):
        for count in CONTEXTS:
            yield row(f"{title}, {count:,} contexts on the CPU", "instructions",
                      mullion=cost.get(f"sched_{what}_{count}"), area="scheduler")


def curve(rows):
    """What grows with the number of contexts, drawn."""
    chosen = [r for r in rows if r["area"] == "scheduler" and "contexts" in r["name"]
              and r["mullion"] is not None]
    most = max((r["mullion"] for r in chosen), default=1)
    lines = [f"{r['name']:<40}{r['mullion']:>6} {'#' * max(1, 50 * r['mullion'] // most)}"
             for r in chosen]
    return ["```", *lines, "```", ""] if lines else []


def row(name, unit, bare=None, mullion=None, kvm=None, target=None, area="core"):
    return {"area": area, "name": name, "rig": RIGS[area], "unit": unit, "bare": bare,
            "mullion": mullion, "kvm": kvm, "goal": target}


def verdict(entry):
    if entry["mullion"] is None:
        return "not measured"
    if entry["goal"] is None:
        return ""
    return "reached" if entry["mullion"] <= entry["goal"] else "**missed**"


def number(value):
    return "–" if value is None else f"{value:,}"


ABOUT = {
    "core": ("AMD", "Counts under `-accel tcg,thread=single -icount shift=0,sleep=off -cpu max"
             " -smp 1`: one tick of the TSC is one instruction. Lower is better. KVM is Debian's"
             " cloud kernel with Debian's QEMU as its VMM, on the same emulated machine."),
    "network": ("Network", "Two guests with Debian's cloud kernel, one vCPU each, on one host CPU, in Bochs:"
                " all instructions of guests and host. KVM with vhost-net and a bridge."),
    "scheduler": ("Scheduler", "On the AMD rig, all vCPUs on one host CPU. The costs of pick and wake-up are those of the"
                  " kernel's sched/ alone, on a bare machine (tests/bench/sched_cost.c)."),
    "intel": ("Intel", "Ticks of Bochs' corei7_haswell_4770 with one CPU: one tick of the TSC is"
              " one instruction. Lower is better. KVM as above."),
    "storage": ("Storage", "Counted as on AMD: one Linux program reads past its page cache from a disk"
                " that answers at once. Bare: AHCI. Mullion: virtio-blk, its driver and the VMM on the"
                " guest's only CPU. KVM: virtio-blk of QEMU, whose disk costs nothing below it."),
}


def markdown(rows, notes):
    lines = ["# Benchmark", ""]
    for area, (title, text) in ABOUT.items():
        chosen = [r for r in rows if r["area"] == area]
        if not chosen:
            continue
        lines += [f"## {title}", "", text, "", "| what | unit | bare | Mullion | KVM | goal | |",
                  "|---|---|--:|--:|--:|--:|---|"]
        for r in chosen:
            lines.append("| {} | {} | {} | {} | {} | {} | {} |".format(
                r["name"], r["unit"], *(number(r[k]) for k in ("bare", "mullion", "kvm", "goal")),
                verdict(r)))
        lines.append("")
        lines += curve(chosen)
    return "\n".join(lines + [f"- {note}" for note in notes]) + "\n"
