# SPDX-License-Identifier: GPL-2.0-or-later
"""A portal with two gates: it takes the second when the first dies under load, and goes back when nothing is lost by it."""

import contextlib
import signal
import threading
import time

import pytest

import lab as net
from lab import patience, run, wait_until
from programs import USHER_PKI, Gate, Portal
from traffic import Server, each_connection, listener, serve_echo, stream

FIRST, SECOND = "10.3.0.2:4433", "10.3.0.2:4434"
FLOWS = 200


@pytest.fixture
def gates(lab, pki, tmp_path):
    """Both are up, and the portal is at the first."""
    first = Gate(lab, tmp_path, pki, listen="0.0.0.0:4433").start()
    second = Gate(lab, tmp_path, pki, listen="0.0.0.0:4434", name="later").start()
    portal = Portal(lab, tmp_path, pki, address=f"{FIRST}, {SECOND}")
    try:
        portal.start()
        assert portal.status()["gate"] == FIRST
        yield portal, first, second
    finally:
        portal.down(check=False)
        first.stop()
        second.stop()
        lab.heal()


def echoes(lab, where, count=1):
    """That many flows, each of which has been answered."""
    socks = []
    for _ in range(count):
        sock = stream(lab.client)(where[0])
        sock.connect(where)
        socks.append(sock)
    for sock in socks:
        sock.sendall(b"ping")
    for sock in socks:
        assert sock.recv(4) == b"ping"
    return socks


@contextlib.contextmanager
def load(socks):
    """Keeps sending on all of them, until they break."""
    ended = threading.Event()

    def pump():
        while not ended.is_set():
            for sock in socks:
                sock.settimeout(0)
                with contextlib.suppress(OSError):
                    sock.send(b"x" * 1000)
                with contextlib.suppress(OSError):
                    sock.recv(65536)
            time.sleep(0.02)

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join()
    for sock in socks:
        sock.close()


def kill(lab, first):
    first.kill(signal.SIGKILL)


def silence(lab, first):
    lab.wan.run("nft", "add rule inet cut forward tcp dport 4433 drop; add rule inet cut forward tcp sport 4433 drop")


@pytest.mark.parametrize("die", [kill, silence])
def test_the_first_dies_under_load(lab, gates, figure, die):
    portal, first, _ = gates
    with Server(listener(lab.server, net.SERVER4, backlog=1024), each_connection(serve_echo)) as where:
        with load(echoes(lab, where, FLOWS)):
            time.sleep(0.5)
            die(lab, first)
            begin = time.monotonic()
            wait_until(lambda: portal.status()["gate"] == SECOND and portal.status()["state"] == "up", 15, "the second gate")
            took = time.monotonic() - begin
            for sock in echoes(lab, where):
                sock.close()
    figure(f"the second gate has the tunnel {took:.1f} s after the first has died ({die.__name__})")
    assert took < patience(15)
    if die is silence:
        assert f"{FIRST}: " in portal.status()["last_error"]


def test_back_to_the_first_when_nothing_is_open(lab, gates):
    portal, first, second = gates
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        first.kill()
        wait_until(lambda: portal.status()["gate"] == SECOND and portal.status()["state"] == "up", 5, "the second gate")
        first.start()
        (sock,) = echoes(lab, where)
        time.sleep(40)  # longer than the longest pause between two looks
        assert portal.status()["gate"] == SECOND
        sock.sendall(b"more")
        assert sock.recv(4) == b"more"
        sock.close()
        wait_until(lambda: portal.status()["gate"] == FIRST and portal.status()["state"] == "up", 45, "the first gate")
        for sock in echoes(lab, where):
            sock.close()
    assert wait_until(lambda: not second.status()["portals"], 2, "the second gate's news of the end") is True
    assert "an earlier gate of the list is here again" in second.log()


def test_every_gate_has_its_own_reason(lab, pki, tmp_path):
    """Also of a round that is under way yet: the last name is still being asked for."""
    portal = Portal(lab, tmp_path, pki, address=f"{FIRST}, {SECOND}, nowhere.invalid:4433", extra="UpTimeout = 2s")
    done = lab.portal.run(net.BUILD / "usher-tun", "up", portal.conf, check=False)
    assert done.returncode == 1
    for gate in (FIRST, SECOND):
        assert f"{gate}: cannot connect to {gate}: Connection refused" in done.stderr


def test_a_stranger_is_no_verdict_on_the_others(lab, pki, tmp_path):
    """What answers as the first gate has another's certificate: the second takes the portal in. Only when no gate is the
    one that is meant, waiting is of no use."""
    run(USHER_PKI, "issue", pki, "gate", "stranger.example.net")
    stranger = Gate(lab, tmp_path, pki, certificate="stranger.example.net", listen="0.0.0.0:4433", name="stranger").start()
    second = Gate(lab, tmp_path, pki, listen="0.0.0.0:4434").start()
    portal = Portal(lab, tmp_path, pki, address=f"{FIRST}, {SECOND}")
    try:
        portal.start()
        assert portal.status()["gate"] == SECOND
        portal.down()
        portal = Portal(lab, tmp_path, pki, address=f"{FIRST}, {SECOND}", gate_name="nobody.example.net")
        begin = time.monotonic()
        done = lab.portal.run(net.BUILD / "usher-tun", "up", portal.conf, check=False)
        assert done.returncode == 1 and time.monotonic() - begin < patience(5)
        assert done.stderr.count("is for another name") == 2
    finally:
        portal.down(check=False)
        stranger.stop()
        second.stop()
