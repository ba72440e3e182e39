# SPDX-License-Identifier: GPL-2.0-or-later
"""The SOCKS entrance, with curl and with a client by hand; behind it a real portal and gate."""

import hashlib
import resource
import socket
import struct
import threading
import time

import pytest

import lab as net
import socks
from lab import patience, wait_until
from programs import ALLOW_ALL, Gate, Portal, descriptors, resident_kib
from socks import PORT, Association, is_closed
from test_names import name_server
from traffic import (PAGE, Server, datagram, each_connection, listener, pattern, receive_all, reset, serve_datagram_echo,
                     serve_echo, serve_page, serve_sink)

LAN4, LAN6 = "10.1.0.1", "fd01::1"
NO_NET4, NO_HOST4, NO_HOST6 = "10.74.0.1", "10.75.0.1", "fd75::1"  # allowed, and the gate has no way there
NO_WAYS = [("throw", "10.74.0.0/24"), ("unreachable", "10.75.0.0/24"), ("unreachable", "fd75::/64")]
KEYS = f"""
Socks = 127.0.0.1:{PORT}, [::1]:{PORT}, {LAN4}:{PORT}, [{LAN6}]:{PORT}
SocksAllow = 127.0.0.0/8, ::1/128, fd01::/64
HoldTimeout = 2s
"""
ACCESS = ALLOW_ALL + "Allow = 10.74.0.0/24, 10.75.0.0/24, fd75::/64\n"
BOTH = pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6])
PROXIES = pytest.mark.parametrize("proxy", ["127.0.0.1", "::1"])


@pytest.fixture(scope="module")
def tunnel(lab, pki, tmp_path_factory):
    """A portal with SOCKS that is up, and its gate, which resolves names and gives up soon."""
    directory = tmp_path_factory.mktemp("socks")
    for kind, prefix in NO_WAYS:
        lab.gate.run("ip", "route", "add", kind, prefix)
    gate = Gate(lab, directory, pki, access=ACCESS, extra=f"DNS = {net.NAMESERVER4}\nConnectTimeout = 1s").start()
    portal = Portal(lab, directory, pki, extra=KEYS)
    try:
        with name_server(lab):
            yield portal.start(), gate
    finally:
        portal.down(check=False)
        gate.stop()
        for kind, prefix in NO_WAYS:
            lab.gate.run("ip", "route", "delete", kind, prefix)


@pytest.fixture
def portal(tunnel):
    return tunnel[0]


def hostport(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def curl(lab, proxy, how, url):
    return lab.portal.run("curl", "-sS", "--max-time", patience(10), how, hostport(proxy, PORT), url).stdout


# --- CONNECT ---


@PROXIES
@pytest.mark.parametrize("how,address", [
    ("--socks4", net.SERVER4), ("--socks4a", "web.corp.example"), ("--socks4a", net.SERVER4), ("--socks5", net.SERVER4),
    ("--socks5", net.SERVER6), ("--socks5-hostname", "web.corp.example"), ("--socks5-hostname", net.SERVER4),
    ("--socks5-hostname", net.SERVER6),
])
def test_a_web_page(portal, lab, proxy, how, address):
    far = net.SERVER6 if ":" in address else net.SERVER4
    with Server(listener(lab.server, far), each_connection(serve_page)) as where:
        assert curl(lab, proxy, how, f"http://{hostport(address, where[1])}/") == PAGE


@pytest.mark.parametrize("far,code", [
    ((net.SERVER4, 1), socks.REFUSED), ((net.SERVER6, 1), socks.REFUSED), (("web.corp.example", 1), socks.REFUSED),
    ((NO_HOST4, 80), socks.NO_HOST), ((NO_HOST6, 80), socks.NO_HOST), ((NO_NET4, 80), socks.NO_NET),
    ((net.DENIED4, 80), socks.DENIED), ((net.DENIED6, 80), socks.DENIED), (("own.corp.example", 80), socks.DENIED),
    ((net.SILENT4, 80), socks.TIMED_OUT), ((net.SILENT6, 80), socks.TIMED_OUT),
    (("nothing.corp.example", 80), socks.NO_HOST), ((net.SERVER4, 0), socks.FAILED),
])
def test_each_failure_has_its_code(portal, lab, far, code):
    assert socks.outcome(lab.portal, far) == code


def test_version_4_says_no(portal, lab):
    with socks.reach(lab.portal) as sock:
        sock.sendall(b"\4\1" + struct.pack("!H", 1) + socket.inet_aton(net.SERVER4) + b"me\0")
        assert receive_all(sock) == bytes([0, 0x5B]) + bytes(6)


def test_bind_is_not_supported(portal, lab):
    with socks.reach(lab.portal) as sock:
        socks.request(sock, (net.SERVER4, 80), socks.BIND)
        assert socks.read_reply(sock)[0] == socks.NO_COMMAND
        assert is_closed(sock)


def test_no_way_to_authenticate(portal, lab):
    with socks.reach(lab.portal) as sock:
        sock.sendall(b"\5\1\1")  # GSSAPI alone
        assert receive_all(sock) == b"\5\xff"


def test_nothing_is_granted_before_the_far_side_has_answered(portal, lab):
    with socks.reach(lab.portal) as sock:
        begin = time.monotonic()
        socks.request(sock, (net.SILENT4, 80), early=b"early")
        assert socks.read_reply(sock)[0] == socks.TIMED_OUT
        assert time.monotonic() - begin > 0.9


def test_what_comes_early_arrives(portal, lab):
    early = pattern("early", 20000)
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_sink)) as where:
        with socks.reach(lab.portal) as sock:
            socks.request(sock, where, early=early)
            sock.shutdown(socket.SHUT_WR)
            assert socks.read_reply(sock)[0] == socks.GRANTED
            assert receive_all(sock) == hashlib.sha256(early).digest()


def test_byte_by_byte(portal, lab):
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        with socks.reach(lab.portal) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"\5\1\0" + b"\5\1\0" + socks.target(*where) + b"hello":
                sock.sendall(bytes([byte]))
                time.sleep(0.005)
            assert socks.read_reply(sock)[0] == socks.GRANTED
            assert receive_all(sock, 5) == b"hello"


@BOTH
@pytest.mark.parametrize("size", [1 << 20, 100 << 20])
def test_halves_are_closed_one_by_one(portal, lab, address, size):
    """Up, then down after the client's end of file: byte for byte."""
    data = pattern("half", 1 << 20) * (size >> 20)

    def serve(sock):
        with sock:
            got = hashlib.sha256(receive_all(sock)).digest()
            sock.sendall(got)
            sock.sendall(data)

    with Server(listener(lab.server, address), each_connection(serve)) as where:
        with socks.connect(lab.portal, where) as sock:
            sender = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
            sender.start()
            digest = receive_all(sock, 32)
            sender.join()
            assert digest == hashlib.sha256(data).digest()
            assert hashlib.sha256(receive_all(sock)).digest() == digest


@BOTH
def test_the_server_ends_first(portal, lab, address):
    with listener(lab.server, address) as listening, socks.reach(lab.portal) as sock:
        socks.request(sock, listening.getsockname()[:2])
        server, _ = listening.accept()
        with server:
            assert socks.read_reply(sock)[0] == socks.GRANTED
            server.sendall(b"all")
            server.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == b"all"
            sock.sendall(b"and more")
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(server) == b"and more"


def test_resets_go_through(portal, lab):
    for ours in (True, False):
        with listener(lab.server, net.SERVER4) as listening, socks.reach(lab.portal) as sock:
            socks.request(sock, listening.getsockname()[:2])
            server, _ = listening.accept()
            assert socks.read_reply(sock)[0] == socks.GRANTED
            near, far = (sock, server) if ours else (server, sock)
            reset(near)
            far.settimeout(patience(5))
            with pytest.raises(ConnectionResetError):
                far.recv(1)
            server.close()


# --- UDP ASSOCIATE ---


def echo(lab, address):
    return Server(datagram(lab.server, address, bind=(address, 0)), serve_datagram_echo)


@PROXIES
def test_many_far_ends_at_once(portal, lab, proxy):
    """Each is answered from the right one; for those of IPv4 the gate has one port, whoever is spoken to first."""
    with echo(lab, net.SERVER6) as six, echo(lab, net.SERVER4) as named, Association(lab.portal, (proxy, PORT)) as udp:
        fars = [six, ("web.corp.example", named[1])]
        servers = [datagram(lab.server, a, bind=(a, 0)) for a in (net.SERVER4, net.SERVER2[0])]
        for number, far in enumerate([s.getsockname() for s in servers] + fars):
            udp.send(b"to %d" % number, far)
        seen = set()
        for number, server in enumerate(servers):
            data, mapped = server.recvfrom(100)
            assert data == b"to %d" % number
            seen.add(mapped)
            server.sendto(data, mapped)
        assert len(seen) == 1
        expected = {(b"to %d" % number, far) for number, far in enumerate([s.getsockname() for s in servers] + fars)}
        assert {udp.receive() for _ in expected} == expected
        flows = [f for f in portal.flows() if f["inside"] == hostport(proxy, udp.sock.getsockname()[1])]
        assert sorted(f["far"] for f in flows) == sorted(
            [hostport(*servers[0].getsockname()), hostport(*six), f"web.corp.example:{named[1]}"])
        assert {f["protocol"] for f in flows} == {"udp"}
        for server in servers:
            server.close()


def test_one_that_is_denied_is_not_the_end_of_others(portal, lab):
    with echo(lab, net.SERVER4) as where, Association(lab.portal) as udp:
        udp.send(b"one", (net.DENIED4, 53))
        udp.send(b"two", where)
        assert udp.receive() == (b"two", where)


def test_what_is_no_datagram_is_dropped(portal, lab):
    with echo(lab, net.SERVER4) as where, Association(lab.portal) as udp:
        udp.sock.sendto(b"\0\0\0\7nonsense", udp.port)
        udp.send(b"a piece", where, fragment=1)
        udp.send(b"whole", where)
        assert udp.receive() == (b"whole", where)


def test_the_largest_datagram(portal, lab):
    data = pattern("large", 65507 - 10)  # less the header
    with echo(lab, net.SERVER4) as where, Association(lab.portal) as udp:
        udp.send(b"hello", where)
        assert udp.receive() == (b"hello", where)
        udp.send(data, where)
        assert udp.receive() == (data, where)


def test_others_are_not_heard(portal, lab):
    """Neither another port of the client, once one has spoken, nor another address."""
    with echo(lab, net.SERVER4) as where, Association(lab.portal) as udp, Association(lab.portal) as other:
        udp.send(b"mine", where)
        assert udp.receive() == (b"mine", where)
        other.port = udp.port
        other.send(b"not mine", where)
        with datagram(lab.portal, "127.0.0.2", bind=("127.0.0.2", 0)) as stranger:
            stranger.sendto(bytes(3) + socks.target(*where) + b"nor mine", udp.port)
        udp.send(b"mine again", where)
        assert udp.receive() == (b"mine again", where)
        other.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            other.sock.recv(100)


@pytest.mark.parametrize("end", ["its end", "a byte"])
def test_the_port_goes_with_its_connection(portal, lab, end):
    with echo(lab, net.SERVER4) as where, Association(lab.portal) as udp:
        udp.sock.connect(udp.port)
        udp.sock.send(bytes(3) + socks.target(*where) + b"hello")
        assert udp.sock.recv(100).endswith(b"hello")
        before = portal.status()["flows"]
        if end == "a byte":
            udp.control.sendall(b"x")
            assert is_closed(udp.control)
        else:
            udp.control.close()
        wait_until(lambda: portal.status()["flows"] == before - 1, 5, "the association's end")
        with pytest.raises(ConnectionRefusedError):
            for _ in range(10):
                udp.sock.send(bytes(3) + socks.target(*where) + b"anyone?")
                time.sleep(0.05)


# --- who may ---


def test_a_stranger_is_not_heard(portal, lab):
    begin = portal.status()["counters"]["socks_strangers"]
    with pytest.raises(ConnectionResetError), socks.reach(lab.client, (LAN4, PORT)) as sock:  # connect may hear of it
        sock.recv(1)
    assert portal.status()["counters"]["socks_strangers"] == begin + 1


def test_a_listed_source_of_the_network(portal, lab):
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        with socks.connect(lab.client, where, (LAN6, PORT)) as sock:
            sock.sendall(b"hello")
            assert sock.recv(100) == b"hello"
            (flow,) = [f for f in portal.flows() if f["inside"].startswith("[fd01::2]")]
            assert (flow["protocol"], flow["far"], flow["state"]) == ("tcp", hostport(*where), "active")


def test_where_it_listens_is_told(portal):
    assert portal.status()["socks"] == [hostport(a, PORT) for a in ("127.0.0.1", "::1", LAN4, LAN6)]
    assert f"socks       127.0.0.1:{PORT}" in portal.host.run(net.BUILD / "usher-tun", "status", portal.name).stdout


def test_2000_who_never_finish(portal, lab):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    lazy = []
    try:
        with Server(listener(lab.server, net.SERVER4), each_connection(serve_page)) as where:
            for number in range(2000):
                sock = socks.reach(lab.portal)
                sock.sendall(b"\5\1\0"[:number % 3])
                lazy.append(sock)
            begin = time.monotonic()
            assert curl(lab, "127.0.0.1", "--socks5", f"http://{hostport(*where)}/") == PAGE
            assert time.monotonic() - begin < patience(1)
        assert portal.status()["counters"]["socks_unfinished"] >= 2000 - 1024
        wait_until(lambda: is_closed(lazy[-1]), 12, "the end of a handshake that lasts")
    finally:
        for sock in lazy:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- life ---


def test_500_flows_leave_nothing(portal, lab, figure):
    def round():
        with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
            flows = [socks.connect(lab.portal, where) for _ in range(500)]
            for sock in flows:
                sock.sendall(b"x" * 1000)
            assert all(len(receive_all(sock, 1000)) == 1000 for sock in flows)
            held = descriptors(portal.pid())
            for sock in flows:
                sock.close()
        wait_until(lambda: portal.status()["flows"] == 0, 10, "the end of all flows")
        return held

    wait_until(lambda: portal.status()["flows"] == 0, 20, "the end of earlier flows")
    round()
    before, memory = descriptors(portal.pid()), resident_kib(portal.pid())
    assert round() >= before + 500
    wait_until(lambda: descriptors(portal.pid()) <= before, 10, "descriptors to come back")
    figure(f"500 SOCKS flows leave {resident_kib(portal.pid()) - memory} KiB")
    assert resident_kib(portal.pid()) - memory < patience(2048)


def test_clients_that_go_before_the_answer_harm_nobody(portal, lab):
    """Each leaves two hundred associations with names that nobody has answered yet."""
    before = portal.status()["since"]
    for number in range(15):
        with socks.Association(lab.portal) as association:
            for far in range(200):
                association.send(b"hello", (f"n{far}.r{number}.nowhere.example", 9))
            time.sleep(0.02)
    assert (portal.status()["since"], portal.status()["state"]) == (before, "up")
    assert socks.outcome(lab.portal, (net.SERVER4, 1)) == socks.REFUSED
