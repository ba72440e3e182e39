# SPDX-License-Identifier: GPL-2.0-or-later
"""Two sites as one: what is behind the portal is reached from behind the gate, and sees what it would see without a
tunnel. `client` is a host of the portal's LAN, `server` one of the gate's."""

import contextlib
import errno
import hashlib
import json
import os
import signal
import threading

import pytest

from lab import SERVER4, SERVER6, wait_until
from programs import USHER_GATE, Gate, Portal
from traffic import (Server, connect, datagram, each_connection, listener, pattern, receive_all, serve_datagram_echo,
                     serve_echo, stream)

CLIENT4, CLIENT6 = "10.1.0.2", "fd01::2"
ACCESS = """
[Access branch]
Allow = 10.73.0.0/24, fd73::/64
Export = 10.1.0.0/24, fd01::/64
Export = 10.9.9.0/24
"""
ACCEPT = """
[Accept]
Deny = tcp:10.1.0.2:99
Allow = 10.1.0.0/24, fd01::/64, 10.9.9.0/24
"""
MEBIBYTES = int(os.environ.get("EXTRANET_MIB", "64"))
BOTH = pytest.mark.parametrize("client, server", [(CLIENT4, SERVER4), (CLIENT6, SERVER6)])


@contextlib.contextmanager
def sites(lab, directory, pki):
    gate = Gate(lab, directory, pki, access=ACCESS).start()
    portal = Portal(lab, directory, pki)
    portal.conf.write_text(portal.conf.read_text() + ACCEPT)
    try:
        portal.start()
        wait_until(lambda: exported(gate), 5, "the exports")
        yield portal, gate
    finally:
        portal.down(check=False)
        gate.stop()


def exported(gate):
    return any("exports" in portal for portal in gate.status()["portals"])


@pytest.fixture(scope="module")
def joint(lab, pki, tmp_path_factory):
    with sites(lab, tmp_path_factory.mktemp("extranet"), pki) as both:
        yield both


def from_server(lab, address, timeout=30):
    """A socket of the server's; its address is not the silent one, which the kernel might choose."""
    sock = stream(lab.server)(address, timeout)
    sock.bind((SERVER6 if ":" in address else SERVER4, 0))
    return sock


def reached(lab, where):
    """errno of a connection from the gate's LAN into the portal's; 0 for success."""
    with from_server(lab, where[0]) as sock:
        try:
            connect(sock, where)
        except TimeoutError as error:
            return error.errno or errno.ETIMEDOUT
        except OSError as error:
            return error.errno
        return 0


@BOTH
def test_a_host_behind_the_portal(joint, lab, client, server):
    with Server(listener(lab.client, client), each_connection(serve_echo)) as where:
        with from_server(lab, client) as sock:
            sock.connect(where)
            sock.sendall(b"hello")
            assert receive_all(sock, 5) == b"hello"


@BOTH
def test_the_gate_tells_of_it(joint, lab, client, server):
    """`usher-gate flows`, of a flow that came in by an Export."""
    with listener(lab.client, client) as listening, from_server(lab, client) as sock:
        sock.connect(listening.getsockname()[:2])
        there, _ = listening.accept()
        with there:
            sock.sendall(b"12345")
            assert receive_all(there, 5) == b"12345"
            told = json.loads(lab.gate.run(USHER_GATE, "flows", "branch", "--json").stdout)["flows"]
            (flow,) = [flow for flow in told if flow["destination"].endswith(f":{listening.getsockname()[1]}")]
            near, far = (("[{}]:{}" if ":" in client else "{}:{}").format(*end[:2]) for end in (sock.getsockname(), sock.getpeername()))
            assert flow.pop("age_s") < 20
            assert flow == {"portal": "branch", "opened_by": "gate", "via": "capture", "protocol": "tcp", "from": near,
                            "destination": far, "state": "active", "bytes_in": 0, "bytes_out": 5}


def test_it_sees_the_portal(joint, lab):
    """The far server sees the address that the portal has towards it."""
    with listener(lab.client, CLIENT4) as listening:
        with from_server(lab, CLIENT4) as sock:
            sock.connect(listening.getsockname())
            there, seen = listening.accept()
            there.close()
    assert seen[0] == "10.1.0.1"


@BOTH
def test_refused_is_refused(joint, lab, client, server):
    assert reached(lab, (client, 81)) == errno.ECONNREFUSED


def test_nobody_there(joint, lab):
    assert reached(lab, ("10.1.0.77", 80)) == errno.EHOSTUNREACH
    assert reached(lab, ("10.9.9.9", 80)) in (errno.EHOSTUNREACH, errno.ENETUNREACH)


def test_denied_by_the_portal(joint, lab):
    assert reached(lab, (CLIENT4, 99)) == errno.EHOSTUNREACH


@BOTH
def test_ping_is_real(joint, lab, client, server):
    done = lab.server.run("ping", "-n", "-c", 3, "-i", 0.2, "-W", 2, "-I", server, client, check=False).stdout
    assert "3 received" in done
    done = lab.server.run("ping", "-n", "-c", 1, "-W", 1, "10.1.0.77", check=False).stdout
    assert "0 received" in done


@BOTH
def test_datagrams(joint, lab, client, server):
    with Server(datagram(lab.client, client, (client, 7)), serve_datagram_echo):
        with datagram(lab.server, client, (server, 0)) as sock:
            for size in (0, 1, 1400, 9000):
                sock.sendto(bytes(size), (client, 7))
                got, far = sock.recvfrom(65536)
                assert got == bytes(size) and far[:2] == (client, 7)


def carry(host, address, where, seed, results):
    data = pattern(seed, MEBIBYTES << 20)
    with stream(host)(address, 120) as sock:
        sock.connect(where)
        sender = threading.Thread(target=lambda: sock.sendall(data))
        sender.start()
        back = receive_all(sock, len(data))
        sender.join()
    results.append(hashlib.sha256(back).digest() == hashlib.sha256(data).digest())


def test_both_directions_at_once(joint, lab):
    """Every byte of two echoes that run against each other."""
    results = []
    with Server(listener(lab.client, CLIENT4), each_connection(serve_echo)) as here:
        with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as there:
            ways = [threading.Thread(target=carry, args=(lab.server, CLIENT4, here, 1, results)),
                    threading.Thread(target=carry, args=(lab.client, SERVER4, there, 2, results))]
            for way in ways:
                way.start()
            for way in ways:
                way.join()
    assert results == [True, True]


def test_two_hundred_flows_each_way(joint, lab):
    with Server(listener(lab.client, CLIENT4), each_connection(serve_echo)) as here:
        with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as there:
            flows = []
            for number in range(400):
                host, where = ((lab.server, here), (lab.client, there))[number % 2]
                sock = stream(host)(where[0])
                sock.connect(where)
                flows.append(sock)
            for number, sock in enumerate(flows):
                sock.sendall(b"%05d" % number)
            for number, sock in enumerate(flows):
                assert receive_all(sock, 5) == b"%05d" % number
                sock.close()


def test_status(joint, lab):
    _, gate = joint
    (told,) = gate.status()["portals"]
    assert told["exports"] == ["10.1.0.0/24", "fd01::/64", "10.9.9.0/24"]


def test_rules_that_are_flushed_are_back(joint, lab):
    lab.gate.run("ip", "rule", "del", "priority", lab.gate.run("ip", "rule").stdout.splitlines()[1].split(":")[0])
    wait_until(lambda: reached(lab, (CLIENT4, 81)) == errno.ECONNREFUSED, 5, "the rules")
