# SPDX-License-Identifier: GPL-2.0-or-later
"""Forwards of a gate, which lead to what is behind a portal, and what that portal accepts."""

import contextlib
import errno
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from lab import SERVER4, SERVER6, patience, wait_until
from programs import USHER_GATE, Gate, Portal, descriptors
from traffic import (PAGE, Server, datagram, each_connection, fetch, listener, outcome, pattern, receive_all,
                     serve_datagram_echo, serve_echo, serve_page, stream)

HERE = "10.1.0.1"  # of the portal, towards its client
BEHIND = "10.1.0.2"  # the client, towards which the gate's side opens
THERE = "10.73.0.1"  # of the gate, towards its server

GATE_ACCESS = f"""
[Access other]
Allow = 10.73.0.0/24
Forward = tcp 10.3.0.2:8080 -> {BEHIND}:80
[Access branch]
Allow = 10.73.0.0/24, fd73::/64
Forward = tcp {THERE}:8080 -> {BEHIND}:80, tcp {THERE}:8081 -> web.branch.example:80
Forward = tcp {THERE}:8082 -> {BEHIND}:82, tcp {THERE}:8083 -> {HERE}:83, tcp {THERE}:8084 -> {SERVER4}:84
Forward = udp {THERE}:8085 -> {BEHIND}:85, tcp [fd73::1]:8086 -> [fd01::2]:86
Forward = tcp {THERE}:8100-8400 -> {BEHIND}:100-400
"""
ACCEPT = f"""
[Accept]
Deny = tcp:{BEHIND}:82
Allow = 10.1.0.0/24, fd01::/64, *.branch.example, tcp:{SERVER4}:84
"""


def accepting(lab, directory, pki, accept=ACCEPT, **kwargs):
    portal = Portal(lab, directory, pki, **kwargs)
    portal.conf.write_text(portal.conf.read_text() + accept)
    return portal


@contextlib.contextmanager
def resolving(lab):
    """The portal's machine has a resolv.conf, and there is a name server behind it."""
    place = pathlib.Path("/etc/netns") / lab.portal.name
    place.mkdir(parents=True)
    (place / "resolv.conf").write_text(f"nameserver {BEHIND}\n")
    process = lab.client.start("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                               "--bind-interfaces", f"--listen-address={BEHIND}", "--user=root",
                               f"--host-record=web.branch.example,{BEHIND}", stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(place)
        with contextlib.suppress(OSError):
            place.parent.rmdir()


@pytest.fixture(scope="module")
def towards(lab, pki, tmp_path_factory):
    """A gate whose forwards lead to a portal that accepts; the tests of this part begin and end with both up."""
    directory = tmp_path_factory.mktemp("towards")
    gate = Gate(lab, directory, pki, access=GATE_ACCESS, listen="10.3.0.2:4434").start()
    with resolving(lab):
        portal = accepting(lab, directory, pki, address="10.3.0.2:4434", name="accepting", device="usher2",
                           routes="10.73.0.0/25")
        try:
            yield portal.start(), gate
        finally:
            portal.down(check=False)
            gate.stop()


def test_a_web_server_behind_the_portal(towards, lab):
    portal, gate = towards
    with Server(listener(lab.client, BEHIND, 80), each_connection(serve_page)):
        for port in (8080, 8081):
            assert fetch(lab.server, f"http://{THERE}:{port}/") == PAGE
    with Server(listener(lab.client, "fd01::2", 86), each_connection(serve_page)):
        assert fetch(lab.server, "http://[fd73::1]:8086/", "--interface", SERVER6) == PAGE  # not from the silent address
    (told,) = gate.status()["portals"]
    assert told["forwards"][0] == f"tcp {THERE}:8080 -> {BEHIND}:80" and len(told["forwards"]) == 8
    assert f"tcp {THERE}:8100-8400 -> {BEHIND}:100-400" in told["forwards"]
    assert "forwards" not in portal.status()


def test_many_ports_are_handed_over(towards, lab):
    for number in (100, 349, 350, 400):
        with Server(listener(lab.client, BEHIND, number), each_connection(serve_page)):
            assert fetch(lab.server, f"http://{THERE}:{8000 + number}/") == PAGE


def test_datagrams_towards_the_portal(towards, lab):
    with Server(datagram(lab.client, BEHIND, (BEHIND, 85)), serve_datagram_echo), datagram(lab.server, THERE) as sock:
        for number in range(20):
            sock.sendto(pattern(number, 1000), (THERE, 8085))
            assert sock.recv(2000) == pattern(number, 1000)


@pytest.mark.parametrize("port, why", [
    (8082, "denied"),  # a rule says so
    (8083, "denied"),  # the portal's own address, which no wide rule opens
    (8080, "refused"),  # nobody is there
])
def test_what_the_portal_refuses_is_a_reset(towards, lab, port, why):
    _, gate = towards
    with Server(listener(lab.portal, HERE, 83), each_connection(serve_page)):
        mark = len(gate.log())
        assert outcome(lab.server, (THERE, port)) == errno.ECONNRESET
    wait_until(lambda: f"forward {THERE}:{port}: " in gate.log()[mark:] and f"is not served: {why}: " in gate.log()[mark:], 5,
               "the gate's log")


def test_a_new_address_of_the_portal_is_its_own(towards, lab):
    """From when it is there until it goes: 10.1.0.2 is everybody's, until the portal has it too."""
    def answer():
        return outcome(lab.server, (THERE, 8080))

    with Server(listener(lab.client, BEHIND, 80), each_connection(serve_page)):
        assert answer().endswith(PAGE.encode())
        lab.portal.run("ip", "address", "add", f"{BEHIND}/32", "dev", "lo")
        wait_until(lambda: answer() == errno.ECONNRESET, 5, "denied")
        lab.portal.run("ip", "address", "del", f"{BEHIND}/32", "dev", "lo")
        wait_until(lambda: answer() != errno.ECONNRESET, 5, "allowed again")


def test_what_is_accepted_never_turns_back(towards, lab):
    """An open to what the portal itself captures goes where the machine's other routes lead, not into the tunnel again."""
    portal, _ = towards
    with Server(listener(lab.server, SERVER4, 84), each_connection(serve_page)):
        assert outcome(lab.server, (THERE, 8084)) == errno.ECONNRESET
    assert not [flow for flow in portal.flows() if flow["far"] == f"{SERVER4}:84"]


def test_200_towards_the_portal(towards, lab):
    portal, gate = towards
    pids = portal.pid(), gate.worker_pids()[0]
    before = [descriptors(pid) for pid in pids]
    with Server(listener(lab.client, BEHIND, 80), each_connection(serve_echo)):
        socks = [stream(lab.server)(THERE) for _ in range(200)]
        for sock in socks:
            sock.connect((THERE, 8080))
        for number, sock in enumerate(socks):
            sock.sendall(pattern(number, 5000))
        for number, sock in enumerate(socks):
            assert receive_all(sock, 5000) == pattern(number, 5000)
            sock.close()
        wait_until(lambda: all(descriptors(pid) <= old for pid, old in zip(pids, before)), 20, "descriptors back")


def test_without_a_portal_nobody_listens(towards, lab):
    """Neither before it comes, nor after it has gone, in whatever way; when it is back all is as before."""
    portal, gate = towards
    refused = lambda: outcome(lab.server, (THERE, 8080)) == errno.ECONNREFUSED  # noqa: E731
    with Server(listener(lab.client, BEHIND, 80), each_connection(serve_page)):
        portal.down()
        wait_until(lambda: not gate.status()["portals"], 5, "the portal to be gone")
        assert refused()
        portal.start()
        assert fetch(lab.server, f"http://{THERE}:8080/") == PAGE
        os.kill(gate.worker_pids()[0], 9)
        wait_until(refused, 5, "refused")
        portal.wait_up(20)
        wait_until(lambda: "forwards" in (gate.status()["portals"] or [{}])[0], 5, "forwards again")
        assert fetch(lab.server, f"http://{THERE}:8080/") == PAGE


def test_a_second_login_takes_over(towards, lab, pki, tmp_path):
    """The first one's line is dead, which its worker does not know; the ports go to the new one at once."""
    portal, gate = towards
    second = accepting(lab, tmp_path, pki, address="10.3.0.2:4434", name="second", device="usher3", routes="10.73.0.128/25")
    with Server(listener(lab.client, BEHIND, 80), each_connection(serve_page)):
        (old,) = gate.worker_pids()
        portal.process.send_signal(signal.SIGSTOP)
        try:
            second.start()
            (new,) = wait_until(lambda: [told["pid"] for told in gate.status()["portals"] if told.get("forwards")
                                         and told["pid"] != old], 10, "the new worker to have the forwards")
            wait_until(lambda: gate.worker_pids() == [new], 10, "the end of the one that was replaced")
            assert fetch(lab.server, f"http://{THERE}:8080/") == PAGE
        finally:
            second.down(check=False)
            portal.process.send_signal(signal.SIGCONT)
        wait_until(lambda: portal.status()["state"] == "up" and gate.status()["portals"]
                   and gate.status()["portals"][0].get("forwards"), 20, "the first to be back")
        assert fetch(lab.server, f"http://{THERE}:8080/") == PAGE


def test_a_port_that_is_taken_when_the_portal_comes(towards, lab):
    """It is served when the other program has ended, and the log says why not before."""
    portal, gate = towards
    portal.down()
    wait_until(lambda: not gate.status()["portals"], 5, "the portal to be gone")
    with listener(lab.gate, THERE, 8081):
        portal.start()
        wait_until(lambda: f"listen on {THERE}:8081: Address already in use" in gate.log(), 5, "the gate's log")
        assert "forwards" not in gate.status()["portals"][0]
    wait_until(lambda: "forwards" in gate.status()["portals"][0], 10, "the forwards")


def test_a_portal_that_accepts_nothing(lab, pki, tmp_path):
    """Has no exit at all, and says that what is opened towards it is not supported."""
    access = f"[Access branch]\nForward = tcp {THERE}:8088 -> {BEHIND}:80"
    gate = Gate(lab, tmp_path, pki, access=access, listen="10.3.0.2:4435", name="other").start()
    portal = Portal(lab, tmp_path, pki, address="10.3.0.2:4435", name="closed", device="usher4", routes="10.73.0.0/26")
    try:
        portal.start()
        with Server(listener(lab.client, BEHIND, 80), each_connection(serve_page)):
            wait_until(lambda: "forwards" in gate.status()["portals"][0], 5, "the forwards")
            assert outcome(lab.server, (THERE, 8088)) == errno.ECONNRESET
        assert "is not served: unsupported" in gate.log()
    finally:
        portal.down(check=False)
        gate.stop()


@pytest.mark.parametrize("line, words", [
    (f"Forward = udp {THERE}:8999 -> web:80", f"listen on UDP {THERE}:8999: Address already in use"),
    (f"Forward = tcp {THERE}:8999 -> web:80", f"listen on {THERE}:8999: Address already in use"),
])
def test_a_gate_says_where_it_cannot_listen(lab, pki, tmp_path, line, words):
    gate = Gate(lab, tmp_path, pki, access=f"[Access branch]\n{line}", listen="10.3.0.2:4436", name="listener")
    number = gate.conf.read_text().splitlines().index(line) + 1
    with listener(lab.gate, THERE, 8999), datagram(lab.gate, THERE, (THERE, 8999)):
        done = lab.gate.run(USHER_GATE, "check", gate.conf, check=False)
        assert (done.returncode, done.stderr) == (2, f"{gate.conf}:{number}: Forward: {words}\n")
        done = lab.gate.run("timeout", patience(10), USHER_GATE, "run", gate.conf, check=False)
        assert (done.returncode, done.stderr) == (1, f"usher-gate: {gate.name}: {words}\n")


def test_a_gate_that_runs_may_be_checked(towards, lab):
    _, gate = towards
    assert lab.gate.run(USHER_GATE, "check", gate.conf).stderr == ""
