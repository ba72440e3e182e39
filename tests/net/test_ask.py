# SPDX-License-Identifier: GPL-2.0-or-later
"""Ask, with real clients: telnet, netcat and a socket; behind it a real portal and gate."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

import lab as net
from lab import patience, wait_until
from programs import ALLOW_ALL, Gate, Portal, descriptors
from test_names import name_server
from traffic import Server, each_connection, listener, pattern, receive_all, serve_echo, stream

PORT = 2323
PROMPT = b"host port: "
WRONG = b"That is no host and port, such as: www.example.net 80\r\n"
NO_NET = "10.74.0.1"  # allowed, and the gate has no way there
ACCESS = ALLOW_ALL + "Allow = 10.74.0.0/24\n"


@pytest.fixture(scope="module")
def tunnel(lab, pki, tmp_path_factory):
    directory = tmp_path_factory.mktemp("ask")
    lab.gate.run("ip", "route", "add", "throw", "10.74.0.0/24")
    gate = Gate(lab, directory, pki, access=ACCESS, extra=f"DNS = {net.NAMESERVER4}\nConnectTimeout = 1s").start()
    portal = Portal(lab, directory, pki, extra=f"Ask = 127.0.0.1:{PORT}, [::1]:{PORT}\nHoldTimeout = 2s\n")
    try:
        with name_server(lab):
            yield portal.start(), gate
    finally:
        portal.down(check=False)
        gate.stop()
        lab.gate.run("ip", "route", "delete", "throw", "10.74.0.0/24")


def dial(lab, address="127.0.0.1"):
    client = stream(lab.portal)(address)
    client.connect((address, PORT))
    return client


def told(lab, text, finish=False):
    """All that a client reads that types `text`, until the end, which must be an orderly one."""
    with dial(lab) as client:
        client.sendall(text)
        if finish:
            client.shutdown(socket.SHUT_WR)
        return receive_all(client)


@contextlib.contextmanager
def echo(lab, address):
    """The port of an echo server at that address."""
    with Server(listener(lab.server, address), each_connection(serve_echo)) as (_, port):
        yield port


def places(address, port):
    if ":" in address:
        return [f"[{address}]:{port}", f"[{address}] {port}", f"{address} {port}"]
    return [f"{address}:{port}", f"  {address}\t{port} "]


@pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6, "web.corp.example"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\0"])
def test_every_way_to_answer(tunnel, lab, address, end):
    at = net.SERVER6 if ":" in address else net.SERVER4
    with echo(lab, at) as port:
        for place in places(address, port):
            assert told(lab, place.encode() + end + b"hello", finish=True) == PROMPT + b"hello"
            negotiated = b"\xff\xfb\x18" + place.encode() + b"\xff\xfa\x18\0xterm\n\xff\xf0" + end
            assert told(lab, negotiated + b"\xff\xfb\x18", finish=True) == PROMPT + b"\xff\xfb\x18"


def test_status_and_flows(tunnel, lab):
    portal, _ = tunnel
    assert portal.status()["ask"] == [f"127.0.0.1:{PORT}", f"[::1]:{PORT}"]
    with listener(lab.server, net.SERVER4) as listening, dial(lab, "::1") as client:
        client.sendall(f"web.corp.example {listening.getsockname()[1]}\n".encode())
        server, _ = listening.accept()
        with server:
            flow = wait_until(portal.flows, 5, "the flow")[0]
            assert (flow["via"], flow["protocol"], flow["state"]) == ("ask", "tcp", "active")
            assert flow["far"] == f"web.corp.example:{listening.getsockname()[1]}"
            assert flow["inside"] == "[::1]:%d" % client.getsockname()[1]
    wait_until(lambda: not portal.flows(), 5, "no flow left")


def test_early_bytes_wait_for_credit(tunnel, lab):
    """Behind the line's end there are 8 MiB in the same breath; the far end takes none at first, then every one."""
    sent = pattern("early", 8 << 20)
    with listener(lab.server, net.SERVER4) as listening, dial(lab) as client:
        text = b"nonsense\r\n%s %d\r\n" % (net.SERVER4.encode(), listening.getsockname()[1])
        sender = threading.Thread(target=lambda: (client.sendall(text + sent), client.shutdown(socket.SHUT_WR)))
        sender.start()
        server, _ = listening.accept()
        server.settimeout(patience(20))
        with server:
            time.sleep(0.3)
            assert receive_all(server) == sent
            sender.join()
            server.sendall(b"late")
            server.shutdown(socket.SHUT_WR)
            assert receive_all(client) == PROMPT + WRONG + PROMPT + b"late"


FAILURES = [
    (f"{net.SERVER4} 1", f"{net.SERVER4}:1: connection refused ({net.SERVER4}:1: Connection refused)"),
    (f"[{net.SERVER6}]:1", f"[{net.SERVER6}]:1: connection refused ([{net.SERVER6}]:1: Connection refused)"),
    (f"{net.DENIED4}:80", f"{net.DENIED4}:80: not permitted"),
    ("other.example 80", "other.example:80: there is no such name"),
    (f"{net.SILENT4} 80", f"{net.SILENT4}:80: no answer"),
    (f"{NO_NET} 80", f"{NO_NET}:80: unreachable (net "),
    ("nosuch.corp.example 80", "nosuch.corp.example:80: there is no such name"),
]


@pytest.mark.parametrize("place, words", FAILURES)
def test_a_failure_is_told_in_words(tunnel, lab, place, words):
    text = told(lab, place.encode() + b"\r\nwhat was sent early is no reason for a reset" * 100)
    assert text.startswith(PROMPT + words.encode()) and text.endswith(b"\r\n") and text.count(b"\n") == 1


def test_three_wrong_answers(tunnel, lab):
    assert told(lab, b"\nhttp\r\nhost 0\r\nhost 80\r\n") == (PROMPT + WRONG) * 3
    assert told(lab, b"x" * 5000) == PROMPT + b"That line is too long.\r\n"
    assert told(lab, b"host 8", finish=True) == PROMPT


def test_a_real_telnet(tunnel, lab):
    """One that a person sits at: it echoes and edits here, and sends whole lines."""
    with echo(lab, net.SERVER4) as port:
        client = lab.portal.start("timeout", patience(20), "telnet", "127.0.0.1", PORT, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out = b""
        for line, answer in (("nonsense", WRONG.strip() + b"\r\n" + PROMPT), (f"{net.SERVER4} {port}", b""), ("over there", b"over there")):
            client.stdin.write(line.encode() + b"\n")
            client.stdin.flush()
            while answer.replace(b"\r\n", b"\n") not in out.replace(b"\r\n", b"\n"):
                more = client.stdout.read1()
                assert more, out
                out += more
        client.stdin.close()
        client.stdout.read()
        client.wait()
    assert PROMPT in out


@pytest.mark.parametrize("option", [[], ["-C"], ["-t"]])
def test_a_real_netcat(tunnel, lab, option):
    with echo(lab, net.SERVER4) as port:
        done = lab.portal.run("timeout", patience(20), "nc", "-N", *option, "127.0.0.1", PORT,
                              input=f"{net.SERVER4} {port}\nover\nthere\n")
    assert done.stdout.split("host port: ")[1].split() == ["over", "there"]


def test_those_who_say_nothing_keep_nobody_out(tunnel, lab):
    portal, _ = tunnel
    before = descriptors(portal.pid())
    silent = [dial(lab) for _ in range(300)]
    try:
        wait_until(lambda: descriptors(portal.pid()) >= before + 250, 5, "all of them")
        assert descriptors(portal.pid()) <= before + 256 + 4  # and those that come and go
        with echo(lab, net.SERVER4) as port:
            assert told(lab, b"%s %d\nhello" % (net.SERVER4.encode(), port), finish=True) == PROMPT + b"hello"
        assert receive_all(silent[0]) == PROMPT + b"\r\nNobody has answered in time.\r\n"
    finally:
        for sock in silent:
            sock.close()
    wait_until(lambda: descriptors(portal.pid()) <= before, 5, "none left")


def test_without_a_tunnel(tunnel, lab):
    """It waits for HoldTimeout, then says so."""
    portal, gate = tunnel
    gate.stop()
    try:
        wait_until(lambda: portal.status()["state"] == "connecting", 10, "the loss")
        begun = time.monotonic()
        text = told(lab, b"10.73.0.2 80\n")
        assert text == PROMPT + b"10.73.0.2:80: unreachable (host: there is no tunnel)\r\n"
        assert time.monotonic() - begun > 1.5
    finally:
        gate.start()
        portal.wait_up(20)


def test_the_clients_are_there():
    assert shutil.which("telnet") and shutil.which("nc")
