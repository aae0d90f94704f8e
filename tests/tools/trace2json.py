#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/trace2json: what it makes of a dump, and what it says about a damaged one."""
import json
import os
import subprocess
import unittest

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "trace2json")
# One MHz: a tick is a microsecond.
DUMP = """mullion # trace dump\r
trace begin 2 1000\r
trace name 3 alpha vcpu 0
trace name 4 beta emulator
[alpha] trace is a word of mine
trace 0 100 run 3 0
trace 1 108 ready 4 0
trace 0 120 run 4 0
trace 0 130 block 4 0
trace 0 130 run 3 0
trace 0 140 throttle 3 0
trace 0 140 idle 0 0
trace 0 160 replenish 3 0
trace 0 164 run 3 0
trace 1 170 run 9 1
trace 0 180 idle 0 0
trace end

mullion # """


def convert(text):
    return subprocess.run([TOOL], input=text, capture_output=True, text=True, check=False)


def spans(text):
    events = json.loads(convert(text).stdout)["traceEvents"]
    return [(e["name"], e["pid"], e["tid"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]


class Trace(unittest.TestCase):
    def test_cpu_track(self):
        cpu = sorted(s[3:] + s[:1] for s in spans(DUMP) if s[1:3] == (1, 0))
        self.assertEqual(cpu, [(0, 32, "alpha vcpu 0"), (32, 16, "beta emulator"),
                               (48, 16, "alpha vcpu 0"), (100, 28, "alpha vcpu 0")])

    def test_thread_tracks(self):
        alpha = sorted(s[3:] + s[:1] for s in spans(DUMP) if s[2] == 3 and s[1] != 1)
        self.assertEqual(alpha, [(0, 32, "CPU 0"), (32, 16, "waits"), (48, 16, "CPU 0"),
                                 (64, 32, "throttled"), (96, 4, "waits"), (100, 28, "CPU 0")])
        beta = sorted(s[3:] + s[:1] for s in spans(DUMP) if s[2] == 4 and s[1] != 1)
        self.assertEqual(beta, [(8, 24, "waits"), (32, 16, "CPU 0")])

    def test_last_dump_counts(self):
        again = DUMP + "\ntrace begin 1 1000\ntrace end\n"
        self.assertEqual(spans(again), [])

    def test_bad_dumps(self):
        for text, message in (("", 'no "trace begin"'), (DUMP.replace("trace end", ""), "incomplete"),
                              (DUMP.replace("0 120 run", "0 12x run"), "line 6 is damaged"),
                              (DUMP.replace("trace 1 170", "trace 2 170"), "is damaged")):
            done = convert(text)
            self.assertEqual(done.returncode, 1, text)
            self.assertIn(message, done.stderr)


if __name__ == "__main__":
    unittest.main()
