# SPDX-License-Identifier: GPL-2.0-or-later
"""SOCKS with a password, without an address to listen at, and without a tunnel."""

import contextlib
import resource
import socket
import time

import socks
from lab import BUILD, SERVER4, patience, wait_until
from programs import Gate, Portal
from socks import PORT, is_closed
from traffic import PAGE, Server, each_connection, listener, receive_all, serve_echo, serve_page


def test_a_password(lab, pki, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    keys = f"Socks = 127.0.0.1:81\nSocksUser = ali\nSocksPasswordFile = {secret}"
    gate, portal = Gate(lab, tmp_path, pki).start(), Portal(lab, tmp_path, pki, extra=keys)
    try:
        portal.start()
        with Server(listener(lab.server, SERVER4), each_connection(serve_page)) as where:
            url = "http://%s:%d/" % where

            def fetch(*how):
                return lab.portal.run("curl", "-sS", "--max-time", patience(10), *how, "127.0.0.1:81", url, check=False)

            assert fetch("--proxy-user", "ali:open sesame", "--socks5").stdout == PAGE
            begin = time.monotonic()
            assert "User was rejected" in fetch("--proxy-user", "ali:close sesame", "--socks5").stderr
            assert time.monotonic() - begin > 1.5
            assert fetch("--socks5").returncode == 97
            assert fetch("--socks4").returncode == 97
            with socks.reach(lab.portal, ("127.0.0.1", 81)) as sock:
                sock.sendall(b"\5\1\2\1\3ali\5wrong\5\1\0" + socks.target(*where))
                assert receive_all(sock) == b"\5\2\1\1"
            assert portal.status()["counters"]["socks_wrong_passwords"] == 2
    finally:
        portal.down(check=False)
        gate.stop()


def test_an_address_in_use_is_one_sentence(lab, pki, tmp_path):
    with listener(lab.portal, "127.0.0.1") as taken:
        at = "127.0.0.1:%d" % taken.getsockname()[1]
        second = Portal(lab, tmp_path, pki, name="second", device="usher5", routes="10.99.9.0/24", extra=f"Socks = {at}")
        done = lab.portal.run(BUILD / "usher-tun", "up", second.conf, check=False)
    assert done.returncode == 1
    assert done.stderr == f"usher-tun: {second.name}: listen on {at}: Address already in use\n"


def limit_descriptors(process, few):
    """With CAP_SYS_RESOURCE the program has raised its limit, and we may lower it; without neither may."""
    with contextlib.suppress(PermissionError):
        resource.prlimit(process, resource.RLIMIT_NOFILE, (few, few))


def test_too_few_descriptors(lab, pki, tmp_path):
    """Who connects waits, and is served as others end; the log says so once."""
    gate = Gate(lab, tmp_path, pki).start()
    portal = Portal(lab, tmp_path, pki, extra=f"Socks = 127.0.0.1:{PORT + 1}")
    portal.prepare = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    waiting = []
    try:
        portal.start()
        limit_descriptors(portal.pid(), 40)
        with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where:
            for _ in range(30):
                waiting.append(socks.reach(lab.portal, ("127.0.0.1", PORT + 1)))
                socks.request(waiting[-1], where)
            wait_until(lambda: "cannot accept" in portal.log(), 5, "a word about it")
            for sock in waiting:
                assert socks.read_reply(sock)[0] == socks.GRANTED
                sock.close()
        assert portal.log().count("cannot accept connections: Too many open files") == 1
    finally:
        for sock in waiting:
            sock.close()
        portal.down(check=False)
        gate.stop()


def test_without_a_tunnel(lab, pki, tmp_path):
    """What is there ends; what is new waits, for HoldTimeout or a new tunnel."""
    gate = Gate(lab, tmp_path, pki).start()
    portal = Portal(lab, tmp_path, pki, extra=f"Socks = 127.0.0.1:{PORT + 1}\nHoldTimeout = 2s")
    proxy = ("127.0.0.1", PORT + 1)
    try:
        portal.start()
        with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where:
            sock = socks.connect(lab.portal, where, proxy)
            gate.stop()
            with sock:
                assert is_closed(sock)
            begin = time.monotonic()
            assert socks.outcome(lab.portal, where, proxy) in (socks.FAILED, socks.NO_HOST)
            assert 1.5 < time.monotonic() - begin < patience(4)
            with socks.reach(lab.portal, proxy) as sock:
                socks.request(sock, where, early=b"early")
                sock.shutdown(socket.SHUT_WR)
                gate = Gate(lab, tmp_path, pki).start()
                assert socks.read_reply(sock)[0] == socks.GRANTED
                assert receive_all(sock) == b"early"
    finally:
        portal.down(check=False)
        gate.stop()
