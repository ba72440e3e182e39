# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams arrive whole, at the right socket, from the address they were sent to."""

import socket
import struct

import pytest

import lab as net
from lab import patience
from traffic import Server, datagram, pattern, serve_datagram_echo

UDP_SEGMENT = 103  # linux/udp.h
SIZES = [0, 1, 1472, 1473, 9000, 65507]
ADDRESSES = pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6])


def echo_server(lab, address):
    sock = datagram(lab.server, address, bind=(address, 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return Server(sock, serve_datagram_echo)


def exchange(sock, where, data, tries=3):
    """Sends and awaits the echo; a datagram may be lost on the way, a wrong one may not come."""
    for _ in range(tries):
        sock.sendto(data, where)
        try:
            got, sender = sock.recvfrom(65536)
        except TimeoutError:
            continue
        assert sender[:2] == tuple(where)
        return got
    raise AssertionError(f"no echo of {len(data)} bytes in {tries} tries")


@ADDRESSES
@pytest.mark.parametrize("size", SIZES)
def test_size(tunnel, lab, address, size):
    if size == 65507 and address == net.SERVER6:
        size = 65487  # what fits an IPv6 packet without a jumbo payload, behind a fragment header
    data = pattern(size, size)
    with echo_server(lab, address) as where, datagram(lab.client, address) as sock:
        sock.settimeout(patience(2))
        assert exchange(sock, where, data) == data


def test_one_socket_three_servers_one_mapping(tunnel, lab):
    """Endpoint-independent mapping (RFC 4787 REQ-1): all three see the same source."""
    servers = [datagram(lab.server, a, bind=(a, 0)) for a in (net.SERVER4, net.SERVER2[0], net.SERVER3[0])]
    with datagram(lab.client, net.SERVER4) as sock:
        seen = set()
        for number, server in enumerate(servers):
            question, answer = f"q{number}".encode(), f"a{number}".encode()
            sock.sendto(question, server.getsockname())
            data, mapped = server.recvfrom(100)
            assert data == question
            seen.add(mapped)
            server.sendto(answer, mapped)
            assert sock.recvfrom(100) == (answer, server.getsockname())
        assert len(seen) == 1
    for server in servers:
        server.close()


def test_one_socket_three_servers_over_ipv6(tunnel, lab):
    servers = [datagram(lab.server, a, bind=(a, 0)) for a in (net.SERVER6, net.SERVER2[1], net.SERVER3[1])]
    with datagram(lab.client, net.SERVER6) as sock:
        for number, server in enumerate(servers):
            sock.sendto(b"%d" % number, server.getsockname()[:2])
            data, mapped = server.recvfrom(100)
            server.sendto(data + b"!", mapped)
            got, sender = sock.recvfrom(100)
            assert (got, sender[:2]) == (b"%d!" % number, server.getsockname()[:2])
    for server in servers:
        server.close()


def burst(lab, address, where, sizes, piece=0):
    """Sends numbered datagrams of these sizes at once, `piece` bytes each where the kernel is to cut them; the echoes."""
    sent = [b"%05d" % number + pattern(number, size - 5) for number, size in enumerate(sizes)]
    with datagram(lab.client, address) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.settimeout(patience(5))
        exchange(sock, where, b"hello")  # the association is there
        if piece:
            sock.sendmsg([b"".join(sent)], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", piece))], 0, where)
        else:
            for data in sent:
                sock.sendto(data, where)
        return sent, [sock.recv(65536) for _ in sent]


@ADDRESSES
def test_a_burst_arrives_as_it_was_sent(tunnel, lab, address):
    """However many datagrams the ends and their kernels handle as one."""
    with echo_server(lab, address) as where:
        sent, got = burst(lab, address, where, [1200] * 40 + [300, 301, 302, 5, 5, 1000] * 5 + [1200] * 10)
        assert got == sent
        sent, got = burst(lab, address, where, [500] * 40 + [17], piece=500)
        assert got == sent


@ADDRESSES
def test_a_burst_meets_a_small_mtu(tunnel, lab, address):
    """Behind the gate, where what fits the client's link does not fit any more."""
    length = 32 if address == net.SERVER4 else 128
    route = ["ip", "route", "add", f"{address}/{length}", "dev", "inner", "mtu", "1280"]
    lab.gate.run(*route)
    try:
        with echo_server(lab, address) as where:
            sent, got = burst(lab, address, where, [1400] * 30)
            assert got == sent
    finally:
        lab.gate.run(*("del" if word == "add" else word for word in route))


@ADDRESSES
def test_no_datagram_reaches_a_wrong_socket(tunnel, lab, address):
    clients = [datagram(lab.client, address) for _ in range(50)]
    with echo_server(lab, address) as where:
        for turn in range(4):
            for number, sock in enumerate(clients):
                sock.sendto(b"%d.%d" % (number, turn), where)
            for number, sock in enumerate(clients):
                assert sock.recv(100) == b"%d.%d" % (number, turn)
        for sock in clients:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(100)
            sock.close()


def test_a_stranger_at_the_gate_is_not_heard(tunnel, lab):
    """Only hosts that the application has spoken to may answer through its mapping."""
    server = datagram(lab.server, net.SERVER4, bind=(net.SERVER4, 0))
    stranger = datagram(lab.server, net.SERVER4, bind=(net.DENIED4, 0))
    with datagram(lab.client, net.SERVER4) as sock:
        sock.sendto(b"hello", server.getsockname())
        _, mapped = server.recvfrom(100)
        stranger.sendto(b"psst", mapped)
        server.sendto(b"answer", mapped)
        assert sock.recvfrom(100) == (b"answer", server.getsockname())
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(100)
    server.close()
    stranger.close()
