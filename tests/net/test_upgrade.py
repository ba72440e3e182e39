# SPDX-License-Identifier: GPL-2.0-or-later
"""Another program takes the place of a running gate, and nobody notices: the real one, exchanged on disk."""

import asyncio
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time

import pytest

import lab as net
from lab import BUILD, patience, wait_until
from programs import Gate, Portal, descriptors, resident_kib
from test_drain import Opener, echo, held
from test_gate_forward import BEHIND, THERE, accepting
from test_many_flows import serve_forever
from traffic import Server, datagram, each_connection, listener, serve_datagram_echo, serve_echo, stream


class Upgradable(Gate):
    """A gate that runs from a file of its own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.program = self.directory / "usher-gate"
        self.exchange()

    def exchange(self, contents=None):
        """As a package manager does: a new file, renamed."""
        fresh = self.directory / "usher-gate.new"
        if contents is None:
            shutil.copy(BUILD / "usher-gate", fresh)
        else:
            fresh.write_bytes(contents)
            fresh.chmod(0o755)
        fresh.rename(self.program)

    def start(self):
        self.launch(self.program, "run", self.conf)
        wait_until(lambda: self.status(check=False) or self.process.poll() is not None, 10, "usher-gate run")
        assert self.process.poll() is None, self.log()
        return self

    def upgrade(self, check=True):
        return self.host.run(BUILD / "usher-gate", "upgrade", self.name, check=check)


@contextlib.contextmanager
def joined(lab, directory, pki, accept=None, **options):
    gate = Upgradable(lab, directory, pki, **options).start()
    portal = accepting(lab, directory, pki, accept) if accept else Portal(lab, directory, pki)
    try:
        yield portal.start(), gate
    finally:
        portal.down(check=False)
        gate.stop()


def rights(pid):
    """Who it is, and what it may."""
    kept = ("Uid", "Gid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    return [line for line in lines if line.split(":")[0] in kept], limits


def test_twice_in_a_row_under_load(lab, pki, tmp_path, figure):
    """Same process, same pid; flows of all three generations live side by side, and 200 opens a second meet no error."""
    with joined(lab, tmp_path, pki) as (portal, gate), \
            Server(listener(lab.server, net.SERVER4, backlog=4096), each_connection(serve_echo)) as where:
        pid, since = gate.pid(), gate.status()["since"]
        before, may = (descriptors(pid), resident_kib(pid)), rights(pid)
        socks, workers = held(lab, where, 20), gate.worker_pids()
        with Opener(lab, where) as opener:
            for turn in range(2):
                time.sleep(0.5)
                gate.exchange()
                assert gate.upgrade().stdout.startswith("upgraded: ")
                wait_until(lambda: len(portal.status()["leaving"]) == 1 + turn, 5, "another tunnel")
                socks += held(lab, where, 20)
                workers += [new for new in gate.worker_pids() if new not in workers]
            time.sleep(0.5)
        assert opener.errors == [] and opener.count > 100
        figure(f"upgrade twice: {opener.count} opens beside it, the slowest {opener.slowest * 1000:.0f} ms")
        status = gate.status()
        assert (gate.process.poll(), status["pid"], status["since"]) == (None, pid, since)
        assert [(told["pid"], told.get("draining", False)) for told in status["portals"]] == \
            list(zip(workers, (True, True, False)))
        for sock in socks:
            echo(sock, b"still here")
            sock.close()
        wait_until(lambda: gate.worker_pids() == workers[2:] and not portal.status()["leaving"], 10, "the old ones to end")
        assert "tunnel lost" not in portal.log()
        assert os.readlink(f"/proc/{pid}/exe") == str(gate.program)
        assert descriptors(pid) == before[0] and rights(pid) == may
        figure(f"upgrade twice: the supervisor has {resident_kib(pid)} KiB, {before[1]} before")
        assert resident_kib(pid) < before[1] + 2048 or net.SANITIZED


def script(text):
    return b"#!/bin/sh\n" + text.encode() + b"\n"


FLOWS = 10000


async def open_many(host, where, count):
    """So many flows, 500 at a time; each has been answered once."""
    socks, gate = [], asyncio.Semaphore(500)

    async def one(number):
        async with gate:
            sock = stream(host)(where[0])
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, where)
            socks.append((number, sock))

    await asyncio.gather(*(one(number) for number in range(count)))
    await ask_all(socks, b"before")
    return socks


async def ask_all(socks, word):
    loop = asyncio.get_running_loop()
    for number, sock in socks:
        await loop.sock_sendall(sock, b"%s %08d" % (word, number))
    for number, sock in socks:
        wanted, said = b"%s %08d" % (word, number), b""
        while len(said) < len(wanted):
            part = await asyncio.wait_for(loop.sock_recv(sock, 100), patience(20))
            assert part, f"flow {number} has ended"
            said += part
        assert said == wanted, f"flow {number}"


def test_ten_thousand_held_flows(lab, pki, tmp_path, figure):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with joined(lab, tmp_path, pki) as (portal, gate), \
            Server(listener(lab.server, net.SERVER4, backlog=4096), serve_forever) as where:
        (old,) = gate.worker_pids()
        socks = asyncio.run(open_many(lab.client, where, FLOWS))
        before = resident_kib(old), resident_kib(portal.pid())
        gate.exchange()
        begin = time.monotonic()
        assert gate.upgrade().returncode == 0
        took = time.monotonic() - begin
        wait_until(lambda: portal.status()["leaving"], 15, "another tunnel")
        moved = time.monotonic() - begin
        assert portal.status()["leaving"][0]["sessions"] == FLOWS
        asyncio.run(ask_all(socks, b"after "))
        for sock in held(lab, where):  # and new ones go through the new one
            sock.close()
        # A second tunnel's buffers, at the portal.
        assert resident_kib(old) < before[0] + 1024 and resident_kib(portal.pid()) < before[1] + 6144 or net.SANITIZED
        figure(f"upgrade with {FLOWS} flows: {took:.2f} s, the portal has another tunnel after {moved:.2f} s; "
               f"all {FLOWS} answered")
        for _, sock in socks:
            sock.close()
        wait_until(lambda: len(gate.worker_pids()) == 1 and not portal.status()["leaving"], 20, "the old one to end")
        wait_until(lambda: not os.path.exists(f"/proc/{old}"), 5, "the old worker to be gone")


FORWARDS = f"""
[Access branch]
Allow = 10.73.0.0/24
Forward = tcp {THERE}:8080 -> {BEHIND}:80, udp {THERE}:8085 -> {BEHIND}:85
"""
EXPORTS = f"""
[Access branch]
Allow = 10.73.0.0/24
Export = 10.1.0.0/24
"""
ACCEPT = """
[Accept]
Allow = 10.1.0.0/24
"""


class Towards:
    """The lab seen from the gate's side: clients are on its LAN."""

    def __init__(self, lab):
        self.client = lab.server


def test_forwards_move_at_once(lab, pki, tmp_path):
    """Nobody who connects meanwhile is refused, what was accepted goes on, and who sends datagrams is answered."""
    with joined(lab, tmp_path, pki, accept=ACCEPT, access=FORWARDS) as (portal, gate), \
            Server(listener(lab.client, BEHIND, 80), each_connection(serve_echo)), \
            Server(datagram(lab.client, BEHIND, (BEHIND, 85)), serve_datagram_echo), \
            datagram(lab.server, THERE) as asker:
        wait_until(lambda: gate.status()["portals"][0].get("forwards"), 5, "the forwards")
        (old,) = gate.worker_pids()
        asker.connect((THERE, 8085))
        asker.settimeout(patience(2))
        echo(asker)
        socks = held(Towards(lab), (THERE, 8080), 5)
        with Opener(Towards(lab), (THERE, 8080), 100) as opener:
            gate.exchange()
            assert gate.upgrade().returncode == 0
            wait_until(lambda: any(told.get("forwards") and told["pid"] != old for told in gate.status()["portals"]), 5,
                       "the new worker to have them")
            time.sleep(1)
        assert opener.errors == [] and opener.count > 50
        assert [bool(told.get("forwards")) for told in gate.status()["portals"]] == [False, True]
        for sock in socks:
            echo(sock, b"still here")
        for _ in range(3):
            echo(asker, b"and here")
        for sock in socks:
            sock.close()


def test_exports_stay_until_the_old_worker_ends(lab, pki, tmp_path):
    with joined(lab, tmp_path, pki, accept=ACCEPT, access=EXPORTS) as (portal, gate), \
            Server(listener(lab.client, BEHIND), each_connection(serve_echo)) as where:
        wait_until(lambda: gate.status()["portals"][0].get("exports"), 5, "the exports")
        (old,) = gate.worker_pids()
        device = lab.gate.run("ip", "-o", "link", "show", "type", "tun").stdout.split(":")[0]
        socks = held(Towards(lab), where, 5)
        with Opener(Towards(lab), where, 50) as opener:
            gate.exchange()
            assert gate.upgrade().returncode == 0
            wait_until(lambda: len(gate.worker_pids()) == 2, 5, "the new worker")
            time.sleep(0.5)
        for sock in socks:
            echo(sock, b"still here")
        assert [bool(told.get("exports")) for told in gate.status()["portals"]] == [True, False]
        with Opener(Towards(lab), where, 50) as across:
            for sock in socks:
                sock.close()
            time.sleep(0.5)
        wait_until(lambda: len(told := gate.status()["portals"]) == 1 and told[0]["pid"] != old and told[0].get("exports"),
                   10, "the new worker to have the device")
        assert lab.gate.run("ip", "-o", "link", "show", "type", "tun").stdout.split(":")[0] == device
        assert opener.errors == across.errors == []
        for sock in held(Towards(lab), where, 3):
            sock.close()


def test_killed_after_it(lab, pki, tmp_path):
    """The supervisor's workers die with it, those of the program before as well; a new one works."""
    with joined(lab, tmp_path, pki) as (portal, gate), \
            Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        socks = held(lab, where, 3)
        gate.exchange()
        assert gate.upgrade().returncode == 0
        workers = wait_until(lambda: len(pids := gate.worker_pids()) == 2 and pids, 5, "both workers")
        gate.kill(signal.SIGKILL)
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), 5, "no process left")
        for sock in socks:
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        gate.start()
        portal.wait_up(20)
        for sock in held(lab, where):
            sock.close()


SHIM = """
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
__attribute__((constructor)) static void once(void) { unsetenv("LD_PRELOAD"); }
int socket(int domain, int type, int protocol)
{
    if (domain == AF_NETLINK) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}
"""


@pytest.mark.skipif(net.SANITIZED, reason="sanitizers want to be preloaded first")
def test_a_program_that_fails_before_it_stands(lab, pki, tmp_path):
    """It passed its trial; the one before has the process again, with all its flows, and says why."""
    with joined(lab, tmp_path, pki) as (portal, gate), \
            Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        (tmp_path / "shim.c").write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "shim.so", tmp_path / "shim.c"], check=True)
        shutil.copy(gate.program, tmp_path / "real")
        pid, workers, before = gate.pid(), gate.worker_pids(), descriptors(gate.pid())
        socks = held(lab, where, 3)
        gate.exchange(script(f'[ "$1" = run ] && export LD_PRELOAD={tmp_path}/shim.so; exec {tmp_path}/real "$@"'))
        done = gate.upgrade(check=False)
        assert done.returncode == 1 and "the new program gave up: " in done.stderr, done.stderr
        assert "the program that ran goes on" in done.stderr
        assert (gate.process.poll(), gate.status()["pid"], gate.worker_pids()) == (None, pid, workers)
        assert not gate.status()["portals"][0].get("draining")
        for sock in socks:
            echo(sock)
            sock.close()
        assert descriptors(pid) == before
        gate.exchange()
        assert gate.upgrade().returncode == 0


@pytest.mark.parametrize("contents, words", [
    (None, "No such file or directory"),
    (b"", "does not take over"),
    ((BUILD / "usher-gate").read_bytes()[:8192], "usher-gate "),
    (script("exit 0"), "does not take over (it does not say why)"),
    (script("echo usage: something else >&2; exit 2"), "does not take over (usage: something else)"),
    (script("kill -SEGV $$"), "was killed by signal 11"),
    (script("exec sleep 60"), "gave no answer within 8 s"),
    (script("echo takes over: nothing; exit 1"), "does not take over (takes over: nothing)"),
])
def test_a_program_that_cannot(lab, upgradable, contents, words):
    """Everything stays as it was, and one sentence says why."""
    portal, gate = upgradable
    before = portal.status()["since"], descriptors(gate.pid())
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        (sock,) = held(lab, where)
        if contents is None:
            gate.program.unlink()
        else:
            gate.exchange(contents)
        done = gate.upgrade(check=False)
        assert done.returncode == 1 and words in done.stderr and "the program that ran goes on" in done.stderr, done.stderr
        assert words in gate.log() and "the program that ran goes on" in gate.log()
        echo(sock)
        sock.close()
    assert portal.status()["since"] == before[0]
    wait_until(lambda: descriptors(gate.pid()) <= before[1], 2, "descriptors back")
    gate.exchange()
    assert gate.upgrade().returncode == 0
    assert gate.process.poll() is None


@pytest.fixture(scope="module")
def upgradable(lab, pki, tmp_path_factory):
    with joined(lab, tmp_path_factory.mktemp("upgradable"), pki) as both:
        yield both


def test_the_same_program(lab, upgradable):
    portal, gate = upgradable
    before = gate.worker_pids()
    assert "is the one on disk: nothing to do" in gate.upgrade().stdout
    gate.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: gate.log().count("is the one on disk: nothing to do") == 2, 5, "the signal's answer in the log")
    assert gate.worker_pids() == before


def test_by_a_signal(lab, upgradable):
    portal, gate = upgradable
    before = gate.log().count("upgraded from")
    gate.exchange()
    gate.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: gate.log().count("upgraded from") == before + 1, 5, "the next program")
    wait_until(lambda: not any(told.get("draining") for told in gate.status()["portals"]), 20, "the old workers to end")
    assert len(gate.worker_pids()) == 1 and portal.status()["state"] == "up"
