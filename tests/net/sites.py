# SPDX-License-Identifier: GPL-2.0-or-later
"""Sites that are one network by Export and Accept. To the lab of lab.py come a second host on each LAN, and a third site
with a portal of its own, whose certificate is "other":

    client, client2   10.1.0.2, .3  fd01::2, ::3   LAN of portal "branch"
    server, server2   10.73.0.2, .9  fd73::2, ::9  LAN of the gate
    far               10.5.0.2      fd05::2        LAN of portal "other", which is 10.4.0.2 to the wan host
"""

import contextlib
import errno
import itertools
import pathlib
import socket

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab import SERVER4, SERVER6, Lab, patience, run, wait_until, wire
from programs import Gate, Portal
from traffic import TIMEOUT, connect, family, listener, stream

MIB = 1 << 20
CLIENTS = ("10.1.0.2", "fd01::2"), ("10.1.0.3", "fd01::3")
SERVERS = (SERVER4, SERVER6), ("10.73.0.9", "fd73::9")
FAR4, FAR6 = "10.5.0.2", "fd05::2"
FAR_PART = "10.1.9.2", "fd01:0:0:9::2"  # the far host's too: of what else is the first site's


class Sites(Lab):
    def build(self):
        super().build()
        self.client2, self.server2 = self.host("client2"), self.host("server2")
        self.second(self.portal, "lan", self.client2, *CLIENTS[1], "10.1.0.1", "fd01::1")
        self.second(self.gate, "inner", self.server2, *SERVERS[1], "10.73.0.1", "fd73::1")
        self.portal2, self.far = self.host("portal2"), self.host("far")
        wire(self.wan, "third", self.portal2, "wan")
        wire(self.portal2, "lan", self.far, "lan")
        self.wan.address("third", "10.4.0.1/24", "fd04::1/64")
        self.portal2.address("wan", "10.4.0.2/24", "fd04::2/64")
        self.portal2.address("lan", "10.5.0.1/24", "fd05::1/64", "10.1.9.1/24", "fd01:0:0:9::1/64")
        self.far.address("lan", f"{FAR4}/24", f"{FAR6}/64", f"{FAR_PART[0]}/24", f"{FAR_PART[1]}/64")
        self.portal2.forward()
        self.portal2.default_route("10.4.0.1", "fd04::1")
        self.far.default_route("10.5.0.1", "fd05::1")

    @staticmethod
    def second(router, device, host, address4, address6, via4, via6):
        """One more host on the LAN that is behind the router's `device`: that becomes a bridge."""
        found = [line.split()[3] for line in router.run("ip", "-o", "address", "show", "dev", device, "scope",
                                                         "global").stdout.splitlines()]
        wire(router, f"{device}2", host, "lan")
        router.run("ip", "address", "flush", "dev", device)
        router.run("ip", "link", "set", device, "down")
        router.run("ip", "link", "set", device, "name", f"{device}1")
        router.run("ip", "link", "add", device, "type", "bridge")
        for port in (f"{device}1", f"{device}2"):
            router.run("ip", "link", "set", port, "master", device, "up")
        router.address(device, *found)
        host.address("lan", f"{address4}/24", f"{address6}/64")
        host.default_route(via4, via6)


def await_exports(gate, portals=1):
    """By what the gate says: a host that asks too early may wait for the kernel, which says "unreachable" once a second."""
    wait_until(lambda: sum("exports" in told for told in gate.status()["portals"]) == portals, 5, "the exports")


@contextlib.contextmanager
def joined_sites(lab, directory, pki, access, accept, routes=Portal.ROUTES, third=None):
    """A gate and the portal of the first site; with `third`, the routes and the [Accept] of the third, its portal too."""
    gate = Gate(lab, directory, pki, access=access).start()
    portals = [Portal(lab, directory, pki, routes=routes)]
    portals[0].conf.write_text(portals[0].conf.read_text() + accept)
    if third:
        portals.append(third_portal(lab, directory, pki, *third))
    try:
        for portal in portals:
            portal.start()
        await_exports(gate, len(portals))
        yield (*portals, gate)
    finally:
        for portal in portals:
            portal.down(check=False)
        gate.stop()


def third_portal(lab, directory, pki, routes, accept):
    portal = Portal(lab, directory, pki, certificate="other", name="other", routes=routes)
    portal.host = lab.portal2
    portal.conf.write_text(portal.conf.read_text() + accept)
    return portal


class Way:
    """From one host to another, whose addresses these are; a host may have many, so the first's are given too."""

    def __init__(self, source, own, target, addresses):
        self.source, self.own, self.target, self.addresses = source, own, target, addresses

    def pick(self, version):
        return self.addresses[version == 6]

    def stream(self, version, timeout=TIMEOUT):
        """A socket of the source's, not connected yet."""
        sock = stream(self.source)(self.pick(version), timeout)
        sock.bind((self.own[version == 6], 0))
        return sock

    def datagram(self, version):
        with self.source.enter():
            sock = socket.socket(family(self.pick(version)), socket.SOCK_DGRAM)
        sock.settimeout(patience(5))
        sock.bind((self.own[version == 6], 0))
        return sock

    @contextlib.contextmanager
    def connected(self, version):
        """The two ends of a connection: the source's socket, then the target's."""
        with self.listener(version) as listening, self.stream(version) as near:
            near.connect(listening.getsockname()[:2])
            far, _ = listening.accept()
            far.settimeout(TIMEOUT)
            with far:
                yield near, far

    def listener(self, version, port=0):
        return listener(self.target, self.pick(version), port)

    def ping(self, version, *options, count=3, address=None):
        done = self.source.run("ping", "-n", "-c", count, "-i", 0.2, "-W", patience(1), "-I", self.own[version == 6], *options,
                               address or self.pick(version), check=False)
        return done.stdout


def ways(lab, second=False):
    """Out of the branch and into it: (portal to gate, gate to portal), between the first hosts or the second ones."""
    client, server = (lab.client2, lab.server2) if second else (lab.client, lab.server)
    return Way(client, CLIENTS[second], server, SERVERS[second]), Way(server, SERVERS[second], client, CLIENTS[second])


def reached(way, version, port=81, address=None, timeout=TIMEOUT):
    """errno of a connection; 0 for success."""
    with way.stream(version, timeout) as sock:
        try:
            connect(sock, (address or way.pick(version), port))
        except OSError as error:
            return error.errno or errno.ETIMEDOUT
        return 0


def spoken_to(way, version, port=9, address=None, seconds=TIMEOUT):
    """errno that a datagram brings back; 0 for silence."""
    with way.datagram(version) as sock:
        sock.settimeout(seconds)
        level, option = (socket.IPPROTO_IPV6, 25) if version == 6 else (socket.IPPROTO_IP, 11)
        sock.setsockopt(level, option, 1)  # IP_RECVERR: else the kernel keeps some to itself
        sock.connect((address or way.pick(version), port))
        sock.send(b"anybody?")
        try:
            sock.recv(1)
        except OSError as error:
            return error.errno or 0
    return 0


def keystream(seed):
    """An endless stream, MiB by MiB, of which every offset has bytes of its own: AES in counter mode."""
    encryptor = Cipher(algorithms.AES(seed.to_bytes(16, "big")), modes.CTR(bytes(16))).encryptor()
    return (encryptor.update(bytes(MIB)) for _ in itertools.count())


def send_keystream(sock, seed, mebibytes):
    for block in itertools.islice(keystream(seed), mebibytes):
        sock.sendall(block)


def check_keystream(sock, seed, mebibytes):
    """None, or what is wrong, and where."""
    room = memoryview(bytearray(MIB))
    for number, block in enumerate(itertools.islice(keystream(seed), mebibytes)):
        have = 0
        while have < MIB:
            got = sock.recv_into(room[have:])
            if not got:
                return f"the end after {number * MIB + have} bytes"
            have += got
        if room != block:
            return f"wrong within MiB {number}"
    return None


def start_sshd(host, directory):
    """A real sshd of the host's, for whoever has directory/user; the process."""
    for name in ("host", "user"):
        if not (directory / name).exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name)
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    conf = directory / "sshd.conf"
    conf.write_text(f"HostKey {directory}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
                    f"AuthorizedKeysFile {directory}/user.pub\nPermitRootLogin prohibit-password\n")
    process = host.start("/usr/sbin/sshd", "-D", "-q", "-f", conf)
    wait_until(lambda: ":22 " in host.run("ss", "-Hlnt").stdout, 10, "sshd")
    return process


def ssh_options(directory):
    return ["-i", directory / "user", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"]
