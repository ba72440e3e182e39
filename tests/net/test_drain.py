# SPDX-License-Identifier: GPL-2.0-or-later
"""A gate is taken out of service under load: what is open goes on, what is new goes elsewhere, and it ends with the last flow."""

import socket
import struct
import threading
import time

import pytest

import lab as net
from lab import patience, wait_until
from peer import SEND, TCP, Peer
from programs import USHER_GATE, Gate, Portal
from traffic import Server, datagram, each_connection, listener, serve_echo, stream

FIRST, SECOND = "10.3.0.2:4433", "10.3.0.2:4434"


class Opener(threading.Thread):
    """Opens flows at a steady rate, one echo each, and keeps every error."""

    def __init__(self, lab, where, per_second=200):
        super().__init__(daemon=True)
        self.lab, self.where, self.pause, self.done = lab, where, 1 / per_second, threading.Event()
        self.count, self.errors, self.slowest = 0, [], 0

    def run(self):
        make = stream(self.lab.client)
        while not self.done.is_set():
            begin = time.monotonic()
            try:
                with make(self.where[0]) as sock:
                    sock.settimeout(patience(5))
                    sock.connect(self.where)
                    sock.sendall(b"ping")
                    assert sock.recv(4) == b"ping"
                self.count += 1
            except (OSError, AssertionError) as error:
                self.errors.append(repr(error))
            took = time.monotonic() - begin
            self.slowest = max(self.slowest, took)
            time.sleep(max(0, self.pause - took))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


def echo(sock, what=b"ping"):
    sock.sendall(what)
    assert sock.recv(len(what)) == what


def held(lab, where, count=1):
    socks = []
    for _ in range(count):
        sock = stream(lab.client)(where[0])
        sock.settimeout(patience(5))
        sock.connect(where)
        echo(sock)
        socks.append(sock)
    return socks


@pytest.fixture
def gates(lab, pki, tmp_path, request):
    first = Gate(lab, tmp_path, pki, listen="0.0.0.0:4433", extra=getattr(request, "param", "")).start()
    second = Gate(lab, tmp_path, pki, listen="0.0.0.0:4434", name="later").start()
    portal = Portal(lab, tmp_path, pki, address=f"{FIRST}, {SECOND}")
    try:
        portal.start()
        yield portal, first, second
    finally:
        portal.down(check=False)
        first.stop()
        second.stop()


def test_one_of_two_gates_drains_under_load(lab, gates, figure):
    portal, first, second = gates
    pid, since = portal.pid(), portal.status()["since"]
    with Server(listener(lab.server, net.SERVER4, backlog=4096), each_connection(serve_echo)) as where:
        socks = held(lab, where, 50)
        with Opener(lab, where) as opener:
            time.sleep(0.5)
            done = lab.gate.run(USHER_GATE, "drain", first.name)
            assert "lets nobody in any more" in done.stdout and "tunnels that drain: 1" in done.stdout
            wait_until(lambda: portal.status()["gate"] == SECOND, 5, "the second gate")
            time.sleep(1)
        assert opener.errors == [] and opener.count > 100
        figure(f"drain: {opener.count} opens beside it, the slowest {opener.slowest * 1000:.0f} ms")
        status = portal.status()
        assert (status["state"], status["since"], portal.pid()) == ("up", since, pid)
        (left,) = status["leaving"]
        assert (left["gate"], left["sessions"]) == (FIRST, 50)
        assert "TUNNEL THAT IS LEFT" in lab.portal.run(net.BUILD / "usher-tun", "status", portal.name).stdout
        told = first.status()
        assert told["state"] == "draining" and told["portals"][0]["draining"] is True
        assert len(second.status()["portals"]) == 1
        # Nobody is let in any more.
        with lab.portal.enter(), pytest.raises(ConnectionRefusedError):
            socket.create_connection(("10.3.0.2", 4433), timeout=2)
        for sock in socks:
            echo(sock, b"still here")
        for sock in socks:
            sock.close()
        assert first.wait(5) == 0
        assert wait_until(lambda: not portal.status()["leaving"], 5, "the old tunnel's end") is True
        assert "drained: nothing is open in this tunnel any more" in portal.log()
        assert "tunnel lost" not in portal.log()
        for sock in held(lab, where):
            sock.close()


@pytest.mark.parametrize("gates", ["DrainTimeout = 3s"], indirect=True)
def test_when_the_time_is_over(lab, gates):
    """What is still open is cut off. Who sends datagrams does not notice, but for the one that is on its way at that moment: it
    may be said into the tunnel when the gate has ended that already, and then is lost, as datagrams are."""
    portal, first, _ = gates
    with datagram(lab.server, net.SERVER4, (net.SERVER4, 0)) as far, datagram(lab.client, net.SERVER4) as near, \
            Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        near.connect(far.getsockname())
        (sock,) = held(lab, where)
        sources, lost = set(), []

        def ask():
            near.send(b"question")
            said, source = far.recvfrom(100)
            far.sendto(b"answer", source)
            assert (said, near.recv(100)) == (b"question", b"answer")
            sources.add(source[1])

        def ask_beside():
            at = time.monotonic() - begin
            try:
                ask()
            except TimeoutError:
                lost.append(at)

        ask()
        begin = time.monotonic()
        lab.gate.run(USHER_GATE, "drain", first.name)
        wait_until(lambda: portal.status()["gate"] == SECOND, 5, "the second gate")
        near.settimeout(patience(1))
        far.settimeout(patience(1))
        while first.process.poll() is None and time.monotonic() - begin < patience(10):
            ask_beside()
            time.sleep(0.05)
        assert 2.5 < time.monotonic() - begin < patience(6) and first.wait() == 0
        for _ in range(5):
            ask()
        assert not lost or (len(lost) == 1 and lost[0] > 2.5), lost
        assert len(sources) == 2  # one association in each tunnel
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert "DrainTimeout is over" in portal.log()


def test_a_portal_that_does_not_know_of_it(lab, pki, tmp_path):
    """It is served, also what it opens anew, until its time is over."""
    gate = Gate(lab, tmp_path, pki, extra="DrainTimeout = 3s").start()
    peer = Peer(lab, pki)
    try:
        with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as (host, port):
            for turn in range(2):
                session, why = peer.open(TCP, host, port)
                assert session, why
                peer.send(SEND, session, b"hello")
                assert peer.receive(SEND, session) == b"hello"
                if turn == 0:
                    lab.gate.run(USHER_GATE, "drain", gate.name)
            assert gate.status()["portals"][0]["draining"] is True
            assert gate.wait(8) == 0
            assert b"DrainTimeout is over" in peer.receive(6, 0)
    finally:
        peer.close()
        gate.stop()


def test_a_gate_without_portals_ends_at_once(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki).start()
    lab.gate.run(USHER_GATE, "drain", gate.name)
    assert gate.wait(3) == 0
    done = lab.gate.run(USHER_GATE, "drain", gate.name, check=False)
    assert done.returncode == 1 and "not running" in done.stderr


def leaves(lab, pki, where):
    """A portal that says by itself that it is on its way out of its tunnel, with a session in it."""
    peer = Peer(lab, pki)
    control, why = peer.open(255, "control.1", 0)
    assert control, why
    hello, drain = b"\0\0\0\x08" b"\0\0\0\x64" b"by hand\0", b"\1"
    peer.send(SEND, control, struct.pack(">BBH", 1, 0, len(hello)) + hello + struct.pack(">BBH", 5, 0, len(drain)) + drain)
    session, why = peer.open(TCP, *where)
    assert session, why
    return peer, session


def test_a_portal_that_leaves_again_and_again(lab, pki, tmp_path):
    """Each new login spares those that drain; but eight of a name are the most, and a newer login takes no place of theirs."""
    gate = Gate(lab, tmp_path, pki, extra="DrainTimeout = 60s").start()
    peers = []
    try:
        with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
            for _ in range(10):
                peers.append(leaves(lab, pki, where))
                wait_until(lambda: gate.status()["portals"][-1].get("draining"), 5, "the gate's knowledge of it")
            portals = wait_until(lambda: len(told := gate.status()["portals"]) == 8 and told, 5, "the oldest to end")
            assert all(portal["draining"] for portal in portals)
            assert "a newer login replaces" not in gate.log()
            for peer, session in peers[2:]:
                peer.send(SEND, session, b"hello")
                assert peer.receive(SEND, session) == b"hello"
            assert b"too many tunnels of this portal drain" in peers[0][0].receive(6, 0)
    finally:
        for peer, _ in peers:
            peer.close()
        gate.stop()
