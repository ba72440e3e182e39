# SPDX-License-Identifier: GPL-2.0-or-later
"""Mapped names: every name behind the tunnel has an address of a pool, and what is sent there is opened by the name. The
portal has no route to the far network and never sees an address of it, so that one with the plan of its own LAN will do."""

import concurrent.futures
import contextlib
import errno
import re
import socket
import struct
import subprocess
import time

import pytest

from lab import NAMESERVER4, SERVER4, SERVER6, patience, wait_until
from programs import Gate, Portal
from traffic import (Server, connect_error, datagram, each_connection, fetch, listener, receive_all, serve_datagram_echo,
                     serve_echo, stream)

DNS4, DNS6 = "198.18.0.1", "fd75:7368:6572::1"
POOL4, POOL6 = re.compile(r"198\.18\.\d+\.\d+$"), re.compile(r"fd75:7368:6572::[0-9a-f]+$")
TWIN = "10.1.0.2"  # the client's address, and the server's
MANY = 10000
IP_RECVERR, SO_RCVBUFFORCE = 11, 33
ACCESS = """
[Access branch]
Allow = *.corp.example
Allow = tcp:10.73.0.0/24:8000-8010
"""
KEYS = """
Domains = corp.example, ~example
Names = mapped
"""


@contextlib.contextmanager
def name_server(lab):
    server = lab.server.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-hosts",
                              "--no-resolv", "--bind-interfaces", f"--listen-address={NAMESERVER4}", "--local=/example/",
                              "--local-ttl=300", f"--host-record=web.corp.example,{SERVER4},{SERVER6}",
                              f"--host-record=four.corp.example,{SERVER4}", f"--host-record=six.corp.example,{SERVER6}",
                              f"--host-record=4.corp.example,{SERVER4}", f"--host-record=6.corp.example,{SERVER6}",
                              f"--host-record=twin.corp.example,{TWIN}", "--txt-record=text.corp.example,no address",
                              f"--host-record=near.other.example,{SERVER4}", "--host-record=far.other.example,10.80.0.1",
                              f"--address=/many.corp.example/{SERVER4}", "--host-record=brief.corp.example,10.73.0.2,7")
    try:
        wait_until(lambda: ":53 " in lab.server.run("ss", "-lun").stdout, 5, "the name server")
        yield
    finally:
        server.terminate()
        server.wait()


def mapped_portal(lab, directory, pki, extra=KEYS):
    portal = Portal(lab, directory, pki, extra=extra)
    portal.conf.write_text("".join(line + "\n" for line in portal.conf.read_text().splitlines() if "Route =" not in line))
    return portal


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    with name_server(lab):
        gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki, access=ACCESS, extra=f"DNS = {NAMESERVER4}").start()
        yield gate
        gate.stop()


@pytest.fixture(scope="module")
def portal(lab, pki, gate, tmp_path_factory):
    portal = mapped_portal(lab, tmp_path_factory.mktemp("mapped"), pki)
    try:
        yield portal.start()
    finally:
        portal.down(check=False)


def dig(host, *words, dns=DNS4):
    """Status, and the answers' last words."""
    text = host.run("dig", "+time=8", "+tries=1", "+noall", "+answer", "+comments", f"@{dns}", *words).stdout
    lines = [line.split() for line in text.splitlines() if line and not line.startswith(";")]
    return text.split("status: ")[1].split(",")[0], [line[-1] for line in lines]


def address(host, name, kind="A"):
    status, (answer,) = dig(host, name, kind)
    assert status == "NOERROR" and (POOL4 if kind == "A" else POOL6).match(answer)
    return answer


@pytest.mark.parametrize("dns", [DNS4, DNS6])
def test_one_address_for_each_name(lab, portal, dns):
    first = dig(lab.portal, "web.corp.example", dns=dns)
    assert first == dig(lab.client, "WEB.Corp.Example.", "+tcp", dns=dns)
    assert first[0] == "NOERROR" and POOL4.match(first[1][0]) and first[1][0] != DNS4
    six = address(lab.portal, "web.corp.example", "AAAA")
    assert six not in (DNS6, "fd75:7368:6572::")
    assert address(lab.portal, "four.corp.example") != first[1][0]
    assert dig(lab.portal, "-x", first[1][0]) == ("NOERROR", ["web.corp.example."])
    assert dig(lab.portal, "-x", six) == ("NOERROR", ["web.corp.example."])


@pytest.mark.parametrize("question, status", [
    (["none.corp.example"], "NXDOMAIN"),
    (["four.corp.example", "AAAA"], "NOERROR"),
    (["six.corp.example", "A"], "NOERROR"),
    (["text.corp.example", "A"], "NOERROR"),
    (["web.corp.example", "MX"], "NOERROR"),
    (["web.corp.example", "HTTPS"], "NOERROR"),
    (["none.corp.example", "HTTPS"], "NXDOMAIN"),
    (["far.other.example"], "REFUSED"),
    (["web.corp.example", "CH", "A"], "REFUSED"),
    (["bad\\032name.corp.example"], "NXDOMAIN"),
    (["-x", "198.18.77.77"], "NXDOMAIN"),
    (["-x", "fd75:7368:6572::7777"], "NXDOMAIN"),
])
def test_what_has_no_address(lab, portal, question, status):
    assert dig(lab.portal, *question) == (status, [])


def test_how_long_it_may_be_believed(lab, portal):
    def seconds(name):
        return int(lab.portal.run("dig", "+noall", "+answer", f"@{DNS4}", name).stdout.split()[1])

    assert seconds("web.corp.example") == 60
    assert seconds("brief.corp.example") == 7


def test_web_page(lab, portal, tmp_path):
    (tmp_path / "page").write_text("by its name")
    web = lab.server.start("python3", "-m", "http.server", "-d", tmp_path, "80", stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: ":80 " in lab.server.run("ss", "-ltn").stdout, 5, "a web server")
        where = address(lab.client, "web.corp.example")
        assert fetch(lab.client, "http://web.corp.example/page", "--resolve", f"web.corp.example:80:{where}") == "by its name"
        assert fetch(lab.portal, f"http://{where}/page") == "by its name"
    finally:
        web.terminate()
        web.wait()


@pytest.mark.parametrize("name, kind, there", [
    ("four.corp.example", "A", SERVER4), ("web.corp.example", "AAAA", SERVER4), ("six.corp.example", "AAAA", SERVER6)])
def test_streams_and_flows(lab, portal, name, kind, there):
    where = address(lab.client, name, kind)
    with Server(listener(lab.server, there), each_connection(serve_echo)) as (_, port):
        with stream(lab.client)(where) as sock:
            sock.connect((where, port))
            sock.sendall(b"hello")
            assert receive_all(sock, 5) == b"hello"
            (flow,) = [flow for flow in portal.flows() if flow["protocol"] == "tcp" and flow["via"] == "capture"]
            assert flow["leads_to"] == f"{name}:{port}" and where in flow["far"]


@pytest.mark.parametrize("kind, there, names", [
    ("A", SERVER4, ("four.corp.example", "4.corp.example")), ("AAAA", SERVER6, ("six.corp.example", "6.corp.example"))])
def test_datagrams(lab, portal, kind, there, names):
    """Answers come from the address that was asked; one socket serves two names."""
    where, other = (address(lab.client, name, kind) for name in names)
    sock = datagram(lab.server, there, (there, 0))
    with Server(sock, serve_datagram_echo) as end:
        with datagram(lab.client, where) as client:
            for to in (where, other, where):
                client.sendto(to.encode(), (to, end[1]))
                answer, source = client.recvfrom(100)
                assert (answer, source[0]) == (to.encode(), to)


def test_ping(lab, portal):
    for kind in ("A", "AAAA"):
        where = address(lab.client, "web.corp.example", kind)
        assert "2 received" in lab.client.run("ping", "-n", "-c", 2, "-i", 0.2, "-W", 2, where).stdout
    assert "2 received" in lab.portal.run("ping", "-c", 2, "-i", 0.2, "-W", 2,
                                          address(lab.portal, "four.corp.example")).stdout


def test_failures(lab, portal):
    where = address(lab.client, "web.corp.example")
    assert connect_error(lab, where, 9)[0] == errno.ECONNREFUSED
    assert connect_error(lab, address(lab.client, "near.other.example"), 22)[0] == errno.EHOSTUNREACH  # this port is denied
    assert connect_error(lab, "198.18.200.200", 80)[0] == errno.EHOSTUNREACH  # stands for nothing
    assert connect_error(lab, "fd75:7368:6572::cafe", 80)[0] == errno.EHOSTUNREACH
    with datagram(lab.client, where) as client:
        client.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
        client.connect(("198.18.200.200", 7))
        client.send(b"anybody?")
        with pytest.raises(OSError) as failure:
            client.recv(10)
        assert failure.value.errno == errno.EHOSTUNREACH


def test_the_plan_of_our_own_lan(lab, portal):
    """The client's own address is a server's over there; both are reached from the portal at once."""
    lab.server.address("inner", f"{TWIN}/32")
    lab.gate.run("ip", "route", "add", f"{TWIN}/32", "via", SERVER4)
    try:
        where = address(lab.portal, "twin.corp.example")
        with Server(listener(lab.server, TWIN, 7000), each_connection(serve_echo)):
            for asks in (lab.client, lab.portal):
                with stream(asks)(where) as sock:
                    sock.connect((where, 7000))
                    sock.sendall(b"twin")
                    assert receive_all(sock, 4) == b"twin"
        assert "1 received" in lab.portal.run("ping", "-n", "-c", 1, "-W", 2, TWIN).stdout  # the client, on the wire
    finally:
        lab.gate.run("ip", "route", "del", f"{TWIN}/32")
        lab.server.run("ip", "address", "del", f"{TWIN}/32", "dev", "inner")


def test_nothing_in_clear(lab, portal):
    """No name, and no question, is seen on the way to the gate."""
    seen = lab.wan.start("tcpdump", "--immediate-mode", "-U", "-n", "-i", "left", "-w", "-", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen.stderr.readline()
    where = address(lab.client, "secret-project.many.corp.example")
    connect_error(lab, where, 9)
    assert dig(lab.client, "secret-none.corp.example")[0] == "NXDOMAIN"
    time.sleep(0.3)
    seen.terminate()
    packets = seen.communicate()[0]
    assert len(packets) > 500 and b"secret" not in packets and b"\x04corp" not in packets and b"corp.example" not in packets


def test_ten_thousand_names(lab, portal, tmp_path, figure):
    (tmp_path / "names").write_text("".join(f"host-{i}.many.corp.example A\n" for i in range(MANY)))
    begin = time.monotonic()
    text = lab.portal.run("dig", "+time=10", "+tries=2", "+short", f"@{DNS4}", "-f", tmp_path / "names").stdout
    took = time.monotonic() - begin
    answers = text.split()
    assert len(answers) == MANY and len(set(answers)) == MANY and all(POOL4.match(answer) for answer in answers)
    assert dig(lab.portal, "-x", answers[1234]) == ("NOERROR", ["host-1234.many.corp.example."])
    assert address(lab.portal, "host-77.many.corp.example") == answers[77]
    pools = {pool["prefix"]: pool for pool in portal.status()["pools"]}
    assert pools["198.18.0.0/16"]["names"] >= MANY and pools["198.18.0.0/16"]["size"] == 65533
    figure(f"{MANY} mapped names, one after the other: {MANY / took:.0f} a second")


def test_many_at_once(lab, portal):
    """More than are asked for at a time wait for their turn."""
    def question(name, number):
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)

    answers = {}
    with datagram(lab.portal, DNS4) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        for _ in range(3):  # as any resolver asks again: a device's queue may be full for a moment
            for number in set(range(2000)) - set(answers):
                sock.sendto(question(f"at-once-{number}.many.corp.example", number), (DNS4, 53))
            sock.settimeout(patience(2))
            with contextlib.suppress(TimeoutError):
                while len(answers) < 2000:
                    answer = sock.recv(600)
                    answers[struct.unpack("!H", answer[:2])[0]] = answer
    assert len(answers) == 2000
    assert {(answer[3] & 15, answer[7]) for answer in answers.values()} == {(0, 1)}
    assert len({answer[-4:] for answer in answers.values()}) == 2000


def test_portal_without_a_tunnel(lab, portal, gate):
    """A question waits for a tunnel as a connection does, and hurries it; without one it fails in the end."""
    gate.stop()
    wait_until(lambda: portal.status()["state"] != "up", 10, "the loss of the tunnel")
    begin = time.monotonic()
    assert dig(lab.portal, "web.corp.example") == ("SERVFAIL", [])
    assert 4 < time.monotonic() - begin < patience(6)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(dig, lab.portal, "web.corp.example")
        time.sleep(0.5)
        assert not asked.done()
        gate.start()
        assert asked.result()[0] == "NOERROR"
    portal.wait_up(20)


def test_a_tiny_pool(lab, pki, portal, gate, tmp_path):
    """Full, it fails for new names, and for none that has its address; a session keeps its own."""
    portal.down()
    small = mapped_portal(lab, tmp_path, pki, KEYS + "MapPool = 198.19.7.0/28\nDnsAddress = 198.19.7.9")
    try:
        small.start()
        answers = [dig(lab.portal, f"host-{i}.many.corp.example", dns="198.19.7.9") for i in range(15)]
        given = [answer[1][0] for answer in answers if answer[0] == "NOERROR"]
        assert given == [f"198.19.7.{i}" for i in range(1, 15) if i != 9]
        assert [answer[0] for answer in answers[13:]] == ["SERVFAIL"] * 2
        assert dig(lab.portal, "host-3.many.corp.example", dns="198.19.7.9")[1] == [given[3]]
        assert dig(lab.portal, "host-3.many.corp.example", "AAAA", dns="198.19.7.9") == ("NOERROR", [])
        assert "all 13 addresses of its MapPool are in use" in small.log()
        assert [(pool["names"], pool["size"]) for pool in small.status()["pools"]] == [(13, 13)]
    finally:
        small.down(check=False)
        portal.start()
