# SPDX-License-Identifier: GPL-2.0-or-later
"""Two sites with the same plan: 10.1.0.0/24 is both the portal's LAN, with `client`, and a network behind the gate, with
`server`. Each side knows the other's by addresses of its own, and sees what it would see without a map."""

import errno

import pytest

import socks
from lab import SERVER4, SERVER6, wait_until
from programs import Gate, Portal
from traffic import (Server, connect, datagram, each_connection, listener, receive_all, serve_datagram_echo, serve_echo,
                     stream)

TWIN = "10.1.0.2"  # the client's address, and the server's
ACCESS = """
[Access branch]
Allow = 10.1.0.0/24, 10.73.0.0/24, fd73::/64
Map = 10.60.0.0/24 -> 10.1.0.0/24, fd60::/64 -> fd01::/64
"""
MAPS = """
Map = 10.51.0.0/24 -> 10.1.0.0/24
Map = 10.50.0.0/24 -> 10.73.0.0/24, fd50::/64 -> fd73::/64
Socks = 127.0.0.1:1080
"""
ACCEPT = """
[Accept]
Deny = tcp:10.1.0.2:99
Allow = 10.1.0.0/24, fd01::/64
"""
FROM_PORTAL = pytest.mark.parametrize("here, there", [
    ("10.51.0.2", TWIN), ("10.50.0.2", SERVER4), ("fd50::2", SERVER6)])
FROM_GATE = pytest.mark.parametrize("here, there", [("10.60.0.2", TWIN), ("fd60::2", "fd01::2")])


@pytest.fixture(scope="module")
def twins(lab, pki, tmp_path_factory):
    directory = tmp_path_factory.mktemp("map")
    lab.gate.address("inner", "10.1.0.254/24")
    lab.server.address("inner", f"{TWIN}/24")
    gate = Gate(lab, directory, pki, access=ACCESS).start()
    portal = Portal(lab, directory, pki, extra=MAPS)
    portal.conf.write_text(portal.conf.read_text() + ACCEPT)
    try:
        portal.start()
        wait_until(lambda: any("exports" in one for one in gate.status()["portals"]), 5, "the exports")
        yield portal, gate
    finally:
        portal.down(check=False)
        gate.stop()
        lab.server.run("ip", "address", "del", f"{TWIN}/24", "dev", "inner")
        lab.gate.run("ip", "address", "del", "10.1.0.254/24", "dev", "inner")


def greet(near, here, far, there, source=None):
    with Server(listener(far, there), each_connection(serve_echo)) as where:
        with stream(near)(here) as sock:
            if source:
                sock.bind((source, 0))
            connect(sock, (here, where[1]))
            sock.sendall(b"hello")
            assert receive_all(sock, 5) == b"hello"
            assert sock.getpeername()[0] == here


def says(sock, here):
    for size in (0, 1, 1400, 9000):
        sock.sendto(bytes(size), (here, 7))
        got, far = sock.recvfrom(65536)
        assert got == bytes(size) and far[:2] == (here, 7)


def answers(host, here, count=3):
    done = host.run("ping", "-n", "-c", count, "-i", 0.2, "-W", 2, here, check=False).stdout
    return done.count(f"bytes from {here}:")


@FROM_PORTAL
def test_from_the_portals_side(twins, lab, here, there):
    greet(lab.client, here, lab.server, there)


@FROM_PORTAL
def test_datagrams(twins, lab, here, there):
    with Server(datagram(lab.server, there, (there, 7)), serve_datagram_echo):
        with datagram(lab.client, here) as sock:
            says(sock, here)


@FROM_PORTAL
def test_ping(twins, lab, here, there):
    assert answers(lab.client, here) == 3


@FROM_GATE
def test_from_the_gates_side(twins, lab, here, there):
    greet(lab.server, here, lab.client, there, source=SERVER6 if ":" in here else SERVER4)


@FROM_GATE
def test_datagrams_from_the_gates_side(twins, lab, here, there):
    source = SERVER6 if ":" in here else SERVER4
    with Server(datagram(lab.client, there, (there, 7)), serve_datagram_echo):
        with datagram(lab.server, here, (source, 0)) as sock:
            says(sock, here)


@FROM_GATE
def test_ping_from_the_gates_side(twins, lab, here, there):
    source = SERVER6 if ":" in here else SERVER4
    done = lab.server.run("ping", "-n", "-c", 3, "-i", 0.2, "-W", 2, "-I", source, here, check=False).stdout
    assert done.count(f"bytes from {here}:") == 3


def test_one_socket_speaks_to_mapped_and_unmapped(twins, lab):
    """The same port inside: what is mapped keeps its address here, what is not shares one association."""
    with Server(datagram(lab.server, SERVER4, (SERVER4, 7)), serve_datagram_echo):
        with datagram(lab.client, SERVER4) as sock:
            for here in ("10.50.0.2", SERVER4, "10.50.0.2", SERVER4):
                says(sock, here)


@pytest.mark.parametrize("here", ["10.51.0.2", "fd50::2"])
def test_refused_is_refused(twins, lab, here):
    with stream(lab.client)(here) as sock, pytest.raises(ConnectionRefusedError):
        connect(sock, (here, 81))
    with datagram(lab.client, here) as sock:
        sock.connect((here, 81))
        sock.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            sock.recv(1)


def test_denied_by_where_it_is(twins, lab):
    """Rules are about the addresses that a network has, not about those that the other side gives it."""
    with stream(lab.server)("10.60.0.2") as sock, pytest.raises(OSError) as raised:
        sock.bind((SERVER4, 0))
        connect(sock, ("10.60.0.2", 99))
    assert raised.value.errno == errno.EHOSTUNREACH


@pytest.mark.parametrize("far", ["10.51.0.2", "fd50::2"])
def test_a_proxys_clients_have_it_too(twins, lab, far):
    there = TWIN if ":" not in far else SERVER6
    with Server(listener(lab.server, there), each_connection(serve_echo)) as where:
        with socks.connect(lab.portal, (far, where[1])) as sock:
            sock.sendall(b"hello")
            assert receive_all(sock, 5) == b"hello"
    with Server(datagram(lab.server, there, (there, 7)), serve_datagram_echo):
        with socks.Association(lab.portal) as association:
            association.send(b"hello", (far, 7))
            assert association.receive() == (b"hello", (far, 7))


def test_it_is_shown(twins, lab):
    portal, gate = twins
    assert portal.status()["map"] == ["10.51.0.0/24 -> 10.1.0.0/24", "10.50.0.0/24 -> 10.73.0.0/24",
                                      "fd50::/64 -> fd73::/64"]
    (told,) = gate.status()["portals"]
    assert told["map"] == ["10.60.0.0/24 -> 10.1.0.0/24", "fd60::/64 -> fd01::/64"]
    assert told["exports"] == ["10.60.0.0/24", "fd60::/64"]
    with Server(listener(lab.server, TWIN), each_connection(serve_echo)) as where:
        with stream(lab.client)("10.51.0.2") as sock:
            connect(sock, ("10.51.0.2", where[1]))
            (flow,) = [flow for flow in portal.flows() if flow["far"] == f"10.51.0.2:{where[1]}"]
            assert flow["leads_to"] == f"{TWIN}:{where[1]}"
