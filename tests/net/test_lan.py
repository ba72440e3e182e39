# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts of a LAN behind the portal, whose links take less or more than its TUN device: nothing stands still, nothing is
larger than what its link takes."""

import contextlib
import hashlib
import socket
import struct

import pytest

import lab as net
from lab import Lab, patience, wait_until
from programs import Gate, Portal
from traffic import (BLOCK, Server, datagram, each_connection, listener, numbered_block, pattern, receive_all,
                     serve_datagram_echo, serve_sink, serve_source, stream)

BOTH = pytest.mark.parametrize("far", [net.SERVER4, net.SERVER6], ids=["v4", "v6"])
SIZES = (1224, 1400, 8900, 65000)  # of datagrams


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    for host in lab.hosts:  # every error is told, not one a second
        host.sysctl("net.ipv4.icmp_ratelimit", 0)
        host.sysctl("net.ipv6.icmp.ratelimit", 0)
    yield lab
    lab.delete()


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki).start()
    yield gate
    gate.stop()


@pytest.fixture(scope="module", params=[1280, 1500, 9000], ids=lambda mtu: f"tun{mtu}")
def portal(request, lab, gate, pki, tmp_path_factory):
    portal = Portal(lab, tmp_path_factory.mktemp("portal"), pki, extra=f"MTU = {request.param}").start()
    portal.mtu = request.param
    yield portal
    portal.down()


def set_lan(lab, link, way):
    """The link of both, and what fits through on the way to the client: the portal takes a route's word for it as it would a
    next link's, and tells senders."""
    for host in (lab.client, lab.portal):
        host.run("ip", "link", "set", "lan", "mtu", link)
    lab.portal.run("ip", "route", "replace", "10.1.0.0/24", "dev", "lan", "mtu", "lock", way)
    lab.portal.run("ip", "-6", "route", "replace", "fd01::/64", "dev", "lan", "mtu", way)


# The link, and what fits through behind it.
@pytest.fixture(params=[(1280, 1280), (1492, 1492), (1500, 1280), (1500, 1500), (9000, 9000)],
                ids=lambda pair: f"lan{pair[0]}-{pair[1]}")
def lan(request, lab, portal):
    set_lan(lab, *request.param)
    yield request.param
    set_lan(lab, 1500, 1500)


class Sniffer:
    """The MSS of the SYN-ACKs that the client's link carries."""

    def __init__(self, lab):
        with lab.client.enter():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        self.sock.bind(("lan", 3))
        self.sock.setblocking(False)

    def segments(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, (_, _, kind, *_) = self.sock.recvfrom(70000)
                head = 20 if packet[0] >> 4 == 4 else 40
                if kind == 0 and packet[9 if head == 20 else 6] == 6:
                    yield packet, packet[head:]

    def mss(self):
        return {struct.unpack("!H", tcp[22:24])[0] for _, tcp in self.segments() if tcp[13] & 0x12 == 0x12 and tcp[20] == 2}


@BOTH
def test_tcp_both_ways(lab, lan, far):
    with Server(listener(lab.server, far), each_connection(serve_source)) as where, stream(lab.client)(far, patience(3)) as sock:
        sock.connect(where)
        sock.sendall(struct.pack("!I", 2))
        assert receive_all(sock, 2 << 20) == numbered_block(0) + numbered_block(1)
    with Server(listener(lab.server, far), each_connection(serve_sink)) as where, stream(lab.client)(far, patience(3)) as sock:
        sock.connect(where)
        sock.sendall(BLOCK)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == hashlib.sha256(BLOCK).digest()


@BOTH
def test_datagrams_both_ways(lab, lan, far):
    """The first that is too big for the way is lost, as on any path; the next ones are cut to fit."""
    with Server(datagram(lab.server, far, (far, 0)), serve_datagram_echo) as where, datagram(lab.client, far) as sock:
        sock.settimeout(0.3)
        for size in SIZES:
            for attempt in range(3):
                data = pattern(size + attempt, size)
                sock.sendto(data, where)
                with contextlib.suppress(TimeoutError):
                    if sock.recv(65536) == data:
                        break
            else:
                raise AssertionError(f"{size} bytes do not come back")
            assert attempt <= 1, size


@BOTH
def test_a_large_ping(lab, lan, far):
    done = lab.client.run("ping", "-n", "-c", 3, "-i", 0.2, "-W", 2, "-s", 20000, far, check=False).stdout
    assert " 3 received" in done or (":" in far and " 2 received" in done), done


@BOTH
def test_what_is_announced_fits_the_device(lab, lan, portal, far):
    head = 40 if ":" not in far else 60
    sniffer = Sniffer(lab)
    with Server(listener(lab.server, far), each_connection(serve_sink)) as where, stream(lab.client)(far) as sock:
        sock.connect(where)
    (mss,) = wait_until(sniffer.mss, 2, "a SYN-ACK")
    assert mss == portal.mtu - head
