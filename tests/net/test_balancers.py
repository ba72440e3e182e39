# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections through a balancer: the header that says whose each is, as balancers write it and as they should not."""

import os
import pathlib
import signal
import socket
import ssl
import struct
import time

import pytest

from balancing import LOCAL, PROXY, TCP4, UDP4, UNIX, UNSPEC, addresses, header, passed_on
from lab import BUILD, patience, wait_until
from peer import Peer
from programs import Gate
from test_processes import children
from test_upgrade import Upgradable

BALANCER, ELSEWHERE = "10.3.0.1", "10.2.0.2"
WHERE = ("10.3.0.2", 4433)
KEYS = f"Balancers = {BALANCER}, fd03::1\nHandshakeTimeout = 2s\nDuplicate = allow\n"


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki, extra=KEYS).start()
    yield gate
    gate.stop()


class Passed(Peer):
    """A portal whose connection begins with `first`."""

    def __init__(self, lab, pki, first, where=WHERE):
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        context.load_cert_chain(pki / "branch.crt", pki / "branch.key")
        context.set_alpn_protocols(["usher/1"])
        plain = call(lab, where=where)
        plain.sendall(first)
        self.tls = context.wrap_socket(plain, server_hostname="gate.example.net")
        self.next_id = 2


def call(lab, host=None, where=WHERE):
    with (host or lab.wan).enter():
        return socket.create_connection(where, timeout=patience(10))


def there(gate):
    return [portal["address"] for portal in gate.status()["portals"]]


def news(gate, before):
    return gate.log()[len(before):]


@pytest.mark.parametrize("source, shown", [("198.51.100.7", "198.51.100.7:40000"), ("2001:db8::7", "[2001:db8::7]:40000"),
                                           ("::ffff:198.51.100.8", "198.51.100.8:40000")])
def test_who_it_is(lab, pki, gate, source, shown):
    """In the status and the log, and what is opened goes on as ever."""
    before = gate.log()
    peer = Passed(lab, pki, passed_on(source, more=b"\x04\0\3abc\x20\0\5\0\0\0\0\0"))
    assert peer.open(6, "10.73.0.66", 80) == (None, "denied: not permitted")
    wait_until(lambda: there(gate) == [shown], 5, "its address")
    assert f"branch ({shown}): logged in" in news(gate, before)
    peer.close()
    wait_until(lambda: not there(gate), 5, "its end")


def test_in_pieces(lab, pki, gate):
    with call(lab) as plain:
        for byte in passed_on("198.51.100.9"):
            plain.sendall(bytes([byte]))
            time.sleep(0.005)
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        context.load_cert_chain(pki / "branch.crt", pki / "branch.key")
        with context.wrap_socket(plain, server_hostname="gate.example.net"):
            wait_until(lambda: there(gate) == ["198.51.100.9:40000"], 5, "its address")
    wait_until(lambda: not there(gate), 5, "its end")


HOSTILE = {
    "no header": (b"\x16\3\1\0\xa5\1" + bytes(64), "Balancers lists it, and it does not begin with a PROXY header"),
    "version 1": (b"PROXY TCP4 198.51.100.7 10.3.0.2 40000 4433\r\n",
                  "its PROXY header is of version 1: the balancer is to send version 2 (send-proxy-v2)"),
    "version 3": (header(0x31, TCP4, addresses("198.51.100.7", 1)),
                  "its PROXY header is of no version or command that is known"),
    "command 2": (header(0x22, TCP4, addresses("198.51.100.7", 1)),
                  "its PROXY header is of no version or command that is known"),
    "AF_UNIX": (header(PROXY, UNIX, bytes(216)),
                "its PROXY header does not say by an IP address and a port of TCP whose connection it is"),
    "UDP": (header(PROXY, UDP4, addresses("198.51.100.7", 1)),
            "its PROXY header does not say by an IP address and a port of TCP whose connection it is"),
    "nobody's": (header(PROXY, UNSPEC), "its PROXY header does not say by an IP address and a port of TCP whose connection it is"),
    "port 0": (header(PROXY, TCP4, addresses("198.51.100.7", 0)),
               "its PROXY header does not say by an IP address and a port of TCP whose connection it is"),
    "short": (header(PROXY, TCP4, addresses("198.51.100.7", 1)[:-1]), "its PROXY header is too short for its addresses"),
    "long": (header(PROXY, TCP4, length=65535), "its PROXY header is longer than 2048 bytes"),
}


@pytest.mark.parametrize("first, why", HOSTILE.values(), ids=HOSTILE)
def test_a_wrong_header(lab, gate, first, why):
    """It is reset, nobody shook hands, and the sentence says what to do."""
    before, workers = gate.log(), gate.status()["admission"]["connections"]
    with call(lab) as plain:
        plain.sendall(first)
        with pytest.raises(ConnectionResetError):
            assert plain.recv(1) == b"" and plain.recv(1)
    wait_until(lambda: f"refused: {why}" in news(gate, before), 5, why)
    assert f"{BALANCER}:" in news(gate, before)
    assert gate.status()["admission"]["connections"] == workers


def test_one_that_never_ends(lab, gate):
    """As long as a handshake may take, and no longer, whatever dribbles in."""
    before, begin = gate.log(), time.monotonic()
    with call(lab) as plain, pytest.raises(OSError):
        plain.sendall(header(PROXY, TCP4, length=2000))
        while time.monotonic() - begin < patience(10):
            plain.sendall(b"x")
            time.sleep(0.1)
    assert 1.5 < time.monotonic() - begin < patience(4)
    wait_until(lambda: "its PROXY header did not come in time" in news(gate, before), 5, "a sentence")


def test_many_that_say_nothing(lab, pki, gate):
    """The oldest gives way, and who has a header gets in at once."""
    silent = [call(lab) for _ in range(300)]
    begin = time.monotonic()
    peer = Passed(lab, pki, passed_on("198.51.100.10"))
    wait_until(lambda: there(gate) == ["198.51.100.10:40000"], 5, "who says whose it is")
    assert time.monotonic() - begin < patience(1)
    assert gate.status()["balancers"]["waiting"] <= 256
    peer.close()
    for sock in silent:
        sock.close()
    wait_until(lambda: not gate.status()["balancers"]["waiting"] and not there(gate), 5, "all are gone")


@pytest.mark.parametrize("says", [b"", header(LOCAL), header(LOCAL, TCP4, addresses("198.51.100.7", 1))],
                         ids=["nothing", "LOCAL", "LOCAL with addresses"])
@pytest.mark.parametrize("by_reset", [False, True], ids=["closed", "reset"])
def test_a_health_check(lab, gate, says, by_reset):
    """A balancer that looks whether the gate is there makes no noise, and costs no worker."""
    before, workers = gate.log(), set(children(gate.pid()))
    for _ in range(20):
        with call(lab) as plain:
            plain.sendall(says)
            time.sleep(0.01)
            if by_reset:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_until(lambda: not gate.status()["balancers"]["waiting"], 5, "all are gone")
    assert news(gate, before) == "" and len(set(children(gate.pid())) - workers) <= 1


def test_its_own_connection(lab, pki, gate):
    """A check that shakes hands is served as what it is: a connection of the balancer's."""
    peer = Passed(lab, pki, header(LOCAL))
    wait_until(lambda: [text.rsplit(":", 1)[0] for text in there(gate)] == [BALANCER], 5, "its address")
    peer.close()
    wait_until(lambda: not there(gate), 5, "its end")


def test_from_elsewhere(lab, pki, gate):
    """Who is not listed may say nothing of the kind, and needs to say nothing."""
    before = gate.log()
    with call(lab, lab.portal) as plain:
        plain.sendall(passed_on("198.51.100.7"))
        try:
            assert plain.recv(1) == b""
        except ConnectionResetError:
            pass
    wait_until(lambda: "refused: it begins with a PROXY header, and is not listed in Balancers" in news(gate, before), 5,
               "a sentence")
    assert f"{ELSEWHERE}:" in news(gate, before) and "198.51.100.7" not in news(gate, before)
    peer = Peer(lab, pki)
    wait_until(lambda: [text.rsplit(":", 1)[0] for text in there(gate)] == [ELSEWHERE], 5, "its address")
    peer.close()
    wait_until(lambda: not there(gate), 5, "its end")


def test_each_source_is_counted(lab, pki, gate):
    """Silent ones behind the balancer take the places of their own source, and of nobody else."""
    silent = []
    for number in range(40):
        plain = call(lab)
        plain.sendall(passed_on("198.51.100.66", 1000 + number) + b"\x16")
        silent.append(plain)
    wait_until(lambda: gate.status()["unauthenticated"] == 8, 5, "MaxUnauthenticatedPerSource")
    peer = Passed(lab, pki, passed_on("198.51.100.11"))
    wait_until(lambda: there(gate) == ["198.51.100.11:40000"], 5, "another source")
    peer.close()
    for sock in silent:
        sock.close()
    wait_until(lambda: not gate.status()["unauthenticated"], 5, "all are gone")


def test_a_flood_behind_it(lab, pki, gate, figure):
    """Of 200 sources that say nothing: they take each other's places, and one that a portal has come from has its own."""
    known = Passed(lab, pki, passed_on("198.51.100.20"))
    wait_until(lambda: there(gate) == ["198.51.100.20:40000"], 5, "it is known")
    known.close()
    wait_until(lambda: not there(gate), 5, "its end")
    before, silent = set(children(gate.pid())), []
    with lab.wan.enter():
        for number in range(1000):
            sock = socket.create_connection(WHERE, timeout=patience(10))
            sock.sendall(passed_on(f"203.0.113.{number % 200}", 1000 + number))
            silent.append(sock)
    begin = time.monotonic()
    peer = Passed(lab, pki, passed_on("198.51.100.20"))
    wait_until(lambda: "198.51.100.20:40000" in there(gate), 5, "who was there before")
    took = time.monotonic() - begin
    status = gate.status()
    figure(f"behind a balancer, beside 1000 silent connections of 200 sources: who was there before is in after {took:.2f} s")
    assert took < patience(2)
    assert status["unauthenticated"] <= 64 and status["balancers"]["passed"] >= 1000
    assert len(set(children(gate.pid())) - before) <= 64 + 1
    peer.close()
    for sock in silent:
        sock.close()
    wait_until(lambda: not gate.status()["unauthenticated"] and not there(gate), 5, "all are gone")


def herald(gate):
    found = [pid for pid in children(gate.pid()) if b"herald" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found[0] if found else None


def test_the_herald_dies(lab, pki, gate):
    """What it was asked about is lost, and a second later there is another one."""
    Passed(lab, pki, passed_on("198.51.100.12")).close()
    before, old = gate.log(), herald(gate)
    plain = call(lab)
    wait_until(lambda: gate.status()["balancers"]["waiting"] == 1, 5, "one that waits")
    os.kill(old, signal.SIGKILL)
    with plain, pytest.raises(ConnectionResetError):
        assert plain.recv(1) == b"" and plain.recv(1)
    assert "the herald, which reads PROXY headers, ended: signal 9" in news(gate, before)

    def again():
        try:
            return Passed(lab, pki, passed_on("198.51.100.12"))
        except OSError:
            return None

    begin = time.monotonic()
    peer = wait_until(again, 5, "another herald")
    assert 0.5 < time.monotonic() - begin < patience(2) and herald(gate) not in (None, old)
    peer.close()
    wait_until(lambda: not there(gate), 5, "its end")


def test_one_that_hangs(lab, pki, gate):
    """It is noticed by who comes after its time, and replaced."""
    Passed(lab, pki, passed_on("198.51.100.12")).close()
    before, old = gate.log(), herald(gate)
    os.kill(old, signal.SIGSTOP)
    waiting = call(lab)
    time.sleep(5.5)  # HandshakeTimeout, and 3 s
    peer = Passed(lab, pki, passed_on("198.51.100.13"))
    wait_until(lambda: there(gate) == ["198.51.100.13:40000"], 5, "by another herald")
    assert "the herald, which reads PROXY headers, does not answer: killed" in news(gate, before)
    assert herald(gate) != old and not pathlib.Path(f"/proc/{old}").exists()
    waiting.close()
    peer.close()
    wait_until(lambda: not there(gate), 5, "its end")


def test_another_list(lab, pki, gate):
    """Who is listed is a matter of the configuration that is in force."""
    text = gate.conf.read_text()
    try:
        gate.conf.write_text(text.replace(f"{BALANCER}, ", ""))
        wait_until(lambda: lab.gate.run(BUILD / "usher-gate", "reload", gate.name).returncode == 0, 5,
                   "reload")
        peer = Peer(lab, pki, host=lab.wan)
        wait_until(lambda: [address.rsplit(":", 1)[0] for address in there(gate)] == [BALANCER], 5, "its own address")
        peer.close()
    finally:
        gate.conf.write_text(text)
        lab.gate.run(BUILD / "usher-gate", "reload", gate.name)
    wait_until(lambda: not there(gate), 5, "its end")
    Passed(lab, pki, passed_on("198.51.100.14")).close()


def how_it_is(lab, where=("10.3.0.2", 4480)):
    with lab.wan.enter(), socket.create_connection(where, timeout=patience(5)) as asking:
        said = b""
        while part := asking.recv(100):
            said += part
        return said.decode()


def test_how_it_is(lab, pki, tmp_path):
    """By how many of MaxPortals are there; while it drains, also to the program after an upgrade; and not while it goes."""
    gate = Upgradable(lab, tmp_path, pki, name="asked", listen="0.0.0.0:4434", extra=KEYS + "Health = 10.3.0.2:4480\nMaxPortals = 2")
    gate.start()
    assert gate.status()["health"] == ["10.3.0.2:4480"]
    said = lab.gate.run(BUILD / "usher-gate", "status", gate.name).stdout
    assert "  tells balancers how it is on 10.3.0.2:4480\n  passed on by balancers: 0, and refused: 0\n" in said
    peers = []
    try:
        assert how_it_is(lab) == "ready up 100%\n"
        for expected in ("ready up 100%\n", "ready up 0%\n"):
            peers.append(Passed(lab, pki, passed_on("198.51.100.16", 1000 + len(peers)), ("10.3.0.2", 4434)))
            assert peers[-1].open(6, "10.73.0.66", 80) == (None, "denied: not permitted")
            assert how_it_is(lab) == expected
        with lab.wan.enter():  # who asks and never listens, or goes at once, costs nothing
            asking = [socket.create_connection(("10.3.0.2", 4480)) for _ in range(200)]
        assert how_it_is(lab) == "ready up 0%\n"
        for sock in asking:
            sock.close()
        for turn in range(2):
            gate.exchange()
            assert gate.upgrade().stdout.startswith("upgraded: ")
            assert how_it_is(lab) == ("drain\n" if turn else "ready up 100%\n")
            if not turn:
                lab.gate.run(BUILD / "usher-gate", "drain", gate.name)
                assert how_it_is(lab) == "drain\n"
    finally:
        gate.kill(signal.SIGTERM)
        for peer in peers:
            peer.close()
    with pytest.raises(ConnectionRefusedError):
        how_it_is(lab)


def test_a_gate_that_goes(lab, pki, tmp_path):
    """No herald outlives its gate, however that ends."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        gate = Gate(lab, tmp_path, pki, name="going", listen="0.0.0.0:4434", extra=KEYS).start()
        Passed(lab, pki, passed_on("198.51.100.15"), ("10.3.0.2", 4434)).close()
        pid = herald(gate)
        assert pid
        gate.kill(number)
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 5, "its herald's end")
