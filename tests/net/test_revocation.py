# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is no longer trusted is out at once, and nobody else notices."""

import contextlib
import json
import os
import shutil
import signal
import time

import pytest

from lab import SERVER4, run, wait_until
from programs import USHER_GATE, USHER_PKI, Gate, Portal, make_pki
from traffic import connected, listener, stream

ACCESS = """
[Access branch]
Allow = 10.73.0.0/24
[Access other]
Allow = 10.73.0.0/24
"""


CUT_SECONDS = 1.0


@pytest.fixture
def pki(tmp_path):
    """One of the test's own, to revoke from."""
    return make_pki(tmp_path / "pki")


@pytest.fixture
def gate(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki, access=ACCESS).start()
    yield gate
    gate.stop()


@pytest.fixture
def portal_directory(tmp_path):
    directory = tmp_path / "portal"
    directory.mkdir()
    return directory


@pytest.fixture
def portal(lab, pki, gate, tmp_path):
    portal = Portal(lab, tmp_path, pki).start()
    yield portal
    portal.down(check=False)


def end(lab, name, *options):
    return lab.gate.run(USHER_GATE, "end", name, *options, check=False)


def test_an_operator_ends_a_portal(lab, gate, portal):
    with connected(lab, SERVER4) as (client, server):
        client.sendall(b"here")
        assert server.recv(4) == b"here"
        before = gate.worker_pids()
        done = end(lab, "BRANCH")  # a DNS name: case does not count
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{gate.name}: tunnels ended: 1\n", "")
        for end_of_flow in (client, server):
            with pytest.raises(ConnectionResetError):
                end_of_flow.recv(1)
    wait_until(lambda: len(gate.worker_pids()) == 1 and gate.worker_pids() != before, 5, "the portal is back")
    assert "branch: ended, worker" in gate.log()
    assert "an operator of the gate has ended it" in portal.log()


def test_a_worker_that_does_not_end_is_killed(lab, gate, portal, figure):
    (worker,) = gate.worker_pids()
    os.kill(worker, signal.SIGSTOP)
    since = time.monotonic()
    assert end(lab, "branch").returncode == 0
    wait_until(lambda: not os.path.exists(f"/proc/{worker}"), 5, "its end")
    figure(f"a worker that does not end when it is told to is killed after {time.monotonic() - since:.1f} s")
    lines_on(gate, f"worker {worker} was told to end and did not: killed")
    portal.wait_up(30)


def test_ending_says_when_there_is_nobody(lab, gate):
    done = end(lab, "branch")
    assert (done.returncode, done.stderr) == (1, "usher-gate: no portal branch is connected\n")
    done = end(lab, "branch", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["ended"] == 0
    assert lab.gate.run(USHER_GATE, "end", check=False).returncode == 2


@contextlib.contextmanager
def flows(lab, count=1):
    """Connections that are open, and proved to be."""
    with listener(lab.server, SERVER4) as listening, contextlib.ExitStack() as stack:
        pairs = []
        for _ in range(count):
            client = stack.enter_context(stream(lab.client)(SERVER4))
            client.connect(listening.getsockname()[:2])
            pairs.append((client, stack.enter_context(listening.accept()[0])))
        prove(pairs)
        yield pairs


def prove(pairs):
    for number, (client, server) in enumerate(pairs):
        server.settimeout(5)
        client.sendall(b"%04d" % number)
        assert server.recv(4) == b"%04d" % number


def cut(pairs, since):
    """Every flow is reset at both ends; returns how long that took."""
    for pair in pairs:
        for end_of_flow in pair:
            with pytest.raises(ConnectionResetError):
                end_of_flow.recv(1)
    return time.monotonic() - since


def identities(gate):
    return sorted(portal["identity"] for portal in gate.status()["portals"])


def lines_on(gate, words, count=1, seconds=3):
    wait_until(lambda: gate.log().count(words) >= count, seconds, f"{words}\n{gate.log()}")


def test_a_revoked_portal_is_cut_within_a_second(lab, pki, gate, portal, figure):
    with flows(lab) as pairs:
        run(USHER_PKI, "revoke", pki, "branch")
        took = cut(pairs, time.monotonic())
    figure(f"from the new revocation list to the reset of the last flow: {took:.2f} s")
    assert took < CUT_SECONDS
    wait_until(lambda: gate.status()["portals"] == [], 3, "it does not come back")
    assert "revoked" in gate.log() and "revoked" in portal.log()
    assert "new and in force: revocation list" in gate.log()


def test_another_portal_is_untouched(lab, pki, gate, portal, portal_directory):
    other = Portal(lab, portal_directory, pki, certificate="other", name="other", device="usher1", routes="10.79.0.0/24").start()
    try:
        with flows(lab, 200) as pairs:
            (kept,) = [p["pid"] for p in gate.status()["portals"] if p["identity"] == "branch"]
            run(USHER_PKI, "revoke", pki, "other")
            wait_until(lambda: identities(gate) == ["branch"], 3, "the other one is cut")
            prove(pairs)
            assert gate.worker_pids() == [kept]
        assert portal.status()["state"] == "up" and "revoked" not in portal.log()
    finally:
        other.down(check=False)


def test_a_torn_list_is_refused(lab, pki, gate, portal):
    good = (pki / "crl.pem").read_bytes()
    with flows(lab) as pairs:
        (pki / "crl.pem").write_bytes(good[:len(good) // 2])
        lines_on(gate, "CRL")
        assert any("CRL" in line for line in gate.status()["refused"])
        assert "refused: " in lab.gate.run(USHER_GATE, "status", gate.name).stdout
        prove(pairs)
        (pki / "crl.pem").write_bytes(good)
        wait_until(lambda: not gate.status()["refused"], 3, "the good one is taken")
        prove(pairs)


def test_an_older_list_is_refused(lab, pki, gate, portal):
    old = (pki / "crl.pem").read_bytes()
    run(USHER_PKI, "revoke", pki, "branch")
    wait_until(lambda: gate.status()["portals"] == [], 3, "it is cut")
    (pki / "crl.pem").write_bytes(old)
    lines_on(gate, "is older than the list that is in use")
    time.sleep(1)
    assert gate.status()["portals"] == []


def test_a_list_by_another_authority_is_refused(lab, pki, gate, portal, tmp_path):
    foreign = make_pki(tmp_path / "foreign")
    with flows(lab) as pairs:
        shutil.copy(foreign / "crl.pem", pki / "crl.pem")
        lines_on(gate, "not by the configured CA")
        prove(pairs)


def test_a_directory_that_was_gone(lab, pki, gate, portal):
    """What is not there is refused as well; when it is back, with a newer list, that is heeded."""
    away = pki.with_name("away")
    with flows(lab) as pairs:
        pki.rename(away)
        lines_on(gate, "No such file")
        prove(pairs)
        run(USHER_PKI, "revoke", away, "branch")
        since = time.monotonic()
        away.rename(pki)
        assert cut(pairs, since) < CUT_SECONDS


def test_links_that_are_turned(lab, pki, tmp_path, portal_directory):
    """As certbot and Kubernetes do it: the file is a link into a directory that is a link, and that is turned over."""
    versions = tmp_path / "versions"
    first, second = versions / "1", versions / "2"
    shutil.copytree(pki, first)
    os.symlink("1", versions / "current")
    lead = tmp_path / "lead"
    lead.mkdir()
    for file in pki.glob("*.*"):
        if file.suffix == ".key":  # may be no link itself
            shutil.copy2(file, lead)
        else:
            os.symlink(versions / "current" / file.name, lead / file.name)
    gate = Gate(lab, tmp_path, lead, access=ACCESS, name="links").start()
    portal = Portal(lab, portal_directory, pki, crl=False).start()
    try:
        with flows(lab) as pairs:
            run(USHER_PKI, "revoke", pki, "branch")
            shutil.copytree(pki, second)
            os.symlink("2", versions / "next")
            since = time.monotonic()
            os.rename(versions / "next", versions / "current")
            assert cut(pairs, since) < CUT_SECONDS
    finally:
        portal.down(check=False)
        gate.stop()


def test_a_portal_that_is_no_longer_listed(lab, gate, portal):
    with flows(lab) as pairs:
        gate.conf.write_text(gate.conf.read_text().replace("[Access branch]", "[Access another]"))
        assert cut(pairs, time.monotonic()) < CUT_SECONDS
    lines_on(gate, "lists this portal no longer")


def test_revocation_is_heeded_beside_a_broken_configuration(lab, pki, gate, portal):
    """An editor that is half done keeps nobody in."""
    with flows(lab) as pairs:
        gate.conf.write_text(gate.conf.read_text() + "Nonsense\n")
        lines_on(gate, "nothing of it is taken")
        run(USHER_PKI, "revoke", pki, "branch")
        assert cut(pairs, time.monotonic()) < CUT_SECONDS


def test_revocation_is_heeded_beside_a_certificate_without_its_key(lab, pki, gate, portal):
    with flows(lab) as pairs:
        shutil.copy(pki / "other.crt", pki / "gate.example.net.crt")
        lines_on(gate, "Key: does not belong to the certificate")
        run(USHER_PKI, "revoke", pki, "branch")
        assert cut(pairs, time.monotonic()) < CUT_SECONDS
    lines_on(gate, "certificate and key stay as they are")
