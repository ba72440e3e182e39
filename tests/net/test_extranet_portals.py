# SPDX-License-Identifier: GPL-2.0-or-later
"""Two portals behind one gate: what is behind the one reaches what is behind the other exactly where the rules of both
sides, the routes of the one and the export of the other say so."""

import errno

import pytest

from sites import CLIENTS, FAR4, FAR6, Sites, Way, joined_sites, reached, spoken_to
from traffic import Server, datagram, each_connection, receive_all, serve_datagram_echo, serve_echo

ACCESS = """
[Access branch]
Deny = tcp:10.5.0.2:99, tcp:[fd05::2]:99
Allow = 10.73.0.0/24, fd73::/64, 10.5.0.0/24, fd05::/64
Export = 10.1.0.0/16, fd01::/48
[Access other]
Allow = 10.1.0.0/24, fd01::/64
Export = 10.5.0.0/24, fd05::/64
Export = 10.1.9.0/24, fd01:0:0:9::/64 ; of the other's network a part
"""
ROUTES = "10.73.0.0/24, fd73::/64, 10.5.0.0/24, fd05::/64"
ACCEPT = "\n[Accept]\nAllow = 10.1.0.0/16, fd01::/48\n"
THIRD = ("10.1.0.0/24, fd01::/64", """
[Accept]
Deny = tcp:10.5.0.2:98, tcp:[fd05::2]:98
Allow = 10.5.0.0/24, fd05::/64, 10.1.9.0/24, fd01:0:0:9::/64
""")
BOTH = pytest.mark.parametrize("version", [4, 6])


@pytest.fixture(scope="module")
def lab():
    lab = Sites()
    yield lab
    lab.delete()


@pytest.fixture(scope="module")
def joint(lab, pki, tmp_path_factory):
    with joined_sites(lab, tmp_path_factory.mktemp("portals"), pki, ACCESS, ACCEPT, ROUTES, THIRD) as all_three:
        yield all_three


def there(lab):
    return Way(lab.client, CLIENTS[0], lab.far, (FAR4, FAR6))


def back(lab):
    return Way(lab.far, (FAR4, FAR6), lab.client, CLIENTS[0])


WAYS = pytest.mark.parametrize("direction", [there, back])


@BOTH
@WAYS
def test_connections(joint, lab, direction, version):
    way = direction(lab)
    with Server(way.listener(version), each_connection(serve_echo)) as where, way.stream(version) as sock:
        sock.connect(where)
        sock.sendall(b"hello")
        assert receive_all(sock, 5) == b"hello"
    assert reached(way, version) == errno.ECONNREFUSED


@BOTH
@WAYS
def test_datagrams(joint, lab, direction, version):
    way = direction(lab)
    with Server(datagram(way.target, way.pick(version), (way.pick(version), 7)), serve_datagram_echo):
        with way.datagram(version) as sock:
            for size in (0, 1, 1400, 9000):
                sock.sendto(bytes(size), (way.pick(version), 7))
                got, far = sock.recvfrom(65536)
                assert got == bytes(size) and far[:2] == (way.pick(version), 7)
    assert spoken_to(way, version) == errno.ECONNREFUSED


@BOTH
@WAYS
def test_pings(joint, lab, direction, version):
    way = direction(lab)
    assert "3 received" in way.ping(version)
    nobody = ("10.5.0.77", "fd05::77") if direction is there else ("10.1.0.77", "fd01::77")
    assert " 0 received" in way.ping(version, count=1, address=nobody[version == 6])


@BOTH
def test_the_rules_of_either_side_deny(joint, lab, version):
    """Of the gate's for the one portal, and of the other portal's own."""
    for port in (98, 99):
        assert reached(there(lab), version, port) == (errno.EACCES if version == 6 else errno.EHOSTUNREACH)
