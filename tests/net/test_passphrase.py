# SPDX-License-Identifier: GPL-2.0-or-later
"""A key that is encrypted, or that a command prints: who is asked for the passphrase, and what is said when it is wrong.

Programs run in a session of their own, so that the terminal of whoever runs the tests is none of theirs."""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import termios
import time

import pytest

from lab import SANITIZED, patience, run, wait_until
from programs import USHER_GATE, USHER_TUN, Gate, Portal

SECRET = "open sesame: $(touch x) 'ä' \"\\"
WRONG = "open sesam"


@pytest.fixture(scope="module")
def locked(pki, tmp_path_factory):
    """A copy of the pki whose keys are encrypted."""
    place = tmp_path_factory.mktemp("locked") / "pki"
    shutil.copytree(pki, place)
    for key in ("branch.key", "gate.example.net.key"):
        run("openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", pki / key, "-out", place / key, "-passout",
            f"pass:{SECRET}")
        (place / key).chmod(0o600)
    return place


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki).start()
    yield gate
    gate.stop()


@pytest.fixture
def no_agents(tmp_path):
    """A PATH that has what the programs need and no systemd-ask-password."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("sh", "cat", "sleep", "head"):
        (place / name).symlink_to(shutil.which(name))
    return place


def apart(path=None, **more):
    """How a program without a terminal is started."""
    environment = dict(os.environ, **more)
    if path:
        environment["PATH"] = str(path)
    return {"start_new_session": True, "stdin": subprocess.DEVNULL, "env": environment}


def up(portal, *options, **kwargs):
    """In the network of the portal; `ip netns exec` needs a PATH of its own."""
    with portal.host.enter():
        return run(USHER_TUN, "up", *options, portal.conf, check=False, timeout=patience(30), **kwargs)


def down(portal):
    portal.host.run(USHER_TUN, "down", portal.conf)


def line_of(portal, key):
    lines = portal.conf.read_text().splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.startswith(f"{key} ="))


def use_command(portal, command, keep_key=True):
    text = portal.conf.read_text()
    text = text.replace("\nKey =", f"\nKeyCommand = {command}\nKey =")
    portal.conf.write_text(text if keep_key else re.sub(r"\nKey = .*", "", text))


class Terminal:
    """A program with a terminal of its own, that somebody types at."""

    def __init__(self, host, *argv):
        with host.enter():
            self.pid, self.fd = pty.fork()
            if self.pid == 0:
                os.execv(argv[0], [str(a) for a in argv])
        self.seen = ""

    def read(self, seconds=0.05):
        try:
            while select.select([self.fd], [], [], seconds)[0]:
                data = os.read(self.fd, 4096)
                if not data:
                    break
                self.seen += data.decode()
        except OSError:
            pass

    def expect(self, text, seconds=15):
        def seen():
            self.read()
            return text in self.seen

        wait_until(seen, seconds, f"{text!r} at the terminal, where there was\n{self.seen}")
        self.seen = self.seen.split(text, 1)[1]

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, seconds=20):
        deadline = time.monotonic() + patience(seconds)
        while time.monotonic() < deadline:
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.read(0.02)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError(f"does not end; at the terminal there was\n{self.seen}")

    def close(self):
        os.close(self.fd)


def terminal_up(portal):
    return Terminal(portal.host, USHER_TUN, "up", portal.conf)


def test_a_person_at_the_terminal(lab, gate, locked, tmp_path):
    """Asked in clear, answered unseen; the portal then goes into the background."""
    portal = Portal(lab, tmp_path, locked)
    terminal = terminal_up(portal)
    terminal.expect(f"Passphrase of {locked}/branch.key: ")
    assert not terminal.echoes()
    terminal.type(SECRET + "\n")
    assert terminal.wait() == 0
    try:
        assert "sesame" not in terminal.seen and terminal.echoes()
        assert portal.status()["state"] == "up"
    finally:
        terminal.close()
        down(portal)


def test_a_person_mistypes_twice(lab, gate, locked, tmp_path):
    portal = Portal(lab, tmp_path, locked)
    terminal = terminal_up(portal)
    terminal.expect("Passphrase of ")
    terminal.type(WRONG + "\n")
    terminal.expect("That was wrong. Passphrase of ")
    terminal.type(WRONG + "\n")
    terminal.expect("That was wrong. Passphrase of ")
    terminal.type(SECRET + "\n")
    assert terminal.wait() == 0
    terminal.close()
    down(portal)


def test_three_times_wrong(lab, locked, tmp_path):
    portal = Portal(lab, tmp_path, locked)
    terminal = terminal_up(portal)
    for _ in range(3):
        terminal.expect("Passphrase of ")
        terminal.type(WRONG + "\n")
    assert terminal.wait() == 2 and terminal.echoes()
    assert f"{portal.conf}:{line_of(portal, 'Key')}: Key: {locked}/branch.key: the passphrase is wrong" in terminal.seen
    assert "Passphrase of" not in terminal.seen
    terminal.close()


@pytest.mark.parametrize("key, number", [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT), (None, signal.SIGTERM),
                                         (None, signal.SIGHUP)])
def test_interrupted_the_terminal_echoes_again(lab, locked, tmp_path, key, number):
    portal = Portal(lab, tmp_path, locked)
    terminal = terminal_up(portal)
    terminal.expect("Passphrase of ")
    assert not terminal.echoes()
    terminal.type(key) if key else os.kill(terminal.pid, number)
    assert terminal.wait() == -number and terminal.echoes()
    terminal.close()


def test_no_answer(lab, locked, tmp_path):
    terminal = terminal_up(Portal(lab, tmp_path, locked))
    terminal.expect("Passphrase of ")
    terminal.type("\x04")
    assert terminal.wait() == 2 and terminal.echoes() and "no passphrase was given" in terminal.seen
    terminal.close()


def test_a_line_without_end_is_no_passphrase(lab, locked, tmp_path):
    terminal = terminal_up(Portal(lab, tmp_path, locked))
    terminal.expect("Passphrase of ")
    terminal.type("x" * 1500 + "\n")
    assert terminal.wait() == 2 and "the passphrase is longer than 1023 bytes" in terminal.seen
    terminal.close()


def test_stopped_and_continued(lab, gate, locked, tmp_path):
    """^Z gives the terminal back as it was; in the foreground again it asks once more. A shell is needed for that."""
    portal = Portal(lab, tmp_path, locked)
    terminal = Terminal(lab.portal, "/bin/bash", "--norc", "-i")
    terminal.type(f"PS1='ready> '\n{USHER_TUN} up {portal.conf}\n")
    terminal.expect("Passphrase of ")
    terminal.type("\x1a")
    terminal.expect("Stopped")
    terminal.expect("ready> ")
    terminal.type("fg\n")
    terminal.expect("Passphrase of ")
    assert not terminal.echoes()
    terminal.type(SECRET + "\n")
    terminal.expect("ready> ")
    terminal.type("exit $?\n")
    assert terminal.wait() == 0
    terminal.close()
    down(portal)


def test_a_person_at_the_terminal_of_a_gate(lab, pki, locked, tmp_path):
    gate = Gate(lab, tmp_path, locked, listen="0.0.0.0:4440", name="locked")
    terminal = Terminal(lab.gate, USHER_GATE, "run", gate.conf)
    terminal.expect(f"Passphrase of {locked}/gate.example.net.key: ")
    terminal.type(WRONG + "\n")
    terminal.expect("That was wrong. ")
    terminal.type(SECRET + "\n")
    wait_until(lambda: gate.status(check=False), 10, "usher-gate run")
    Portal(lab, tmp_path, pki, address="10.3.0.2:4440").start().down()
    terminal.type("\x03")
    assert terminal.wait() == 0
    terminal.close()


def with_descriptor(content):
    """A pipe that holds `content`, and how a program gets its reading end."""
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    return reading


def test_a_descriptor(lab, gate, locked, no_agents, tmp_path):
    portal = Portal(lab, tmp_path, locked)
    fd = with_descriptor(SECRET.encode() + b"\nand more\n")
    done = up(portal, "--passphrase-fd", fd, pass_fds=[fd], **apart(no_agents))
    os.close(fd)
    assert done.returncode == 0, done.stderr
    try:
        # Neither there nor anywhere else that others could look at.
        status = portal.status()
        for file in ("cmdline", "environ"):
            assert b"sesame" not in pathlib.Path(f"/proc/{status['pid']}/{file}").read_bytes()
        # Of root, though it is nobody's process: what is not dumpable belongs to root.
        assert SANITIZED or os.stat(f"/proc/{status['pid']}/environ").st_uid == 0
        limits = pathlib.Path(f"/proc/{status['pid']}/limits").read_text()
        assert re.search(r"Max core file size +0 +0", limits)
    finally:
        down(portal)


@pytest.mark.parametrize("content, says", [
    (WRONG.encode(), "branch.key: the passphrase is wrong"),
    (b"", "--passphrase-fd: the first line has not 1 to 1023 bytes"),
    (b"\n" + SECRET.encode(), "--passphrase-fd: the first line has not 1 to 1023 bytes"),
    (b"x" * 1024, "--passphrase-fd: the first line has not 1 to 1023 bytes"),
])
def test_a_wrong_descriptor(lab, locked, tmp_path, content, says):
    portal = Portal(lab, tmp_path, locked)
    fd = with_descriptor(content)
    done = up(portal, "--passphrase-fd", fd, pass_fds=[fd], **apart())
    os.close(fd)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{portal.conf}:{line_of(portal, 'Key')}: Key: ") and done.stderr.endswith(says + "\n")
    assert "sesam" not in done.stderr


@pytest.mark.parametrize("argv", [("--passphrase-fd", "77"), ("--passphrase-fd", "-1"), ("--passphrase-fd", "x"),
                                  ("--passphrase-fd",)])
def test_no_descriptor_at_all(argv):
    for program, command in ((USHER_TUN, "up"), (USHER_GATE, "run")):
        done = run(program, command, "nowhere", *argv, check=False)
        assert done.returncode == 2 and "--passphrase-fd needs the number of a descriptor that is open" in done.stderr


def test_a_credential_of_the_service_manager(lab, gate, locked, no_agents, tmp_path):
    portal = Portal(lab, tmp_path, locked)
    (tmp_path / f"{portal.name}.passphrase").write_text(SECRET + "\n")
    done = up(portal, **apart(no_agents, CREDENTIALS_DIRECTORY=str(tmp_path)))
    assert done.returncode == 0, done.stderr
    down(portal)


def test_nobody_to_ask(lab, locked, no_agents, tmp_path):
    portal = Portal(lab, tmp_path, locked)
    done = up(portal, **apart(no_agents))
    assert done.returncode == 2
    assert done.stderr == (f"{portal.conf}:{line_of(portal, 'Key')}: Key: is encrypted, and there is nobody to ask for its "
                           "passphrase: no terminal and no systemd-ask-password; use --passphrase-fd or KeyCommand\n")


def agent(place, script):
    """A stand-in for systemd-ask-password, which keeps what it was asked."""
    file = place / "systemd-ask-password"
    file.write_text(f'#!/bin/sh\necho "$*" >>{place}/asked\n{script}\n')
    file.chmod(0o755)


def test_systemd_ask_password(lab, gate, locked, no_agents, tmp_path):
    """Asked again when it was wrong."""
    (no_agents / "right").write_text(SECRET + "\n")
    agent(no_agents, f"if [ -e {no_agents}/once ]; then cat {no_agents}/right; else echo nonsense; : >{no_agents}/once; fi")
    portal = Portal(lab, tmp_path, locked)
    done = up(portal, **apart(no_agents))
    assert done.returncode == 0, done.stderr
    down(portal)
    assert (no_agents / "asked").read_text() == (
        f"--no-tty --timeout=90 Passphrase of {locked}/branch.key:\n"
        f"--no-tty --timeout=90 That was wrong. Passphrase of {locked}/branch.key:\n")


@pytest.mark.parametrize("script, says, asked", [
    ("exit 1", "systemd-ask-password ended with status 1", 1),
    ("kill -9 $$", "systemd-ask-password was ended by signal 9", 1),
    ("echo", "systemd-ask-password: the first line has not 1 to 1023 bytes", 1),
    ("head -c 5000 /dev/zero", "systemd-ask-password printed more than 1024 bytes", 1),
    ("echo nonsense", "branch.key: the passphrase is wrong", 3),
])
def test_systemd_ask_password_fails(lab, locked, no_agents, tmp_path, script, says, asked):
    agent(no_agents, script)
    done = up(Portal(lab, tmp_path, locked), **apart(no_agents))
    assert done.returncode == 2 and done.stderr.endswith(says + "\n") and done.stderr.count("\n") == 1
    assert len((no_agents / "asked").read_text().splitlines()) == asked


def test_the_real_systemd_ask_password(lab, gate, locked, tmp_path):
    """Answered by an agent as its interface has it: a question in a file, the answer as a datagram."""
    if not shutil.which("systemd-ask-password") or not shutil.which("systemd-tty-ask-password-agent"):
        pytest.skip("systemd-ask-password is not installed")
    questions = pathlib.Path("/run/systemd/ask-password")
    portal = Portal(lab, tmp_path, locked)
    with portal.host.enter():
        process = subprocess.Popen([USHER_TUN, "up", portal.conf], stderr=subprocess.PIPE, text=True, **apart())

    def find():
        for file in questions.glob("ask.*"):
            text = file.read_text()
            if f"Message=Passphrase of {locked}/branch.key:" in text:
                return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        return None

    question = wait_until(lambda: find() or process.poll() is not None, 10, "a question")
    assert question is not True, process.stderr.read()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as answer:
        answer.sendto(b"+" + SECRET.encode() + b"\0", question["Socket"])
    _, errors = process.communicate(timeout=patience(20))
    assert process.returncode == 0, errors
    down(portal)


def test_a_command_prints_the_key(lab, gate, pki, tmp_path):
    """Its errors are ours; it is no file, so its modes are nobody's business."""
    portal = Portal(lab, tmp_path, pki)
    use_command(portal, f"echo unlocking >&2; /bin/cat {pki}/branch.key", keep_key=False)
    done = up(portal, **apart())
    assert done.returncode == 0 and done.stderr == "unlocking\n"
    down(portal)


def test_a_command_prints_the_passphrase(lab, gate, locked, tmp_path):
    portal = Portal(lab, tmp_path, locked)
    (tmp_path / "secret").write_text(SECRET + "\nuser: branch\n")
    use_command(portal, f"/bin/cat {tmp_path}/secret")
    done = up(portal, **apart())
    assert done.returncode == 0, done.stderr
    down(portal)


def test_a_command_prints_an_encrypted_key(lab, gate, locked, tmp_path):
    portal = Portal(lab, tmp_path, locked)
    use_command(portal, f"/bin/cat {locked}/branch.key", keep_key=False)
    fd = with_descriptor(SECRET.encode())
    done = up(portal, "--passphrase-fd", fd, pass_fds=[fd], **apart())
    os.close(fd)
    assert done.returncode == 0, done.stderr
    down(portal)


def test_a_command_for_a_key_in_clear_is_not_run(lab, gate, pki, tmp_path):
    portal = Portal(lab, tmp_path, pki)
    use_command(portal, f": >{tmp_path}/was-run")
    assert up(portal, **apart()).returncode == 0
    down(portal)
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("command, keep_key, says", [
    ("exit 3", False, "KeyCommand ended with status 3"),
    ("kill -15 $$", False, "KeyCommand was ended by signal 15"),
    ("/no/such/program 2>/dev/null", False, "KeyCommand ended with status 127"),
    (":", False, "KeyCommand printed nothing"),
    ("cat /dev/zero", False, "KeyCommand printed more than 65536 bytes"),
    ("echo nonsense", False, "Key: holds no private key (PEM or DER)"),
    ("exit 3", True, "Key: KeyCommand ended with status 3"),
    ("echo nonsense", True, "branch.key: the passphrase is wrong"),
    ("echo", True, "Key: KeyCommand: the first line has not 1 to 1023 bytes"),
])
def test_a_command_fails(lab, locked, tmp_path, command, keep_key, says):
    portal = Portal(lab, tmp_path, locked)
    use_command(portal, command, keep_key)
    done = up(portal, **apart())
    assert done.returncode == 2 and done.stderr.endswith(says + "\n") and done.stderr.count("\n") == 1, done.stderr
    key = "Key" if keep_key else "KeyCommand"
    assert done.stderr.startswith(f"{portal.conf}:{line_of(portal, key)}: ")


def test_a_command_that_never_ends(lab, locked, tmp_path):
    """It has 30 s, and goes with whatever it has started."""
    portal = Portal(lab, tmp_path, locked)
    use_command(portal, f"sleep 3210 & echo $! >{tmp_path}/sleeper; wait", keep_key=False)
    begin = time.monotonic()
    with portal.host.enter():
        done = run(USHER_TUN, "up", portal.conf, check=False, timeout=patience(40), **apart())
    assert done.returncode == 2 and "KeyCommand did not end within 30 s" in done.stderr
    assert 29 < time.monotonic() - begin < patience(35)
    sleeper = int((tmp_path / "sleeper").read_text())
    wait_until(lambda: not pathlib.Path(f"/proc/{sleeper}").exists(), 5, "the end of what it had started")


def test_a_gate_with_a_command(lab, pki, locked, tmp_path):
    gate = Gate(lab, tmp_path, locked, listen="0.0.0.0:4440", name="locked")
    (tmp_path / "secret").write_text(SECRET + "\n")
    use_command(gate, f"/bin/cat {tmp_path}/secret")
    gate.start()
    try:
        Portal(lab, tmp_path, pki, address="10.3.0.2:4440").start().down()
    finally:
        gate.stop()


@pytest.mark.parametrize("program, kind, key", [(USHER_TUN, Portal, "branch.key"), (USHER_GATE, Gate, "gate.example.net.key")])
def test_check_asks_at_a_terminal_only(lab, locked, tmp_path, program, kind, key):
    file = kind(lab, tmp_path, locked)
    done = run(program, "check", file.conf, **apart())
    assert done.stderr == (f"{file.conf}:{line_of(file, 'Key')}: warning: Key: is encrypted and was not opened: its passphrase "
                           "is asked for at a terminal only\n")
    terminal = Terminal(file.host, program, "check", file.conf)
    terminal.expect(f"Passphrase of {locked}/{key}: ")
    terminal.type(SECRET + "\n")
    assert terminal.wait() == 0 and not terminal.seen.strip()
    terminal.close()
    fd = with_descriptor(SECRET.encode())
    done = run(program, "check", "--passphrase-fd", fd, file.conf, pass_fds=[fd], **apart())
    os.close(fd)
    assert not done.stderr


def test_check_runs_no_command_without_a_terminal(lab, locked, tmp_path):
    portal = Portal(lab, tmp_path, locked)
    use_command(portal, f": >{tmp_path}/was-run", keep_key=False)
    done = run(USHER_TUN, "check", portal.conf, **apart())
    assert done.stderr == (f"{portal.conf}:{line_of(portal, 'KeyCommand')}: warning: KeyCommand: is not run without a terminal "
                           "that it could ask at, so the key was not judged\n")
    assert not (tmp_path / "was-run").exists()


def test_a_portal_that_runs_asks_for_nothing(lab, gate, locked, tmp_path):
    portal = Portal(lab, tmp_path, locked)
    done = up(portal, "--passphrase-fd", 0, start_new_session=True, input=SECRET)
    assert done.returncode == 0, done.stderr
    terminal = terminal_up(portal)
    assert terminal.wait() == 1
    assert re.fullmatch(rf"usher-tun: {portal.name}: already running \(pid \d+\)\s*", terminal.seen)
    terminal.close()
    down(portal)


@pytest.mark.parametrize("program, kind", [(USHER_TUN, Portal), (USHER_GATE, Gate)])
def test_a_cipher_that_is_not_opened(lab, pki, locked, tmp_path, program, kind):
    """By a passphrase that is right; said the same way by the portal and by the gate's child."""
    for file in locked.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    for key in ("branch.key", "gate.example.net.key"):
        run("openssl", "pkcs8", "-topk8", "-v2", "des3", "-in", pki / key, "-out", tmp_path / key, "-passout", "pass:x")
    file = kind(lab, tmp_path, tmp_path)
    fd = with_descriptor(b"x")
    done = run(program, "check", "--passphrase-fd", fd, file.conf, check=False, pass_fds=[fd], **apart())
    os.close(fd)
    assert done.returncode == 2
    assert done.stderr == (f"{file.conf}:{line_of(file, 'Key')}: Key: is encrypted in a way that is not opened (PBES2 with PBKDF2 "
                           "and AES-128-CBC or AES-256-CBC is): openssl pkcs8 -topk8 -in OLD -out NEW makes one that is\n")


def test_nobody_is_asked_in_vain(lab, locked, tmp_path):
    """A file with another mistake is refused before anybody types a passphrase."""
    portal = Portal(lab, tmp_path, locked, extra="MTU = none")
    terminal = terminal_up(portal)
    assert terminal.wait() == 2 and "MTU" in terminal.seen and "assphrase" not in terminal.seen
    terminal.close()


def test_a_key_of_old_is_told_how_to_be_made_new(lab, pki, tmp_path):
    for file in ("ca.crt", "branch.crt", "crl.pem"):
        shutil.copy(pki / file, tmp_path)
    run("openssl", "ec", "-in", pki / "branch.key", "-aes256", "-passout", "pass:x", "-out", tmp_path / "branch.key")
    portal = Portal(lab, tmp_path, tmp_path)
    done = up(portal, **apart())
    assert done.returncode == 2
    assert done.stderr == (f"{portal.conf}:{line_of(portal, 'Key')}: Key: is encrypted in a way of old that is not opened: "
                           "openssl pkcs8 -topk8 -in OLD -out NEW makes one that is\n")
