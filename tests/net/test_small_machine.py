# SPDX-License-Identifier: GPL-2.0-or-later
"""Portal and gate do their work in 64 MiB each, as on a small router."""

import asyncio
import contextlib
import threading
import time

import pytest

import lab as net
from lab import SANITIZED, wait_until
from memory import Limit
from programs import Gate, Portal, proc_number, resident_kib
from test_many_flows import echo_all, serve_forever
from traffic import BLOCK, Server, connected, listener

MEMORY = 64 << 20  # bytes
WINDOWS = "WindowBudget = 16M"  # a quarter, as usher.conf(5) advises
RECEIVED = "ReceiveBudget = 16M"

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizers' own memory is many times that of the programs")


@pytest.fixture
def small(lab, pki, tmp_path):
    limits = [Limit(name, MEMORY) for name in ("portal", "gate")]
    gate, portal = Gate(lab, tmp_path, pki, extra=WINDOWS), Portal(lab, tmp_path, pki, extra=f"{WINDOWS}\n{RECEIVED}")
    portal.prepare, gate.prepare = (limit.enter for limit in limits)
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
