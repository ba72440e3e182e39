# SPDX-License-Identifier: GPL-2.0-or-later
"""What both ends cost while little goes on. They stay awake between messages that follow each other closely, and only
then (os/busy_poll.h)."""

import os
import pathlib
import threading
import time

import pytest

import lab as net
from lab import SANITIZED, patience
from programs import proc_number
from traffic import connected, serve_echo

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def exchange(client, requests, pause):
    for _ in range(requests):
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        time.sleep(pause)


def sleeps(pid):
    return proc_number(pid, "voluntary_ctxt_switches")


@pytest.fixture
def echo(lab, tunnel):
    """A client's socket whose bytes come back, after a burst that has made both ends stay awake."""
    with connected(lab, net.SERVER4) as (client, server):
        thread = threading.Thread(target=serve_echo, args=(server,))
        thread.start()
        exchange(client, 1000, 0)
        yield client
        client.close()
        thread.join()


def spent(tunnel, seconds):
    """The share of one core that both ends take over `seconds`, beginning now."""
    portal, gate = tunnel
    pids = [portal.pid(), *gate.worker_pids()]
    before = cpu_seconds(pids)
    time.sleep(seconds)
    return (cpu_seconds(pids) - before) / seconds


def test_they_sleep_after_a_burst(tunnel, echo, figure):
    share = spent(tunnel, 2)
    figure(f"idle after a burst of requests: {share:.1%} of a core at both ends together")
    assert share <= 0.03 * patience(1)


def test_requests_far_apart_keep_nobody_awake(tunnel, echo, figure):
    """At a hundred a second, a loop that stayed awake after each message would take tens of per cent."""
    client = threading.Thread(target=exchange, args=(echo, 200, 0.01))
    client.start()
    try:
        share = spent(tunnel, 2)
    finally:
        client.join()
    figure(f"a hundred requests a second: {share:.1%} of a core at both ends together")
    assert share <= 0.1 * patience(1)


@pytest.mark.skipif(SANITIZED, reason="the sanitizers make messages as slow as those that nobody stays awake for")
def test_messages_close_to_each_other_find_them_awake(tunnel, lab, echo, figure):
    """Asleep, each end would be woken twice for a request: when it comes and when it is answered."""
    if lab.round_trip:
        pytest.skip("over a long wire no message is close to another")
    portal, gate = tunnel
    pids, requests = (portal.pid(), *gate.worker_pids()), 2000
    before = [sleeps(pid) for pid in pids]
    exchange(echo, requests, 0)
    slept = [(sleeps(pid) - old) / requests for pid, old in zip(pids, before)]
    figure(f"sleeps for a request close to others: {slept[0]:.2f} at the portal, {slept[1]:.2f} at the gate")
    assert max(slept) < 1.5
