# SPDX-License-Identifier: GPL-2.0-or-later
"""A portal without Route, brought up by somebody who is not root: no TUN, no capability, its files in the user's own places."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import tempfile

import pytest

from lab import SERVER4, run, wait_until
from programs import GATE_NAME, USHER_TUN, Gate

NOBODY = 65534
ENTRANCE = ("127.0.0.1", 2222)

ROWS = {
    "Forward": "Forward = tcp 127.0.0.1:2222 -> {server}:{port}",
    "Socks": "Socks = 127.0.0.1:2222",
    "Ask": "Ask = 127.0.0.1:2222",
}


class User:
    """Somebody with a home, a runtime directory, a portal of their own and a copy of the program that they may run."""

    def __init__(self, lab, home, pki, row):
        self.lab, self.home, self.name = lab, home, f"mine{os.getpid()}"
        self.root = home / "run" / "usher"
        self.place = self.root / self.name
        config = home / ".config" / "usher"
        for directory in (config, home / "run"):
            directory.mkdir(parents=True)
        for file in ("ca.crt", "branch.crt", "branch.key", "crl.pem"):
            shutil.copy(pki / file, config)
        shutil.copy(USHER_TUN, home)
        self.conf = config / f"{self.name}.conf"
        self.conf.write_text(f"""[Portal]
CA = {config}/ca.crt
Certificate = {config}/branch.crt
Key = {config}/branch.key
CRL = {config}/crl.pem
{row}

[Gate]
Address = 10.3.0.2:4433
Name = {GATE_NAME}
""")
        (home / "run").chmod(0o700)
        run("chown", "-R", f"{NOBODY}:{NOBODY}", home)

    def run(self, *argv, check=True, runtime=True):
        places = [f"HOME={self.home}"] + ([f"XDG_RUNTIME_DIR={self.home}/run"] if runtime else [])
        return self.lab.portal.run("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env", "-i", *places,
                                   self.home / "usher-tun", *argv, check=check)

    def ask(self, what):
        return json.loads(self.run(what, self.name, "--json").stdout)

    def pid(self):
        return int((self.place / "pid").read_text())

    def status_of_process(self):
        text = pathlib.Path(f"/proc/{self.pid()}/status").read_text()
        return dict(re.findall(r"^(\w+):\s+(.*)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def server(lab):
    with lab.server.enter():
        listener = socket.create_server((SERVER4, 0))
    with listener:
        yield listener


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki).start()
    yield gate
    gate.stop()


@pytest.fixture
def home():
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory).chmod(0o755)
        yield pathlib.Path(directory)


@pytest.fixture(params=ROWS)
def user(lab, gate, home, pki, server, request):
    user = User(lab, home, pki, ROWS[request.param].format(server=SERVER4, port=server.getsockname()[1]))
    user.key = request.param
    if f'unknown key "{user.key}"' in user.run("check", user.name, check=False).stderr:
        pytest.skip(f"no {user.key} yet")
    yield user
    user.run("down", user.name, check=False)


def dial(user, server):
    """A connection through the portal's entrance, and the far end's half of it."""
    with user.lab.portal.enter():
        client = socket.create_connection(ENTRANCE, 5)
    if user.key == "Socks":
        client.sendall(struct.pack("!BBH4sB", 4, 1, server.getsockname()[1], socket.inet_aton(SERVER4), 0))
        assert client.recv(8, socket.MSG_WAITALL)[1] == 90
    if user.key == "Ask":
        client.sendall(f"{SERVER4} {server.getsockname()[1]}\n".encode())
        assert client.recv(11, socket.MSG_WAITALL) == b"host port: "
    server.settimeout(5)
    return client, server.accept()[0]


def test_life(user, server):
    user.run("up", user.name)
    status = user.ask("status")
    assert status["state"] == "up" and "device" not in status
    assert "device" not in user.run("status", user.name).stdout
    process = user.status_of_process()
    assert process["Uid"].split() == [str(NOBODY)] * 4
    assert all(int(process[which], 16) == 0 for which in ("CapEff", "CapPrm", "CapInh", "CapAmb"))
    assert process["NoNewPrivs"] == "1"
    assert user.root.stat().st_mode & 0o7777 == 0o700 and user.root.stat().st_uid == NOBODY
    assert (user.place / "control").stat().st_mode & 0o777 == 0o600

    client, far = dial(user, server)
    with client, far:
        client.sendall(b"12345")
        assert far.recv(10) == b"12345"
        flows = wait_until(lambda: user.ask("flows")["flows"], 2, "a flow")
        assert [(flow["protocol"], flow["bytes_out"]) for flow in flows] == [("tcp", 5)]
        assert "30067" not in user.lab.portal.run("ip", "rule").stdout
        user.run("down", user.name)
    assert not user.place.exists()
    again = user.run("down", user.name, check=False)
    assert again.returncode == 1 and "not running" in again.stderr


def test_killed_and_up_again(user, server):
    user.run("up", user.name)
    again = user.run("up", user.name, check=False)
    assert again.returncode == 1 and "already running" in again.stderr
    killed = user.pid()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: user.run("status", user.name, check=False).returncode == 1, 5, "the end")
    user.run("up", user.name)
    assert user.pid() != killed
    client, far = dial(user, server)
    with client, far:
        far.sendall(b"back")
        assert client.recv(10) == b"back"
    user.run("down", user.name)
    assert not user.place.exists()


def test_a_change_of_the_network_is_noticed_at_once(user):
    """News of it need no privilege: neither the loss nor the way back waits for a time-out."""
    host = user.lab.portal
    user.run("up", user.name)
    try:
        host.run("ip", "address", "del", "10.2.0.2/24", "dev", "wan")
        wait_until(lambda: user.ask("status")["state"] == "paused", 2, "the loss")
    finally:
        host.run("ip", "address", "add", "10.2.0.2/24", "dev", "wan")
        host.run("ip", "route", "add", "default", "via", "10.2.0.1")
    wait_until(lambda: user.ask("status")["state"] == "up", 2, "the way back")


def test_roots_own(user):
    """The same file in root's hands: root's place, and then nobody, with no capability."""
    host = user.lab.portal
    for file in user.conf.parent.iterdir():
        os.chown(file, 0, 0)
    host.run(USHER_TUN, "up", user.conf)
    try:
        user.place = pathlib.Path("/run/usher") / user.name
        process = user.status_of_process()
        assert process["Uid"].split() == [str(NOBODY)] * 4
        assert int(process["CapPrm"], 16) == int(process["CapBnd"], 16) == 0
        assert (user.place / "slot").read_text().strip() == "0"
        assert json.loads(host.run(USHER_TUN, "status", user.name, "--json").stdout)["state"] == "up"
    finally:
        host.run(USHER_TUN, "down", user.conf)
    assert not user.place.exists()


def test_without_a_runtime_directory(user):
    """There is a place for that as well, and all commands know it."""
    place = pathlib.Path(f"/tmp/usher-{NOBODY}")
    assert not place.exists()
    user.run("up", user.name, runtime=False)
    try:
        assert json.loads(user.run("status", user.name, "--json", runtime=False).stdout)["state"] == "up"
        assert place.stat().st_mode & 0o7777 == 0o700 and place.stat().st_uid == NOBODY
    finally:
        user.run("down", user.name, runtime=False)
        shutil.rmtree(place)


def test_what_is_missing_is_said(user):
    text = user.conf.read_text()
    user.conf.write_text(text.replace("[Portal]", "[Portal]\nUser = daemon"))
    done = user.run("up", user.name, check=False)
    assert done.returncode == 1 and "User = daemon" in done.stderr
    user.conf.write_text(text.replace("[Portal]", "[Portal]\nDevice = usher0"))
    done = user.run("check", user.name, check=False)
    assert done.returncode == 2 and done.stderr.startswith(f"{user.conf}:2: Device")
