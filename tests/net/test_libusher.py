# SPDX-License-Identifier: GPL-2.0-or-later
"""libusher: the example of its manual, and programs in another language; by a tunnel of their own and through a portal that is
running."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import pytest

import lab as net
from lab import BUILD, ROOT, SANITIZED, patience, run, wait_until
from programs import ALLOW_ALL, GATE_NAME, USHER_TUN, Gate
from test_upgrade import Upgradable
from test_names import name_server
from traffic import Server, datagram, each_connection, listener, pattern, reset, serve_datagram_echo, serve_echo

CAT = BUILD / "usher-cat"
LIBRARY = BUILD / "libusher.so.0"
CLIENT = pathlib.Path(__file__).with_name("usher_client.py")
NO_NET, NO_HOST = "10.74.0.1", "10.75.0.1"  # allowed, and the gate has no way there
NO_WAYS = [("throw", "10.74.0.0/24"), ("unreachable", "10.75.0.0/24")]
WAYS_TO_NOWHERE = "Allow = 10.74.0.0/24, 10.75.0.0/24\n"
ACCESS = ALLOW_ALL + WAYS_TO_NOWHERE + "[Access third]\nAllow = 10.73.0.0/24\n" + ALLOW_ALL.replace("branch", "other") + WAYS_TO_NOWHERE
NOBODY = 65534


def configuration(path, pki, certificate="branch", gate="10.3.0.2:4433", name=GATE_NAME, more="", way=""):
    path.write_text(f"""[Portal]
CA = {pki}/ca.crt
Certificate = {pki}/{certificate}.crt
Key = {pki}/{certificate}.key
CRL = {pki}/crl.pem
{way}

[Gate]
Address = {gate}
Name = {name}
{more}
""")
    return path


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    for kind, prefix in NO_WAYS:
        lab.gate.run("ip", "route", "add", kind, prefix)
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki, access=ACCESS,
                extra=f"DNS = {net.NAMESERVER4}\nConnectTimeout = 1s").start()
    with name_server(lab):
        yield gate
    gate.stop()
    for kind, prefix in NO_WAYS:
        lab.gate.run("ip", "route", "delete", kind, prefix)


@pytest.fixture(scope="module")
def conf(pki, tmp_path_factory):
    """One that names no way in: that is the program's to say."""
    return configuration(tmp_path_factory.mktemp("library") / f"library{os.getpid()}.conf", pki)


@pytest.fixture(scope="module")
def portal(lab, gate, pki, tmp_path_factory):
    """One that is running, root's, with a name of its own, of which a gate has one tunnel: the path of its file."""
    conf = configuration(tmp_path_factory.mktemp("portal") / f"handing{os.getpid()}.conf", pki, certificate="other",
                         way="Forward = tcp 127.0.0.1:1 -> 10.73.0.2:1")
    lab.portal.run(USHER_TUN, "up", conf)
    yield conf
    lab.portal.run(USHER_TUN, "down", conf)


@pytest.fixture(params=["connect", "attach"])
def way(request, conf, portal):
    """Options of usher-cat, and the same for usher_client.py."""
    if request.param == "connect":
        return [conf], f"connect:{conf}"
    return ["-a", portal], f"attach:{portal}"


@pytest.fixture(scope="module")
def echo(lab):
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as (_, port):
        yield port


def environment():
    if not SANITIZED:
        return {}
    runtime = [run("gcc", f"-print-file-name={name}").stdout.strip() for name in ("libasan.so", "libubsan.so")]
    if not all(os.path.isabs(path) for path in runtime):
        pytest.skip("no sanitizer's runtime to load into Python")
    return {"LD_PRELOAD": ":".join(runtime), "ASAN_OPTIONS": "detect_leaks=0"}


def client(lab, *argv, **kwargs):
    done = lab.portal.run("timeout", patience(60), sys.executable, CLIENT, LIBRARY, *argv, env={**os.environ, **environment()},
                          check=False, **kwargs)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    return done.stdout.splitlines()


def cat(lab, *argv, **kwargs):
    return subprocess.run(lab.portal.argv("timeout", patience(60), CAT, *argv), capture_output=True, **kwargs)


@pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6, "web.corp.example"])
def test_64_mebibytes_there_and_back(lab, gate, way, address):
    """The end of what is sent goes to the server, and only then does the rest come back: half-close, both ways."""
    sent = pattern("cat", (64 if address == net.SERVER4 and not SANITIZED else 2) << 20)
    at = net.SERVER6 if ":" in address else net.SERVER4
    with Server(listener(lab.server, at), each_connection(serve_echo)) as (_, port):
        done = cat(lab, *way[0], address, port, input=sent)
    assert (done.returncode, done.stderr) == (0, b"") and done.stdout == sent


def test_errno(lab, gate, way):
    lines = client(lab, "errors", way[1], f"tcp,{net.SERVER4},1", f"tcp,{net.SERVER6},1", f"tcp,{net.DENIED4},80",
                   f"udp,{net.DENIED4},80", f"tcp,{net.SILENT4},80", f"tcp,{NO_NET},80", f"tcp,{NO_HOST},80",
                   "tcp,nosuch.corp.example,80", "tcp,web.corp.example,1", "tcp,127.1,80", "tcp,a b,80", f"tcp,{net.SERVER4},0")
    told = {line.split()[0]: line.split(" ", 1)[1] for line in lines}
    refused = f"ECONNREFUSED: refused: {net.SERVER4}:1: Connection refused"
    assert told[f"tcp,{net.SERVER4},1"] == told["tcp,web.corp.example,1"] == refused
    assert told[f"tcp,{net.SERVER6},1"].startswith("ECONNREFUSED: ")
    assert told[f"tcp,{net.DENIED4},80"].startswith("EACCES: denied")
    assert told[f"udp,{net.DENIED4},80"].startswith("EACCES: denied")
    assert told[f"tcp,{net.SILENT4},80"].startswith("ETIMEDOUT: timeout")
    assert told[f"tcp,{NO_NET},80"].startswith("ENETUNREACH: unreachable: net ")
    assert told[f"tcp,{NO_HOST},80"].startswith("EHOSTUNREACH: unreachable: host ")
    assert told["tcp,nosuch.corp.example,80"].startswith("EHOSTUNREACH: resolve")
    assert lines[-3].endswith("EINVAL: that is no host name, no address, or no port")
    assert all(" EINVAL: " in line for line in lines[-3:])


@pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6, "web.corp.example"])
def test_datagrams(lab, gate, way, address):
    with Server(datagram(lab.server, at := net.SERVER6 if ":" in address else net.SERVER4, bind=(at, 0)),
                serve_datagram_echo) as (_, port):
        lines = client(lab, "datagrams", way[1], address, port)
        assert lines == [f"{size} {size}" for size in (1, 0, 1400, 9000, 60000)]


def test_200_at_once_from_8_threads(lab, gate, way, echo):
    assert client(lab, "crowd", way[1], net.SERVER4, echo) == ["200 []"]


def test_a_reset_is_a_reset(lab, gate, way):
    with listener(lab.server, net.SERVER4) as listening:
        def serve():
            sock, _ = listening.accept()
            sock.recv(1)
            sock.sendall(b"last")
            reset(sock)

        thread = threading.Thread(target=serve)
        thread.start()
        lines = client(lab, "reset", way[1], net.SERVER4, listening.getsockname()[1])
        thread.join()
    assert lines == ["last ECONNRESET: Connection reset by peer"]


def test_a_client_that_goes_resets_the_far_end(lab, gate, way):
    """Killed with bytes unread: nothing of it is left at either end."""
    with listener(lab.server, net.SERVER4) as listening:
        process = lab.portal.start(CAT, *way[0], net.SERVER4, listening.getsockname()[1], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        server, _ = listening.accept()
        server.settimeout(patience(20))  # of which the gate waits 15 for the tunnel of one that is killed
        with server:
            process.stdin.write(b"x")
            process.stdin.flush()
            assert server.recv(1) == b"x"
            process.kill()
            process.wait()
            try:
                assert server.recv(1) == b""
            except ConnectionResetError:
                pass
    process.stdin.close()
    process.stdout.close()


def test_nothing_is_left(lab, gate, way, echo):
    with Server(datagram(lab.server, net.SERVER4, bind=(net.SERVER4, echo)), serve_datagram_echo):
        lines = client(lab, "life", way[1], net.SERVER4, echo)
    assert lines[-1] == "True 1"
    if way[1].startswith("connect"):
        assert set(lines[:-1]) == {"{'ECONNRESET: Connection reset by peer'} {b''}"}


def test_an_open_waits_as_long_as_it_may(lab, gate, way):
    lines = client(lab, "patience", way[1], net.SILENT4, 80)
    assert lines[0] == f"ETIMEDOUT: {'no answer in time' if way[1].startswith('connect') else lines[0].split(': ', 1)[1][:-5]} True"
    assert lines[1].startswith("ETIMEDOUT")
    if way[1].startswith("connect"):
        assert lines[2] == "ECANCELED: the connection to the gate was closed"
    else:
        assert lines[2].startswith("ETIMEDOUT: timeout")


def flows_of(lab, portal):
    return json.loads(lab.portal.run(USHER_TUN, "flows", portal.stem, "--json").stdout)["flows"]


def test_who_asks_a_portal_and_goes_is_noticed(lab, gate, portal):
    """What it asked for goes once the gate has answered, and nothing is handed to nobody."""
    wait_until(lambda: not flows_of(lab, portal), 5, "no flow of others")
    process = lab.portal.start(CAT, "-a", portal, net.ABSENT4, 80, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: [flow["state"] for flow in flows_of(lab, portal)] == ["pending"], 5, "the flow")
    process.kill()
    process.wait()
    wait_until(lambda: not flows_of(lab, portal), 5, "no flow left")


def test_several_tunnels_and_one_thread(lab, gate, conf, pki, tmp_path, echo):
    run(ROOT / "scripts/usher-pki", "issue", pki, "portal", "third", check=False)
    other = configuration(tmp_path / "third.conf", pki, certificate="third")
    lines = client(lab, "several", conf, other, net.SERVER4, echo)
    assert lines[:3] == ["each", "each", "still"]
    assert lines[3].startswith("1 EINVAL: /nowhere.conf")


def test_the_gate_goes_and_comes_back(lab, gate, pki, tmp_path, echo):
    conf = configuration(tmp_path / "gone.conf", pki, way="HoldTimeout = 1s")
    process = lab.portal.start(sys.executable, CLIENT, LIBRARY, "gone", f"connect:{conf}", net.SERVER4, echo,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment()})
    assert process.stdout.readline() == "ready\n"
    gate.stop()
    assert process.stdout.readline() == "ECONNRESET: Connection reset by peer\n"
    why = process.stdout.readline()
    assert why.startswith("ENETDOWN: ") and "refused" in why
    gate.start()
    out, _ = process.communicate("go on\n", timeout=patience(30))
    assert out == "back\n" and process.returncode == 0


@contextlib.contextmanager
def kept(lab, conf, port):
    process = lab.portal.start("timeout", patience(60), sys.executable, CLIENT, LIBRARY, "kept", f"connect:{conf}", net.SERVER4,
                               port, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, **environment()})

    def say(word):
        process.stdin.write(word + "\n")
        process.stdin.flush()
        return process.stdout.readline()

    assert process.stdout.readline() == "ready\n"
    yield say
    assert process.communicate()[0] == "" and process.returncode == 0


@pytest.mark.parametrize("host,port", [("portal", "dport"), ("gate", "sport")])
def test_a_lost_connection_is_a_pause(lab, gate, conf, echo, host, port):
    with kept(lab, conf, echo) as say:
        assert say("before") == "before before\n"
        wait_until(lambda: all(portal["tunnel"]["resumable"] for portal in gate.status()["portals"]), 5, "both ends' agreement")
        for word in ("one", "two", "three"):
            getattr(lab, host).run("ss", "-K", port, "=", ":4433")
            assert say(word) == f"{word} {word}\n"


def test_an_upgrade_of_the_gate_is_not_noticed(lab, pki, tmp_path, echo):
    gate = Upgradable(lab, tmp_path, pki, listen="10.3.0.2:4455", name="other", extra="").start()
    try:
        with kept(lab, configuration(tmp_path / "kept.conf", pki, gate="10.3.0.2:4455"), echo) as say:
            assert say("before") == "before before\n"
            gate.exchange()
            assert gate.upgrade().stdout.startswith("upgraded: ")
            wait_until(lambda: len(gate.status()["portals"]) == 2, 10, "the second tunnel")
            assert say("after") == "after after\n"
        wait_until(lambda: gate.status()["portals"] == [], 10, "no portal")
    finally:
        gate.stop()


def test_what_is_wrong_is_said(lab, gate, pki, tmp_path):
    def say(how, conf, timeout=10000):
        return "\n".join(client(lab, "wrong", how, conf, timeout))

    assert "ca.crt" not in say("usher_connect", configuration(tmp_path / "good.conf", pki))
    missing = configuration(tmp_path / "missing.conf", pki, more="Colour = red")
    assert say("usher_connect", missing).startswith(f'EINVAL: {missing}:11: unknown key "Colour"')
    name = configuration(tmp_path / "name.conf", pki, name="another.example.net")
    assert say("usher_connect", name).startswith("EACCES: ") and "another.example.net" in say("usher_connect", name)
    run(ROOT / "scripts/usher-pki", "init", tmp_path / "pki")
    run(ROOT / "scripts/usher-pki", "issue", tmp_path / "pki", "portal", "branch")
    stranger = say("usher_connect", configuration(tmp_path / "stranger.conf", tmp_path / "pki"))
    assert stranger.startswith("EACCES: ") and len(stranger) > 20
    nobody = say("usher_connect", configuration(tmp_path / "nobody.conf", pki, gate="10.3.0.2:1"), 700)
    assert nobody.startswith("ETIMEDOUT: ") and "refused" in nobody
    command = configuration(tmp_path / "command.conf", pki, more="ProxyCommand = nc %h %p")
    assert say("usher_connect", command) == f"EINVAL: {command}:11: ProxyCommand cannot be used from within a program"
    locked = tmp_path / "locked.key"
    run("openssl", "pkcs8", "-topk8", "-in", pki / "branch.key", "-passout", "pass:x", "-out", locked)
    locked.chmod(0o600)
    encrypted = configuration(tmp_path / "encrypted.conf", pki)
    encrypted.write_text(encrypted.read_text().replace(f"{pki}/branch.key", str(locked)))
    assert say("usher_connect", encrypted).startswith(f"EINVAL: {encrypted}:4: Key: is encrypted, and there is nobody to ask")
    assert say("usher_attach", "nosuch") == "ENOENT: nosuch is not running"
    assert say("usher_attach", "a/../..").startswith("EINVAL: ")


def test_only_the_starter_and_root_may_attach(lab, gate, portal, pki, tmp_path_factory, echo):
    """A user's own portal serves that user and root's does not; the file is not read at all."""
    home = tmp_path_factory.mktemp("home")
    for directory in (home, *home.parents):
        if directory != directory.parent and directory != pathlib.Path("/tmp"):
            directory.chmod(directory.stat().st_mode | 0o055)
    (home / "run").mkdir(mode=0o700)
    for file in ("ca.crt", "branch.crt", "branch.key", "crl.pem"):
        shutil.copy(pki / file, home)
    for program in (USHER_TUN, CAT, LIBRARY):
        shutil.copy(program, home)
    name = f"mine{os.getpid()}"
    conf = configuration(home / f"{name}.conf", home, way="Socks = 127.0.0.1:1081")
    run("chown", "-R", f"{NOBODY}:{NOBODY}", home)

    def user(*argv, **kwargs):
        return subprocess.run(lab.portal.argv("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env", "-i",
                                              f"XDG_RUNTIME_DIR={home}/run", *argv), capture_output=True, **kwargs)

    up = user(home / "usher-tun", "up", conf)
    assert up.returncode == 0, up.stderr
    try:
        done = user(home / "usher-cat", "-a", name, net.SERVER4, str(echo), input=b"mine")
        assert (done.returncode, done.stdout, done.stderr) == (0, b"mine", b"")
        root = pathlib.Path("/run/usher") / portal.stem / "control"
        assert root.stat().st_mode & 0o777 == 0o600
        done = user(home / "usher-cat", "-a", portal, net.SERVER4, str(echo), input=b"root's")
        assert done.returncode == 1 and b"is not running" in done.stderr
    finally:
        user(home / "usher-tun", "down", conf)


def test_a_portal_that_is_killed_resets(lab, gate, pki, tmp_path, echo):
    """What it had handed over is cut off, and does not look like an end; nobody is asked then."""
    conf = configuration(tmp_path / f"killed{os.getpid()}.conf", pki, certificate="third", way="Forward = tcp 127.0.0.1:2 -> 10.73.0.2:1")
    run(ROOT / "scripts/usher-pki", "issue", pki, "portal", "third", check=False)
    lab.portal.run(USHER_TUN, "up", conf)
    try:
        process = lab.portal.start(CAT, "-a", conf, net.SERVER4, echo, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdin.write(b"here")
        process.stdin.flush()
        assert process.stdout.read(4) == b"here"
        os.kill(int(pathlib.Path(f"/run/usher/{conf.stem}/pid").read_text()), 9)
        assert process.stdout.read() == b""
        assert process.wait(patience(10)) == 1 and b"Connection reset by peer" in process.stderr.read()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
        done = cat(lab, "-a", conf, net.SERVER4, echo)
        assert done.returncode == 1 and b"is not running" in done.stderr
    finally:
        lab.portal.run(USHER_TUN, "down", conf, check=False)


def test_flows_of_a_portal_show_it(lab, gate, portal, echo):
    process = lab.portal.start(CAT, "-a", portal, "web.corp.example", echo, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        flow = wait_until(lambda: [flow for flow in flows_of(lab, portal) if flow["state"] == "active"], 5, "the flow")[0]
        assert (flow["via"], flow["protocol"], flow["far"]) == ("handed", "tcp", f"web.corp.example:{echo}")
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not flows_of(lab, portal), 5, "no flow left")


def test_it_exports_its_interface_and_nothing_else():
    names = run("nm", "-D", "--defined-only", LIBRARY).stdout.split("\n")
    own = {line.split()[2].split("@")[0] for line in names if line and "A LIBUSHER_0" not in line}
    assert own == {"usher_attach", "usher_close", "usher_connect", "usher_open_tcp", "usher_open_udp", "usher_version", "usher_why"}
    assert "libusher.so.0" in run("readelf", "-d", LIBRARY).stdout


def test_installed_it_is_found_by_pkg_config(tmp_path):
    """Shared and static, the header in C and in C++."""
    run("make", "-C", ROOT, "-s", "install", "PREFIX=/opt/usher", f"DESTDIR={tmp_path}",
        *([f"SAN={os.environ['SAN']}"] if SANITIZED else []))
    lib = tmp_path / "opt/usher/lib"
    env = {**os.environ, "PKG_CONFIG_PATH": f"{lib}/pkgconfig", "PKG_CONFIG_SYSROOT_DIR": str(tmp_path)}
    flags = run("pkg-config", "--cflags", "--libs", "libusher", env=env).stdout.split()
    sanitize = ["-fsanitize=address,undefined"] if SANITIZED else []
    run("gcc", *sanitize, "-o", tmp_path / "shared", ROOT / "doc/examples/usher-cat.c", *flags, f"-Wl,-rpath,{lib}")
    assert "libusher.so.0" in run("ldd", tmp_path / "shared").stdout
    static = run("pkg-config", "--cflags", "--libs", "--static", "libusher", env=env).stdout.split()
    static[static.index("-lusher")] = "-l:libusher.a"
    run("gcc", *sanitize, "-o", tmp_path / "static", ROOT / "doc/examples/usher-cat.c", *static)
    assert "libusher" not in run("ldd", tmp_path / "static").stdout
    for program in ("shared", "static"):
        done = run(tmp_path / program, "/nowhere.conf", "host", "1", check=False)
        assert done.returncode == 1 and "/nowhere.conf" in done.stderr
    header = tmp_path / "header.cc"
    header.write_text("#include <usher.h>\nint main(void) { return usher_why() == 0; }\n")
    run("gcc", "-fsyntax-only", "-Wall", "-Werror", "-x", "c++", header, flags[0], check=shutil.which("g++") is not None)
    assert (tmp_path / "opt/usher/share/man/man3/libusher.3").exists()
