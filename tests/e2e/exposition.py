# SPDX-License-Identifier: BSD-2-Clause
"""Prometheus' text format 0.0.4, read strictly; and what `promtool check metrics` complains of."""

import re

import harness

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(\{{{LABEL}(?:,{LABEL})*\}})? (\d+(?:\.\d+)?)\Z")
NO_BASE_UNIT = re.compile(r"_(milliseconds|microseconds|nanoseconds|ms|us|ns|minutes|hours|kilobytes|"
                          r"megabytes|kib|mib|kb|mb|percent|khz|mhz)(_|\Z)")
OF_OTHER_TYPES = re.compile(r"_(bucket|count|sum|counter|gauge|metric)\Z")


def read(text):
    """{(name, labels): value}; any breach of the format is a failure."""
    samples, families, family, kind = {}, {}, None, None
    harness.check(text.endswith("\n"), "the text does not end with a newline")
    for line in text[:-1].split("\n"):
        words = line.split(" ", 3)
        if line.startswith("# HELP "):
            family, kind = words[2], None
            harness.check(re.fullmatch(NAME, family) and family not in families and len(words) == 4,
                          f"HELP: {line}")
        elif line.startswith("# TYPE "):
            harness.check(words[2] == family and kind is None, f"TYPE without its HELP: {line}")
            kind = families[family] = words[3]
            harness.check(kind in ("counter", "gauge"), line)
            harness.check((kind == "counter") == family.endswith("_total"), f"name and type: {line}")
            harness.check(family.startswith("mullion_") and family == family.lower() and
                          not NO_BASE_UNIT.search(family) and not OF_OTHER_TYPES.search(family), line)
        else:
            match = SAMPLE.match(line)
            harness.check(match and match.group(1) == family and kind, f"sample: {line}")
            key = (family, match.group(2) or "")
            harness.check(key not in samples, f"twice: {line}")
            samples[key] = float(match.group(3))
    return samples
