# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion in the shells themselves, at a terminal, of what the programs say of themselves."""

import os
import pty
import re
import select
import shutil
import signal
import time

import pytest

from lab import BUILD, ROOT, patience, run

# Without anybody's own files, and how each learns of the completions.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "for f in {}/bash/*; do . $f; done"),
    "zsh": (["zsh", "-f", "-i"], "fpath=({}/zsh $fpath); autoload -Uz compinit; compinit -u -D"),
    "fish": (["fish", "--no-config", "-i"], "for f in {}/fish/*; source $f; end"),
}
# What is typed, and what the program is given then. Tab completes what is there once.
TYPED = [
    ("usher-tun sta\t", "usher-tun status"),
    ("usher-tun st\tbr\t--j\t", "usher-tun status branch --json"),
    ("usher-tun up -f ber\t", "usher-tun up -f berlin"),
    ("usher-tun up ./ho\t", "usher-tun up ./home.conf"),
    ("usher-tun run branch -- usher-g\tcheck", "usher-tun run branch -- usher-gate check"),
    ("usher-gate rel\tga\t", "usher-gate reload gate"),
    ("usher-gate end br\t", "usher-gate end br"),
    ("usher-pki iss\t../pk\t por\t", "usher-pki issue ../pki portal"),
    ("usher-pki rev\t../pk\t gat\t", "usher-pki revoke ../pki gate.example.net"),
]

WRAPPER = """#!/bin/sh
[ "$1" != --complete ] || exec {real} "$@"
echo $(basename "$0") "$@" >>{place}/given
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The completions as they are installed, programs that tell what they are given, and three configurations in /etc."""
    place = tmp_path_factory.mktemp("completion")
    run("make", "-s", "-C", ROOT, "install", f"BUILD={BUILD}", f"DESTDIR={place}", "BASHDIR=/bash", "ZSHDIR=/zsh",
        "FISHDIR=/fish", "BINDIR=/real")
    (place / "bin").mkdir()
    for real in (place / "real").iterdir():
        wrapper = place / "bin" / real.name
        wrapper.write_text(WRAPPER.format(real=real, place=place))
        wrapper.chmod(0o755)
    shutil.copytree("/etc", place / "etc", symlinks=True, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("usher", "ssl"))
    (place / "etc/usher").mkdir()
    for name in ("etc/usher/branch.conf", "etc/usher/berlin.conf", "etc/usher/gate.conf", "etc/usher/brass.conf.bak",
                 "pki/ca.crt", "pki/branch.crt", "pki/gate.example.net.crt", "files/home.conf"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).touch()
    return place


class Terminal:
    def __init__(self, place, shell):
        command, load = SHELLS[shell]
        self.given = place / "given"
        inside = ["unshare", "-m", "--propagation", "private", "sh", "-ec", f"mount --bind {place}/etc /etc; exec \"$@\"", "sh",
                  "env", "-i", f"PATH={place}/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TERM=xterm", f"HOME={place}", *command]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(place / "files")
            os.execvp(inside[0], inside)
        self.said = ""
        assert self.type(load.format(place) + "; usher-tun ready") == "usher-tun ready"

    def type(self, text):
        """What a program is given when Enter follows."""
        self.given.unlink(missing_ok=True)
        os.write(self.fd, text.encode() + b"\r")
        deadline = time.monotonic() + patience(20)
        while not self.given.exists() or not self.given.read_text().endswith("\n"):
            assert time.monotonic() < deadline, self.said
            if select.select([self.fd], [], [], 0.02)[0]:
                self.said += os.read(self.fd, 65536).decode(errors="replace")
        return " ".join(self.given.read_text().split()).replace("/ ", " ")

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_at_a_terminal(place, shell):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    terminal = Terminal(place, shell)
    try:
        for text, given in TYPED:
            assert terminal.type(text) == given, (text, terminal.said[-2000:])
    finally:
        terminal.close()


@pytest.mark.parametrize("program", ["usher-tun", "usher-gate", "usher-pki"])
def test_every_command(place, program):
    """Those of the usage, and no other."""
    usage = set(re.findall(rf"{program} ([a-z]+)", run(place / "real" / program, "--help").stdout))
    offered = [line.split("\t")[0] for line in run(place / "real" / program, "--complete", "").stdout.splitlines()]
    assert sorted(offered) == sorted(usage)
