# SPDX-License-Identifier: GPL-2.0-or-later
"""A lost connection is a pause: whatever takes it away, what is open in the tunnel goes on byte for byte over the next.

RESUME_CUTS sets how often the line is cut under load.
"""

import contextlib
import os
import re
import signal
import socket
import ssl
import statistics
import struct
import threading
import time

import pytest

from hostile import CONTROL, OPEN, REPLY, SEND, Wire, cpu_seconds, message, record, to_name
from lab import SERVER4, patience, run, wait_until
from programs import USHER_GATE, USHER_PKI, USHER_TUN, Gate, Portal, joined, make_pki, resident_kib
from traffic import Server, connected, datagram, each_connection, listener, numbered_block, receive_all, serve_echo, stream

CUTS = int(os.environ.get("RESUME_CUTS", 10))
MIB = 1 << 20


@pytest.fixture
def ends(lab, pki, tmp_path):
    with joined(lab, tmp_path, pki) as both:
        wait_agreed(both[0])
        yield both


def wait_agreed(*portals):
    """Both ends have said that they confirm, and the portal has its ticket."""
    for portal in portals:
        wait_until(lambda: portal.status()["resumable"], 5, "the tunnel could go on")
    time.sleep(0.1)


def cut(host, *more):
    """The kernel takes the link's connections away from both who had them."""
    host.run("ss", "-K", "-t", *more, "( sport = :4433 or dport = :4433 )")


@contextlib.contextmanager
def unreachable(lab):
    """Both ends have lost the connection, and there is no way to another."""
    lab.cut()
    try:
        cut(lab.gate)
        cut(lab.portal)
        yield
    finally:
        lab.heal()


def say(client, server, text=b"something"):
    client.sendall(text)
    assert receive_all(server, len(text)) == text
    server.sendall(text)
    assert receive_all(client, len(text)) == text


def wait_resumed(portal, count):
    def is_over():
        status = portal.status()
        return status["state"] == "up" and status["pauses"] >= count and "paused_since" not in status

    wait_until(is_over, 20, "the pause is over")


def hears_reset(sock, seconds):
    sock.settimeout(patience(seconds))
    begin = time.monotonic()
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    return time.monotonic() - begin


def portals(gate):
    return gate.status()["portals"]


# What takes it away


@pytest.mark.parametrize("side", ["portal", "gate"])
def test_cut(lab, ends, side):
    portal, gate = ends
    with connected(lab, SERVER4) as (client, server):
        say(client, server)
        before = gate.worker_pids()
        cut(getattr(lab, side))
        say(client, server)
        assert gate.worker_pids() == before
        wait_until(lambda: portals(gate)[0]["tunnel"]["pauses"] == 1, 5, "the gate counts it")
    wait_resumed(portal, 1)
    assert "the tunnel goes on over another connection" in portal.log()
    assert "branch: goes on over another connection, from 10.2.0.2:" in gate.log()
    assert "  pauses      1, the last of " in lab.portal.run(USHER_TUN, "status", portal.name).stdout


def test_flows_that_waited_for_the_tunnel_do_not_take_that_away(lab, ends):
    """They are opened at once with the control session, before anything could be agreed in it."""
    portal, gate = ends
    gate.stop()
    with listener(lab.server, SERVER4) as port, stream(lab.client)(SERVER4) as client:
        client.setblocking(False)
        client.connect_ex((SERVER4, port.getsockname()[1]))
        wait_until(lambda: portal.status()["counters"]["flows_held"] == 1, 5, "a flow that waits")
        gate.start()
        client.settimeout(patience(15))
        with port.accept()[0] as server:
            say(client, server)
            wait_until(lambda: portals(gate)[0]["tunnel"]["resumable"] and portal.status()["resumable"], 2, "both ends can go on")
            cut(lab.portal)
            say(client, server)


def readdress(lab, address):
    lab.portal.run("ip", "-4", "address", "flush", "dev", "wan")
    lab.portal.run("ip", "address", "add", f"{address}/24", "dev", "wan")
    lab.portal.run("ip", "route", "replace", "default", "via", "10.2.0.1")


@pytest.fixture
def other_address(lab):
    yield "10.2.0.5"
    readdress(lab, "10.2.0.2")


def test_another_address(lab, ends, other_address, figure):
    """As with a new lease; and the gate knows of nothing."""
    portal, gate = ends
    with connected(lab, SERVER4) as (client, server):
        say(client, server)
        begin = time.monotonic()
        readdress(lab, other_address)
        say(client, server)
        took = time.monotonic() - begin
        assert portals(gate)[0]["address"].startswith(f"{other_address}:") and len(portals(gate)) == 1
    figure(f"a flow goes on {took:.2f} s after its machine's address has changed")
    assert took < patience(2)


def test_another_way(lab, ends, other_address, figure):
    """The old address is still there and would still work: the new connection takes its place."""
    portal, gate = ends
    with connected(lab, SERVER4) as (client, server):
        lab.portal.run("ip", "address", "add", f"{other_address}/24", "dev", "wan")
        begin = time.monotonic()
        lab.portal.run("ip", "route", "replace", "default", "via", "10.2.0.1", "src", other_address)
        wait_until(lambda: portals(gate)[0]["address"].startswith(f"{other_address}:"), 5, "the other address")
        took = time.monotonic() - begin
        say(client, server)
    figure(f"the tunnel goes by another way {took:.2f} s after its route has changed")
    assert took < patience(2)


@contextlib.contextmanager
def hole(lab, gate):
    """Packets of the present connection vanish both ways, and no others: as behind a NAT that was rebooted."""
    address, port = portals(gate)[0]["address"].rsplit(":", 1)
    lab.wan.run("nft", f"add rule inet cut forward tcp sport {port} drop; add rule inet cut forward tcp dport {port} drop")
    try:
        yield
    finally:
        lab.heal()


@pytest.mark.parametrize("busy", [True, False], ids=["asked", "idle"])
def test_silent_hole(lab, ends, figure, busy):
    portal, gate = ends
    with connected(lab, SERVER4) as (client, server), hole(lab, gate):
        begin = time.monotonic()
        if busy:
            say(client, server)
        else:
            wait_until(lambda: portals(gate)[0]["tunnel"]["pauses"] == 1, 20, "the hole is found")
        took = time.monotonic() - begin
        say(client, server)
    figure(f"a silent hole is found and left {took:.1f} s after it began, while {'somebody asks' if busy else 'idle'}")
    assert took < patience(8 if busy else 15)
    assert len(portals(gate)) == 1


def commands(pid):
    """Of a portal that is reached over netcat; they need not be children of its own."""
    done = run("ps", "-e", "-o", "pid=,ppid=,comm=").stdout.split("\n")
    rows = [row.split() for row in done if row]
    family = {str(pid)}
    for _ in range(3):
        family |= {row[0] for row in rows if row[1] in family}
    return [int(row[0]) for row in rows if row[0] in family and row[2] in ("nc", "nc.openbsd")]


def test_a_command_that_dies(lab, pki, tmp_path, gate):
    """The next one takes its place, and nothing of the old is left."""
    portal = Portal(lab, tmp_path, pki)
    text = portal.conf.read_text()
    portal.conf.write_text(text.replace("[Gate]\n", "[Gate]\nProxyCommand = exec nc %h %p\n"))
    assert portal.conf.read_text() != text
    try:
        portal.start()
        wait_agreed(portal)
        with connected(lab, SERVER4) as (client, server):
            for number in range(3):
                say(client, server)
                (command,) = wait_until(lambda: (found := commands(portal.pid())) and len(found) == 1 and found, 5, "one command")
                os.kill(command, signal.SIGKILL)
                say(client, server)
                wait_resumed(portal, number + 1)
    finally:
        portal.down(check=False)


# Under load


class Flow:
    """A connection that is full in both directions, every byte of which is checked."""

    def __init__(self, lab, where):
        self.sock = stream(lab.client)(where[0], timeout=patience(60))
        self.sock.connect(where)
        self.sent = self.received = 0
        self.stopping, self.wrong = False, None
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        try:
            while not self.stopping:
                self.sock.sendall(numbered_block(self.sent))
                self.sent += 1
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.wrong = error

    def receive(self):
        try:
            while block := receive_all(self.sock, MIB):
                if block != numbered_block(self.received):
                    self.wrong = f"block {self.received}"
                    return
                self.received += 1
        except OSError as error:
            self.wrong = error

    def finish(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(patience(60))
        self.sock.close()
        assert self.wrong is None and self.received == self.sent > 0


@contextlib.contextmanager
def questions(lab):
    """Datagrams to and fro; yields who asked, as the server sees it, and how many answers came."""
    seen, answers, over = set(), [0], threading.Event()
    server, client = datagram(lab.server, SERVER4, (SERVER4, 0)), datagram(lab.client, SERVER4)

    def serve():
        server.settimeout(0.1)
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                data, sender = server.recvfrom(100)
                seen.add(sender)
                server.sendto(data, sender)

    def ask():
        client.settimeout(0.1)
        while not over.is_set():
            client.sendto(b"question", server.getsockname())
            with contextlib.suppress(TimeoutError):
                client.recv(100)
                answers[0] += 1

    threads = [threading.Thread(target=serve), threading.Thread(target=ask)]
    for thread in threads:
        thread.start()
    try:
        yield seen, answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_cuts_under_load(lab, ends, figure):
    """TCP is byte-exact, a UDP association keeps its port, a ping goes on."""
    portal, gate = ends
    worker = gate.worker_pids()
    ping = lab.client.start("ping", "-n", "-i", "0.2", SERVER4, stdout=-1, text=True)
    pauses = []
    with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where, questions(lab) as (seen, answers):
        flows = [Flow(lab, where) for _ in range(4)]
        for number in range(CUTS):
            time.sleep(0.6)
            cut((lab.portal, lab.gate)[number % 2])
            wait_resumed(portal, number + 1)
            pauses.append(portal.status()["last_pause_us"] / 1000)
        before = answers[0]
        wait_until(lambda: answers[0] > before + 3, 10, "datagrams go on")
        for flow in flows:
            flow.finish()
    ping.terminate()
    replies = [int(number) for number in re.findall(r"icmp_seq=(\d+)", ping.communicate()[0])]
    assert replies and replies[-1] - replies[0] + 1 >= len(replies) > CUTS
    assert len(seen) == 1 and gate.worker_pids() == worker and len(portals(gate)) == 1
    pauses.sort()
    total = sum(flow.sent for flow in flows)
    figure(f"{CUTS} cuts, both directions full: pause p50 {statistics.median(pauses):.0f} ms, "
           f"p99 {pauses[int(len(pauses) * 0.99)]:.0f} ms; {total} MiB each way, bytes lost 0")


def test_a_pause_costs_nothing(lab, ends):
    """While flows are full of what cannot go, neither end turns round and round, nor takes more memory."""
    portal, gate = ends
    with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where:
        flows = [Flow(lab, where) for _ in range(2)]
        time.sleep(0.5)
        with unreachable(lab):
            wait_until(lambda: portal.status()["state"] == "paused" and portals(gate)[0]["tunnel"].get("paused_since"), 5,
                       "the pause")
            time.sleep(0.5)
            pids = [portal.pid(), *gate.worker_pids()]
            before = [(cpu_seconds(pid), resident_kib(pid)) for pid in pids]
            time.sleep(2)
            after = [(cpu_seconds(pid), resident_kib(pid)) for pid in pids]
        for (cpu, kib), (cpu_before, kib_before) in zip(after, before):
            assert cpu - cpu_before < 0.2 and kib - kib_before < 1024
        for flow in flows:
            flow.finish()


def test_new_flows_during_a_pause(lab, ends):
    """They wait for some seconds, as without a tunnel, and are told then; those that come late find it back."""
    portal, gate = ends
    with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where:
        with unreachable(lab):
            wait_until(lambda: portal.status()["state"] == "paused", 5, "the pause")
            with stream(lab.client)(SERVER4) as early:
                begin = time.monotonic()
                with pytest.raises(OSError, match="No route to host"):
                    early.connect(where)
                assert 4.5 < time.monotonic() - begin < patience(7)
            late = stream(lab.client)(SERVER4)
            late.setblocking(False)
            late.connect_ex(where)
            time.sleep(0.2)
        late.settimeout(patience(10))
        late.sendall(b"here")
        assert receive_all(late, 4) == b"here"
        late.close()
    assert "paused_since" not in portals(gate)[0]["tunnel"]


# Who shows what


class ByHand(Wire):
    """A portal by hand that offers tickets, and asks for one."""

    def __init__(self, lab, pki, certificate="branch", shows=()):
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        context.load_cert_chain(pki / f"{certificate}.crt", pki / f"{certificate}.key")
        context.set_alpn_protocols([f"usher-lane/{ticket.hex()}" for ticket in shows] + ["usher/1"])
        with lab.portal.enter():
            plain = socket.create_connection(("10.3.0.2", 4433), timeout=patience(10))
        super().__init__(context.wrap_socket(plain, server_hostname="gate.example.net"))
        self.count = 0  # of records that came
        self.goes_on = self.tls.selected_alpn_protocol().startswith("usher-lane/")

    def records(self, seconds=10):
        for got in super().records(seconds):
            self.count += 1
            yield got

    def begin(self):
        """The number that the gate knows this tunnel by."""
        hello = message(1, struct.pack(">II", 4, 100) + b"by hand\0")
        self.send(record(OPEN, 2, to_name(CONTROL, b"control.1\0", 0)))
        assert self.wait(REPLY, 2) is not None
        self.send(record(SEND, 2, hello))
        return self.ticket()

    def ticket(self):
        data = b""
        for kind, session, body in self.records():
            data += body if (kind, session) == (SEND, 2) else b""
            while len(data) >= 4 and len(data) >= 4 + struct.unpack(">H", data[2:4])[0]:
                length = struct.unpack(">H", data[2:4])[0]
                if data[0] == 6:
                    number, seconds = struct.unpack(">16sI", data[4:4 + length])
                    assert seconds == 120
                    return number
                data = data[4 + length:]
        raise AssertionError("no ticket")

    def greet(self, taken):
        hello = message(1, struct.pack(">II", 4, 100) + b"\0" + struct.pack(">Q", taken))
        self.send(record(SEND, 0, hello))

    def drop(self):
        """Without a word."""
        os.close(self.tls.detach())


@pytest.fixture
def gate(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki, extra="Duplicate = allow").start()
    yield gate
    gate.stop()


def test_tickets(lab, pki, gate):
    first = ByHand(lab, pki)
    assert not first.goes_on
    one = first.begin()
    (worker,) = gate.worker_pids()

    unknown = ByHand(lab, pki, shows=[bytes(16)])
    assert not unknown.goes_on
    unknown.begin()
    unknown.drop()

    # Somebody else's certificate: refused, and who has the tunnel notices nothing.
    with pytest.raises((ssl.SSLError, ConnectionError)):
        foreign = ByHand(lab, pki, certificate="other", shows=[one])
        foreign.tls.settimeout(patience(5))
        assert foreign.tls.recv(1), "closed"
    assert first.lives()

    # The right one: while the old connection still seems to be alive, and another of it is on its way.
    with lab.portal.enter():
        slow = socket.create_connection(("10.3.0.2", 4433))
    slow.sendall(b"\x16\x03\x01")
    second = ByHand(lab, pki, shows=[one])
    assert second.goes_on and worker in gate.worker_pids()
    second.greet(first.count)
    two = second.ticket()
    assert two != one and first.wait(99, 0, 2) is None  # its connection is closed
    slow.close()

    # The one before is good until the next has been shown, and not any longer.
    third = ByHand(lab, pki, shows=[one])
    assert third.goes_on
    third.drop()
    fourth = ByHand(lab, pki, shows=[two])
    assert fourth.goes_on
    spent = ByHand(lab, pki, shows=[one])
    assert not spent.goes_on
    for wire in (second, fourth, spent):
        wire.drop()


def test_several_offers_and_pieces(lab, pki, gate):
    """The first name counts; a hello that comes byte by byte is waited for."""
    first = ByHand(lab, pki)
    ticket = first.begin()
    again = ByHand(lab, pki, shows=[bytes(16), ticket])
    assert not again.goes_on
    again.drop()
    context = ssl.create_default_context(cafile=pki / "ca.crt")
    context.load_cert_chain(pki / "branch.crt", pki / "branch.key")
    context.set_alpn_protocols([f"usher-lane/{ticket.hex()}", "usher/1"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="gate.example.net")
    with lab.portal.enter():
        plain = socket.create_connection(("10.3.0.2", 4433), timeout=patience(10))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            said = outgoing.read()
            for at in range(0, len(said), 100):
                plain.sendall(said[at:at + 100])
                time.sleep(0.01)
            incoming.write(plain.recv(65536))
    assert tls.selected_alpn_protocol() == f"usher-lane/{ticket.hex()}"
    plain.close()
    first.drop()


# What ends a pause otherwise


def test_the_gate_is_killed_during_a_pause(lab, pki, tmp_path):
    """The next one knows nothing of the tunnel, and nobody waits for ResumeTimeout."""
    with joined(lab, tmp_path, pki) as (portal, gate):
        wait_agreed(portal)
        with connected(lab, SERVER4) as (client, server):
            say(client, server)
            with unreachable(lab):
                wait_until(lambda: portal.status()["state"] == "paused", 5, "the pause")
                gate.kill()
                gate.crashed_on_demand = True
                hears_reset(server, 5)
                gate.start()
            assert hears_reset(client, 10) < patience(5)
        wait_until(lambda: portal.status()["state"] == "up", 5, "a new tunnel")
        assert "the gate has a new tunnel for us" in portal.log()
        assert len(portals(gate)) == 1 and portals(gate)[0]["tunnel"]["pauses"] == 0


def test_an_operator_ends_it_during_a_pause(lab, ends):
    portal, gate = ends
    with connected(lab, SERVER4) as (client, server):
        say(client, server)
        with unreachable(lab):
            wait_until(lambda: portals(gate)[0]["tunnel"].get("paused_since"), 5, "the gate knows")
            done = lab.gate.run(USHER_GATE, "end", "branch")
            assert done.stdout == f"{gate.name}: tunnels ended: 1\n"
            hears_reset(server, 2)
            wait_until(lambda: not portals(gate), 5, "the worker is gone")
        hears_reset(client, 10)
    wait_until(lambda: len(portals(gate)) == 1, 5, "a new tunnel")


def test_revoked_during_a_pause(lab, tmp_path):
    pki = make_pki(tmp_path / "pki")
    with joined(lab, tmp_path, pki) as (portal, gate):
        wait_agreed(portal)
        with connected(lab, SERVER4) as (client, server):
            say(client, server)
            with unreachable(lab):
                wait_until(lambda: portals(gate)[0]["tunnel"].get("paused_since"), 5, "the gate knows")
                run(USHER_PKI, "revoke", pki, "branch")
                hears_reset(server, 3)
                assert not portals(gate)
            hears_reset(client, 10)
        wait_until(lambda: "revoked" in portal.log(), 10, "the portal hears why")
        assert portal.status()["state"] == "connecting"
        assert "goes on over another connection" not in gate.log()


def test_a_pause_that_is_too_long(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki, extra="ResumeTimeout = 2s").start()
    portal = Portal(lab, tmp_path, pki, extra="ResumeTimeout = 3s").start()
    try:
        wait_agreed(portal)
        with connected(lab, SERVER4) as (client, server):
            say(client, server)
            with unreachable(lab):
                begin = time.monotonic()
                hears_reset(server, 5)
                assert 1 < time.monotonic() - begin < patience(3)
                hears_reset(client, 5)
                assert 2 < time.monotonic() - begin < patience(5)
        assert "no other connection took the place of the lost one within 3 s" in portal.log()
        assert "no other connection took the place of the lost one within 2 s" in gate.log()
        portal.wait_up(10)
    finally:
        portal.down(check=False)
        gate.stop()


@pytest.mark.parametrize("off", ["portal", "gate"])
def test_one_end_has_it_off(lab, pki, tmp_path, off):
    """Then a connection that is lost is the end of the tunnel, at once, as it always was."""
    key = {off: "ResumeTimeout = 0"}
    gate = Gate(lab, tmp_path, pki, extra=key.get("gate", "")).start()
    portal = Portal(lab, tmp_path, pki, extra=key.get("portal", "")).start()
    try:
        time.sleep(0.3)
        assert not portal.status()["resumable"]
        with connected(lab, SERVER4) as (client, server):
            say(client, server)
            cut(lab.portal)
            hears_reset(client, 5)
            hears_reset(server, 5)
        wait_until(lambda: portal.status()["state"] == "up", 5, "a new tunnel")
        assert portal.status()["pauses"] == 0 and "goes on over another" not in gate.log()
    finally:
        portal.down(check=False)
        gate.stop()


def test_a_full_gate(lab, pki, tmp_path):
    """Who has a place keeps it over a lost connection, and another gets none."""
    gate = Gate(lab, tmp_path, pki, extra="MaxPortals = 1").start()
    portal, other = Portal(lab, tmp_path, pki).start(), None
    try:
        wait_agreed(portal)
        with connected(lab, SERVER4) as (client, server):
            other = ByHand(lab, pki, certificate="other")
            assert other.end() == "MaxPortals of the gate is reached"
            (worker,) = wait_until(lambda: (pids := gate.worker_pids()) and len(pids) == 1 and pids, 5, "one is left")
            cut(lab.gate)
            say(client, server)
            wait_resumed(portal, 1)
            assert gate.worker_pids() == [worker]
        # Nor does it keep out a portal that was started again.
        portal.kill()
        portal.crashed_on_demand = True
        portal.start()
        wait_until(lambda: len(gate.worker_pids()) == 1 and gate.worker_pids() != [worker], 5, "the new one alone")
    finally:
        portal.down(check=False)
        gate.stop()


def test_two_portals_with_one_certificate(lab, pki, tmp_path, gate):
    one = Portal(lab, tmp_path, pki).start()
    two = Portal(lab, tmp_path, pki, name="twin", device="usher1", routes="10.73.1.0/24").start()
    try:
        wait_agreed(one, two)
        before = sorted(gate.worker_pids())
        with connected(lab, SERVER4) as (client, server):
            cut(lab.gate)
            say(client, server)
            for portal in (one, two):
                wait_resumed(portal, 1)
        assert sorted(gate.worker_pids()) == before and len(before) == 2
    finally:
        one.down(check=False)
        two.down(check=False)
