# SPDX-License-Identifier: GPL-2.0-or-later
"""A certificate runs out under a tunnel, and there is a newer one: what is new goes through another tunnel before, and nothing
fails."""

import contextlib
import datetime
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab import SERVER4, patience, run, wait_until
from programs import GATE_NAME, USHER_GATE, USHER_PKI, Gate, Portal, make_pki
from test_drain import Opener, echo, held
from test_resume import cut, unreachable, wait_agreed, wait_resumed
from traffic import Server, connected, each_connection, listener, pattern, receive_all, serve_echo

LIFE = 6


def issue(pki, name, seconds, put=None):
    """A certificate of that authority in the place of one that usher-pki has made, for so long; `put`: not there yet."""
    ca = x509.load_pem_x509_certificate((pki / "ca.crt").read_bytes())
    ca_key = serialization.load_pem_private_key((pki / "ca.key").read_bytes(), None)
    was = x509.load_pem_x509_certificate((pki / f"{name}.crt").read_bytes())
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(issuer_name=ca.subject, subject_name=was.subject, public_key=key.public_key(),
                                      serial_number=x509.random_serial_number(), not_valid_before=now - datetime.timedelta(hours=1),
                                      not_valid_after=now + datetime.timedelta(seconds=seconds))
    for extension in was.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(value, extension.critical)
    made = builder.sign(ca_key, hashes.SHA256())
    for suffix, text in (("key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                   serialization.NoEncryption())),
                         ("crt", made.public_bytes(serialization.Encoding.PEM))):
        fresh = pki / f"{name}.{suffix}.new"
        fresh.touch(mode=0o600)
        fresh.write_bytes(text)
        fresh.rename(pki / f"{name}.{suffix}")
    text = f"{made.serial_number:X}"
    return text.zfill(len(text) + len(text) % 2)


@pytest.fixture
def pki(tmp_path):
    return make_pki(tmp_path / "pki")


@pytest.mark.parametrize("whose", ("branch", GATE_NAME), ids=("the portal's", "the gate's"))
def test_a_newer_certificate(lab, pki, tmp_path, whose, figure):
    issue(pki, whose, LIFE)
    ends = time.monotonic() + LIFE
    gate, portal = Gate(lab, tmp_path, pki).start(), Portal(lab, tmp_path, pki)
    try:
        portal.start()
        (worker,) = gate.worker_pids()
        with Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where, Opener(lab, where) as opener:
            (old,) = held(lab, where)
            time.sleep(LIFE / 3)
            issue(pki, whose, 3600)
            wait_until(lambda: "new and in force: " in (portal if whose == "branch" else gate).log(), 3, "it is taken")
            assert gate.worker_pids() == [worker]
            wait_until(lambda: portal.status()["leaving"], LIFE, f"another tunnel\n{portal.log()}{gate.log()}")
            left = ends - time.monotonic()
            assert 0.5 < left < LIFE / 6 + 1
            (new,) = held(lab, where)
            echo(old)
            # The old one has what it was made with until that is over.
            old.settimeout(patience(LIFE))
            with pytest.raises(ConnectionResetError):
                old.recv(1)
            assert -1.3 < time.monotonic() - ends < 1.5  # a certificate knows whole seconds
            echo(new)
        assert opener.errors == [] and opener.count > 150, opener.errors
        figure(f"changeover: {left:.1f} s before the end of a certificate of {LIFE} s; {opener.count} opens, none failed")
        assert "certificate has expired" in portal.log() + gate.log()
        assert portal.status()["state"] == "up" and len(gate.worker_pids()) == 1
        assert "tunnel lost" not in portal.log() and "replaces worker" not in gate.log()
        why = "before the certificate is out of date that it was made with" if whose == "branch" else "as the gate wants"
        assert f"the tunnel goes from gate 10.3.0.2:4433 to another at 10.3.0.2:4433, {why}: what is open stays" in portal.log()
    finally:
        portal.down(check=False)
        gate.stop()


@pytest.mark.parametrize("whose", ("branch", GATE_NAME), ids=("the portal's", "the gate's"))
def test_a_connection_lost_after_a_renewal(lab, pki, tmp_path, whose):
    """The tunnel goes on, with what it began with: every byte of a stream comes, over two cuts."""
    gate, portal = Gate(lab, tmp_path, pki).start(), Portal(lab, tmp_path, pki)
    try:
        portal.start()
        wait_agreed(portal)
        before = gate.status()["portals"][0]
        identity = portal.status()["identity"]["serial"]
        with connected(lab, SERVER4) as (client, server):
            sent = pattern(3, 24 << 20)
            sender = threading.Thread(target=client.sendall, args=(sent,), daemon=True)
            sender.start()
            got = receive_all(server, 1 << 20)
            serial = issue(pki, whose, 3600)
            wait_until(lambda: "new and in force: " in (portal if whose == "branch" else gate).log(), 3, "it is taken")
            for side, count in ((lab.portal, 1), (lab.gate, 2)):
                cut(side)
                got += receive_all(server, 8 << 20)
                wait_resumed(portal, count)
                wait_agreed(portal)
            got += receive_all(server, len(sent) - len(got))
            sender.join(patience(10))
            assert got == sent
            now = gate.status()["portals"][0]
            assert (now["pid"], now["serial"], now["since"]) == (before["pid"], before["serial"], before["since"])
            if whose == GATE_NAME:
                assert portal.status()["identity"]["serial"] == serial != identity
            lab.gate.run(USHER_GATE, "end", "branch")
        wait_until(lambda: len(gate.worker_pids()) == 1 and gate.worker_pids() != [before["pid"]], 10, "another tunnel")
        if whose == "branch":
            assert gate.status()["portals"][0]["serial"] == serial
    finally:
        portal.down(check=False)
        gate.stop()


@pytest.mark.parametrize("during", (False, True), ids=("up", "paused"))
def test_the_one_of_before_is_revoked(lab, pki, tmp_path, during):
    """After a renewal a tunnel lives on the old certificate, and no longer than that: within a second it is cut, and the next
    one is made with the new certificate."""
    run("cp", "-a", pki, tmp_path / "own")
    gate, portal = Gate(lab, tmp_path, pki).start(), Portal(lab, tmp_path, tmp_path / "own")
    try:
        portal.start()
        wait_agreed(portal)
        with connected(lab, SERVER4) as (client, _):
            serial = issue(tmp_path / "own", "branch", 3600)
            wait_until(lambda: "new and in force: " in portal.log(), 3, "it is taken")
            with unreachable(lab) if during else contextlib.nullcontext():
                if during:
                    wait_until(lambda: gate.status()["portals"][0]["tunnel"].get("paused_since"), 5, "the gate knows")
                begin = time.monotonic()
                run(USHER_PKI, "revoke", pki, "branch")
                if not during:
                    client.settimeout(patience(3))
                    with pytest.raises(ConnectionResetError):
                        client.recv(1)
                    assert time.monotonic() - begin < 1.5
                wait_until(lambda: gate.status()["portals"] == [], 1, "it is out") if during else None
            wait_until(lambda: [one["serial"] for one in gate.status()["portals"]] == [serial], 15,
                       f"the new one is in\n{portal.log()}{gate.log()}")
    finally:
        portal.down(check=False)
        gate.stop()


def test_the_gate_does_not_know_it_any_more(lab, pki, tmp_path):
    """It was started again while the connection was lost: the new tunnel is made with the new certificate."""
    gate, portal = Gate(lab, tmp_path, pki).start(), Portal(lab, tmp_path, pki)
    try:
        portal.start()
        wait_agreed(portal)
        serial = issue(pki, "branch", 3600)
        wait_until(lambda: "new and in force: " in portal.log(), 3, "it is taken")
        gate.kill()
        gate.start()
        wait_until(lambda: [one["serial"] for one in gate.status()["portals"]] == [serial], 15, portal.log())
        assert "the gate does not know the tunnel any more" in portal.log()
    finally:
        portal.down(check=False)
        gate.stop()
