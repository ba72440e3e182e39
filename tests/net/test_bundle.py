# SPDX-License-Identifier: GPL-2.0-or-later
"""A support bundle: what helps is in it, and no byte of a key, no password and no passphrase, wherever they stand."""

import base64
import ipaddress
import json
import os
import re
import subprocess
import tarfile

import pytest

from lab import run
from programs import USHER_GATE, USHER_TUN, Gate, Portal

PASSWORD, PASSPHRASE, SECRET = "hunter22-in-a-file", "open sesame 4711", "s3cret-on-a-command-line"


@pytest.fixture(scope="module")
def pair(lab, pki, tmp_path_factory):
    directory = tmp_path_factory.mktemp("bundle")
    gate = Gate(lab, directory, pki).start()
    portal = Portal(lab, directory, pki, extra=f"""Socks = 127.0.0.1:1080
SocksUser = alice-the-user
SocksPasswordFile = {directory}/password
; {SECRET}
KeyCommand = printf '%s\\n' '{PASSPHRASE}' # {SECRET}""")
    (directory / "password").write_text(PASSWORD + "\n")
    (directory / "password").chmod(0o600)
    locked = directory / "locked.key"
    run("openssl", "pkcs8", "-topk8", "-in", pki / "branch.key", "-out", locked, "-v2", "aes-256-cbc", "-passout",
        f"pass:{PASSPHRASE}")
    locked.chmod(0o600)
    portal.conf.write_text(portal.conf.read_text().replace(f"{pki}/branch.key", str(locked)))
    try:
        yield portal.start(), gate
    finally:
        portal.down(check=False)
        gate.stop()


def bundle(program, path, *options):
    command = USHER_GATE if isinstance(program, Gate) else USHER_TUN
    done = program.host.run(command, "bundle", program.conf, path, *options)
    assert done.stdout == f"{path}\n" and os.stat(path).st_mode & 0o777 == 0o600
    run("gzip", "-t", path)
    assert f"usher-{program.name}/about.txt" in run("tar", "-tzf", path).stdout.splitlines()
    with tarfile.open(path) as tar:
        return {os.path.basename(one.name): tar.extractfile(one).read().decode() for one in tar.getmembers()}


def test_what_helps_is_in_it(pair, tmp_path):
    portal, gate = pair
    files = bundle(portal, tmp_path / "portal.tar.gz")
    assert files["about.txt"].startswith(f"usher-tun of {portal.name}, made 20") and "wolfSSL " in files["about.txt"]
    status = json.loads(files["status.json"])
    assert status["state"] == "up" and status["identity"]["name"] == "gate.example.net"
    assert json.loads(files["denials.json"])["denials"] == []
    assert "Route = 10.73.0.0/24, fd73::/64\n" in files["configuration.conf"]
    assert files["configuration.conf"].count("\n") == portal.conf.read_text().count("\n"), "line numbers stay true"
    assert re.search(r"^Certificate: .*\n  certificate  branch\n  serial       [0-9A-F]+\n  from .*\n  until .*Z\n"
                     r"  good for     portals\n  sha256       [0-9a-f]{64}$", files["credentials.txt"], re.M)
    assert re.search(r"^CRL: .*\n  list of .*Z\n  until ", files["credentials.txt"], re.M)
    assert "usher0" in files["links.txt"] and "fwmark 0x7573" in files["rules.txt"]
    assert "10.73.0.0/24 dev usher0" in files["routes.txt"]
    files = bundle(gate, tmp_path / "gate.tar.gz")
    assert json.loads(files["status.json"])["portals"][0]["identity"] == "branch"
    assert "[Access branch]" in files["configuration.conf"] and "good for     gates" in files["credentials.txt"]


def key_material(path, passphrase=None):
    """Every text that a key might be seen by: its lines, its DER, and the number that is the secret."""
    pass_in = ["-passin", f"pass:{passphrase}"] if passphrase else []
    text = run("openssl", "pkey", "-in", path, *pass_in).stdout
    lines = [line for line in text.splitlines() + open(path).read().splitlines() if len(line) > 20 and "-----" not in line]
    der = base64.b64decode("".join(line for line in text.splitlines() if "-----" not in line))
    shown = run("openssl", "pkey", "-in", path, *pass_in, "-text", "-noout").stdout
    number = re.sub(r"[\s:]", "", re.search(r"priv:\s*([0-9a-f:\s]+)", shown).group(1)) if "priv:" in shown else der.hex()[-40:]
    return lines + [number.lstrip("0"), der.hex()], [der, bytes.fromhex(number.zfill(len(number) + len(number) % 2))]


@pytest.mark.parametrize("options", [[], ["--anonymous"]])
def test_no_secret_is_in_it(pair, pki, tmp_path, options):
    portal, gate = pair
    # Broken in every way: a key in the file itself, a password as a key's value, a running portal that has logged all that.
    text = portal.conf.read_text()
    own = [line for line in (pki / "branch.key").read_text().splitlines()]
    broken = portal.conf.parent / "broken" / portal.conf.name
    broken.parent.mkdir(exist_ok=True)
    broken.write_text(text + f"\nPassword = {PASSWORD}\nProxy = socks5://bob-the-user:{SECRET}@proxy.example:1080\n" +
                      "\n".join(own) + "\n")
    key_texts, key_bytes = key_material(pki / "branch.key")
    locked_texts, _ = key_material(portal.conf.parent / "locked.key", PASSPHRASE)
    gate_texts, gate_bytes = key_material(pki / "gate.example.net.key")
    path = tmp_path / "all.tar.gz"
    for program, conf in ((portal, portal.conf), (portal, broken), (gate, gate.conf)):
        command = USHER_GATE if program is gate else USHER_TUN
        path.unlink(missing_ok=True)
        program.host.run(command, "bundle", conf, path, *options)
        whole = subprocess.run(["gzip", "-dc", path], capture_output=True, check=True).stdout
        assert len(whole) > 10000 and b"configuration.conf" in whole
        for secret in [PASSWORD, PASSPHRASE, SECRET, "alice-the-user", "bob-the-user", *key_texts, *locked_texts, *gate_texts]:
            assert secret.encode() not in whole, secret
        for secret in key_bytes + gate_bytes:
            assert secret not in whole
        assert b"PRIVATE KEY" not in whole


def test_without_addresses(pair, tmp_path):
    portal, _ = pair
    files = bundle(portal, tmp_path / "anonymous.tar.gz", "--anonymous")
    assert "each address is a number" in files["about.txt"]
    for name, text in files.items():
        for found in re.findall(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])", text):
            assert ipaddress.ip_address(found).is_loopback or found == "0.0.0.0", (name, found)
        assert "fd73::" not in text and "fd99::" not in text and "fe80::" not in text, name
    json.loads(files["status.json"])
    number = re.search(r"^Route = (address-\d+)/24, (address-\d+)/64$", files["configuration.conf"], re.M)
    assert number and f"{number.group(1)}/24 dev usher0" in files["routes.txt"]


def test_what_cannot_be_done(pair, lab, tmp_path):
    portal, _ = pair
    path = tmp_path / "there.tar.gz"
    path.write_text("mine")
    done = portal.host.run(USHER_TUN, "bundle", portal.conf, path, check=False)
    assert done.returncode == 1 and f"write {path}: File exists" in done.stderr and path.read_text() == "mine"
    done = portal.host.run(USHER_TUN, "bundle", tmp_path / "no-such.conf", check=False, cwd=tmp_path)
    assert done.returncode == 1 and "no-such.conf: No such file" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["there.tar.gz"]
    down = Portal(lab, tmp_path, tmp_path, name="down")
    done = portal.host.run(USHER_TUN, "bundle", down.conf, cwd=tmp_path)
    assert re.fullmatch(rf"usher-{down.name}-\d{{8}}T\d{{6}}Z\.tar\.gz\n", done.stdout)
    with tarfile.open(tmp_path / done.stdout.strip()) as tar:
        assert b"control: No such file" in tar.extractfile(f"usher-{down.name}/status.json").read()
        assert b"No such file" in tar.extractfile(f"usher-{down.name}/credentials.txt").read()
