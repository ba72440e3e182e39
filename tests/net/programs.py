# SPDX-License-Identifier: GPL-2.0-or-later
"""The real programs, started as a user would, inside a lab's namespaces."""

import contextlib
import json
import os
import pathlib
import signal

from lab import BUILD, ROOT, patience, run, wait_until

USHER_TUN, USHER_GATE = BUILD / "usher-tun", BUILD / "usher-gate"
USHER_PKI = ROOT / "scripts" / "usher-pki"

ALLOW_ALL = """
[Access branch]
Deny = 10.73.0.66/32, fd73::66/128
Allow = 10.73.0.0/24, fd73::/64, *.corp.example
"""
GATE_NAME = "gate.example.net"


def make_pki(directory):
    """A CA, a gate and two portals; what most tests need."""
    run(USHER_PKI, "init", directory)
    run(USHER_PKI, "issue", directory, "gate", GATE_NAME, "10.3.0.2", "fd03::2")
    run(USHER_PKI, "issue", directory, "portal", "branch")
    run(USHER_PKI, "issue", directory, "portal", "other")
    return pathlib.Path(directory)


class Program:
    """One long-running program with its log; `name` is also its name under /run/usher."""

    def __init__(self, host, name, directory):
        self.host, self.name, self.directory = host, f"{name}{os.getpid()}", directory
        self.conf = directory / f"{self.name}.conf"
        self.log_path = directory / f"{self.name}.log"
        self.process = None
        self.crashed_on_demand = False
        self.prepare = None  # called in the new process before the program begins

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def launch(self, *argv):
        with open(self.log_path, "ab") as log:
            self.process = self.host.start(*argv, stdout=log, stderr=log, preexec_fn=self.prepare)

    def pid(self):
        """`ip netns exec` has become the program by the time it answers."""
        return self.process.pid

    def slot(self):
        """The one it holds of the machine's; nothing of an earlier life is left."""
        slots = int(pathlib.Path(f"/run/usher/{self.name}/slot").read_text())
        assert slots.bit_count() == 1
        return slots.bit_length() - 1

    def judge(self):
        """No sanitizer had anything to say, in a build that has any. A crash that a test asked for is none of theirs."""
        if not self.crashed_on_demand:
            assert "Sanitizer" not in self.log() and "runtime error:" not in self.log(), self.log()

    def kill(self, number=signal.SIGKILL):
        self.crashed_on_demand |= number == signal.SIGSEGV
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self, seconds=15):
        return self.process.wait(patience(seconds)) if self.process is not None else None


class Gate(Program):
    def __init__(self, lab, directory, pki, certificate=GATE_NAME, access=ALLOW_ALL, extra="", listen=None,
                 name="gate"):
        super().__init__(lab.gate, name, directory)
        self.conf.write_text(f"""[Gate]
Listen = {listen or "0.0.0.0:4433, [::]:4433"}
CA = {pki}/ca.crt
Certificate = {pki}/{certificate}.crt
Key = {pki}/{certificate}.key
CRL = {pki}/crl.pem
{extra}
{access}
""")

    def start(self):
        self.launch(USHER_GATE, "run", self.conf)
        wait_until(lambda: self.status(check=False) or self.process.poll() is not None, 10, "usher-gate run")
        assert self.process.poll() is None, self.log()
        return self

    def status(self, check=True):
        done = self.host.run(USHER_GATE, "status", self.name, "--json", check=check)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def worker_pids(self):
        return [portal["pid"] for portal in self.status()["portals"]]

    def stop(self):
        code = self.kill(signal.SIGTERM)
        self.judge()
        return code


class Portal(Program):
    ROUTES = "10.73.0.0/24, fd73::/64"
    # The hosts of a lab share the machine's /etc: who makes a portal take resolv.conf over brings one of their own.
    SYSTEM_DNS = "SystemDns = no"

    def __init__(self, lab, directory, pki, certificate="branch", address="10.3.0.2:4433", gate_name=GATE_NAME,
                 routes=ROUTES, extra="", name="branch", device="usher0", crl=True):
        super().__init__(lab.portal, name, directory)
        self.device = device
        self.conf.write_text(f"""[Portal]
Device = {device}
Address = 10.99.0.2/32, fd99::2/128
CA = {pki}/ca.crt
Certificate = {pki}/{certificate}.crt
Key = {pki}/{certificate}.key
{f"CRL = {pki}/crl.pem" if crl else ""}
Route = {routes}
{extra}
{self.SYSTEM_DNS if "Domains" in extra else ""}

[Gate]
Address = {address}
Name = {gate_name}
""")

    def start(self):
        """In the foreground, as a service manager would; returns once the tunnel is up."""
        self.launch(USHER_TUN, "up", "-f", self.conf)
        self.wait_up(20)
        return self

    def wait_up(self, seconds):
        def is_up():
            assert self.process.poll() is None, self.log()
            status = self.status(check=False)
            return status and status["state"] == "up"

        wait_until(is_up, seconds, f"tunnel up\n{self.log()}")

    def status(self, check=True):
        done = self.host.run(USHER_TUN, "status", self.name, "--json", check=check)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def flows(self):
        return json.loads(self.host.run(USHER_TUN, "flows", self.name, "--json").stdout)["flows"]

    def down(self, check=True):
        done = self.host.run(USHER_TUN, "down", self.conf, check=check)
        if self.process is not None:
            self.wait()
        self.judge()
        return done


@contextlib.contextmanager
def joined(lab, directory, pki):
    """A portal that is up, and its gate."""
    gate = Gate(lab, directory, pki).start()
    portal = Portal(lab, directory, pki)
    try:
        yield portal.start(), gate
    finally:
        portal.down(check=False)
        gate.stop()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def proc_number(pid, field, file="status"):
    """The number behind `field` in a file of /proc/PID."""
    for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {field} of {pid}")


def resident_kib(pid):
    return proc_number(pid, "VmRSS")
