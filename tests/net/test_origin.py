# SPDX-License-Identifier: GPL-2.0-or-later
"""Who asked for a flow, as a portal tells its gate if it may."""

import errno
import json
import re

import pytest

from lab import DENIED4, SERVER4, SERVER6, run, wait_until
from programs import ALLOW_ALL, USHER_GATE, USHER_TUN, Gate, Portal
from sites import await_exports
from traffic import Server, connect_error, datagram, each_connection, listener, serve_datagram_echo, serve_echo, stream


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("origin"), pki, extra="LogLevel = debug").start()
    yield gate
    gate.stop()


def asked(gate, before):
    """Who asked for what, in the order of the gate's log."""
    return re.findall(r"branch \(\S+\): (\S+) asks for (\S+), protocol (\d+)$", gate.log()[before:], re.MULTILINE)


def use_all(lab):
    """A connection and a datagram over each IP version: what they went from and to."""
    used = []
    for address in (SERVER4, SERVER6):
        with Server(listener(lab.server, address), each_connection(serve_echo)) as where, stream(lab.client)(address) as sock:
            sock.connect(where[:2])
            used.append((sock.getsockname()[:2], where[:2], "6"))
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
        with Server(datagram(lab.server, address, (address, 0)), serve_datagram_echo) as where, \
                datagram(lab.client, address) as sock:
            sock.connect(where[:2])
            used.append((sock.getsockname()[:2], where[:2], "17"))
            sock.settimeout(5)
            sock.send(b"x")
            assert sock.recv(10) == b"x"
    return used


def shown(end):
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"


@pytest.mark.parametrize("key", ("", "TellOrigin = no", "TellOrigin = yes"))
def test_who_asked(lab, pki, tmp_path, gate, key):
    before = len(gate.log())
    portal = Portal(lab, tmp_path, pki, extra=key).start()
    try:
        expected = [(shown(inside), shown(outside), protocol) for inside, outside, protocol in use_all(lab)]
        if key.endswith("yes"):
            wait_until(lambda: asked(gate, before) == expected, 5, f"{expected} in {gate.log()[before:]}")
            assert portal.status()["counters"]["origins_told"] == 4
        else:
            assert asked(gate, before) == []
            assert portal.status()["counters"]["origins_told"] == 0
    finally:
        portal.down()


@pytest.mark.parametrize("key, who", (("no", None), ("yes", "10.1.0.2")))
def test_who_was_refused(lab, pki, tmp_path, gate, key, who):
    portal = Portal(lab, tmp_path, pki, extra=f"TellOrigin = {key}", name=f"refused{key}").start()
    port = 1000 + len(key)
    try:
        assert connect_error(lab, DENIED4, port)[0] == errno.EHOSTUNREACH
        told = json.loads(gate.host.run(USHER_GATE, "denials", gate.name, "--json").stdout)["denials"]
        assert [one.get("from") for one in told if one["destination"] == f"{DENIED4}:{port}"] == [who]
    finally:
        portal.down()


def test_the_other_way(lab, pki, tmp_path):
    """Who asked for a flow into what a portal exports, as a gate tells that."""
    access = ALLOW_ALL + "Export = 10.1.0.0/24\n"
    gate = Gate(lab, tmp_path, pki, access=access, extra="TellOrigin = yes", listen="0.0.0.0:4444", name="exporting").start()
    portal = Portal(lab, tmp_path, pki, name="exports", address="10.3.0.2:4444")
    portal.conf.write_text(portal.conf.read_text() + "[Accept]\nAllow = 10.1.0.0/24\n")
    try:
        portal.start()
        await_exports(gate)
        with Server(listener(lab.client, "10.1.0.2"), each_connection(serve_echo)) as where, stream(lab.server)(where[0]) as sock:
            sock.connect(where)
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
            [flow] = [one for one in portal.flows() if one["via"] == "dial"]
            assert flow["asked_by"] == shown(sock.getsockname())
    finally:
        portal.down()
        gate.stop()


def test_a_wrong_value(lab, pki, tmp_path):
    portal = Portal(lab, tmp_path, pki, extra="TellOrigin = perhaps")
    done = run(USHER_TUN, "check", portal.conf, check=False)
    line = portal.conf.read_text().splitlines().index("TellOrigin = perhaps") + 1
    assert done.returncode == 2 and f'{portal.conf.name}:{line}: TellOrigin: "perhaps" is neither yes nor no' in done.stderr
