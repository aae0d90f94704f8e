#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of tests/check: what it keeps of the runners' failures for its last lines."""

import importlib.machinery
import importlib.util
import os
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def load():
    loader = importlib.machinery.SourceFileLoader("check", os.path.join(ROOT, "tests", "check"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
    loader.exec_module(module)
    return module


class Recap(unittest.TestCase):
    def setUp(self):
        self.check = load()

    def test_failures_of_a_runner_are_kept_by_name(self):
        self.check.note_failures("e2e a: ok (3 s)\ne2e b: FAILED (3 s)\n    bad\n    worse\n"
                                 "guest x (amd): 3 passed, 1 failed\n    not ok z\n"
                                 "guest y (amd): 3 passed, 0 failed\n9 passed, 2 failed\n")
        self.assertEqual(self.check.FAILURES, [("e2e b", "    bad\n    worse\n"),
                                               ("guest x (amd)", "    not ok z\n")])

    def test_a_recap_has_the_beginning_and_the_end(self):
        self.assertEqual(self.check.recap("a\n\n  b\n"), ["a", "b"])
        self.assertEqual(self.check.recap("1\n2\n3\n4\n5\n6\n"), ["1", "2", "5", "6"])


if __name__ == "__main__":
    unittest.main()
