# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of each process at random moments, from its first instruction on, while connections come and go: what was killed comes back,
serves within two seconds, and in the end nothing is left of it: no process, route, rule, device, place or descriptor.

    KILLS=200 python3 -m pytest -q tests/net/test_killed.py -s

is the whole of it, a quarter of an hour; the ordinary run does a few of each. The seed is printed, and SEED gives it back."""

import contextlib
import os
import pathlib
import random
import signal
import threading
import time

import pytest

import lab as net
from lab import wait_until
from programs import USHER_GATE, USHER_TUN, Gate, Portal, descriptors
from test_reboot import kernel_state
from traffic import Server, each_connection, listener, serve_echo, stream

KILLS = int(os.environ.get("KILLS", 4))
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
RUN = pathlib.Path("/run/usher")
BACK = 2  # seconds to the answer on a new flow


@pytest.fixture
def rng(request):
    print(f"seed {SEED}")
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def echo(lab):
    with Server(listener(lab.server, net.SERVER4), each_connection(quietly)) as where:
        yield where


def quietly(sock):
    with contextlib.suppress(OSError):
        serve_echo(sock)


def answers(lab, where, seconds=0.5):
    try:
        with stream(lab.client)(where[0], seconds) as sock:
            sock.connect(where)
            sock.sendall(b"back")
            return sock.recv(10) == b"back"
    except OSError:
        return False


@pytest.fixture
def churn(lab, echo):
    """Connections that come and go all the while, and mind nothing."""
    ended = threading.Event()

    def run():
        while not ended.is_set():
            answers(lab, echo)
            time.sleep(0.01)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield
    ended.set()
    for thread in threads:
        thread.join()


def comes_back(lab, echo, worst):
    begin = time.monotonic()
    wait_until(lambda: answers(lab, echo), BACK, "a new flow")
    worst.append(time.monotonic() - begin)


def moment(rng):
    """As likely within the first milliseconds as within the first second."""
    return rng.choice((0.003, 0.03, 0.15, 0.6)) * rng.random()


def begins(program, rng, *argv):
    """Launched and killed at once, in whatever it was doing."""
    program.launch(*argv)
    time.sleep(moment(rng))
    program.kill()


def processes_of(*names):
    """Those whose command line has one of these in it."""
    found = []
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (directory / "cmdline").read_bytes()
            if any(name.encode() in line for name in names):
                found.append(int(directory.name))
    return found


def test_the_portal(lab, pki, tmp_path, rng, echo, churn, figure):
    gate, portal, worst = Gate(lab, tmp_path, pki).start(), Portal(lab, tmp_path, pki), []
    before = kernel_state(lab)
    try:
        for _ in range(KILLS):
            begins(portal, rng, USHER_TUN, "up", "-f", portal.conf)
            portal.start()
            comes_back(lab, echo, worst)
            time.sleep(moment(rng))
            portal.kill()
            assert (RUN / portal.name).exists() and "0x7573" in lab.portal.run("ip", "rule").stdout  # closed meanwhile
            if rng.random() < 0.3:  # and so while it cleans up
                down = lab.portal.start(USHER_TUN, "down", portal.conf)
                time.sleep(moment(rng) / 10)
                down.kill()
                down.wait()
        portal.start()
        comes_back(lab, echo, worst)
    finally:
        portal.down(check=False)
        gate.stop()
    figure(f"portal killed {2 * KILLS} times: back within {max(worst):.2f} s")
    assert kernel_state(lab) == before
    assert not (RUN / portal.name).exists() and not processes_of(portal.name)


def test_the_supervisor(lab, pki, tmp_path, rng, echo, churn, figure):
    gate, portal, worst = Gate(lab, tmp_path, pki), Portal(lab, tmp_path, pki), []
    try:
        gate.start()
        portal.start()
        for _ in range(KILLS):
            workers = gate.worker_pids()
            gate.kill()
            wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), 5, "the end of its workers")
            begins(gate, rng, USHER_GATE, "run", gate.conf)
            gate.start()
            comes_back(lab, echo, worst)
            time.sleep(moment(rng))
        assert portal.down(check=False).returncode == 0 and gate.stop() == 0
    finally:
        portal.kill()
        gate.kill()
    figure(f"supervisor killed {2 * KILLS} times: back within {max(worst):.2f} s")
    assert not (RUN / gate.name).exists() and not processes_of(portal.name, gate.name)


def test_the_worker(lab, pki, tmp_path, rng, echo, churn, figure):
    gate, portal, worst = Gate(lab, tmp_path, pki).start(), Portal(lab, tmp_path, pki).start(), []
    try:
        comes_back(lab, echo, [])
        before = descriptors(gate.pid())
        for _ in range(KILLS):
            worker = wait_until(gate.worker_pids, 5, "a worker")[0]
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
            comes_back(lab, echo, worst)
            time.sleep(moment(rng))
        wait_until(lambda: len(gate.worker_pids()) == 1 and descriptors(gate.pid()) <= before, 5, "what it was before")
        children = pathlib.Path(f"/proc/{gate.pid()}/task/{gate.pid()}/children").read_text().split()
        assert len(children) == 2  # it and the template: no zombie either
    finally:
        portal.down(check=False)
        assert gate.stop() == 0
    figure(f"worker killed {KILLS} times: back within {max(worst):.2f} s")
