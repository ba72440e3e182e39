# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer with a valid certificate that keeps to no rule. What it says stands in tables of cases, which both directions
share where the rule is both's; what must hold whatever it says is judged by a Watch."""

import os
import pathlib
import select
import socket
import ssl
import struct
import time

from lab import patience, wait_until
from programs import descriptors, resident_kib

TCP, UDP, ICMP, CONTROL = 6, 17, 1, 255
OPEN, REPLY, CLOSE, SEND, SEND_UDP, ACK, END, RST = 1, -1, 2, 3, 4, 5, 6, 7
READ, WRITE, BOTH = 0, 1, 2
MY_ID, THEIR_ID = 7000, 7001  # of sessions that nobody opened: even and odd
RC_NONE = b"\xff\xff"


def record(kind, session, body=b"", length=None):
    return struct.pack(">ihH", len(body) if length is None else length, kind, session) + body


def to_address(protocol, address, port):
    return struct.pack(">hhH", protocol, 1, port) + socket.inet_aton(address)


def to_name(protocol, name, port):
    return struct.pack(">hhH", protocol, 2, port) + name


def message(kind, body=b"", flags=0):
    return struct.pack(">BBH", kind, flags, len(body)) + body


HELLO = message(1, struct.pack(">II", 1, 100) + b"by hand\0")

HEADER_BAD, BODY_BAD = "protocol error: bad record header", "protocol error: bad record body"
ABUSE = "protocol error: protocol abuse"
NO_OPEN = "protocol error: answer to an open that does not wait for one"

# What ends the tunnel, whoever says it: its bytes, and the sentence of the UsherEnd that comes back.
ENDS = {
    "length -1": (record(SEND, MY_ID, length=-1), HEADER_BAD),
    "length -2^31": (record(SEND, MY_ID, length=-1 << 31), HEADER_BAD),
    "length 65536": (record(SEND, MY_ID, length=65536), HEADER_BAD),
    "length 2^31-1": (record(OPEN, MY_ID, length=(1 << 31) - 1), HEADER_BAD),
    **{f"type {kind}": (record(kind, MY_ID), HEADER_BAD) for kind in (0, 8, -2, 32767, -32768)},
    "another protocol": (b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n", HEADER_BAD),
    "open without a body": (record(OPEN, MY_ID), BODY_BAD),
    "open cut in its address": (record(OPEN, MY_ID, to_address(TCP, "10.73.0.2", 80)[:-1]), BODY_BAD),
    "open with a byte behind": (record(OPEN, MY_ID, to_address(TCP, "10.73.0.2", 80) + b"x"), BODY_BAD),
    "open, ADDRTYPE 0": (record(OPEN, MY_ID, struct.pack(">hhH", TCP, 0, 80) + bytes(4)), BODY_BAD),
    "open, ADDRTYPE 3": (record(OPEN, MY_ID, struct.pack(">hhH", TCP, 3, 80) + bytes(4)), BODY_BAD),
    "open, ADDRTYPE -1": (record(OPEN, MY_ID, struct.pack(">hhH", TCP, -1, 80) + bytes(4)), BODY_BAD),
    "open, no name": (record(OPEN, MY_ID, to_name(TCP, b"\0", 80)), BODY_BAD),
    "open, name without NUL": (record(OPEN, MY_ID, to_name(TCP, b"a.corp.example", 80)), BODY_BAD),
    "open, name of 256": (record(OPEN, MY_ID, to_name(TCP, b"a" * 256 + b"\0", 80)), BODY_BAD),
    "open, NUL in the name": (record(OPEN, MY_ID, to_name(TCP, b"a\0b\0", 80)), BODY_BAD),
    "answer without a body": (record(REPLY, MY_ID), BODY_BAD),
    "refusal without a reason": (record(REPLY, MY_ID, RC_NONE), BODY_BAD),
    "answer to nothing": (record(REPLY, MY_ID, struct.pack(">H", MY_ID)), NO_OPEN),
    "refusal of nothing": (record(REPLY, THEIR_ID, RC_NONE + b"denied: no\0"), NO_OPEN),
    "close, direction 3": (record(CLOSE, MY_ID, b"\0\3"), BODY_BAD),
    "close, direction -1": (record(CLOSE, MY_ID, RC_NONE), BODY_BAD),
    "close, short": (record(CLOSE, MY_ID, b"\0"), BODY_BAD),
    "close, long": (record(CLOSE, MY_ID, b"\0\0\0"), BODY_BAD),
    "datagram without addresses": (record(SEND_UDP, MY_ID, bytes(11)), BODY_BAD),
    "datagram of 65508": (record(SEND_UDP, MY_ID, bytes(12 + 65508)), BODY_BAD),
    "credit, short": (record(ACK, MY_ID, b"\0"), BODY_BAD),
    "credit, long": (record(ACK, MY_ID, b"\0\0\1"), BODY_BAD),
    "reset without NUL": (record(RST, MY_ID, b"failed: x"), BODY_BAD),
    "reset without a text": (record(RST, MY_ID), BODY_BAD),
    "end without NUL": (record(END, 0, b"bye"), BODY_BAD),
}

# What the other end takes no notice of, but for counting it: records of sessions that it does not know, and heartbeats.
IGNORED = {
    "data of nobody": record(SEND, MY_ID, b"x" * 65535),
    "empty data of nobody": record(SEND, MY_ID),
    "datagram of nobody": record(SEND_UDP, THEIR_ID, bytes(12 + 65507)),
    "credit of nobody": record(ACK, MY_ID, b"\xff\xff"),
    "close of nobody": record(CLOSE, THEIR_ID, b"\0\2"),
    "reset of nobody": record(RST, MY_ID, b"failed: \x1b[2J\n%n\0"),
    "reset of -1": record(RST, 0xFFFF, b"\0"),
    "data of 0": record(SEND, 0, b"x"),
    "2000 heartbeats": record(ACK, 0, b"\0\0") * 2000,
    "2000 datagrams of nobody": record(SEND_UDP, MY_ID, bytes(12)) * 2000,
}

# In the control session: what is said after hello, and the sentence that ends the tunnel; or None.
TALK = {
    "hello too often": (HELLO * 1100, ABUSE),
    "unknown too often": (message(77, b"x") * 1200, ABUSE),
    "unknown": (message(200, bytes(4096)) * 3, None),
    "critical": (message(200, b"", flags=1), "protocol error: control message 200: not known here, and critical"),
    "too long": (struct.pack(">BBH", 2, 0, 4097), "protocol error: control message 2: too long"),
    "probe without NUL": (message(2, b"\0\0\0\1abc"), "protocol error: control message 2: malformed"),
    "probe of 256": (message(2, bytes(4) + b"a" * 256 + b"\0"), "protocol error: control message 2: malformed"),
    "answer that is short": (message(3, bytes(9)), "protocol error: control message 3: malformed"),
    "answer to nothing": (message(3, bytes(10)), None),
    "answers too often": (message(3, bytes(10)) * 22000, ABUSE),
    "origin that is short": (message(4, bytes(5)), "protocol error: control message 4: malformed"),
    "origin without its address": (message(4, struct.pack(">HHH", 2, 1, 6) + bytes(15)), "protocol error: control message 4: malformed"),
    "origin of VERSION 5": (message(4, struct.pack(">HHH", 2, 1, 5) + bytes(16)), None),
    "origins of nobody": (message(4, struct.pack(">HHH", 2, 1, 4) + bytes(4)) * 5000, None),
    "drain without a word": (message(5), "protocol error: control message 5: malformed"),
    "ticket that is short": (message(6, bytes(19)), "protocol error: control message 6: malformed"),
    "tickets too often": (message(6, bytes(20)) * 1200, ABUSE),
    "unreachable without NUL": (message(7, bytes(14) + b"refused"), "protocol error: control message 7: malformed"),
    "unreachable that is short": (message(7, bytes(13)), "protocol error: control message 7: malformed"),
    "unreachable of nobody": (message(7, bytes(14) + b"refused\0") * 900, None),
    "unreachable too often": (message(7, bytes(14) + b"refused\0") * 3100, ABUSE),
    "half a message": (message(2, bytes(100))[:50], None),
}


class Wire:
    """Records over a TLS connection that the caller has made."""

    def __init__(self, tls):
        self.tls, self.buffer = tls, b""
        tls.settimeout(patience(10))

    def send(self, data):
        """As much as the other end takes: one that has ended the tunnel takes no more."""
        try:
            self.tls.sendall(data)
            return True
        except (OSError, ssl.SSLError):
            return False

    def records(self, seconds=10):
        """Each record until the connection is over, or nothing has come for so long."""
        self.tls.settimeout(patience(seconds))
        while True:
            while len(self.buffer) >= 8:
                length, kind, session = struct.unpack(">ihH", self.buffer[:8])
                if len(self.buffer) < 8 + length:
                    break
                body, self.buffer = self.buffer[8:8 + length], self.buffer[8 + length:]
                yield kind, session, body
            try:
                data = self.tls.recv(65536)
            except TimeoutError:
                return
            except (OSError, ssl.SSLError):
                data = b""
            if not data:
                return
            self.buffer += data

    def wait(self, kind, session, seconds=10):
        """The body of the next record like that; None: the tunnel is over."""
        for got, whose, body in self.records(seconds):
            if (got, whose) == (kind, session):
                return body
        return None

    def end(self, seconds=10):
        """The sentence of the UsherEnd; None: there was none."""
        body = self.wait(END, 0, seconds)
        return None if body is None else body[:-1].decode()

    def open(self, session, body):
        """What the answer says: "" is yes."""
        self.send(record(OPEN, session, body))
        answer = self.wait(REPLY, session)
        assert answer is not None, "the tunnel was ended over an open"
        return "" if answer[:2] != RC_NONE else answer[2:-1].decode()

    def lives(self):
        """The other end still answers: an open of what it does not know."""
        return self.open(0x7E, to_name(200, b"nothing\0", 0)).startswith("unsupported")

    def talk(self, session, said, why):
        """A case of TALK, in a control session that is open."""
        said = HELLO + said
        for at in range(0, len(said), 16000):
            self.send(record(SEND, session, said[at:at + 16000]))
        if why:
            assert self.end() == why
        else:
            assert self.lives()

    def close(self):
        self.tls.close()


def hurl(tls, data, seconds):
    """Sends and never reads, until it is all gone, or the other end takes no more. How much it took."""
    tls.setblocking(False)
    view, deadline = memoryview(data), time.monotonic() + seconds
    while view and time.monotonic() < deadline:
        try:
            view = view[tls.send(view[:16384]):]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            select.select([], [tls], [], 0.1)
        except (OSError, ssl.SSLError):
            break
    return len(data) - len(view)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """Of processes that must outlive everything: as they were before it, and what they may have become."""

    # Above what it was: buffers and tables of one more tunnel, once. Sanitized, what was freed stays for a while.
    MEMORY_KIB = 8 * 1024 if patience(1) == 1 else 64 * 1024
    LOG_BYTES = 4096  # for each case: some lines
    # Of a process in a second: one that has nothing to do is idle, one that is being flooded may be busy.
    CPU_IDLE = 0.2

    def __init__(self, program, pids):
        self.program, self.pids = program, pids
        self.before = {pid: (descriptors(pid), resident_kib(pid)) for pid in pids}
        self.log, self.cases = len(program.log()), 0

    def judge(self):
        for pid, (held, kib) in self.before.items():
            wait_until(lambda: descriptors(pid) <= held, 5, f"{pid} holds {held} descriptors again")
            assert resident_kib(pid) < kib + self.MEMORY_KIB, f"memory of {pid}"
        grown = len(self.program.log()) - self.log
        assert grown < self.LOG_BYTES * max(self.cases, 1), f"{grown} bytes of log in {self.cases} cases"
        begin = {pid: cpu_seconds(pid) for pid in self.pids}
        time.sleep(1)
        for pid in self.pids:
            assert cpu_seconds(pid) - begin[pid] < patience(self.CPU_IDLE), f"{pid} turns for nothing"
