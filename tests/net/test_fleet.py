# SPDX-License-Identifier: GPL-2.0-or-later
"""Three gates behind the real HAProxy: portals spread over them under their own addresses; one gate is drained under load, one
killed, a connection is lost, and nobody meets an error but whose flow was in what died."""

import contextlib
import csv
import itertools
import socket
import time
import types

import pytest

import lab as net
from lab import Host, patience, run, wait_until, wire
from programs import USHER_GATE, USHER_PKI, Gate, Portal
from test_drain import Opener, echo
from test_resume import wait_resumed
from traffic import Server, each_connection, listener, serve_echo, stream

GATES, PORTALS = 3, 6
ACCESS = """
[Access fleet-*]
Allow = 10.73.0.0/24
"""

CONFIG = """
global
    stats socket {directory}/haproxy.sock

defaults
    mode tcp
    timeout connect 2s
    timeout client 5m
    timeout server 5m
    retries 3
    option redispatch 1

frontend portals
    bind :4433
    default_backend gates

backend gates
    balance leastconn
    stick-table type ipv6 size 100k expire 1d
    stick on src
    default-server send-proxy-v2 check inter 1s agent-check agent-inter 1s
"""


class Balancer:
    """HAProxy on the wan host, as doc/tutorials/fleet.md has it."""

    def __init__(self, host, directory, gates=GATES):
        self.host, self.socket = host, directory / "haproxy.sock"
        servers = "".join(f"    server gate{n} 10.3.0.2:{4433 + n} agent-port {4480 + n}\n" for n in range(gates))
        self.log = directory / "haproxy.log"
        (directory / "haproxy.cfg").write_text(CONFIG.format(directory=directory) + servers)
        with open(self.log, "wb") as log:
            self.process = host.start("haproxy", "-db", "-f", directory / "haproxy.cfg", stdout=log, stderr=log)
        wait_until(lambda: self.socket.exists() or self.process.poll() is not None, 10, "haproxy")
        assert self.process.poll() is None, self.log.read_text()

    def stop(self):
        self.process.kill()
        self.process.wait()

    def servers(self):
        """What it says of each."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.socket))
            asking.sendall(b"show stat\n")
            said = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
        rows = csv.DictReader(said.lstrip("# ").splitlines())
        return {row["svname"]: row for row in rows if row["pxname"] == "gates" and row["svname"] != "BACKEND"}

    def states(self):
        return {name: row["status"] for name, row in self.servers().items()}


class Member:
    """A portal on a host of its own, whose applications are on it, too."""

    def __init__(self, lab, directory, pki, number):
        self.host, self.address = Host(f"fleet{number}"), f"10.{20 + number}.0.2"
        lab.hosts.append(self.host)
        wire(self.host, "wan", lab.wan, f"fleet{number}")
        lab.wan.address(f"fleet{number}", f"10.{20 + number}.0.1/24")
        self.host.address("wan", f"{self.address}/24")
        self.host.run("ip", "route", "add", "10.3.0.0/24", "via", f"10.{20 + number}.0.1")
        name = f"fleet-{number}"
        if not (pki / f"{name}.crt").exists():
            run(USHER_PKI, "issue", pki, "portal", name)
        self.portal = Portal(types.SimpleNamespace(portal=self.host), directory, pki, name, f"10.{20 + number}.0.1:4433",
                             name=name, routes="10.73.0.0/24")
        self.client = self.host  # for an Opener

    def gate(self, gates):
        """Whose portal it is now: among those that do not drain, by the address that it really has."""
        found = [gate for gate in gates for portal in (gate.status(check=False) or {"portals": []})["portals"]
                 if portal["address"].startswith(f"{self.address}:") and not portal.get("draining")]
        return found[0] if len(found) == 1 else None


class Fleet:
    def __init__(self, lab, directory, pki):
        self.lab = lab
        self.gates = [Gate(lab, directory, pki, access=ACCESS, listen=f"10.3.0.2:{4433 + n}", name=f"gate{n}",
                           extra=f"Balancers = 10.3.0.1\nHealth = 10.3.0.2:{4480 + n}") for n in range(GATES)]
        self.balancer, self.members = None, []
        try:
            for gate in self.gates:
                gate.start()
            self.balancer = Balancer(lab.wan, directory)
            for number in range(PORTALS):
                self.members.append(Member(lab, directory, pki, number))
                self.members[-1].portal.start()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for member in self.members:
            member.portal.down(check=False)
        if self.balancer:
            self.balancer.stop()
        for gate in self.gates:
            gate.stop()

    def wait_well(self):
        """All gates serve, and each portal is at one."""
        wait_until(lambda: set(self.balancer.states().values()) == {"UP"}, 10, "all gates are up for the balancer")
        wait_until(lambda: all(member.gate(self.gates) for member in self.members), 10, "each portal is in")

    def at(self, gate):
        return [member for member in self.members if member.gate(self.gates) is gate]


@pytest.fixture(scope="module")
def fleet(lab, pki, tmp_path_factory):
    fleet = Fleet(lab, tmp_path_factory.mktemp("fleet"), pki)
    yield fleet
    fleet.stop()


@pytest.fixture
def where(lab):
    with Server(listener(lab.server, net.SERVER4, backlog=4096), each_connection(serve_echo)) as where:
        yield where


def held(member, where, count=5):
    socks = []
    for _ in range(count):
        sock = stream(member.host)(where[0])
        sock.settimeout(patience(5))
        sock.connect(where)
        echo(sock)
        socks.append(sock)
    return socks


@contextlib.contextmanager
def under_load(fleet, where):
    """Each portal has flows that are held, and others that come and go."""
    socks = {member: held(member, where) for member in fleet.members}
    with contextlib.ExitStack() as stack:
        openers = {member: stack.enter_context(Opener(member, where, 20)) for member in fleet.members}
        time.sleep(0.5)
        yield socks, openers
        time.sleep(0.5)
    for sock in itertools.chain(*socks.values()):
        sock.close()


def test_spread(fleet):
    """Two portals at each gate, and each is told by the address that it has, not the balancer's."""
    fleet.wait_well()
    assert sorted(len(gate.status()["portals"]) for gate in fleet.gates) == [2, 2, 2]
    sources = sorted(portal["address"].rsplit(":", 1)[0] for gate in fleet.gates for portal in gate.status()["portals"])
    assert sources == sorted(member.address for member in fleet.members)
    wait_until(lambda: all((row["check_status"], row["agent_status"], row["weight"]) == ("L4OK", "L7OK", "1")
                           for row in fleet.balancer.servers().values()), 5, "three gates that are well")
    for gate in fleet.gates:
        assert gate.status()["balancers"]["refused"] == 0 and gate.status()["unauthenticated"] == 0
        assert "refused" not in gate.log() and "10.3.0.1" not in gate.log()  # checks come each second, and make no noise


def test_a_lost_connection(fleet, where):
    """It goes on at the gate where it is, since the balancer knows the source again."""
    fleet.wait_well()
    member = fleet.members[0]
    gate = member.gate(fleet.gates)
    (sock,) = held(member, where, 1)
    member.host.run("ss", "-K", "dst", member.portal.conf.read_text().split("Address = ")[2].split(":")[0])
    echo(sock, b"still here")
    wait_resumed(member.portal, 1)
    assert member.gate(fleet.gates) is gate
    assert f"goes on over another connection, from {member.address}:" in gate.log()
    sock.close()


def test_a_gate_drains_under_load(fleet, where, figure):
    """No open fails and no flow ends; when it is back, the balancer takes it again."""
    fleet.wait_well()
    gate = fleet.gates[0]
    leaving = fleet.at(gate)
    with under_load(fleet, where) as (socks, openers):
        fleet.lab.gate.run(USHER_GATE, "drain", gate.name)
        wait_until(lambda: all(member.gate(fleet.gates) not in (None, gate) for member in leaving), 10, "they go elsewhere")
        wait_until(lambda: fleet.balancer.states()["gate0"] != "UP", 5, "the balancer knows")
        for sock in itertools.chain(*socks.values()):
            echo(sock, b"still here")
    assert not [opener.errors for opener in openers.values() if opener.errors]
    figure(f"fleet: a gate drained beside {sum(opener.count for opener in openers.values())} opens, the slowest "
           f"{max(opener.slowest for opener in openers.values()) * 1000:.0f} ms")
    assert gate.wait(10) == 0
    gate.start()
    fleet.wait_well()


def test_a_gate_is_killed_under_load(fleet, where, figure):
    """Flows through it are reset; its portals are back at others; and whoever is elsewhere notices nothing."""
    fleet.wait_well()
    gate = max(fleet.gates, key=lambda gate: len(fleet.at(gate)))
    struck = fleet.at(gate)
    assert struck
    with under_load(fleet, where) as (socks, openers):
        begin = time.monotonic()
        gate.kill()
        wait_until(lambda: all(member.gate(fleet.gates) not in (None, gate) for member in struck), 15, "they are back")
        took = time.monotonic() - begin
        for member in fleet.members:
            for sock in socks[member]:
                if member not in struck:
                    echo(sock, b"still here")
                    continue
                with pytest.raises(ConnectionResetError):
                    sock.sendall(b"too late")
                    assert sock.recv(100) == b"" and sock.recv(1)
        time.sleep(1)
        counts = {member: openers[member].count for member in struck}
        time.sleep(0.5)
        assert all(openers[member].count > counts[member] for member in struck)
    for member in fleet.members:
        errors = openers[member].errors
        assert len(errors) <= (member in struck) and all("ConnectionReset" in error for error in errors), errors
    figure(f"fleet: portals of a gate that was killed are at another one after {took:.1f} s")
    assert took < patience(5)
    gate.start()
    fleet.wait_well()
