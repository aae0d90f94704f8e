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


RIGS = {"core": "qemu-amd", "intel": "bochs-intel"}
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
    "intel": ("Intel", "Ticks of Bochs' corei7_haswell_4770 with one CPU: one tick of the TSC is"
              " one instruction. Lower is better. KVM as above."),
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
    return "\n".join(lines + [f"- {note}" for note in notes]) + "\n"
