# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that never say a word, at a gate that has few places for who has not authenticated: who has been there before
gets in at once, and a stranger soon."""

import os
import pathlib
import signal
import socket
import time

import pytest

from lab import patience, wait_until
from programs import Gate, Portal
from peer import Peer

FLOOD = 2000
PLACES = 64  # MaxUnauthenticated
WHERE = ("10.3.0.2", 4433)
STRANGER = "10.3.0.251"


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def sources(lab):
    """Addresses of the wan host's that the gate has on its link."""
    device = lab.wan.run("ip", "-o", "address", "show", "to", "10.3.0.1/32").stdout.split()[1]
    addresses = [f"10.3.0.{n}" for n in range(10, 210)] + [STRANGER]
    commands = "\n".join(f"address {{}} {address}/24 dev {device}" for address in addresses)
    lab.wan.run("ip", "-batch", "-", input=commands.replace("{}", "add"))
    yield addresses[:-1]
    lab.wan.run("ip", "-batch", "-", input=commands.replace("{}", "del"))


def flood(lab, addresses):
    """All at once; they stay until the gate ends them."""
    silent = []
    for n in range(FLOOD):
        with lab.wan.enter():
            sock = socket.socket()
        sock.setblocking(False)
        sock.bind((addresses[n % len(addresses)], 0))
        sock.connect_ex(WHERE)
        silent.append(sock)
    return silent


@pytest.mark.parametrize("count", [1, 200])
def test_silent_connections(lab, pki, tmp_path, sources, count):
    gate, portal = Gate(lab, tmp_path, pki).start(), Portal(lab, tmp_path, pki)
    gate.crashed_on_demand = True
    silent, peers = [], []
    try:
        portal.start()
        before, begin = cpu_seconds(gate.pid()), time.monotonic()
        silent = flood(lab, sources[:count])
        wait_until(lambda: gate.status()["unauthenticated"] >= min(8, PLACES // 2), 5, "they are there")

        [worker] = gate.worker_pids()
        cut = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: gate.worker_pids() not in ([], [worker]), 1, "who was there before")
        assert gate.status()["unauthenticated"] <= PLACES
        known = time.monotonic() - cut

        def stranger():
            """It tries each half second, as a portal would."""
            time.sleep(0.5)
            try:
                peers.append(Peer(lab, pki, "other", lab.wan, STRANGER))
            except OSError:
                return False
            time.sleep(0.2)
            return "other" in [told["identity"] for told in gate.status()["portals"]]

        cut = time.monotonic()
        wait_until(stranger, 10, "a stranger")
        used, lasted = cpu_seconds(gate.pid()) - before, time.monotonic() - begin
        print(f"known {known:.2f} s, stranger {time.monotonic() - cut:.2f} s, supervisor {used:.2f} of {lasted:.2f} s")
        assert used < patience(1)
        assert gate.status()["admission"]["refused"] > PLACES  # the kernel keeps many more waiting on a busy machine
        assert len(gate.log().splitlines()) < 100
    finally:
        for sock in silent + peers:
            sock.close()
        portal.down(check=False)
        gate.stop()
