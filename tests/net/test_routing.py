# SPDX-License-Identifier: GPL-2.0-or-later
"""What is captured and what is not: default routes, more specific routes of the host, the gate's own address; several
portals on one host; other managers that meddle; a certificate that logs in twice."""

import os
import pathlib
import signal
import time

import pytest

import lab as net
import socks
from lab import patience, replace_device, wait_until
from programs import USHER_TUN, Gate, Portal
from traffic import (TIMEOUT, Server, connect_error, each_connection, listener, receive_all, serve_echo,
                     stream)

MARK = "0x7573"  # of the portal's own connection
FIRST_TABLE = 30067  # of slot 0
CAP_NET_ADMIN = 1 << 12


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki).start()
    yield gate
    gate.stop()


@pytest.fixture
def make_portal(lab, pki, gate, tmp_path):
    made = []

    def make(**kwargs):
        made.append(Portal(lab, tmp_path, pki, **kwargs))
        return made[-1]

    yield make
    for portal in made:
        portal.down(check=False)


@pytest.fixture
def echo(lab):
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        yield where


def echoes(host, where):
    with stream(host)(where[0], 5) as sock:
        sock.connect(where)
        sock.sendall(b"ping")
        return sock.recv(10) == b"ping"


def device_to(host, address, *selectors):
    """The device that a packet to `address` leaves by."""
    words = host.run("ip", "route", "get", address, *selectors).stdout.split()
    return words[words.index("dev") + 1]


def test_a_default_route_captures_all_but_the_link(lab, make_portal, echo):
    make_portal(routes="0.0.0.0/0, ::/0").start()
    assert echoes(lab.client, echo)
    assert echoes(lab.portal, echo)
    assert device_to(lab.portal, "192.0.2.1") == "usher0"
    assert device_to(lab.portal, "2001:db8::1") == "usher0"
    # The gate's address goes into the tunnel like any other, but not the link's own socket.
    assert device_to(lab.portal, "10.3.0.2") == "usher0"
    assert device_to(lab.portal, "10.3.0.2", "mark", MARK) == "wan"
    # The host's own networks stay its own.
    assert device_to(lab.portal, "10.1.0.2") == "lan"
    lab.client.run("ping", "-n", "-c", 1, "-W", 1, "10.1.0.1")


def test_a_more_specific_route_of_the_host_wins(lab, make_portal):
    make_portal(routes="10.0.0.0/8, 10.73.0.0/24").start()
    assert device_to(lab.portal, "10.99.99.99") == "usher0"
    assert device_to(lab.portal, "10.1.0.2") == "lan"
    longer, as_long = "10.73.0.128/25", "10.73.0.0/24"
    try:
        lab.portal.run("ip", "route", "add", longer, "dev", "lan")
        assert device_to(lab.portal, "10.73.0.200") == "lan"
        assert device_to(lab.portal, "10.73.0.2") == "usher0"
        lab.portal.run("ip", "route", "add", as_long, "dev", "lan")
        assert device_to(lab.portal, "10.73.0.2") == "usher0"
    finally:
        for prefix in (longer, as_long):
            lab.portal.run("ip", "route", "del", prefix, check=False)


@pytest.fixture
def own_rules(lab):
    """Whatever a test deletes, the kernel's own rules are there again afterwards."""
    yield
    for version in ("-4", "-6"):
        for table, priority in (("local", 0), ("main", 32766), ("default", 32767)):
            lab.portal.run("ip", version, "rule", "add", "lookup", table, "priority", priority, check=False)


@pytest.mark.parametrize("commands", [
    ("ip rule flush", "ip rule add lookup main priority 32766"),
    ("ip -6 rule flush", "ip -6 rule add lookup main priority 32766"),
    ("ip route flush table {table}", "ip -6 route flush table {table}"),
    ("ip link set usher0 down",),
    ("ip rule del lookup {table}",),
])
def test_what_others_delete_is_put_back(lab, make_portal, own_rules, echo, commands):
    portal = make_portal().start()
    table = str(FIRST_TABLE + portal.slot())

    def state():
        rules = [lab.portal.run("ip", version, "rule").stdout.splitlines() for version in ("-4", "-6")]
        routes = [lab.portal.run("ip", version, "route", "show", "table", table, check=False).stdout.splitlines()
                  for version in ("-4", "-6")]
        ours = [[line for line in lines if table in line or "suppress" in line] for lines in rules]
        return [sorted(lines) for lines in ours + routes]

    before = state()
    assert all(before)
    for _ in range(3):
        for command in commands:
            lab.portal.run(*command.format(table=table).split())
        wait_until(lambda: state() == before, 5, f"{before} is back")
        assert echoes(lab.client, echo)


def test_a_deleted_device_is_made_again(lab, make_portal, gate, echo):
    """Tunnel, other entrances and flows of the LAN go on."""
    portal = make_portal(extra="Socks = 127.0.0.1:81").start()
    worker = gate.worker_pids()
    with stream(lab.client)(echo[0], TIMEOUT) as flow, socks.connect(lab.portal, echo, ("127.0.0.1", 81)) as aside:
        flow.connect(echo)
        for _ in range(2):
            lab.portal.run("ip", "link", "del", "usher0")
            begin = time.monotonic()
            wait_until(lambda: lab.portal.run("ip", "route", "show", "dev", "usher0", "table", "all",
                                              check=False).stdout.count("10.73.0.0/24"), 2, "the device with its routes")
            assert time.monotonic() - begin < patience(1)
            for sock in (flow, aside):
                sock.sendall(b"still there")
                assert receive_all(sock, 11) == b"still there"
            assert echoes(lab.client, echo) and echoes(lab.portal, echo)
    assert "10.99.0.2" in lab.portal.run("ip", "address", "show", "usher0").stdout
    assert portal.log().count("usher0 was deleted by another program; made again") == 2
    assert gate.worker_pids() == worker


def test_a_device_that_cannot_be_made_again_ends_the_portal(lab, make_portal):
    portal = make_portal().start()
    try:
        replace_device(lab.portal, "usher0", portal.pid())
        assert portal.wait(10) == 1
        assert "usher0 was deleted by another program, and cannot be made again: tun usher0: there is an" in portal.log()
    finally:
        lab.portal.run("ip", "link", "del", "usher0")
    portal.down(check=False)
    assert "suppress" not in lab.portal.run("ip", "rule").stdout


def test_two_portals_on_one_host(lab, make_portal, gate, echo):
    one = make_portal().start()
    two = make_portal(certificate="other", name="other", device="usher1", routes="192.0.2.0/24").start()
    assert device_to(lab.portal, "10.73.0.2") == "usher0"
    assert device_to(lab.portal, "192.0.2.1") == "usher1"
    assert sorted(p["identity"] for p in gate.status()["portals"]) == ["branch", "other"]
    one.down()
    assert device_to(lab.portal, "192.0.2.1") == "usher1"
    one.start()
    two.kill()
    assert echoes(lab.client, echo)
    assert connect_error(lab, "192.0.2.1", 80)[0] != 0  # unreachable: the killed one fails closed
    two.down(check=False)
    assert echoes(lab.client, echo)


def workers(gate):
    """Those of "branch": one that another test has killed may wait for its connection still."""
    return [portal["pid"] for portal in gate.status()["portals"] if portal["identity"] == "branch"]


def test_a_newer_login_replaces_the_older(lab, make_portal, gate):
    portal = make_portal().start()
    old = workers(gate)
    lab.cut()
    portal.kill()
    lab.heal()
    portal.start()
    wait_until(lambda: len(workers(gate)) == 1 and workers(gate) != old, 3, "one worker, a new one")


def test_ending_in_order_is_prompt(lab, make_portal, gate):
    portal = make_portal().start()
    begin = time.monotonic()
    portal.down()
    assert time.monotonic() - begin < patience(2)
    wait_until(lambda: not workers(gate), 2, "the worker is gone")
    portal.start()
    lab.cut()
    try:
        begin = time.monotonic()
        portal.down()
        assert time.monotonic() - begin < patience(5)
    finally:
        lab.heal()


def test_in_the_background(lab, make_portal, echo):
    portal = make_portal()
    begin = time.monotonic()
    lab.portal.run(USHER_TUN, "up", portal.conf)
    assert time.monotonic() - begin < patience(3)
    assert echoes(lab.client, echo)
    pid = portal.status()["pid"]
    assert os.getsid(pid) == pid
    assert "up: gate" in pathlib.Path(f"/run/usher/{portal.name}/log").read_text()
    status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    assert "0" not in status["Uid"].split()
    for capabilities in ("CapEff", "CapPrm", "CapBnd"):
        assert int(status[capabilities], 16) in (0, CAP_NET_ADMIN)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 5, "it ends")
    lab.portal.run(USHER_TUN, "up", portal.conf)  # takes over what the one before left
    portal.down()
    assert not os.path.exists(f"/run/usher/{portal.name}")
