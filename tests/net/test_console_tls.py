# SPDX-License-Identifier: GPL-2.0-or-later
"""The console where others than this host reach it: TLS, certificates of people, and who of them may what."""

import datetime
import http.client
import os
import re
import shutil
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import fake_instances
from console import NOBODY, USHER_CONSOLE, prefix, serving
from lab import patience, run, wait_until
from programs import USHER_PKI

pytestmark = pytest.mark.skipif(not USHER_CONSOLE.exists(), reason="built without libmicrohttpd")


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A CA of people, an outsider's, and the console's own certificate."""
    directory = prefix() / "pki"
    run(USHER_PKI, "init", directory)
    run(USHER_PKI, "issue", directory, "gate", "console.example.net", "127.0.0.1")
    for name in ("alice", "bob", "carol", "mallory"):
        run(USHER_PKI, "issue", directory, "portal", name)
    run(USHER_PKI, "revoke", directory, "mallory")
    stranger = tmp_path_factory.mktemp("stranger") / "pki"
    run(USHER_PKI, "init", stranger)
    run(USHER_PKI, "issue", stranger, "portal", "alice")
    directory.chmod(0o755)
    os.chown(directory / "console.example.net.key", NOBODY, NOBODY)
    yield directory, stranger
    shutil.rmtree(directory.parent)


@pytest.fixture(scope="module")
def console(people):
    directory, _ = people
    root = prefix()
    served = fake_instances.serve(root, 3, 3)
    for path in [root / "usher", *(root / "usher").iterdir(), *(root / "usher").glob("*/control")]:
        path.chmod(0o777)
    port = socket.create_server(("127.0.0.1", 0)).getsockname()[1]
    keys = f"""Listen = 0.0.0.0:{port}
Name = console.example.net
Certificate = {directory}/console.example.net.crt
Key = {directory}/console.example.net.key
CA = {directory}/ca.crt
CRL = {directory}/crl.pem
Users = alice, mallory
Operators = bob"""
    with serving(keys, root=root) as console:
        wait_until(lambda: f"listens on 0.0.0.0:{port}" in console.log(), 10, console.log)
        console.port = port
        yield console
    for instance in served:
        instance.stop()
    shutil.rmtree(root)


def make_list(directory, path):
    """A revocation list of the CA that ends in a second."""
    key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
    issuer = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes()).subject
    now = datetime.datetime.utcnow()
    crl = x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(now - datetime.timedelta(days=1)) \
        .next_update(now + datetime.timedelta(seconds=1)).sign(key, hashes.SHA256())
    path.write_bytes(crl.public_bytes(serialization.Encoding.PEM))


def ask(console, people, who, path="/", method="GET", body=None, cookie=None, version=None, **headers):
    directory, stranger = people
    context = ssl.create_default_context(cafile=directory / "ca.crt")
    if version:
        context.minimum_version = context.maximum_version = version
    if who:
        place = stranger if who == "stranger" else directory
        name = "alice" if who == "stranger" else who
        context.load_cert_chain(place / f"{name}.crt", place / f"{name}.key")
    connection = http.client.HTTPSConnection("127.0.0.1", console.port, context=context, timeout=patience(10))
    if cookie:
        headers["Cookie"] = cookie
    headers.setdefault("Host", f"console.example.net:{console.port}")
    connection.request(method, path, body=body, headers=headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response, text


@pytest.mark.parametrize("who, sentence", [
    (None, "no certificate was shown"),
    ("stranger", "not of this console&#39;s CA"),
    ("mallory", "the certificate is revoked"),
    ("carol", "carol is not among the Users and Operators of this console."),
    ("console.example.net", "the certificate is not for clients"),
])
def test_who_stays_out(console, people, who, sentence):
    for path in ("/", "/login", "/flows?name=branch", "/login?token=" + "0" * 64):
        response, text = ask(console, people, who, path)
        assert response.status == 403 and sentence in text and "branch" not in text, text
    assert ask(console, people, who, "/events")[0].status == 403


def log_in(console, people, who):
    response, _ = ask(console, people, who)
    assert response.status == 303 and "__Host-usher-" in response.headers["Set-Cookie"] and "; Secure" in response.headers["Set-Cookie"]
    return response.headers["Set-Cookie"].split(";")[0]


def test_who_may_what(console, people):
    alice, bob = log_in(console, people, "alice"), log_in(console, people, "bob")
    page = wait_until(lambda: (page := ask(console, people, "alice", "/instance?name=gate", cookie=alice)[1]).count("<h1>gate") and page,
                      10, "the gate")
    assert "button reload" not in page
    assert "button reload" in ask(console, people, "bob", "/instance?name=gate", cookie=bob)[1]
    origin = {"Origin": f"https://console.example.net:{console.port}"}
    for who, cookie, status in (("alice", alice, 403), ("bob", bob, 303)):
        token = re.search(r'name="token" value="(\w+)"', ask(console, people, who, cookie=cookie)[1])[1]
        response, text = ask(console, people, who, "/do", "POST", f"token={token}&do=reload&name=gate", cookie, **origin)
        assert response.status == status, text
    assert "audit: reload gate by bob from 127.0.0.1: done" in console.log()
    # A cookie without its owner's certificate is nothing, and with somebody else's not that one's.
    assert ask(console, people, None, cookie=bob)[0].status == 403
    assert ask(console, people, "alice", "/do", "POST", "do=reload&name=gate", bob, **origin)[0].status == 303
    assert console.log().count("audit: reload") == 1


def test_other_names_and_versions(console, people):
    assert ask(console, people, "bob", Host="evil.example")[0].status == 403
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(console, people, "bob", version=ssl.TLSVersion.TLSv1_2)
    with socket.create_connection(("127.0.0.1", console.port), timeout=patience(5)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: console.example.net\r\n\r\n")
        assert b"HTTP" not in sock.recv(100)


def test_metrics_for_this_host(console, people):
    assert ask(console, people, None, "/metrics")[0].status == 200


def test_an_old_list(people, tmp_path):
    """A list that is out of date lets nobody in: what was withdrawn since, it does not say."""
    directory, _ = people
    old = directory / "old.pem"
    make_list(directory, old)
    time.sleep(1.5)
    port = socket.create_server(("127.0.0.1", 0)).getsockname()[1]
    keys = "\n".join([f"Listen = 127.0.0.1:{port}", "Name = console.example.net", f"Certificate = {directory}/console.example.net.crt",
                      f"Key = {directory}/console.example.net.key", f"CA = {directory}/ca.crt", f"CRL = {old}", "Users = alice"])
    with serving(keys) as console:
        wait_until(lambda: "listens on" in console.log(), 10, console.log)
        console.port = port
        response, text = ask(console, people, "alice")
        assert response.status == 403 and "the revocation list is out of date" in text, text


@pytest.mark.parametrize("key, text, said", [
    ("CA", "nonsense", "CA and CRL: one of them has no certificate in PEM in it"),
    ("CRL", "nonsense", "CA and CRL: one of them is no revocation list in PEM of that CA"),
    ("Key", "nonsense", "the web server does not start: Certificate and Key do not fit, or are none"),
])
def test_bad_files(people, tmp_path, key, text, said):
    directory, _ = people
    bad = directory / f"bad-{key}"
    bad.write_text(text)
    bad.chmod(0o600)
    os.chown(bad, NOBODY, NOBODY)
    files = {"Certificate": "console.example.net.crt", "Key": "console.example.net.key", "CA": "ca.crt", "CRL": "crl.pem", key: bad.name}
    with serving("Users = a\n" + "\n".join(f"{name} = {directory}/{file}" for name, file in files.items())) as console:
        assert console.process.wait(patience(10)) == 1 and said in console.log()
