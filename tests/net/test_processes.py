# SPDX-License-Identifier: GPL-2.0-or-later
"""What each process may do and holds open while it serves, as /proc tells it, against the table of doc/SECURITY.md. Every
row is an upper bound: a process with less of anything is as good."""

import collections
import contextlib
import os
import pathlib
import re
import signal
import socket
import sys

import pytest

from lab import LIBC, SANITIZED, patience, run, wait_until
from programs import Gate, Portal, proc_number
from test_run import SOMEBODY, user  # noqa: F401: a fixture
from test_system_dns import Resolving, room  # noqa: F401: a fixture

NOBODY = 65534
AUDIT = pathlib.Path(f"/tmp/usher-audit-{os.getpid()}.json")
PIDFD_GETFD = 438  # pidfd_getfd(2)
CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, NET_ADMIN = 1 << 0, 1 << 1, 1 << 2, 1 << 12
EVERY = (1 << 64) - 1
NET_BIND_SERVICE, NET_RAW = 1 << 10, 1 << 13
# What the units give: to users of their own, whose numbers do not matter.
UNIT_TUN = NET_ADMIN | NET_RAW | DAC_OVERRIDE | DAC_READ_SEARCH
UNIT_GATE = NET_BIND_SERVICE | NET_RAW | NET_ADMIN | DAC_OVERRIDE | DAC_READ_SEARCH
LISTENING = UNIT_GATE & ~DAC_OVERRIDE
SERVICE = -1
# DAC_READ_SEARCH, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_ADMIN, NET_RAW, SYS_RESOURCE
SUPERVISOR = sum(1 << number for number in (2, 5, 6, 7, 8, 10, 12, 13, 24))

Row = collections.namedtuple("Row", "user capabilities bounding no_new_privs seccomp descriptors ambient", defaults=[0])

# The loop's own, which every process with one has.
LOOP = {"null", "log", "eventpoll", "pipe", "eventfd"}
TABLE = {
    "portal": Row(NOBODY, NET_ADMIN, 0, 1, 2,
                  LOOP | {"timerfd", "tun", "/run/usher", "unix", "netlink", "tcp", "udp"}),
    "portal without a device": Row(NOBODY, 0, 0, 1, 2, LOOP | {"timerfd", "/run/usher", "unix", "netlink", "tcp", "udp"}),
    "supervisor": Row(0, SUPERVISOR, SUPERVISOR, 1, 2, LOOP | {"/run/usher", "memfd", "inotify", "unix", "netlink", "tcp", "pidfd"}),
    "template": Row(0, SUPERVISOR, SUPERVISOR, 1, 2, {"null", "log", "unix"}),
    "worker": Row(NOBODY, 0, 0, 1, 2, LOOP | {"unix", "tcp", "raw icmp"}),
    "worker before the handshake": Row(NOBODY, 0, 0, 1, 2, LOOP | {"unix", "tcp", "raw icmp"}),
    "herald": Row(NOBODY, 0, 0, 1, 2, LOOP | {"unix", "tcp"}),
    "writer of the audit file": Row(0, CHOWN | DAC_OVERRIDE, SUPERVISOR, 1, 2, LOOP | {"unix", "audit file"}),
    "reader": Row(0, DAC_READ_SEARCH, DAC_READ_SEARCH, 1, 2, LOOP | {"unix", "inotify"}),
    "keeper": Row(0, DAC_OVERRIDE, DAC_OVERRIDE, 1, 2,
                  {"null", "log", "pipe", "unix", "inotify", "/etc", "/run/usher"}),
    "service: portal": Row(SERVICE, NET_ADMIN, UNIT_TUN, 1, 2,
                           LOOP | {"timerfd", "tun", "/run/usher", "unix", "netlink", "tcp", "udp"}),
    "service: reader": Row(SERVICE, DAC_READ_SEARCH, UNIT_TUN, 1, 2, LOOP | {"unix", "inotify"}),
    "service: supervisor": Row(SERVICE, LISTENING, UNIT_GATE, 1, 2,
                               LOOP | {"/run/usher", "memfd", "inotify", "unix", "netlink", "tcp", "pidfd"},
                               LISTENING),
    "service: template": Row(SERVICE, LISTENING, UNIT_GATE, 1, 2, {"null", "log", "unix"}, LISTENING),
    "service: worker": Row(SERVICE, 0, UNIT_GATE, 1, 2, LOOP | {"unix", "tcp", "raw icmp"}),
    "front of run": Row(SOMEBODY, 0, EVERY, 0, 0, LOOP | {"stdio", "signalfd", "unix", "/run/usher", "memfd"}),
    "portal of run": Row(SOMEBODY, 0, EVERY, 1, 2,
                         LOOP | {"inotify", "timerfd", "tun", "/run/usher", "unix", "netlink", "tcp", "udp"}),
    "init of run": Row(SOMEBODY, 0, EVERY, 1, 0, {"null", "log", "pipe", "unix", "signalfd", "stdio"}),
    "command of run": Row(SOMEBODY, 0, EVERY, 1, 0, {"null", "log", "pipe", "stdio"}),
}


# They have keys in memory.
SECRETIVE = {"template", "portal", "portal without a device", "supervisor", "worker", "worker before the handshake", "portal of run",
             "service: portal", "service: supervisor", "service: worker"}


def numbers(pid, field):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return re.search(rf"^{field}:[ \t]*(.*)$", text, re.MULTILINE)[1].split()


def socket_kind(pid, descriptor):
    """By a copy of it: an unbound one is in no table of /proc."""
    process = os.pidfd_open(pid)
    copy = LIBC.syscall(PIDFD_GETFD, process, descriptor, 0)
    os.close(process)
    assert copy >= 0, f"a socket of {pid}"
    with socket.socket(fileno=copy) as sock:
        if sock.family in (socket.AF_UNIX, socket.AF_NETLINK):
            return "unix" if sock.family == socket.AF_UNIX else "netlink"
        assert sock.family in (socket.AF_INET, socket.AF_INET6), sock
        return {(socket.SOCK_STREAM, socket.IPPROTO_TCP): "tcp", (socket.SOCK_DGRAM, socket.IPPROTO_UDP): "udp",
                (socket.SOCK_RAW, socket.IPPROTO_ICMP): "raw icmp",
                (socket.SOCK_RAW, socket.IPPROTO_ICMPV6): "raw icmp"}.get((sock.type, sock.proto), str(sock))


def kind_of(pid, descriptor, target):
    if target.startswith("socket:"):
        return socket_kind(pid, descriptor)
    found = re.match(r"anon_inode:\[?(\w+)|/(memfd):|(pipe):", target)
    if found:
        return next(word for word in found.groups() if word)
    if target == str(AUDIT):
        return "audit file"
    if "/run/usher/" in target:
        return "/run/usher"
    for beginning, kind in (("/dev/null", "null"), ("/dev/net/tun", "tun"), ("/etc", "/etc")):
        if target.startswith(beginning):
            return kind
    return "log" if target.endswith(".log") else "stdio" if target.startswith("/dev/") else target


def descriptors(pid):
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # one that was open for a moment
            yield int(name), os.readlink(f"/proc/{pid}/fd/{name}")


def judge(what, pid):
    row = TABLE[what]
    uids = {int(number) for number in numbers(pid, "Uid") + numbers(pid, "Gid")}
    assert uids == {row.user} or 0 not in uids, f"{what}: runs as {uids}"
    if row.user:
        assert set(map(int, numbers(pid, "Groups"))) <= uids, f"{what}: groups"
    for field, bound in (("CapInh", row.ambient), ("CapAmb", row.ambient), ("CapPrm", row.capabilities),
                         ("CapEff", row.capabilities), ("CapBnd", row.bounding)):
        has = int(numbers(pid, field)[0], 16)
        assert has & ~bound == 0, f"{what}: {field} {has:x}"
    assert proc_number(pid, "NoNewPrivs") >= row.no_new_privs, what
    assert proc_number(pid, "Seccomp") >= row.seccomp, what
    if what in SECRETIVE:
        # Neither a core nor a debugger; that is also when /proc gives what is of the process to root.
        assert re.search(r"^Max core file size\s+0 ", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.MULTILINE), what
        assert SANITIZED or os.stat(f"/proc/{pid}/mem").st_uid == 0, f"{what}: can be traced"
    held = {(number, target): kind_of(pid, number, target) for number, target in descriptors(pid)}
    if SANITIZED:  # it may open the root, which it tries when it seals itself
        held = {one: kind for one, kind in held.items() if kind != "/"}
    strange = {one: kind for one, kind in held.items() if kind not in row.descriptors}
    assert not strange, f"{what}: holds {strange}"


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def template(gate):
    """What its workers are forked from."""
    found = [pid for pid in children(gate.pid()) if pathlib.Path(f"/proc/{pid}/comm").read_text() == "usher-template\n"]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki, extra=f"Duplicate = allow\nAudit = {AUDIT}").start()
    yield gate
    AUDIT.unlink()
    gate.stop()


@pytest.fixture
def portal(lab, pki, tmp_path, gate):
    portal = Portal(lab, tmp_path, pki).start()
    yield portal
    portal.down()


def test_portal_and_gate(portal, gate):
    judge("portal", portal.pid())
    (reader,) = children(portal.pid())
    judge("reader", reader)
    judge("supervisor", gate.pid())
    judge("worker", gate.worker_pids()[0])
    judge("template", template(gate))
    (writer,) = set(children(gate.pid())) - set(gate.worker_pids()) - {template(gate)}
    judge("writer of the audit file", writer)


def code_of(pid):
    """Where the program lies."""
    return next(line.split("-")[0] for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines() if "usher-gate" in line)


def test_a_crash_moves_everything(lab, pki, tmp_path):
    """Workers that are alive lie where their template does; what one that crashed has shown is true of none after it."""
    gate = Gate(lab, tmp_path, pki, name="moves", listen="0.0.0.0:4435").start()
    portal = Portal(lab, tmp_path, pki, certificate="other", name="guesses", address="10.3.0.2:4435", device="usher7",
                    routes="10.74.0.0/24").start()
    gate.crashed_on_demand = True
    try:
        seen = set()
        for _ in range(3):
            (worker,), first = gate.worker_pids(), template(gate)
            assert code_of(worker) == code_of(first)
            assert proc_number(worker, "PPid") == proc_number(first, "PPid") == gate.pid()
            seen.add(code_of(first))
            os.kill(worker, signal.SIGABRT)
            wait_until(lambda: set(gate.worker_pids()) - {worker}, 10, "another worker")  # noqa: B023
            assert template(gate) != first
        assert len(seen) == 3
        os.kill(template(gate), signal.SIGKILL)  # and one that is gone is no loss
        os.kill(gate.worker_pids()[0], signal.SIGKILL)
        portal.wait_up(10)
        wait_until(lambda: gate.worker_pids(), 10, "a worker of another template")
    finally:
        portal.down(check=False)
        assert gate.stop() == 0


def test_a_worker_that_has_read_nothing(lab, gate):
    before = set(children(gate.pid()))
    with lab.portal.enter():
        silent = socket.create_connection(("10.3.0.2", 4433), timeout=patience(5))
    worker = wait_until(lambda: set(children(gate.pid())) - before, 5, "its worker").pop()
    wait_until(lambda: proc_number(worker, "Seccomp_filters") == 3, 5, "the worker is sealed")
    judge("worker before the handshake", worker)
    assert all(not target.startswith("/") or target.startswith("/dev/") or target.endswith(".log") or (SANITIZED and target == "/")
               for _, target in descriptors(worker)), "a file"
    silent.close()


def test_what_hears_from_balancers(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki, name="behind", listen="0.0.0.0:4434", extra="Balancers = 10.2.0.0/24").start()
    with lab.portal.enter():
        silent = socket.create_connection(("10.3.0.2", 4434), timeout=patience(5))
    herald = wait_until(lambda: set(children(gate.pid())) - {template(gate)}, 5, "the herald").pop()
    wait_until(lambda: proc_number(herald, "Seccomp_filters") == 3, 5, "the herald is sealed")
    wait_until(lambda: "tcp" in (kind_of(herald, *one) for one in descriptors(herald)), 5, "the connection")
    judge("herald", herald)
    silent.close()
    gate.stop()


def test_a_portal_without_a_device(lab, pki, tmp_path, gate):
    portal = Portal(lab, tmp_path, pki, certificate="other", name="forwards")
    text = re.sub(r"(Device|Address = 10.99|Route).*\n", "", portal.conf.read_text())
    portal.conf.write_text(text.replace("[Gate]", "Socks = 127.0.0.1:1080\n[Gate]"))
    portal.start()
    try:
        judge("portal without a device", portal.pid())
    finally:
        portal.down()


def test_the_keeper(lab, pki, tmp_path, gate, room):  # noqa: F811
    portal = Resolving(lab, room, tmp_path, pki, name="keeps").start()
    try:
        judge("keeper", wait_until(portal.keeper, 5, "the keeper"))
        judge("portal", portal.pid())
    finally:
        portal.down(check=False)


def test_a_run(user):  # noqa: F811
    process = user.start("sleep", "60")
    try:
        def family():
            found = {}
            for child in children(process.pid):
                grandchildren = children(child)
                found["init of run" if grandchildren else "portal of run"] = child
                if grandchildren:
                    found["command of run"] = grandchildren[0]
            return found if len(found) == 3 else None

        everybody = wait_until(family, 10, "a portal, an init and a command")
        wait_until(lambda: pathlib.Path(f"/proc/{everybody['command of run']}/comm").read_text() == "sleep\n", 5, "the command")
        for what, pid in {"front of run": process.pid, **everybody}.items():
            judge(what, pid)
    finally:
        process.kill()
        process.wait()


ASK = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
try:
    sock.connect(sys.argv[1])
    sock.sendall(b"status\\n")
    print(len(sock.recv(100)))
except OSError as error:
    print(type(error).__name__)
"""


def test_the_control_socket_is_its_owners(portal, gate):
    """Its mode keeps others out; and where that was changed, nobody else is listened to."""
    for program in (portal, gate):
        place = pathlib.Path(f"/run/usher/{program.name}/control")
        assert place.stat().st_mode & 0o777 == 0o600 and place.stat().st_uid in (0, NOBODY)

        def ask(*who):
            return run("setpriv", *who, sys.executable, "-c", ASK, place).stdout.strip()

        somebody = (f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups")
        assert ask(*somebody) == "PermissionError"
        place.chmod(0o666)
        place.parent.chmod(0o755)
        assert ask(*somebody) in ("0", "ConnectionResetError", "BrokenPipeError")
        assert int(ask()) > 0
