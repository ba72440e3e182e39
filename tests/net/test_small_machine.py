# SPDX-License-Identifier: GPL-2.0-or-later
"""Portal and gate do their work in 64 MiB each, as on a small router."""

import asyncio
import contextlib
import copy
import socket
import threading
import time

import pytest

import lab as net
from lab import SANITIZED, wait_until
from memory import Limit
from programs import Gate, Portal, proc_number, resident_kib
from test_many_flows import echo_all, serve_forever
from traffic import BLOCK, Server, connected, listener, stream

MEMORY = 64 << 20  # bytes
# A quarter each, which is what "auto" comes to in a control group; without one nobody sees the limit.
BUDGETS = "WindowBudget = 16M", "ReceiveBudget = 16M"

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizers' own memory is many times that of the programs")


def keeping_sys(host):
    """`ip netns exec` brings a /sys of its own, in which there are no control groups."""
    host = copy.copy(host)
    host.argv = lambda *argv: ("nsenter", f"--net=/run/netns/{host.name}", *argv)
    return host


@pytest.fixture
def small(lab, pki, tmp_path):
    limits = [Limit(name, MEMORY) for name in ("portal", "gate")]
    portal_keys, gate_keys = ("" if limit.is_whole else "\n".join(BUDGETS[:count]) for limit, count in zip(limits, (2, 1)))
    gate, portal = Gate(lab, tmp_path, pki, extra=gate_keys), Portal(lab, tmp_path, pki, extra=portal_keys)
    portal.prepare, gate.prepare = (limit.enter for limit in limits)
    portal.host, gate.host = keeping_sys(lab.portal), keeping_sys(lab.gate)
    try:
        gate.start()
        yield portal.start(), gate, limits
    finally:
        portal.down(check=False)
        gate.stop()
        for limit in limits:
            limit.delete()


def tell_peaks(figure, what, limits):
    for name, limit in zip(("portal", "gate"), limits):
        if limit.is_whole:
            figure(f"{what} in 64 MiB: {name} used {limit.peak_mib():.1f} MiB at most, kernel memory included")


def test_a_thousand_flows_in_little_memory(small, lab, figure):
    portal, gate, limits = small
    (worker,) = gate.worker_pids()
    for name, pid in (("portal", portal.pid()), ("worker", worker), ("supervisor", gate.pid())):
        figure(f"an idle {name} has {resident_kib(pid)} KiB resident, "
               f"{proc_number(pid, 'Pss', 'smaps_rollup')} KiB with shared pages in proportion")
    for address in (net.SERVER4, net.SERVER6):
        with Server(listener(lab.server, address, backlog=4096), serve_forever) as where:
            asyncio.run(echo_all(lab.client, where, 1000))
    wait_until(lambda: not portal.flows(), 10, "flows gone")
    assert gate.worker_pids() == [worker]  # nobody was killed
    tell_peaks(figure, "1,000 flows", limits)


def send_until(sock, stop):
    sock.settimeout(0.1)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            sock.send(BLOCK)


def receive_for(sock, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sock.recv(1 << 20)


@pytest.mark.parametrize("way", ["down", "up"])
def test_readers_that_stop_fit_into_little_memory(small, lab, figure, way):
    """Windows grow while everyone reads at full speed; then nobody reads any more, and what was granted still comes."""
    portal, gate, limits = small
    (worker,) = gate.worker_pids()
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(connected(lab, net.SERVER4)) for _ in range(16)]
        threads = []
        for client, server in pairs:
            sender, reader = (server, client) if way == "down" else (client, server)
            threads.append(threading.Thread(target=send_until, args=(sender, stop)))
            threads.append(threading.Thread(target=receive_for, args=(reader, 2)))
        for thread in threads:
            thread.start()
        time.sleep(4)
        stop.set()
        for thread in threads:
            thread.join()
        assert portal.process.poll() is None and gate.worker_pids() == [worker]  # nobody was killed
        assert len(portal.flows()) == len(pairs)
    tell_peaks(figure, f"16 readers that stopped ({way})", limits)


CROWD = 1200  # flows; the first 64 KiB of each are 75 MiB


def crowd(lab, stack):
    """Client's and server's sockets of as many flows, whose kernels take little of what nobody reads."""
    listening = stack.enter_context(listener(lab.server, net.SERVER4, backlog=CROWD))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(CROWD):
        client = stack.enter_context(stream(lab.client)(net.SERVER4))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listening.getsockname()[:2])
        yield client, stack.enter_context(listening.accept()[0])


def send_what_goes(sock):
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
        while sock.send(BLOCK):
            pass


@pytest.mark.parametrize("way", ["down", "up"])
def test_a_crowd_that_does_not_read(small, lab, figure, way):
    """More than there is memory for: who has stood still for longest is reset, and newcomers are served."""
    portal, gate, limits = small
    (worker,) = gate.worker_pids()
    with contextlib.ExitStack() as stack:
        flows = list(crowd(lab, stack))
        for _ in range(5):
            for client, server in flows:
                send_what_goes(server if way == "down" else client)
            time.sleep(0.2)
        time.sleep(5)  # so long has somebody to stand still who gives way to a newcomer on the way up
        with connected(lab, net.SERVER4) as (client, server):
            for sender, reader in ((client, server), (server, client)):
                sender.sendall(b"as ever")
                assert reader.recv(100) == b"as ever"
        assert portal.process.poll() is None and gate.worker_pids() == [worker]
        evicted = portal.status()["counters"]["sessions_evicted" if way == "down" else "flows_evicted"]
        figure(f"{CROWD} flows that nobody reads ({way}) in 64 MiB: {evicted} were reset")
        # Enough is left for many. On the way up the gate's kernel has room for much, and sometimes for all of it.
        assert evicted < CROWD - 64 and (evicted > 0 or way == "up")
    assert evicted == 0 or "memory ran short: " in portal.log()
    tell_peaks(figure, f"{CROWD} flows that nobody reads ({way})", limits)
