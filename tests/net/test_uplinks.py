# SPDX-License-Identifier: GPL-2.0-or-later
"""A router with two ways to the world, of which the one that the kernel prefers dies: with a word, or without one."""

import os
import time

import pytest

import lab as net
from lab import Lab, patience, wait_until, wire
from programs import Gate, Portal
from traffic import Server, each_connection, listener, serve_echo, stream

ROUTES = pytest.mark.parametrize("routes", [Portal.ROUTES, "0.0.0.0/0, ::/0"], ids=["split", "default"])


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    wire(lab.portal, "spare", lab.wan, "spare")
    lab.portal.address("spare", "10.4.0.2/24", "fd04::2/64")
    lab.wan.address("spare", "10.4.0.1/24", "fd04::1/64")
    for family in ("-4", "-6"):
        lab.portal.run("ip", family, "route", "del", "default")
    yield lab
    lab.delete()


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki).start()
    yield gate
    gate.stop()


@pytest.fixture
def uplinks(lab):
    """Both are there, the first one preferred."""
    lab.portal.run("ip", "link", "set", "wan", "up")
    for family, first, second in (("-4", "10.2.0.1", "10.4.0.1"), ("-6", "fd02::1", "fd04::1")):
        lab.portal.run("ip", family, "address", "replace", "10.2.0.2/24" if family == "-4" else "fd02::2/64", "dev", "wan")
        lab.portal.run("ip", family, "route", "replace", "default", "via", first, "dev", "wan", "metric", 100)
        lab.portal.run("ip", family, "route", "replace", "default", "via", second, "dev", "spare", "metric", 200)
    yield
    lab.heal()


@pytest.fixture
def make_portal(lab, pki, gate, tmp_path):
    made = []

    def make(**kwargs):
        made.append(Portal(lab, tmp_path, pki, **kwargs))
        return made[-1].start()

    yield make
    for portal in made:
        portal.down(check=False)


@pytest.fixture
def echo(lab):
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        yield where


def silence(lab):
    """What comes by the first uplink vanishes, and what goes there."""
    lab.wan.run("nft", "add rule inet cut forward iifname left drop")
    lab.wan.run("nft", "add rule inet cut forward oifname left drop")


def answered(lab, echo, seconds):
    """How long until a new flow is answered."""
    begin = time.monotonic()
    while True:
        try:
            with stream(lab.client)(echo[0], 2) as sock:
                sock.connect(echo)
                sock.sendall(b"ping")
                assert sock.recv(10) == b"ping"
                return time.monotonic() - begin
        except OSError:
            assert time.monotonic() - begin < patience(seconds)
            time.sleep(0.05)


def seen_by(gate):
    return sorted(portal["address"].rsplit(":", 1)[0] for portal in gate.status()["portals"])


@ROUTES
@pytest.mark.parametrize("end", ["here", "there"])
def test_the_link_goes_down(lab, gate, make_portal, uplinks, echo, figure, routes, end):
    """The kernel keeps the address, and where only the carrier is gone the routes too; nobody waits until TCP despairs."""
    portal = make_portal(routes=routes)
    assert "10.2.0.2" in seen_by(gate)
    host, device = (lab.portal, "wan") if end == "here" else (lab.wan, "left")
    try:
        host.run("ip", "link", "set", device, "down")
        took = answered(lab, echo, 4)
        figure(f"{routes}: the first uplink's link went down {end}: a flow was answered after {took:.2f} s")
        assert "10.4.0.2" in seen_by(gate)
        assert "the link of the tunnel's connection is down" in portal.log()
    finally:
        host.run("ip", "link", "set", device, "up")
        if end == "there":
            lab.wan.run("ip", "-6", "address", "replace", "fd02::1/64", "dev", "left", "nodad")


def test_a_link_that_comes_back_is_waited_for(lab, gate, make_portal, uplinks, echo):
    """Without another one, nothing is lost by a pull of the plug."""
    portal = make_portal()
    for family in ("-4", "-6"):
        lab.portal.run("ip", family, "route", "del", "default", "dev", "spare")
    with stream(lab.client)(echo[0]) as held:
        held.connect(echo)
        lab.wan.run("ip", "link", "set", "left", "down")
        time.sleep(1)
        held.sendall(b"still")
        lab.wan.run("ip", "link", "set", "left", "up")
        assert held.recv(10) == b"still"
    assert "lost" not in portal.log()


def test_the_address_goes(lab, gate, make_portal, uplinks, echo, figure):
    make_portal()
    lab.portal.run("ip", "address", "flush", "dev", "wan", "scope", "global")
    took = answered(lab, echo, 3)
    figure(f"the first uplink's address went: a flow was answered after {took:.2f} s")
    assert "10.4.0.2" in seen_by(gate)


@ROUTES
def test_the_first_uplink_is_silent_from_the_start(lab, gate, make_portal, uplinks, echo, figure, routes):
    """The kernel would go there for ever."""
    silence(lab)
    begin = time.monotonic()
    portal = make_portal(routes=routes)
    figure(f"{routes}: the first uplink was silent: up after {time.monotonic() - begin:.2f} s")
    assert time.monotonic() - begin < patience(4)
    assert seen_by(gate) == ["10.4.0.2"]
    assert answered(lab, echo, 3) < patience(1)
    assert "via 10.2.0.1" in lab.portal.run("ip", "route", "get", "10.3.0.2", "mark", "0x7573").stdout  # nothing was changed
    assert portal.status()["state"] == "up"


def test_the_first_uplink_falls_silent(lab, gate, make_portal, uplinks, echo, figure):
    """Within the time that TCP gives a connection of which nothing is acknowledged."""
    portal = make_portal(routes="0.0.0.0/0, ::/0")
    with stream(lab.client)(echo[0]) as held:
        held.connect(echo)
        silence(lab)
        held.sendall(b"is anybody there?")
        took = answered(lab, echo, 30)
    figure(f"the first uplink fell silent: a flow was answered after {took:.1f} s")
    assert took < patience(20)
    wait_until(lambda: seen_by(gate) == ["10.4.0.2"], 30, "one login")
    assert portal.status()["state"] == "up"
