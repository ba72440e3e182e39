# SPDX-License-Identifier: GPL-2.0-or-later
"""The real systemd-networkd beside a portal, with a file that matches every TUN device: with what `make install` brings it
touches nothing of the portal's, and without that everything is back within a second."""

import os
import pathlib
import signal
import time

import pytest

import lab as net
from lab import Lab, wait_until, wire
from programs import Gate, Portal
from traffic import Server, each_connection, listener, serve_echo, stream

NETWORKD = pathlib.Path("/lib/systemd/systemd-networkd")
pytestmark = pytest.mark.skipif(not NETWORKD.exists(), reason="no systemd-networkd")

SHIPPED = net.ROOT / "scripts" / "network"
OWN = """[Match]
Name=own
[Network]
DHCP=no
IPv6AcceptRA=no
LLDP=no
Address=198.51.100.2/24
[RoutingPolicyRule]
From=192.0.2.99
Table=77
Priority=1000
"""
WIDE = """[Match]
Kind=tun
[Network]
DHCP=no
IPv6AcceptRA=no
LLDP=no
Address=192.0.2.7/24
"""


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    wire(lab.portal, "own", lab.wan, "own")
    lab.wan.run("ip", "link", "set", "own", "up")
    yield lab
    lab.delete()


@pytest.fixture
def portal(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki).start()
    portal = Portal(lab, tmp_path, pki)
    yield portal.start()
    portal.down(check=False)
    gate.stop()


class Networkd:
    """systemd-networkd in the portal's namespace, with an /etc and a /run of its own. With sysfs read-only it takes itself for
    one in a container, and asks no udev."""

    def __init__(self, lab, directory, shipped):
        self.lab, self.log, self.shipped = lab, directory / "networkd.log", shipped
        self.files = directory / "systemd"
        (self.files / "network").mkdir(parents=True)
        (self.files / "networkd.conf.d").mkdir()
        (self.files / "network" / "50-own.network").write_text(OWN)
        (self.files / "network" / "60-wide.network").write_text(WIDE)
        if shipped:
            for name, to in (("00-usher.network", "network/00-usher.network"),
                             ("networkd-usher.conf", "networkd.conf.d/50-usher.conf")):
                (self.files / to).write_text((SHIPPED / name).read_text())
        self.process = None

    def start(self):
        script = f"""
            mount -t tmpfs none /run/systemd && mkdir -p /run/systemd/netif/{{links,leases,lldp}}
            chown -R systemd-network /run/systemd/netif
            mount -o remount,ro /sys
            mount -t tmpfs none /etc/systemd && cp -r {self.files}/* /etc/systemd/
            exec env SYSTEMD_LOG_LEVEL=debug {NETWORKD}"""
        log = open(self.log, "wb")
        os.makedirs("/run/systemd", exist_ok=True)
        self.process = self.lab.portal.start("unshare", "-m", "bash", "-ec", script, stdout=log, stderr=log)
        wait_until(lambda: b"own: State changed: configuring -> configured" in self.log.read_bytes(), 10,
                   f"networkd has configured its link\n{self.log}")
        return self

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()


def state(lab, portal):
    table = str(30067 + portal.slot())
    show = [lab.portal.run("ip", *words.split(), check=False).stdout.splitlines() for words in (
        "-4 rule", "-6 rule", f"-4 route show table {table}", f"-6 route show table {table}", f"address show dev {portal.device}")]
    return [sorted(line.split(" proto ")[0].strip() for line in lines
                   if "192.0.2.99" not in line and "fe80" not in line and "valid_lft" not in line) for lines in show]


@pytest.mark.parametrize("shipped", [True, False], ids=["installed", "bare"])
def test_networkd_starts_and_starts_again(lab, portal, tmp_path, figure, shipped):
    before = state(lab, portal)
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as echo, stream(lab.client)(echo[0]) as held:
        held.connect(echo)
        networkd = Networkd(lab, tmp_path, shipped)
        try:
            for _ in range(2):
                networkd.start()
                if not shipped:  # but what others add to the device is not ours to take away
                    wait_until(lambda: b"usher0: State changed: configuring -> configured" in networkd.log.read_bytes(), 5, "seized")
                    lab.portal.run("ip", "address", "del", "192.0.2.7/24", "dev", "usher0", check=False)
                begin = time.monotonic()
                wait_until(lambda: state(lab, portal) == before, 2, f"{before} is back:\n{state(lab, portal)}")
                figure(f"networkd, {'with' if shipped else 'without'} our files: in place after {time.monotonic() - begin:.2f} s")
                held.sendall(b"ping")
                assert held.recv(10) == b"ping"
                networkd.stop()
        finally:
            networkd.stop()
    assert state(lab, portal) == before
    if shipped:
        assert "another program" not in portal.log()
