# SPDX-License-Identifier: GPL-2.0-or-later
"""The audit file of a gate: one line of JSON for each session, and for what becomes of tunnels."""

import errno
import os
import re
import signal
import socket

import pytest

from audited import Audited, await_sessions, count, lines, sessions, shown
from lab import DENIED4, SERVER4, SERVER6, wait_until
from programs import USHER_GATE
from traffic import (Server, connect_error, connected, datagram, receive_all, reset, serve_datagram_echo, stream)

NOW = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


@pytest.fixture(scope="module")
def both(lab, pki, tmp_path_factory):
    with Audited(lab, tmp_path_factory.mktemp("audit"), pki) as both:
        yield both


def last(both, wanted, before):
    """The sessions since then, when there are so many; what all of them say stands for itself."""
    found = await_sessions(both.path, before + wanted)[before:]
    portal = both.gate.status()["portals"][0]
    for line in found:
        assert re.fullmatch(NOW, line.pop("time"))
        assert line.pop("event") == "session"
        assert (line.pop("gate"), line.pop("portal"), line.pop("serial"), line.pop("peer")) == \
            (both.gate.name, "branch", portal["serial"], portal["address"])
        assert re.fullmatch(f"[0-9a-f]+-{portal['pid']:x}", line.pop("tunnel"))
        assert 0 <= line.pop("duration_ms") < 20000
    assert len(found) == wanted
    return found


ALLOWED = {"rule": "Allow = 10.73.0.0/24", "opened_by": "portal", "via": "dial"}


def test_closed(lab, both):
    before = count(both)
    with connected(lab, SERVER4) as (client, server):
        client.sendall(b"hello")
        assert receive_all(server, 5) == b"hello"
        server.sendall(b"good day")
        assert receive_all(client, 8) == b"good day"
        near, far = shown(client.getsockname()), shown(server.getsockname())
        client.shutdown(socket.SHUT_WR)
        assert server.recv(1) == b""
        server.close()
        assert client.recv(1) == b""
    assert last(both, 1, before) == [ALLOWED | {
        "protocol": "tcp", "from": near, "destination": far, "place": both.place("Allow = 10.73.0.0/24, fd73::/64"),
        "bytes_in": 5, "bytes_out": 8, "end": "closed"}]
    assert (both.path.stat().st_mode & 0o777, both.path.stat().st_uid) == (0o640, 0)


@pytest.mark.parametrize("by", ("portal", "gate"))
def test_reset(lab, both, by):
    before = count(both)
    with connected(lab, SERVER6) as (client, server):
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        reset(client if by == "portal" else server)
        with pytest.raises(ConnectionResetError):
            (server if by == "portal" else client).recv(1)
    (line,) = last(both, 1, before)
    assert (line["end"], line["by"], line["bytes_in"], line["rule"]) == ("reset", by, 1, "Allow = fd73::/64")


def test_refused_and_denied(lab, both):
    before = count(both)
    assert connect_error(lab, SERVER4, 9)[0] == errno.ECONNREFUSED
    assert connect_error(lab, DENIED4, 22)[0] == errno.EHOSTUNREACH
    refused, denied = last(both, 2, before)
    assert {key: refused[key] for key in ("destination", "end", "by", "why", "text", "rule", "bytes_in")} == {
        "destination": f"{SERVER4}:9", "end": "refused", "by": "gate", "why": "refused",
        "text": f"{SERVER4}:9: Connection refused", "rule": "Allow = 10.73.0.0/24", "bytes_in": 0}
    assert {key: denied[key] for key in ("destination", "end", "why", "rule", "place")} == {
        "destination": f"{DENIED4}:22", "end": "denied", "why": "denied", "rule": "Deny = 10.73.0.66/32",
        "place": both.place("Deny = 10.73.0.66/32, fd73::66/128")}


def test_ping_and_datagrams(lab, both):
    before = count(both)
    lab.client.run("ping", "-c", 1, "-W", 5, SERVER4)
    with Server(datagram(lab.server, SERVER4, (SERVER4, 53)), serve_datagram_echo), datagram(lab.client, SERVER4) as sock:
        sock.connect((SERVER4, 53))
        sock.send(b"a question")
        assert sock.recv(20) == b"a question"
    # Idle for ten seconds behind an answer to DNS, and thirty of a ping: their ends say the rest, so the tunnel's does.
    lab.gate.run(USHER_GATE, "end", "branch")
    wait_until(lambda: count(both) == before + 2, 5, "both")
    found = {line["protocol"]: line for line in sessions(both.path)[before:]}
    assert (found["icmp"]["destination"], found["icmp"]["end"]) == (SERVER4, "ended")
    udp = found["udp"]
    assert (udp["destination"], udp["bytes_in"], udp["bytes_out"], udp["end"], udp["text"]) == \
        (f"{SERVER4}:53", 10, 10, "ended", "an operator of the gate has ended it")
    both.portal.wait_up(10)


def test_of_tunnels_and_operators(lab, both):
    before = len(lines(both.path))
    both.portal.host.run("ss", "-K", "-t", "( dport = :4433 )")
    wait_until(lambda: len(lines(both.path)) == before + 2, 10, "lost and resumed")
    lab.gate.run(USHER_GATE, "reload", both.gate.name)
    lab.gate.run(USHER_GATE, "end", "branch")
    wait_until(lambda: len(lines(both.path)) == before + 6, 10, "all of it")
    both.portal.wait_up(10)
    found = lines(both.path)[before:]
    assert [line["event"] for line in found] == ["paused", "resumed", "operator", "operator", "down", "up"]
    paused, resumed, reload, end, down, up = found
    assert paused["tunnel"] == resumed["tunnel"] == down["tunnel"] != up["tunnel"]
    assert paused["peer"] != resumed["peer"] and paused["text"]
    assert (reload["act"], reload["uid"], "portal" in reload) == ("reload", 0, False)
    assert (end["act"], end["uid"], end["portal"]) == ("end", 0, "branch")
    assert (down["end"], down["text"]) == ("ended", "an operator of the gate has ended it")
    assert up["cipher"].startswith("TLS") and up["serial"] == both.gate.status()["portals"][0]["serial"]


def test_a_killed_worker_is_told_of(lab, both):
    before = len(lines(both.path))
    (worker,) = both.gate.worker_pids()
    os.kill(worker, signal.SIGKILL)
    both.portal.wait_up(10)
    wait_until(lambda: len(lines(both.path)) == before + 2, 10, "its end, and the next")
    down, up = lines(both.path)[before:]
    assert (down["event"], down["end"], up["event"]) == ("down", "lost", "up")
    assert down["text"] == "its worker was killed by signal 9 (Killed): what was open is in no line"


def test_the_writer_is_killed(lab, both):
    """What it had not written yet is lost and counted; the next is there at once."""
    before, old = count(both), both.writer()
    os.kill(old, signal.SIGKILL)
    assert connect_error(lab, SERVER4, 9)[0] == errno.ECONNREFUSED
    await_sessions(both.path, before + 1)
    assert both.writer() not in (None, old)
    assert f"Audit: what writes {both.path} has ended (code 0, signal 9), and is started again" in both.gate.log()


def test_a_torn_line_is_cut_off_and_a_strangers_gets_an_end(lab, both):
    for torn in ('{"time":"2026-01-01T00:00:00.000Z","event":"sess', '{"ti', "a note"):
        before = count(both)
        with open(both.path, "a", encoding="ascii") as file:
            file.write(torn)
        assert connect_error(lab, SERVER4, 9)[0] == errno.ECONNREFUSED
        wait_until(lambda: both.path.read_bytes().endswith(b"}\n"), 5, "the next line")
        text = both.path.read_text().splitlines()
        assert text[-2:-1] == ["a note"] or (text[-2].endswith("}") and torn != "a note")
        both.path.write_text("".join(line + "\n" for line in text if line != "a note"))
        assert count(both) == before + 1
