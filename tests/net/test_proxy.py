# SPDX-License-Identifier: GPL-2.0-or-later
"""A portal that reaches its gate over a proxy on the wan host: real ones (microsocks, tinyproxy, an sshd behind
ProxyCommand), and scripted ones for what no packaged proxy does. The portal cannot reach the gate itself."""

import contextlib
import hashlib
import os
import pathlib
import pwd
import re
import shutil
import socket
import tempfile
import threading

import pytest

import lab as net
from lab import Lab, run, wait_until
from programs import GATE_NAME, Gate, Portal
from traffic import PAGE, Server, each_connection, listener, serve_page

PROXY = "10.2.0.1"
USER, PASSWORD = "branch", "a secret: of ours"


@pytest.fixture(scope="module")
def lab():
    """The proxy's host finds the gate's name in its own /etc/hosts, and nobody is led past the proxy."""
    lab = Lab()
    etc = f"/etc/netns/{lab.wan.name}"
    os.makedirs(etc)
    with open(f"{etc}/hosts", "w") as hosts:
        hosts.write(f"127.0.0.1 localhost\n10.3.0.2 {GATE_NAME}\n")
    lab.wan.run("nft", "add rule inet cut forward ip daddr 10.3.0.2 drop; add rule inet cut forward ip6 daddr fd03::2 drop")
    yield lab
    lab.delete()
    run("rm", "-r", etc)


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki).start()
    yield gate
    gate.stop()


@contextlib.contextmanager
def started(host, *argv, log=None):
    with open(log or os.devnull, "ab") as out:
        process = host.start(*argv, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def listens(host, port):
    wait_until(lambda: f":{port} " in host.run("ss", "-tln").stdout, 5, f"a listener on {port}")


def password_file(directory, password=PASSWORD):
    path = directory / "password"
    path.write_text(password + "\n")
    path.chmod(0o600)
    return f"ProxyPasswordFile = {path}"


def portal_over(lab, directory, pki, *keys):
    portal = Portal(lab, directory, pki, address=f"{GATE_NAME}:4433")
    with open(portal.conf, "a") as conf:
        conf.write("\n".join(keys) + "\n")
    return portal


@contextlib.contextmanager
def up_over(lab, directory, pki, *keys):
    portal = portal_over(lab, directory, pki, *keys)
    try:
        yield portal.start()
    finally:
        portal.down(check=False)


def fetch(lab):
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_page)) as (address, port):
        page = lab.client.run("curl", "-sS", "--max-time", "10", f"http://{address}:{port}/").stdout
    assert page == PAGE


def refused(lab, directory, pki, *keys):
    """What `up` says, which fails."""
    portal = portal_over(lab, directory, pki, "", *keys)
    with open(portal.conf) as conf:
        text = conf.read().replace("[Portal]", "[Portal]\nUpTimeout = 3s")
    portal.conf.write_text(text)
    done = lab.portal.run("timeout", 20, net.BUILD / "usher-tun", "up", portal.conf, check=False)
    assert done.returncode == 1
    return done.stderr


def microsocks(lab, *argv):
    return started(lab.wan, "microsocks", "-i", PROXY, "-p", "1080", *argv)


def test_socks_with_a_password_and_no_lookup_here(lab, gate, pki, tmp_path):
    """Nobody on the wire hears the gate's name but in what is said to the proxy, and no name server is asked at all."""
    capture = lab.portal.start("tcpdump", "-i", "any", "-n", "-l", "udp port 53 or tcp port 53 or host 10.3.0.2",
                               stdout=open(tmp_path / "capture", "w"), stderr=open(tmp_path / "tcpdump", "w"))
    wait_until(lambda: "listening on" in (tmp_path / "tcpdump").read_text(), 5, "tcpdump")
    with microsocks(lab, "-u", USER, "-P", PASSWORD):
        listens(lab.wan, 1080)
        keys = f"Proxy = socks5://{USER}@{PROXY}", password_file(tmp_path)
        with up_over(lab, tmp_path, pki, *keys) as portal:
            fetch(lab)
            status = portal.status()
            assert status["gate"] == f"{GATE_NAME}:4433" and status["proxy"] == f"{PROXY}:1080"
            for text in (open(f"/proc/{portal.pid()}/environ").read(), open(f"/proc/{portal.pid()}/cmdline").read()):
                assert PASSWORD not in text
        assert "refused the user and the password" in refused(
            lab, tmp_path, pki, f"Proxy = socks5://{USER}@{PROXY}", password_file(tmp_path, "wrong"))
        assert "asks for a password: Proxy needs a user" in refused(lab, tmp_path, pki, f"Proxy = socks5://{PROXY}")
    capture.terminate()
    capture.wait()
    assert (tmp_path / "capture").read_text().strip() == ""


def test_a_gate_that_is_away_and_a_proxy_that_is_away(lab, gate, pki, tmp_path):
    with microsocks(lab):
        listens(lab.wan, 1080)
        portal = Portal(lab, tmp_path, pki, address=f"{GATE_NAME}:4434", extra="UpTimeout = 3s")
        with open(portal.conf, "a") as conf:
            conf.write(f"Proxy = socks5://{PROXY}\n")
        done = lab.portal.run(net.BUILD / "usher-tun", "up", portal.conf, check=False)
        assert f"the proxy {PROXY}:1080 was refused by the gate's host: nothing listens there" in done.stderr
    assert f"cannot connect to the proxy {PROXY}:1080: Connection refused" in refused(
        lab, tmp_path, pki, f"Proxy = socks5://{PROXY}")


def test_http_connect_with_a_password(lab, gate, pki, tmp_path):
    conf = tmp_path / "tinyproxy.conf"
    conf.write_text(f"""
Port 8080
Listen {PROXY}
Timeout 600
LogLevel Critical
MaxClients 10
BasicAuth {USER} secret
ConnectPort 4433
""")
    with started(lab.wan, "tinyproxy", "-d", "-c", conf, log=tmp_path / "tinyproxy.log"):
        listens(lab.wan, 8080)
        with up_over(lab, tmp_path, pki, f"Proxy = http://{USER}@{PROXY}", password_file(tmp_path, "secret")):
            fetch(lab)
        assert f"the proxy {PROXY}:8080 " in refused(lab, tmp_path, pki, f"Proxy = http://{USER}@{PROXY}",
                                                      password_file(tmp_path, "wrong"))


class ScriptedProxy:
    """HTTP, with Digest by SHA-256; or whatever `answer` makes of a request."""

    def __init__(self, host, answer):
        self.host, self.answer, self.requests = host, answer, []

    def handle(self, sock):
        with sock, self.host.enter(), contextlib.suppress(OSError):
            while True:
                request = b""
                while b"\r\n\r\n" not in request:
                    part = sock.recv(1)
                    if not part:
                        return
                    request += part
                self.requests.append(request.decode())
                reply = self.answer(request.decode())
                if reply is not None:
                    sock.sendall(reply)
                    continue
                with socket.create_connection(("10.3.0.2", 4433)) as far:
                    sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    self.relay(sock, far)
                return

    @staticmethod
    def relay(one, other):
        def pump(source, sink):
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        back = threading.Thread(target=pump, args=(other, one), daemon=True)
        back.start()
        pump(one, other)
        back.join()

    @contextlib.contextmanager
    def running(self):
        with listener(self.host, PROXY, 8080) as sock:
            sock.settimeout(None)

            def accept():
                with contextlib.suppress(OSError):
                    while True:
                        client, _ = sock.accept()
                        threading.Thread(target=self.handle, args=(client,), daemon=True).start()

            threading.Thread(target=accept, daemon=True).start()
            yield self
            sock.shutdown(socket.SHUT_RDWR)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def digest(request):
    """None for a request whose Digest is right."""
    challenge = (b'HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm="x"\r\nProxy-Authenticate: Digest '
                 b'realm="our \\"house\\"", nonce="n0n/ce", qop="auth", algorithm=SHA-256\r\nContent-Length: 4\r\n\r\nbody')
    if "Proxy-Authorization" not in request:
        return challenge
    fields = dict(re.findall(r'(\w+)="?((?:[^",\\]|\\.)*)"?', request.split("Digest ")[1]))
    who = sha256(f'{fields["username"]}:our "house":{PASSWORD}')
    what = sha256(f"CONNECT:{GATE_NAME}:4433")
    right = sha256(f'{who}:n0n/ce:00000001:{fields["cnonce"]}:auth:{what}')
    return None if fields["response"] == right and fields["username"] == USER else challenge


def test_http_connect_with_digest(lab, gate, pki, tmp_path):
    with ScriptedProxy(lab.wan, digest).running() as proxy:
        keys = f"Proxy = http://{USER}@{PROXY}", password_file(tmp_path)
        with up_over(lab, tmp_path, pki, *keys):
            fetch(lab)
        assert "Basic" not in "".join(proxy.requests)
        assert f"the proxy {PROXY}:8080 refused the user and the password" in refused(
            lab, tmp_path, pki, f"Proxy = http://{USER}@{PROXY}", password_file(tmp_path, "wrong"))


@pytest.mark.parametrize("reply, says", [
    (b"HTTP/1.1 403 No \x1b[1m\r\n\r\n", 'answered "403 No \\x1b[1m"'),
    (b"<html>", "does not speak HTTP"),
    (b"HTTP/1.1 200", "did not answer within"),
])
def test_what_a_bad_proxy_says(lab, gate, pki, tmp_path, reply, says):
    if b"200" in reply:
        says = "no tunnel to"  # ten seconds are longer than `up` waits here
    with ScriptedProxy(lab.wan, lambda request: reply).running():
        assert says in refused(lab, tmp_path, pki, f"Proxy = http://{PROXY}")


@pytest.fixture(scope="module")
def bastion(lab):
    """An sshd on the wan host, and the command that goes through it as the user nobody."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="usher-ssh"))
    directory.chmod(0o755)
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name)
    run("chown", "nobody", directory / "user")
    (directory / "sshd.conf").write_text(f"""
Port 22
ListenAddress {PROXY}
HostKey {directory}/host
AuthorizedKeysFile {directory}/user.pub
UsePAM no
StrictModes no
PermitRootLogin yes
PidFile none
""")
    run("mkdir", "-p", "/run/sshd")
    script = directory / "ssh"
    script.write_text(f"""#!/bin/sh
exec ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -i {directory}/user "$@"
""")
    script.chmod(0o755)
    with started(lab.wan, "/usr/sbin/sshd", "-D", "-e", "-f", directory / "sshd.conf", log=directory / "log"):
        listens(lab.wan, 22)
        yield f"{script} -W %h:%p root@{PROXY}"
    shutil.rmtree(directory)


def children(user):
    uid = pwd.getpwnam(user).pw_uid
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{pid}").st_uid == uid and b"-W\0" in open(f"/proc/{pid}/cmdline", "rb").read():
                found.append(pid)
    return found


def test_a_command(lab, gate, pki, tmp_path, bastion):
    with up_over(lab, tmp_path, pki, f"ProxyCommand = {bastion}") as portal:
        fetch(lab)
        assert portal.status()["proxy"] == "ProxyCommand" and portal.status()["gate"] == f"{GATE_NAME}:4433"
        assert len(children("nobody")) == 1
        gate.kill()
        gate.start()
        portal.wait_up(15)
        fetch(lab)
        assert len(children("nobody")) == 1
    wait_until(lambda: not children("nobody"), 3, "the command's end")


def test_a_command_that_fails(lab, gate, pki, tmp_path, bastion):
    assert "connection during the TLS handshake" in refused(lab, tmp_path, pki, "ProxyCommand = true")
    assert 'ProxyCommand ended with status 3: "no \\x1b way"' in refused(
        lab, tmp_path, pki, "ProxyCommand = printf 'no \\033 way' >&2 && exit 3")
