# SPDX-License-Identifier: GPL-2.0-or-later
"""A portal's files are read again while it runs, though it may not read them any more: a gate that is no longer trusted is
left at once, new rules hold for what is open, mistakes change nothing, and what cannot change is named."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import threading
import time

import pytest

from lab import SERVER4, SERVER6, run, wait_until
from programs import GATE_NAME, USHER_GATE, USHER_PKI, USHER_TUN, Gate, Portal, make_pki
from sites import Sites, await_exports, ways
from test_revocation import cut, flows, prove
from traffic import Server, connected, each_connection, listener, receive_all, stream

UNCHANGED = "nothing has changed since it was last read"
CUT_SECONDS = 1.0


@pytest.fixture(scope="module")
def lab():
    lab = Sites()
    yield lab
    lab.delete()


@pytest.fixture
def pki(tmp_path):
    """The gate's."""
    return make_pki(tmp_path / "pki")


@pytest.fixture
def own(pki, tmp_path):
    """The portal's: what changes here, the gate does not see."""
    shutil.copytree(pki, tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def gate(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki).start()
    yield gate
    gate.stop()


@pytest.fixture
def portal(lab, own, gate, tmp_path):
    portal = Portal(lab, tmp_path, own).start()
    yield portal
    portal.down(check=False)


def reload(portal, *options):
    return portal.host.run(USHER_TUN, "reload", portal.conf, *options, check=False)


def said(done):
    """What is new, which the portal may have read by itself meanwhile."""
    return [line for line in done.stderr.splitlines() if not line.endswith(UNCHANGED)]


def edit(portal, *pairs):
    text = portal.conf.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    portal.conf.write_text(text)


def line_of(portal, words):
    lines = portal.conf.read_text().splitlines()
    return lines.index(next(line for line in lines if words in line)) + 1


def lines_in(portal, words, count=1, seconds=3):
    wait_until(lambda: portal.log().count(words) >= count, seconds, f"{words}\n{portal.log()}")


def revoke_gate(own):
    run(USHER_PKI, "revoke", own, GATE_NAME)


def test_what_has_not_changed(portal):
    done = reload(portal)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"usher-tun: {UNCHANGED}\n")
    done = reload(portal, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["done"], told["messages"], told["name"]) == (0, True, [UNCHANGED], portal.name)


def test_a_portal_that_does_not_run(lab):
    done = lab.portal.run(USHER_TUN, "reload", "nobody", check=False)
    assert (done.returncode, done.stderr) == (1, "usher-tun: nobody is not running\n")
    assert lab.portal.run(USHER_TUN, "reload", check=False).returncode == 2


def test_a_revoked_gate_is_left_within_a_second(own, gate, portal, lab, figure):
    with flows(lab, 100) as pairs:
        revoke_gate(own)
        took = cut(pairs, time.monotonic())
    figure(f"portal: from the new revocation list to the reset of the last of 100 flows: {took:.2f} s")
    assert took < CUT_SECONDS
    wait_until(lambda: portal.status()["state"] == "connecting", 3, "the tunnel is gone")
    wait_until(lambda: "revoked" in portal.status()["last_error"], 3, portal.status()["last_error"])
    assert "tunnel lost: the gate's certificate" in portal.log() and "revoked" in portal.log()
    assert "new and in force: revocation list" in portal.log()
    assert gate.status()["portals"] == [] or portal.status()["state"] != "up"


def test_the_next_gate_is_taken(lab, pki, own, gate, tmp_path):
    run(USHER_PKI, "issue", pki, "gate", "second.example.net", "10.3.0.2")
    second = Gate(lab, tmp_path, pki, certificate="second.example.net", listen="0.0.0.0:4434", name="second").start()
    portal = Portal(lab, tmp_path, own, address="10.3.0.2:4433, 10.3.0.2:4434")
    edit(portal, (f"Name = {GATE_NAME}\n", ""))  # each by its own address
    portal.start()
    try:
        assert portal.status()["gate"] == "10.3.0.2:4433"
        revoke_gate(own)
        wait_until(lambda: (s := portal.status())["gate"] == "10.3.0.2:4434" and s["state"] == "up", 3, portal.log())
        with connected(lab, SERVER4) as (client, server):
            client.sendall(b"x")
            assert server.recv(1) == b"x"
    finally:
        portal.down(check=False)
        second.stop()


def test_a_torn_list_is_refused(lab, own, portal):
    good = (own / "crl.pem").read_bytes()
    with flows(lab) as pairs:
        (own / "crl.pem").write_bytes(good[:len(good) // 2])
        lines_in(portal, "CRL")
        assert any("CRL" in line for line in portal.status()["refused"])
        assert "refused     " in lab.portal.run(USHER_TUN, "status", portal.name).stdout
        done = reload(portal)
        assert done.returncode == 2 and done.stderr.endswith("usher-tun: not all of it is in force\n")
        assert f"{portal.conf}:{line_of(portal, 'CRL')}: CRL" in done.stderr
        prove(pairs)
        (own / "crl.pem").write_bytes(good)
        wait_until(lambda: not portal.status()["refused"], 3, "the good one is taken")
        prove(pairs)


def test_an_older_list_is_refused(own, portal):
    old = (own / "crl.pem").read_bytes()
    revoke_gate(own)
    wait_until(lambda: portal.status()["state"] == "connecting", 3, "the gate is left")
    (own / "crl.pem").write_bytes(old)
    lines_in(portal, "is older than the list that is in use")
    time.sleep(1)
    assert portal.status()["state"] == "connecting"


def test_a_list_by_another_authority_is_refused(lab, own, portal, tmp_path):
    foreign = make_pki(tmp_path / "foreign")
    with flows(lab) as pairs:
        shutil.copy(foreign / "crl.pem", own / "crl.pem")
        lines_in(portal, "not by the configured CA")
        prove(pairs)


def test_a_directory_that_was_gone(lab, own, portal):
    away = own.with_name("away")
    with flows(lab) as pairs:
        own.rename(away)
        lines_in(portal, "No such file")
        prove(pairs)
        revoke_gate(away)
        since = time.monotonic()
        away.rename(own)
        assert cut(pairs, since) < CUT_SECONDS


def test_a_list_that_is_replaced_at_once(lab, own, portal, tmp_path):
    shutil.copytree(own, tmp_path / "books")
    revoke_gate(tmp_path / "books")
    with flows(lab) as pairs:
        shutil.copy(tmp_path / "books" / "crl.pem", own / "new")
        since = time.monotonic()
        os.rename(own / "new", own / "crl.pem")
        assert cut(pairs, since) < CUT_SECONDS


@pytest.mark.parametrize("way", ["certbot", "Kubernetes"])
def test_links_that_are_turned(lab, own, gate, tmp_path, way):
    """A link into a directory that is a link, which is turned over: `..data` in Kubernetes."""
    versions = tmp_path / "versions"
    turned = "..data" if way == "Kubernetes" else "current"
    shutil.copytree(own, versions / "1")
    os.symlink("1", versions / turned)
    lead = tmp_path / "lead"
    lead.mkdir()
    for file in own.glob("*.*"):
        if file.suffix == ".key":  # may be no link itself
            shutil.copy2(file, lead)
        else:
            os.symlink(versions / turned / file.name, lead / file.name)
    portal = Portal(lab, tmp_path, lead, name="links").start()
    try:
        with flows(lab) as pairs:
            revoke_gate(own)
            shutil.copytree(own, versions / "2")
            os.symlink("2", versions / "next")
            since = time.monotonic()
            os.rename(versions / "next", versions / turned)
            assert cut(pairs, since) < CUT_SECONDS
    finally:
        portal.down(check=False)


def test_a_revocation_is_heeded_beside_a_broken_configuration(lab, own, portal):
    with flows(lab) as pairs:
        portal.conf.write_text(portal.conf.read_text() + "Nonsense\n")
        lines_in(portal, "nothing of it is taken")
        revoke_gate(own)
        assert cut(pairs, time.monotonic()) < CUT_SECONDS


def test_a_revocation_is_heeded_beside_a_certificate_without_its_key(lab, own, portal):
    with flows(lab) as pairs:
        shutil.copy(own / "other.crt", own / "branch.crt")
        lines_in(portal, "Key: does not belong to the certificate")
        revoke_gate(own)
        assert cut(pairs, time.monotonic()) < CUT_SECONDS
    lines_in(portal, "certificate and key stay as they are")


def test_a_new_certificate_for_the_next_login(lab, pki, own, gate, portal):
    (before,) = gate.status()["portals"]
    for suffix in ("crt", "key"):
        (pki / f"branch.{suffix}").unlink()
    run(USHER_PKI, "issue", pki, "portal", "branch")
    with flows(lab) as pairs:
        for suffix in ("key", "crt"):
            shutil.copy2(pki / f"branch.{suffix}", own)
        lines_in(portal, "new and in force: certificate, key")
        prove(pairs)
        assert [now["serial"] for now in gate.status()["portals"]] == [before["serial"]]
    lab.gate.run(USHER_GATE, "end", "branch")
    wait_until(lambda: [now["serial"] for now in gate.status()["portals"]] not in ([], [before["serial"]]), 5,
               f"the new one\n{portal.log()}")


def test_a_new_authority(lab, own, portal, tmp_path):
    """The gate's is no longer among those that are believed."""
    other = make_pki(tmp_path / "foreign")
    with flows(lab) as pairs:
        edit(portal, (f"CRL = {own}/crl.pem\n", ""))
        for file in ("ca.crt", "branch.crt", "branch.key"):
            shutil.copy2(other / file, own)
        assert cut(pairs, time.monotonic()) < CUT_SECONDS
    lines_in(portal, "tunnel lost")


def test_mistakes_change_nothing_and_are_told(lab, portal):
    edit(portal, ("[Portal]\n", "[Portal]\nLogLevl = debug\nMTU = 12\n"))
    done = reload(portal)
    assert done.returncode == 2
    assert f'{portal.conf}:{line_of(portal, "LogLevl")}: unknown key "LogLevl" in [Portal]' in done.stderr
    assert f"{portal.conf}:{line_of(portal, 'MTU')}: MTU: " in done.stderr
    assert done.stderr.endswith("usher-tun: not all of it is in force\n")
    assert portal.status()["refused"] and portal.status()["state"] == "up"
    with connected(lab, SERVER4) as (client, server):
        client.sendall(b"x")
        assert server.recv(1) == b"x"


def test_what_cannot_change_is_named(portal):
    edit(portal, ("Device = usher0", "Device = usher9"), ("[Gate]", "MTU = 1400\nMaxFlows = 100\n[Gate]"))
    done = reload(portal)
    assert done.returncode == 0
    assert said(done) == ["usher-tun: new and in force: configuration"] + [
        f"usher-tun: {key} takes effect when the portal is started again" for key in ("Device", "MTU", "MaxFlows")]
    assert portal.status()["device"] == "usher0" and portal.status()["state"] == "up"
    edit(portal, ("Device = usher9", "Device = usher0"))
    assert said(reload(portal)) == ["usher-tun: new and in force: configuration"]  # it is so


def test_a_file_of_another_name_is_not_read(own, portal):
    """The reader reads what it was told to in the beginning, and nothing that somebody who took the portal over might want."""
    shutil.copy(own / "ca.crt", own / "new.crt")
    edit(portal, (f"CA = {own}/ca.crt", f"CA = {own}/new.crt"))
    done = reload(portal)
    assert done.returncode == 2
    assert (f"{portal.conf}:{line_of(portal, 'CA =')}: CA: {own}/new.crt: was not among the files at the start: it is read "
            "when started again") in done.stderr
    assert portal.status()["state"] == "up"


def test_a_signal_does_the_same(portal):
    edit(portal, ("[Gate]", "LogLevel = debug\n[Gate]"))
    os.kill(portal.pid(), signal.SIGHUP)
    lines_in(portal, "new and in force: configuration")
    assert portal.process.poll() is None and portal.status()["state"] == "up"


def test_other_gates(lab, pki, gate, tmp_path, own):
    """What is configured no longer is left, what comes instead is taken at once."""
    second = Gate(lab, tmp_path, pki, listen="0.0.0.0:4434", name="second").start()
    portal = Portal(lab, tmp_path, own).start()
    try:
        with flows(lab) as pairs:
            edit(portal, ("Address = 10.3.0.2:4433", "Address = 10.3.0.2:4433, 10.3.0.2:4434"))
            assert reload(portal).returncode == 0
            prove(pairs)
            edit(portal, ("Address = 10.3.0.2:4433, ", "Address = "))
            assert cut(pairs, time.monotonic()) < CUT_SECONDS
        wait_until(lambda: (s := portal.status())["gate"] == "10.3.0.2:4434" and s["state"] == "up", 3, portal.log())
        assert "the portal's configuration names this gate no longer" in portal.log()
    finally:
        portal.down(check=False)
        second.stop()


def test_a_proxy_command_is_for_the_next_start(portal):
    """One that began without may start no program."""
    edit(portal, ("[Gate]", "[Gate]\nProxyCommand = exec socat - TCP:%h:%p"))
    done = reload(portal)
    assert done.returncode == 0
    assert "usher-tun: ProxyCommand takes effect when the portal is started again, and so do other changes of [Gate]" in said(done)
    assert portal.status()["state"] == "up" and "proxy" not in portal.status()


ACCEPT = """
[Accept]
Allow = 10.1.0.0/24, fd01::/64
"""


def test_rules_for_what_is_open(lab, pki, own, tmp_path, figure):
    """100 flows into the site, of which those that [Accept] denies now are reset within a second, and no other."""
    gate = Gate(lab, tmp_path, pki, access="[Access branch]\nExport = 10.1.0.0/24\n").start()
    portal = Portal(lab, tmp_path, own)
    portal.conf.write_text(portal.conf.read_text() + ACCEPT)
    portal.start()
    try:
        await_exports(gate)
        first, second = ways(lab)[1], ways(lab, second=True)[1]
        with contextlib.ExitStack() as stack:
            denied = [stack.enter_context(first.connected(4)) for _ in range(50)]
            kept = [stack.enter_context(second.connected(4)) for _ in range(50)]
            prove(denied + kept)
            edit(portal, ("Allow = 10.1.0.0/24", "Deny = 10.1.0.2/32\nAllow = 10.1.0.0/24"))
            took = cut(denied, time.monotonic())
            figure(f"portal: from new [Accept] rules to the reset of the last of 50 flows that they deny: {took:.2f} s")
            assert took < CUT_SECONDS
            prove(kept)
            lines_in(portal, "flows reset because [Accept] does not allow them any more: 50")
        assert portal.status()["state"] == "up"
    finally:
        portal.down(check=False)
        gate.stop()


def test_who_may_use_socks(lab, own, gate, tmp_path):
    portal = Portal(lab, tmp_path, own, extra="Socks = 127.0.0.1:1080")
    portal.start()

    def greeted():
        with contextlib.suppress(ConnectionResetError), stream(lab.portal)("127.0.0.1") as sock:
            sock.connect(("127.0.0.1", 1080))
            sock.sendall(b"\x05\x01\x00")
            return sock.recv(2) == b"\x05\x00"
        return False

    try:
        assert greeted()
        edit(portal, ("Socks = 127.0.0.1:1080", "Socks = 127.0.0.1:1080\nSocksAllow = 10.1.0.0/24"))
        assert reload(portal).returncode == 0
        assert not greeted()
    finally:
        portal.down(check=False)


def said_by(host, where):
    """What an application hears that connects from the portal's host; None when nobody is there."""
    with stream(host)(where[0]) as sock:
        try:
            sock.connect(where)
            return receive_all(sock, 3)
        except ConnectionRefusedError:
            return None


@contextlib.contextmanager
def saying(lab, word):
    """A server that says one word, of three letters, to whoever comes."""
    def say(sock):
        sock.sendall(word)
    with Server(listener(lab.server, SERVER4), each_connection(say)) as where:
        yield where


def test_ports(lab, own, gate, tmp_path):
    """Forward, Socks and Ask come, go and turn while it runs; a port that is not concerned is not disturbed."""
    portal = Portal(lab, tmp_path, own)
    with saying(lab, b"one") as one, saying(lab, b"two") as two, flows_through(lab, portal, own) as (kept, gone):
        first, second = (f"{SERVER4}:{where[1]}" for where in (one, two))
        edit(portal, ("Forward = tcp 127.0.0.1:8002 ->", f"Forward = tcp 127.0.0.1:8003-8004 -> {SERVER4}:{one[1]}-{one[1] + 1}\n"
                      f"Forward = tcp 127.0.0.1:8005 -> {first}\nSocks = 127.0.0.1:1080\nAsk = 127.0.0.1:2323\n; was"))
        assert said(reload(portal)) == ["usher-tun: new and in force: configuration"]
        with pytest.raises(ConnectionResetError):
            gone[0].recv(1)
        prove([kept])
        here = lab.portal
        assert said_by(here, ("127.0.0.1", 8002)) is None
        assert said_by(here, ("127.0.0.1", 8003)) == said_by(here, ("127.0.0.1", 8005)) == b"one"
        status = portal.status()
        assert status["socks"] == ["127.0.0.1:1080"] and status["ask"] == ["127.0.0.1:2323"] and len(status["forwards"]) == 3
        edit(portal, (f"8005 -> {first}", f"8005 -> {second}"), ("Ask = 127.0.0.1:2323", "Ask = 127.0.0.1:2424"),
             ("Socks = 127.0.0.1:1080\n", ""))
        assert reload(portal).returncode == 0
        assert said_by(here, ("127.0.0.1", 8005)) == b"two" and said_by(here, ("127.0.0.1", 8003)) == b"one"
        assert said_by(here, ("127.0.0.1", 1080)) is None and said_by(here, ("127.0.0.1", 2323)) is None
        assert "ask" in portal.status() and portal.status()["ask"] == ["127.0.0.1:2424"]
        prove([kept])


@contextlib.contextmanager
def flows_through(lab, portal, own):
    """A portal with two forwards, and a flow through each."""
    with listener(lab.server, SERVER4) as listening, contextlib.ExitStack() as stack:
        port = listening.getsockname()[1]
        edit(portal, ("[Gate]", f"Forward = tcp 127.0.0.1:8001 -> {SERVER4}:{port}\n"
                      f"Forward = tcp 127.0.0.1:8002 -> {SERVER4}:{port}\n[Gate]"))
        portal.start()
        stack.callback(portal.down, check=False)
        pairs = []
        for at in (8001, 8002):
            client = stack.enter_context(stream(lab.portal)("127.0.0.1"))
            client.connect(("127.0.0.1", at))
            pairs.append((client, stack.enter_context(listening.accept()[0])))
        prove(pairs)
        yield pairs


def test_ports_that_cannot_be_had(lab, portal):
    """One that is taken, and one that is for the privileged: nothing of the file is taken, and both are told by their line."""
    with listener(lab.portal, "127.0.0.1") as taken:
        port = taken.getsockname()[1]
        edit(portal, ("[Gate]", f"Forward = tcp 127.0.0.1:8001-8002 -> 10.73.0.2:1-2, tcp 127.0.0.1:{port} -> 10.73.0.2:1\n[Gate]"))
        done = reload(portal)
    assert done.returncode == 2
    assert f"{portal.conf}:{line_of(portal, 'Forward')}: Forward: " in done.stderr and "Address already in use" in done.stderr
    assert said_by(lab.portal, ("127.0.0.1", 8001)) is None
    edit(portal, (f"127.0.0.1:{port} ->", "127.0.0.1:80 ->"))
    done = reload(portal)
    assert "Permission denied; it is opened when the portal is started again" in done.stderr
    edit(portal, (", tcp 127.0.0.1:80 -> 10.73.0.2:1", "\nSocks = 127.0.0.1:81"))
    done = reload(portal)
    assert f"{portal.conf}:{line_of(portal, 'Socks')}: Socks: " in done.stderr and "Permission denied; it is" in done.stderr
    assert said_by(lab.portal, ("127.0.0.1", 8001)) is None
    assert "forwards" not in portal.status()


def routing(host):
    """Rules, and the routes of tables that are a portal's."""
    lines = [line for family in ("-4", "-6") for what in (("rule",), ("route", "show", "table", "all"))
             for line in host.run("ip", family, *what).stdout.splitlines()]
    return sorted(line for line in lines if re.search(r"lookup|table 3\d{4}", line))


ROUTES = {
    "more of one length": "10.73.0.0/24, fd73::/64, 10.79.0.0/24",
    "a longer one": "10.73.0.0/24, fd73::/64, 10.79.0.0/24, 10.73.0.128/25",
    "a shorter one, and a host": "10.73.0.0/24, fd73::/64, 10.78.0.0/15, 10.73.0.128/25, 10.9.9.9/32",
    "fewer": "10.73.0.0/24, fd73::/64, 10.9.9.9/32",
    "what it was": Portal.ROUTES,
}


def test_routes(lab, own, gate, tmp_path):
    """After each change rules and routes are those of a portal that began with them, and a flow that stays is not disturbed; at
    no moment is it routed elsewhere."""
    portal = Portal(lab, tmp_path, own).start()
    before = Portal.ROUTES
    try:
        with flows(lab) as pairs, watching(lab, SERVER4) as strayed:
            seen = {}
            for name, routes in ROUTES.items():
                edit(portal, (f"Route = {before}", f"Route = {routes}"))
                assert said(reload(portal)) == ["usher-tun: new and in force: configuration"], name
                seen[name], before = routing(lab.portal), routes
                prove(pairs)
            assert not strayed()
        portal.down()
        for name, routes in ROUTES.items():
            edit(portal, (f"Route = {before}", f"Route = {routes}"))
            before = routes
            portal.start()
            assert seen[name] == routing(lab.portal), name
            portal.down()
    finally:
        portal.down(check=False)


@contextlib.contextmanager
def watching(lab, address):
    """Whether the kernel ever routes it to anything but the device while this lasts, as `ip route get` says again and again."""
    ended, wrong = threading.Event(), []

    def watch():
        while not ended.is_set():
            answer = lab.portal.run("ip", "route", "get", address, check=False).stdout
            if "dev usher0" not in answer:
                wrong.append(answer)

    thread = threading.Thread(target=watch)
    thread.start()
    yield lambda: wrong
    ended.set()
    thread.join()


def test_a_route_that_goes(lab, own, gate, tmp_path):
    """What is open to there is reset, and nothing of it goes there any more; what else is open is not disturbed."""
    portal = Portal(lab, tmp_path, own).start()
    try:
        with flows(lab) as pairs, connected(lab, SERVER6) as (client, server):
            edit(portal, (f"Route = {Portal.ROUTES}", "Route = 10.73.0.0/24"))
            assert reload(portal).returncode == 0
            for end in (client, server):
                with pytest.raises(ConnectionResetError):
                    end.recv(1)
            prove(pairs)
            assert "usher0" not in lab.portal.run("ip", "route", "get", SERVER6, check=False).stdout
        edit(portal, ("Route = 10.73.0.0/24", "Socks = 127.0.0.1:1080"), ("Address = 10.99.0.2/32, fd99::2/128\n", ""),
             ("Device = usher0\n", ""))
        assert "usher-tun: Route and Map take effect when the portal is started again" in said(reload(portal))
        assert "usher0" in lab.portal.run("ip", "route", "get", SERVER4).stdout
    finally:
        portal.down(check=False)


def test_maps(lab, own, gate, tmp_path):
    portal = Portal(lab, tmp_path, own).start()
    try:
        with saying(lab, b"one") as where:
            edit(portal, ("[Gate]", "Map = 10.50.0.0/24 -> 10.73.0.0/24\n[Gate]"))
            assert reload(portal).returncode == 0
            assert said_by(lab.client, ("10.50.0.2", where[1])) == b"one"
            assert portal.status()["map"] == ["10.50.0.0/24 -> 10.73.0.0/24"]
            edit(portal, ("10.50.0.0/24 ->", "10.51.0.0/24 ->"))
            assert reload(portal).returncode == 0
            assert said_by(lab.client, ("10.51.0.2", where[1])) == b"one"
            assert "usher0" not in lab.portal.run("ip", "route", "get", "10.50.0.2", check=False).stdout
    finally:
        portal.down(check=False)


def test_an_encrypted_key(lab, own, gate, tmp_path):
    """It is opened once. A new certificate needs the new key, and nobody is there to be asked: the old ones stay."""
    def encrypt(directory):
        run("openssl", "pkcs8", "-topk8", "-in", directory / "branch.key", "-out", directory / "locked", "-passout", "pass:sesame")
        os.replace(directory / "locked", directory / "branch.key")

    new = tmp_path / "new"
    shutil.copytree(own, new)
    for suffix in ("crt", "key"):
        (new / f"branch.{suffix}").unlink()
    run(USHER_PKI, "issue", new, "portal", "branch")
    encrypt(new)
    encrypt(own)
    portal = Portal(lab, tmp_path, own, extra="KeyCommand = echo sesame").start()
    try:
        assert reload(portal).stderr == f"usher-tun: {UNCHANGED}\n"
        with flows(lab) as pairs:
            for suffix in ("key", "crt"):
                os.replace(new / f"branch.{suffix}", own / f"branch.{suffix}")
            done = reload(portal)
            assert done.returncode == 2
            assert "an encrypted key, or a command's, is had anew at the next start only" in done.stderr
            assert "certificate and key stay as they are" in done.stderr
            prove(pairs)
    finally:
        portal.down(check=False)


def test_in_the_background(lab, own, gate, tmp_path):
    """The reader of one that a person brought up goes with it, and holds nobody's terminal."""
    portal = Portal(lab, tmp_path, own, name="back")
    done = lab.portal.run(USHER_TUN, "up", portal.conf)
    assert done.returncode == 0
    try:
        reader = reader_of(portal)
        with flows(lab) as pairs:
            revoke_gate(own)
            assert cut(pairs, time.monotonic()) < CUT_SECONDS
    finally:
        assert lab.portal.run(USHER_TUN, "down", portal.conf).returncode == 0
    wait_until(lambda: not pathlib.Path(f"/proc/{reader}").exists(), 5, "the reader ends")


def reader_of(portal):
    """By the name that it gives itself, and the portal's that it has the other end of."""
    def found():
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "comm").read_text() == "usher-tun-read\n" and str(portal.conf) in (entry / "cmdline").read_text():
                    return int(entry.name)
        return None
    return wait_until(found, 5, "the reader")


def test_without_a_reader(lab, portal):
    os.kill(reader_of(portal), signal.SIGKILL)
    lines_in(portal, "files are not read again any more")
    done = reload(portal)
    assert (done.returncode, done.stderr) == (
        1, "usher-tun: the process that reads the files has ended: start the portal again\n")
    assert portal.status()["state"] == "up"
