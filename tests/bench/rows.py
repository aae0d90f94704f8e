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


def goal(name, bare, kvm):
    if name in FIXED and bare is not None:
        return int(bare * FIXED[name][1])
    return kvm // 5 if kvm is not None else None


def exit_rows(bare, mullion, kvm):
    for name, title in EXITS:
        yield {"area": "core", "name": title, "rig": "qemu-amd", "unit": "instructions",
               "bare": bare.get(name), "mullion": mullion.get(name), "kvm": kvm.get(name),
               "goal": goal(name, bare.get(name), kvm.get(name))}


def row(name, unit, bare=None, mullion=None, kvm=None, target=None):
    return {"area": "core", "name": name, "rig": "qemu-amd", "unit": unit, "bare": bare,
            "mullion": mullion, "kvm": kvm, "goal": target}


def verdict(entry):
    if entry["mullion"] is None:
        return "not measured"
    if entry["goal"] is None:
        return ""
    return "reached" if entry["mullion"] <= entry["goal"] else "**missed**"


def number(value):
    return "–" if value is None else f"{value:,}"


def markdown(rows, notes):
    lines = ["# Benchmark", "",
             "Counts under `-accel tcg,thread=single -icount shift=0,sleep=off -cpu max -smp 1`: one"
             " tick of the TSC is one instruction. Lower is better. KVM is Debian's cloud kernel"
             " with Debian's QEMU as its VMM, on the same emulated machine.", "",
             "| what | unit | bare | Mullion | KVM | goal | |", "|---|---|--:|--:|--:|--:|---|"]
    for r in rows:
        lines.append("| {} | {} | {} | {} | {} | {} | {} |".format(
            r["name"], r["unit"], *(number(r[k]) for k in ("bare", "mullion", "kvm", "goal")),
            verdict(r)))
    return "\n".join(lines + [""] + [f"- {note}" for note in notes]) + "\n"
