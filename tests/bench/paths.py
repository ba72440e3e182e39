# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways from client to server that are compared. Each is set up from packages, names its processes, and says in one
sentence why when it cannot run here.

A path is a class of `name`, `number` and `start()`. What else it differs in is said by the attributes of Path: one more way
through usher-tun is a subclass of Usher that adds to the portal's file and says where the load goes, or by which proxy.
"""

import os
import pathlib
import signal
import subprocess
import time

from lab import run
from programs import GATE_NAME, USHER_GATE, USHER_TUN, make_pki, wait_until

PORT = 7000


class Path:
    """A way from client to server; `number` is its network's (see hosts.py)."""

    name = number = None
    port = PORT  # of target()
    load_options = ()  # more arguments of the load program, as ("--socks", "10.1.0.1:1080")
    udp = True  # datagrams pass
    version6 = False  # measured with IPv6 too
    holds = False  # measured with thousands of held flows too

    def __init__(self, hosts, work):
        self.hosts, self.work, self.processes = hosts, pathlib.Path(work), []

    def target(self, version=4):
        return f"10.80.{self.number}.2" if version == 4 else f"fd80:{self.number}::2"

    def launch(self, host, *argv, **kwargs):
        log = open(self.work / f"{self.name}.log", "ab")
        process = host.start(*argv, stdout=log, stderr=log, **kwargs)
        self.processes.append(process)
        return process

    def pids(self):
        """Processes that carry the traffic, and all their descendants."""
        found, queue = [], [p.pid for p in self.processes if p.poll() is None]
        while queue:
            pid = queue.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                queue += [int(child) for child in task.read_text().split()]
        return found

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Direct(Path):
    """Plain routing: what the hosts can do without any tunnel."""

    name, number = "direct", 1
    version6 = holds = True

    def start(self):
        self.hosts.route(1, ["via", "10.2.0.1"], ["via", "10.2.0.2"])
        self.hosts.portal.run("ip", "route", "add", "fd80:1::/64", "via", "fd02::1")
        self.hosts.gate.run("ip", "route", "add", "fd01::/64", "via", "fd02::2")


class Usher(Path):
    name, number = "usher-tun", 2
    version6 = holds = True
    usher_tun, usher_gate = USHER_TUN, USHER_GATE
    portal_extra = ""  # lines behind those of [Portal], and further sections

    def start(self):
        pki = make_pki(self.work / f"pki{self.number}")
        name = f"bench{self.hosts.tag}-{self.number}"
        gate, portal = (self.work / f"{name}-{end}{os.getpid()}.conf" for end in ("gate", "portal"))
        networks = f"10.80.{self.number}.0/24, fd80:{self.number}::/64"
        gate.write_text(f"""[Gate]
Listen = 10.2.0.1:{4430 + self.number}
CA = {pki}/ca.crt
Certificate = {pki}/{GATE_NAME}.crt
Key = {pki}/{GATE_NAME}.key
CRL = {pki}/crl.pem
{os.environ.get("GATE_EXTRA", "")}
[Access *]
Allow = {networks}
""")
        portal.write_text(f"""[Portal]
Device = usher{self.number}
CA = {pki}/ca.crt
Certificate = {pki}/branch.crt
Key = {pki}/branch.key
CRL = {pki}/crl.pem
Route = {networks}
{os.environ.get("PORTAL_EXTRA", "")}
{self.portal_extra}
[Gate]
Address = 10.2.0.1:{4430 + self.number}
Name = {GATE_NAME}
""")
        self.launch(self.hosts.gate, self.usher_gate, "run", gate)
        self.launch(self.hosts.portal, self.usher_tun, "up", "-f", portal)
        status = [self.usher_tun, "status", portal.stem, "--json"]
        wait_until(lambda: '"up"' in self.hosts.portal.run(*status, check=False).stdout, 15, "usher-tun up")


def before(directory):
    """usher-tun once more, of another build, whose programs are in `directory`."""
    programs = {"usher_tun": directory / "usher-tun", "usher_gate": directory / "usher-gate"}
    return type("Before", (Usher,), {"name": "usher-tun-before", "number": 7, **programs})


class Socks(Usher):
    """Through a SOCKS entrance of the portal; no connection of the client's own goes into the TUN device."""

    name, number = "usher-socks", 8
    udp = version6 = holds = False
    portal_extra = "Socks = 10.1.0.1:1080\nSocksAllow = 10.1.0.0/24"
    load_options = ("--socks", "10.1.0.1:1080")


class Forward(Usher):
    """Through a port of the portal's that leads to the server's."""

    name, number = "usher-forward", 9
    udp = version6 = holds = False
    portal_extra = f"Forward = tcp 10.1.0.1:9009 -> 10.80.9.2:{PORT}"
    port = 9009

    def target(self, version=4):
        return "10.1.0.1"


class Export(Usher):
    """The other way round: the client is behind the gate, the server behind the portal, in a network that it exports."""

    name, number = "usher-export", 10
    portal_extra = "Device = usher10\nRoute = 10.81.10.0/24"  # each of two sites reaches the other

    def start(self):
        pki = make_pki(self.work / f"pki{self.number}")
        name = f"bench{self.hosts.tag}-{self.number}"
        gate, portal = (self.work / f"{name}-{end}{os.getpid()}.conf" for end in ("gate", "portal"))
        networks = f"10.80.{self.number}.0/24, fd80:{self.number}::/64"
        gate.write_text(f"""[Gate]
Listen = 10.2.0.2:{4430 + self.number}
CA = {pki}/ca.crt
Certificate = {pki}/{GATE_NAME}.crt
Key = {pki}/{GATE_NAME}.key
CRL = {pki}/crl.pem
{os.environ.get("GATE_EXTRA", "")}
[Access branch]
Export = {networks}
""")
        portal.write_text(f"""[Portal]
CA = {pki}/ca.crt
Certificate = {pki}/branch.crt
Key = {pki}/branch.key
CRL = {pki}/crl.pem
{os.environ.get("PORTAL_EXTRA", "")}
{self.portal_extra}
[Gate]
Address = 10.2.0.2:{4430 + self.number}
Name = {GATE_NAME}
[Accept]
Allow = {networks}
""")
        self.launch(self.hosts.portal, self.usher_gate, "run", gate)
        self.launch(self.hosts.gate, self.usher_tun, "up", "-f", portal)
        status = [self.usher_gate, "status", gate.stem, "--json"]
        wait_until(lambda: '"exports"' in self.hosts.portal.run(*status, check=False).stdout, 15, "the export")


class Relay(Path):
    """A TLS relay on both ends with haproxy, one TLS connection per flow, no TUN: what user space makes of TLS alone."""

    name, number = "haproxy TLS relay", 3
    udp = False
    KEPT = "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\nglobal\n maxconn 9000\n nbthread 1\n"

    def target(self, version=4):
        return "10.1.0.1" if version == 4 else "fd01::1"

    def start(self):
        pem = self.work / "relay.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 9, "-subj",
            "/CN=relay", "-keyout", self.work / "relay.key", "-out", self.work / "relay.crt")
        pem.write_text((self.work / "relay.crt").read_text() + (self.work / "relay.key").read_text())
        suites = "ciphersuites TLS_AES_128_GCM_SHA256 ssl-min-ver TLSv1.3"
        (self.work / "gate.cfg").write_text(f"{self.KEPT}listen in\n bind 10.2.0.1:4443 ssl crt {pem} {suites}\n"
                                            f" server far 10.80.3.2:{PORT}\n")
        (self.work / "portal.cfg").write_text(f"{self.KEPT}listen in\n bind 10.1.0.1:{PORT}\n bind [fd01::1]:{PORT}\n"
                                              f" server far 10.2.0.1:4443 ssl verify none {suites}\n")
        self.launch(self.hosts.gate, "haproxy", "-db", "-f", self.work / "gate.cfg")
        self.launch(self.hosts.portal, "haproxy", "-db", "-f", self.work / "portal.cfg")


class WireguardGo(Path):
    name, number = "wireguard-go", 4

    def start(self):
        keys = {}
        for end in ("portal", "gate"):
            secret = run("wg", "genkey").stdout.strip()
            keys[end] = secret, run("wg", "pubkey", input=secret).stdout.strip()
        for end, host, other, address in (("portal", self.hosts.portal, "gate", "10.94.0.2/24"),
                                          ("gate", self.hosts.gate, "portal", "10.94.0.1/24")):
            conf = self.work / f"wg-{end}.conf"
            endpoint = "Endpoint = 10.2.0.1:51820\n" if end == "portal" else ""
            conf.write_text(f"[Interface]\nPrivateKey = {keys[end][0]}\n{'ListenPort = 51820' if end == 'gate' else ''}\n[Peer]\n"
                            f"PublicKey = {keys[other][1]}\nAllowedIPs = 0.0.0.0/0\n{endpoint}")
            device = f"wg{end}"
            self.launch(host, "wireguard-go", "-f", device, env={**os.environ, "WG_PROCESS_FOREGROUND": "1"})
            wait_until(lambda: host.run("ip", "link", "show", device, check=False).returncode == 0, 5, "wireguard-go")
            time.sleep(0.2)
            host.run("wg", "setconf", device, conf)
            host.address(device, address)
        self.hosts.route(4, ["dev", "wgportal"], ["dev", "wggate"])


class OpenVpn(Path):
    name, number = "OpenVPN", 5

    def start(self):
        pki = make_pki(self.work / "openvpn-pki")
        for end, host, extra in (
                ("gate", self.hosts.gate, ["--tls-server", "--dh", "none", "--local", "10.2.0.1", "--ifconfig", "10.95.0.1", "10.95.0.2"]),
                ("portal", self.hosts.portal, ["--tls-client", "--remote", "10.2.0.1", "--nobind", "--ifconfig", "10.95.0.2", "10.95.0.1"])):
            name = GATE_NAME if end == "gate" else "branch"
            self.launch(host, "openvpn", "--dev", f"ov{end}", "--dev-type", "tun", "--proto", "udp", "--port", "1194", "--ca",
                        pki / "ca.crt", "--cert", pki / f"{name}.crt", "--key", pki / f"{name}.key", "--data-ciphers",
                        "AES-128-GCM", "--sndbuf", "0", "--rcvbuf", "0", *extra)
        for host, device in ((self.hosts.portal, "ovportal"), (self.hosts.gate, "ovgate")):
            wait_until(lambda: "UP" in host.run("ip", "link", "show", device, check=False).stdout, 15, "openvpn")
        time.sleep(1)
        self.hosts.route(5, ["dev", "ovportal"], ["dev", "ovgate"])


class Sshuttle(Path):
    name, number = "sshuttle", 6
    udp = False

    def start(self):
        for key in ("host", "user"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.work / f"ssh-{key}")
        config = self.work / "sshd.conf"
        config.write_text(f"Port 2222\nListenAddress 10.2.0.1\nHostKey {self.work}/ssh-host\nUsePAM no\nStrictModes no\n"
                          f"PermitRootLogin yes\nAuthorizedKeysFile {self.work}/ssh-user.pub\nPidFile none\n")
        os.makedirs("/run/sshd", exist_ok=True)
        self.launch(self.hosts.gate, "/usr/sbin/sshd", "-D", "-f", config)
        time.sleep(0.5)
        self.launch(self.hosts.portal, "sshuttle", "--method", "nft", "-l", "0.0.0.0", "-r", "root@10.2.0.1:2222", "-e",
                    f"ssh -i {self.work}/ssh-user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null", "10.80.6.0/24")
        self.hosts.route(6, ["via", "10.2.0.1"], ["via", "10.2.0.2"])
        time.sleep(3)


ALL = [Direct, Usher, Relay, WireguardGo, OpenVpn, Sshuttle]
ENTRANCES = [Socks, Forward, Export]  # beside the captured one, where --paths names them
