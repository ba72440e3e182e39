# SPDX-License-Identifier: GPL-2.0-or-later
"""What routers say on the way through the tunnel, to the tools that ask them."""

import pytest

import lab as net
from lab import Lab
from programs import Gate, Portal

BOTH = pytest.mark.parametrize("far", [net.SERVER4, net.SERVER6], ids=["v4", "v6"])


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    for host in lab.hosts:  # every error is told, not one a second
        host.sysctl("net.ipv4.icmp_ratelimit", 0)
        host.sysctl("net.ipv6.icmp.ratelimit", 0)
    yield lab
    lab.delete()


@pytest.fixture(scope="module")
def routed(lab, pki, tmp_path_factory):
    directory = tmp_path_factory.mktemp("routed")
    gate = Gate(lab, directory, pki).start()
    portal = Portal(lab, directory, pki).start()
    yield portal
    portal.down()
    gate.stop()


def hops(host, far, *options):
    """The addresses that answered, hop by hop."""
    text = host.run("traceroute", "-n", "-w", 2, "-q", 2, "-m", 4, *options, far).stdout
    return [sorted({word for word in line.split()[1:] if "." in word and word.count(".") == 3 or ":" in word})
            for line in text.splitlines()[1:]]


TRACES = pytest.mark.parametrize("options", [(), ("-I",), ("-T",), ("-U", "-p", "33999")], ids=["udp", "icmp", "tcp", "udp-port"])


@TRACES
@BOTH
def test_traceroute_shows_the_portal_and_then_the_far_host(lab, routed, far, options):
    """The tunnel is one hop."""
    portal = "10.1.0.1" if far == net.SERVER4 else "fd01::1"
    assert hops(lab.client, far, *options) == [[portal], [far]]
    assert hops(lab.portal, far, *options) == [[far]]


@BOTH
def test_mtr(lab, routed, far):
    portal = "10.1.0.1" if far == net.SERVER4 else "fd01::1"
    lines = lab.client.run("mtr", "-rn", "-c", 3, "-i", 0.2, "-G", 1, far).stdout.splitlines()[2:]
    assert [line.split()[1:3] for line in lines] == [[portal, "0.0%"], [far, "0.0%"]]


@pytest.mark.parametrize("far,says", [(net.ABSENT4, "!H"), (net.DENIED4, "!X"), (net.ABSENT6, "!H"), (net.DENIED6, "!X")])
def test_traceroute_to_what_cannot_be_reached(lab, routed, far, says):
    """An error comes in the name of whom it is about, who is the hop behind the portal."""
    text = lab.client.run("traceroute", "-n", "-w", 6, "-q", 1, "-m", 3, far).stdout
    last = text.splitlines()[-1].split()
    assert last[:2] == ["2", far] and says in last, text
