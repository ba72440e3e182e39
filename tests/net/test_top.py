# SPDX-License-Identifier: GPL-2.0-or-later
"""`top` on a real terminal: what it shows, its keys, its size, and that the terminal is as it was, whatever ends it."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time

import pyte
import pytest

from lab import patience, wait_until
from programs import USHER_GATE, USHER_TUN
from traffic import connected


class Screen:
    """A program with a terminal of its own, and what stands there."""

    def __init__(self, host, *argv, rows=24, columns=100, term="xterm"):
        self.master, slave = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.slave = slave
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.raw = b""
        self.process = host.start(*argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                  env={**os.environ, "TERM": term, "LC_ALL": "C.UTF-8"},
                                  preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def read(self, seconds=0.05):
        while select.select([self.master], [], [], seconds)[0]:
            data = os.read(self.master, 65536)
            self.raw += data
            self.stream.feed(data)

    def lines(self):
        self.read()
        return [line.rstrip() for line in self.screen.display]

    def expect(self, pattern, seconds=10):
        def seen():
            return re.search(pattern, "\n".join(self.lines()), re.M)

        try:
            return wait_until(seen, seconds, pattern)
        except AssertionError:
            raise AssertionError(f"{pattern!r} is not in\n" + "\n".join(self.lines())) from None

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self, seconds=10):
        code = self.process.wait(patience(seconds))
        self.read()
        return code

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)


@contextlib.contextmanager
def top(host, *argv, **kwargs):
    screen = Screen(host, *argv, **kwargs)
    try:
        yield screen
    finally:
        screen.close()


def children(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in out.split()]


def trickle(client, server, size):
    client.sendall(b"x" * size)
    left = size
    while left:
        left -= len(server.recv(min(left, 65536)))


def test_rates_and_order(lab, tunnel):
    portal, _ = tunnel
    with connected(lab, "10.73.0.2") as quiet, connected(lab, "10.73.0.3") as loud, \
            top(portal.host, USHER_TUN, "top", portal.name) as screen:
        trickle(*quiet, 3 << 20)
        screen.expect(r"^usher-tun top  \d\d:\d\d:\d\d  1 portal, 2 flows, in ")
        screen.expect(rf"^{portal.name} .* up ")
        screen.expect(r"^PROTO +INSIDE +FAR END +STATE +IN/s +OUT/s +IN +OUT +AGE")
        assert screen.lines()[-1].startswith("q quit  s sort: rate  / filter  p pause")
        for _ in range(3):
            trickle(*loud, 1 << 20)
            time.sleep(1)
        first = screen.expect(r"^tcp .*\n.*").group().splitlines()
        assert "10.73.0.3:" in first[0] and "10.73.0.2:" in first[1], first
        assert re.search(r" \d+(\.\d)?[KM] +0B +3\.0M ", first[0]) or "M" in first[0]
        screen.type("s")
        screen.expect("s sort: bytes")
        screen.type("ss")
        screen.expect("s sort: far end")
        first = screen.expect(r"^tcp .*\n.*").group().splitlines()
        assert "10.73.0.2:" in first[0]
        screen.type("/10.73.0.3\r")
        screen.expect(r"/ filter: 10\.73\.0\.3")
        assert not re.search(r"^tcp .*10\.73\.0\.2:", "\n".join(screen.lines()), re.M)
        screen.type("/\x1b")
        screen.expect(r"/ filter  p")
        screen.type("p")
        screen.expect("PAUSED$")
        screen.type("q")
        assert screen.end() == 0 and screen.is_as_before()


def test_size(lab, tunnel):
    portal, _ = tunnel
    with top(portal.host, USHER_TUN, "top", portal.name) as screen:
        screen.expect("^q quit")
        for rows, columns in ((40, 160), (10, 60), (5, 20), (1, 1), (24, 80)):
            screen.resize(rows, columns)
            screen.screen.reset()
            os.kill(children(screen.process.pid)[0], signal.SIGWINCH)
            if rows > 4:
                wait_until(lambda: screen.lines()[rows - 1].startswith("q quit"), 10, f"keys at the bottom of {rows} lines")
                assert screen.lines()[0].startswith("usher-tun top")
            else:
                time.sleep(0.3)
                screen.read()
        assert screen.process.poll() is None
        screen.type("q")
        assert screen.end() == 0 and screen.is_as_before()


def test_many_flows_scroll(lab, tunnel):
    portal, _ = tunnel
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(connected(lab, "10.73.0.2"))
        screen = stack.enter_context(top(portal.host, USHER_TUN, "top", portal.name))
        screen.expect(r"1 portal, 40 flows")
        screen.type("s")
        screen.type("ss")
        screen.expect("s sort: far end")
        before = screen.expect(r"^tcp .*").group()
        screen.type("\x1b[6~")
        wait_until(lambda: not screen.expect(r"^tcp .*").group().startswith(before[:60]), 5, "further rows")
        screen.type("\x1bOH" "\x1b[H")
        wait_until(lambda: screen.expect(r"^tcp .*").group().startswith(before[:60]), 5, "the first rows")
        screen.type("q")
        assert screen.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL,
                                    signal.SIGSEGV])
@pytest.mark.parametrize("whom", ["guard", "drawer"])
def test_the_terminal_is_as_it_was(tunnel, number, whom):
    portal, _ = tunnel
    with top(portal.host, USHER_TUN, "top", portal.name) as screen:
        screen.expect("^q quit")
        assert not screen.is_as_before()
        (drawer,) = children(screen.process.pid)
        if whom == "guard" and number == signal.SIGINT:
            screen.type("\x03")  # the key: both have it
        else:
            os.kill(screen.process.pid if whom == "guard" else drawer, number)
        screen.end()
        wait_until(screen.is_as_before, 5, "the terminal's modes")
        wait_until(lambda: not os.path.exists(f"/proc/{drawer}") or b"\x1b[?1049l" in screen.raw, 5, "its end")
        wait_until(lambda: screen.read() or screen.raw.rfind(b"\x1b[?1049l") > screen.raw.rfind(b"\x1b[?1049h"), 5,
                   "the other screen")


def test_stop_and_go_on(tunnel):
    portal, _ = tunnel
    with top(portal.host, USHER_TUN, "top", portal.name) as screen:
        screen.expect("^q quit")
        screen.type("q")
        assert screen.end() == 0
    with top(portal.host, USHER_TUN, "top", "nobody-of-that-name") as screen:
        screen.expect("nobody-of-that-name is not running")
        screen.type("q")
        assert screen.end() == 0 and screen.is_as_before()


@pytest.mark.parametrize("term", ["vt100", "linux", "screen-256color"])
def test_other_terminals(tunnel, term):
    portal, _ = tunnel
    with top(portal.host, USHER_TUN, "top", portal.name, term=term) as screen:
        screen.expect(r"^usher-tun top")
        screen.type("q")
        assert screen.end() == 0 and screen.is_as_before()


def test_once(lab, tunnel):
    portal, gate = tunnel
    with connected(lab, "10.73.0.2"):
        text = portal.host.run(USHER_TUN, "top", portal.name).stdout
        assert re.match(r"1 portal, 1 flows, in \d+B/s, out \d+B/s\n\nPORTAL +GATE ", text), text
        assert re.search(rf"^{portal.name} +10\.3\.0\.2:4433 +up +1 +\d+\.\dms ", text, re.M)
        assert re.search(r"^tcp +10\.1\.0\.2:\d+ +10\.73\.0\.2:\d+ +active", text, re.M), text
        assert portal.host.run(USHER_TUN, "top", "--once").stdout.startswith("1 portal")
        text = gate.host.run(USHER_GATE, "top", gate.name).stdout
        assert re.match(r"1 portal, 1 sessions, .*\n\nPORTAL +ADDRESS ", text), text
        assert re.search(r"^branch +10\.2\.0\.2:\d+ +up +1 +\d+\.\dms ", text, re.M), text
    done = portal.host.run(USHER_TUN, "top", "nobody", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "usher-tun: nobody is not running\n")


def test_the_gate_on_a_terminal(tunnel):
    _, gate = tunnel
    with top(gate.host, USHER_GATE, "top", gate.name) as screen:
        screen.expect(r"^usher-gate top  \d\d:\d\d:\d\d  1 portal, \d+ sessions")
        screen.expect(r"^branch +10\.2\.0\.2:\d+ +up")
        screen.type("q")
        assert screen.end() == 0 and screen.is_as_before()
