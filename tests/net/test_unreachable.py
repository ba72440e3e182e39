# SPDX-License-Identifier: GPL-2.0-or-later
"""What ICMP says of one datagram reaches the socket that has sent it, each time and with that datagram's own header, and
costs the others nothing: as without the tunnel."""

import contextlib
import errno
import select
import socket
import struct

import pytest

import lab as net
from lab import patience
from traffic import Server, datagram, serve_datagram_echo

IP_RECVERR, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6 = 11, 2, 3
IPV6_RECVERR = 25
AGAIN = 4
CODES = [
    (None, errno.ECONNREFUSED, (3, 3)),
    ("unreachable", errno.EHOSTUNREACH, (3, 1)),
    ("throw", errno.ENETUNREACH, (3, 0)),
    ("prohibit", errno.EHOSTUNREACH, (3, 13)),
]


def unlimited(*hosts):
    """A kernel says six at once, then one a second to each far host: more than a test wants to wait for."""
    for host in hosts:
        host.sysctl("net.ipv4.icmp_ratelimit", 0)
        host.sysctl("net.ipv6.icmp.ratelimit", 0)


@pytest.fixture(scope="module")
def open_lab(lab):
    unlimited(lab.server, lab.gate)
    yield lab
    for host in (lab.server, lab.gate):
        host.sysctl("net.ipv4.icmp_ratelimit", 1000)
        host.sysctl("net.ipv6.icmp.ratelimit", 1000)


def listening_for_errors(sock):
    level, option = (socket.IPPROTO_IP, IP_RECVERR) if sock.family == socket.AF_INET else (socket.IPPROTO_IPV6, IPV6_RECVERR)
    sock.setsockopt(level, option, 1)
    return sock


def next_error(sock):
    """errno, (type, code), whom the datagram was sent to, and what of it was quoted."""
    poll = select.poll()
    poll.register(sock, 0)
    assert poll.poll(patience(5) * 1000), "no error came"
    _, control, _, where = sock.recvmsg(100, 512, socket.MSG_ERRQUEUE)
    ((_, _, data),) = control
    number, origin, kind, code = struct.unpack("=IBBB", data[:7])
    assert origin in (SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6)
    return number, (kind, code), where[:2]


@contextlib.contextmanager
def kind_of_route(host, kind, address):
    if kind:
        host.run("ip", "route", "add", kind, address)
    yield
    if kind:
        host.run("ip", "route", "delete", kind, address)


@pytest.mark.parametrize("route, number, code", CODES)
def test_one_socket_and_two_far_ends(tunnel, open_lab, route, number, code):
    """They take turns; the one that answers sees one port of the gate's all the time."""
    bad = ("10.73.0.200" if route else net.SERVER4, 69)
    with datagram(open_lab.server, net.SERVER4, (net.SERVER4, 7)) as server, kind_of_route(open_lab.gate, route, bad[0]):
        with listening_for_errors(datagram(open_lab.client, net.SERVER4)) as sock:
            seen = set()
            for _ in range(AGAIN):
                sock.sendto(b"good", (net.SERVER4, 7))
                seen.add(server.recvfrom(100)[1])
                for port in (69, 70):
                    sock.sendto(b"bad", (bad[0], port))
                    assert next_error(sock) == (number, code, (bad[0], port))
                server.sendto(b"answer", next(iter(seen)))
                with contextlib.suppress(OSError):
                    sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                assert sock.recvfrom(100) == (b"answer", (net.SERVER4, 7))
            assert len(seen) == 1


@pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6])
def test_a_connected_socket_is_refused_each_time(tunnel, open_lab, address):
    with datagram(open_lab.client, address) as sock:
        sock.connect((address, 69))
        for _ in range(AGAIN):
            sock.send(b"anyone?")
            with pytest.raises(ConnectionRefusedError):
                sock.recv(100)


def test_a_scan_from_one_port(tunnel, open_lab):
    """All are under way at once: each gets its own answer. (Of what comes before the first is answered, 16 are kept.)"""
    with listening_for_errors(datagram(open_lab.client, net.SERVER4)) as sock:
        sock.sendto(b"scan", (net.SERVER4, 1000))
        assert next_error(sock)[2] == (net.SERVER4, 1000)
        for port in range(1001, 1041):
            while True:  # the error of an earlier one may be told in place of sending
                with contextlib.suppress(ConnectionRefusedError):
                    sock.sendto(b"scan", (net.SERVER4, port))
                    break
        told = {next_error(sock) for _ in range(40)}
        assert told == {(errno.ECONNREFUSED, (3, 3), (net.SERVER4, port)) for port in range(1001, 1041)}


@pytest.mark.parametrize("version", [4, 6])
def test_a_host_without_a_rule_is_prohibited_each_time(tunnel, open_lab, version):
    denied, good = (net.DENIED4, net.SERVER4) if version == 4 else (net.DENIED6, net.SERVER6)
    level = (3, 13) if version == 4 else (1, 1)
    with Server(datagram(open_lab.server, good, (good, 7)), serve_datagram_echo):
        with listening_for_errors(datagram(open_lab.client, good)) as sock:
            for _ in range(AGAIN):
                sock.sendto(b"hello", (good, 7))
                assert sock.recvfrom(100)[1][:2] == (good, 7)
                sock.sendto(b"no", (denied, 7))
                assert next_error(sock)[1:] == (level, (denied, 7))
