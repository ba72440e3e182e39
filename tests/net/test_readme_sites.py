# SPDX-License-Identifier: GPL-2.0-or-later
"""README, "Set it up on two machines" and "Link two sites", word for word: its commands and its files, on two hosts of the
lab that have an /etc/usher, an /etc/hosts and a /run/usher of their own."""

import contextlib
import pathlib
import re

import pytest

from lab import BUILD, ROOT, SERVER4, Lab, wait_until
from programs import USHER_GATE, USHER_TUN
from sites import Way
from traffic import Server, datagram, each_connection, receive_all, serve_datagram_echo, serve_echo

README = (ROOT / "README.md").read_text()
BEHIND_THE_BRANCH = "10.71.0.2"


def section(title):
    (text,) = re.findall(rf"^## {re.escape(title)}[^\n]*\n(.*?)(?=^## )", README, re.S | re.M)
    return text


def literal(text):
    """Paragraphs that are indented: commands and pieces of files."""
    return ["\n".join(line[4:] for line in paragraph.splitlines()) for paragraph in text.split("\n\n")
            if all(line.startswith("    ") for line in paragraph.strip("\n").splitlines()) and paragraph.strip()
            for paragraph in [paragraph.strip("\n")]]


class Machine:
    """A host with directories of its own where the programs look."""

    def __init__(self, host, directory):
        self.host, self.etc, self.run_directory, self.hosts = host, directory / "etc", directory / "run", directory / "hosts"
        for made in (directory, self.etc, self.run_directory):
            made.mkdir(mode=0o755)
        self.hosts.write_text("127.0.0.1 localhost\n10.3.0.2 gate.example.net\n")
        self.bin = directory / "bin"
        self.bin.mkdir()
        for program in (USHER_TUN, USHER_GATE, ROOT / "scripts/usher-pki"):
            (self.bin / program.name).symlink_to(program)

    def argv(self, command):
        mounts = f"mount --bind {self.etc} /etc/usher && mount --bind {self.run_directory} /run/usher && " \
                 f"mount --bind {self.hosts} /etc/hosts && PATH={self.bin}:$PATH"
        return ["unshare", "-m", "sh", "-c", f"{mounts} && {command}"]

    def run(self, command, **kwargs):
        return self.host.run(*self.argv(command), **kwargs)

    def start(self, command, **kwargs):
        return self.host.start(*self.argv(f"exec {command}"), **kwargs)


@pytest.fixture(scope="module")
def lab():
    """The branch's network is README's."""
    made = [path for path in map(pathlib.Path, ("/etc/usher", "/run/usher")) if not path.exists()]
    lab = Lab()
    try:
        for path in made:
            path.mkdir()
        lab.client.address("lan", f"{BEHIND_THE_BRANCH}/24")
        lab.portal.address("lan", "10.71.0.1/24")
        for router in (lab.portal, lab.gate):
            router.sysctl("net.ipv4.ip_forward", 0)
        yield lab
    finally:
        lab.delete()
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


@contextlib.contextmanager
def as_the_readme_says(lab, directory):
    set_up, link = section("Set it up on two machines"), section("Link two sites")
    issue, gate_file, _, start, portal_file, portal_gate, up = literal(set_up)
    access, accept = literal(link)
    gate, portal = Machine(lab.gate, directory / "gate"), Machine(lab.portal, directory / "portal")
    install, *commands = issue.splitlines()
    assert install == "scripts/install-deps && make && make install" and BUILD.exists()
    for command in commands:
        gate.run(command)
    (gate.etc / "gate.conf").write_text(gate_file + "\n\n" + access + "\n")
    (portal.etc / "pki").mkdir()
    for name in re.findall(r"`(\w+\.\w+)`", set_up[set_up.index("copy"):set_up.index("(Keep")]):
        portal.run(f"cp {gate.etc}/pki/{name} /etc/usher/pki/")
    (portal.etc / "branch.conf").write_text(portal_file + "\n\n" + portal_gate + "\n\n" + accept + "\n")
    serve = start.split("# or: ")[1]
    process = gate.start(serve)
    try:
        wait_until(lambda: gate.run("usher-gate status", check=False).returncode == 0, 10, serve)
        printed = [portal.run(command + (" -c 1 -W 5" if command.startswith("ping") else "")).stdout
                   for command in up.splitlines()]
        for command in re.findall(r"`(sysctl [^`]+)`", set_up + link):
            gate.run(command)
            portal.run(command)
        yield gate, portal, printed
    finally:
        portal.run("usher-tun down branch", check=False)
        process.terminate()
        process.wait()


def test_two_sites(lab, tmp_path):
    with as_the_readme_says(lab, tmp_path) as (gate, portal, printed):
        assert "1 received" in printed[-1]
        wait_until(lambda: "exports" in gate.run("usher-gate status --json").stdout, 5, "the export")
        out = Way(lab.client, ("10.71.0.2", ""), lab.server, (SERVER4, ""))
        into = Way(lab.server, (SERVER4, ""), lab.client, (BEHIND_THE_BRANCH, ""))
        for way in (out, into):
            with Server(way.listener(4), each_connection(serve_echo)) as where, way.stream(4) as sock:
                sock.connect(where)
                sock.sendall(b"hello")
                assert receive_all(sock, 5) == b"hello"
            with Server(datagram(way.target, way.pick(4), (way.pick(4), 7)), serve_datagram_echo), way.datagram(4) as sock:
                sock.sendto(b"hello", (way.pick(4), 7))
                assert sock.recv(100) == b"hello"
            assert "3 received" in way.ping(4)
        assert portal.run("usher-tun down branch").returncode == 0
        assert "Unreachable" in into.ping(4, count=1)
