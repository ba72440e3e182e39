#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: every path in one session and in turn (A B C, C B A, ...), medians with spread, ratios.

    bench.py [--quick | --hold] [--rounds N] [--setups N] [--seconds S] [--paths NAME,...] [--figures NAME,...] [--no-wan]
             [--json FILE] [--stored FILE]
    bench.py --against DIR [--quick] ...

`--quick` leaves out the slow peers, measures the rest shortly, and compares with the stored table: every figure that the
product promises is among them. What is judged are ratios within a session (report.py), so the machine need not be the one
of the table. `--hold` measures held flows alone (see `machine`). `--against` compares with another build, whose usher-tun
and usher-gate are in DIR: both are paths of the same session, and each figure is shown as after/before. With few processors
it depends on which process came to sit on which, and the same program set up a second time may differ from itself by a
tenth: `--setups` sets all paths up so many times, in the one order and the other, for `rounds` each. `--figures` measures
nothing else: up1, up8, down1, rr, beside, crr, udp, down8.
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


def measurements(meter, args):
    """In order: [(what of a path gives its figures, whether a path has them)]."""
    def bulk(direction, streams, version=4):
        return lambda path: meter.bulk(path, direction, streams, version)

    listed = []
    for direction, streams in PROMISED:
        name = f"{direction}{streams}"
        listed += [(name, bulk(direction, streams), lambda path: True),
                   (name, bulk(direction, streams, 6), lambda path: path.version6)]
    for name, what in (("rr", meter.rr), ("beside", meter.rr_beside_bulk), ("crr", meter.crr)):
        listed.append((name, what, lambda path: True))
    listed.append(("udp", meter.udp, lambda path: path.udp))
    if not args.quick:
        listed.append(("down8", bulk("down", 8), lambda path: True))
    return [(what, has) for name, what, has in listed if not args.figures or name in args.figures]


def serve(lab):
    servers = [lab.server.start(measure.LOAD, "serve", address, paths.PORT, stdout=-3) for number in range(1, hosts.PATHS_MAX + 1)
               for address in (f"10.80.{number}.2", f"fd80:{number}::2")]
    time.sleep(0.3)
    return servers


def wanted(args):
    if args.paths:
        classes = [c for c in paths.ALL + paths.ENTRANCES if c.name.split()[0] in args.paths]
    elif args.against:
        classes = [paths.Usher]
    else:
        classes = [paths.Direct, paths.Usher, paths.Relay] if args.quick else paths.ALL
    return classes + ([paths.before(args.against)] if args.against else [])


def session(args, work):
    """({path: {figure: {round: value}}}, processors that strangers took in each round)."""
    found, others = collections.defaultdict(lambda: collections.defaultdict(dict)), []
    for setup in range(args.setups):
        classes, own = wanted(args), work / str(setup)
        own.mkdir()
        one_setup(args, own, classes if setup % 2 == 0 else classes[::-1], setup * args.rounds, found, others)
    return found, others


def one_setup(args, work, classes, first, found, others):
    """Adds rounds from number `first` on."""
    lab = hosts.Hosts()
    started, servers = [], []
    try:
        servers = serve(lab)
        started = start_paths(classes, lab, work)
        meter = measure.Meter(lab, args.seconds, servers)
        if not args.figures:
            hold(meter, started, first, found, args)
        for number in range(first, first if args.hold else first + args.rounds):
            print(f"round {number + 1} of {args.setups * args.rounds}", file=sys.stderr)
            others.append(measure.strangers())
            # One measurement on every path, then the next one: what is compared lies a second or two apart.
            for what, has in measurements(meter, args):
                for path in started if number % 2 == 0 else reversed(started):
                    if has(path):
                        note(found, path, number, lambda: what(path))
        for path in started:
            note(found, path, first, lambda: meter.peak(path))
    finally:
        for path in started:
            path.stop()
        for server in servers:
            server.kill()
        lab.delete()


def note(found, path, number, what):
    try:
        figures = what()
    except AssertionError as error:
        print(f"  {error}", file=sys.stderr)
        return
    for figure, value in figures.items():
        found[path.name][figure][number] = value


# Each flow is a descriptor of the load program, of its server and of the gate's worker: as many as one process may have.
MANY = min(30000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000)


def hold(meter, started, first, found, args):
    """Held flows need a fresh start, so they come first. One sample each; with --hold as many as there are rounds, but for
    the memory a flow takes, which only the first shows."""
    def once(path, flows, number):
        figures = meter.hold(path, flows)
        return {figure: value for figure, value in figures.items() if number == 0 or not figure.endswith("_bytes_per_flow")}

    for number in range(args.rounds if args.hold else 1):
        for path in started if number % 2 == 0 else reversed(started):
            for flows in (10000, 100) if args.quick else (10000, 100, MANY):
                if path.holds:
                    note(found, path, first + number, lambda: once(path, flows, number))


def show(summary, rows):
    print(report.table(summary))
    print()
    print(report.ratio_table(rows))


def judge(summary, stored, others):
    """Prints how the ratios stand to the stored ones; the exit status."""
    why = report.unjudged(summary, others)
    if why:
        print(f"\nNOT JUDGED: {why}")
        return 0
    rows = report.judgements(summary, stored)
    print()
    print(report.judgement_table(rows))
    fallen = [row for row in rows if row.fell]
    for row in fallen:
        print(f"FELL {row.what}: {row.loss:.0%} worse than stored (noise {row.noise:.0%})")
    return 1 if fallen else 0


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--hold", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--setups", type=int, default=1)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--paths", type=lambda text: text.split(","))
    parser.add_argument("--figures", type=lambda text: text.split(","))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--stored", type=pathlib.Path, default=STORED)
    parser.add_argument("--against", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--no-wan", action="store_true")
    args = parser.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 5)
    args.seconds = args.seconds or (0.7 if args.quick else 3)
    for program in ("usher-tun", "usher-gate"):
        if args.against and not (args.against / program).exists():
            parser.error(f"--against: there is no {program} in {args.against}")
    return args


def main():
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="usher-bench.") as work:
        found, others = session(args, pathlib.Path(work))
    summary = report.summarise(found)
    show(summary, report.ratios(summary))
    if not args.hold and not args.no_wan and not args.against:
        summary["wan"] = wan.session(1 if args.quick else 3, 4 if args.quick else 8, at_once=args.quick)
        print()
        show(summary["wan"], report.wan_ratios(summary["wan"]))
    if args.json:
        args.json.write_text(json.dumps(summary, indent=1) + "\n")
    if args.against:
        print()
        print(report.before_and_after(summary))
        return 0
    judged = args.quick and not args.hold and args.stored.exists()
    return judge(summary, report.load(args.stored), others) if judged else 0


if __name__ == "__main__":
    sys.exit(main())
