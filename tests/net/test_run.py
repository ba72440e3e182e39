# SPDX-License-Identifier: GPL-2.0-or-later
"""One command with the tunnel as its only network, for somebody who is not root."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time

import pytest

from lab import ABSENT4, DENIED4, DENIED6, NAMESERVER4, SANITIZED, SERVER4, SERVER6, patience, run, wait_until
from programs import GATE_NAME, USHER_TUN, Gate
from test_names import name_server
from traffic import Server, datagram, each_connection, listener, serve_datagram_echo, serve_page

SOMEBODY = 54321  # has no name on any machine

# A mount namespace for the caller, in which everybody may open the TUN device, as udev would have it, and then somebody.
ENTER = """
mount --bind "$1" /dev/net/tun
somebody=$2
shift 2
exec setpriv --reuid="$somebody" --regid="$somebody" --clear-groups env -i "$@"
"""


class User:
    """Somebody with a home, a runtime directory, a configuration, and a copy of the program that they may run."""

    def __init__(self, lab, home, pki, extra=""):
        self.lab, self.home, self.name = lab, home, f"run{os.getpid()}"
        self.root = home / "run" / "usher"
        self.tun = home / "tun"
        os.mknod(self.tun, 0o666 | stat.S_IFCHR, os.makedev(10, 200))
        self.tun.chmod(0o666)
        config = home / ".config" / "usher"
        for directory in (config, home / "run"):
            directory.mkdir(parents=True)
        for file in ("ca.crt", "branch.crt", "branch.key", "crl.pem"):
            shutil.copy(pki / file, config)
        shutil.copy(USHER_TUN, home)
        self.conf = config / f"{self.name}.conf"
        self.write(extra)
        (home / "run").chmod(0o700)
        run("chown", "-R", f"{SOMEBODY}:{SOMEBODY}", home)
        os.chown(self.tun, 0, 0)

    def write(self, portal="", address="10.3.0.2:4433"):
        pki = self.conf.parent
        self.conf.write_text(f"""[Portal]
CA = {pki}/ca.crt
Certificate = {pki}/branch.crt
Key = {pki}/branch.key
CRL = {pki}/crl.pem
{portal}

[Gate]
Address = {address}
Name = {GATE_NAME}
""")

    def argv(self, *argv, runtime=True, uid=SOMEBODY):
        places = [f"HOME={self.home}", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C.UTF-8", "TERM=dumb"]
        places += [f"XDG_RUNTIME_DIR={self.home}/run"] if runtime else []
        return self.lab.portal.argv("sh", "-c", ENTER, "sh", self.tun, uid, *places, *argv)

    def tool(self, *argv, **kwargs):
        """Another command of the program."""
        return run(*self.argv(self.home / "usher-tun", *argv), **kwargs)

    def run(self, *command, check=True, **kwargs):
        return run(*self.argv(self.home / "usher-tun", "run", self.name, "--", *command), check=check, **kwargs)

    def start(self, *command, **kwargs):
        argv = self.argv(self.home / "usher-tun", "run", self.name, "--", *command)
        return subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **kwargs)

    def instances(self):
        """The names of runs that there is a place of."""
        return sorted(place.name for place in self.root.glob("*.run.*")) if self.root.exists() else []


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    with name_server(lab):
        gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki, extra=f"Duplicate = allow\nDNS = {NAMESERVER4}").start()
        yield gate
        gate.stop()


@pytest.fixture
def user(lab, gate, pki):
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory).chmod(0o755)
        user = User(lab, pathlib.Path(directory), pki)
        yield user
        wait_until(lambda: not user.instances(), 5, "nothing left of any run")



# Prints how a connection to each "address port" fails, or what is read from it.
CONNECT = """
import errno, socket, sys
for where in zip(sys.argv[1::2], map(int, sys.argv[2::2])):
    try:
        with socket.create_connection(where, 10) as far:
            print(far.recv(100).decode())
    except socket.timeout:
        print("timeout")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


def test_exit_status(user):
    done = user.run("sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    for name in ("KILL", "TERM", "SEGV"):
        done = user.run("sh", "-c", f"kill -{name} $$", check=False)
        assert (done.returncode, done.stderr) == (128 + getattr(signal, f"SIG{name}"), "")
    for command, code, why in (("no-such-command", 127, "No such file or directory"), (user.conf, 126, "Permission denied")):
        done = user.run(command, check=False)
        assert (done.returncode, done.stderr) == (code, f"usher-tun: {command}: {why}\n")


def test_usage(user):
    for argv, says in ((("run",), "NAME or FILE is missing"), (("run", user.name), "COMMAND is missing"),
                       (("run", user.name, "--"), "COMMAND is missing"), (("run", user.name, "true"), "one argument too many"),
                       (("run", "--", "true"), "NAME or FILE is missing")):
        done = user.tool(*argv, check=False)
        assert done.returncode == 2 and says in done.stderr
    # What is behind the dashes is the command's alone.
    assert user.run("echo", "--help", "--", "-f").stdout == "--help -- -f\n"


def test_streams_and_files(user):
    """Input, output, other descriptors, the environment and the directory are those of the caller; files are the user's."""
    blob = os.urandom(3_000_000)
    argv = user.argv(user.home / "usher-tun", "run", user.name, "--", "cat")
    done = subprocess.run([str(a) for a in argv], input=blob, stdout=subprocess.PIPE, check=True)
    assert done.stdout == blob
    script = "pwd; id -u; id -g; touch mine; stat -c %u mine; cat <&9; echo $HOME; cat /proc/1/comm; ls /proc | grep -c '^[0-9]'"
    outer = f"cd {user.home}; echo nine >file; exec 9<file; exec {user.home}/usher-tun run {user.name} -- sh -c \"{script}\""
    done = run(*user.argv("sh", "-c", outer))
    home, uid, gid, owner, nine, home2, first, count = done.stdout.split()
    assert (home, home2, nine, first) == (str(user.home), "$HOME".replace("$HOME", str(user.home)), "nine", "usher-tun")
    assert uid == gid == owner == str(SOMEBODY) and int(count) <= 6
    assert (user.home / "mine").stat().st_uid == SOMEBODY


def test_closed_standard_streams(user):
    """Stay closed for the command, and nothing of ours takes their places."""
    script = "ls -l /proc/self/fd >%s/fds 2>&1; exec 2>&1; echo said" % user.home
    outer = f"exec {user.home}/usher-tun run {user.name} -- sh -c '{script}' <&- 2>&-"
    assert run(*user.argv("sh", "-c", outer)).stdout == "said\n"
    assert not re.search(r" [02] -> (socket|anon)", (user.home / "fds").read_text())


@pytest.mark.parametrize("version", (4, 6))
def test_clients(user, lab, version):
    address = SERVER4 if version == 4 else SERVER6
    host = address if version == 4 else f"[{address}]"
    with listener(lab.server, address) as listening, Server(listening, each_connection(serve_page)):
        page = user.run("curl", "-s", "-m", 10, f"http://{host}:{listening.getsockname()[1]}/").stdout
        assert page and "403" not in page
    done = user.run("ping", f"-{version}", "-c", 2, "-i", 0.2, "-W", 5, address)
    assert "2 received" in done.stdout
    with datagram(lab.server, address, (address, 0)) as sock, Server(sock, serve_datagram_echo):
        script = """import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)
s.sendto(b"x" * 1200, (sys.argv[1], int(sys.argv[2]))); print(len(s.recv(2000)))"""
        assert user.run(sys.executable, "-c", script, address, sock.getsockname()[1]).stdout == "1200\n"


@pytest.mark.parametrize("keys, wanted", (("", r"198\.18\.0\.\d+"), (f"Dns = {NAMESERVER4}", SERVER4)))
def test_names(user, lab, keys, wanted):
    """All of them are asked for through the tunnel: of the servers that are configured, else each has an address of its own."""
    user.write(f"Domains = corp.example\n{keys}")
    with listener(lab.server, SERVER4) as listening, Server(listening, each_connection(serve_page)):
        url = f"http://web.corp.example:{listening.getsockname()[1]}/"
        script = f"""curl -s -o /dev/null -m 10 -w '%{{http_code}}\n' {url}
getent ahostsv4 web | head -1 | cut -d' ' -f1
getent hosts web.corp.example | head -1 | cut -d' ' -f1
dig +short +tcp web.corp.example | tail -1
dig nosuch.corp.example | grep -o 'status: [A-Z]*'
dig nosuch.example | grep -o 'status: [A-Z]*'
cat /etc/resolv.conf; ls -l /etc/resolv.conf | cut -c1-10"""
        code, short, full, tcp, *rest = user.run("sh", "-c", script).stdout.splitlines()
    assert code == "200" and all(re.fullmatch(wanted, answer) for answer in (short, full, tcp)), (short, full, tcp)
    assert rest[0] == "status: NXDOMAIN" and rest[1] != "status: NOERROR"
    assert rest[2:] == ["nameserver 198.18.0.1", "nameserver fd75:7368:6572::1", "search corp.example", "-rw-r--r--"]


def test_a_passphrase(user):
    """It opens the key, and is not the command's; nor is what protects us from dumping it."""
    key, secret = user.conf.parent / "branch.key", user.home / "secret"
    run("openssl", "pkcs8", "-topk8", "-in", key, "-out", f"{key}.new", "-passout", "pass:open sesame")
    os.rename(f"{key}.new", key)
    secret.write_text("open sesame\n")
    for file in (key, secret):
        os.chown(file, SOMEBODY, SOMEBODY)
        file.chmod(0o600)
    script = "ulimit -Hc; ls /proc/self/fd | tr '\\n' ' '"
    outer = f"exec {user.home}/usher-tun run --passphrase-fd 9 {user.name} -- sh -c \"{script}\" 9<{secret}"
    limit, files = run(*user.argv("sh", "-c", outer)).stdout.splitlines()
    assert limit == run("sh", "-c", "ulimit -Hc").stdout.strip() and files.split() == ["0", "1", "2", "3"]  # and ls's own


def test_iperf(user, lab, figure):
    server = lab.server.start("iperf3", "-s", "-1", "-B", SERVER4, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: f"{SERVER4}:5201" in lab.server.run("ss", "-ltn").stdout, 5, "iperf3")
        done = json.loads(user.run("iperf3", "-J", "-c", SERVER4, "-t", 1).stdout)
        rate = done["end"]["sum_received"]["bits_per_second"]
        assert rate > 10e6
        figure(f"run: iperf3 {rate / 1e9:.2f} Gbit/s up")
    finally:
        server.terminate()
        server.wait()


def test_git(user, lab):
    there = user.home / "repository"
    run("git", "init", "-q", "-b", "main", there)
    (there / "file").write_text("text\n")
    git = ("git", "-C", there, "-c", "user.name=a", "-c", "user.email=a@b")
    run(*git, "add", "file")
    run(*git, "commit", "-q", "-m", "one")
    daemon = lab.server.start("git", "daemon", f"--base-path={user.home}", "--export-all", f"--listen={SERVER4}", "--reuseaddr",
                              "--informative-errors", "--port=9418", stderr=subprocess.DEVNULL,
                              env={**os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
                                   "GIT_CONFIG_VALUE_0": "*"})
    try:
        wait_until(lambda: f"{SERVER4}:9418" in lab.server.run("ss", "-ltn").stdout, 5, "git daemon")
        user.run("git", "clone", "-q", f"git://{SERVER4}/repository", user.home / "clone")
        assert (user.home / "clone" / "file").read_text() == "text\n"
    finally:
        daemon.terminate()
        daemon.wait()


def test_failures_are_the_far_ends(user, lab):
    with listener(lab.server, SERVER4) as there:
        closed = there.getsockname()[1]
    wanted = {(SERVER4, closed): "ECONNREFUSED", (SERVER6, closed): "ECONNREFUSED", (ABSENT4, 80): "EHOSTUNREACH",
              (DENIED4, 80): "EHOSTUNREACH", (DENIED6, 80): "EACCES", ("127.0.0.1", closed): "ECONNREFUSED",
              ("192.0.2.1", 80): "EHOSTUNREACH"}
    done = user.run(sys.executable, "-c", CONNECT, *(part for where in wanted for part in where))
    assert dict(zip(wanted, done.stdout.split())) == wanted


def test_it_is_an_instance_and_several_may_be(user, lab):
    """`status` and `flows` show each of them, by its own name; `down` ends one, and its command."""
    with listener(lab.server, SERVER4) as listening:
        script = """import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print(1, flush=True)
time.sleep(60)"""
        runs = [user.start(sys.executable, "-c", script, *listening.getsockname()) for _ in range(2)]
        assert [process.stdout.readline() for process in runs] == ["1\n", "1\n"]
        names = user.instances()
        assert len(names) == 2 and all(name.startswith(f"{user.name}.run.") for name in names)
        status = json.loads(user.tool("status", names[0], "--json").stdout)
        assert (status["name"], status["state"], status["device"]) == (names[0], "up", "usher0")
        assert "socks" not in status and "forwards" not in status
        assert len(json.loads(user.tool("status", "--json").stdout)["instances"]) == 2
        flows = json.loads(user.tool("flows", names[1], "--json").stdout)["flows"]
        assert [(flow["protocol"], flow["via"], flow["far"]) for flow in flows] == [
            ("tcp", "capture", f"{SERVER4}:{listening.getsockname()[1]}")]
        user.tool("down", names[0])
        wait_until(lambda: any(process.poll() is not None for process in runs), 5, "the end of one")
        (ended,) = [process for process in runs if process.poll() is not None]
        assert ended.returncode == 1 and "no network any more" in ended.stderr.read()
        (other,) = [process for process in runs if process is not ended]
        assert user.instances() == names[1:]
        other.terminate()
        assert other.wait(patience(5)) == 128 + signal.SIGTERM


def test_keys_of_the_file(user):
    """Route and listeners are for `up`; a file need not have any; addresses and MTU are taken."""
    free = socket.create_server(("127.0.0.1", 0)).getsockname()[1]
    user.write(f"""Route = 10.73.0.0/24
Device = work0
Address = 10.99.0.7/32, fd99::7/128
MTU = 1400
Socks = 127.0.0.1:{free}
Forward = tcp 127.0.0.1:{free} -> 10.73.0.2:1
User = nosuchuser
SocksUser = me
SocksPasswordFile = /nonexistent""")
    script = "ip -o addr show dev work0; ip route; ip -6 route; cat /sys/class/net/work0/mtu 2>/dev/null || ip link show work0"
    text = user.run("sh", "-c", script).stdout
    assert "10.99.0.7/32" in text and "fd99::7/128" in text and "1400" in text
    assert re.search(r"^default dev work0 .*scope link", text, re.M) and re.search(r"^default dev work0 .*metric", text, re.M)


def test_what_is_missing_is_said_in_one_sentence(user, lab):
    def sentence(code, *parts, **kwargs):
        done = user.run("touch", user.home / "started", check=False, **kwargs)
        assert done.returncode == code, done.stderr
        assert all(part in done.stderr.splitlines()[-1] for part in parts), done.stderr
        assert not (user.home / "started").exists()

    key = user.conf.parent / "branch.key"
    os.chown(key, 0, 0)
    key.chmod(0o600)
    sentence(2, f"{user.conf}:4: Key", f"{key}", "ermission denied")
    os.chown(key, SOMEBODY, SOMEBODY)
    os.chown(user.conf, 0, 0)
    user.conf.chmod(0o600)
    sentence(2, str(user.conf), "ermission denied")
    os.chown(user.conf, SOMEBODY, SOMEBODY)

    user.write("UpTimeout = 1s", address="10.3.0.2:4")
    sentence(1, "no tunnel to 10.3.0.2:4 within 1 s", "Connection refused")
    user.write("Certificatee = x")
    sentence(2, "Certificatee")
    user.write()
    user.tun.chmod(0o600)
    sentence(1, "you may not open /dev/net/tun", "chmod 0666")
    user.tun.chmod(0o666)


def test_a_gate_that_refuses_us(user, pki):
    certificates = user.conf.parent
    for kind in ("crt", "key"):
        shutil.copy(pki / f"other.{kind}", certificates / f"branch.{kind}")
    os.chown(certificates / "branch.key", SOMEBODY, SOMEBODY)
    run("chown", f"{SOMEBODY}:{SOMEBODY}", certificates / "branch.crt")
    done = user.run("true", check=False)
    assert done.returncode == 0  # "other" is known to the gate, and may nothing
    user.conf.write_text(user.conf.read_text().replace(f"Name = {GATE_NAME}", "Name = wrong.example.net"))
    done = user.run("true", check=False)
    assert done.returncode == 1 and "wrong.example.net" in done.stderr


def test_a_tunnel_that_is_lost_comes_back(user, lab, gate):
    """Meanwhile the command lives, and what it opens fails as everywhere."""
    with listener(lab.server, SERVER4) as listening, Server(listening, each_connection(serve_page)):
        port = listening.getsockname()[1]
        user.write("HoldTimeout = 500ms")
        shell = user.start("sh")

        def ask(line):
            shell.stdin.write(line + "\n")
            shell.stdin.flush()
            return shell.stdout.readline().strip()

        url = f"http://{SERVER4}:{port}/"
        code = f"curl -s -o /dev/null -m 20 {url}; echo $?"
        assert ask(code) == "0"
        (name,) = user.instances()
        gate.stop()
        try:
            wait_until(lambda: json.loads(user.tool("status", name, "--json").stdout)["state"] == "connecting", 5, "the loss")
            assert ask(code) == "7"  # no connection
        finally:
            gate.start()
        wait_until(lambda: json.loads(user.tool("status", name, "--json").stdout)["state"] == "up", 15, "the way back")
        assert ask(code) == "0"
        shell.stdin.close()
        assert shell.wait(patience(5)) == 0


class Terminal:
    """A terminal with a person at it."""

    def __init__(self, *argv):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], [str(a) for a in argv])

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, seconds=10):
        """Reads until `pattern` has come, and returns what was matched; the rest stays for the next."""
        deadline = time.monotonic() + patience(seconds)
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return found
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], f"no {pattern!r} in {self.seen!r}"
            try:
                self.seen += os.read(self.fd, 4096).decode()
            except OSError:
                raise AssertionError(f"the end instead of {pattern!r} after {self.seen!r}") from None

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def shell(user):
    """A person's own shell, that controls jobs."""
    argv = user.argv("PS1=outer> ", "PS0=", "HISTFILE=", f"R={user.home}/usher-tun run {user.name} --", "bash", "--norc",
                     "--noprofile", "-i")
    terminal = Terminal(*argv)
    terminal.expect("outer> ")
    yield terminal
    terminal.close()


def test_a_shell_at_a_terminal(shell):
    """It controls jobs of its own in there, and is one job of the shell outside."""
    shell.type("$R env PS1='inner> ' bash --norc --noprofile -i\n")
    first = shell.expect("(?s)^(.*)inner> ").group(1)
    assert "job control" not in first and "bash:" not in first, first
    shell.type("sleep 60\n")
    shell.expect("sleep 60\r\n")
    time.sleep(0.3)
    shell.type("\x1a")
    shell.expect(r"Stopped +sleep 60(?s:.*)inner> ")
    shell.type("fg\n")
    shell.expect("sleep 60\r\n")
    time.sleep(0.2)
    shell.type("\x03")
    shell.expect("inner> ")
    shell.type("echo status $?\n")
    shell.expect("status 130(?s:.*)inner> ")
    shell.type("sleep 61 & jobs\n")
    shell.expect("Running +sleep 61(?s:.*)inner> ")
    shell.resize(33, 99)
    shell.type("sleep 0.3; stty size; ps -o comm= | tr '\\n' ' '\n")
    shell.expect("33 99\r\n")
    shell.expect("bash sleep ps tr (?s:.*)inner> ")

    shell.type("suspend\n")
    shell.expect(r"Stopped(?s:.*)outer> ")
    shell.type("fg\n")
    shell.expect("inner> ")
    shell.type("exit 5\n")
    shell.expect("outer> ")
    shell.type("echo status $?; stty -a | grep -o icanon\n")
    shell.expect("status 5\r\nicanon\r\n")


def test_keys_reach_the_command(shell):
    """It is interrupted, stopped and resumed as any; a loop of the shell outside ends with it."""
    shell.type("$R sleep 60\n")
    shell.expect("sleep 60\r\n")
    time.sleep(1)
    shell.type("\x1a")
    shell.expect(r"Stopped(?s:.*)outer> ")
    shell.type("bg\n")
    shell.expect("outer> ")
    shell.type("fg\n")
    shell.expect("sleep 60\r\n")
    time.sleep(0.3)
    shell.type("\x03")
    shell.expect("outer> ")
    shell.type("echo status $?\n")
    shell.expect("status 130\r\n(?s:.*)outer> ")

    shell.type("for i in 1 2; do $R sh -c 'echo run $((i+9)); sleep 60'; done\n".replace("$((i+9))", "$((1+9))"))
    shell.expect("run 10\r\n")
    time.sleep(0.3)  # a shell that is about to exec may lose the key
    shell.type("\x03")
    assert "run 10" not in shell.expect("(?s)(.*)outer> ").group(1)

    # Once, though the key reaches the whole group.
    count = "import signal, time; n = []; signal.signal(signal.SIGINT, lambda *_: n.append(1)); print(40 + 2, flush=True); "
    count += "time.sleep(1.5); print(len(n), 1000 + len(n))"
    shell.type(f"$R {sys.executable} -c '{count}'\n")
    shell.expect("42\r\n")
    shell.type("\x03")
    shell.expect("1 1001\r\n")


def test_signals_to_the_front(user):
    """They are the command's."""
    script = "trap 'echo got; exit 9' USR1 TERM HUP INT; echo ready; while :; do sleep 0.05; done"
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        process = user.start("sh", "-c", script)
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "got\n" and process.wait(patience(5)) == 9


# Serves each address that is given and every socket below /run that a helper would have; says when all of them are there.
HELPERS = """
import os, socket, sys, threading
home, port = sys.argv[1], int(sys.argv[2])
def serve(family, address):
    s = socket.socket(family)
    s.bind(address)
    s.listen()
    if family == socket.AF_UNIX and address[0] != "\\0":
        os.chmod(address, 0o666)
    def loop():
        while True:
            far, _ = s.accept()
            far.sendall(b"leak")
            far.close()
    threading.Thread(target=loop, daemon=True).start()
for path in sys.argv[3:]:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    serve(socket.AF_UNIX, path)
serve(socket.AF_UNIX, "\\0usher-leak")
for address in ("127.0.0.1", "10.2.0.2", "10.1.0.1"):
    serve(socket.AF_INET, (address, port))
serve(socket.AF_INET6, ("::1", port))
print("ready", flush=True)
threading.Event().wait()
"""

LOOK = """
import errno, json, os, socket, sys
def ask(family, address):
    s = socket.socket(family)
    s.settimeout(5)
    try:
        s.connect(address)
        return s.recv(4).decode()
    except OSError as error:
        return errno.errorcode.get(error.errno, "timeout")
home, port = sys.argv[1], int(sys.argv[2])
found = {path: ask(socket.AF_UNIX, path) for path in sys.argv[3:] + ["\\0usher-leak"]}
for address in ("127.0.0.1", "10.2.0.2", "10.1.0.1"):
    found[address] = ask(socket.AF_INET, (address, port))
found["::1"] = ask(socket.AF_INET6, ("::1", port))
found["environment"] = [name for name in os.environ if "DBUS" in name or "DOCKER" in name]
found["hosts"] = [line for line in open("/etc/nsswitch.conf").read().splitlines() if line.startswith("hosts:")]
print(json.dumps(found))
"""


def test_nothing_outside_answers(user, lab):
    """Neither the host's own services, nor its network, nor a helper that would ask in the command's place."""
    place = user.home / "run"
    helpers = ["/run/nscd/socket", "/run/dbus/system_bus_socket", "/run/systemd/resolve/io.systemd.Resolve",
               "/run/systemd/private", "/run/avahi-daemon/socket", "/run/docker.sock", f"{place}/bus",
               f"{place}/systemd/private", f"{place}/gnupg/S.dirmngr", f"{place}/usher/other/control"]
    friendly = f"{place}/wayland-0"
    with lab.portal.enter():
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
    (user.home / "helpers.py").write_text(HELPERS)
    (user.home / "look.py").write_text(LOOK)
    argv = [user.home, port, *helpers, friendly]
    script = f"""
mount -t tmpfs -o mode=755 none /run
mkdir -p {place}/usher && chown {SOMEBODY}:{SOMEBODY} {place}/usher && chmod 700 {place}/usher
{sys.executable} {user.home}/helpers.py "$@" >{user.home}/ready &
helpers=$!
trap 'kill $helpers' EXIT
until [ -s {user.home}/ready ]; do sleep 0.05; done
mount --bind {user.tun} /dev/net/tun
as="setpriv --reuid={SOMEBODY} --regid={SOMEBODY} --clear-groups env XDG_RUNTIME_DIR={place} HOME={user.home}
    DBUS_SESSION_BUS_ADDRESS=unix:path={place}/bus DOCKER_HOST=unix:///run/docker.sock"
$as {sys.executable} {user.home}/look.py "$@"
$as {user.home}/usher-tun run {user.conf} -- {sys.executable} {user.home}/look.py "$@"
"""
    outside, inside = map(json.loads, lab.portal.run("sh", "-c", script, "sh", *argv).stdout.splitlines())
    addresses = ("127.0.0.1", "10.2.0.2", "10.1.0.1", "::1")
    assert {outside[what] for what in (*helpers, friendly, "\0usher-leak", *addresses)} == {"leak"}
    assert len(outside["environment"]) == 2

    assert {path: inside[path] for path in helpers if inside[path] not in ("ENOENT", "ECONNREFUSED")} == {}
    assert inside["\0usher-leak"] == "ECONNREFUSED" and inside["127.0.0.1"] == inside["::1"] == "ECONNREFUSED"
    assert inside["10.2.0.2"] == inside["10.1.0.1"] == "EHOSTUNREACH"
    assert inside["environment"] == [] and inside["hosts"] == ["hosts: files dns"]
    assert inside[friendly] == "leak"  # what is no way to a network stays


def test_no_rights_and_no_way_out(user):
    """Nothing in there can change the namespace, or see who is outside."""
    text = user.run("sh", "-c", "cat /proc/self/status; cat /proc/self/uid_map; readlink /proc/self/ns/net").stdout
    fields = dict(re.findall(r"^(\w+):\s+(.*)$", text, re.M))
    assert all(int(fields[which], 16) == 0 for which in ("CapEff", "CapPrm", "CapInh", "CapAmb"))
    assert fields["NoNewPrivs"] == "1"
    assert re.search(rf"^\s*{SOMEBODY}\s+{SOMEBODY}\s+1$", text, re.M)
    assert os.readlink("/proc/self/ns/net") not in text
    commands = ["ip link set usher0 down", "umount /etc/nsswitch.conf", "ip route del default", "nsenter -t 1 -n true",
                "mount -t tmpfs none /mnt"]
    commands += [] if SANITIZED else ["cat /proc/1/environ"]  # a leak check traces
    for command in commands:
        assert user.run("sh", "-c", command, check=False).returncode != 0, command


def processes(user):
    """Of the user, as {pid: (parent, name)}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            fields = dict(re.findall(r"^(\w+):\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))
            if fields["Uid"].split()[0] == str(SOMEBODY):
                found[int(pid)] = (int(fields["PPid"]), fields["Name"])
    return found


@pytest.mark.parametrize("victim", ("front", "portal", "init", "command", "descendant"))
def test_killed(user, victim):
    """Whatever is killed: no process, no namespace, no place of the run is left."""
    process = user.start("sh", "-c", "(trap '' TERM HUP INT; setsid sleep 77 & ) ; echo ready; sleep 78; echo done")
    assert process.stdout.readline() == "ready\n"
    wait_until(lambda: sum(name == "sleep" for _, name in processes(user).values()) == 2, 5, "all of it")
    all_of_it = processes(user)
    front = process.pid
    (command,) = [pid for pid, (_, name) in all_of_it.items() if name == "sh"]
    init = all_of_it[command][0]
    (portal,) = [pid for pid, (parent, _) in all_of_it.items() if parent == front and pid != init]
    (descendant,) = [pid for pid, (parent, name) in all_of_it.items() if name == "sleep" and parent == command]
    assert all_of_it[init][0] == front
    space = os.readlink(f"/proc/{command}/ns/net")
    os.kill(locals()[victim], signal.SIGKILL)
    assert process.wait(patience(10)) == {"front": -9, "portal": 1, "init": 137, "command": 137, "descendant": 0}[victim]
    wait_until(lambda: not processes(user), 5, "the end of all processes")
    assert space not in {readlink(f"/proc/{pid}/ns/net") for pid in filter(str.isdigit, os.listdir("/proc"))}
    wait_until(lambda: not user.instances(), 5, "the end of the place")


def readlink(path):
    with contextlib.suppress(OSError):
        return os.readlink(path)


def test_all_killed_at_once(user):
    """Then nobody is left to remove the place, and the next run does."""
    process = user.start("sh", "-c", "echo ready; sleep 78")
    assert process.stdout.readline() == "ready\n"
    for number in (signal.SIGSTOP, signal.SIGKILL): # so that none learns of another's end
        for pid in processes(user):
            with contextlib.suppress(ProcessLookupError): # went with its init
                os.kill(pid, number)
    process.wait(patience(5))
    wait_until(lambda: not processes(user), 5, "the end of all processes")
    assert len(user.instances()) == 1
    user.run("true")
    assert user.instances() == []


def test_forbidden(user, lab):
    """Where the system forbids what a run is made of, one sentence says what to allow."""
    forbid = f"""
mount --bind {user.tun} /dev/net/tun
exec setpriv --reuid={SOMEBODY} --regid={SOMEBODY} --clear-groups env XDG_RUNTIME_DIR={user.home}/run \\
    unshare --user --map-user={SOMEBODY} --map-group={SOMEBODY} --keep-caps \\
    sh -c 'echo 0 >/proc/sys/user/max_$1_namespaces && exec "$2" run "$3" -- true' sh "$@"
"""
    for kind in ("user", "net", "mnt", "pid"):
        done = lab.portal.run("sh", "-c", forbid, "sh", kind, user.home / "usher-tun", user.conf, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
        assert f"root allows them with sysctl user.max_{kind}_namespaces=" in done.stderr


def test_nested(user, lab):
    """A run in a run: the inner one's tunnel goes through the outer one's, as far as its rules go."""
    user.write("UpTimeout = 1s")
    done = user.run(user.home / "usher-tun", "run", user.conf, "--", "true", check=False)
    assert done.returncode == 1 and "no tunnel to 10.3.0.2:4433" in done.stderr


def test_root(user, lab):
    """Files of everybody are theirs, other users can be become, and the way out is no other."""
    for file in user.conf.parent.iterdir():
        os.chown(file, 0, 0)
    script = f"stat -c '%u' {user.home} /etc/passwd; setpriv --reuid=1 --regid=1 --clear-groups id -u; touch /root/.usher-run-test && rm /root/.usher-run-test && echo wrote; ip link set usher0 down 2>&1 || echo no; cat /proc/self/status"
    done = lab.portal.run(USHER_TUN, "run", user.conf, "--", "sh", "-c", script)
    lines = done.stdout.splitlines()
    assert lines[:4] == [str(SOMEBODY), "0", "1", "wrote"] and "no" in lines[4:7]
    fields = dict(re.findall(r"^(\w+):\s+(.*)$", done.stdout, re.M))
    assert not int(fields["CapBnd"], 16) & (1 << 21 | 1 << 12)  # CAP_SYS_ADMIN, CAP_NET_ADMIN
    done = lab.portal.run(USHER_TUN, "run", user.conf, "--", "ping", "-c", 1, "-W", 5, SERVER4)
    assert "1 received" in done.stdout
    assert not list(pathlib.Path("/run/usher").glob(f"{user.name}*"))
