# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions opened by host name: resolved at the gate, by its sealed worker, and judged by name and by address. Our own
portal captures packets and so names nothing yet; the portal here is one by hand."""

import contextlib
import ipaddress
import pathlib
import socket
import struct
import threading

import pytest

from lab import NAMESERVER4, SERVER2, SERVER4, wait_until
from peer import SEND, SEND_UDP, TCP, UDP, Peer
from programs import USHER_GATE, Gate, Portal, proc_number

ACCESS = """
[Access branch]
Allow = tcp:*.corp.example:22, udp:*.corp.example:53
[Access other]
Allow = tcp:*.corp.example:22
"""
NAMES = {
    "web": SERVER4,
    "closed": SERVER2[0],
    "ns": NAMESERVER4,
    "rebound": "127.0.0.1",
    "metadata": "169.254.169.254",
    "own": "10.73.0.1",
}


@contextlib.contextmanager
def name_server(lab, *more):
    records = [f"--host-record={name}.corp.example,{address}" for name, address in NAMES.items()]
    server = lab.server.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-hosts",
                              "--no-resolv", "--bind-interfaces", f"--listen-address={NAMESERVER4}",
                              "--local=/corp.example/", *records, *more)
    try:
        wait_until(lambda: f"{NAMESERVER4}:53" in lab.server.run("ss", "-lun").stdout, 5, "the name server")
        yield
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def echo_server(lab):
    def serve():
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as client:
                    client.sendall(client.recv(100))

    with lab.server.enter():
        listener = socket.create_server((SERVER4, 22))
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture(scope="module")
def hosts_file(lab):
    """The gate's own, which a program that starts in its namespace sees."""
    path = pathlib.Path(f"/etc/netns/{lab.gate.name}/hosts")
    path.parent.mkdir(parents=True)
    path.write_text("")
    yield path
    path.unlink()
    path.parent.rmdir()


@pytest.fixture(scope="module")
def peer(lab, pki, tmp_path_factory, hosts_file):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki, access=ACCESS, extra=f"DNS = {NAMESERVER4}").start()
    try:
        with name_server(lab), echo_server(lab), contextlib.closing(Peer(lab, pki)) as peer:
            yield peer
    finally:
        gate.stop()


@pytest.mark.parametrize("host", ["web.corp.example", "WEB.Corp.Example", "web.corp.example."])
def test_a_name_is_reached(peer, host):
    session, reason = peer.open(TCP, host, 22)
    assert session is not None, reason
    peer.send(SEND, session, b"hello")
    assert peer.receive(SEND, session) == b"hello"


def test_a_gate_without_etc(lab, pki, tmp_path):
    """Neither a hosts file, nor a list of users: nobody is nobody all the same."""
    gate = Gate(lab, tmp_path, pki, name="bare", listen="0.0.0.0:4455")
    gate.launch("unshare", "-m", "--propagation", "private", "sh", "-ec", 'mount -t tmpfs none /etc; exec "$@"', "sh", USHER_GATE,
                "run", gate.conf)
    portal = Portal(lab, tmp_path, pki, name="of-bare", address="10.3.0.2:4455")
    try:
        wait_until(lambda: gate.status(check=False) or gate.process.poll() is not None, 10, "the gate")
        portal.start()
        assert proc_number(gate.worker_pids()[0], "Uid") == 65534
    finally:
        portal.down(check=False)
        assert gate.stop() == 0
    assert "hosts" not in gate.log()


def test_the_hosts_file_of_the_gate(peer, lab, pki, hosts_file):
    """It goes before the servers, is read at each login, and opens nothing that the rules do not."""
    def outcome(peer, host):
        return peer.open(TCP, host, 22)[1].split(":")[0]

    hosts_file.write_text(f"{SERVER4} filed.corp.example filed.other.example\n{SERVER2[0]} web.corp.example\n"
                          "127.0.0.1 here.corp.example\n10.73.0.1 own2.corp.example\n")
    assert outcome(peer, "filed.corp.example") == "resolve"  # until the next login
    with contextlib.closing(Peer(lab, pki, "other")) as later:
        for name, expected in (("filed", ""), ("FILED", ""), ("web", "refused"), ("here", "denied"), ("own2", "denied"),
                               ("closed", "refused")):
            assert outcome(later, f"{name}.corp.example") == expected, name
        assert outcome(later, "filed.other.example") == "denied"


@pytest.mark.parametrize("host,port,word", [
    ("web.corp.example", 23, "denied"),
    ("web.other.example", 22, "denied"),
    ("corp.example", 22, "denied"),  # the rule is for what lies below
    ("closed.corp.example", 22, "refused"),
    ("nothing.corp.example", 22, "resolve"),
    ("rebound.corp.example", 22, "denied"),  # a name does not open what no wide rule opens
    ("metadata.corp.example", 22, "denied"),
    ("own.corp.example", 22, "denied"),
    ("fd73::2", 22, "denied"),
])
def test_a_name_is_refused(peer, host, port, word):
    session, reason = peer.open(TCP, host, port)
    assert session is None
    assert reason.split(":")[0] == word, reason


def test_datagrams_to_a_name(peer):
    """One fixed far end, and so no addresses in the records."""
    session, reason = peer.open(UDP, "ns.corp.example", 53)
    assert session is not None, reason
    question = b"".join(bytes([len(part)]) + part for part in b"web.corp.example".split(b".")) + b"\0\0\1\0\1"
    peer.send(SEND_UDP, session, bytes(12) + struct.pack(">6H", 0x1234, 0x0100, 1, 0, 0, 0) + question)
    body = peer.receive(SEND_UDP, session)
    assert body[:12] == bytes(12)
    assert body[12:14] == b"\x12\x34" and body.endswith(ipaddress.ip_address(SERVER4).packed)


def test_a_prefix_that_becomes_the_gates_own(peer, lab):
    """What the gate's host answers for as a whole (AnyIP) is its own as well, from the moment it is so."""
    def outcome():
        return peer.open(TCP, "closed.corp.example", 22)[1].split(":")[0]

    assert outcome() == "refused"
    lab.gate.run("ip", "route", "add", "local", "10.73.0.0/29", "dev", "inner")
    try:
        wait_until(lambda: outcome() == "denied", 5, "a denial")
    finally:
        lab.gate.run("ip", "route", "delete", "local", "10.73.0.0/29", "dev", "inner")
    wait_until(lambda: outcome() == "refused", 5, "the far host's own answer again")
