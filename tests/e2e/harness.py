# SPDX-License-Identifier: BSD-2-Clause
"""Machines for the end-to-end tests: an emulator with a serial line to expect and send on. Every
wait is for a condition with a limit; nothing sleeps. Logs are in build/e2e/NAME.log."""

import codecs
import contextlib
import os
import re
import selectors
import shutil
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
CACHE = os.path.join(ROOT, os.environ.get("CACHE", os.path.join(BUILD, "cache")))
LOGS = os.path.join(BUILD, "e2e")
KERNEL = os.path.join(BUILD, "mullion.elf")
PROMPT = "mullion # "
LEAVE_CONSOLE = "\x1d"
# Hosts are slow when they emulate: limits are for hangs, not for verdicts on speed.
LIMIT = float(os.environ.get("E2E_LIMIT", "120"))


class Failure(Exception):
    """What a test reports: a sentence, and the end of the log."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def eventually(condition, otherwise, limit=None):
    """Asks again until `condition()` holds: how often that is depends on how fast the machine answers,
    so it is time that bounds it. Otherwise: what is wrong, a function."""
    end = time.monotonic() + (limit or LIMIT)
    while not condition():
        check(time.monotonic() < end, otherwise())


_test = threading.local()  # .machines: those of the test that this thread runs


@contextlib.contextmanager
def within(seconds):
    """Around a test, if seconds is not 0: one that has not ended by then loses its machines, and fails in
    its next wait. Each wait has a limit of its own; this one is for a loop that waits for ever anew."""
    machines = _test.machines = []

    def give_up():
        for machine in machines:
            machine.overdue = True
            machine.process.kill()

    timer = threading.Timer(seconds or threading.TIMEOUT_MAX, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Machine:
    """A running emulator. Use as a context manager: it is killed on the way out."""

    def __init__(self, name, command):
        os.makedirs(LOGS, exist_ok=True)
        self.name = name
        self.text = ""
        self.raw = b""  # with escape sequences and returns
        self.position = 0
        self.log = open(os.path.join(LOGS, name + ".log"), "w", encoding="utf-8")
        self.log.write(" ".join(command) + "\n")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.unfinished = ""
        self.ended = self.overdue = False
        getattr(_test, "machines", []).append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.selector.close()
        self.process.stdout.close()
        self.log.close()

    def _read(self, limit):
        """Takes in what has arrived, waits at most `limit` seconds for the first byte."""
        if self.ended or not self.selector.select(max(limit, 0)):
            return
        data = os.read(self.process.stdout.fileno(), 65536)
        self.ended = not data
        self.raw += data
        text = self._plain(self.decoder.decode(data))
        self.text += text
        self.log.write(text)
        self.log.flush()

    def _plain(self, text):
        """Without escape sequences. A line end is a newline alone; a carriage return alone, which
        is how a prompt is redrawn, becomes return and newline, so that "^" matches after it."""
        text = self.unfinished + text
        cut = re.search(r"(\r|\x1b(\[[0-9;?]*)?)\Z", text) if not self.ended else None
        self.unfinished = cut.group(0) if cut else ""
        text = text[:cut.start()] if cut else text
        text = re.sub(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|[()].|[=>78cM])", "", text)
        return re.sub(r"\r+\n", "\n", text).replace("\r", "\r\n")

    def _fail(self, what):
        what = f"the test's time was up; {what}" if self.overdue else what
        tail = self.text[max(self.position, len(self.text) - 1500):]
        raise Failure(f"{what}\n--- {self.name}, last output ---\n{tail}\n---")

    def expect(self, pattern, limit=LIMIT, refuse=None):
        """Waits until `pattern` matches after the last match; gives the match. `refuse` is a pattern
        that must not come first."""
        end = time.monotonic() + limit
        wanted = re.compile(pattern, re.M)
        unwanted = re.compile(refuse, re.M) if refuse else None
        while True:
            match = wanted.search(self.text, self.position)
            bad = unwanted.search(self.text, self.position) if unwanted else None
            if bad and (not match or bad.start() < match.start()):
                self._fail(f"{bad.group(0)!r} instead of {pattern!r}")
            if match:
                self.position = match.end()
                return match
            if self.ended:
                self._fail(f"the machine ended without {pattern!r}")
            if time.monotonic() > end:
                self._fail(f"no {pattern!r} within {limit:g} s")
            self._read(end - time.monotonic())

    def listen(self, seconds):
        """Takes in what the machine says, at most for so long."""
        self._read(seconds)

    def send(self, text):
        try:
            self.process.stdin.write(text.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            self._fail(f"the machine ended before {text!r} was sent")

    def wait_end(self, limit=LIMIT):
        """Waits for the emulator to end by itself (power-off with -no-shutdown absent)."""
        end = time.monotonic() + limit
        while not self.ended:
            if time.monotonic() > end:
                self._fail(f"still running after {limit:g} s")
            self._read(end - time.monotonic())
        return self.process.wait()


class Console(Machine):
    """A machine that runs Mullion, with its console on the serial line."""

    def prompt(self, limit=LIMIT):
        # The prompt may already have gone by under guests' output: ask for a new one.
        self.expect(re.escape(PROMPT), limit)

    def command(self, text, limit=LIMIT):
        """Types a command at the prompt; gives what it printed. A prompt may be redrawn with what
        was typed so far; only Enter puts a newline without a return after it."""
        self.send(text + "\n")
        self.expect(re.escape(text) + r"\n", limit)
        start = self.position
        self.expect("^" + re.escape(PROMPT), limit)
        return self.text[start:self.position - len(PROMPT)].strip("\n")

    def state(self, guest):
        """State as `list` shows it: the words after the guest's name."""
        for line in self.command("list --all").splitlines():
            words = line.split()
            if guest in words:
                return " ".join(words[words.index(guest) + 1:])
        raise Failure(f"list --all has no {guest}")

    def wait_state(self, guest, state, limit=LIMIT):
        end = time.monotonic() + limit
        while True:
            now = self.state(guest)
            if state in now:
                return
            if time.monotonic() > end:
                self._fail(f"{guest} is {now!r}, not {state!r}, after {limit:g} s")

    def enter(self, guest):
        self.send(f"console {guest}\n")
        self.expect(f"console {guest}")

    def leave(self):
        self.send(LEAVE_CONSOLE)
        self.prompt()


# One thread for all emulated CPUs: with a thread for each, an FXRSTOR on one can undo what VMRUN has just
# done on the first (docs/caveats.md), so that a guest there dies or stands still, once in hours.
ACCEL = os.environ.get("E2E_ACCEL", "tcg,thread=single")
# CPUs that really race, for guests that do not restore FPU state all the time.
PARALLEL = ("-accel", os.environ.get("E2E_ACCEL", "tcg,thread=multi"))
# A tick of the TSC is an instruction, so the host's own load plays no part. Of two CPUs one stands
# still while the other one runs, for up to a few ms: what they do is as reproducible, costs are not.
COUNTED = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]

# A folder in which tools/fetch-qemu has unpacked a newer one; empty: the installed one.
QEMU_ROOT = os.environ.get("E2E_QEMU", "")


def emulator():
    """QEMU's command. Another release's program needs its own C library, and so its own loader."""
    if not QEMU_ROOT:
        return ["qemu-system-x86_64"]
    root = os.path.abspath(QEMU_ROOT)
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    data = [w for name in ("qemu", "seabios") for w in ("-L", os.path.join(root, "usr/share", name))]
    return ["env", "QEMU_MODULE_DIR=" + os.path.join(libraries, "qemu"),
            os.path.join(libraries, "ld-linux-x86-64.so.2"), "--library-path", libraries,
            os.path.join(root, "usr/bin/qemu-system-x86_64"), *data]


def qemu(*arguments, smp=2, memory=1024, cpu="max", machine="q35", accel=("-accel", ACCEL)):
    return [*emulator(), *accel, "-M", machine, "-cpu", cpu,
            "-smp", str(smp), "-m", str(memory), "-nodefaults", "-display", "none",
            "-serial", "stdio", "-no-reboot", *arguments]


COMPONENTS = ("manager", "console", "vmm", "ahci", "pool", "switch", "nic", "ip")
LOADER = os.path.join(BUILD, "mullion.efi")


def tool(*command):
    """Runs one of the project's tools; its output is shown only if it fails."""
    command = [os.path.join(ROOT, command[0]), *command[1:]]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check(done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")


def component(name):
    return os.path.join(BUILD, "ring3", name)


def package(set_folder, out, raw=False, manager="manager"):
    """Boot package with the VM set of a folder. Raw: every file as it is, the XML unread. Manager:
    the program that is the root task."""
    program = {"manager": manager}
    parts = [w for name in COMPONENTS
             for w in ("--component", f"{name}={component(program.get(name, name))}")]
    tool("tools/mkpkg", "--out", out, *parts, "--set", set_folder, *(["--raw"] if raw else []))
    return out


def image(pkg, out, cmdline=""):
    """Hybrid BIOS and UEFI image of a boot package."""
    tool("tools/mkimage", "--kernel", KERNEL, "--package", pkg, "--efi", LOADER, "--cmdline",
         cmdline, "--out", out)
    return out


def pvh(pkg, cmdline="", **machine):
    """QEMU's command line that boots Mullion by its PVH entry."""
    return qemu("-kernel", KERNEL, "-initrd", pkg, "-append", cmdline, **machine)


def bochs(iso, smp=1, memory=1024, cpu="corei7_haswell_4770", nic=False):
    """The Intel rig's command line: an image in Bochs."""
    return [os.path.join(ROOT, "tools", "run-bochs"), "--image", iso, "--smp", str(smp), "--memory",
            str(memory), "--cpu", cpu, *(["--nic"] if nic else [])]


def test_guest(name):
    return os.path.join(BUILD, "tests", "guest", name + ".elf")


DOMAIN = """<domain type='kvm'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>{vcpus}</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
{boot}  </os>
  <features><acpi/><apic/></features>
  <cpu mode='host-passthrough'/>
  <on_poweroff>{on_poweroff}</on_poweroff>
  <on_reboot>{on_reboot}</on_reboot>
  <on_crash>{on_crash}</on_crash>
  <devices>
    <serial type='pty'><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
{devices}  </devices>
{metadata}</domain>
"""
VIRTIO = """    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <memballoon model='virtio'/>
    <console type='pty'><target type='virtio' port='1'/></console>
"""
DISK = """    <disk type='{kind}' device='{device}'>
      <driver name='qemu' type='raw'{driver}/>
      <source {attribute}='{source}'/>
      <target dev='{target}' bus='virtio'/>
{more}    </disk>
"""
READ_ONLY, TRANSIENT = "      <readonly/>\n", "      <transient/>\n"


def disk(target, source, more="", device="disk", driver=""):
    """XML of a disk: a file of the VM set, or a volume below /dev/disk."""
    block = source.startswith("/dev/")
    return DISK.format(kind="block" if block else "file", attribute="dev" if block else "file",
                       target=target, source=source, more=more, device=device, driver=driver)


NO_AUTOSTART = ("  <metadata><mullion:start xmlns:mullion='urn:mullion:domain:1' auto='no'/>"
                "</metadata>\n")


class VmSet:
    """A folder with domain definitions and the files that they name."""

    def __init__(self, name):
        self.folder = os.path.join(LOGS, "set-" + name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        self.name = name

    def add(self, name, kernel, initrd=None, cmdline=None, memory=32, vcpus=1, virtio=False,
            autostart=True, on_poweroff="destroy", on_reboot="restart", on_crash="destroy",
            devices="", extra=""):
        """extra: elements that come last in the definition, such as <cputune>."""
        boot = ""
        if initrd:
            boot += f"    <initrd>{self.file(initrd)}</initrd>\n"
        if cmdline:
            boot += f"    <cmdline>{cmdline}</cmdline>\n"
        self.write(name + ".xml", DOMAIN.format(
            name=name, memory=memory, vcpus=vcpus, kernel=self.file(kernel), boot=boot,
            on_poweroff=on_poweroff, on_reboot=on_reboot, on_crash=on_crash,
            devices=(VIRTIO if virtio else "") + devices,
            metadata=("" if autostart else NO_AUTOSTART) + extra))
        return self

    def file(self, path):
        name = os.path.basename(path)
        target = os.path.join(self.folder, name)
        if not os.path.exists(target):
            shutil.copy(path, target)
        return name

    def data(self, name, content):
        with open(os.path.join(self.folder, name), "wb") as f:
            f.write(content)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
            f.write(text)

    def package(self, raw=False):
        return package(self.folder, os.path.join(LOGS, self.name + ".pkg"), raw)

    def boot(self, cmdline="", **machine):
        """Boots this set by PVH; gives the console."""
        return Console(self.name, pvh(self.package(), cmdline, **machine))

    def boot_counted(self, cmdline="", memory=1024, smp=1):
        """As boot(), with a clock that counts instructions."""
        return self.boot(cmdline, smp=smp, memory=memory, accel=COUNTED)

    def boot_intel(self, cmdline="", **machine):
        """Boots this set from an image in Bochs; gives the console."""
        iso = image(self.package(), os.path.join(LOGS, self.name + ".iso"), cmdline)
        return Console(self.name, bochs(iso, **machine))
