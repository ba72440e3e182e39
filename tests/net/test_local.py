# SPDX-License-Identifier: GPL-2.0-or-later
"""A gate alone on its host, which serves its own sshd and web server: they listen on loopback, one on IPv4 and one on IPv6,
and the packet filter lets nothing in but the tunnel. `Local = yes` makes them reachable through it, as far as rules allow."""

import contextlib
import errno
import select
import socket
import threading

import pytest

from lab import run, wait_until
from peer import SEND, TCP, Peer
from programs import Gate, Portal
from traffic import connect_error, datagram

RULES = """
Allow = tcp:10.73.0.1:22, tcp:10.73.0.1:80-81, tcp:[fd73::1]:22, tcp:[fd73::1]:80-81, udp:10.73.0.1
Allow = icmp:10.73.0.1, icmp:fd73::1, tcp:*.corp.example:22, tcp:*.corp.example:80
"""
NAMED = "[Access other]\nLocal = yes" + RULES
PAGE = "served on loopback only"


@contextlib.contextmanager
def started(host, *argv):
    process = host.start(*argv)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name)
    return directory


@pytest.fixture(scope="module")
def services(lab, keys):
    (keys / "sshd.conf").write_text(f"""
Port 22
ListenAddress 127.0.0.1
HostKey {keys}/host
AuthorizedKeysFile {keys}/user.pub
UsePAM no
StrictModes no
PermitRootLogin yes
PidFile none
""")
    (keys / "index.html").write_text(PAGE)
    (keys / "nginx.conf").write_text(f"""
daemon off;
user root;
worker_processes 1;
pid {keys}/nginx.pid;
error_log {keys}/nginx.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {keys}/body;
    proxy_temp_path {keys}/proxy;
    fastcgi_temp_path {keys}/fastcgi;
    uwsgi_temp_path {keys}/uwsgi;
    scgi_temp_path {keys}/scgi;
    server {{ listen [::1]:80 ipv6only=on; root {keys}; }}
}}
""")
    run("mkdir", "-p", "/run/sshd")
    lab.gate.run("nft", "-f", "-", input="""
        table inet shut { chain input { type filter hook input priority 0; policy drop;
            iif lo accept
            ct state established accept
            meta l4proto icmpv6 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
            tcp dport 4433 accept
        }
        }""")
    try:
        with started(lab.gate, "/usr/sbin/sshd", "-D", "-e", "-f", keys / "sshd.conf"), \
                started(lab.gate, "/usr/sbin/nginx", "-c", keys / "nginx.conf"):
            wait_until(lambda: lab.gate.run("ss", "-lnt").stdout.count("127.0.0.1:22 ") == 1 and
                       lab.gate.run("ss", "-lnt").stdout.count("[::1]:80 ") == 1, 10, "sshd and nginx")
            yield
    finally:
        lab.gate.run("nft", "delete", "table", "inet", "shut")


@contextlib.contextmanager
def up(lab, pki, directory, access):
    gate = Gate(lab, directory, pki, access=access).start()
    portal = Portal(lab, directory, pki)
    try:
        portal.start()
        yield gate
    finally:
        portal.down(check=False)
        gate.stop()


def test_without_it(lab, pki, services, tmp_path):
    """The same rules lead to the addresses as they are, where nobody listens. Comes first: one gate at a time."""
    with up(lab, pki, tmp_path, "[Access branch]" + RULES) as gate:
        assert connect_error(lab, "10.73.0.1", 22)[0] == errno.ECONNREFUSED
        assert connect_error(lab, "fd73::1", 80)[0] == errno.ECONNREFUSED
        assert "local" not in gate.status()["portals"][0]


@pytest.fixture(scope="module")
def gate(lab, pki, services, tmp_path_factory):
    access = "[Access branch]\nLocal = yes" + RULES + NAMED
    with up(lab, pki, tmp_path_factory.mktemp("local"), access) as gate:
        yield gate


def ssh(lab, keys, address, port=22):
    return lab.client.run("ssh", "-F", "none", "-i", keys / "user", "-p", port, "-o", "StrictHostKeyChecking=no",
                          "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes",
                          f"root@{address}", "echo", "logged in").stdout


def curl(lab, url, *argv):
    return lab.client.run("curl", "-sS", "--max-time", "20", *argv, url).stdout


@pytest.mark.parametrize("address", ["10.73.0.1", "fd73::1"])
def test_by_an_address_of_the_gate(lab, keys, gate, address):
    """Each service listens on one loopback address: once it is the first that is tried, once the second."""
    assert ssh(lab, keys, address) == "logged in\n"
    assert curl(lab, f"http://[{address}]/" if ":" in address else f"http://{address}/") == PAGE


def carry(client, peer, name, port):
    session, reason = peer.open(TCP, name, port)
    assert session is not None, reason
    while True:
        ready = [peer.tls] if peer.tls.pending() else select.select([client, peer.tls], [], [])[0]
        if client in ready:
            data = client.recv(16000)
            if not data:
                return
            peer.send(SEND, session, data)
        if peer.tls in ready:
            client.sendall(peer.receive(SEND, session))


@contextlib.contextmanager
def by_name(lab, pki, name, port):
    """A port of the client whose one connection is a session opened by name."""
    def serve():
        with contextlib.suppress(OSError, AssertionError), contextlib.closing(Peer(lab, pki, "other")) as peer, \
                listening.accept()[0] as client:
            carry(client, peer, name, port)

    with lab.client.enter():
        listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()
        thread.join(20)


def test_by_a_name(lab, pki, keys, gate):
    """No name server knows the name, and none is asked."""
    with by_name(lab, pki, "box.corp.example", 22) as port:
        assert ssh(lab, keys, "127.0.0.1", port) == "logged in\n"
    with by_name(lab, pki, "box.corp.example", 80) as port:
        assert curl(lab, f"http://127.0.0.1:{port}/", "-H", "Connection: close") == PAGE


@pytest.mark.parametrize("host,port,word", [
    ("box.corp.example", 81, "denied"),
    ("box.other.example", 22, "denied"),
    ("fd73::1", 81, "refused"),
    ("fd73::1", 82, "denied"),
    ("127.0.0.1", 22, "denied"),
    ("::1", 80, "denied"),
])
def test_words(lab, pki, gate, host, port, word):
    with contextlib.closing(Peer(lab, pki, "other")) as peer:
        session, reason = peer.open(TCP, host, port)
    assert session is None and reason.split(":")[0] == word, reason


@pytest.mark.parametrize("address", ["10.73.0.1", "fd73::1"])
def test_denied_and_refused(lab, gate, address):
    assert connect_error(lab, address, 23)[0] in (errno.EHOSTUNREACH, errno.EACCES)
    assert connect_error(lab, address, 81)[0] == errno.ECONNREFUSED


def test_refused_on_a_host_without_ipv6(lab, gate):
    """What says something is the loopback address that is there."""
    lab.gate.sysctl("net.ipv6.conf.lo.disable_ipv6", 1)
    try:
        assert connect_error(lab, "fd73::1", 81)[0] == errno.ECONNREFUSED
    finally:
        lab.gate.sysctl("net.ipv6.conf.lo.disable_ipv6", 0)


def test_datagrams(lab, gate):
    """The answer comes from the address that was asked, else a connected socket would not take it."""
    with datagram(lab.gate, "127.0.0.1", ("127.0.0.1", 0)) as server, datagram(lab.client, "10.73.0.1") as client:
        client.connect(("10.73.0.1", server.getsockname()[1]))
        client.send(b"question")
        question, source = server.recvfrom(100)
        assert question == b"question" and source[0] == "127.0.0.1"
        server.sendto(b"answer", source)
        assert client.recv(100) == b"answer"


@pytest.mark.parametrize("address", ["10.73.0.1", "fd73::1"])
def test_the_host_is_alive(lab, gate, address):
    assert " 0% packet loss" in lab.client.run("ping", "-c", 2, "-i", 0.2, "-W", 5, address).stdout


def test_status(lab, pki, gate):
    assert [portal.get("local") for portal in gate.status()["portals"]] == [True]
