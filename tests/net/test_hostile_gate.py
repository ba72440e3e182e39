# SPDX-License-Identifier: GPL-2.0-or-later
"""A gate with a valid certificate that breaks every rule of doc/PROTOCOL.md in turn: the portal ends what is broken with one
sentence, tries again, holds nothing of it, and serves as before when its gate is an honest one again."""

import contextlib
import errno
import itertools
import socket
import ssl
import struct
import time

import pytest

from conftest import FIGURES
from hostile import (ACK, CLOSE, CONTROL, END, ENDS, IGNORED, NO_OPEN, OPEN, REPLY, RST, SEND, SEND_UDP, TALK, TCP, Watch,
                     Wire, cpu_seconds, record, to_address)
from lab import SERVER4, patience, wait_until
from programs import GATE_NAME, USHER_TUN, Gate, Portal, resident_kib
from traffic import Server, each_connection, listener, serve_echo, stream

PORTAL_KIB = 48 * 1024  # of one whose gate sends all it can


class EvilGate:
    """Takes the portal's connections one by one."""

    def __init__(self, lab, pki):
        self.lab = lab
        self.news = 0
        lab.portal.run("ip", "link", "add", "news", "type", "bridge")
        lab.portal.run("ip", "link", "set", "news", "up")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pki / f"{GATE_NAME}.crt", pki / f"{GATE_NAME}.key")
        self.context.load_verify_locations(pki / "ca.crt")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.set_alpn_protocols(["usher/1"])
        self.listener = listener(lab.gate, "0.0.0.0", 4433)

    def hurry(self):
        self.news += 1
        self.lab.portal.run("ip", "address", "add", f"10.66.{self.news // 250}.{self.news % 250}/32", "dev", "news")

    def plain(self):
        """The portal's next connection, which waits longer and longer before it tries again, but for news of its network."""
        self.listener.settimeout(0.3)
        for _ in range(100):
            self.hurry()
            with contextlib.suppress(TimeoutError):
                sock, _ = self.listener.accept()
                sock.settimeout(patience(10))
                return sock
        raise AssertionError("the portal does not come")

    def accept(self):
        """A tunnel, its control session asked for and not answered; and the session's id."""
        try:
            wire = Wire(self.context.wrap_socket(self.plain(), server_side=True))
        except (OSError, ssl.SSLError):  # begun anew, because of the news
            wire = Wire(self.context.wrap_socket(self.plain(), server_side=True))
        kind, control, body = next(wire.records())
        assert kind == OPEN and struct.unpack(">H", body[:2])[0] == CONTROL
        return wire, control


@pytest.fixture(scope="module")
def gate(lab, pki):
    gate = EvilGate(lab, pki)
    yield gate
    gate.listener.close()


@pytest.fixture(scope="module")
def portal(lab, pki, tmp_path_factory, gate):
    portal = Portal(lab, tmp_path_factory.mktemp("portal"), pki, extra="UpTimeout = 0")
    portal.launch(USHER_TUN, "up", "-f", portal.conf)
    wire, _ = gate.accept()
    portal.wait_up(10)
    wire.close()
    yield portal
    portal.down()


@pytest.fixture(scope="module")
def watch(portal):
    watch = Watch(portal, [portal.pid()])
    yield watch
    FIGURES.append(f"{watch.cases} cases of a hostile gate")


@pytest.fixture
def evil(gate, portal, watch):
    watch.cases += 1
    wire, wire.control = gate.accept()
    yield wire
    wire.close()
    assert portal.process.poll() is None


@pytest.mark.parametrize("case", ENDS)
def test_ends_the_tunnel(evil, portal, case):
    said, why = ENDS[case]
    assert evil.send(said)
    assert evil.end() == why
    wait_until(lambda: why in portal.log(), 5, "a line in the log")


@pytest.mark.parametrize("case", IGNORED)
def test_is_ignored(evil, case):
    assert evil.send(IGNORED[case]) and evil.lives()


PORTS = itertools.count(8000)  # one for each flow: what an earlier one left may still wait in the portal


def answered(session, rc=None):
    return record(REPLY, session, struct.pack(">H", session if rc is None else rc))


@contextlib.contextmanager
def flow(lab, evil):
    """An application's connection on its way, and the id of its session."""
    port = next(PORTS)
    with stream(lab.client)(SERVER4) as sock:
        sock.setblocking(False)
        assert sock.connect_ex((SERVER4, port)) == errno.EINPROGRESS
        for kind, session, body in evil.records():
            if kind == OPEN and body == to_address(TCP, SERVER4, port):
                break
        sock.settimeout(patience(5))
        yield sock, session


def reads(sock):
    try:
        return sock.recv(100)
    except OSError as error:
        return error.errno


# In answer to an open: what is said, for its id, and the sentence that ends the tunnel.
ANSWERS = {
    "twice": (lambda i: answered(i) * 2, NO_OPEN),
    "yes and no": (lambda i: answered(i) + record(REPLY, i, b"\xff\xffdenied: \0"), NO_OPEN),
    "no and yes": (lambda i: record(REPLY, i, b"\xff\xffdenied: \0") + answered(i), NO_OPEN),
    "for its neighbour": (lambda i: answered(i + 2), NO_OPEN),
    "with an id in use": (lambda i: answered(2) + answered(i, rc=2), "protocol error: open answered with an id that is in use"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_answers(lab, evil, case):
    say, why = ANSWERS[case]
    with flow(lab, evil) as (_, session):
        evil.send(say(session))
        assert evil.end() == why


REASONS = {
    "empty": (b"", errno.EHOSTUNREACH),
    "unknown word": (b"because: i say so", errno.EHOSTUNREACH),
    "of 60000": (b"refused: " + b"x" * 60000, errno.ECONNREFUSED),
    "control characters": (b"refused: \x1b[2J\r\nusher-tun: up\x07%n%s", errno.ECONNREFUSED),
}


@pytest.mark.parametrize("case", REASONS)
def test_reasons(lab, evil, portal, case):
    reason, expected = REASONS[case]
    mark = len(portal.log())
    with flow(lab, evil) as (sock, session):
        evil.send(record(REPLY, session, b"\xff\xff" + reason + b"\0"))
        wait_until(lambda: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == expected, 5, "its errno")
    assert evil.lives()
    evil.send(record(END, 0, reason + b"\0"))
    wait_until(lambda: len(portal.log()) > mark, 5, "a line")
    said = portal.log()[mark:]
    assert all(character == "\n" or " " <= character <= "~" for character in said), "not escaped"
    assert max(map(len, said.splitlines())) < 700


def test_data_before_the_answer_is_of_an_earlier_session(lab, evil):
    with flow(lab, evil) as (sock, session):
        evil.send(record(SEND, session, b"too early") + answered(session) + record(SEND, session, b"in time"))
        assert reads(sock) == b"in time"


# Of a flow that is open: what is said in it, and the reason of the UsherRST that comes back; the application's is a reset.
RESETS = {
    "no data": (lambda i: record(SEND, i), "failed: empty data"),
    "data after the end": (lambda i: record(CLOSE, i, b"\0\0") + record(SEND, i, b"x"),
                           "failed: data after the end of the data"),
    "a datagram": (lambda i: record(SEND_UDP, i, bytes(13)), "failed: datagram on a stream session"),
    "credit of 2^31": (lambda i: record(ACK, i, b"\xff\xff") * 32800, "failed: more credit than a session can have"),
    "more than its credit": (lambda i: record(SEND, i, bytes(65535)) * 600, "failed: more data than credit"),
}


@pytest.mark.parametrize("case", RESETS)
def test_resets_its_flow(lab, evil, portal, case):
    say, why = RESETS[case]
    with flow(lab, evil) as (sock, session):
        evil.send(answered(session))
        assert evil.send(say(session))
        reason = evil.wait(RST, session)
        assert reason is not None and reason[:-1].decode() == why
        with pytest.raises(ConnectionResetError):
            while sock.recv(1 << 20) or time.sleep(0.01) is None:
                sock.send(b"x")
    assert evil.lives()
    assert resident_kib(portal.pid()) < patience(PORTAL_KIB)


@pytest.mark.parametrize("case", TALK)
def test_the_control_session(evil, case):
    evil.send(answered(evil.control))
    evil.talk(evil.control, *TALK[case])


def test_opens_are_refused_in_any_number(evil, portal):
    """Without [Accept] nothing is served, whatever is asked for."""
    evil.send(b"".join(record(OPEN, 101 + 2 * i, to_address((TCP, 17, 1, 255)[i % 4], "127.0.0.1", 22)) for i in range(8000)))
    answers = (answer[2:-1].decode() for kind, _, answer in evil.records() if kind == REPLY)
    answers = list(itertools.islice(answers, 8000))
    assert len(answers) == 8000 and all(answer[:answer.find(":")] in ("denied", "unsupported", "limit") for answer in answers)
    assert evil.lives()
    assert resident_kib(portal.pid()) < patience(PORTAL_KIB)


def test_never_reads(lab, evil, portal):
    """An application that sends for ever to a gate that does not read: it waits, and the portal holds little and rests."""
    with flow(lab, evil) as (sock, session):
        evil.send(answered(session) + record(ACK, session, b"\xff\xff") * 300)
        sock.settimeout(patience(1))
        with pytest.raises(TimeoutError):
            while True:
                sock.sendall(bytes(1 << 20))
        begin = cpu_seconds(portal.pid())
        time.sleep(1)
        assert cpu_seconds(portal.pid()) - begin < patience(0.2), "it turns for nothing"
        assert resident_kib(portal.pid()) < patience(PORTAL_KIB)


@pytest.mark.parametrize("how", ["close", "reset", "close_notify"])
def test_cut_in_the_middle(lab, evil, how):
    """What the application has got may not be all: it hears of a reset, and never of an end."""
    with flow(lab, evil) as (sock, session):
        evil.send(answered(session) + record(SEND, session, b"half a sent"))
        assert reads(sock) == b"half a sent"
        if how == "close_notify":
            with contextlib.suppress(OSError, ssl.SSLError):
                evil.tls.settimeout(0.5)
                evil.tls.unwrap()
        else:
            plain = socket.socket(fileno=evil.tls.detach())
            if how == "reset":
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            plain.close()
        assert reads(sock) == errno.ECONNRESET


NO_TLS = {
    "another protocol": b"HTTP/1.0 400 Bad Request\r\n\r\n",
    "a TLS record too long": b"\x16\x03\x03\xff\xff" + bytes(65535),
    "an alert": b"\x15\x03\x03\0\2\2\50",
    "nothing": b"",
}


@pytest.mark.parametrize("case", NO_TLS)
def test_no_handshake(gate, portal, watch, case):
    watch.cases += 1
    with gate.plain() as sock:
        with contextlib.suppress(OSError):
            sock.sendall(NO_TLS[case])
    assert portal.process.poll() is None


def test_an_honest_gate_again(lab, pki, tmp_path, gate, portal, watch):
    gate.listener.close()
    honest = Gate(lab, tmp_path, pki).start()
    try:
        gate.hurry()
        portal.wait_up(15)
        with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where:
            with stream(lab.client)(SERVER4) as sock:
                sock.connect(where)
                sock.sendall(b"as before")
                assert reads(sock) == b"as before"
    finally:
        honest.stop()
    watch.judge()
