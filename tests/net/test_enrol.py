# SPDX-License-Identifier: GPL-2.0-or-later
"""Two bare machines, an authority, and a link between them by five typed commands; and everything that may come between."""

import base64
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from lab import BUILD, ROOT, SERVER4, patience, wait_until
from traffic import PAGE, Server, each_connection, fetch, listener, serve_page, stream

USHER_PKI = ROOT / "scripts/usher-pki"
SERVE = "127.0.0.1:4434"
AUTHORITY = 64603  # a user of nobody's


class Machine:
    """A host with directories of its own where the programs look, and processes that end with it."""

    def __init__(self, host, directory):
        self.host, self.etc, self.run_directory, self.started = host, directory / "etc", directory / "run", []
        for made in (directory, self.etc, self.run_directory):
            made.mkdir(mode=0o755)
        self.bin = directory / "bin"
        self.bin.mkdir()
        for program in (BUILD / "usher-tun", BUILD / "usher-gate", USHER_PKI):
            (self.bin / program.name).symlink_to(program)

    def argv(self, command):
        mounts = f"mount --bind {self.etc} /etc/usher && mount --bind {self.run_directory} /run/usher && PATH={self.bin}:$PATH"
        return ["unshare", "-m", "sh", "-c", f"{mounts} && {command}"]

    def type(self, command, check=True, **kwargs):
        return self.host.run(*self.argv(command), check=check, **kwargs)

    def begin(self, command):
        log = open(self.etc.parent / "log", "ab")
        process = self.host.start(*self.argv(f"exec {command}"), stdout=log, stderr=log)
        self.started.append(process)
        return process

    def log(self):
        log = self.etc.parent / "log"
        return log.read_text(errors="replace") if log.exists() else ""

    def end(self):
        for process in self.started:
            if process.poll() is None:
                process.terminate()
                process.wait(patience(10))


@pytest.fixture(scope="module", autouse=True)
def places():
    made = [path for path in map(pathlib.Path, ("/etc/usher", "/run/usher")) if not path.exists()]
    for path in made:
        path.mkdir()
    yield
    for path in made:
        with contextlib.suppress(OSError):
            path.rmdir()


class Site:
    """The gate's machine, on which the authority lives as well, and one that is to become a branch."""

    def __init__(self, lab, directory):
        directory.mkdir(exist_ok=True)
        self.lab, self.gate, self.branch = lab, Machine(lab.gate, directory / "gate"), Machine(lab.portal, directory / "branch")

    def set_up(self, serve=True, options=""):
        self.gate.type("usher-pki setup /etc/usher/pki gate.example.net --allow 10.73.0.0/24")
        self.start_gate()
        if serve:
            self.start_serve(options)
        return self

    def start_gate(self):
        self.gate_process = self.gate.begin("usher-gate run gate")
        wait_until(lambda: self.gate.type("usher-gate status gate", check=False).returncode == 0, 10, "the gate")

    def start_serve(self, options="", program="usher-pki"):
        self.serve = self.gate.begin(f"{program} serve /etc/usher/pki {options}")
        wait_until(lambda: "LISTEN" in self.lab.gate.run("ss", "-tlnH", "src", SERVE).stdout, 10, "usher-pki serve")

    def invite(self, name="branch", options=""):
        done = self.gate.type(f"usher-pki invite /etc/usher/pki {name} --gate 10.3.0.2 --name gate.example.net "
                              f"--route 10.73.0.0/24 {options}")
        assert re.fullmatch(r"usher1-[\w-]+\n", done.stdout) and len(done.stdout) < 2000
        return done.stdout.strip()

    def join(self, token, options="", **kwargs):
        return self.branch.type(f"usher-tun join {options} {token}", **kwargs)

    def refused(self, token, says, options="", **kwargs):
        done = self.join(token, options, check=False, **kwargs)
        assert done.returncode == 1 and done.stderr.startswith("usher-tun: ") and done.stderr.count("\n") == 1, done.stderr
        assert re.search(says, done.stderr), done.stderr
        assert not list(self.branch.etc.glob("*.conf"))

    def end(self):
        for conf in self.branch.etc.glob("*.conf"):
            self.branch.type(f"usher-tun down {conf.stem}", check=False)
        self.branch.end()
        self.gate.end()
        assert "Sanitizer" not in self.gate.log() + self.branch.log()


@pytest.fixture
def site(lab, tmp_path):
    site = Site(lab, tmp_path / "site")
    yield site
    site.end()


def web_server(lab):
    return Server(listener(lab.server, SERVER4, 80), each_connection(serve_page))


def issued(site, name):
    """Certificates of that name in the authority's books."""
    return [line for line in site.gate.type("usher-pki list /etc/usher/pki").stdout.splitlines() if line.split()[0] == name]


def test_five_commands(lab, site):
    with web_server(lab):
        site.gate.type("usher-pki setup /etc/usher/pki gate.example.net --allow 10.73.0.0/24")         # 1
        site.gate.begin("usher-gate run gate")                                                         # 2
        site.gate.begin("usher-pki serve /etc/usher/pki")                                              # 3
        wait_until(lambda: "serving" in site.gate.log() and "listening" in site.gate.log(), 10, "both")
        token = site.gate.type("usher-pki invite /etc/usher/pki branch --gate 10.3.0.2 --name gate.example.net "
                               "--route 10.73.0.0/24").stdout.strip()                                  # 4
        joined = site.branch.type(f"usher-tun join {token}")                                           # 5
        assert joined.stderr == "usher-tun: wrote /etc/usher/branch.conf\n" and joined.stdout == ""
        assert fetch(lab.client, f"http://{SERVER4}/") == PAGE
    status = site.branch.type("usher-tun status branch").stdout
    assert status.startswith("branch: up since ") and "gate.example.net" in status
    own = site.branch.etc / "pki/branch"
    modes = {path.name: path.stat().st_mode & 0o7777 for path in own.iterdir()}
    assert modes == {"ca.crt": 0o644, "crl.pem": 0o644, "invitation.crt": 0o600, "portal.pem": 0o600}
    assert own.stat().st_mode & 0o7777 == 0o755 and list(own.parent.iterdir()) == [own]
    # The key was made there and has never been anywhere else.
    key = re.search("-----BEGIN EC PRIVATE KEY-----\n(.*?)\n", (own / "portal.pem").read_text()).group(1)
    assert not any(key in path.read_text(errors="replace") for path in site.gate.etc.rglob("*") if path.is_file())
    site.branch.type("usher-tun down branch")


def test_a_token_is_good_once(site):
    token = site.set_up().invite()
    site.join(token, "--no-up")
    done = site.join(token, check=False)
    assert "branch is configured already, by /etc/usher/branch.conf: move that away" in done.stderr and done.returncode == 1
    (site.branch.etc / "branch.conf").unlink()
    # Not even for the one who has it: what it gave is there.
    assert site.join(token, "--no-up").returncode == 0
    for path in (site.branch.etc / "branch.conf", *(site.branch.etc / "pki/branch").iterdir()):
        path.unlink()
    (site.branch.etc / "pki/branch").rmdir()
    site.refused(token, "the authority refuses: the invitation was used already: ask for a new one")
    assert len(issued(site, "branch")) == 1
    done = site.gate.type("usher-pki invite /etc/usher/pki branch --gate g --route 10.0.0.0/8", check=False)
    assert "if it is to have another one: usher-pki revoke /etc/usher/pki branch" in done.stderr
    site.gate.type("usher-pki revoke /etc/usher/pki branch")
    site.join(site.invite(), "--no-up --as other")
    assert (site.branch.etc / "other.conf").exists()
    # Nor does another token make the portal that there was, which may have been withdrawn.
    (site.branch.etc / "other.conf").unlink()
    site.gate.type("usher-pki revoke /etc/usher/pki branch")
    done = site.join(site.invite(), "--no-up --as other", check=False)
    assert done.returncode == 1 and "/etc/usher/pki/other is left of another invitation: move it away, or" in done.stderr


def test_out_of_time(site):
    site.set_up()
    short, later, withdrawn = site.invite("short", "--for 1s"), site.invite("later"), site.invite("gone")
    time.sleep(1.1)
    site.refused(short, r"the token was good until 20.*, and the clock here says 20.*: ask for a new one \(usher-pki invite\), "
                        "or set the clock")
    # One whose clock is behind believes that it is in time; the gate does not.
    done = site.branch.type(f"faketime -f -30s usher-tun join {short}", check=False)
    assert done.returncode == 1 and "expired" in done.stderr, done.stderr
    done = site.branch.type(f"faketime '2020-01-01 12:00' usher-tun join {later}", check=False)
    assert done.returncode == 1 and "the clock here says 2020-01-01 12:00 UTC: set the clock" in done.stderr, done.stderr
    # A little behind, and the authority was made just now: nothing of it is "not yet valid".
    site.branch.type(f"faketime -f -30s usher-tun join --no-up {later}")
    (site.branch.etc / "later.conf").unlink()
    site.gate.type("usher-pki revoke /etc/usher/pki gone")
    time.sleep(0.5)
    site.refused(withdrawn, "10.3.0.2:4433: .*revoked")


def test_not_root_and_not_a_token(site):
    site.refused("usher1-AAAA", "the token is damaged or not whole: copy all of the line")
    site.refused("hello", "that is no token, which begins with usher1-")
    done = site.branch.type("setpriv --reuid 65534 --clear-groups usher-tun join usher1-AAAA", check=False)
    assert done.returncode == 1 and "try sudo usher-tun join TOKEN" in done.stderr
    token = site.set_up().invite()
    done = site.join("-", "--no-up", input=token + "\n")
    assert done.stderr == "usher-tun: wrote /etc/usher/branch.conf; bring it up: usher-tun up branch\n"
    assert site.branch.type("usher-tun check branch").stderr == ""


def test_somebody_else_at_the_gates_address(lab, site, tmp_path):
    """With an authority of his own, of the same name: he learns nothing, and the token is as good as before."""
    token = site.set_up().invite()
    site.gate.end()
    other = Site(lab, tmp_path / "other").set_up()
    site.refused(token, "10.3.0.2:4433: the gate's certificate .*authority|10.3.0.2:4433: .*CA")
    other.gate.end()
    assert "joined" not in other.gate.log()
    site.start_gate()
    site.start_serve()
    site.join(token, "--no-up")


def test_nobody_to_give_it(site):
    """Each failure says whose it is, and the token is good afterwards."""
    site.set_up(serve=False)
    token = site.invite()
    site.refused(token, "the authority cannot be reached at 127.0.0.1:4434, as the gate sees it .*refused.*: is usher-pki serve")
    conf = site.gate.etc / "gate.conf"
    text = conf.read_text()
    conf.write_text(text.replace("Enrol", "#Enrol"))
    site.gate.type("usher-gate reload gate")
    site.refused(token, r"its \[Gate\] section needs Enrol = 127.0.0.1:4434")
    conf.write_text(text)
    site.gate.type("usher-gate reload gate")
    site.start_serve()
    site.join(token, "--no-up")


def test_what_an_invitation_may(lab, site):
    """Everybody may go to 10.73.0.0/24, but whoever is only invited."""
    site.set_up()
    raw = base64.urlsafe_b64decode(site.invite()[7:] + "==")
    structures, at = [], raw.index(b"\n\n") + 2
    for _ in range(3):
        head, length = (2, raw[at + 1]) if raw[at + 1] < 128 else (4, int.from_bytes(raw[at + 2:at + 4], "big"))
        structures.append(raw[at:at + head + length])
        at += head + length
    for name, bytes_ in zip(("ca", "crt", "key"), structures):
        (site.branch.etc / name).write_bytes(bytes_)
        (site.branch.etc / name).chmod(0o600)
    (site.branch.etc / "branch.conf").write_text(f"""[Portal]
CA = /etc/usher/ca
Certificate = /etc/usher/crt
Key = /etc/usher/key
Route = 10.73.0.0/24
Forward = tcp 127.0.0.1:4434 -> {SERVE}, tcp 127.0.0.1:4433 -> 127.0.0.1:4433
[Gate]
Address = 10.3.0.2:4433
Name = gate.example.net
""")
    site.branch.type("usher-tun up branch")
    with web_server(lab):
        assert lab.client.run("curl", "-sm", "5", f"http://{SERVER4}/", check=False).returncode == 7
        assert lab.client.run("ping", "-nc1", "-W1", SERVER4, check=False).returncode == 1
        assert lab.portal.run("curl", "-sm", "5", "telnet://127.0.0.1:4433", check=False, input="x").returncode in (7, 52, 56)
        # What it may do: say something to the authority, which answers nothing that is no request.
        assert lab.portal.run("curl", "-sm", "5", "http://127.0.0.1:4434/", check=False).returncode in (52, 56)
    site.branch.type("usher-tun down branch")


def test_killed_at_any_moment(site, figure):
    """Whatever is killed, the same token brings the same machine in, with one certificate."""
    site.set_up()
    choice, kills = random.Random(7), 0
    for name in ("a", "b", "c", "d"):
        token, conf = site.invite(name), site.branch.etc / f"{name}.conf"
        for i in range(4):
            process = site.lab.portal.start(*site.branch.argv(f"exec usher-tun join --no-up {token}"),
                                            stderr=subprocess.DEVNULL)
            time.sleep(choice.uniform(0.01, 0.18))
            if i == 2:
                site.serve.kill()
                site.serve.wait()
                site.start_serve()
            kills += process.poll() is None
            process.kill()
            process.wait()
            if conf.exists():  # then it is whole
                break
        if not conf.exists():
            site.join(token, "--no-up")
        assert site.branch.type(f"usher-tun check {name}").stderr == ""
        assert {path.name for path in (site.branch.etc / "pki" / name).iterdir()} <= {"ca.crt", "crl.pem", "invitation.crt", "portal.pem"}
        assert len(issued(site, name)) == 1
    figure(f"join: killed {kills} times on its way, 4 of 4 machines came in with one certificate each")
    assert len(list((site.gate.etc / "pki/books/keys").iterdir())) == 4


@pytest.fixture
def everybodys():
    """A directory that anybody may get to, with the authority's programs."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        for program in (USHER_PKI, BUILD / "usher-pki-serve"):
            shutil.copy(program, name)
        yield pathlib.Path(name)


def test_the_authority_is_not_moved(lab, site, everybodys):
    """What reaches its port without a right: silence, noise, too much; and nobody waits for them. All that with no more than
    its unit leaves it."""
    assert "\nCapabilityBoundingSet=\nAmbientCapabilities=\n" in (ROOT / "scripts/systemd/usher-pki.service").read_text()
    site.set_up(serve=False)
    pki = site.gate.etc / "pki"
    for path in (pki, *pki.glob("c*"), pki / "books", *(pki / "books").rglob("*")):
        os.chown(path, AUTHORITY, AUTHORITY)
    bare = f"setpriv --reuid={AUTHORITY} --regid={AUTHORITY} --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs"
    site.start_serve(program=f"{bare} {everybodys}/usher-pki")
    token = site.invite()
    with lab.gate.enter():
        import socket
        silent = [socket.create_connection(("127.0.0.1", 4434)) for _ in range(20)]
        for said in (b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\x0fusher-enrol/1\0\1", b"\xff\xff\xff\xff", b"\0\0\x40\0" + b"x" * 0x4000):
            with socket.create_connection(("127.0.0.1", 4434)) as loud:
                loud.settimeout(patience(12))
                with contextlib.suppress(ConnectionError):
                    loud.sendall(said)
                    assert loud.recv(1) == b""
        with socket.create_connection(("127.0.0.1", 4434)) as asker:  # the list is everybody's
            asker.sendall(b"\0\0\0\x0fusher-enrol/1\0\2")
            asker.settimeout(patience(12))
            answer = b""
            while part := asker.recv(65536):
                answer += part
        assert b"BEGIN X509 CRL" in answer
    begun = time.monotonic()
    site.join(token, "--no-up")
    assert time.monotonic() - begun < patience(5)
    for connection in silent:
        connection.close()
    assert os.path.exists(f"/proc/{site.serve.pid}")
    # Root writes these books as him whose they are; the keys that it makes are root's all the same.
    site.gate.type(f"{everybodys}/usher-pki issue /etc/usher/pki portal another")
    assert (pki / "another.key").stat().st_uid == 0 and (pki / "another.key").stat().st_mode & 0o777 == 0o600
    site.gate.type(f"{everybodys}/usher-pki revoke /etc/usher/pki another")
    assert {path.stat().st_uid for path in (pki / "books").rglob("*")} == {AUTHORITY}
    assert (pki / "crl.pem").stat().st_uid == AUTHORITY


def serial(path):
    return subprocess.run(["openssl", "x509", "-in", path, "-noout", "-serial"], capture_output=True, text=True,
                          check=True).stdout.strip()


def test_renewal(lab, site):
    """By itself, with a third of its life left, under a connection that goes on; new key, same name; and of the gate as well."""
    site.set_up(serve=False)
    done = site.gate.type("usher-pki renew /etc/usher/pki gate.example.net --life 20s")
    assert done.stderr == ("usher-pki: renewed /etc/usher/pki/gate.example.net.crt and /etc/usher/pki/gate.example.net.key; "
                           "whoever uses copies needs the new ones\n")
    gates = site.gate.etc / "pki/gate.example.net.crt"
    gates_first = serial(gates)
    site.start_serve("--life 20s")
    site.join(site.invite())
    own, ends = site.branch.etc / "pki/branch/portal.pem", time.monotonic() + patience(20)
    before, first = own.read_text(), serial(own)
    with listener(lab.server, SERVER4, 80) as listening, stream(lab.client)(SERVER4) as client:
        client.connect((SERVER4, 80))
        far = listening.accept()[0]
        while serial(own) == first:
            assert time.monotonic() < ends, site.gate.log() + site.branch.log()
            client.sendall(b"x")
            assert far.recv(1) == b"x"
            time.sleep(0.1)
        assert time.monotonic() > ends - patience(12)
        client.sendall(b"y")
        assert far.recv(1) == b"y"
        far.close()
    after = own.read_text()
    key = re.compile("BEGIN EC PRIVATE KEY-----(.*?)-----END", re.S)
    assert key.search(after).group(1) != key.search(before).group(1) and own.stat().st_mode & 0o7777 == 0o600
    assert "usher-pki: branch: renewed its certificate" in site.gate.log()
    log = (site.branch.run_directory / "branch/log").read_text()
    assert "usher-tun branch: the certificate is renewed" in log, log
    # The process beside the portal has no right of root's but over files (of a service it has none), and goes with it.
    pids = lab.portal.run("pgrep", "-f", f"usher-tun renew -f").stdout.split()
    ours = [pid for pid in pids if os.readlink(f"/proc/{pid}/ns/net") == os.readlink(f"/proc/{site_pid(site)}/ns/net")]
    assert len(ours) == 1
    status = pathlib.Path(f"/proc/{ours[0]}/status").read_text()
    assert re.search(r"CapEff:\s0+3\n", status) and re.search(r"CapPrm:\s0+3\n", status) and "NoNewPrivs:\t1" in status
    # Before the first has run out the portal has another tunnel with the next one, and nobody has done anything.
    number = serial(own)[7:]
    wait_until(lambda: f"logged in, serial {number}" in site.gate.log() or serial(own)[7:] != number, 20, "the next login")
    assert serial(gates) != gates_first and "usher-pki: renewed /etc/usher/pki/gate.example.net.crt of gate" in site.gate.log()
    assert gates.with_suffix(".key").stat().st_mode & 0o7777 == 0o600 and not list(gates.parent.glob(".*.renewed"))
    assert "new and in force: certificate, key" in site.gate.log() and "refused:" not in site.gate.log()
    portals_log = (site.branch.run_directory / "branch/log").read_text()
    assert "tunnel lost" not in portals_log and "the tunnel goes from gate" in portals_log, portals_log
    with web_server(lab):
        assert fetch(lab.client, f"http://{SERVER4}/") == PAGE
    assert os.path.exists(f"/proc/{ours[0]}")
    site.branch.type("usher-tun down branch")
    wait_until(lambda: not os.path.exists(f"/proc/{ours[0]}"), 5, "it has ended")


def site_pid(site):
    return int((site.branch.run_directory / "branch/pid").read_text())


def test_renewal_by_hand(site):
    """What is withdrawn is not renewed; what cannot be is as it was; the list comes along."""
    site.set_up()
    site.join(site.invite())
    own, crl = site.branch.etc / "pki/branch/portal.pem", site.branch.etc / "pki/branch/crl.pem"
    first, list_before = serial(own), crl.read_text()
    site.gate.type("usher-pki issue /etc/usher/pki portal lost")
    site.gate.type("usher-pki revoke /etc/usher/pki lost")
    done = site.branch.type("usher-tun renew branch")
    assert done.stderr == "usher-tun: branch: certificate and list are renewed\n" and done.stdout == ""
    second = serial(own)
    assert second != first and crl.read_text() != list_before
    assert crl.read_text() == (site.gate.etc / "pki/crl.pem").read_text()
    site.serve.kill()
    site.serve.wait()
    done = site.branch.type("usher-tun renew branch", check=False)
    assert done.returncode == 1 and "cannot be reached at 127.0.0.1:4434, as the gate sees it" in done.stderr
    assert serial(own) == second and sorted(path.name for path in own.parent.iterdir()) == ["ca.crt", "crl.pem", "invitation.crt", "portal.pem"]
    site.start_serve()
    site.branch.type("usher-tun down branch")
    done = site.branch.type("usher-tun renew branch", check=False)
    assert done.returncode == 1 and "branch is not running: it renews through its own tunnel" in done.stderr
    conf = site.branch.etc / "branch.conf"
    text = conf.read_text()
    conf.write_text(text.replace("Renew", "#Renew"))
    done = site.branch.type("usher-tun renew branch", check=False)
    assert done.returncode == 2 and done.stderr == "usher-tun: branch: its configuration does not say where: Renew = HOST:PORT\n"
    conf.write_text(text.replace("Certificate = /etc/usher/pki/branch/portal.pem", "Certificate = /etc/usher/pki/branch/other.pem"))
    (own.parent / "other.pem").write_text(own.read_text())
    done = site.branch.type("usher-tun check branch", check=False)
    assert done.returncode == 2
    assert done.stderr == "/etc/usher/branch.conf:7: Renew: Certificate and Key must be one file, which is replaced as a whole\n"


def test_one_file(lab, site):
    """A profile: everything in one file, wherever it is put; and drawn for a telephone, or refused in a sentence."""
    site.set_up(serve=False)
    site.gate.type("usher-pki issue /etc/usher/pki portal laptop")
    command = "usher-pki profile /etc/usher/pki laptop --gate 10.3.0.2 --name gate.example.net --route 10.73.0.0/24"
    text = site.gate.type(command).stdout
    conf = site.branch.etc / "laptop.conf"
    conf.write_text(text)
    conf.chmod(0o644)
    line = text.splitlines().index("<Key>") + 1
    done = site.branch.type("usher-tun up laptop", check=False)
    assert done.returncode == 2 and done.stderr.startswith(f"/etc/usher/laptop.conf:{line}: Key: /etc/usher/laptop.conf: ")
    assert "chmod" in done.stderr and done.stderr.count("\n") == 1
    conf.chmod(0o600)
    site.branch.type("usher-tun up laptop")
    with web_server(lab):
        assert fetch(lab.client, f"http://{SERVER4}/") == PAGE
    status = site.branch.type("usher-tun status laptop").stdout
    assert re.search(r"^Certificate .* <Certificate>$", status, re.M) and re.search(r"^CRL .* <CRL>$", status, re.M)
    # It is read again while the portal runs, as any configuration is.
    log = site.branch.run_directory / "laptop/log"
    conf.write_text(text.replace("[Portal]", "[Portal]\nLogLevel = debug"))
    wait_until(lambda: "new and in force: configuration" in log.read_text(), 5, "it is taken")
    conf.chmod(0o644)
    done = site.branch.type("usher-tun reload laptop", check=False)
    assert done.returncode == 2 and "chmod 600 /etc/usher/laptop.conf" in done.stderr, done.stderr
    site.branch.type("usher-tun down laptop")
    # What is wrong inside is told at the line where it begins.
    conf.write_text(text.replace("BEGIN CERTIFICATE", "BEGIN CERTIFICAT", 1))
    conf.chmod(0o600)
    done = site.branch.type("usher-tun check laptop", check=False)
    assert done.stderr.startswith("/etc/usher/laptop.conf:4: CA certificate: "), done.stderr
    drawn = site.gate.type(f"{command} --qr").stdout
    assert "BEGIN" not in drawn and len(drawn.splitlines()) > 40
    token = site.gate.type("usher-pki invite /etc/usher/pki phone --gate 10.3.0.2 --route 10.73.0.0/24 --qr").stdout
    assert "usher1-" not in token and len(token.splitlines()) > 40


def test_an_old_certificate_is_no_invitation_for_ever(site):
    """Withdrawn while its portal is up and the list has not come round at the gate: the authority knows."""
    site.set_up()
    site.join(site.invite())
    own = site.branch.etc / "pki/branch/portal.pem"
    first = serial(own)
    gate_conf = site.gate.etc / "gate.conf"
    gate_conf.write_text(gate_conf.read_text().replace("CRL", "#CRL"))  # a gate that hears of nothing
    site.gate.type("usher-gate reload gate")
    site.gate.type("usher-pki revoke /etc/usher/pki branch")
    done = site.branch.type("usher-tun renew branch", check=False)
    assert done.returncode == 1 and re.search("the authority refuses: .*revoked", done.stderr), done.stderr
    assert serial(own) == first
