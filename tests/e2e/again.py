# SPDX-License-Identifier: BSD-2-Clause
"""A machine that is started hundreds of times from where it was before it used its disk: its state is kept in a
file after the first start. Every tenth start is a whole one."""

import os
import socket
import time

import demo
import harness

WHOLE = 10


class Again:
    """command: the emulator's. guest: whose shell is entered; it has not touched its disks yet."""

    def __init__(self, name, command, guest):
        self.name, self.guest, self.starts = name, guest, 0
        self.state = os.path.join(harness.LOGS, name + ".state")
        self.monitor = os.path.join(harness.LOGS, name + ".monitor")
        self.command = [*command, "-monitor", f"unix:{self.monitor},server=on,wait=off"]

    def start(self):
        """A machine, at the guest's shell."""
        whole = self.starts % WHOLE == 0
        more = [] if whole else ["-incoming", f"exec:cat {self.state}"]
        machine = harness.Console(self.name, self.command + more)
        try:
            self._to_shell(machine, whole)
            if not self.starts:
                self._keep()
                machine.__exit__()
                self.starts = 1
                return self.start()
        except BaseException:
            machine.__exit__()
            raise
        self.starts += 1
        return machine

    def _to_shell(self, machine, whole):
        if whole:
            demo.wait_ready(machine, self.guest)
            machine.send("\n")
            machine.prompt()
            machine.enter(self.guest)
        else:
            self._ask("info status", b"VM status: running", again=True)
        machine.send("\n")
        machine.expect(rf"{self.guest}:\S*# ")

    def _ask(self, command, answer, again=False):
        """Gives the monitor a command, again and again if it may answer otherwise at first."""
        end = time.monotonic() + harness.LIMIT
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(harness.LIMIT)
            while line.connect_ex(self.monitor):
                harness.check(time.monotonic() < end, "the emulator has no monitor")
            text, prompts = b"", 0  # of the answers; the first comes unasked
            while answer not in text:
                harness.check(time.monotonic() < end, f"{command}: {text[-500:]}")
                if again or not prompts:
                    line.sendall(command.encode() + b"\n")
                prompts += 1
                while text.count(b"(qemu)") <= prompts and answer not in text:
                    text += line.recv(65536)

    def _keep(self):
        """The monitor answers when all is in the file."""
        self._ask(f'migrate "exec:cat > {self.state}"\ninfo migrate', b"Migration status: completed")
