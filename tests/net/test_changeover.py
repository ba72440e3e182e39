# SPDX-License-Identifier: GPL-2.0-or-later
"""A certificate runs out under a tunnel, and there is a newer one: what is new goes through another tunnel before, and nothing
fails."""

import datetime
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lab import SERVER4, patience, wait_until
from programs import GATE_NAME, Gate, Portal, make_pki
from test_drain import Opener, echo, held
from traffic import Server, each_connection, listener, serve_echo

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
    return f"{made.serial_number:X}"


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
            assert -0.3 < time.monotonic() - ends < 1.5
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
