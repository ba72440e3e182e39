# SPDX-License-Identifier: GPL-2.0-or-later
"""Headers of the PROXY protocol, version 2, as bytes."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
TCP4, TCP6, UDP4, UNIX, UNSPEC = 0x11, 0x21, 0x12, 0x31, 0x00


def header(what, family=UNSPEC, body=b"", length=None):
    return SIGNATURE + struct.pack(">BBH", what, family, len(body) if length is None else length) + body


def addresses(source, port, destination="10.3.0.2"):
    ends = [ipaddress.ip_address(text) for text in (source, destination)]
    return ends[0].packed + ends[1].packed + struct.pack(">HH", port, 4433)


def passed_on(source, port=40000, more=b""):
    if ":" in source:
        return header(PROXY, TCP6, addresses(source, port, "fd03::2") + more)
    return header(PROXY, TCP4, addresses(source, port) + more)
