# SPDX-License-Identifier: GPL-2.0-or-later
"""Forwards of a portal, as applications use them that know nothing of a tunnel."""

import contextlib
import errno
import getpass
import glob
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

import lab as net
from lab import NAMESERVER4, SERVER2, SERVER4, SERVER6, patience, wait_until
from programs import USHER_TUN, Gate, Portal, descriptors
from traffic import (PAGE, Server, datagram, each_connection, fetch, listener, outcome, pattern, receive_all, reset, serve_echo,
                     serve_page, stream)

HERE = "10.1.0.1"  # of the portal, towards its client

FORWARDS = f"""
Forward = tcp 127.0.0.1:2222 -> ssh.corp.example:22, tcp {HERE}:2873 -> {SERVER4}:873
Forward = tcp {HERE}:8000-8003 -> {SERVER4}:9000-9003
Forward = tcp [fd01::1]:8006 -> [{SERVER6}]:9006
Forward = tcp {HERE}:5432 -> {SERVER4}:5432
Forward = udp {HERE}:5353 -> {NAMESERVER4}:53, udp [fd01::1]:5353 -> ns.corp.example:53
Forward = tcp {HERE}:81 -> {SERVER4}:81, tcp {HERE}:666 -> 10.73.0.66:80, tcp {HERE}:82 -> nosuch.corp.example:1
Forward = udp {HERE}:1066 -> 10.73.0.66:9
"""
ACCESS = """
[Access branch]
Deny = 10.73.0.66/32
Allow = 10.73.0.0/24, fd73::/64, *.corp.example
"""


@pytest.fixture(scope="module")
def nameserver(lab):
    """dnsmasq at the server's name server address."""
    names = {"ssh": SERVER4, "ns": NAMESERVER4, "web": SERVER2[0]}
    argv = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
            f"--listen-address={NAMESERVER4}", "--listen-address=fd73::53", "--local=/corp.example/", "--user=root"]
    process = lab.server.start(*argv, *(f"--host-record={name}.corp.example,{address}" for name, address in names.items()),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: lab.server.run("dig", "+short", "+time=1", "+tries=1", f"@{NAMESERVER4}", "ssh.corp.example",
                                      check=False).stdout.strip() == SERVER4, 10, "dnsmasq")
    yield
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def tunnel(lab, pki, nameserver, tmp_path_factory):
    """A gate, and a portal with FORWARDS."""
    directory = tmp_path_factory.mktemp("forward")
    gate = Gate(lab, directory, pki, access=ACCESS, extra=f"DNS = {NAMESERVER4}").start()
    portal = Portal(lab, directory, pki, extra=FORWARDS)
    try:
        yield portal.start(), gate
    finally:
        portal.down(check=False)
        gate.stop()


def test_what_is_forwarded_is_told(tunnel):
    portal, _ = tunnel
    told = portal.status()["forwards"]
    assert "tcp 127.0.0.1:2222 -> ssh.corp.example:22" in told
    assert f"tcp {HERE}:8000-8003 -> {SERVER4}:9000-9003" in told
    assert f"tcp [fd01::1]:8006 -> [{SERVER6}]:9006" in told
    assert len(told) == 11


@pytest.fixture(scope="module")
def sshd(lab, tmp_path_factory):
    """A real sshd at the server, for whoever has the key; the directory of the keys."""
    directory = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True)
    shutil.copy(directory / "user.pub", directory / "authorized")
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    conf = directory / "sshd_config"
    conf.write_text(f"""ListenAddress {SERVER4}:22
HostKey {directory}/host
PidFile none
StrictModes no
AuthorizedKeysFile {directory}/authorized
PasswordAuthentication no
PermitRootLogin prohibit-password
""")
    process = lab.server.start(shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-f", conf, stderr=subprocess.DEVNULL)
    yield directory
    process.terminate()
    process.wait()


def ssh_options(directory):
    return ["-p", "2222", "-i", directory / "user", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"]


def ssh(lab, directory, *command, **kwargs):
    return lab.portal.run("timeout", patience(20), "ssh", *ssh_options(directory), f"{getpass.getuser()}@127.0.0.1", *command,
                          **kwargs)


def test_ssh_by_name(tunnel, lab, sshd):
    portal, _ = tunnel
    wait_until(lambda: ssh(lab, sshd, "true", check=False).returncode == 0, 10, "sshd")
    assert SERVER4 in ssh(lab, sshd, "echo $SSH_CONNECTION").stdout
    assert ssh(lab, sshd, "exit 7", check=False).returncode == 7
    assert ssh(lab, sshd, "wc -c", input="x" * 100000).stdout.strip() == "100000"
    wait_until(lambda: not portal.flows(), 10, "no flow left")
    waiting = lab.portal.start("ssh", *ssh_options(sshd), f"{getpass.getuser()}@127.0.0.1", "sleep 60")
    try:
        flow = wait_until(lambda: [f for f in portal.flows() if f["bytes_in"] > 1000], 10, "the flow in the list")[0]
        assert (flow["protocol"], flow["far"], flow["state"]) == ("tcp", "ssh.corp.example:22", "active")
        assert flow["inside"].startswith("127.0.0.1:")
    finally:
        waiting.kill()
        waiting.wait()
    wait_until(lambda: not portal.flows(), 10, "no flow left")


def test_rsync_over_ssh(tunnel, lab, sshd, tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    for number in range(20):
        (source / f"file{number}").write_bytes(pattern(f"rsync {number}", 1 + number * 50000))
    shell = " ".join(map(str, ["ssh", *ssh_options(sshd)]))
    lab.portal.run("timeout", patience(60), "rsync", "-a", "-e", shell, f"{source}/",
                   f"{getpass.getuser()}@127.0.0.1:{copy}/")
    assert {file.name: file.read_bytes() for file in copy.iterdir()} == {
        file.name: file.read_bytes() for file in source.iterdir()}


def test_rsync_by_its_own_protocol(tunnel, lab, tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.mkdir()
    (source / "large").write_bytes(pattern("rsyncd", 8 << 20))
    conf = tmp_path / "rsyncd.conf"
    conf.write_text(f"use chroot = no\nreverse lookup = no\n[files]\npath = {source}\nuid = root\ngid = root\n")
    daemon = lab.server.start("rsync", "--daemon", "--no-detach", f"--config={conf}", f"--address={SERVER4}")
    try:
        url = f"rsync://{HERE}:2873/files/"
        wait_until(lambda: lab.client.run("rsync", "-a", url, f"{copy}/", check=False).returncode == 0, 10, "rsync")
        assert (copy / "large").read_bytes() == (source / "large").read_bytes()
    finally:
        daemon.terminate()
        daemon.wait()


def test_psql(tunnel, lab):
    """A database of its own, run by an ordinary user."""
    programs = pathlib.Path(sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1])
    directory = pathlib.Path(f"/tmp/usher-psql-{os.getpid()}")
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    directory.mkdir()
    shutil.chown(directory, 65534, 65534)
    try:
        net.run(*as_user, programs / "initdb", "-D", directory / "data", "-U", "usher", "-A", "trust", "-N", cwd="/")
        with (directory / "data/pg_hba.conf").open("a") as rules:
            rules.write("host all all 0.0.0.0/0 trust\n")
        server = lab.server.start(*as_user, programs / "postgres", "-D", directory / "data", "-h", SERVER4, "-k", directory,
                                  "-F", cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            def ask(sql, **kwargs):
                return lab.client.run("psql", "-h", HERE, "-U", "usher", "-d", "postgres", "-X", "-A", "-t", "-c", sql, **kwargs)

            wait_until(lambda: ask("select 1", check=False).returncode == 0, 20, "postgres")
            assert ask("select sum(n) from generate_series(1, 100000) n").stdout.strip() == "5000050000"
            assert len(ask("select repeat('x', 3000000)").stdout) == 3000001
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(directory)


def test_a_range_of_ports(tunnel, lab):
    for number in range(4):
        with Server(listener(lab.server, SERVER4, 9000 + number), each_connection(serve_page)):
            assert fetch(lab.client, f"http://{HERE}:{8000 + number}/") == PAGE


def test_version_6(tunnel, lab):
    with Server(listener(lab.server, SERVER6, 9006), each_connection(serve_page)):
        assert fetch(lab.client, "http://[fd01::1]:8006/") == PAGE


def test_dns_over_udp(tunnel, lab):
    """To an address, and to a name, over either version of IP."""
    portal, _ = tunnel
    for server in (HERE, "fd01::1"):
        for _ in range(3):
            answer = lab.client.run("dig", "+short", "+tries=1", "-p", "5353", f"@{server}", "web.corp.example").stdout
            assert answer.strip() == SERVER2[0]
    flows = [flow for flow in portal.flows() if flow["protocol"] == "udp"]
    assert {flow["far"] for flow in flows} == {f"{NAMESERVER4}:53", "ns.corp.example:53"}
    assert len(flows) == 6  # each question came from a port of its own


def test_the_end_of_each_side_arrives(tunnel, lab):
    """An application may end its half and still be answered."""
    with Server(listener(lab.server, SERVER4, 9001), each_connection(serve_echo)), stream(lab.client)(HERE) as sock:
        sock.connect((HERE, 8001))
        sock.sendall(pattern("half", 300000))
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == pattern("half", 300000)


@pytest.mark.parametrize("port, why", [(81, "refused"), (666, "denied"), (82, "resolve")])
def test_what_is_refused_is_a_reset(tunnel, lab, port, why):
    """Never a clean end, with which an application would take nothing for an answer."""
    portal, _ = tunnel
    before = portal.status()["counters"]["forwards_refused"]
    assert outcome(lab.client, (HERE, port)) == errno.ECONNRESET
    assert outcome(lab.client, (HERE, port), say=b"") == errno.ECONNRESET
    assert portal.status()["counters"]["forwards_refused"] == before + 2
    assert f"forward {HERE}:{port}: 10.1.0.2:" in portal.log() and f"is not served: {why}: " in portal.log()


def test_refused_datagrams_are_no_flood_of_opens(tunnel, lab):
    portal, _ = tunnel
    before = portal.status()["counters"]
    with datagram(lab.client, HERE) as sock:
        for _ in range(300):
            sock.sendto(b"x", (HERE, 1066))
            time.sleep(0.001)
    opened = portal.status()["counters"]["sessions_opened"] - before["sessions_opened"]
    assert 1 <= opened <= 3


def test_a_new_connection_waits_for_the_tunnel(tunnel, lab):
    """As a captured one does: it is held, and refused after HoldTimeout; one that is in time is served."""
    portal, gate = tunnel
    with Server(listener(lab.server, SERVER4, 9002), each_connection(serve_page)):
        gate.stop()
        wait_until(lambda: portal.status()["state"] == "connecting", 10, "the tunnel to be lost")
        begin = time.monotonic()
        assert outcome(lab.client, (HERE, 8002)) == errno.ECONNRESET
        assert 4 < time.monotonic() - begin < patience(8)
        answers = []
        asker = threading.Thread(target=lambda: answers.append(outcome(lab.client, (HERE, 8002))))
        asker.start()
        flow = wait_until(portal.flows, 5, "the flow that waits")[0]
        assert (flow["state"], flow["far"]) == ("waiting", f"{SERVER4}:9002")
        gate.start()
        asker.join()
        assert answers[0].endswith(PAGE.encode())
        portal.wait_up(20)
        gone = stream(lab.client)(HERE)  # who gives up meanwhile leaves nothing
        gone.connect((HERE, 8002))
        reset(gone)
        wait_until(lambda: not [flow for flow in portal.flows() if flow["protocol"] == "tcp"], 10, "no flow left")


def test_applications_that_break_off_harm_nobody(tunnel, lab):
    """Sessions that end before they begin are abuse to the gate, which ends the tunnel after a thousand of them."""
    portal, _ = tunnel
    before = portal.status()["since"]
    for _ in range(1500):
        sock = stream(lab.client)(HERE)
        with contextlib.suppress(ConnectionResetError):  # refused already
            sock.connect((HERE, 8000))
        reset(sock)
    with Server(listener(lab.server, SERVER4, 9000), each_connection(serve_page)):
        assert fetch(lab.client, f"http://{HERE}:8000/") == PAGE
    assert (portal.status()["since"], portal.status()["state"]) == (before, "up")


def test_500_at_once(tunnel, lab):
    portal, gate = tunnel
    pids = portal.pid(), gate.worker_pids()[0]
    before = [descriptors(pid) for pid in pids]
    with Server(listener(lab.server, SERVER4, 9003), each_connection(serve_echo)):
        socks = [stream(lab.client)(HERE) for _ in range(500)]
        for sock in socks:
            sock.connect((HERE, 8003))
        for number, sock in enumerate(socks):
            sock.sendall(pattern(number, 5000))
        for number, sock in enumerate(socks):
            assert receive_all(sock, 5000) == pattern(number, 5000)
        assert len(portal.flows()) >= 500
        for sock in socks:
            sock.close()
        wait_until(lambda: [descriptors(pid) <= old + 8 for pid, old in zip(pids, before)] == [True, True], 20,
                   "descriptors back")


@pytest.mark.parametrize("line, words", [
    (f"Forward = tcp {HERE}:8089 -> web:80", f"listen on {HERE}:8089: Address already in use"),
    (f"Forward = udp {HERE}:8089 -> web:80", f"listen on UDP {HERE}:8089: Address already in use"),
])
def test_up_says_where_it_cannot_listen(lab, pki, tmp_path, line, words):
    portal = Portal(lab, tmp_path, pki, extra=line, name="taken", device="usher1")
    with listener(lab.portal, HERE, 8089), datagram(lab.portal, HERE, (HERE, 8089)):
        done = lab.portal.run("timeout", patience(10), USHER_TUN, "up", portal.conf, check=False)
    assert done.returncode == 1
    assert done.stderr == f"usher-tun: {portal.name}: {words}\n"
    assert "usher1" not in lab.portal.run("ip", "link").stdout


def test_an_address_that_comes_later(lab, pki, tmp_path):
    """TCP, UDP and SOCKS listen there all the same, and the log says that it is not there."""
    later = ["10.9.9.9", "fd09::9"]
    gate = Gate(lab, tmp_path, pki, listen="10.3.0.2:4437", name="latergate").start()
    portal = Portal(lab, tmp_path, pki, name="later", device="usher1", address="10.3.0.2:4437", routes="192.0.2.0/24",
                    extra=f"Forward = tcp 10.9.9.9:8090 -> {SERVER4}:8090, tcp [fd09::9]:8090 -> {SERVER4}:8090\n"
                          "Socks = 10.9.9.9:1081\nSocksAllow = 10.9.9.9/32")
    try:
        portal.start()
        for address in later:
            assert f"this host does not have {address} now: nobody is served there until it does" in portal.log()
            lab.portal.run("ip", "address", "add", address, "dev", "lan", *(["nodad"] if ":" in address else []))
        with Server(listener(lab.server, SERVER4, 8090), each_connection(serve_page)):
            for url in ("http://10.9.9.9:8090/", "http://[fd09::9]:8090/"):
                assert fetch(lab.portal, url) == PAGE
            assert fetch(lab.portal, f"http://{SERVER4}:8090/", "--socks5", "10.9.9.9:1081") == PAGE
    finally:
        for address in later:
            lab.portal.run("ip", "address", "del", address, "dev", "lan", check=False)
        portal.down(check=False)
        gate.stop()
