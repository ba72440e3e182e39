# SPDX-License-Identifier: GPL-2.0-or-later
"""Five hosts on one machine, as network namespaces joined by veth pairs:

    client ------- portal ------- wan ------- gate ------- server
    10.1.0.2   10.1.0.1|10.2.0.2   |   10.3.0.2|10.73.0.1   10.73.0.2
    fd01::2     fd01::1|fd02::2    |    fd03::2|fd73::1      fd73::2
                              10.2.0.1|10.3.0.1
                               fd02::1|fd03::1

The client knows nothing of the tunnel: its default route is the portal. The portal has no route to 10.73.0.0/24 but the
tunnel's. The wan host is where wires are cut. Every name carries this process's id, so that runs do not meet.

With LAB_WAN="delay=10 rate=200 loss=0.5 seed=7" (tests/wan/wan.c) the wire between portal and wan host is an emulated
long link, for every test that does not bring a link of its own.
"""

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

# Sanitized programs take longer than the real ones, and keep what they freed.
SANITIZED = bool(os.environ.get("SAN"))
SLOWNESS = 5 if SANITIZED else 1
if SANITIZED:  # what stands before it in a program of a test is only another clock
    os.environ["ASAN_OPTIONS"] = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))

SERVER4, SERVER6 = "10.73.0.2", "fd73::2"
SERVER2 = ("10.73.0.3", "fd73::3")
SERVER3 = ("10.73.0.4", "fd73::4")
DENIED4, DENIED6 = "10.73.0.66", "fd73::66"
SILENT4, SILENT6 = "10.73.0.77", "fd73::77"
ABSENT4, ABSENT6 = "10.73.0.88", "fd73::88"
NAMESERVER4, NAMESERVER6 = "10.73.0.53", "fd73::53"


def patience(seconds):
    """The time that something may take in this build: every upper bound of a test goes through here."""
    return seconds * SLOWNESS


def wait_until(predicate, seconds, what):
    """Polls `predicate` until it gives something true, and returns that."""
    deadline = time.monotonic() + patience(seconds)
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience(seconds)} s: {what}")
        time.sleep(0.01)


def run(*argv, check=True, **kwargs):
    """Runs a command and returns it finished; a failure shows what it printed."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, **kwargs)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def replace_device(host, name, owner):
    """Another program's of the same name in its place, before the process that made it looks."""
    os.kill(owner, signal.SIGSTOP)
    host.run("ip", "link", "del", name)
    host.run("ip", "link", "add", name, "type", "bridge")
    os.kill(owner, signal.SIGCONT)


def setns(descriptor):
    if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Host:
    """One network namespace."""

    def __init__(self, name):
        self.name = f"ut{os.getpid()}-{name}"
        run("ip", "netns", "add", self.name)
        self.run("ip", "link", "set", "lo", "up")
        # Addresses must be usable at once, and every host but the ends forwards.
        self.sysctl("net.ipv6.conf.all.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)

    def sysctl(self, name, value):
        self.run("sysctl", "-qw", f"{name}={value}")

    def argv(self, *argv):
        return ["ip", "netns", "exec", self.name, *map(str, argv)]

    def run(self, *argv, **kwargs):
        return run(*self.argv(*argv), **kwargs)

    def start(self, *argv, **kwargs):
        return subprocess.Popen(self.argv(*argv), **kwargs)

    @contextlib.contextmanager
    def enter(self):
        """Sockets that this thread makes in here belong to the namespace, and stay in it."""
        home = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            setns(there)
            yield
        finally:
            setns(home)
            os.close(there)
            os.close(home)

    def forward(self):
        self.sysctl("net.ipv4.ip_forward", 1)
        self.sysctl("net.ipv6.conf.all.forwarding", 1)

    def address(self, device, *addresses):
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            self.run("ip", "address", "add", address, "dev", device, *extra)
        self.run("ip", "link", "set", device, "up")

    def default_route(self, via4, via6):
        self.run("ip", "route", "add", "default", "via", via4)
        self.run("ip", "-6", "route", "add", "default", "via", via6)

    def delete(self):
        run("ip", "netns", "delete", self.name, check=False)


def wire(left, left_device, right, right_device):
    run("ip", "link", "add", left_device, "netns", left.name, "type", "veth", "peer", "name", right_device, "netns",
        right.name)


class LongWire:
    """A wire that takes time, loses packets and has a rate; between its ends a TUN device each."""

    def __init__(self, left, left_device, right, right_device, options):
        self.process = subprocess.Popen([BUILD / "wan", left.name, left_device, right.name, right_device, *options],
                                        stdout=subprocess.DEVNULL)
        for host, device in ((left, left_device), (right, right_device)):
            wait_until(lambda: host.run("ip", "link", "show", device, check=False).returncode == 0, 5, "the emulated link")

    def delete(self):
        self.process.terminate()
        self.process.wait()


class Lab:
    """The five hosts, with plain addresses and routes and nothing running; `wan` are the options of a long wire."""

    def __init__(self, wan=None):
        self.hosts, self.long_wire, self.round_trip = [], None, 0  # seconds
        self.wan_options = (wan or "").split()
        for option in self.wan_options:
            if option.startswith("delay="):
                self.round_trip = 2 * float(option[6:]) / 1000
        try:
            self.build()
        except BaseException:
            self.delete()
            raise

    def build(self):
        self.client = self.host("client")
        self.portal = self.host("portal")
        self.wan = self.host("wan")
        self.gate = self.host("gate")
        self.server = self.host("server")
        wire(self.client, "lan", self.portal, "lan")
        if self.wan_options:
            self.long_wire = LongWire(self.portal, "wan", self.wan, "left", self.wan_options)
        else:
            wire(self.portal, "wan", self.wan, "left")
        wire(self.wan, "right", self.gate, "wan")
        wire(self.gate, "inner", self.server, "inner")
        self.client.address("lan", "10.1.0.2/24", "fd01::2/64")
        self.portal.address("lan", "10.1.0.1/24", "fd01::1/64")
        self.portal.address("wan", "10.2.0.2/24", "fd02::2/64")
        self.wan.address("left", "10.2.0.1/24", "fd02::1/64")
        self.wan.address("right", "10.3.0.1/24", "fd03::1/64")
        self.gate.address("wan", "10.3.0.2/24", "fd03::2/64")
        self.gate.address("inner", "10.73.0.1/24", "fd73::1/64")
        self.server.address("inner", *(f"{a}/24" for a in (SERVER4, SERVER2[0], SERVER3[0], NAMESERVER4, DENIED4, SILENT4)),
                            *(f"{a}/64" for a in (SERVER6, SERVER2[1], SERVER3[1], NAMESERVER6, DENIED6, SILENT6)))
        for router in (self.portal, self.wan, self.gate):
            router.forward()
        self.client.default_route("10.1.0.1", "fd01::1")
        self.portal.default_route("10.2.0.1", "fd02::1")
        self.gate.default_route("10.3.0.1", "fd03::1")
        self.server.default_route("10.73.0.1", "fd73::1")
        self.silence()

    def host(self, name):
        host = Host(name)
        self.hosts.append(host)
        return host

    def silence(self):
        """The silent address swallows everything; the wan host has a table whose chain cuts the wire on demand."""
        self.server.run("nft", "-f", "-", input=f"""
            table inet silent {{ chain input {{ type filter hook input priority 0;
                ip daddr {SILENT4} drop
                ip6 daddr {SILENT6} drop
            }}
            }}""")
        self.wan.run("nft", "add table inet cut; add chain inet cut forward { type filter hook forward priority 0; }")

    def cut(self):
        """Packets between portal and gate vanish without a word."""
        self.wan.run("nft", "add rule inet cut forward drop")

    def heal(self):
        self.wan.run("nft", "flush chain inet cut forward")

    def delete(self):
        if self.long_wire:
            self.long_wire.delete()
        for host in self.hosts:
            host.delete()
