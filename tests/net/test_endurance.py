# SPDX-License-Identifier: GPL-2.0-or-later
"""What takes hours in full, with sizes by environment and something short of each in the ordinary run:

    EXACT_GIB=100 CUT_EVERY=20  python3 -m pytest -q -s tests/net/test_endurance.py -k exact
    SESSIONS=10000 OPENS_PER_S=1000 OPENS_SECONDS=600  ... -k sessions
    FLOOD_PER_S=2000 FLOOD_SECONDS=60 FLOOD_SHARE=0.8  ... -k flood

CUT_HOW=lane ends the tunnel's own connection (`ss -K`) in the place of a hole in the wire: a pause where lanes are taken up
again. Each prints its seed and its figures."""

import contextlib
import os
import pathlib
import random
import re
import socket
import ssl
import struct
import threading
import time

import pytest

import lab as net
from lab import BUILD, patience
from programs import ALLOW_ALL, Gate, Portal, joined
from test_flood import WHERE, sources  # noqa: F401: a fixture
from traffic import Server, each_connection, listener, receive_all, serve_echo, stream

EXACT_MIB = int(float(os.environ.get("EXACT_GIB", 0.25)) * 1024)
CUT_EVERY = float(os.environ.get("CUT_EVERY", 1))  # seconds, on average
CUT_HOW = os.environ.get("CUT_HOW", "hole")
PORTS = 8  # that opens go to
SESSIONS = int(os.environ.get("SESSIONS", 200))
OPENS_PER_S = int(os.environ.get("OPENS_PER_S", 100))
OPENS_SECONDS = float(os.environ.get("OPENS_SECONDS", 3))
FLOOD_PER_S = int(os.environ.get("FLOOD_PER_S", 200))
FLOOD_SECONDS = float(os.environ.get("FLOOD_SECONDS", 4))
FLOOD_SHARE = float(os.environ.get("FLOOD_SHARE", 0))  # of its rate, that a tunnel keeps
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
BLOCK = random.Random("block").randbytes(1 << 20)


@contextlib.contextmanager
def cuts(lab, figure):
    """At random moments; holes are short enough for TCP to ride out."""
    rng, ended, count = random.Random(SEED), threading.Event(), []

    def run():
        while not ended.wait(rng.expovariate(1 / CUT_EVERY)):
            count.append(None)
            if CUT_HOW == "lane":
                lab.portal.run("ss", "-K", "dport", "=", ":4433")
                continue
            lab.cut()
            ended.wait(rng.choice((0.05, 0.3, 1)) * rng.random())
            lab.heal()

    print(f"seed {SEED}")
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        lab.heal()
    figure(f"{2 * EXACT_MIB} MiB byte for byte over {len(count)} cuts ({CUT_HOW})")


def send_blocks(sock, name):
    for number in range(EXACT_MIB):
        sock.sendall(struct.pack("!4sI", name, number))
        sock.sendall(memoryview(BLOCK)[8:])
    sock.shutdown(socket.SHUT_WR)


def check_blocks(sock, name):
    room = memoryview(bytearray(len(BLOCK)))
    for number in range(EXACT_MIB):
        have = 0
        while have < len(BLOCK):
            got = sock.recv_into(room[have:])
            assert got, f"the end in block {number}"
            have += got
        assert room[:8] == struct.pack("!4sI", name, number) and room[8:] == memoryview(BLOCK)[8:], f"block {number}"
    assert sock.recv(1) == b""


def both_ways(sock, sends, takes):
    sender = threading.Thread(target=send_blocks, args=(sock, sends), daemon=True)
    sender.start()
    check_blocks(sock, takes)
    sender.join()


@pytest.fixture
def tunnel(lab, pki, tmp_path):
    """Of each test alone: the others have programs of the same names."""
    with joined(lab, tmp_path, pki) as both:
        yield both


def test_byte_exact(tunnel, lab, figure):
    def serve(sock):
        with sock:
            sock.settimeout(patience(120))
            both_ways(sock, b"down", b"up  ")

    with Server(listener(lab.server, net.SERVER4), each_connection(serve)) as where:
        with stream(lab.client)(net.SERVER4, patience(120)) as sock, cuts(lab, figure):
            sock.connect(where)
            both_ways(sock, b"up  ", b"down")


@pytest.fixture
def narrow(lab):
    """Sockets of both programs hold next to nothing."""
    hosts = [(host, key) for host in (lab.portal, lab.gate) for key in ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")]
    before = [host.run("sysctl", "-n", key).stdout.strip() for host, key in hosts]
    for host, key in hosts:
        host.run("sysctl", "-w", f"{key}=4096 4608 4608")
    yield
    for (host, key), value in zip(hosts, before):
        host.run("sysctl", "-w", f"{key}={value}")


def test_neither_end_waits_for_the_other(narrow, tunnel, lab, figure):
    """Sixty-four flows that are full both ways: whoever stopped to read because it cannot write would wait for ever."""
    flows, size = 64, 1 << 19
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        begin, got, threads = time.monotonic(), [], []
        for number in range(flows):
            sock = stream(lab.client)(net.SERVER4, patience(60))
            sock.connect(where)
            there = random.Random(number).randbytes(size)
            threads += [threading.Thread(target=send_all, args=(sock, there), daemon=True),
                        threading.Thread(target=lambda sock=sock, there=there: got.append(receive_all(sock) == there), daemon=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience(60))
        assert got == [True] * flows
        figure(f"{flows} flows of {size >> 10} KiB both ways over sockets of 4,608 bytes in {time.monotonic() - begin:.1f} s")


def send_all(sock, what):
    sock.sendall(what)
    sock.shutdown(socket.SHUT_WR)


@pytest.fixture
def places(lab):
    """Addresses of the client's: who closes first keeps a port for a minute, and one address has 28,000."""
    addresses = [f"10.1.0.{n}" for n in range(20, 28)]
    device = lab.client.run("ip", "-o", "address", "show", "to", "10.1.0.2/32").stdout.split()[1]
    for address in addresses:
        lab.client.run("ip", "address", "add", f"{address}/24", "dev", device)
    yield addresses
    for address in addresses:
        lab.client.run("ip", "address", "del", f"{address}/24", "dev", device)


def test_many_sessions_and_opens(lab, pki, tmp_path, places, figure):
    """Identifiers are 16 bits, half of them ours: in the full run they come again twenty times beside those that are held."""
    with joined(lab, tmp_path, pki), contextlib.ExitStack() as stack:
        for port in range(7000, 7000 + PORTS + 1):
            load = lab.server.start(BUILD / "bench" / "load", "serve", net.SERVER4, port)
            stack.callback(load.wait)
            stack.callback(load.kill)
        time.sleep(0.3)
        held = lab.client.start(BUILD / "bench" / "load", "hold", net.SERVER4, 7000, SESSIONS, 2, stdin=-1, stdout=-1, text=True)
        assert held.stdout.readline().strip() == "held"
        opens = lab.client.run(BUILD / "bench" / "load", "opens", net.SERVER4, 7001, PORTS, OPENS_PER_S, OPENS_SECONDS, ",".join(places),
                               timeout=OPENS_SECONDS + patience(30)).stdout.strip()
        said = held.communicate("\n", timeout=patience(60))[0]
        assert held.returncode == 0, said
        figure(f"{opens}, beside {SESSIONS} held, which then echoed: {said.strip()}")
        told = dict(re.findall(r"(\w+)=([\d.]+)", opens))
        assert told["failed"] == "0"
        assert float(told["opens_per_second"]) >= 0.9 * OPENS_PER_S


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.set_alpn_protocols(["usher/1"])
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="gate.example.net").do_handshake()
    return outgoing.read()


@contextlib.contextmanager
def flood(lab, where, addresses, hello):
    """Connections that begin a handshake and say no more, from one address after the other; yields where its figures will stand."""
    process = lab.wan.start(BUILD / "bench" / "load", "flood", *where, FLOOD_PER_S, hello, ",".join(addresses), stdout=-1, text=True)
    said = {}
    try:
        assert process.stdout.readline().strip() == "flooding"
        time.sleep(1)
        yield said
        process.terminate()
        said.update(re.findall(r"(\w+)=([\d.]+)", process.communicate(timeout=patience(10))[0]))
    finally:
        process.kill()
        process.wait()


def processor_seconds(gate):
    """Of the supervisor, and of all workers that have ended."""
    fields = pathlib.Path(f"/proc/{gate.pid()}/stat").read_text().rsplit(")", 1)[1].split()
    return [sum(map(int, fields[at:at + 2])) / os.sysconf("SC_CLK_TCK") for at in (11, 13)]


def rate(lab, seconds):
    done = lab.client.run(BUILD / "bench" / "load", "bulk", net.SERVER4, 7000, "down", 1, seconds)
    return float(re.search(r"gbits=([\d.]+)", done.stdout)[1])


def test_handshake_flood(lab, pki, tmp_path, sources, figure):  # noqa: F811
    """The flood itself, and the kernel, take what they take of the machine both are on: so the same flood is aimed at a port where
    connections are taken and ended, and what the tunnel keeps of its rate beside that one is what the gate's handling costs."""
    access = ALLOW_ALL + ALLOW_ALL.replace("branch", "other")
    gate, live = Gate(lab, tmp_path, pki, access=access).start(), Portal(lab, tmp_path, pki)
    known = Portal(lab, tmp_path, pki, certificate="other", name="known", device="usher1", routes="10.74.0.0/24")
    load = lab.server.start(BUILD / "bench" / "load", "serve", net.SERVER4, 7000)
    sink = lab.gate.start(BUILD / "bench" / "load", "sink", WHERE[0], WHERE[1] + 1)
    hello = tmp_path / "hello"
    hello.write_bytes(client_hello())
    seconds = max(1, int(FLOOD_SECONDS / 3))
    try:
        known.conf.write_text(known.conf.read_text().replace("10.99.0.2/32, fd99::2/128", "10.99.0.3/32"))
        live.start()
        known.start()  # so that it is known
        known.down()
        idle = rate(lab, seconds)
        with flood(lab, (WHERE[0], WHERE[1] + 1), sources, hello):
            beside_sink = rate(lab, seconds)
        worst = 0
        with flood(lab, WHERE, sources, hello) as told:
            before, begin = processor_seconds(gate), time.monotonic()
            beside_gate = rate(lab, seconds)
            used = [(now - then) / (time.monotonic() - begin) for now, then in zip(processor_seconds(gate), before)]
            for _ in range(2):
                begin = time.monotonic()
                known.start()
                worst = max(worst, time.monotonic() - begin)
                known.down()
        admission = gate.status()["admission"]
        figure(f"{told['per_second']} handshakes a second from 200 addresses: a known portal in {worst:.2f} s; a tunnel of "
               f"{idle:.2f} Gbit/s keeps {beside_gate / idle:.2f}, of what the same flood leaves it where it meets no gate "
               f"{beside_gate / beside_sink:.2f}; the flood takes {told['cpu']}, the gate {used[0]:.2f} and its workers "
               f"{used[1]:.2f} of a processor; "
               f"{admission['refused']} refused, {admission['gave_way']} gave way")
        assert worst < patience(2)
        assert beside_gate / beside_sink >= FLOOD_SHARE
        assert float(told["per_second"]) >= 0.9 * FLOOD_PER_S
        assert live.process.poll() is None and len(gate.worker_pids()) >= 1
    finally:
        for process in (load, sink):
            process.kill()
            process.wait()
        live.down(check=False)
        known.down(check=False)
        gate.stop()
