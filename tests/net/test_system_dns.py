# SPDX-License-Identifier: GPL-2.0-or-later
"""This machine's programs are made to ask the portal for names: by resolv.conf, or by the real systemd-resolved.

All of it in mount namespaces with an /etc of their own: the machine's own resolv.conf is never touched."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from lab import BUILD, NAMESERVER4, run, wait_until
from programs import ALLOW_ALL, USHER_TUN, Gate, Portal

NAMES = """Dns = 10.73.0.53
Domains = corp.example, ~10.in-addr.arpa
UpTimeout = 0"""
OLD = "# the router's\nnameserver 10.2.0.1\nsearch old.example\noptions edns0\n"
OURS = """nameserver 198.18.0.1
nameserver fd75:7368:6572::1
search corp.example old.example
options edns0
"""


class Room:
    """The portal's host with an /etc and a /run/systemd of its own; stands in for the host."""

    def __init__(self, host, environment=None):
        self.environment = {**os.environ, **(environment or {})}
        script = """mount -t tmpfs etc /mnt && cp -a /etc/. /mnt/ && mount --move /mnt /etc && rm -f /etc/resolv.conf
            mkdir -p /run/systemd && mount -t tmpfs run /run/systemd && echo ready && exec sleep infinity"""
        self.holder = host.start("unshare", "-m", "--propagation", "private", "sh", "-ec", script,
                                 stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        # As seen from outside.
        self.etc = pathlib.Path(f"/proc/{self.holder.pid}/root/etc")
        self.file = self.etc / "resolv.conf"

    def argv(self, *argv):
        place = f"/proc/{self.holder.pid}/ns"
        return ["nsenter", f"--net={place}/net", f"--mount={place}/mnt", *map(str, argv)]

    def run(self, *argv, **kwargs):
        return run(*self.argv(*argv), env=self.environment, **kwargs)

    def start(self, *argv, **kwargs):
        return subprocess.Popen(self.argv(*argv), env=self.environment, **kwargs)

    def left(self):
        """Our files in /etc."""
        return sorted(p.name for p in self.etc.iterdir() if p.name.startswith("resolv.conf"))

    def close(self):
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def room(lab):
    room = Room(lab.portal)
    room.file.write_text(OLD)
    yield room
    room.close()


class Resolving(Portal):
    """In a room; no gate is needed to be asked for names."""

    SYSTEM_DNS = ""

    def __init__(self, lab, room, directory, pki, extra=NAMES, **kwargs):
        super().__init__(lab, directory, pki, extra=extra, **kwargs)
        self.host = room

    def start(self):
        self.launch(USHER_TUN, "up", "-f", self.conf)
        wait_until(lambda: self.status(check=False) or self.process.poll() is not None, 10, "usher-tun up")
        assert self.process.poll() is None, self.log()
        return self

    def keeper(self):
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if (entry / "comm").read_text() == "usher-tun-dns\n" and \
                        int(re.search(r"PPid:\t(\d+)", (entry / "status").read_text())[1]) in (self.pid(), 1) and \
                        os.readlink(entry / "ns/mnt") == os.readlink(f"/proc/{self.host.holder.pid}/ns/mnt"):
                    return int(entry.name)
            except (FileNotFoundError, ProcessLookupError, TypeError):
                pass
        return None

    def header(self):
        backup = f"/etc/resolv.conf.usher-tun-{self.name}"
        return f"# Written by usher-tun {self.name}: usher-tun down {self.name} puts back {backup}\n"


@pytest.fixture
def portal(lab, room, pki, tmp_path):
    portal = Resolving(lab, room, tmp_path, pki, name="names")
    yield portal
    portal.down(check=False)


def test_taken_over_and_given_back(portal, room):
    inode = room.file.stat().st_ino
    portal.start()
    assert room.file.read_text() == portal.header() + OURS
    assert room.file.stat().st_mode & 0o777 == 0o644
    assert portal.status()["system_dns"] == "resolv.conf"
    assert "other names are asked at 10.2.0.1" in portal.log()
    portal.down()
    assert room.file.read_text() == OLD and room.file.stat().st_ino == inode
    assert room.left() == ["resolv.conf"]


def test_the_keeper_is_small_and_sealed(portal):
    portal.start()
    keeper = portal.keeper()
    status = pathlib.Path(f"/proc/{keeper}/status").read_text()
    assert re.search(r"CapEff:\t(\w+)", status)[1] == "0000000000000002"  # CAP_DAC_OVERRIDE
    assert re.search(r"CapBnd:\t(\w+)", status)[1] == "0000000000000000"
    assert re.search(r"Seccomp:\t(\d)", status)[1] == "2" and re.search(r"NoNewPrivs:\t(\d)", status)[1] == "1"
    kinds = [os.readlink(f"/proc/{keeper}/fd/{fd}") for fd in sorted(os.listdir(f"/proc/{keeper}/fd"), key=int)]
    assert len(kinds) == 6, kinds  # stdin, stdout, stderr, the portal, our file, inotify
    assert any("inotify" in kind for kind in kinds)


def test_a_killed_portal_gives_back_within_a_second(portal, room):
    portal.start()
    portal.kill()
    wait_until(lambda: room.file.read_text() == OLD, 1, "the old one")
    wait_until(lambda: portal.keeper() is None, 1, "the end of the keeper")
    assert room.left() == ["resolv.conf"]
    assert portal.down().returncode == 0


def test_the_next_one_at_once(portal, room):
    """As a service manager does it, while the keeper of the dead one may be about to give back."""
    portal.start()
    for _ in range(3):
        portal.kill()
        portal.start()
        assert room.file.read_text() == portal.header() + OURS
    assert portal.log().count("other names are asked at 10.2.0.1") == 4
    portal.down()
    assert room.file.read_text() == OLD and room.left() == ["resolv.conf"]


def kill_both(portal):
    keeper = portal.keeper()
    os.kill(keeper, signal.SIGKILL)
    portal.kill()
    wait_until(lambda: portal.keeper() is None, 1, "the end of the keeper")


def test_down_gives_back_what_two_dead_ones_left(portal, room):
    portal.start()
    kill_both(portal)
    assert room.file.read_text() == portal.header() + OURS
    assert portal.down().returncode == 0
    assert room.file.read_text() == OLD and room.left() == ["resolv.conf"]


@pytest.mark.parametrize("same", [True, False])
def test_up_knows_it_again_after_a_reboot(lab, portal, room, pki, tmp_path, same):
    """/run is empty then, and what is ours still there; it is no server to ask for other names."""
    portal.start()
    kill_both(portal)
    portal.down()  # routes
    backup = room.etc / f"resolv.conf.usher-tun-{portal.name}"
    room.file.rename(backup)
    room.file.write_text(portal.header() + OURS)
    next_one = portal if same else Resolving(lab, room, tmp_path, pki, name="next")
    next_one.start()
    try:
        assert room.file.read_text() == next_one.header() + OURS
        assert next_one.log().rstrip().count("other names are asked at 10.2.0.1") == (2 if same else 1)
    finally:
        next_one.down()
    assert room.file.read_text() == OLD and room.left() == ["resolv.conf"]


def test_the_keeper_alone_is_killed(portal, room):
    portal.start()
    os.kill(portal.keeper(), signal.SIGKILL)
    wait_until(lambda: "`usher-tun down` gives it back" in portal.log(), 2, "word of it")
    assert portal.status()["system_dns"] == "resolv.conf"
    portal.down()
    assert room.file.read_text() == OLD and room.left() == ["resolv.conf"]


def in_place(room, text):
    room.file.write_text(text)


def anew(room, text):
    (room.etc / "new").write_text(text)
    (room.etc / "new").rename(room.file)


@pytest.mark.parametrize("write", [in_place, anew])
def test_another_program_writes_it(portal, room, write):
    """It knows better where other names are asked; and it is its file that is given back."""
    portal.start()
    write(room, "nameserver 10.2.0.9\n")
    wait_until(lambda: room.file.read_text().startswith(portal.header()), 3, "it to lead here again")
    wait_until(lambda: "written by another program" in portal.log(), 1, "word of it")
    assert "other names are asked at 10.2.0.9" in portal.log()
    portal.kill(signal.SIGTERM)
    assert room.file.read_text() == "nameserver 10.2.0.9\n" and room.left() == ["resolv.conf"]


def test_a_manager_that_insists_is_not_fought_at_full_speed(portal, room):
    portal.start()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if room.file.read_text().startswith(portal.header()):
            anew(room, "nameserver 10.2.0.9\n")
        time.sleep(0.02)
    assert 2 <= portal.log().count("written by another program") <= 5  # pauses of 0.2, 0.4, 0.8, 1.6 s


def test_what_others_wrote_after_both_died_stays(portal, room):
    portal.start()
    kill_both(portal)
    anew(room, "nameserver 10.2.0.9\n")
    told = portal.down().stderr
    assert room.file.read_text() == "nameserver 10.2.0.9\n"
    backup = f"resolv.conf.usher-tun-{portal.name}"
    assert f"/etc/{backup}" in told and (room.etc / backup).read_text() == OLD


def test_a_link_stays_one(portal, room):
    (room.etc / "manager").write_text(OLD)
    room.file.unlink()
    room.file.symlink_to("manager")
    portal.start()
    assert not room.file.is_symlink() and (room.etc / "manager").read_text() == OLD
    portal.kill()
    wait_until(room.file.is_symlink, 1, "the link")
    assert os.readlink(room.file) == "manager" and room.left() == ["resolv.conf"]


def test_a_bind_mount_is_written_in_place(portal, room):
    """As the container engines have it."""
    (room.etc / "host").write_text(OLD)
    room.run("mount", "--bind", "/etc/host", "/etc/resolv.conf")
    portal.start()
    assert room.file.read_text() == (room.etc / "host").read_text() == portal.header() + OURS
    portal.kill()
    wait_until(lambda: room.file.read_text() == OLD, 1, "the old one")
    assert (room.etc / "host").read_text() == OLD
    wait_until(lambda: room.left() == ["resolv.conf"], 1, "nothing left")
    assert "/etc/resolv.conf" in room.run("findmnt", "-rn", "/etc/resolv.conf").stdout


def test_where_there_was_none_there_is_none(portal, room):
    room.file.unlink()
    portal.start()
    assert room.file.read_text().startswith(
        f"# Written by usher-tun {portal.name}: usher-tun down {portal.name} removes it\nnameserver 198.18.0.1\n")
    assert "other names are asked at 127.0.0.1" in portal.log()  # as the C library does
    portal.down()
    assert room.left() == []


def test_read_only(portal, room):
    room.run("mount", "-o", "remount,ro", "/etc")
    portal.start()
    assert portal.status()["system_dns"] == "none"
    assert portal.log().count("Read-only file system") == 1
    assert f"not made to ask here for names: /etc/resolv.conf.usher-tun-{portal.name}: Read-only" in portal.log()
    assert portal.down().returncode == 0


def test_switched_off(lab, room, pki, tmp_path):
    portal = Resolving(lab, room, tmp_path, pki, extra=f"{NAMES}\nSystemDns = no", name="off").start()
    assert portal.status()["system_dns"] == "none" and room.file.read_text() == OLD
    portal.down()


def test_without_names(lab, room, pki, tmp_path):
    portal = Resolving(lab, room, tmp_path, pki, extra="UpTimeout = 0", name="without").start()
    assert "system_dns" not in portal.status() and room.file.read_text() == OLD
    portal.down()


def test_a_failed_start_gives_back(lab, room, pki, tmp_path):
    portal = Resolving(lab, room, tmp_path, pki, extra=NAMES.replace("UpTimeout = 0", "UpTimeout = 1s"), name="failing")
    done = room.run(USHER_TUN, "up", portal.conf, check=False)  # and waits for nobody's stderr
    assert done.returncode == 1 and "no tunnel to" in done.stderr
    assert room.file.read_text() == OLD and room.left() == ["resolv.conf"]


def test_one_portal_at_a_time(lab, portal, room, pki, tmp_path):
    portal.start()
    second = Resolving(lab, room, tmp_path, pki, extra=f"{NAMES}\nDnsAddress = 198.19.0.1", name="second",
                       device="usher1", routes="10.74.0.0/24").start()
    try:
        assert second.status()["system_dns"] == "none"
        assert f"is that of usher-tun {portal.name}, which is running" in second.log()
        assert room.file.read_text() == portal.header() + OURS
        portal.down()
        assert room.file.read_text() == OLD
    finally:
        second.down()
    assert room.file.read_text() == OLD and room.left() == ["resolv.conf"]


@contextlib.contextmanager
def name_server(host, address, *names):
    server = host.start("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
                        "--pid-file", "--bind-interfaces", f"--listen-address={address}",
                        *(f"--address=/{name}" for name in names))
    try:
        yield
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def world(lab, room, pki, tmp_path):
    """A gate, a server behind it that knows corp.example, and one before it that knows the rest: 10.2.0.1. The portal
    is told the gate's name, which only the latter knows."""
    with name_server(lab.server, NAMESERVER4, "db.corp.example/10.73.0.2", "elsewhere.example/10.73.0.99"), \
            name_server(lab.wan, "10.2.0.1", "gate.example.net/10.3.0.2", "elsewhere.example/192.0.2.80",
                        "corp.example/192.0.2.99"):
        gate = Gate(lab, tmp_path, pki, access=f"{ALLOW_ALL}\n[Access other]\nAllow = 10.74.0.0/24").start()
        portal = Resolving(lab, room, tmp_path, pki, address="gate.example.net:4433", name="world")
        yield portal, gate
        portal.down(check=False)
        gate.stop()


def looked_up(room, name):
    """As every program does it, with the C library."""
    done = room.run("getent", "ahostsv4", name, check=False)
    return done.stdout.split()[0] if done.returncode == 0 else None


def assert_resolves(room):
    assert looked_up(room, "db.corp.example") == "10.73.0.2"
    assert looked_up(room, "db") == "10.73.0.2"
    assert looked_up(room, "www.elsewhere.example") == "192.0.2.80"
    assert looked_up(room, "nosuch.corp.example") is None


def test_programs_of_this_machine_find_both(world, room):
    """The gate's own name, too: what leads to the gate cannot be asked for through it; nor the second time."""
    portal, gate = world
    portal.start().wait_up(10)
    assert room.file.read_text() == portal.header() + OURS
    assert_resolves(room)
    gate.stop()
    gate.start()
    portal.wait_up(10)
    assert_resolves(room)
    portal.down()
    assert looked_up(room, "www.elsewhere.example") == "192.0.2.80"
    assert looked_up(room, "db.corp.example") == "192.0.2.99"


def test_another_portal_finds_its_gate_meanwhile(lab, world, room, pki, tmp_path):
    """It stays outside of every tunnel with its questions, and resolv.conf leads into one now."""
    portal, gate = world
    other = Resolving(lab, room, tmp_path, pki, address="gate.example.net:4433", certificate="other", extra="UpTimeout = 0",
                      routes="10.74.0.0/24", device="usher1", name="other")
    portal.start().wait_up(10)
    try:
        other.start().wait_up(5)
        gate.stop()
        gate.start()
        other.wait_up(10)
    finally:
        other.down()


@pytest.mark.parametrize("is_link", [False, True])
def test_other_servers_are_asked_as_soon_as_they_are_known(world, room, is_link):
    """A dead one before, as after a change of the network. The manager of a link's target writes there."""
    portal, _ = world
    if is_link:
        room.file.unlink()
        room.file.symlink_to("manager/resolv.conf")
        (room.etc / "manager").mkdir()
    written = room.file.parent / "manager/resolv.conf" if is_link else room.file
    written.write_text("nameserver 10.2.0.77\noptions timeout:1 attempts:1\n")
    portal.start()
    assert is_link or looked_up(room, "www.elsewhere.example") is None  # once is enough: it takes seconds
    written.with_name("new").write_text("nameserver 10.2.0.1\n")
    written.with_name("new").rename(written)
    portal.wait_up(10)  # the gate's name can be had now
    assert_resolves(room)
    portal.down()
    assert room.file.read_text() == "nameserver 10.2.0.1\n" and room.file.is_symlink() == is_link


def test_in_the_background(world, room):
    """The command returns, and nobody holds on to its streams."""
    portal, _ = world
    room.run(USHER_TUN, "up", portal.conf)
    assert_resolves(room)
    os.kill(portal.status()["pid"], signal.SIGKILL)
    wait_until(lambda: room.file.read_text() == OLD, 1, "the old one")


# ------------------------------------------------------------------------------------------- systemd-resolved itself

BUS = """<busconfig><type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>"""


@pytest.fixture(scope="session")
def resolved_files():
    """The program and resolvectl. Installing the package would turn the machine's own resolv.conf into a link, so it is
    only unpacked."""
    if os.path.exists("/lib/systemd/systemd-resolved"):
        return pathlib.Path("/")
    place = BUILD / "systemd-resolved"
    if not (place / "lib/systemd/systemd-resolved").exists():
        place.mkdir(exist_ok=True)
        done = run("apt-get", "-q", "download", "systemd-resolved", cwd=place, check=False)
        if done.returncode != 0:
            pytest.skip("the package systemd-resolved cannot be had")
        for package in place.glob("systemd-resolved_*.deb"):
            run("dpkg", "-x", package, place)
    return place


class Resolved:
    """systemd-resolved on a bus of its own, in a room; without systemd."""

    def __init__(self, room, files, directory):
        self.room, self.files = room, files
        path = "/run/systemd/bus"  # which everybody may look at
        (directory / "bus.conf").write_text(BUS.format(path=path))
        room.environment["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={path}"
        with (room.etc / "passwd").open("a") as file:
            file.write("systemd-resolve:x:990:990::/:/usr/sbin/nologin\n")
        with (room.etc / "group").open("a") as file:
            file.write("systemd-resolve:x:990:\n")
        (room.etc / "systemd/resolved.conf").write_text("[Resolve]\nDNS=10.2.0.1\nLLMNR=no\nMulticastDNS=no\n")
        room.run("install", "-d", "-o", "990", "-g", "990", "/run/systemd/resolve")
        self.bus = room.start("dbus-daemon", f"--config-file={directory}/bus.conf", "--nofork")
        wait_until(lambda: room.etc.parent.joinpath(path[1:]).exists(), 5, "the bus")
        self.start()
        room.file.unlink()
        room.file.symlink_to("../run/systemd/resolve/stub-resolv.conf")

    def start(self):
        self.process = self.room.start(self.files / "lib/systemd/systemd-resolved")
        wait_until(lambda: self.ask().returncode == 0, 5, "systemd-resolved")

    def ask(self):
        return self.room.run(self.files / "usr/bin/resolvectl", "--no-pager", "status", check=False)

    def link(self):
        """What it says of the portal's device, without what it does with it."""
        section = re.search(r"Link \d+ \(usher0\)\n(.*?)(?:\n\n|\Z)", self.ask().stdout, re.S)
        return re.sub(r"\s+", " ", section[1]) if section else None

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def close(self):
        self.stop()
        self.bus.terminate()
        self.bus.wait()


@pytest.fixture
def resolved(room, resolved_files, tmp_path):
    resolved = Resolved(room, resolved_files, tmp_path)
    yield resolved
    resolved.close()


def assert_told(resolved):
    link = wait_until(lambda: (resolved.link() or "").count("Scopes: DNS") and resolved.link(), 5, "the link in use")
    assert "DNS Servers: 198.18.0.1 fd75:7368:6572::1" in link
    assert "DNS Domain: corp.example ~10.in-addr.arpa" in link
    assert "-DefaultRoute -LLMNR -mDNS -DNSOverTLS DNSSEC=no" in link


def test_systemd_resolved(portal, room, resolved):
    portal.start()
    assert portal.status()["system_dns"] == "systemd-resolved"
    assert os.readlink(room.file) == "../run/systemd/resolve/stub-resolv.conf"
    assert portal.keeper() is None
    assert_told(resolved)
    resolved.stop()
    resolved.start()
    assert_told(resolved)  # it keeps what it was told
    portal.kill()
    wait_until(lambda: resolved.link() is None, 2, "the link to go")
    assert os.listdir(f"/proc/{room.holder.pid}/root/run/systemd/resolve/netif") == []


def test_programs_of_this_machine_find_both_by_systemd_resolved(world, room, resolved):
    portal, _ = world
    portal.start().wait_up(10)
    assert portal.status()["system_dns"] == "systemd-resolved"
    assert_resolves(room)
    portal.down()
    assert looked_up(room, "www.elsewhere.example") == "192.0.2.80"
    assert looked_up(room, "db.corp.example") == "192.0.2.99"


def test_every_name_by_systemd_resolved(lab, room, resolved, pki, tmp_path):
    portal = Resolving(lab, room, tmp_path, pki, extra="Dns = 10.73.0.53\nDomains = ~.\nUpTimeout = 0", name="every").start()
    link = wait_until(lambda: (resolved.link() or "").count("DNS Domain") and resolved.link(), 5, "the link in use")
    assert "DNS Domain: ~." in link and "+DefaultRoute" in link
    portal.down()


def test_the_gates_name_is_asked_for_outside_by_systemd_resolved(lab, world, room, resolved, pki, tmp_path):
    """Every name lies behind the tunnel, and so would the gate's."""
    portal = Resolving(lab, room, tmp_path, pki, extra="Dns = 10.73.0.53\nDomains = ~.\nUpTimeout = 0", name="every",
                       address="Gate.example.net:4433")
    portal.start().wait_up(10)
    assert looked_up(room, "www.elsewhere.example") == "10.73.0.99"
    portal.down()
    # Known only later, as after a change of the network.
    servers = room.etc / "systemd/resolved.conf"
    known = servers.read_text()
    for text in (known.replace("10.2.0.1", "10.2.0.77"), known):
        servers.write_text(text)
        resolved.stop()
        resolved.start()
        if text != known:
            portal.start()
    portal.wait_up(10)
    assert portal.status()["system_dns"] == "systemd-resolved"
    portal.down()


def test_systemd_resolved_asks_nobody_over_a_bare_interface(lab, room, resolved, pki, tmp_path):
    """Then resolv.conf is taken over, and its stub is who is asked for other names."""
    portal = Resolving(lab, room, tmp_path, pki, name="bare")
    portal.conf.write_text(re.sub(r"(?m)^Address = 10\.99.*\n", "", portal.conf.read_text()))
    portal.start()
    assert portal.status()["system_dns"] == "resolv.conf"
    assert "has no Address; /etc/resolv.conf is taken over instead" in portal.log()
    assert "other names are asked at 127.0.0.53" in portal.log()
    portal.down()
    assert os.readlink(room.file) == "../run/systemd/resolve/stub-resolv.conf"


def test_a_stub_without_its_service(portal, room, resolved):
    resolved.stop()
    portal.start()
    assert portal.status()["system_dns"] == "resolv.conf"
    assert "systemd-resolved does not run; /etc/resolv.conf is taken over instead" in portal.log()
    portal.down()
    assert os.readlink(room.file) == "../run/systemd/resolve/stub-resolv.conf"
    resolved.start()
