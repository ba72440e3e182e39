# SPDX-License-Identifier: GPL-2.0-or-later
"""A gate with an audit file, a portal, and what stands in the file."""

import json

from lab import run, wait_until
from programs import Gate, Portal

ACCESS = """
[Access branch]
Deny = 10.73.0.66/32, fd73::66/128
Allow = 10.73.0.0/24, fd73::/64
Allow = tcp:*.corp.example:80
"""


def lines(path):
    """Every one, and each is whole."""
    text = path.read_bytes().decode("ascii")
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def sessions(path):
    return [line for line in lines(path) if line["event"] == "session"]


def await_sessions(path, count, seconds=5):
    return wait_until(lambda: path.exists() and len(sessions(path)) >= count and sessions(path), seconds, f"{count} sessions")


def shown(end):
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"


class Audited:
    """A gate with an audit file, and a portal."""

    def __init__(self, lab, directory, pki, kind=Gate, access=ACCESS, extra="TellOrigin = yes", path=None, **options):
        self.directory = directory / "log"
        self.directory.mkdir(mode=0o750)
        self.path = path or self.directory / "audit.json"
        self.gate = kind(lab, directory, pki, access=access, extra=f"Audit = {self.path}", **options)
        self.portal = Portal(lab, directory, pki, extra=extra)

    def __enter__(self):
        self.gate.start()
        self.portal.start()
        return self

    def __exit__(self, *_):
        self.portal.down(check=False)
        assert self.gate.stop() == 0
        lines(self.path)

    def writer(self):
        """The pid of the process that writes."""
        found = run("pgrep", "-P", self.gate.pid(), "-x", "usher-audit", check=False).stdout.split()
        return int(found[0]) if found else None

    def place(self, text):
        return f"{self.gate.conf}:{self.gate.conf.read_text().splitlines().index(text) + 1}"


def count(both):
    return len(sessions(both.path)) if both.path.exists() else 0
