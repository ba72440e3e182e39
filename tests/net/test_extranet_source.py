# SPDX-License-Identifier: GPL-2.0-or-later
"""Who far servers take a site for: Source at the gate and in the portal's [Accept], for every protocol, and what becomes of
those whose address is not there."""

import errno
import socket

import pytest

from lab import wait_until
from programs import USHER_GATE, USHER_TUN
from sites import Sites, joined_sites, reached, ways
from test_extranet_portals import BOTH

AT_GATE, AT_PORTAL = ("10.73.0.11", "fd73::11"), ("10.1.0.11", "fd01::11")
ACCESS = f"""
[Access branch]
Allow = 10.73.0.0/24, fd73::/64
Export = 10.1.0.0/24, fd01::/64
Source = {AT_GATE[0]}, {AT_GATE[1]}
"""
ACCEPT = f"\n[Accept]\nAllow = 10.1.0.0/24, fd01::/64\nSource = {AT_PORTAL[0]}\nSource = {AT_PORTAL[1]}\n"
DIRECTIONS = pytest.mark.parametrize("direction", [0, 1], ids=["portal-to-gate", "gate-to-portal"])
PLACES = ("gate", "inner", AT_GATE), ("portal", "lan", AT_PORTAL)


@pytest.fixture(scope="module")
def lab():
    lab = Sites()
    yield lab
    lab.delete()


@pytest.fixture(scope="module")
def joint(lab, pki, tmp_path_factory):
    with joined_sites(lab, tmp_path_factory.mktemp("source"), pki, ACCESS, ACCEPT) as both:
        for host, device, addresses in PLACES:
            getattr(lab, host).address(device, f"{addresses[0]}/24", f"{addresses[1]}/64")
        yield both


def test_one_that_is_not_there_is_told_at_start(joint):
    portal, gate = joint
    for program, addresses in ((gate, AT_GATE), (portal, AT_PORTAL)):
        for address in addresses:
            assert f"Source: this host does not have {address} now: until it does, nothing can come from there" in program.log()


def test_check_tells_it_and_accepts(joint, lab):
    portal, gate = joint
    done = lab.wan.run(USHER_GATE, "check", gate.conf, check=False)
    assert done.returncode == 0 and done.stderr.count("Source: this host does not have") == 2
    done = lab.wan.run(USHER_TUN, "check", portal.conf, check=False)
    assert done.returncode == 0 and done.stderr.count("Source: this host does not have") == 2
    assert "Source" not in lab.gate.run(USHER_GATE, "check", gate.conf).stderr


@BOTH
@DIRECTIONS
def test_connections(joint, lab, direction, version):
    way, source = ways(lab)[direction], PLACES[direction][2][version == 6]
    with way.listener(version) as listening, way.stream(version) as sock:
        sock.connect(listening.getsockname()[:2])
        taken, seen = listening.accept()
        taken.close()
    assert seen[0] == source


@BOTH
@DIRECTIONS
def test_datagrams(joint, lab, direction, version):
    way, source = ways(lab)[direction], PLACES[direction][2][version == 6]
    with way.target.enter():
        server = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_DGRAM)
    server.settimeout(5)
    server.bind((way.pick(version), 0))
    with server, way.datagram(version) as sock:
        sock.sendto(b"who am I?", server.getsockname()[:2])
        data, seen = server.recvfrom(100)
        assert (data, seen[0]) == (b"who am I?", source)
        server.sendto(seen[0].encode(), seen)
        assert sock.recv(100) == source.encode()


@BOTH
@DIRECTIONS
def test_pings(joint, lab, direction, version):
    way, source = ways(lab)[direction], PLACES[direction][2][version == 6]
    six = version == 6
    with way.target.enter():
        ear = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW,
                            socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    ear.settimeout(5)
    with ear:
        assert "1 received" in way.ping(version, count=1)
        requests = set()
        ear.setblocking(False)
        try:
            while True:
                data, seen = ear.recvfrom(1000)
                if data[0 if six else 20] == (128 if six else 8):
                    requests.add(seen[0])
        except BlockingIOError:
            pass
    assert requests == {source}


@BOTH
@DIRECTIONS
def test_an_address_that_goes_and_comes_back(joint, lab, direction, version):
    way, (host, device, addresses) = ways(lab)[direction], PLACES[direction]
    address = f"{addresses[1]}/64" if version == 6 else f"{addresses[0]}/24"
    getattr(lab, host).run("ip", "address", "del", address, "dev", device)
    serving = joint[1 - direction]
    begin = len(serving.log())
    try:
        assert reached(way, version) == errno.ENETUNREACH
        assert f"Source: this host does not have {addresses[version == 6]} now" in serving.log()[begin:]
        assert " 0 received" in way.ping(version, count=1)
    finally:
        getattr(lab, host).address(device, address)
    assert reached(way, version) == errno.ECONNREFUSED
    wait_until(lambda: "1 received" in way.ping(version, count=1), 5, "pings")
