# SPDX-License-Identifier: GPL-2.0-or-later
"""Control sockets of portals and gates that are not there: what the console shows, at any size and with any name.

As a program: fake_instances.py DIRECTORY PORTALS FLOWS serves a gate with so many portals and a portal with so many flows
below DIRECTORY/usher/.
"""

import json
import math
import pathlib
import random
import socketserver
import sys
import threading
import time

HOUR, DAY = 3600, 86400


def moment(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


class Instance:
    """One control socket. What was asked is in `lines`; `answers` maps a line, or its first word, to a text or a function."""

    def __init__(self, root, name, answers):
        self.name, self.answers, self.lines = name, answers, []
        place = pathlib.Path(root) / "usher" / name
        place.mkdir(parents=True)
        instance = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                line = self.rfile.readline().decode().rstrip("\n")
                instance.lines.append(line)
                answer = instance.answers.get(line, instance.answers.get(line.split(" ")[0], {"error": "unknown request"}))
                answer = answer() if callable(answer) else answer
                try:
                    self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
                except OSError:
                    pass

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads, request_queue_size = True, 64

        self.path = place / "control"
        self.server = Server(str(self.path), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.path.unlink()
        self.path.parent.rmdir()


def credentials(days=300):
    now = time.time()
    return [{"credential": name, "file": f"/etc/usher/pki/{file}", "expires": moment(now + left * DAY), "days_left": left}
            for name, file, left in (("CA", "ca.crt", 3100), ("Certificate", "branch.crt", days), ("CRL", "crl.pem", 25))]


def wave(period, low, high, seed=0.0):
    at = time.time() / period * 2 * math.pi + seed
    return low + (high - low) * (0.5 + 0.3 * math.sin(at) + 0.2 * math.sin(2.7 * at))


class Growing:
    """A counter that grows by what `rate` says."""

    def __init__(self, rate, start=0):
        self.rate, self.value, self.at = rate, start, time.time()

    def read(self):
        now = time.time()
        self.value += self.rate() * (now - self.at)
        self.at = now
        return int(self.value)


def portal_status(name, state="up", flows=12, days=300, rate=lambda: wave(90, 2e5, 6e6), error=None):
    began = time.time() - 7 * HOUR
    bytes_in, bytes_out = Growing(rate, 8e9), Growing(lambda: rate() / 6, 6e8)
    return lambda: {
        "name": name, "role": "portal", "state": state, "gate": "203.0.113.5:4433", "since": moment(began), "pid": 4711,
        "device": "usher0", "bytes_in": bytes_in.read(), "bytes_out": bytes_out.read(), "flows": flows,
        "dns": ["10.99.0.53:53"], "socks": ["127.0.0.1:1080"], "forwards": ["tcp 127.0.0.1:2222 -> db.corp.example:22"],
        "rtt_us": int(wave(40, 11000, 16000)),
        "identity": {"name": "gate.example.net", "serial": "01", "expires": moment(began + 90 * DAY),
                     "cipher": "TLS_AES_128_GCM_SHA256"},
        "validity": credentials(days), "last_error": error,
        "counters": {"sessions_opened": 8123, "sessions_refused": 14, "records_sent": 991234}}


def gate_status(name, portals):
    began = time.time() - 12 * DAY
    random.seed(7)
    rows = []
    for number, portal in enumerate(portals):
        rate = (lambda seed: lambda: wave(60, 0, 4e5, seed))(number)
        rows.append((portal, Growing(rate, 1e6 * random.randint(1, 9000)), Growing(rate, 1e6 * random.randint(1, 900)),
                     random.randint(0, 40), random.randint(4000, 90000), random.randint(60, 12 * DAY)))

    def answer():
        now = time.time()
        return {"name": name, "role": "gate", "state": "up", "since": moment(began), "pid": 991, "listen": ["0.0.0.0:4433", "[::]:4433"],
                "portals": [{"identity": portal, "serial": f"{number:04x}", "cipher": "TLS_AES_128_GCM_SHA256",
                             "expires": moment(now + (20 + number % 300) * DAY), "address": f"198.51.{number // 250}.{number % 250}:40{number % 900:03}",
                             "since": moment(now - age), "pid": 1000 + number, "sessions": sessions, "bytes_in": incoming.read(),
                             "bytes_out": outgoing.read(), "dial": {"opened": 100, "denied": number % 3},
                             "tunnel": {"rtt_us": rtt, **{f"counter_{i}": i * number for i in range(40)}}}
                            for number, (portal, incoming, outgoing, sessions, rtt, age) in enumerate(rows)],
                "validity": credentials(), "refused": [], "unauthenticated": 3, "admission": {"connections": 3, "refused": 7, "gave_way": 1, "crashes": 0}}
    return answer


def flows_of(name, count):
    random.seed(5)
    flows = [{"via": "capture", "protocol": random.choice(["tcp", "tcp", "tcp", "udp", "icmp"]),
              "inside": f"10.71.{number // 250}.{number % 250}:{30000 + number}",
              "far": f"{random.choice(['web', 'db', 'mail', 'git'])}{number % 40}.corp.example:{random.choice([22, 80, 443, 5432])}",
              "state": random.choice(["open", "open", "opening", "closing"]), "bytes_out": random.randint(0, 10**7),
              "bytes_in": random.randint(0, 10**9), "age_s": random.randint(0, 90000)} for number in range(count)]
    return {"name": name, "role": "portal", "flows": flows}


def flows_of_gate(name):
    flows = [{"portal": f"branch-{number:04}", "opened_by": "portal", "via": "dial", "protocol": "tcp",
              "destination": f"10.73.0.{number}:443", "rule": "Allow = 10.73.0.0/24", "place": "/etc/usher/gate.conf:12",
              "state": "active", "bytes_in": 1000 - number, "bytes_out": 10, "age_s": number} for number in range(1, 4)]
    return {"name": name, "role": "gate", "tunnels": 300, "flows": flows, "silent": 0, "next": "1000.1.2"}


def denials():
    now = time.time()
    return [{"portal": f"branch-000{n}", "from": f"10.71.0.{n}", "protocol": "tcp", "destination": f"10.73.0.66:{port}", "rule": rule,
             **place, "count": n * 3 + 1, "first": moment(now - HOUR), "last": moment(now - 97 * n)}
            for n, (port, rule, place) in enumerate([(22, "Deny = 10.73.0.66/32", {"place": "/etc/usher/gate.conf:14"}),
                                                     (445, "no rule allows it", {}), (3389, "no rule allows it", {})])]


def serve(root, portals, flows):
    names = [f"branch-{number:04}" for number in range(portals)]
    branch, gate = portal_status("branch", flows=flows), gate_status("gate", names)
    return [
        Instance(root, "gate", {"status": lambda: {**gate(), "denials": denials()}, "end": {"name": "gate", "ended": 1},
                                "flows": flows_of_gate("gate"),
                                "reload": {"name": "gate", "done": True, "messages": ["nothing has changed since it was last read"]},
                                "down": {"name": "gate", "role": "gate"}}),
        Instance(root, "branch", {"status": branch, "flows": json.dumps(flows_of("branch", flows)).encode(),
                                  "down": {"name": "branch"}, "reload": {"name": "branch", "done": True, "messages": []}}),
        Instance(root, "warehouse", {"status": portal_status("warehouse", days=9), "flows": flows_of("warehouse", 3)}),
        Instance(root, "laptop", {"status": portal_status("laptop", state="connecting", flows=0, rate=lambda: 0,
                                                          error="gate.example.net:4433: connection refused")}),
    ]


if __name__ == "__main__":
    served = serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print("ready", flush=True)
    threading.Event().wait()
