# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may speak to whom: every wrong certificate is refused before a record is read, by the end that it is shown to,
with a log line that says which check it failed."""

import re
import shutil
import struct
import subprocess
import time

import pytest
from certificates import Authority

from lab import ROOT, run, wait_until
from programs import USHER_TUN, Gate, Portal
from traffic import stream

LOG_SECONDS = 8


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


# What is shown, and words of which one must stand in the log of the end that refuses it.
TO_GATE = {
    "foreign": ("unknown CA", "not issued"),
    "expired": ("expired",),
    "future": ("not yet valid",),
    "revoked": ("revoked",),
    "no-eku": ("clientAuth", "extended key usage"),
    "server-eku": ("clientAuth", "extended key usage"),
    "clone": ("forged", "signature", "unknown CA", "not issued"),
}
TO_PORTAL = {
    "foreign": ("unknown CA", "not issued"),
    "expired": ("expired",),
    "future": ("not yet valid",),
    "revoked": ("revoked",),
    "no-eku": ("serverAuth", "extended key usage"),
    "client-eku": ("serverAuth", "extended key usage"),
    "other-name": ("another name", "name"),
    "clone": ("forged", "signature", "unknown CA", "not issued"),
}


def openssl_portal(lab, directory, certificate, *options):
    """A peer that is not ours: openssl's client shows a certificate to the gate. Returns what it printed."""
    done = lab.portal.run(
        "timeout", 5, "openssl", "s_client", "-connect", "10.3.0.2:4433", "-cert", directory / f"{certificate}.crt", "-key",
        directory / f"{certificate}.key", "-CAfile", directory / "ca.crt", *options, check=False, input="\0" * 8)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def gate(lab, authority, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), authority.directory, certificate="gate").start()
    yield gate
    gate.stop()


def logged_since(program, mark, words):
    def found():
        text = program.log()[mark:].lower()
        return any(word.lower() in text for word in words)

    wait_until(found, LOG_SECONDS, f"one of {words} in the log:\n{program.log()[mark:]}")


@pytest.mark.parametrize("certificate", TO_GATE)
def test_the_gate_refuses(lab, authority, gate, certificate):
    mark = len(gate.log())
    openssl_portal(lab, authority.directory, certificate)
    logged_since(gate, mark, TO_GATE[certificate])
    assert gate.status()["portals"] == []


def test_the_gate_takes_the_good_one(lab, authority, gate, tmp_path):
    portal = Portal(lab, tmp_path, authority.directory, certificate="portal", gate_name="gate.example.net").start()
    try:
        assert [p["identity"] for p in gate.status()["portals"]] == ["branch"]
    finally:
        portal.down()


def test_the_gate_refuses_a_peer_without_a_certificate(lab, authority, gate):
    mark = len(gate.log())
    lab.portal.run("timeout", 5, "openssl", "s_client", "-connect", "10.3.0.2:4433", check=False, input="\0" * 8)
    logged_since(gate, mark, ("no certificate",))


@pytest.mark.parametrize("options", [["-tls1_2"], ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"]])
def test_the_gate_refuses_other_versions_and_ciphers(lab, authority, gate, options):
    mark = len(gate.log())
    printed = openssl_portal(lab, authority.directory, "portal", *options)
    assert "alert" in printed
    logged_since(gate, mark, ("no TLS 1.3", "cipher"))
    assert gate.status()["portals"] == []


def client_hello(cipher):
    """A TLS 1.3 ClientHello that offers one cipher suite only (RFC 8446 section 4.1.2), with an X25519 share."""
    def extension(kind, body):
        return struct.pack("!HH", kind, len(body)) + body

    extensions = b"".join([
        extension(43, b"\x02\x03\x04"),  # supported_versions: 1.3
        extension(10, b"\0\x02\0\x1d"),  # supported_groups: x25519
        extension(13, b"\0\x02\x04\x03"),  # signature_algorithms: ecdsa_secp256r1_sha256
        extension(51, b"\0\x24\0\x1d\0\x20" + b"\x09" + bytes(31)),  # key_share
    ])
    body = (b"\x03\x03" + bytes(range(32)) + b"\0" + struct.pack("!HH", 2, cipher) + b"\x01\0"
            + struct.pack("!H", len(extensions)) + extensions)
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


@pytest.mark.parametrize("cipher", [0xC0B4, 0xC0B5])  # TLS_SHA256_SHA256, TLS_SHA384_SHA384: no encryption (RFC 9150)
def test_the_gate_refuses_null_ciphers(lab, gate, cipher):
    mark = len(gate.log())
    with stream(lab.portal)("10.3.0.2") as sock:
        sock.connect(("10.3.0.2", 4433))
        sock.sendall(client_hello(cipher))
        answer = sock.recv(100)
    assert answer[:1] == b"\x15"  # an alert, no ServerHello
    logged_since(gate, mark, ("cipher",))


def test_the_gate_issues_no_tickets(lab, authority, gate):
    printed = openssl_portal(lab, authority.directory, "portal")
    assert "Verify return code: 0" in printed
    assert "New Session Ticket" not in printed and "Post-Handshake" not in printed


@pytest.mark.parametrize("certificate", TO_PORTAL)
def test_the_portal_refuses(lab, authority, certificate, tmp_path):
    """A gate that is not ours shows a certificate to the portal: `up` fails and says why."""
    with lab.gate.start("openssl", "s_server", "-accept", "4434", "-quiet", "-cert", authority.directory / f"{certificate}.crt",
                        "-key", authority.directory / f"{certificate}.key", "-CAfile", authority.directory / "ca.crt",
                        "-Verify", "2", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            portal = Portal(lab, tmp_path, authority.directory, certificate="portal", gate_name="gate.example.net",
                            address="10.3.0.2:4434")
            time.sleep(0.3)
            done = lab.portal.run("timeout", 30, USHER_TUN, "up", portal.conf, check=False)
            assert done.returncode == 1
            assert any(word.lower() in done.stderr.lower() for word in TO_PORTAL[certificate]), done.stderr
            assert "usher0" not in lab.portal.run("ip", "link").stdout
        finally:
            server.kill()


@pytest.mark.parametrize("options", [["-tls1_2"], ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"]])
def test_the_portal_refuses_other_versions_and_ciphers(lab, authority, options, tmp_path):
    with lab.gate.start("openssl", "s_server", "-accept", "4435", "-quiet", "-cert", authority.directory / "gate.crt",
                        "-key", authority.directory / "gate.key", "-CAfile", authority.directory / "ca.crt", "-Verify", "2",
                        *options, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            portal = Portal(lab, tmp_path, authority.directory, certificate="portal", address="10.3.0.2:4435")
            time.sleep(0.3)
            done = lab.portal.run("timeout", 30, USHER_TUN, "up", portal.conf, check=False)
            assert done.returncode == 1
        finally:
            server.kill()


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """An authority, a gate and a portal for every kind of key, by the script that makes those of the unit tests."""
    place = tmp_path_factory.mktemp("kinds")
    run(ROOT / "tests/unit/make-dresses", place)
    return place


@pytest.mark.parametrize("kind", ["p521", "rsa4096", "ed25519", "ed448"])
def test_kinds_of_keys(lab, kinds, tmp_path, kind):
    """Between our own programs, where the worker is sealed, and with a peer that is not ours at each end."""
    for stem, role in (("gate.example.net", "gate"), ("branch", "portal")):
        for suffix in ("crt", "key"):
            shutil.copy(kinds / f"{kind}-{role}.{suffix}", tmp_path / f"{stem}.{suffix}")
    shutil.copy(kinds / f"{kind}-ca.crt", tmp_path / "ca.crt")
    gate = Gate(lab, tmp_path, tmp_path, listen="0.0.0.0:4441", name="kinds")
    gate.conf.write_text(re.sub(r"CRL = .*\n", "", gate.conf.read_text()))
    gate.start()
    try:
        Portal(lab, tmp_path, tmp_path, address="10.3.0.2:4441", crl=False).start().down()
        done = lab.portal.run(
            "timeout", 5, "openssl", "s_client", "-connect", "10.3.0.2:4441", "-cert", tmp_path / "branch.crt", "-key",
            tmp_path / "branch.key", "-CAfile", tmp_path / "ca.crt", check=False, input="\0" * 8)
        assert "Verify return code: 0 (ok)" in done.stdout
        wait_until(lambda: gate.log().count("logged in, serial") == 2, 5, gate.log())
    finally:
        gate.stop()
    with lab.gate.start("openssl", "s_server", "-accept", "4442", "-quiet", "-cert", tmp_path / "gate.example.net.crt", "-key",
                        tmp_path / "gate.example.net.key", "-CAfile", tmp_path / "ca.crt", "-Verify", "2", "-alpn", "usher/1",
                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            portal = Portal(lab, tmp_path, tmp_path, address="10.3.0.2:4442", crl=False)
            time.sleep(0.3)
            done = lab.portal.run("timeout", 30, USHER_TUN, "up", portal.conf, check=False)
            assert done.returncode == 0, done.stderr  # it knows no Usher, but TLS is all that it was asked for so far
        finally:
            lab.portal.run(USHER_TUN, "down", portal.conf, check=False)
            server.kill()
