# SPDX-License-Identifier: GPL-2.0-or-later
"""One measurement of one path: the load program's own figures, and what the machine and the tunnel's processes spent."""

import contextlib
import os
import pathlib
import subprocess
import time

from hosts import SOURCES

BUILD = pathlib.Path(os.environ.get("BUILD", pathlib.Path(__file__).resolve().parents[2] / "build"))
LOAD = BUILD / "bench" / "load"
TICK = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
FLOWS_THAT_WEIGH = 10000
CLIENT, SERVER = CORES[0], CORES[-1]  # where they are placed when it matters


def pairs(line):
    return {key: float(value) for key, value in (pair.split("=") for pair in line.split())}


def machine_cpu():
    """Seconds of both cores that were not idle, since boot."""
    fields = [int(f) for f in open("/proc/stat").readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICK


def strangers():
    """Processors that work while nothing is measured: what else runs on this machine."""
    before, seconds = machine_cpu(), 0.3
    time.sleep(seconds)
    return (machine_cpu() - before) / seconds


def process_cpu(pids):
    total = 0
    for pid in pids:
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def memory_kib(pids, key="VmRSS:"):
    total = 0
    for pid in pids:
        for line in open(f"/proc/{pid}/status"):
            if line.startswith(key):
                total += int(line.split()[1])
    return total


class Meter:
    """Runs the load program's modes over a path; `server` must be serving in the server's namespace."""

    def __init__(self, hosts, seconds, servers=()):
        self.hosts, self.seconds, self.servers = hosts, seconds, servers

    def argv(self, path, mode, *args, version=4, wrap=()):
        argv = self.hosts.client.argv(*wrap, LOAD, *path.load_options, mode, path.target(version), path.port, *args)
        return [str(a) for a in argv]

    def load(self, path, mode, *args, version=4, wrap=()):
        for _ in range(2):  # a port reused too early is reset by a server that remembers it: once more
            done = subprocess.run(self.argv(path, mode, *args, version=version, wrap=wrap), capture_output=True, text=True,
                                  timeout=120)
            if done.returncode == 0:
                return pairs(done.stdout.splitlines()[-1])
        raise AssertionError(f"{path.name}: {mode}: {done.stderr.strip()}")

    @contextlib.contextmanager
    def placed(self):
        """Client and server each have a core, as two hosts do; gives what goes in front of the client. Left alone, direct
        routing sometimes finds both on one core and never sleeps, sometimes not, and its median jumps by a factor of three."""
        for server in self.servers:
            os.sched_setaffinity(server.pid, {SERVER})
        try:
            yield ["taskset", "-c", CLIENT]
        finally:
            for server in self.servers:
                os.sched_setaffinity(server.pid, CORES)

    def bulk(self, path, direction, streams, version=4):
        machine, tunnel = machine_cpu(), process_cpu(path.pids())
        figures = self.load(path, "bulk", direction, streams, self.seconds, version=version)
        # CPU is taken over the whole run, bytes over its counted part: scale them alike (load.c: one fifth more).
        gigabytes = figures["bytes"] * 1.2 / 1e9
        key = f"{direction}{streams}" + ("" if version == 4 else "_v6")
        share = {f"{key}_slowest_share": figures["slowest_share"]} if streams > 1 else {}
        return {
            f"{key}_gbits": figures["gbits"],
            **share,
            f"{key}_machine_cpu_s_per_gb": (machine_cpu() - machine) / gigabytes,
            f"{key}_tunnel_cpu_s_per_gb": (process_cpu(path.pids()) - tunnel) / gigabytes,
        }

    def rr(self, path):
        with self.placed() as wrap:
            figures = self.load(path, "rr", self.seconds, wrap=wrap)
        return {"rr_p50_us": figures["p50_us"], "rr_p99_us": figures["p99_us"]}

    def rr_beside_bulk(self, path):
        argv = self.argv(path, "bulk", "up", 8, self.seconds + 1)
        bulk = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        time.sleep(0.8)
        figures = self.load(path, "rr", max(1, self.seconds - 0.5))
        beside = pairs(bulk.communicate()[0])
        return {"beside_p50_us": figures["p50_us"], "beside_p99_us": figures["p99_us"], "beside_gbits": beside["gbits"]}

    def crr(self, path):
        return {"crr_per_s": self.load(path, "crr", 16, self.seconds, ",".join(SOURCES))["per_second"]}

    def udp(self, path):
        return {"udp_per_s": self.load(path, "udp", 32, self.seconds)["per_second"]}

    def hold(self, path, flows):
        """Opens `flows`, measures memory, then the echo rate over randomly chosen ones."""
        before = memory_kib(path.pids())
        with self.placed() as wrap:
            argv = self.argv(path, "hold", flows, self.seconds, wrap=wrap)
            holder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            if holder.stdout.readline() != "held\n":
                raise AssertionError(f"{path.name}: cannot hold {flows} flows")
            time.sleep(0.5)
            grown = memory_kib(path.pids()) - before
            figures = pairs(holder.communicate("\n")[0])
        # Of few flows, a page more or less would be most of the figure.
        memory = {f"hold{flows}_bytes_per_flow": grown * 1024 / flows} if flows >= FLOWS_THAT_WEIGH else {}
        return {**memory, f"hold{flows}_echo_per_s": figures["per_second"], f"hold{flows}_echo_p50_us": figures["p50_us"]}

    def peak(self, path):
        return {"peak_memory_kib": memory_kib(path.pids(), "VmHWM:")}
