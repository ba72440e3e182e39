# SPDX-License-Identifier: GPL-2.0-or-later
"""A gate's files are read again while it runs: what can change does, what cannot is named, and mistakes change nothing."""

import errno
import signal
import time

import pytest

from lab import SERVER4, SERVER6, run, wait_until
from programs import GATE_NAME, USHER_GATE, USHER_PKI, Gate, Portal, make_pki
from traffic import connect_error, connected

UNCHANGED = "nothing has changed since it was last read"


@pytest.fixture
def pki(tmp_path):
    return make_pki(tmp_path / "pki")


@pytest.fixture
def both(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki).start()
    portal = Portal(lab, tmp_path, pki).start()
    yield gate, portal
    portal.down(check=False)
    assert gate.stop() == 0


def reload(lab, gate):
    return lab.gate.run(USHER_GATE, "reload", gate.name, check=False)


def said(done):
    """What is new, which the gate may have read by itself meanwhile."""
    return [line for line in done.stderr.splitlines() if not line.endswith(UNCHANGED)]


def edit(gate, old, new):
    text = gate.conf.read_text()
    assert old in text
    gate.conf.write_text(text.replace(old, new))


def test_what_has_not_changed(lab, both):
    done = reload(lab, both[0])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"usher-gate: {UNCHANGED}\n")


def test_rules_change_for_what_is_opened_next(lab, both):
    gate, portal = both
    edit(gate, "Allow = 10.73.0.0/24", "Allow = tcp:10.73.0.0/24:1-9")
    done = reload(lab, gate)
    assert (done.returncode, said(done)) == (0, ["usher-gate: new and in force: configuration"])
    wait_until(lambda: connect_error(lab, SERVER4, 7000)[0] == errno.EHOSTUNREACH, 1, "the worker has heard")
    edit(gate, "Allow = tcp:10.73.0.0/24:1-9", "Allow = 10.73.0.0/24")
    assert reload(lab, gate).returncode == 0
    wait_until(lambda: connect_error(lab, SERVER4, 7000)[0] == errno.ECONNREFUSED, 1, "the worker has heard")
    with connected(lab, SERVER4) as (client, server):
        client.sendall(b"x")
        assert server.recv(1) == b"x"
    assert portal.status()["state"] == "up"


def test_rules_change_for_what_is_open(lab, both, figure):
    """A flow that would be denied now is reset at both ends; one that would not goes on."""
    gate, portal = both
    with connected(lab, SERVER4) as (client, server), connected(lab, SERVER6) as (kept_client, kept_server):
        worker = gate.worker_pids()
        edit(gate, "Allow = 10.73.0.0/24, ", "Allow = ")
        since = time.monotonic()
        for end_of_flow in (client, server):
            with pytest.raises(ConnectionResetError):
                end_of_flow.recv(1)
        figure(f"from new rules to the reset of a flow that they deny: {time.monotonic() - since:.2f} s")
        assert time.monotonic() - since < 1
        kept_client.sendall(b"x")
        assert kept_server.recv(1) == b"x"
        assert gate.worker_pids() == worker
    assert "flows reset because the rules do not allow them any more: 1" in gate.log()


def test_what_cannot_change_is_named(lab, both):
    gate, _ = both
    edit(gate, "Listen = 0.0.0.0:4433", "UdpTimeout = 30s\nListen = 0.0.0.0:4444")
    edit(gate, "[Access branch]", "[Access branch]\nForward = tcp 127.0.0.1:8080 -> 10.71.0.20:80")
    worker = gate.worker_pids()
    done = reload(lab, gate)
    assert done.returncode == 0
    assert said(done) == [
        "usher-gate: new and in force: configuration",
        "usher-gate: Listen takes effect when the gate is started again",
        "usher-gate: Forward takes effect when the gate is started again",
        "usher-gate: UdpTimeout takes effect at the next login of each portal",
    ]
    assert "Forward takes effect when the gate is started again" in gate.log()
    assert gate.worker_pids() == worker
    assert gate.status()["listen"] == ["0.0.0.0:4433", "[::]:4433"]


def test_mistakes_change_nothing_and_are_told(lab, both):
    gate, portal = both
    edit(gate, "Allow = 10.73.0.0/24", "Alow = 10.73.0.0/99")
    done = reload(lab, gate)
    assert done.returncode == 2
    line = gate.conf.read_text().splitlines().index(next(x for x in gate.conf.read_text().splitlines() if "Alow" in x)) + 1
    assert f"{gate.conf}:{line}: unknown key \"Alow\" in [Access]" in done.stderr
    assert "usher-gate: not all of it is in force" in done.stderr
    assert gate.status()["refused"]
    with connected(lab, SERVER4) as (client, server):
        client.sendall(b"x")
        assert server.recv(1) == b"x"


def test_a_new_certificate_for_the_next_handshake(lab, pki, both):
    gate, portal = both
    serial = portal.status()["gate"]
    for suffix in ("crt", "key"):
        (pki / f"{GATE_NAME}.{suffix}").rename(pki / f"old.{suffix}")
    run(USHER_PKI, "issue", pki, "gate", GATE_NAME, "10.3.0.2", "fd03::2")
    wait_until(lambda: "new and in force: certificate, key" in gate.log(), 3, gate.log())
    assert portal.status()["state"] == "up" and portal.status()["gate"] == serial
    shown = lab.portal.run("sh", "-c", "openssl s_client -connect 10.3.0.2:4433 </dev/null 2>/dev/null | openssl x509 -noout "
                           "-serial", check=False).stdout
    new = run("openssl", "x509", "-noout", "-serial", "-in", pki / f"{GATE_NAME}.crt").stdout
    assert shown == new and shown
    lab.gate.run(USHER_GATE, "end", "branch")
    portal.wait_up(5)


def test_a_signal_does_the_same(lab, both):
    gate, _ = both
    edit(gate, "[Gate]", "[Gate]\nLogLevel = debug")
    gate.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "new and in force: configuration" in gate.log(), 3, gate.log())
    assert gate.process.poll() is None


def test_a_gate_that_does_not_run(lab):
    done = lab.gate.run(USHER_GATE, "reload", "nobody", check=False)
    assert (done.returncode, done.stderr) == (1, "usher-gate: nobody is not running\n")
