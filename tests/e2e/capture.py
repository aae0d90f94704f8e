# SPDX-License-Identifier: BSD-2-Clause
"""What the console's net-capture prints: a pcap file in base64."""

import base64
import re
import struct

import harness

NANOSECONDS, ETHERNET = 0xa1b23c4d, 1


def frames(text):
    """The frames of a capture, each as far as it goes."""
    match = re.search("-----BEGIN PCAP-----\n(.*)\n-----END PCAP-----", text, re.S)
    harness.check(match, f"no capture:\n{text}")
    data = base64.b64decode(match.group(1).replace("\n", ""), validate=True)
    magic, major, minor, _, _, snap, link = struct.unpack_from("<IHHIIII", data)
    harness.check((magic, major, minor, link) == (NANOSECONDS, 2, 4, ETHERNET), f"head: {data[:24].hex()}")
    at, found, last = 24, [], 0.0
    while at < len(data):
        seconds, nanoseconds, size, whole = struct.unpack_from("<IIII", data, at)
        harness.check(size == min(whole, snap) and nanoseconds < 10**9 and seconds + nanoseconds / 1e9 >= last,
                      f"record: {data[at:at + 16].hex()}")
        last = seconds + nanoseconds / 1e9
        found.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return found
