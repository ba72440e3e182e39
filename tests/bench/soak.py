# SPDX-License-Identifier: GPL-2.0-or-later
"""Hours of churn through one tunnel, to see whether anything grows: short connections, datagrams, connections that are refused
or broken off, logins that come and go, and now and then a cut of the wire. Root, for the namespaces of tests/net.

    tests/bench/soak.py [--minutes 60] [--json FILE]

Prints resident memory and descriptors of each process every minute, and in the end the slope of memory by least squares over
the second half of the time, when what is kept on purpose has been filled. Then nothing is done for as long as an association
of UDP lives, and the descriptors must be those from before. Ends with 1 where memory grew by more than half a MiB an hour, or
a descriptor was gained.
"""

import argparse
import contextlib
import json
import pathlib
import random
import socket
import ssl
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "net"))

from hostile import TCP, Wire, to_address  # noqa: E402
from lab import ABSENT4, DENIED4, SERVER4, Lab  # noqa: E402
from programs import ALLOW_ALL, Gate, Portal, descriptors, make_pki, resident_kib  # noqa: E402
from traffic import Server, datagram, each_connection, listener, reset, serve_datagram_echo, serve_echo, stream  # noqa: E402

SLOPE_MAX = 512  # KiB an hour
SAMPLE_S = 5
REST_S = 140  # an association is given up 120 s after its last datagram


class Churn:
    """One kind of traffic, again and again, in a thread of its own."""

    def __init__(self, act, pause):
        self.act, self.pause, self.done, self.failed, self.stopped = act, pause, 0, 0, False

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while not self.stopped:
            try:
                self.act()
                self.done += 1
            except (OSError, ssl.SSLError, AssertionError):
                self.failed += 1
            time.sleep(self.pause * random.uniform(0.5, 1.5))


def churns(lab, pki, echo, datagrams):
    def short():
        with stream(lab.client)(SERVER4, 5) as sock:
            sock.connect(echo)
            sock.sendall(b"x" * random.randrange(1, 20000))
            sock.recv(65536)

    def broken_off():
        sock = stream(lab.client)(SERVER4, 5)
        sock.connect(echo)
        sock.sendall(b"x" * 100000)
        reset(sock)

    def refused():
        with stream(lab.client)(SERVER4, 2) as sock, contextlib.suppress(OSError):
            sock.connect((random.choice((SERVER4, DENIED4, ABSENT4)), 1))

    def question():
        with datagram(lab.client, SERVER4) as sock:
            sock.settimeout(2)
            sock.sendto(b"q" * random.randrange(1400), datagrams)
            sock.recv(2000)

    def login():
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        context.load_cert_chain(pki / "other.crt", pki / "other.key")
        context.set_alpn_protocols(["usher/1"])
        with lab.portal.enter():
            plain = socket.create_connection(("10.3.0.2", 4433), timeout=5)
        wire = Wire(context.wrap_socket(plain, server_hostname="gate.example.net"))
        wire.open(2, to_address(TCP, *echo))
        wire.close()

    def stranger():
        with stream(lab.portal)("10.3.0.2", 5) as sock:
            sock.connect(("10.3.0.2", 4433))
            sock.sendall(random.randbytes(200))

    return {"short": Churn(short, 0.02), "broken off": Churn(broken_off, 0.1), "refused": Churn(refused, 0.2),
            "datagrams": Churn(question, 0.05), "logins": Churn(login, 0.5), "strangers": Churn(stranger, 1)}


def slope(samples):
    """Least squares, per hour, of the second half."""
    half = [sample for sample in samples if sample[0] >= samples[-1][0] / 2]
    mean_t, mean_v = (sum(sample[i] for sample in half) / len(half) for i in (0, 1))
    spread = sum((t - mean_t) ** 2 for t, _ in half)
    return 3600 * sum((t - mean_t) * (v - mean_v) for t, v in half) / spread if spread else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        directory = pathlib.Path(directory)
        pki = make_pki(directory / "pki")
        lab = Lab()
        stack.callback(lab.delete)
        gate = Gate(lab, directory, pki, access=ALLOW_ALL + ALLOW_ALL.replace("branch", "other"), name="soakgate").start()
        stack.callback(gate.stop)
        portal = Portal(lab, directory, pki, name="soak").start()
        stack.callback(portal.down, check=False)
        echo = stack.enter_context(Server(listener(lab.server, SERVER4), each_connection(quietly(serve_echo))))
        datagrams = stack.enter_context(Server(datagram(lab.server, SERVER4, (SERVER4, 0)), serve_datagram_echo))
        kinds = churns(lab, pki, echo, datagrams)
        sys.exit(watch(options, lab, gate, portal, kinds))


def quietly(serve):
    def handle(sock):
        with contextlib.suppress(OSError):
            serve(sock)

    return handle


def watch(options, lab, gate, portal, kinds):
    # Cuts are such that TCP rides out, so that the worker stays the same one and can be followed.
    worker = {one["identity"]: one["pid"] for one in gate.status()["portals"]}["branch"]
    pids = {"portal": portal.pid(), "supervisor": gate.pid(), "worker": worker}
    before = {name: descriptors(pid) for name, pid in pids.items()}
    memory = {name: [] for name in pids}
    for kind in kinds.values():
        kind.start()
    begin, next_cut, told = time.monotonic(), 120, 0
    while (now := time.monotonic() - begin) < options.minutes * 60:
        time.sleep(SAMPLE_S)
        if now > next_cut:
            next_cut += 120
            lab.cut()
            time.sleep(1.5)
            lab.heal()
        for name, pid in pids.items():
            memory[name].append((now, resident_kib(pid)))
        if now >= told:
            told += 60
            line = ", ".join(f"{name} {memory[name][-1][1]} KiB {descriptors(pid)} fds" for name, pid in pids.items())
            print(f"{now / 60:4.0f} min: {line}", flush=True)
    for kind in kinds.values():
        kind.stopped = True
    print("did: " + ", ".join(f"{name} {kind.done} ({kind.failed} failed)" for name, kind in kinds.items()), flush=True)
    time.sleep(REST_S)
    after = {name: descriptors(pid) for name, pid in pids.items()}
    return judge(options, memory, before, after, kinds)


def judge(options, memory, before, after, kinds):
    bad, results = 0, {}
    for name, samples in memory.items():
        grown = slope(samples)
        bad += grown > SLOPE_MAX or after[name] > before[name]
        results[name] = {"kib_per_hour": round(grown, 1), "kib": samples[-1][1], "descriptors": [before[name], after[name]]}
        print(f"{name:10}: {grown:+8.1f} KiB an hour at {samples[-1][1]} KiB, descriptors {before[name]} -> {after[name]}")
    if options.json:
        done = {name: kind.done for name, kind in kinds.items()}
        options.json.write_text(json.dumps({"minutes": options.minutes, "done": done, **results}))
    return 1 if bad else 0


if __name__ == "__main__":
    main()
