# SPDX-License-Identifier: GPL-2.0-or-later
"""Many portals at one gate, each with a certificate of its own, all in one program by libusher:

    PORTALS=1000 FLOWS=10 python3 -m pytest -q -s tests/net/test_many_portals.py

What an idle one costs the gate in memory and time, how many can log in a second, and what a console's page with all of them
costs. doc/PERFORMANCE.md computes from these figures what a fleet needs."""

import grp
import os
import pathlib
import resource
import subprocess
import sys
import threading
import time

import pytest

import lab as net
from certificates import CLIENT, Authority
from console import GAMES, USHER_CONSOLE, serving
from lab import SANITIZED, patience, wait_until
from programs import Gate, descriptors, proc_number
from test_fleet import Balancer
from test_libusher import CLIENT as PROGRAM
from test_libusher import LIBRARY, configuration
from test_many_flows import serve_forever
from test_processes import children, template
from traffic import Server, listener

PORTALS = int(os.environ.get("PORTALS", 50))
FLOWS = int(os.environ.get("FLOWS", 4))  # of each
EACH, PARALLEL = 250, 8
SOURCES = 20  # each may start so many connections a second
IDLE_SECONDS = float(os.environ.get("IDLE_SECONDS", 1))
ACCESS = """
[Access fleet-*]
Allow = 10.73.0.0/24
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    for number in range(PORTALS):
        authority.issue(f"fleet-{number}", f"fleet-{number}", CLIENT)
    return authority.directory


@pytest.fixture(scope="module")
def sources(lab):
    """The gate has as many addresses, and the portals' machine goes to each from another one."""
    for number in range(SOURCES):
        lab.gate.run("ip", "address", "add", f"10.3.0.{100 + number}/24", "dev", "wan")
        lab.portal.run("ip", "address", "add", f"10.2.0.{100 + number}/24", "dev", "wan")
        lab.portal.run("ip", "route", "add", f"10.3.0.{100 + number}/32", "via", "10.2.0.1", "src", f"10.2.0.{100 + number}")


def memory(pid):
    """KiB: of this process alone, and with shared pages in proportion."""
    rollup = dict(line.split()[:2] for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(rollup["Private_Clean:"]) + int(rollup["Private_Dirty:"]), int(rollup["Pss:"])


class Crowd:
    """The programs with all the portals, of which each may hold a limited number of descriptors."""

    def __init__(self, lab, authority, directory, gate=None):
        for number in range(PORTALS):
            configuration(directory / f"{number}.conf", authority, f"fleet-{number}",
                          gate or f"10.3.0.{100 + number % SOURCES}:4433")
        begin = time.monotonic()
        self.programs = [self.start(lab.portal, directory, first) for first in range(0, PORTALS, EACH)]
        self.slowest = max(slowest for _, slowest in self.answers())
        self.took = time.monotonic() - begin

    @staticmethod
    def start(host, directory, first):
        return host.start(sys.executable, PROGRAM, LIBRARY, "fleet", directory, first, min(EACH, PORTALS - first), PARALLEL,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def answers(self):
        return [[float(word) for word in program.stdout.readline().split()] for program in self.programs]

    def ask(self, *words):
        """How long it took."""
        begin = time.monotonic()
        for program in self.programs:
            program.stdin.write(" ".join(map(str, words)) + "\n")
            program.stdin.flush()
        assert all(self.answers())
        return time.monotonic() - begin

    def end(self):
        programs, self.programs = self.programs, []
        for program in programs:
            program.stdin.close()
        assert {program.wait(patience(60)) for program in programs} <= {0}


def spent(pids):
    """Seconds of a processor; the clock's ticks are too long for what a worker takes."""
    return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids) / 1e9


@pytest.fixture(scope="module")
def gate(lab, authority, sources, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), authority, "gate", access=ACCESS,
                extra=f"MaxPortals = {PORTALS + 100}\nBalancers = 10.3.0.1\nHealth = 10.3.0.2:4480\nControlGroup = {grp.getgrgid(GAMES).gr_name}").start()
    gate.before = memory(gate.pid())[0], descriptors(gate.pid())
    yield gate
    gate.stop()


@pytest.fixture(scope="module")
def crowd(lab, authority, gate, tmp_path_factory):
    crowd = Crowd(lab, authority, tmp_path_factory.mktemp("crowd"))
    yield crowd
    crowd.end()


def test_what_they_cost(gate, crowd, figure):
    supervisor, held = gate.before
    workers = gate.worker_pids()
    assert len(workers) == len(set(workers)) == PORTALS
    assert {portal["identity"] for portal in gate.status()["portals"]} == {f"fleet-{n}" for n in range(PORTALS)}
    everybody = [gate.pid(), *workers]
    login = spent(everybody) / PORTALS
    figure(f"{PORTALS} portals: logged in within {crowd.took:.1f} s, {PORTALS / crowd.took:.0f} a second beside the portals "
           f"themselves, the slowest after {crowd.slowest:.2f} s; a login takes the gate {login * 1000:.1f} ms of a processor")

    time.sleep(2 + IDLE_SECONDS)  # what the handshake took is given back
    begin, cpu = time.monotonic(), spent(everybody)
    time.sleep(IDLE_SECONDS)
    idle = (spent(everybody) - cpu) / (time.monotonic() - begin)
    private, shared = (sum(column) / PORTALS for column in zip(*map(memory, workers)))
    supervisor = (memory(gate.pid())[0] - supervisor) / PORTALS
    tables = sum(proc_number(pid, "VmPTE") for pid in workers) / PORTALS
    figure(f"{PORTALS} portals, idle: a worker has {private:.0f} KiB of its own (PSS {shared:.0f}) and {tables:.0f} of page "
           f"tables; for each the supervisor has {supervisor:.1f} KiB and {(descriptors(gate.pid()) - held) / PORTALS:.1f} "
           f"descriptors more; all of them take {idle * 100:.1f} % of a processor")
    begin = time.monotonic()
    gate.status()
    figure(f"{PORTALS} portals: status --json takes {(time.monotonic() - begin) * 1000:.0f} ms")
    assert (private < 240 and tables < 100) or SANITIZED
    assert idle < PORTALS * 0.0005 + 0.1 or SANITIZED


def middle(values):
    return sorted(values)[len(values) // 2]


def span(values):
    least, most = min(values) * 1000, max(values) * 1000
    return f"{middle(values) * 1000:.0f} ms ({least:.0f}..{most:.0f})"


def echoes(crowd):
    """What each round over all flows has taken, for as long as an idle gate was watched."""
    end, times = time.monotonic() + IDLE_SECONDS, []
    while time.monotonic() < end or len(times) < 3:
        times.append(crowd.ask("echo"))
    return times


@pytest.mark.skipif(not USHER_CONSOLE.exists(), reason="built without libmicrohttpd")
def test_a_console(lab, gate, crowd, figure):
    """Its page while all flows are in use, and what that takes from them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
    with Server(listener(lab.server, net.SERVER4, backlog=4096), serve_forever) as (host, port):
        opening = crowd.ask("flows", FLOWS, host, port)
        alone = echoes(crowd)
        with serving(groups=[GAMES]) as console:
            console.log_in()
            page = f"/instance?name={gate.name}"
            wait_until(lambda: "fleet-7" in console.ask(page).text, 20, "the gate's page")
            assert f'usher_balanced_connections_total{{instance_name="{gate.name}"}} 0' in console.ask("/metrics").text
            ended, times = threading.Event(), []

            def look():
                while not ended.wait(0.2):
                    begin = time.monotonic()
                    text = console.ask(page).text
                    times.append(time.monotonic() - begin)
                    assert "fleet-7" in text

            thread = threading.Thread(target=look)
            thread.start()
            beside = echoes(crowd)
            ended.set()
            thread.join()
        again = echoes(crowd)
    assert sum(portal["sessions"] for portal in gate.status()["portals"]) >= PORTALS * FLOWS
    figure(f"{PORTALS * FLOWS} flows of {PORTALS} portals: opened in {opening:.1f} s; an echo over each takes {span(alone + again)}, "
           f"and {span(beside)} beside a console whose page is asked for all the time and opens in {span(times)}")
    assert middle(times) < patience(1)


def test_they_go(gate, crowd):
    crowd.end()
    wait_until(lambda: children(gate.pid()) == [template(gate)], 20, "all workers have ended")
    wait_until(lambda: descriptors(gate.pid()) == gate.before[1], 5, "their descriptors")


@pytest.mark.skipif(PORTALS < 500, reason="what a balancer takes for so few cannot be told")
def test_through_a_balancer(lab, authority, gate, tmp_path, figure):
    balancer = Balancer(lab.wan, tmp_path, 1)
    wait_until(lambda: balancer.states() == {"gate0": "UP"}, 10, "the gate is up for the balancer")
    before, crowd = memory(balancer.process.pid)[0], None
    try:
        begin = spent([balancer.process.pid])
        crowd = Crowd(lab, authority, tmp_path, "10.2.0.1:4433")
        took = spent([balancer.process.pid]) - begin
        assert len(gate.worker_pids()) == PORTALS
        figure(f"{PORTALS} portals through HAProxy: {(memory(balancer.process.pid)[0] - before) / PORTALS:.1f} KiB of its own and "
               f"{took / PORTALS * 1000:.1f} ms of a processor for each; logged in within {crowd.took:.1f} s, all from one address")
    finally:
        if crowd:
            crowd.end()
        balancer.stop()
