# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of the service manager: how much they leave open, and that the programs work in what they leave."""

import contextlib
import json
import pathlib
import re
import shutil
import sys

import pytest

from lab import ROOT, SERVER4, run, wait_until
from programs import USHER_GATE, USHER_TUN, Portal
from test_processes import children, judge
from test_upgrade import Upgradable, rights
from traffic import Server, each_connection, listener, serve_echo, stream

# Of `systemd-analyze security`, in tenths: more is a right that somebody has added. The aim is 20.
EXPOSURE = {"usher-gate@.service": 19, "usher-tun@.service": 20, "usher-console.service": 11, "usher-pki.service": 9}

# Each line of it that counts, and why it stays. Those of one unit alone stand apart.
REASONS = {
    "PrivateNetwork": "its purpose is the host's network",
    "RestrictAddressFamilies_AF_INET_INET6": "its purpose is the host's network",
    "RestrictAddressFamilies_AF_UNIX": "the service manager, the control socket, channels to workers",
    "DeviceAllow": "/dev/net/tun at a portal; the clock's device comes with ProtectClock",
}
# What portals and gates have, and the authority has not.
BOTH = {
    "SystemCallFilter_privileged": "capset: rights are given up with it",
    "AmbientCapabilities": "as its user it has what its work takes of root's from the service manager, or not at all",
    "CapabilityBoundingSet_CAP_DAC_FOWNER_IPC_OWNER": "keys are root's; given up, or a small process's, before anything is heard",
    "PrivateUsers": "rights over the host's network are none in a namespace of users",
    "IPAddressDeny": "it goes where it is asked to, within the rules of its configuration",
    "RestrictAddressFamilies_AF_NETLINK": "the host's addresses and routes: guarded at a gate, made and watched by a portal",
    "CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW)": "low ports (gate), pings at the exit",
}
ROOT_DIRECTORY = {"RootDirectoryOrRootImage": "names, users and helpers are the host's"}
OWN = {
    "usher-gate@.service": BOTH | ROOT_DIRECTORY | {"CapabilityBoundingSet_CAP_NET_ADMIN": "devices of Export, connections of workers"},
    "usher-tun@.service": BOTH | {"CapabilityBoundingSet_CAP_NET_ADMIN": "rules and routes are put back when somebody removes them"},
    "usher-pki.service": ROOT_DIRECTORY | {"IPAddressDeny": "loopback is its purpose"},
}


def unit(name):
    return (ROOT / "scripts" / "systemd" / name).read_text()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
@pytest.mark.parametrize("name", EXPOSURE)
def test_exposure(tmp_path, name):
    file = tmp_path / name
    file.write_text(unit(name).replace("@BINDIR@", "/usr/bin"))
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE[name]}", file,
               check=False)
    if "nrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze judges no file")
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
@pytest.mark.parametrize("name", OWN)
def test_every_line_has_its_reason(tmp_path, name):
    file = tmp_path / name
    file.write_text(unit(name).replace("@BINDIR@", "/usr/bin").replace("@TYPE@", "notify"))
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--json=short", file, check=False)
    if "nrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze judges no file")
    counts = {line["json_field"] for line in json.loads(done.stdout)
              if line["set"] is False and line["exposure"] not in (None, "0.0")}
    assert counts == set(REASONS) | set(OWN[name])


# Users of their own, of whom nobody has heard.
USERS = {"usher-gate@.service": 64601, "usher-tun@.service": 64602, "usher-pki.service": 64603}


def within(name):
    """The command line that makes a program what its unit does: a user with some capabilities, and of /proc the processes."""
    text = unit(name)
    words = re.search(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)[1].lower().split()
    assert words == re.search(r"^AmbientCapabilities=(.*)$", text, re.MULTILINE)[1].lower().split()
    assert re.search("^User=usher", text, re.MULTILINE)
    capabilities = ",".join(["-all", *("+" + word.removeprefix("cap_") for word in words)])
    bounded = ["setpriv", f"--reuid={USERS[name]}", f"--regid={USERS[name]}", "--clear-groups", "--no-new-privs",
               "--inh-caps", capabilities, "--ambient-caps", capabilities, "--bounding-set", capabilities]
    if "ProcSubset=pid" not in unit(name):
        return bounded
    script = "mount -t proc -o subset=pid proc /proc; exec \"$@\""
    return ["unshare", "-m", "--propagation", "private", "sh", "-ec", script, "sh", *bounded]


@contextlib.contextmanager
def services(lab, pki, directory):
    """A gate on a low port and a portal, as their units start them. Places in /run/usher are made there by root alone."""
    pathlib.Path("/run/usher").mkdir(mode=0o755, exist_ok=True)
    gate = Upgradable(lab, directory, pki, listen="0.0.0.0:433")
    portal = Portal(lab, directory, pki, address="10.3.0.2:433")
    gate.launch(*within("usher-gate@.service"), gate.program, "run", gate.conf)
    try:
        wait_until(lambda: gate.status(check=False) or gate.process.poll() is not None, 10, "the gate")
        assert gate.process.poll() is None, gate.log()
        portal.launch(*within("usher-tun@.service"), USHER_TUN, "up", "-f", portal.conf)
        portal.wait_up(20)
        yield portal, gate
    finally:
        assert portal.down(check=False).returncode == 0
        assert gate.stop() == 0


def serves(lab):
    with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where, stream(lab.client)(SERVER4) as sock:
        sock.connect(where)
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    assert "1 received" in lab.client.run("ping", "-c", "1", "-W", "5", SERVER4, check=False).stdout


def test_within_them(lab, pki, tmp_path):
    """Keys are root's; workers can be ended, a portal's rules put back, and everything taken down."""
    with services(lab, pki, tmp_path) as (portal, gate):
        serves(lab)
        done = lab.portal.run(*within("usher-tun@.service"), USHER_TUN, "reload", portal.conf, check=False)
        assert (done.returncode, done.stderr) == (0, "usher-tun: nothing has changed since it was last read\n")
        rules = lab.portal.run("ip", "rule").stdout
        lab.portal.run("ip", "rule", "delete", "priority", re.search(r"^(7\d\d\d):", rules, re.MULTILINE)[1])
        wait_until(lambda: lab.portal.run("ip", "rule").stdout == rules, 5, "the rule is put back")
        second = Portal(lab, tmp_path, pki, address="10.3.0.2:433", name="second", device="usher1").start()
        wait_until(lambda: len(gate.worker_pids()) == 1, 5, "the older login is ended")
        second.down()


def judge_all(portal, gate):
    judge("service: portal", portal.pid())
    (reader,) = children(portal.pid())
    judge("service: reader", reader)
    judge("service: supervisor", gate.pid())
    for worker in gate.worker_pids():
        judge("service: worker", worker)
    users = [int(re.search(r"^Uid:\t(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])
             for pid in (portal.pid(), reader, gate.pid(), *gate.worker_pids())]
    assert users[:3] == [USERS["usher-tun@.service"]] * 2 + [USERS["usher-gate@.service"]] and set(users) == set(users[:3])


def test_never_root(lab, pki, tmp_path):
    """No process of theirs is root or can be; another program in the gate's process has what the one before it had."""
    with services(lab, pki, tmp_path) as (portal, gate):
        judge_all(portal, gate)
        before = rights(gate.pid())
        (tmp_path / f"{gate.name}.conf").chmod(0o600)  # root's alone
        gate.exchange()
        done = lab.gate.run(*within("usher-gate@.service"), USHER_GATE, "upgrade", gate.name, check=False)
        assert done.returncode == 0 and done.stdout.startswith("upgraded: "), done.stderr + gate.log()
        wait_until(lambda: len(gate.worker_pids()) == 1 and portal.status()["state"] == "up", 10, "the tunnel of the new one")
        assert rights(gate.pid()) == before
        judge_all(portal, gate)
        serves(lab)
        conf = gate.conf.read_text()
        gate.conf.write_text(conf.replace("10.73.0.0/24, ", ""))
        done = lab.gate.run(*within("usher-gate@.service"), USHER_GATE, "reload", gate.name, check=False)
        assert (done.returncode, done.stderr) == (0, "usher-gate: new and in force: configuration\n")


def test_one_is_not_steered_by_another(lab, pki, tmp_path):
    """What has broken into a portal has the user of all portals."""
    with services(lab, pki, tmp_path) as (portal, gate):
        for program, name in ((portal, "usher-tun@.service"), (gate, "usher-gate@.service")):
            bare = ["setpriv", f"--reuid={USERS[name]}", f"--regid={USERS[name]}", "--clear-groups", "--inh-caps=-all"]
            path = f"/run/usher/{program.name}/control"

            def ask(line):
                return run(*bare, sys.executable, "-c", ASK, path, line).stdout

            for line in ("status", "flows", "down", "drain", "open tcp 10.73.0.1:80", "end branch"):
                assert ask(line) == '{"error":"only root may do that"}\n', line
            assert "error" not in ask("reload")
            other = USERS["usher-gate@.service" if program is portal else "usher-tun@.service"]
            bare[1:3] = [f"--reuid={other}", f"--regid={other}"]
            assert ask("reload") == "PermissionError\n"


ASK = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
try:
    sock.connect(sys.argv[1])
    sock.sendall(sys.argv[2].encode() + b"\\n")
    print(sock.makefile().read().strip())
except OSError as error:
    print(type(error).__name__)
"""
