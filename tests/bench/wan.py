# SPDX-License-Identifier: GPL-2.0-or-later
"""The long fat path: direct routing and the tunnel over an emulated link of 200 Mbit/s and 40 ms round trip."""

import collections
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


def one_loss(args, suffix, loss, rounds):
    with tempfile.TemporaryDirectory(prefix="usher-bench.") as work:
        lab = hosts.Hosts(emulated([*LINK, f"loss={loss}", "seed=7"]))
        started, servers = [], []
        try:
            servers = [lab.server.start(measure.LOAD, "serve", f"10.80.{n}.2", paths.PORT, stdout=-3) for n in (1, 2)]
            for make in (paths.Direct, paths.Usher):
                path = make(lab, pathlib.Path(work))
                path.start()
                started.append(path)
            meter = measure.Meter(lab, max(args.seconds, 8))
            streams = 32 if suffix == "_loss1" else 1
            for _ in range(min(args.rounds, 3)):
                for path in started:
                    for direction in ("up", "down"):
                        figures = meter.bulk(path, direction, streams)
                        for kind in ("gbits", "slowest_share"):
                            rounds[path.name][f"wan_{direction}{streams}{suffix}_{kind}"].append(
                                figures[f"{direction}{streams}_{kind}"])
        finally:
            for path in started:
                path.stop()
            for server in servers:
                server.kill()
            lab.link.terminate()
            lab.link.wait()
            lab.delete()


def session(args):
    rounds = collections.defaultdict(lambda: collections.defaultdict(list))
    for suffix, loss in LOSSES.items():
        one_loss(args, suffix, loss, rounds)
    return report.summarise(rounds)
