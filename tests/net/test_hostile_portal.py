# SPDX-License-Identifier: GPL-2.0-or-later
"""A portal with a valid certificate that breaks every rule of doc/PROTOCOL.md in turn, beside one that keeps them: the gate
ends what is broken with one sentence, the other portal's flow never stops, and nothing is left behind."""

import contextlib
import ctypes
import os
import shutil
import socket
import ssl
import struct
import threading
import time

import pytest

from conftest import FIGURES
from hostile import (ABUSE, ACK, BOTH, CLOSE, CONTROL, END, ENDS, IGNORED, OPEN, REPLY, RST, SEND, SEND_UDP, TALK, TCP, UDP,
                     Watch, Wire, cpu_seconds, hurl, record, to_address, to_name)
from lab import NAMESERVER4, SERVER4, SILENT4, patience, run, wait_until
from programs import ALLOW_ALL, USHER_PKI, Gate, Portal, descriptors, resident_kib
from test_names import name_server
from traffic import Server, datagram, each_connection, listener, serve_datagram_echo, serve_echo, stream

ACCESS = ALLOW_ALL + ALLOW_ALL.replace("branch", "other")
WORKER_KIB = 24 * 1024  # of a worker whose portal gives it all it can to hold


class Evil(Wire):
    """A tunnel of the other portal's."""

    def __init__(self, lab, pki, alpn=("usher/1",), certificate="other"):
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        context.load_cert_chain(pki / f"{certificate}.crt", pki / f"{certificate}.key")
        if alpn:
            context.set_alpn_protocols(list(alpn))
        deadline = time.monotonic() + patience(10)
        while True:
            try:
                with lab.portal.enter():
                    plain = socket.create_connection(("10.3.0.2", 4433), timeout=patience(10))
                super().__init__(context.wrap_socket(plain, server_hostname="gate.example.net"))
                return
            except ConnectionResetError:  # one source may come so often only
                assert time.monotonic() < deadline
                time.sleep(0.1)


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    with name_server(lab, f"--server=/silent.example/{SILENT4}"):
        gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki, access=ACCESS, extra=f"DNS = {NAMESERVER4}").start()
        yield gate
        gate.stop()


@pytest.fixture(scope="module")
def servers(lab):
    def silent(sock):
        time.sleep(600)

    def endless(sock):
        with sock:
            while True:
                sock.sendall(bytes(65536))

    with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as echo, \
            Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as of_the_victim, \
            Server(listener(lab.server, SERVER4), silent) as sink, \
            Server(listener(lab.server, SERVER4), each_connection(endless)) as source, \
            Server(datagram(lab.server, SERVER4, (SERVER4, 0)), serve_datagram_echo) as datagrams:
        yield {"echo": echo, "of the victim": of_the_victim, "sink": sink, "source": source, "datagrams": datagrams}


class Victim:
    """One flow that was there before everything, through the portal that keeps the rules."""

    def __init__(self, lab, where):
        self.lab, self.where = lab, where
        self.sock = stream(lab.client)(where[0])
        self.sock.connect(where)
        self.slowest = 0

    def echo(self):
        begin = time.monotonic()
        self.sock.sendall(b"still here?")
        assert self.sock.recv(100) == b"still here?"
        self.slowest = max(self.slowest, time.monotonic() - begin)
        assert self.slowest < patience(1)


@pytest.fixture(scope="module")
def portal(lab, pki, tmp_path_factory, gate):
    portal = Portal(lab, tmp_path_factory.mktemp("victim"), pki).start()
    yield portal
    portal.down()


@pytest.fixture(scope="module", autouse=True)
def slow(lab, pki, gate):
    """Begins before everything else, for it takes half a minute: one byte of a record a second."""
    run(USHER_PKI, "issue", pki, "portal", "slow")
    evil, begin = Evil(lab, pki, certificate="slow"), time.monotonic()

    def drip():
        for byte in record(SEND, 2, bytes(200)):
            if not evil.send(bytes([byte])):
                return
            time.sleep(1)

    threading.Thread(target=drip, daemon=True).start()
    yield evil, begin
    evil.close()


def worker_of(gate, identity="other"):
    return wait_until(lambda: {one["identity"]: one["pid"] for one in gate.status()["portals"]}.get(identity), 5, "its worker")


@pytest.fixture(scope="module")
def everybody(lab, gate, portal, servers):
    """Whoever must not notice."""
    victim = Victim(lab, servers["of the victim"])
    victim.echo()
    watch = Watch(gate, [gate.pid(), worker_of(gate, "branch"), portal.pid()])
    yield watch, victim
    FIGURES.append(f"{watch.cases} cases of a hostile portal: slowest answer to the other {victim.slowest * 1000:.0f} ms")


@pytest.fixture
def evil(lab, pki, gate, everybody):
    watch, victim = everybody
    watch.cases += 1
    evil = Evil(lab, pki)
    yield evil
    victim.echo()
    evil.close()
    victim.echo()


@pytest.mark.parametrize("case", ENDS)
def test_ends_the_tunnel(evil, gate, case):
    said, why = ENDS[case]
    assert evil.send(said)
    assert evil.end() == why
    assert evil.wait(END, 0) is None, "more than one sentence"


def test_every_end_is_told_once(gate, everybody):
    """Of the cases above; a line is kept short whatever the peer says."""
    log = gate.log()
    for why in {why for _, why in ENDS.values()}:
        assert why in log
    assert max(map(len, log.splitlines())) < 400


@pytest.mark.parametrize("case", IGNORED)
def test_is_ignored(evil, case):
    assert evil.send(IGNORED[case]) and evil.lives()


def test_one_byte_at_a_time(evil, servers):
    """A record may come in any pieces."""
    for byte in record(OPEN, 2, to_address(TCP, *servers["echo"])) + record(OPEN, 4, to_address(TCP, "10.73.0.66", 80)):
        evil.send(bytes([byte]))
    answers = dict((session, body) for kind, session, body in evil.records(1) if kind == REPLY)
    assert answers[2][:2] == b"\0\2"
    assert answers[4].startswith(b"\xff\xffdenied")


def test_an_id_twice(evil, servers):
    assert evil.open(2, to_address(TCP, *servers["echo"])) == ""
    evil.send(record(OPEN, 2, to_address(TCP, *servers["echo"])))
    assert evil.end() == "protocol error: open with an id that is in use"


# Of a session to the echo server that is open: what is said in it, and the reason of the UsherRST that comes back.
RESETS = {
    "no data": (record(SEND, 2), "failed: empty data"),
    "data after the end": (record(CLOSE, 2, b"\0\0") + record(SEND, 2, b"x"), "failed: data after the end of the data"),
    "a datagram": (record(SEND_UDP, 2, bytes(13)), "failed: datagram on a stream session"),
    "credit of 2^31": (record(ACK, 2, b"\xff\xff") * 32800, "failed: more credit than a session can have"),
}


@pytest.mark.parametrize("case", RESETS)
def test_resets_its_session(evil, servers, case):
    said, why = RESETS[case]
    assert evil.open(2, to_address(TCP, *servers["echo"])) == ""
    assert evil.send(said)
    reason = evil.wait(RST, 2)
    assert reason is not None and reason[:-1].decode() == why
    assert evil.lives()


def test_more_data_than_credit(evil, gate, servers):
    assert evil.open(2, to_address(TCP, *servers["sink"])) == ""
    evil.send(record(SEND, 2, bytes(65535)) * 400)
    reason = evil.wait(RST, 2)
    assert reason == b"failed: more data than credit\0" and evil.lives()
    assert resident_kib(worker_of(gate)) < patience(WORKER_KIB)


def test_data_before_the_answer(evil, servers):
    evil.send(record(OPEN, 2, to_address(TCP, *servers["echo"])) + record(SEND, 2, b"early"))
    answer = evil.wait(REPLY, 2)
    assert answer is not None and answer[:2] == b"\xff\xff", answer
    assert evil.lives()


@pytest.mark.parametrize("size", [0, 1, 1472, 1473, 9000, 65507])
def test_datagrams_of_each_size(evil, servers, size):
    address, port = servers["datagrams"]
    assert evil.open(2, to_address(UDP, address, port)) == ""
    far = socket.inet_aton(address) + struct.pack(">H", port)
    evil.send(record(SEND_UDP, 2, bytes(6) + far + bytes(size)))
    body = evil.wait(SEND_UDP, 2)
    assert body is not None and body[:6] == far and len(body) == 12 + size


@pytest.mark.parametrize("what", ["data", "credit"])
def test_a_stream_record_in_an_association(evil, servers, what):
    assert evil.open(2, to_address(UDP, *servers["datagrams"])) == ""
    if what == "credit":
        evil.send(record(ACK, 2, b"\0\1"))
        assert evil.lives()
    else:
        evil.send(record(SEND, 2, b"x"))
        assert evil.wait(RST, 2) == b"failed: data on a datagram session\0"


NAMES = {
    "255 bytes": b"a" * 255,
    "a name of 255": b".".join([b"a" * 63] * 4)[:255],
    "control characters": b"\x1b[2J\r\n%n%s\x07.corp.example",
    "not UTF-8": bytes(range(128, 256)),
    "dots": b"." * 255,
    "a number": b"2130706433",
    "hexadecimal": b"0x7f.1",
    "loopback": b"localhost",
}


@pytest.mark.parametrize("case", NAMES)
def test_names(evil, gate, case):
    mark = len(gate.log())
    word = evil.open(2, to_name(TCP, NAMES[case] + b"\0", 80)).split(":")[0]
    assert word in ("denied", "resolve", "failed")
    said = gate.log()[mark:]
    assert all(character == "\n" or " " <= character <= "~" for character in said), "not escaped"
    assert evil.lives()


NEVER = ["127.0.0.1", "0.0.0.0", "10.3.0.2", "10.73.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "240.0.0.1"]
NEVER6 = ["::1", "::", "fd73::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::7f00:1", "2002:7f00:1::"]


def test_never_allowed_addresses(evil):
    for number, address in enumerate(NEVER):
        assert evil.open(2 + 2 * number, to_address(TCP, address, 22)).startswith("denied"), address
    for number, address in enumerate(NEVER6):
        assert evil.open(102 + 2 * number, to_name(TCP, address.encode() + b"\0", 22)).startswith("denied"), address


def test_names_that_nobody_answers_for(evil, gate, servers):
    """They are looked up, few at a time, and keep nobody waiting whose destination is an address."""
    evil.send(b"".join(record(OPEN, 2 + 2 * i, to_name(TCP, b"a%d.silent.example\0" % i, 80)) for i in range(2000)))
    begin = time.monotonic()
    assert evil.open(8002, to_address(TCP, *servers["echo"])) == ""
    assert time.monotonic() - begin < patience(1)
    assert resident_kib(worker_of(gate)) < patience(WORKER_KIB)
    words = [answer[2:-1].decode().split(":")[0] for kind, _, answer in evil.records(1) if kind == REPLY]
    assert set(words) <= {"resolve", "limit", "failed"}, set(words)


def test_nothing_counts_behind_the_end(lab, evil):
    with listener(lab.server, SERVER4) as listening:
        evil.send(record(END, 0, b"bye\0") + record(OPEN, 2, to_address(TCP, *listening.getsockname())))
        listening.settimeout(0.5)
        with pytest.raises(TimeoutError):
            listening.accept()


def test_a_rule_broken_again_and_again(evil, servers):
    """Each time costs its session, until the peer's budget for such is spent."""
    evil.send(record(OPEN, 2, to_address(TCP, *servers["echo"])) + record(ACK, 2, b"\0\0") * 1500)
    assert evil.end() == ABUSE


@pytest.mark.parametrize("kind, body", [(RST, b"failed: \0"), (CLOSE, b"\0\2")], ids=["taken back", "closed"])
def test_a_flood_of_opens_that_are(evil, servers, kind, body):
    """A scan behind an honest portal looks like that, for a while."""
    where = to_address(TCP, *servers["echo"])
    evil.send(b"".join(record(OPEN, i, where) + record(kind, i, body) for i in range(2, 6400, 2)))
    assert evil.end() == ABUSE


def test_an_open_flood_is_refused(evil, gate, servers):
    body = to_address(TCP, *servers["echo"])
    evil.send(b"".join(record(OPEN, 2 + 2 * i, body) for i in range(10000)))
    words = [answer[2:-1].decode().split(":")[0] for kind, _, answer in evil.records(2) if kind == REPLY]
    assert len(words) == 10000 and words.count("limit") > 5000
    assert descriptors(worker_of(gate)) < 10000 - words.count("limit") + 200


def test_opens_and_never_reads(evil, gate, servers):
    worker = worker_of(gate)
    body = to_address(TCP, "10.73.0.66", 80)  # denied: an answer each
    flood = b"".join(record(OPEN, 2 + 2 * (i % 32000), body) for i in range(120000))
    hurl(evil.tls, flood, patience(3))
    if os.path.exists(f"/proc/{worker}"):
        assert resident_kib(worker) < patience(WORKER_KIB)


def test_never_reads_what_it_asked_for(evil, gate, servers):
    """Ten endless downloads into a tunnel that nobody reads: bounded, and quiet."""
    worker = worker_of(gate)
    for number in range(10):
        assert evil.open(2 + 2 * number, to_address(TCP, *servers["source"])) == ""
        evil.send(record(ACK, 2 + 2 * number, b"\xff\xff") * 100)
    time.sleep(1)
    begin = cpu_seconds(worker)
    time.sleep(1)
    assert cpu_seconds(worker) - begin < patience(0.2), "it turns for nothing"
    assert resident_kib(worker) < patience(WORKER_KIB)


@pytest.mark.parametrize("case", TALK)
def test_the_control_session(evil, case):
    assert evil.open(2, to_name(CONTROL, b"control.1\0", 0)) == ""
    evil.talk(2, *TALK[case])


def test_control_sessions_end_and_others_are_refused(evil):
    assert evil.open(4, to_name(CONTROL, b"control.2\0", 0)).startswith("unsupported")
    assert evil.open(2, to_name(CONTROL, b"control.1\0", 0)) == ""
    assert evil.open(6, to_name(CONTROL, b"control.1\0", 0)).startswith("unsupported")
    evil.send(record(CLOSE, 2, struct.pack(">H", BOTH)))
    assert evil.end() == "protocol error: the control session was closed"


@pytest.mark.parametrize("how", ["close", "reset"])
def test_cut_in_the_middle(lab, evil, how):
    """No close_notify: every session is reset at the far server, and never reads as its orderly end."""
    with listener(lab.server, SERVER4) as listening:
        assert evil.open(2, to_address(TCP, *listening.getsockname())) == ""
        server, _ = listening.accept()
    evil.send(record(SEND, 2, b"half a sent"))
    assert server.recv(100) == b"half a sent"
    plain = socket.socket(fileno=evil.tls.detach())
    if how == "reset":
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()
    server.settimeout(patience(5))
    with pytest.raises(ConnectionResetError):
        server.recv(100)
    server.close()


def test_alpn(lab, pki, gate, everybody):
    watch, victim = everybody
    for names, taken in (((), True), (("usher/1", *(f"x{i}" for i in range(100))), True), (("h2",), False),
                         (("usher/2", "usher/10", "USHER/1"), False), (tuple("a" * 255 for _ in range(60)), False)):
        watch.cases += 1
        try:
            evil = Evil(lab, pki, names)
            alive = evil.lives()
        except (OSError, ssl.SSLError, AssertionError):
            alive = False
        assert alive == taken, names
        victim.echo()


def test_an_endless_chain_of_certificates(lab, pki, gate, everybody, tmp_path):
    watch, victim = everybody
    for name, target in (("ca.crt", "ca.crt"), ("other.key", "chain.key")):
        shutil.copy(pki / name, tmp_path / target)
    (tmp_path / "chain.crt").write_text((pki / "other.crt").read_text() + (pki / "ca.crt").read_text() * 400)
    mark = len(gate.log())
    watch.cases += 1
    try:
        assert Evil(lab, tmp_path, certificate="chain").end() is None
    except (OSError, ssl.SSLError):
        pass  # told by the alert
    wait_until(lambda: len(gate.log()) > mark, 5, "a line in the log")
    victim.echo()


def tls_record(kind, body):
    return struct.pack(">BHH", kind, 0x303, len(body)) + body


def begun_handshake(lab):
    """A connection by hand, and the server's first record: ServerHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["usher/1"])
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="gate.example.net").do_handshake()
    with lab.portal.enter():
        sock = socket.create_connection(("10.3.0.2", 4433), timeout=patience(5))
    sock.sendall(outgoing.read())
    file = sock.makefile("rb")
    kind, _, length = struct.unpack(">BHH", file.read(5))
    assert kind == 22
    return sock, file.read(length)


# Behind a ClientHello and without a certificate: what is said, and what the gate's log says of it.
NO_RECORDS = {
    "a tag and no more": (tls_record(23, bytes(16)), "sent a TLS record of 16 bytes, which cannot be"),
    "nothing that is protected": (tls_record(23, b""), "sent a TLS record of 0 bytes, which cannot be"),
    "an endless one": (b"\x17\3\3\xff\xff" + bytes(65535), "sent a TLS record of 65535 bytes, which cannot be"),
    "of type 25": (tls_record(25, bytes(17)), "does not speak TLS"),
    "under no key": (tls_record(23, bytes(17)), "sent a record that was altered on the way"),
    "a second ClientHello": (tls_record(22, b"\1\0\0\1\0"), "TLS"),
}


@pytest.mark.parametrize("case", NO_RECORDS)
def test_records_without_a_certificate(lab, gate, everybody, case):
    watch, victim = everybody
    watch.cases += 1
    said, why = NO_RECORDS[case]
    mark = len(gate.log())
    with begun_handshake(lab)[0] as sock:
        with contextlib.suppress(OSError):
            sock.sendall(said)
            while sock.recv(65536):
                pass
    wait_until(lambda: why in gate.log()[mark:], 5, "a line in the log")
    assert gate.status()["admission"]["crashes"] == 0
    victim.echo()


def test_no_two_workers_draw_the_same(lab, gate, everybody):
    """They are forked from one process: what one drew by chance, another must not draw again."""
    hellos = []
    for _ in range(8):
        sock, hello = begun_handshake(lab)
        sock.close()
        hellos.append(hello)
        time.sleep(0.1)  # one source may come so often only
    assert len({hello[6:38] for hello in hellos}) == len(hellos), "ServerHello.random"
    assert len({hello[-64:] for hello in hellos}) == len(hellos), "key shares"


def openssl_connection(lab, pki):
    """What Python's ssl cannot be made to do, OpenSSL itself can: its connection, and its socket."""
    openssl = ctypes.CDLL("libssl.so.3")
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(openssl, name).restype = ctypes.c_void_p
    for name in ("SSL_CTX_new", "SSL_new", "SSL_connect", "SSL_do_handshake"):
        getattr(openssl, name).argtypes = [ctypes.c_void_p]
    context = openssl.SSL_CTX_new(openssl.TLS_client_method())
    openssl.SSL_CTX_use_certificate_file.argtypes = openssl.SSL_CTX_use_PrivateKey_file.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    openssl.SSL_CTX_set_alpn_protos.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint]
    openssl.SSL_set_fd.argtypes = openssl.SSL_key_update.argtypes = [ctypes.c_void_p, ctypes.c_int]
    assert openssl.SSL_CTX_use_certificate_file(context, str(pki / "other.crt").encode(), 1) == 1
    assert openssl.SSL_CTX_use_PrivateKey_file(context, str(pki / "other.key").encode(), 1) == 1
    openssl.SSL_CTX_set_alpn_protos(context, b"\x07usher/1", 8)
    connection = openssl.SSL_new(context)
    with lab.portal.enter():
        plain = socket.create_connection(("10.3.0.2", 4433))
    plain.setblocking(True)
    openssl.SSL_set_fd(connection, plain.fileno())
    assert openssl.SSL_connect(connection) == 1
    return openssl, connection, plain


@pytest.mark.parametrize("wants_one_back", [0, 1])
def test_endless_key_updates(lab, pki, gate, everybody, wants_one_back):
    watch, victim = everybody
    watch.cases += 1
    openssl, connection, plain = openssl_connection(lab, pki)
    worker = worker_of(gate)
    plain.settimeout(None)
    sent, deadline = 0, time.monotonic() + patience(10)
    while time.monotonic() < deadline and openssl.SSL_key_update(connection, wants_one_back) == 1:
        if openssl.SSL_do_handshake(connection) != 1:
            break
        sent += 1
    victim.echo()
    wait_until(lambda: not os.path.exists(f"/proc/{worker}"), 5, f"the worker has had enough of {sent}")
    plain.close()


def test_one_byte_a_second(slow):
    evil, begin = slow
    assert evil.end(40) == "timeout: a record took more than 30 s"
    assert 29 < time.monotonic() - begin < patience(35)


def test_nothing_is_left(gate, portal, everybody):
    watch, victim = everybody
    wait_until(lambda: all(one["identity"] != "other" for one in gate.status()["portals"]), 10, "its workers are gone")
    watch.judge()
    victim.echo()
