# SPDX-License-Identifier: GPL-2.0-or-later
"""The control session: a gate that is asked by hand, and a portal whose gate knows nothing of it."""

import contextlib
import pathlib
import shutil
import socket
import ssl
import struct
import threading

import pytest

from lab import NAMESERVER4, SERVER4, patience, wait_until
from peer import HEADER, OPEN, OPEN_REPLY, SEND, Peer
from programs import GATE_NAME, Gate, Portal

CONTROL = 255
HELLO, PROBE, ANSWER = 1, 2, 3
END = 6
EXISTS, NO_NAME, FAILED, DENIED = 0, 1, 2, 3
RULES = """
[Access branch]
Allow = tcp:*.corp.example:80, tcp:10.73.0.0/24:80
"""


def message(kind, body, flags=0):
    return struct.pack(">BBH", kind, flags, len(body)) + body


def hello(can=1):
    return message(HELLO, struct.pack(">II", can, 100) + b"by hand\0")


class Talk:
    """The control session of a tunnel that a test dials."""

    def __init__(self, lab, pki):
        self.peer = Peer(lab, pki)
        self.session, why = self.peer.open(CONTROL, "control.1", 0)
        assert why == ""
        self.buffer = b""

    def say(self, data):
        self.peer.send(SEND, self.session, data)

    def hear(self):
        """The next message."""
        while len(self.buffer) < 4 or len(self.buffer) < 4 + struct.unpack(">H", self.buffer[2:4])[0]:
            self.buffer += self.peer.receive(SEND, self.session)
        length = 4 + struct.unpack(">H", self.buffer[2:4])[0]
        kind, body, self.buffer = self.buffer[0], self.buffer[4:length], self.buffer[length:]
        return kind, body

    def ask(self, number, name):
        self.say(message(PROBE, struct.pack(">I", number) + name.encode() + b"\0"))
        kind, body = self.hear()
        assert kind == ANSWER
        answered, status, families, ttl = struct.unpack(">IBBI", body)
        assert answered == number
        return status, families, ttl


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    directory = tmp_path_factory.mktemp("control")
    zone = lab.server.start("dnsmasq", "-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--port=53", "--bind-interfaces",
                            f"--listen-address={NAMESERVER4}", "--local=/example/", "--local-ttl=300",
                            "--host-record=web.corp.example,10.73.0.2,fd73::2", "--host-record=four.corp.example,10.73.0.2",
                            "--host-record=near.other.example,10.73.0.2", "--host-record=far.other.example,10.80.0.2",
                            "--txt-record=text.corp.example,no-address")
    gate = Gate(lab, directory, pki, access=RULES, extra=f"DNS = {NAMESERVER4}").start()
    yield gate
    gate.stop()
    zone.terminate()
    zone.wait()


@pytest.mark.parametrize("name, answer", [
    ("web.corp.example", (EXISTS, 3, 300)),
    ("WEB.corp.example.", (EXISTS, 3, 300)),
    ("four.corp.example", (EXISTS, 1, 300)),
    ("text.corp.example", (EXISTS, 0, 10)),
    ("nobody.corp.example", (NO_NAME, 0, 10)),
    ("near.other.example", (EXISTS, 1, 300)),
    ("far.other.example", (DENIED, 0, 10)),
    ("-bad-", (NO_NAME, 0, 10)),
])
def test_names(lab, pki, gate, name, answer):
    talk = Talk(lab, pki)
    kind, body = talk.hear()
    can, sessions = struct.unpack(">II", body[:8])
    assert (kind, can & 3, sessions) == (HELLO, 3, 32000) and body[8:].startswith(b"0.1") and body.endswith(b"\0")
    talk.say(hello())
    assert talk.ask(7, name) == answer
    talk.peer.close()


def test_no_flow(lab, pki, gate):
    talk = Talk(lab, pki)
    talk.hear()
    talk.say(hello())
    portal = wait_until(lambda: gate.status()["portals"], 5, "a portal")[0]
    assert portal["sessions"] == 0
    assert talk.peer.open(CONTROL, "control.1", 0) == (None, "unsupported: no such service here")
    talk.peer.close()


@pytest.mark.parametrize("said, why", [
    (hello() + message(77, b"", flags=1), "protocol error: control message 77: not known here, and critical"),
    (message(PROBE, b"\0\0\0\1a\0"), "protocol error: control message 2: before hello"),
    (hello() + message(PROBE, b"\0\0\0\1a"), "protocol error: control message 2: malformed"),
    (hello() + struct.pack(">BBH", 9, 0, 4097), "protocol error: control message 9: too long"),
])
def test_what_ends_the_tunnel(lab, pki, gate, said, why):
    talk = Talk(lab, pki)
    for byte in said:
        talk.say(bytes([byte]))
    assert talk.peer.receive(END, 0) == why.encode() + b"\0"
    talk.peer.close()
    wait_until(lambda: why in gate.log(), 5, "a line in the log")


@contextlib.contextmanager
def resolv_conf(host, text):
    """What the programs in there read as /etc/resolv.conf: `ip netns exec` sees to it."""
    directory = pathlib.Path("/etc/netns") / host.name
    directory.mkdir(parents=True)
    (directory / "resolv.conf").write_text(text)
    try:
        yield
    finally:
        shutil.rmtree(directory)


class DumbGate(threading.Thread):
    """A gate that knows TCP alone: it accepts that, answers with the name of what was asked for, and writes down the opens."""

    def __init__(self, lab, pki):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pki / f"{GATE_NAME}.crt", pki / f"{GATE_NAME}.key")
        self.context.load_verify_locations(pki / "ca.crt")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.set_alpn_protocols(["usher/1"])
        with lab.gate.enter():
            self.listener = socket.create_server(("0.0.0.0", 4433))
        self.opens = []
        self.start()

    def run(self):
        plain, _ = self.listener.accept()
        with self.context.wrap_socket(plain, server_side=True) as tls:
            stream = tls.makefile("rb")
            while header := stream.read(HEADER.size):
                length, kind, session = HEADER.unpack(header)
                body = stream.read(length)
                if kind == OPEN:
                    protocol = struct.unpack(">h", body[:2])[0]
                    self.opens.append(protocol)
                    answer = struct.pack(">h", -1) + b"unsupported: what is that?\0"
                    if protocol == 6:
                        answer = struct.pack(">H", session)
                    tls.sendall(HEADER.pack(len(answer), OPEN_REPLY, session) + answer)
                    if protocol == 6:
                        tls.sendall(HEADER.pack(5, SEND, session) + b"hello")


def test_a_gate_without_it(lab, pki, tmp_path, gate):
    gate.stop()
    dumb = DumbGate(lab, pki)
    portal = Portal(lab, tmp_path, pki).start()
    with lab.client.enter():
        with socket.create_connection((SERVER4, 80), timeout=patience(5)) as connection:
            assert connection.recv(5) == b"hello"
            assert len(portal.flows()) == 1
    assert dumb.opens == [CONTROL, 6]
    assert portal.status()["state"] == "up" and portal.status()["counters"]["sessions_opened"] == 1
    portal.down()
    dumb.listener.close()
    gate.start()


class AskingGate(DumbGate):
    """A gate that accepts the control session and asks for names in it."""

    def __init__(self, lab, pki, names):
        self.names, self.answers = names, {}
        super().__init__(lab, pki)

    def run(self):
        plain, _ = self.listener.accept()
        with self.context.wrap_socket(plain, server_side=True) as tls:
            stream, said = tls.makefile("rb"), b""
            while header := stream.read(HEADER.size):
                length, kind, session = HEADER.unpack(header)
                body = stream.read(length)
                if kind == OPEN:
                    assert body == struct.pack(">hhh", CONTROL, 2, 0) + b"control.1\0" and session == 2
                    tls.sendall(HEADER.pack(2, OPEN_REPLY, session) + struct.pack(">H", session))
                    asked = hello() + b"".join(message(PROBE, struct.pack(">I", number) + name.encode() + b"\0")
                                               for number, name in enumerate(self.names))
                    tls.sendall(HEADER.pack(len(asked), SEND, session) + asked)
                elif kind == SEND:
                    said = self.take(said + body)

    def take(self, said):
        while len(said) >= 4 and len(said) >= 4 + struct.unpack(">H", said[2:4])[0]:
            end = 4 + struct.unpack(">H", said[2:4])[0]
            if said[0] == ANSWER:
                number, status, families, _ = struct.unpack(">IBBI", said[4:end])
                self.answers[self.names[number]] = (status, families)
            elif said[0] == HELLO:
                self.can = struct.unpack(">I", said[4:8])[0]
            said = said[end:]
        return said


@pytest.mark.parametrize("accept, can, answers", [
    ("[Accept]\nAllow = tcp:*.branch.example:80, tcp:10.71.0.0/24:22\n", 31, {
        "web.branch.example": (EXISTS, 1), "none.branch.example": (NO_NAME, 0), "near.other.example": (EXISTS, 1),
        "far.other.example": (DENIED, 0), "-bad-": (NO_NAME, 0)}),
    ("", 14, {"web.branch.example": (DENIED, 0), "none.branch.example": (DENIED, 0)}),
])
def test_a_gate_that_asks(lab, pki, tmp_path, gate, accept, can, answers):
    gate.stop()
    asking = AskingGate(lab, pki, list(answers))
    portal = Portal(lab, tmp_path, pki)
    portal.conf.write_text(portal.conf.read_text() + accept)
    zone = lab.portal.start("dnsmasq", "-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--bind-interfaces",
                            "--listen-address=127.0.0.1", "--local=/example/",
                            "--host-record=web.branch.example,10.71.0.5", "--host-record=near.other.example,10.71.0.6",
                            "--host-record=far.other.example,10.72.0.6")
    with resolv_conf(lab.portal, "nameserver 127.0.0.1\n"):
        portal.start()
        wait_until(lambda: len(asking.answers) == len(answers), 10, "all answers")
    assert asking.answers == answers and asking.can == can
    portal.down()
    zone.terminate()
    zone.wait()
    asking.listener.close()
    gate.start()
