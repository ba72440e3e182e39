# SPDX-License-Identifier: GPL-2.0-or-later
"""Names behind the tunnel, bridged: an address that belongs to no machine answers questions, those for Domains by name
servers behind the gate, all others by the one that the portal's machine had before."""

import concurrent.futures
import contextlib
import errno
import pathlib
import random
import shutil
import signal
import socket
import struct
import time

import pytest

from lab import NAMESERVER4, NAMESERVER6, SERVER4, SERVER6, SILENT4, patience, wait_until
from programs import USHER_TUN, Gate, Portal
from traffic import Server, each_connection, listener

DNS4, DNS6 = "198.18.0.1", "fd75:7368:6572::1"
BOTH = pytest.mark.parametrize("dns", [DNS4, DNS6])
NEAR = "10.2.0.1"  # on the host beside the portal
KEYS = f"""
Dns = {NAMESERVER4}, {NAMESERVER6}
Domains = corp.example, ~10.in-addr.arpa, ~0.0.0.0.0.0.0.0.0.0.0.0.3.7.d.f.ip6.arpa
HoldTimeout = 2s
Forward = udp 127.0.0.1:5300 -> {DNS4}:53, tcp 127.0.0.1:5300 -> [{DNS6}]:53
"""
MANY = 60  # addresses of one name: more than 512 bytes


@contextlib.contextmanager
def name_server(host, addresses, *options):
    server = host.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-hosts", "--no-resolv",
                        "--bind-interfaces", "--dns-forward-max=5000", "--edns-packet-max=4096",
                        *(f"--listen-address={address}" for address in addresses), *options)
    try:
        wait_until(lambda: ":53 " in host.run("ss", "-lun").stdout, 5, "the name server")
        yield server
    finally:
        server.send_signal(signal.SIGCONT)
        server.terminate()
        server.wait()


def far_names(lab):
    return name_server(lab.server, [NAMESERVER4, NAMESERVER6], "--local=/corp.example/", "--local=/10.in-addr.arpa/",
                       f"--host-record=web.corp.example,{SERVER4},{SERVER6}",
                       *(f"--host-record=many.corp.example,10.73.9.{i}" for i in range(1, MANY + 1)),
                       "--txt-record=text.corp.example,seen behind the tunnel", "--srv-host=_x._tcp.corp.example,web.corp.example,80",
                       "--cname=alias.corp.example,web.corp.example")


def near_names(lab):
    return name_server(lab.wan, [NEAR], "--host-record=public.example,192.0.2.7", "--local=/example/",
                       "--host-record=web.corp.example,192.0.2.66")


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


@pytest.fixture(scope="module")
def site(lab, pki, tmp_path_factory):
    directory = tmp_path_factory.mktemp("names")
    gate = Gate(lab, directory, pki).start()
    portal = Portal(lab, directory, pki, extra=KEYS)
    with resolv_conf(lab.portal, f"nameserver {NEAR}\n"), far_names(lab) as far, near_names(lab):
        try:
            portal.start()
            yield portal, gate, far
        finally:
            portal.down(check=False)
            gate.stop()


def dig(host, dns, *words, check=True):
    done = host.run("dig", "+time=5", "+tries=1", "+noall", "+answer", "+comments", f"@{dns}", *words, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def short(host, dns, *words):
    return sorted(host.run("dig", "+time=5", "+tries=1", "+short", f"@{dns}", *words).stdout.split("\n")[:-1])


def status_of(text):
    return text.split("status: ")[1].split(",")[0]


@BOTH
@pytest.mark.parametrize("way", ["+notcp", "+tcp"])
@pytest.mark.parametrize("question, answer", [
    (["web.corp.example"], [SERVER4]),
    (["WEB.Corp.EXAMPLE."], [SERVER4]),
    (["web.corp.example", "AAAA"], [SERVER6]),
    (["alias.corp.example"], [SERVER4, "web.corp.example."]),
    (["text.corp.example", "TXT"], ['"seen behind the tunnel"']),
    (["_x._tcp.corp.example", "SRV"], ["0 0 80 web.corp.example."]),
    (["-x", SERVER4], ["web.corp.example."]),
    (["-x", SERVER6], ["web.corp.example."]),
    (["public.example"], ["192.0.2.7"]),
])
def test_answers(lab, site, dns, way, question, answer):
    assert short(lab.portal, dns, way, *question) == answer


def test_a_host_of_the_lan_asks(lab, site):
    assert short(lab.client, DNS4, "web.corp.example") == [SERVER4]
    assert short(lab.client, DNS6, "+tcp", "web.corp.example") == [SERVER4]
    assert short(lab.client, DNS4, "public.example") == ["192.0.2.7"]


def test_a_forward_leads_there(lab, site):
    for way in ("+notcp", "+tcp"):
        assert short(lab.portal, "127.0.0.1", "-p", 5300, way, "web.corp.example") == [SERVER4]


@pytest.mark.parametrize("question, status", [
    (["none.corp.example"], "NXDOMAIN"),
    (["none.example"], "NXDOMAIN"),
    (["web.corp.example", "MX"], "NOERROR"),
    (["web.corp.example", "AXFR"], None),
    (["web.corp.example", "+opcode=notify"], "NOTIMP"),
    (["web.corp.example", "+edns=1", "+noednsnegotiation"], "BADVERS"),
])
def test_what_is_not_there(lab, site, question, status):
    text = dig(lab.portal, DNS4, *question)
    if status:
        assert status_of(text) == status
    else:
        assert "Transfer failed" in text


def test_sizes(lab, site):
    cut = dig(lab.portal, DNS4, "many.corp.example", "+noedns", "+ignore")
    assert " tc" in cut and "ANSWER: 0" in cut or cut.count("10.73.9.") < MANY
    assert " tc" in dig(lab.portal, DNS4, "many.corp.example", "+bufsize=512", "+ignore")
    whole = dig(lab.portal, DNS4, "many.corp.example", "+bufsize=4096", "+ignore")
    assert " tc" not in whole and whole.count("10.73.9.") == MANY
    assert len(short(lab.portal, DNS4, "many.corp.example", "+noedns")) == MANY  # by TCP, after the first was cut
    assert len(short(lab.portal, DNS6, "many.corp.example", "+tcp")) == MANY
    assert "EDNS: version: 0" in dig(lab.portal, DNS4, "web.corp.example", "+edns")
    assert "EDNS" not in dig(lab.portal, DNS4, "web.corp.example", "+noedns")


def test_status_and_flows(lab, site):
    portal, _, _ = site
    assert portal.status()["dns"] == [DNS4, DNS6]
    assert f"dns         {DNS4}" in lab.portal.run(USHER_TUN, "status", portal.name).stdout
    before = portal.status()["counters"]
    short(lab.portal, DNS4, "web.corp.example")
    short(lab.portal, DNS4, "public.example")
    after = portal.status()["counters"]
    assert [after[name] - before[name] for name in ("questions", "questions_far", "questions_near")] == [2, 1, 1]
    flows = [flow for flow in portal.flows() if flow["via"] == "names"]
    assert [(flow["protocol"], flow["inside"], flow["far"]) for flow in flows] == [
        ("udp", f"{DNS4}:53", f"{NAMESERVER4}:53")]


@BOTH
def test_it_can_be_pinged(lab, site, dns):
    for host in (lab.portal, lab.client):
        assert "2 received" in host.run("ping", "-n", "-c", 2, "-i", 0.2, "-W", 2, dns).stdout


def test_other_ports_are_closed(lab, site):
    with lab.portal.enter(), socket.socket() as sock:
        assert sock.connect_ex((DNS4, 853)) == errno.ECONNREFUSED
    with lab.portal.enter(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(patience(5))
        sock.connect((DNS4, 5353))
        sock.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            sock.recv(100)


def question(name, number, type=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", type, 1)


def udp(host, dns, connect=True):
    with host.enter():
        sock = socket.socket(socket.AF_INET6 if ":" in dns else socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(patience(10))
    if connect:
        sock.connect((dns, 53))
    return sock


def test_many_at_once(lab, site):
    """From sockets of their own, all before the first answer is read."""
    count = 2000
    socks = [udp(lab.portal, DNS4) for _ in range(count)]
    try:
        for number, sock in enumerate(socks):
            sock.send(question(f"n{number}.corp.example", number))
        for number, sock in enumerate(socks):
            answer = sock.recv(512)
            id, flags = struct.unpack("!HH", answer[:4])
            assert (id, flags & 0xf) == (number, 3) and answer[12:].startswith(question(f"n{number}.corp.example", 0)[12:])
    finally:
        for sock in socks:
            sock.close()


def test_pipelined(lab, site):
    """One connection: whole, in pieces, and closed on our side before the answers are there."""
    def receive(sock, count):
        data = b""
        while len(data) < count:
            data += sock.recv(count - len(data)) or pytest.fail("closed early")
        return data

    with lab.portal.enter():
        sock = socket.create_connection((DNS4, 53), timeout=patience(10))
    with sock:
        asked = b""
        for number in range(100):
            one = question("web.corp.example", number)
            asked += struct.pack("!H", len(one)) + one
        for start in range(0, len(asked), 7):
            sock.sendall(asked[start:start + 7])
        sock.shutdown(socket.SHUT_WR)
        seen = set()
        for _ in range(100):
            answer = receive(sock, *struct.unpack("!H", receive(sock, 2)))
            assert answer[-4:] == socket.inet_aton(SERVER4)
            seen.add(answer[:2])
        assert len(seen) == 100 and sock.recv(1) == b""


def is_answered(sock, name, number):
    """Asked once more: behind so much noise the question may be lost. Errors and answers to the noise are passed over."""
    with contextlib.suppress(OSError):
        sock.send(question(name, number))
        while True:
            answer = sock.recv(2048)
            if answer[:2] == struct.pack("!H", number) and answer[-4:] == socket.inet_aton(SERVER4):
                return True
    return False


def test_garbage(lab, site):
    portal, _, _ = site
    noise = random.Random(7)
    with udp(lab.portal, DNS4) as sock:
        for size in (0, 1, 11, 12, 13, 50, 512, 1400, 9000):
            for _ in range(20):
                sock.send(noise.randbytes(size))
        sock.settimeout(1)
        wait_until(lambda: is_answered(sock, "web.corp.example", 77), 10, "an answer behind the noise")
    for text in (b"GET / HTTP/1.0\r\n\r\n", b"\xff\xff", b"\0\0", b"\0\x0c" + b"\xff" * 12, noise.randbytes(5000)):
        with lab.portal.enter():
            sock = socket.create_connection((DNS4, 53), timeout=patience(5))
        with sock, contextlib.suppress(OSError):
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(4096):
                pass
    assert short(lab.portal, DNS4, "web.corp.example") == [SERVER4]
    assert portal.status()["counters"]["questions_malformed"] > 0


def test_an_idle_connection_is_closed(lab, site):
    with lab.portal.enter():
        sock = socket.create_connection((DNS4, 53), timeout=patience(15))
    with sock:
        began = time.monotonic()
        assert sock.recv(1) == b""
        assert 9 < time.monotonic() - began < patience(13)


def test_a_program_resolves(lab, site):
    """By resolv.conf, as any program does: the near name server says something else of this name."""
    def serve(sock):
        sock.recv(4096)
        sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 19\r\n\r\nthrough the tunnel\n")

    with resolv_conf(lab.client, f"nameserver {DNS4}\nsearch corp.example\n"):
        with Server(listener(lab.server, SERVER4), each_connection(serve)) as where:
            done = lab.client.run("curl", "-sS", "--max-time", 10, f"http://web:{where[1]}/")
    assert done.stdout == "through the tunnel\n"


def test_the_first_server_is_dead(lab, site):
    """It is asked no more for a while, so only the first question takes longer."""
    portal, gate, far = site
    lab.server.run("ip", "address", "del", f"{NAMESERVER4}/24", "dev", "inner")
    try:
        began = time.monotonic()
        assert short(lab.portal, DNS4, "web.corp.example") == [SERVER4]
        first = time.monotonic() - began
        began = time.monotonic()
        assert short(lab.portal, DNS4, "web.corp.example") == [SERVER4]
        assert time.monotonic() - began < 1
        assert first < patience(4)
    finally:
        lab.server.run("ip", "address", "add", f"{NAMESERVER4}/24", "dev", "inner")


def test_all_servers_are_silent(lab, site):
    _, _, far = site
    far.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        text = lab.portal.run("dig", "+time=9", "+tries=1", f"@{DNS4}", "web.corp.example", check=False).stdout
        assert status_of(text) == "SERVFAIL"
        assert 5 < time.monotonic() - began < patience(8)
    finally:
        far.send_signal(signal.SIGCONT)


def test_the_gate_is_gone(lab, site):
    """Within the hold time, and what is outside of Domains does not need it."""
    portal, gate, _ = site
    gate.stop()
    wait_until(lambda: portal.status()["state"] != "up", 10, "the loss is noticed")
    for way in ("+notcp", "+tcp"):
        began = time.monotonic()
        assert status_of(dig(lab.portal, DNS4, "web.corp.example", way)) == "SERVFAIL"
        assert time.monotonic() - began < patience(4)
        assert short(lab.portal, DNS4, "public.example", way) == ["192.0.2.7"]
    gate.start()  # whoever waits for it has the portal try again at once
    wait_until(lambda: short(lab.portal, DNS4, "web.corp.example") == [SERVER4], 20, "the tunnel is back")
