# SPDX-License-Identifier: GPL-2.0-or-later
"""`usher-gate flows`: whose flows there are at a gate, where they go and by which rule."""

import contextlib
import json
import os
import signal
import socket
import time

import pytest

from lab import SERVER4, SERVER6, wait_until
from programs import USHER_GATE, Gate, Portal
from traffic import Server, connected, datagram, listener, serve_datagram_echo, stream

ACCESS = """
[Access branch]
Deny = 10.73.0.66/32
Allow = tcp:10.73.0.0/24
Allow = 10.73.0.0/24, fd73::/64
Forward = tcp 10.73.0.1:8080 -> 10.1.0.2:80
[Access other]
Allow = 10.73.0.0/24
"""
COUNT = 2300  # on three pages


@pytest.fixture(scope="module")
def both(lab, pki, tmp_path_factory):
    directory = tmp_path_factory.mktemp("flows")
    gate = Gate(lab, directory, pki, access=ACCESS, extra="MaxSessions = 4000").start()
    portal = Portal(lab, directory, pki, extra="TellOrigin = yes\nMaxSessions = 4000")
    portal.conf.write_text(portal.conf.read_text() + "\n[Accept]\nAllow = 10.1.0.0/24\n")
    try:
        yield portal.start(), gate
    finally:
        portal.down(check=False)
        assert gate.stop() == 0


def ask(lab, *words, code=0):
    done = lab.gate.run(USHER_GATE, "flows", *words, check=False)
    assert done.returncode == code, done
    return done


def flows(lab, *words):
    return json.loads(ask(lab, "--json", *words).stdout)["flows"]


def place(gate, text):
    return f"{gate.conf}:{gate.conf.read_text().splitlines().index(text) + 1}"


def control(gate, line):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(f"/run/usher/{gate.name}/control")
        sock.sendall(line.encode() + b"\n")
        return json.loads(b"".join(iter(lambda: sock.recv(65536), b"")))


def connections(lab, *words):
    """Associations last for a while."""
    return [flow for flow in flows(lab, *words) if flow["protocol"] == "tcp"]


def gone(lab):
    wait_until(lambda: connections(lab) == [], 10, "no connections")


def test_each_kind(lab, both):
    _, gate = both
    assert ask(lab).stdout == f"{gate.name}: flows: 0\n"
    echo = datagram(lab.server, SERVER4, (SERVER4, 0))
    with connected(lab, SERVER6) as (client, server), Server(echo, serve_datagram_echo), \
            datagram(lab.client, SERVER4) as asking:
        client.sendall(b"hello")
        server.sendall(b"good day")
        assert (server.recv(9), client.recv(9)) == (b"hello", b"good day")
        asking.sendto(b"12", echo.getsockname())
        assert asking.recv(9) == b"12"
        time.sleep(1.1)
        found = flows(lab, "branch")
        ages = [flow.pop("age_s") for flow in found]
        assert all(1 <= age < 20 for age in ages)
        tcp, udp = sorted(found, key=lambda flow: flow["protocol"])
        both_ways = {"portal": "branch", "opened_by": "portal", "via": "dial"}
        assert tcp == both_ways | {
            "protocol": "tcp", "from": f"[{client.getsockname()[0]}]:{client.getsockname()[1]}",
            "destination": f"[{SERVER6}]:{server.getsockname()[1]}", "rule": "Allow = fd73::/64",
            "place": place(gate, "Allow = 10.73.0.0/24, fd73::/64"), "state": "active", "bytes_in": 5, "bytes_out": 8}
        assert udp == both_ways | {
            "protocol": "udp", "from": f"10.1.0.2:{asking.getsockname()[1]}",
            "destination": f"{SERVER4}:{echo.getsockname()[1]}", "rule": "Allow = 10.73.0.0/24",
            "place": place(gate, "Allow = 10.73.0.0/24, fd73::/64"), "state": "active", "bytes_in": 2, "bytes_out": 2}
        text = ask(lab, "BRANCH").stdout.splitlines()
        assert text[0] == f"{gate.name}: flows: 2"
        assert text[1].split() == ["PORTAL", "PROTO", "FROM", "DESTINATION", "STATE", "IN", "OUT", "AGE", "RULE"]
        assert "  5 B  8 B  " in "".join(text[2:]) and "Allow = fd73::/64" in "".join(text[2:])


def test_opened_by_the_gate(lab, both):
    """A forward of the gate's: what answers stands behind the portal."""
    _, gate = both
    with listener(lab.client, "10.1.0.2", 80) as listening, stream(lab.server)("10.73.0.1") as asking:
        asking.connect(("10.73.0.1", 8080))
        answering, _ = listening.accept()
        with answering:
            asking.sendall(b"123")
            assert answering.recv(9) == b"123"
            (flow,) = [flow for flow in flows(lab) if flow["opened_by"] == "gate"]
            assert flow.pop("age_s") < 20
            assert flow == {
                "portal": "branch", "opened_by": "gate", "via": "forward", "protocol": "tcp",
                "from": "{}:{}".format(*asking.getsockname()), "destination": "10.1.0.2:80", "state": "active",
                "bytes_in": 0, "bytes_out": 3}


@contextlib.contextmanager
def held(lab, count):
    """So many connections, all of which stand still."""
    with listener(lab.server, SERVER4, backlog=4096) as listening, contextlib.ExitStack() as stack:
        where = listening.getsockname()
        for _ in range(count):
            client = stack.enter_context(stream(lab.client)(SERVER4))
            client.setblocking(False)
            client.connect_ex(where)
        for _ in range(count):
            listening.settimeout(20)
            stack.enter_context(listening.accept()[0])
        yield where


def test_pages(lab, both, tmp_path):
    """Each flow once, though others come and go between two pages, and an echo beside it waits for no page."""
    _, gate = both
    gone(lab)
    with held(lab, COUNT) as where, connected(lab, SERVER4) as (client, server):
        wait_until(lambda: gate.status()["portals"][0]["sessions"] >= COUNT + 1, 10, "all")
        seen, pages, line = [], 0, "flows"
        while line:
            answer = control(gate, line)
            assert len(answer["flows"]) <= 1200
            seen += [flow["from"] for flow in answer["flows"] if flow["destination"] == "{}:{}".format(*where)]
            pages += 1
            line = "next" in answer and f"flows after {answer['next']} of branch"
            with connected(lab, SERVER6):
                pass
        assert (len(seen), len(set(seen)), pages >= 3) == (COUNT, COUNT, True)
        begin = time.monotonic()
        with open(tmp_path / "listing", "wb") as out:
            listing = lab.gate.start(USHER_GATE, "flows", "--json", stdout=out)
        times = []
        while listing.poll() is None:
            at = time.monotonic()
            client.sendall(b"?")
            assert server.recv(1) == b"?"
            times.append(time.monotonic() - at)
        assert len(json.loads((tmp_path / "listing").read_bytes())["flows"]) > COUNT
        print(f"a page beside: {time.monotonic() - begin:.3f} s, echoes {len(times)}, the slowest {max(times):.4f} s")
        assert max(times) < 0.2


def test_a_worker_that_is_silent(lab, both):
    """Who was stopped is passed over after half a second, and comes with the next question."""
    _, gate = both
    gone(lab)
    (pid,) = gate.worker_pids()
    with connected(lab, SERVER4):
        os.kill(pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            answer = json.loads(ask(lab, "--json").stdout)
            assert (answer["silent"], answer["flows"]) == (1, [])
            assert 0.4 < time.monotonic() - begin < 3
            assert json.loads(ask(lab, "--json").stdout)["silent"] == 1  # it owes an answer still: nobody waits again
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: len(connections(lab)) == 1, 5, "its flow")
        assert gate.worker_pids() == [pid]


def test_several_gates(lab, both, pki, tmp_path):
    _, gate = both
    gone(lab)
    access = "[Access other]\nForward = tcp 10.73.0.1:8081 -> 10.1.0.2:81\n"
    second = Gate(lab, tmp_path, pki, access=access, listen="0.0.0.0:4434", name="second").start()
    other = Portal(lab, tmp_path, pki, certificate="other", address="10.3.0.2:4434", name="other", device="usher1",
                   routes="10.74.0.0/24")
    other.conf.write_text(other.conf.read_text() + "\n[Accept]\nAllow = 10.1.0.0/24\n")
    try:
        other.start()
        with listener(lab.client, "10.1.0.2", 81) as listening, stream(lab.server)("10.73.0.1") as asking:
            asking.connect(("10.73.0.1", 8081))
            listening.accept()[0].close()
            answers = {one["name"]: one for one in json.loads(ask(lab, "--json", "other").stdout)["instances"]}
            assert (answers[gate.name]["tunnels"], answers[gate.name]["flows"]) == (0, [])
            (flow,) = answers[second.name]["flows"]
            assert (flow["portal"], flow["destination"], answers[second.name]["tunnels"]) == ("other", "10.1.0.2:81", 1)
            assert {flow["portal"] for one in json.loads(ask(lab, "--json").stdout)["instances"]
                    for flow in one["flows"] if flow["protocol"] == "tcp"} == {"other"}
            text = ask(lab, "other").stdout
            assert f"{gate.name}: flows: 0\n" in text and f"{second.name}: flows: 1\n" in text
    finally:
        other.down(check=False)
        second.stop()


def test_what_is_wrong(lab, both):
    _, gate = both
    assert ask(lab, "nobody", code=1).stderr == "usher-gate: no portal nobody is connected\n"
    assert ask(lab, "x" * 256, code=2).stderr == "usher-gate: no portal has such a name\n"
    assert ask(lab, "branch", "other", code=2).stderr
    for line in ("flows after", "flows after 1.2", "flows after 1.2.3x", "flows of ", "flows branch"):
        assert control(gate, line) == {"error": "flows: no such place, or portal"}
    assert control(gate, "flows after 4294967295.0.0")["flows"] == []
