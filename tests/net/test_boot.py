# SPDX-License-Identifier: GPL-2.0-or-later
"""A router that nobody sits at: the portal begins with the machine, before there is a network, a name or a time, and is
there when they come; a service manager hears of each step. Its uplinks are DHCP's, and there are two of them."""

import contextlib
import os
import pathlib
import signal
import socket
import tempfile
import time

import pytest

import lab as net
from lab import Lab, patience, run, wait_until
from programs import GATE_NAME, USHER_PKI, USHER_TUN, Gate, Portal
from traffic import Server, each_connection, listener, serve_echo, stream

FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

# As udhcpc calls it; the packaged one would write into the machine's own /etc. The client is started for each exchange, so
# that what it begins with, to forget the address, is left out.
LEASE = """#!/bin/sh
case $1 in bound | renew)
    ip address show dev "$interface" | grep -q " $ip/" || ip address flush dev "$interface" scope global
    ip address replace "$ip/24" dev "$interface"
    ip route replace default via "$router" dev "$interface" metric "${METRIC:-100}"
    ;;
esac
exit 0
"""


class Service(Portal):
    """A portal as a service manager starts it, which listens to what it is told."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.place = tempfile.TemporaryDirectory()  # where nobody may write to it, too
        os.chmod(self.place.name, 0o755)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.manager.bind(self.place.name + "/notify")
        os.chmod(self.manager.getsockname(), 0o777)
        self.environment, self.told = {"NOTIFY_SOCKET": self.manager.getsockname()}, []

    def boot(self):
        words = [f"{name}={value}" for name, value in self.environment.items()]
        self.launch("env", *words, USHER_TUN, "up", "-f", self.conf)
        return self

    def hears(self, words, seconds=5):
        """The moment at which the service manager is told something with these words in it."""
        def look():
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.told.append(self.manager.recv(4096).decode())
            assert self.process.poll() is None, self.log()
            return any(words in line for line in self.told)

        wait_until(look, seconds, f"{words} among {self.told}")
        return time.monotonic()


class Leases:
    """dnsmasq on one side of a wire and a DHCP client on the other."""

    def __init__(self, directory, server, server_device, client, client_device, **environment):
        self.directory, self.server, self.server_device = directory, server, server_device
        self.client, self.client_device, self.environment = client, client_device, environment
        self.script = directory / "lease"
        self.script.write_text(LEASE)
        self.script.chmod(0o755)
        self.processes = []

    def serve(self, first, router):
        while self.processes:
            process = self.processes.pop(0)
            process.kill()
            process.wait()
        leases = self.directory / f"leases-{self.server_device}-{first}"
        self.processes.append(self.server.start(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--port=0",
            f"--interface={self.server_device}", "--bind-interfaces", f"--dhcp-range={first},{first},2m", "--no-ping",
            f"--dhcp-option=3,{router}", "--dhcp-authoritative", f"--dhcp-leasefile={leases}", "--pid-file=",
            stdout=open(os.devnull, "w"), stderr=open(os.devnull, "w")))
        return self

    def ask(self):
        """One exchange with the server; the lease script does the rest."""
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        self.client.run("env", *environment, "udhcpc", "-i", self.client_device, "-s", self.script, "-f", "-q", "-n", "-t", 8,
                        "-T", 1, "-A", 1)
        return self

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    yield lab
    lab.delete()


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki).start()
    yield gate
    gate.stop()


@pytest.fixture
def echo(lab):
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        yield where


@pytest.fixture
def uplink(lab, tmp_path):
    """The portal's wire to the world has no address and no route, as before a boot; afterwards it has them again."""
    lab.portal.run("ip", "address", "flush", "dev", "wan", "scope", "global")
    lab.portal.run("ip", "link", "set", "wan", "down")
    leases = Leases(tmp_path, lab.wan, "left", lab.portal, "wan")
    yield leases
    leases.stop()
    lab.portal.run("ip", "address", "flush", "dev", "wan", "scope", "global")
    lab.portal.run("ip", "link", "set", "wan", "up")
    lab.portal.address("wan", "10.2.0.2/24", "fd02::2/64")
    for family, via in (("-4", "10.2.0.1"), ("-6", "fd02::1")):
        lab.portal.run("ip", family, "route", "replace", "default", "via", via)


@pytest.fixture
def service(lab, pki, tmp_path):
    made = []

    def make(**kwargs):
        made.append(Service(lab, tmp_path, pki, **kwargs))
        return made[-1]

    yield make
    for portal in made:
        portal.down(check=False)


@pytest.fixture
def leaks(lab, tmp_path):
    """What the world sees of the protected network in clear."""
    capture = tmp_path / "leaks.pcap"
    dump = lab.wan.start("tcpdump", "-q", "-n", "-U", "-i", "left", "-w", capture, "net 10.73.0.0/24 or net fd73::/64",
                         stderr=open(os.devnull, "w"))
    wait_until(lambda: capture.exists() and capture.stat().st_size, 5, "tcpdump running")
    yield lambda: len(lab.wan.run("tcpdump", "-n", "-r", capture, check=False).stdout.splitlines())
    dump.kill()
    dump.wait()


def echoes(host, where, timeout=5):
    with stream(host)(where[0], timeout) as sock:
        sock.connect(where)
        sock.sendall(b"ping")
        return sock.recv(10) == b"ping"


def knock(host):
    """A packet to the protected network, whatever becomes of it."""
    with host.enter():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock, contextlib.suppress(OSError):
        sock.sendto(b"leak?", (net.SERVER4, 9))


@pytest.mark.parametrize("routes", [Portal.ROUTES, "0.0.0.0/0, ::/0"], ids=["split", "default"])
def test_a_boot_before_the_network(lab, gate, service, uplink, leaks, echo, figure, routes):
    """No address, no route: the service is ready at once. DHCP brings both, and the tunnel comes by itself."""
    portal = service(routes=routes, extra="UpTimeout = 1s").boot()
    portal.hears("READY=1", 2)
    portal.hears("STATUS=connecting, gate 10.3.0.2:4433")
    assert "0x7573" in lab.portal.run("ip", "rule").stdout
    for host in (lab.client, lab.portal):
        knock(host)
    time.sleep(1.5)  # past UpTimeout, which nobody waits for
    assert portal.status()["state"] == "connecting" and portal.status()["last_error"]
    lab.portal.run("ip", "link", "set", "wan", "up")
    knock(lab.portal)
    uplink.serve("10.2.0.50", "10.2.0.1").ask()
    begin = time.monotonic()
    portal.wait_up(2)
    figure(f"{routes}: the tunnel is up {time.monotonic() - begin:.2f} s after the lease")
    portal.hears("STATUS=up")
    assert echoes(lab.client, echo) and echoes(lab.portal, echo)
    assert leaks() == 0


def test_a_name_that_cannot_be_resolved_yet(lab, gate, service, uplink, tmp_path):
    """The name server is named by what comes with the uplink, as DHCP does."""
    etc = pathlib.Path("/etc/netns") / lab.portal.name
    etc.mkdir(parents=True)
    resolv = etc / "resolv.conf"
    resolv.write_text("")
    names = None
    try:
        portal = service(address=f"{GATE_NAME}:4433").boot()
        portal.hears("READY=1", 2)
        time.sleep(0.5)
        assert portal.status()["state"] == "connecting"
        names = lab.wan.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
                              "--bind-interfaces", "--listen-address=10.2.0.1", "--pid-file=",
                              f"--address=/{GATE_NAME}/10.3.0.2")
        resolv.write_text("nameserver 10.2.0.1\n")
        lab.portal.run("ip", "link", "set", "wan", "up")
        uplink.serve("10.2.0.51", "10.2.0.1").ask()
        portal.wait_up(12)  # the list of servers is read with the next attempt
        names.kill()
        names.wait()
        workers = gate.worker_pids()
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: set(gate.worker_pids()) - set(workers), 8, "it finds the gate where it was")
        portal.wait_up(1)
    finally:
        if names:
            names.kill()
            names.wait()
        resolv.unlink()
        etc.rmdir()


def test_a_gate_that_comes_last_and_one_that_refuses(lab, pki, service, tmp_path, echo):
    """For a service nothing is final: what was refused is let in when the gate thinks better of it."""
    portal = service(address="10.3.0.2:4444").boot()
    portal.hears("READY=1", 2)
    run(USHER_PKI, "issue", pki, "gate", "strict.example.net")
    strict = Gate(lab, tmp_path, pki, listen="10.3.0.2:4444", certificate="strict.example.net", name="strict").start()
    try:
        portal.hears("is for another name", 12)
    finally:
        strict.stop()
    gate = Gate(lab, tmp_path, pki, listen="10.3.0.2:4444", name="right").start()
    try:
        portal.wait_up(12)
        assert echoes(lab.client, echo)
    finally:
        gate.stop()


@pytest.mark.skipif(not FAKETIME, reason="no libfaketime")
def test_a_clock_that_is_not_set(lab, gate, service, echo):
    """Nobody is asked while the clock cannot be right; when it is set the tunnel comes, without a touch."""
    portal = service()
    clock = pathlib.Path(portal.place.name) / "clock"
    clock.write_text("@1970-01-01 00:00:10")
    portal.environment.update(LD_PRELOAD=FAKETIME, FAKETIME_TIMESTAMP_FILE=clock, DONT_FAKE_MONOTONIC=1, FAKETIME_NO_CACHE=1)
    before = {there["address"] for there in gate.status()["portals"]}  # a login that nobody could say goodbye for
    portal.boot()
    portal.hears("READY=1", 2)
    portal.hears("STATUS=connecting: the clock says 1970-01-01, and it is 20", 3)
    status = portal.status()
    assert status["state"] == "connecting" and "no certificate can be judged until it is set" in status["last_error"]
    time.sleep(2)
    assert portal.log().count("until it is set") == 1  # one sentence, however often it is tried
    assert {there["address"] for there in gate.status()["portals"]} <= before
    clock.write_text("+0")
    try:  # by nothing, which the kernel tells everybody who asked to be told
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME))
        portal.wait_up(1)
    except PermissionError:
        portal.wait_up(12)  # with the next attempt
    assert echoes(lab.client, echo)


def test_the_background_has_a_limit_and_says_why(lab, pki, tmp_path):
    if not FAKETIME:
        pytest.skip("no libfaketime")
    portal = Portal(lab, tmp_path, pki, extra="UpTimeout = 1s")
    done = lab.portal.run("env", f"LD_PRELOAD={FAKETIME}", "FAKETIME=@1970-01-01 00:00:10", "DONT_FAKE_MONOTONIC=1",
                          USHER_TUN, "up", portal.conf, check=False)
    assert done.returncode == 1 and "the clock says 1970-01-01" in done.stderr
    assert "usher0" not in lab.portal.run("ip", "link").stdout


@pytest.mark.skipif(not FAKETIME, reason="no libfaketime")
@pytest.mark.parametrize("when,words", [("@1970-01-01 00:00:10", "the clock here says 1970-01-01"), ("+1000d", "has expired")])
def test_a_gate_with_a_wrong_clock_lets_nobody_in(lab, pki, tmp_path, when, words):
    gate = Gate(lab, tmp_path, pki, listen="10.3.0.2:4455", name="lost", extra="")
    gate.conf.write_text(gate.conf.read_text().replace(f"CRL = {pki}/crl.pem", ""))
    gate.launch("env", f"LD_PRELOAD={FAKETIME}", f"FAKETIME={when}", "DONT_FAKE_MONOTONIC=1", net.BUILD / "usher-gate", "run",
                gate.conf)
    portal = Portal(lab, tmp_path, pki, address="10.3.0.2:4455", name="kept-out", extra="UpTimeout = 3s")
    try:
        wait_until(lambda: gate.status(check=False), 10, "the gate")
        assert lab.portal.run(USHER_TUN, "up", portal.conf, check=False).returncode == 1
        wait_until(lambda: words in gate.log(), 5, f"{words} in the log of the gate")
    finally:
        gate.stop()


def test_a_renewal_with_another_address(lab, gate, service, uplink, echo, figure):
    """The same address again is no news to the tunnel; another one is the end of it, and the next one is there at once."""
    lab.portal.run("ip", "link", "set", "wan", "up")
    uplink.serve("10.2.0.60", "10.2.0.1").ask()
    portal = service().boot()
    portal.wait_up(5)
    since = gate.status()["portals"][0]["since"]
    with stream(lab.client)(echo[0]) as held:
        held.connect(echo)
        uplink.ask()
        held.sendall(b"still")
        assert held.recv(10) == b"still"
    assert gate.status()["portals"][0]["since"] == since
    uplink.serve("10.2.0.61", "10.2.0.1").ask()
    begin = time.monotonic()
    assert echoes(lab.client, echo, 3)
    figure(f"another address: a new flow is answered {time.monotonic() - begin:.2f} s after the lease")
    wait_until(lambda: [there["address"].split(":")[0] for there in gate.status()["portals"]] == ["10.2.0.61"], 5,
               "one login, from the new address")
