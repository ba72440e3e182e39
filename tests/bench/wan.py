# SPDX-License-Identifier: GPL-2.0-or-later
"""The long fat path: direct routing and the tunnel over an emulated link of 200 Mbit/s and 40 ms round trip."""

import collections
import concurrent.futures
import pathlib
import subprocess
import tempfile

import hosts
import measure
import paths
import report
from programs import wait_until

WAN = measure.BUILD / "wan"
LINK = ["delay=20", "rate=200", "queue=2048"]  # 20 ms each way; two bandwidth-delay products of queue
LOSSES = {"": "0", "_loss0.5": "0.5", "_loss1": "1"}


def emulated(options):
    """A wan for Hosts: the emulator's two TUN devices, both called `wan`."""
    def make(portal, gate):
        process = subprocess.Popen([WAN, portal.name, "wan", gate.name, "wan", *options], stdout=subprocess.DEVNULL)
        for host in (portal, gate):
            wait_until(lambda: host.run("ip", "link", "show", "wan", check=False).returncode == 0, 5, "emulated link")
            host.run("ip", "link", "set", "wan", "txqueuelen", 5000)
        return process

    return make


def one_loss(suffix, loss, rounds, seconds):
    """{path: {figure: {round: value}}} of one long path."""
    found = collections.defaultdict(lambda: collections.defaultdict(dict))
    with tempfile.TemporaryDirectory(prefix="usher-bench.") as work:
        lab = hosts.Hosts(emulated([*LINK, f"loss={loss}", "seed=7"]), tag="".join(filter(str.isalnum, suffix)))
        started, servers = [], []
        try:
            servers = [lab.server.start(measure.LOAD, "serve", f"10.80.{n}.2", paths.PORT, stdout=-3) for n in (1, 2)]
            for make in (paths.Direct, paths.Usher):
                path = make(lab, pathlib.Path(work))
                path.start()
                started.append(path)
            meter = measure.Meter(lab, seconds)
            streams = 32 if suffix == "_loss1" else 1
            for number in range(rounds):
                for path in started:
                    for direction in ("up", "down"):
                        figures = meter.bulk(path, direction, streams)
                        for kind in ("gbits", "slowest_share") if streams > 1 else ("gbits",):
                            found[path.name][f"wan_{direction}{streams}{suffix}_{kind}"][number] = (
                                figures[f"{direction}{streams}_{kind}"])
        finally:
            for path in started:
                path.stop()
            for server in servers:
                server.kill()
            lab.link.terminate()
            lab.link.wait()
            lab.delete()
    return found


def session(rounds, seconds, at_once):
    """One long path after the other, or all of them `at_once`: at 200 Mbit/s each leaves most of the machine to the others."""
    rest = collections.defaultdict(dict)
    with concurrent.futures.ThreadPoolExecutor(len(LOSSES) if at_once else 1) as pool:
        for found in pool.map(lambda item: one_loss(*item, rounds, seconds), LOSSES.items()):
            for name, figures in found.items():
                rest[name].update(figures)
    return report.summarise(rest)
