# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of the service manager: how much they leave open, and that the programs work in what they leave."""

import json
import re
import shutil

import pytest

from lab import ROOT, SERVER4, run, wait_until
from programs import USHER_GATE, USHER_TUN, Gate, Portal
from traffic import Server, each_connection, listener, serve_echo, stream

# Of `systemd-analyze security`, in tenths: more is a right that somebody has added.
EXPOSURE = {"usher-gate@.service": 22, "usher-tun@.service": 26, "usher-console.service": 11, "usher-pki.service": 21}

# Each line of it that counts, and why it stays. Those of one unit alone stand apart.
REASONS = {
    "UserOrDynamicUser": "keys are root's, and workers, resolv.conf's keeper and the portal are started by root",
    "CapabilityBoundingSet_CAP_SET_UID_GID_PCAP": "who reads from the network becomes nobody first",
    "SystemCallFilter_privileged": "setresuid, setgroups and capset are among these; each process has a filter of its own later",
    "PrivateUsers": "rights over the host's network are none in a namespace of users",
    "PrivateNetwork": "its purpose is the host's network",
    "RestrictAddressFamilies_AF_INET_INET6": "its purpose is the host's network",
    "IPAddressDeny": "it goes where it is asked to, within the rules of its configuration",
    "RestrictAddressFamilies_AF_NETLINK": "the host's addresses and routes: guarded at a gate, made and watched by a portal",
    "RestrictAddressFamilies_AF_UNIX": "the service manager, the control socket, channels to workers",
    "CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW)": "low ports (gate), pings at the exit",
    "DeviceAllow": "/dev/net/tun at a portal; the clock's device comes with ProtectClock",
}
GATE = {
    "CapabilityBoundingSet_CAP_KILL": "a worker that does not end is made to, and it is somebody else",
    "RootDirectoryOrRootImage": "names, users and helpers are the host's",
}
TUN = {
    "CapabilityBoundingSet_CAP_NET_ADMIN": "rules and routes are put back when somebody removes them",
    "PrivateDevices": "/dev/net/tun is a device",
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
@pytest.mark.parametrize("name, own", (("usher-gate@.service", GATE), ("usher-tun@.service", TUN)))
def test_every_line_has_its_reason(tmp_path, name, own):
    file = tmp_path / name
    file.write_text(unit(name).replace("@BINDIR@", "/usr/bin").replace("@TYPE@", "notify"))
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--json=short", file, check=False)
    if "nrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze judges no file")
    assert {line["json_field"] for line in json.loads(done.stdout) if line["set"] is False} == set(REASONS) | set(own)


def within(name):
    """The command line that gives a program what its unit does: capabilities, no limit to set, and of /proc the processes."""
    words = re.search(r"^CapabilityBoundingSet=(.*)$", unit(name), re.MULTILINE)[1].lower().split()
    capabilities = "-all," + ",".join("+" + word.removeprefix("cap_") for word in words)
    bounded = ["setpriv", "--bounding-set", capabilities, "--no-new-privs"]
    if "ProcSubset=pid" not in unit(name):
        return bounded
    script = "mount -t proc -o subset=pid proc /proc; exec \"$@\""
    return ["unshare", "-m", "--propagation", "private", "sh", "-ec", script, "sh", *bounded]


def test_within_them(lab, pki, tmp_path):
    """On a low port; and workers can be ended, a portal's rules put back, and everything taken down."""
    gate = Gate(lab, tmp_path, pki, listen="0.0.0.0:433")
    portal = Portal(lab, tmp_path, pki, address="10.3.0.2:433")
    gate.launch(*within("usher-gate@.service"), USHER_GATE, "run", gate.conf)
    try:
        wait_until(lambda: gate.status(check=False) or gate.process.poll() is not None, 10, "the gate")
        assert gate.process.poll() is None, gate.log()
        portal.launch(*within("usher-tun@.service"), USHER_TUN, "up", "-f", portal.conf)
        portal.wait_up(20)
        with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where, stream(lab.client)(SERVER4) as sock:
            sock.connect(where)
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
        assert "1 received" in lab.client.run("ping", "-c", "1", "-W", "5", SERVER4, check=False).stdout
        done = lab.portal.run(*within("usher-tun@.service"), USHER_TUN, "reload", portal.conf, check=False)
        assert (done.returncode, done.stderr) == (0, "usher-tun: nothing has changed since it was last read\n")
        rules = lab.portal.run("ip", "rule").stdout
        lab.portal.run("ip", "rule", "delete", "priority", re.search(r"^(7\d\d\d):", rules, re.MULTILINE)[1])
        wait_until(lambda: lab.portal.run("ip", "rule").stdout == rules, 5, "the rule is put back")
        second = Portal(lab, tmp_path, pki, address="10.3.0.2:433", name="second", device="usher1").start()
        wait_until(lambda: len(gate.worker_pids()) == 1, 5, "the older login is ended")
        second.down()
    finally:
        assert portal.down(check=False).returncode == 0
        assert gate.stop() == 0
