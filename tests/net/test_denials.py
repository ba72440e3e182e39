# SPDX-License-Identifier: GPL-2.0-or-later
"""What rules refused is told with the rule and its place: at the gate for every portal, at a portal for [Accept]."""

import errno
import json
import re
import socket

import pytest

from lab import wait_until
from programs import USHER_GATE, USHER_TUN, Gate, Portal
from traffic import connect_error, datagram

ACCESS = """
[Access branch]
Deny = 10.73.0.66/32, fd73::66/128
Deny = tcp:10.73.0.2:81
Allow = 10.73.0.0/24, fd73::/64
[Access *]
Allow = 10.73.0.3/32
"""
EXPORT = "\n[Access branch]\nExport = 10.71.0.0/24\n"
ACCEPT = "\n[Accept]\nDeny = tcp:10.71.0.9:22\nAllow = 10.71.0.0/25\n"


@pytest.fixture(scope="module")
def pair(lab, pki, tmp_path_factory):
    directory = tmp_path_factory.mktemp("denials")
    gate = Gate(lab, directory, pki, access=ACCESS + EXPORT).start()
    portal = Portal(lab, directory, pki, routes="10.73.0.0/24, fd73::/64, 10.99.73.0/24")
    portal.conf.write_text(portal.conf.read_text() + ACCEPT)
    try:
        yield portal.start(), gate
    finally:
        portal.down(check=False)
        gate.stop()


def denials(program):
    command = USHER_GATE if isinstance(program, Gate) else USHER_TUN
    answer = json.loads(program.host.run(command, "denials", program.name, "--json").stdout)
    assert [one["destination"] for one in program.status()["denials"]] == [one["destination"] for one in answer["denials"]]
    return answer["denials"]


def line_of(program, text):
    return f"{program.conf}:{program.conf.read_text().splitlines().index(text) + 1}"


def test_the_gate_names_the_rule(lab, pair):
    _, gate = pair
    assert denials(gate) == []
    for _ in range(3):
        assert connect_error(lab, "10.73.0.66", 22)[0] == errno.EHOSTUNREACH
    assert connect_error(lab, "10.73.0.2", 81)[0] == errno.EHOSTUNREACH
    assert connect_error(lab, "10.99.73.1", 80)[0] == errno.EHOSTUNREACH
    with datagram(lab.client, "10.73.0.66") as sock:
        sock.sendto(b"?", ("10.73.0.66", 53))
        with pytest.raises(OSError):
            sock.settimeout(2)
            sock.connect(("10.73.0.66", 53))
            sock.send(b"?")
            sock.recv(1)
    found = {(one["protocol"], one["destination"]): one for one in denials(gate)}
    ssh = found["tcp", "10.73.0.66:22"]
    assert (ssh["portal"], ssh["rule"], ssh["count"]) == ("branch", "Deny = 10.73.0.66/32", 3)
    assert ssh["place"] == line_of(gate, "Deny = 10.73.0.66/32, fd73::66/128")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", ssh["first"]) and ssh["last"] >= ssh["first"]
    port = found["tcp", "10.73.0.2:81"]
    assert (port["rule"], port["place"]) == ("Deny = tcp:10.73.0.2/32:81",
                                             line_of(gate, "Deny = tcp:10.73.0.2:81"))
    nowhere = found["tcp", "10.99.73.1:80"]
    assert nowhere["rule"] == "no rule allows it" and "place" not in nowhere
    assert found["udp", "10.73.0.66:53"]["rule"] == "Deny = 10.73.0.66/32"
    assert len(found) == 4


def test_as_text(lab, pair):
    _, gate = pair
    connect_error(lab, "10.73.0.66", 22)
    text = gate.host.run(USHER_GATE, "denials", gate.name).stdout
    assert re.search(r"branch +(10\.\S+ +)?tcp +10\.73\.0\.66:22 +\d+ +\S+\.conf:\d+ +Deny = 10\.73\.0\.66/32", text), text
    assert "denials " + gate.name in gate.host.run(USHER_GATE, "status", gate.name).stdout


def test_the_portal_names_its_own_rule(lab, pair):
    portal, gate = pair
    text = portal.host.run(USHER_TUN, "denials", portal.name).stdout
    assert text == f"{portal.name}: nothing was denied\n"
    for address, port in (("10.71.0.9", 22), ("10.71.0.200", 80)):
        with gate.host.enter():
            sock = socket.socket()
        with sock, pytest.raises(OSError):
            sock.settimeout(5)
            sock.connect((address, port))
    found = {one["destination"]: one for one in denials(portal)}
    assert found["10.71.0.9:22"]["rule"] == "Deny = tcp:10.71.0.9/32:22"
    assert found["10.71.0.9:22"]["place"] == line_of(portal, "Deny = tcp:10.71.0.9:22")
    assert found["10.71.0.200:80"]["rule"] == "no rule allows it"
    assert all("portal" not in one for one in found.values())


def test_what_was_denied_outlives_the_tunnel_and_new_rules_are_new_entries(lab, pair):
    portal, gate = pair
    connect_error(lab, "10.73.0.66", 23)
    portal.down()
    kept = {one["destination"] for one in denials(gate)}
    assert "10.73.0.66:23" in kept
    portal.start()
    text = gate.conf.read_text()
    try:
        gate.conf.write_text("# moved\n" + text)
        gate.host.run(USHER_GATE, "reload", gate.name)
        wait_until(lambda: connect_error(lab, "10.73.0.66", 23)[0] and
                   any(one["place"] == line_of(gate, "Deny = 10.73.0.66/32, fd73::66/128")
                       for one in denials(gate) if one["destination"] == "10.73.0.66:23"), 10, "the rule at its new place")
    finally:
        gate.conf.write_text(text)
        gate.host.run(USHER_GATE, "reload", gate.name)


def test_a_scan_fills_no_memory(lab, pair):
    _, gate = pair
    for port in range(1, 100):
        assert connect_error(lab, "10.99.73.1", port)[0] == errno.EHOSTUNREACH
    assert len(denials(gate)) == 64
