# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the log is the journal, its lines have fields by which people filter: by the journal's own protocol, from sealed
processes too. What is no journal, or takes nothing, gets lines as ever."""

import contextlib
import os
import re
import signal
import socket

import pytest

from lab import ROOT, wait_until
from programs import USHER_GATE, USHER_TUN, Gate, Portal
from traffic import connect_error


class Journal:
    """A socket in the place of the journal's, and a stream for stderr that claims to be its."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(directory / "socket"))
        (directory / "socket").chmod(0o666)
        self.socket.setblocking(False)
        self.stream, self.stderr = socket.socketpair()
        self.stream.setblocking(False)
        self.records = []

    def argv(self, *argv):
        """Sees this socket at the journal's place."""
        script = f'mount -t tmpfs none /run/systemd && mkdir /run/systemd/journal && mount --bind {self.directory} ' \
                 '/run/systemd/journal && exec "$@"'
        return ["unshare", "-m", "sh", "-c", f'mkdir -p /run/systemd && {script}', "sh", *argv]

    def launch(self, program, *argv):
        st = os.fstat(self.stderr.fileno())
        program.process = program.host.start(*self.argv(*argv), stderr=self.stderr,
                                             env={**os.environ, "JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"})

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                record = self.socket.recv(65536).decode()
                assert record.endswith("\n")
                self.records.append(dict(line.split("=", 1) for line in record[:-1].split("\n")))
        return self.records

    def expect(self, pattern):
        def found():
            return next((one for one in self.read() if re.search(pattern, one["MESSAGE"])), None)

        try:
            return wait_until(found, 15, f"{pattern!r} in the journal")
        except AssertionError:
            raise AssertionError(f"no {pattern!r} in {self.records}, nor in {self.plain()!r}") from None

    def plain(self):
        with contextlib.suppress(BlockingIOError):
            return self.stream.recv(65536).decode()
        return ""

    def close(self):
        for one in (self.socket, self.stream, self.stderr):
            one.close()


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


def ids():
    """As the manual has them."""
    found = {}
    for page in ("usher-tun.8", "usher-gate.8"):
        text = (ROOT / "doc/man" / page).read_text()
        found.update((word, number) for number, word in re.findall(r"^\.It Li ([0-9a-f]{32})\n(\w+)", text, re.M))
    return found


def test_fields_of_both_ends(lab, pki, tmp_path, journal):
    gate, portal = Gate(lab, tmp_path, pki), Portal(lab, tmp_path, pki)
    known = ids()
    assert sorted(known) == ["denied", "login", "logout", "lost", "refused", "up"] and len(set(known.values())) == 6
    journal.launch(gate, USHER_GATE, "run", gate.conf)
    try:
        line = journal.expect("listening on 0.0.0.0:4433")
        assert line == {"PRIORITY": "6", "SYSLOG_IDENTIFIER": "usher-gate", "GATE": gate.name,
                        "MESSAGE": f"usher-gate {gate.name}: listening on 0.0.0.0:4433"}
        journal.launch(portal, USHER_TUN, "up", "-f", portal.conf)
        portal.wait_up(15)
        login = journal.expect(": logged in")
        assert login["MESSAGE_ID"] == known["login"] and login["PORTAL"] == "branch" and login["GATE"] == gate.name
        assert re.fullmatch(r"10\.2\.0\.2:\d+", login["PEER"]) and re.fullmatch("[0-9A-F]+", login["CERT_SERIAL"])
        up = journal.expect(": up: gate")
        assert up["MESSAGE_ID"] == known["up"] and up["PORTAL"] == portal.name and up["GATE"] == "gate.example.net"
        assert up["PEER"] == "10.3.0.2:4433" and up["CERT_SERIAL"] != login["CERT_SERIAL"]
        connect_error(lab, "10.73.0.66", 22)
        denied = journal.expect("opens and datagrams denied")
        assert denied["MESSAGE_ID"] == known["denied"] and denied["PRIORITY"] == "4" and denied["PORTAL"] == "branch"
        with lab.portal.enter():
            stranger = socket.create_connection(("10.3.0.2", 4433))
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
        refused = journal.expect(": refused: ")
        assert refused["MESSAGE_ID"] == known["refused"] and refused["PEER"].startswith("10.2.0.2:")
        assert "PORTAL" not in refused
        stranger.close()
        os.kill(gate.worker_pids()[0], signal.SIGKILL)
        assert journal.expect("tunnel lost")["MESSAGE_ID"] == known["lost"]
        portal.wait_up(15)
        portal.down()
        assert journal.expect(": logged out")["MESSAGE_ID"] == known["logout"]
        assert journal.plain() == ""
    finally:
        portal.down(check=False)
        gate.stop()


def test_without_its_socket_lines_are_as_ever(lab, pki, tmp_path, journal):
    gate = Gate(lab, tmp_path, pki)
    (journal.directory / "socket").unlink()
    journal.launch(gate, USHER_GATE, "run", gate.conf)
    try:
        wait_until(lambda: gate.status(check=False), 10, "the gate")
        assert f"<6>usher-gate {gate.name}: listening on 0.0.0.0:4433\n" in journal.plain()
        assert journal.read() == []
    finally:
        gate.stop()
