#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: every path in one session and in turn (A B C A B C ...), medians with spread, ratios.

    bench.py [--quick | --hold] [--rounds N] [--seconds S] [--paths NAME,...] [--no-wan] [--json FILE] [--against FILE]

`--quick` leaves out the slow peers, measures the rest shortly, and compares with the stored table: every figure that the
product promises is among them. `--hold` measures held flows alone (see `machine`).
"""

import argparse
import collections
import json
import pathlib
import resource
import sys
import tempfile
import time

import hosts
import measure
import paths
import report
import wan

STORED = pathlib.Path(__file__).resolve().parents[2] / "doc" / "performance.json"


def start_paths(classes, lab, work):
    started = []
    for make in classes:
        path = make(lab, work)
        try:
            path.start()
            started.append(path)
        except (AssertionError, OSError) as error:
            print(f"{path.name}: cannot run here: {str(error).splitlines()[0]}", file=sys.stderr)
            path.stop()
    return started


PROMISED = (("up", 1), ("down", 1), ("up", 8))  # bulk: direction and streams


def one_round(meter, path, quick):
    figures = {}
    for direction, streams in PROMISED:
        figures.update(meter.bulk(path, direction, streams))
        if path.name in ("direct", "usher-tun"):  # right behind, for they are compared with each other
            figures.update(meter.bulk(path, direction, streams, version=6))
    if path.name == "haproxy TLS relay" and quick:
        return figures
    figures.update(meter.rr(path))
    figures.update(meter.rr_beside_bulk(path))
    figures.update(meter.crr(path))
    if path.name not in ("haproxy TLS relay", "sshuttle"):
        figures.update(meter.udp(path))
    if not quick:
        figures.update(meter.bulk(path, "down", 8))
    return figures


def serve(lab):
    servers = [lab.server.start(measure.LOAD, "serve", address, paths.PORT, stdout=-3) for number in range(1, hosts.PATHS_MAX + 1)
               for address in (f"10.80.{number}.2", f"fd80:{number}::2")]
    time.sleep(0.3)
    return servers


def session(args, work):
    rounds = collections.defaultdict(lambda: collections.defaultdict(list))
    lab = hosts.Hosts()
    started, servers = [], []
    try:
        servers = serve(lab)
        wanted = [c for c in paths.ALL if not args.paths or c.name.split()[0] in args.paths]
        if args.quick and not args.paths:
            wanted = [paths.Direct, paths.Usher, paths.Relay]
        started = start_paths(wanted, lab, work)
        meter = measure.Meter(lab, args.seconds, servers)
        hold(meter, started, rounds, args)
        for number in range(0 if args.hold else args.rounds):
            for path in started:
                print(f"round {number + 1} of {args.rounds}: {path.name}", file=sys.stderr)
                for figure, value in attempt(meter, path, args.quick).items():
                    rounds[path.name][figure].append(value)
        for path in started:
            rounds[path.name]["peak_memory_kib"].append(meter.peak(path)["peak_memory_kib"])
    finally:
        for path in started:
            path.stop()
        for server in servers:
            server.kill()
        lab.delete()
    return rounds


def attempt(meter, path, quick):
    try:
        return one_round(meter, path, quick)
    except AssertionError as error:
        print(f"  {error}", file=sys.stderr)
        return {}


# Each flow is a descriptor of the load program, of its server and of the gate's worker: as many as one process may have.
MANY = min(30000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000)


def hold(meter, started, rounds, args):
    """Held flows need a fresh start, so they come first. One sample each; with --hold as many as there are rounds, but for
    the memory a flow takes, which only the first shows."""
    for number in range(args.rounds if args.hold else 1):
        for path in started:
            if path.name not in ("direct", "usher-tun"):
                continue
            for flows in (10000, 100) if args.quick else (10000, 100, MANY):
                try:
                    figures = meter.hold(path, flows)
                except AssertionError as error:
                    print(f"  {error}", file=sys.stderr)
                    continue
                for figure, value in figures.items():
                    if number == 0 or not figure.endswith("_bytes_per_flow"):
                        rounds[path.name][figure].append(value)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--hold", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--paths", type=lambda text: text.split(","))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--against", type=pathlib.Path, default=STORED)
    parser.add_argument("--no-wan", action="store_true")
    args = parser.parse_args()
    args.rounds = args.rounds or (2 if args.quick else 5)
    args.seconds = args.seconds or (1 if args.quick else 3)
    with tempfile.TemporaryDirectory(prefix="usher-bench.") as work:
        summary = report.summarise(session(args, pathlib.Path(work)))
    print(report.table(summary))
    print()
    print(report.ratio_table(report.ratios(summary)))
    if not args.hold and not args.no_wan:
        wan_summary = wan.session(1 if args.quick else 3, 4 if args.quick else 8, at_once=args.quick)
        print()
        print(report.table(wan_summary))
        print()
        print(report.ratio_table(report.wan_ratios(wan_summary)))
        summary["wan"] = wan_summary
    if args.json:
        args.json.write_text(json.dumps(summary, indent=1) + "\n")
    stored = report.load(args.against) if args.quick else None
    losses = report.fallen(summary, stored) if stored else []
    for loss in losses:
        print(f"FELL {loss}")
    return 1 if losses else 0


if __name__ == "__main__":
    sys.exit(main())
