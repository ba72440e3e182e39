# SPDX-License-Identifier: GPL-2.0-or-later
"""Four hosts in a row, joined by veth pairs; every path has a network of its own behind the gate, so that all of them can
be up at once and measured in turn:

    client ---- portal ---- gate ---- server
    10.1.0.2    10.2.0.2    10.2.0.1  10.80.N.2, fd80:N::2   N: the path's number
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "net"))

from lab import Host, wire  # noqa: E402

PATHS_MAX = 10
SOURCES = [f"10.1.0.{100 + n}" for n in range(16)]  # more addresses of the client (load.c, crr)


class Hosts:
    def __init__(self, wan=None, tag=""):
        """`wan` joins portal and gate instead of a veth pair: a function of both that makes device `wan` in each. `tag` tells
        labs apart that are there at the same time."""
        self.all, self.tag = [], tag
        self.client, self.portal, self.gate, self.server = (self.make(n) for n in ("client", "portal", "gate", "server"))
        wire(self.client, "lan", self.portal, "lan")
        self.link = wan(self.portal, self.gate) if wan else wire(self.portal, "wan", self.gate, "wan")
        wire(self.gate, "inner", self.server, "inner")
        self.client.address("lan", "10.1.0.2/24", "fd01::2/64", *(f"{source}/24" for source in SOURCES))
        self.portal.address("lan", "10.1.0.1/24", "fd01::1/64")
        self.portal.address("wan", "10.2.0.2/24", "fd02::2/64")
        self.gate.address("wan", "10.2.0.1/24", "fd02::1/64")
        for number in range(1, PATHS_MAX + 1):
            self.gate.address("inner", f"10.80.{number}.1/24", f"fd80:{number}::1/64")
            self.server.address("inner", f"10.80.{number}.2/24", f"fd80:{number}::2/64")
        for router in (self.portal, self.gate):
            router.forward()
        self.client.default_route("10.1.0.1", "fd01::1")
        self.server.default_route("10.80.1.1", "fd80:1::1")
        for host in self.all:  # ports are reused faster than TIME_WAIT lets them go
            host.sysctl("net.ipv4.ip_local_port_range", "1024 65000")
            host.sysctl("net.ipv4.tcp_tw_reuse", 1)

    def make(self, name):
        host = Host(f"bench{self.tag}-{name}")
        self.all.append(host)
        return host

    def route(self, number, forward, back):
        """Routes of path `number`: towards the server at the portal, back towards the client at the gate."""
        self.portal.run("ip", "route", "add", f"10.80.{number}.0/24", *forward)
        self.gate.run("ip", "route", "add", "10.1.0.0/24", *back, "table", number)
        self.gate.run("ip", "rule", "add", "from", f"10.80.{number}.0/24", "lookup", number)

    def delete(self):
        for host in self.all:
            host.delete()
