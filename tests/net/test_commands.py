# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands as a user types them: exit codes, one clear sentence on stderr, data on stdout (interface.md)."""

import json

import pytest

from lab import run, wait_until
from programs import USHER_GATE, USHER_PKI, USHER_TUN, Gate, Portal


def good_portal(pki):
    return f"""[Portal]
Device = usher0
Address = 10.99.0.2/32
CA = {pki}/ca.crt
Certificate = {pki}/branch.crt
Key = {pki}/branch.key
CRL = {pki}/crl.pem
Route = 10.73.0.0/24, fd73::/64

[Gate]
Address = 10.3.0.2:4433
Name = gate.example.net
"""


def check(program, path):
    return run(program, "check", path, check=False)


def test_a_good_configuration_passes_in_silence(pki, tmp_path):
    conf = tmp_path / "branch.conf"
    conf.write_text(good_portal(pki))
    done = check(USHER_TUN, conf)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("old,new,line,words", [
    ("Device = usher0", "Device = a-name-that-is-too-long", 2, "Device"),
    ("Device = usher0", "Devise = usher0", 2, "Devise"),
    ("10.99.0.2/32", "10.99.0.300/32", 3, "10.99.0.300"),
    ("Route = 10.73.0.0/24", "Route = 10.73.0.1/24", 8, "10.73.0.1/24"),
    ("[Gate]", "[Gatte]", 10, "Gatte"),
    ("10.3.0.2:4433", "10.3.0.2:99999", 11, "99999"),
    ("branch.key", "no-such.key", 6, "no-such.key"),
    ("branch.key", "other.key", 6, "does not belong to the certificate"),
])
def test_a_mistake_is_named_with_file_and_line(pki, tmp_path, old, new, line, words):
    conf = tmp_path / "branch.conf"
    conf.write_text(good_portal(pki).replace(old, new))
    done = check(USHER_TUN, conf)
    assert done.returncode == 2
    assert words in done.stderr
    assert f"branch.conf:{line}" in done.stderr


def test_all_mistakes_are_named_at_once(pki, tmp_path):
    conf = tmp_path / "branch.conf"
    conf.write_text(good_portal(pki).replace("usher0", "too-long-for-a-device").replace("10.73.0.0/24", "10.73.0.0/99"))
    assert len(check(USHER_TUN, conf).stderr.strip().splitlines()) == 2


def test_a_key_that_others_can_read_is_refused(pki, tmp_path):
    key = tmp_path / "branch.key"
    key.write_bytes((pki / "branch.key").read_bytes())
    key.chmod(0o644)
    conf = tmp_path / "branch.conf"
    conf.write_text(good_portal(pki).replace(f"{pki}/branch.key", str(key)))
    done = check(USHER_TUN, conf)
    assert done.returncode == 2
    assert f"chmod 600 {key}" in done.stderr


def test_a_route_that_holds_the_gate_is_worth_a_word(pki, tmp_path):
    conf = tmp_path / "branch.conf"
    for route, warned in (("10.3.0.0/24", True), ("10.0.0.0/8, 10.3.0.2/32", True), ("0.0.0.0/0", False)):
        conf.write_text(good_portal(pki).replace("10.73.0.0/24", route))
        done = check(USHER_TUN, conf)
        assert done.returncode == 0
        assert ("branch.conf:8: warning: Route: 10." in done.stderr and "holds the gate itself, 10.3.0.2" in done.stderr) == warned


@pytest.mark.parametrize("argv,code", [
    ([USHER_TUN], 2), ([USHER_TUN, "upp"], 2), ([USHER_TUN, "up"], 2), ([USHER_TUN, "up", "no-such-name"], 2),
    ([USHER_TUN, "--version"], 0), ([USHER_TUN, "--help"], 0), ([USHER_GATE, "--version"], 0), ([USHER_GATE, "run"], 2),
    ([USHER_GATE, "run", "/no/such.conf"], 2), ([USHER_TUN, "status", "no-such-name"], 1),
])
def test_exit_codes(argv, code):
    done = run(*argv, check=False)
    assert done.returncode == code, done.stderr
    if code == 0:
        assert done.stdout
    else:
        assert done.stderr and not done.stdout


def test_the_version_names_what_was_built_in():
    text = run(USHER_TUN, "--version").stdout
    assert "wolfSSL" in text and "lwIP" in text


def test_up_returns_when_the_tunnel_is_up_and_down_when_it_is_gone(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki).start()
    portal = Portal(lab, tmp_path, pki)
    try:
        lab.portal.run(USHER_TUN, "up", portal.conf)
        assert portal.status()["state"] == "up"
        again = lab.portal.run(USHER_TUN, "up", portal.conf, check=False)
        assert again.returncode == 1 and "already" in again.stderr
        text = lab.portal.run(USHER_TUN, "status", portal.name).stdout
        assert "up" in text and "10.3.0.2" in text
        lab.portal.run(USHER_TUN, "down", portal.conf)
        assert "usher0" not in lab.portal.run("ip", "link").stdout
        again = lab.portal.run(USHER_TUN, "down", portal.conf, check=False)
        assert again.returncode in (0, 1) and "Traceback" not in again.stderr
    finally:
        portal.down(check=False)
        gate.stop()


def test_down_takes_no_gate_down(lab, pki, tmp_path):
    """A removal of the portals' package says it of whatever has a place."""
    gate = Gate(lab, tmp_path, pki).start()
    try:
        done = lab.gate.run(USHER_TUN, "down", gate.name, check=False)
        assert (done.returncode, done.stderr) == (1, f"usher-tun: {gate.name} is a gate, and no portal: usher-gate drain "
                                                     f"{gate.name}, or systemctl stop usher-gate@{gate.name}\n")
        assert gate.status()
    finally:
        assert gate.stop() == 0


def test_up_says_what_failed_and_leaves_nothing(lab, pki, tmp_path):
    portal = Portal(lab, tmp_path, pki, address="10.3.0.2:4499", extra="UpTimeout = 3s")
    done = lab.portal.run("timeout", 30, USHER_TUN, "up", portal.conf, check=False)
    assert done.returncode == 1
    assert "10.3.0.2:4499" in done.stderr and "refused" in done.stderr
    assert "usher0" not in lab.portal.run("ip", "link").stdout
    assert "30067" not in lab.portal.run("ip", "rule").stdout


def test_status_and_flows(tunnel, lab):
    from traffic import connected

    portal, gate = tunnel
    with connected(lab, "10.73.0.2") as (client, server):
        client.sendall(b"12345")
        assert server.recv(10) == b"12345"
        flows = wait_until(portal.flows, 2, "a flow")
        assert len(flows) == 1
        assert flows[0]["protocol"] == "tcp" and flows[0]["bytes_out"] == 5
        assert flows[0]["inside"] == "%s:%d" % client.getsockname()
        assert flows[0]["far"] == "%s:%d" % client.getpeername()
    status = portal.status()
    assert status["state"] == "up" and status["identity"]["name"] == "gate.example.net"
    portals = gate.status()["portals"]
    assert [p["identity"] for p in portals] == ["branch"]


def test_pki(tmp_path):
    where = tmp_path / "pki"
    run(USHER_PKI, "init", where)
    run(USHER_PKI, "issue", where, "gate", "gate.example.net", "gate", "10.0.0.1")
    run(USHER_PKI, "issue", where, "portal", "branch")
    for argv, words in ((("init", where), "already"), (("issue", where, "portal", "branch"), "already"),
                        (("revoke", where, "nobody"), "nobody"), (("issue", where, "neither", "x"), "neither")):
        done = run(USHER_PKI, *argv, check=False)
        assert done.returncode in (1, 2) and words in done.stderr
    for key in where.glob("*.key"):
        assert key.stat().st_mode & 0o777 == 0o600
    text = run("openssl", "x509", "-in", where / "gate.example.net.crt", "-noout", "-ext",
               "extendedKeyUsage,subjectAltName").stdout
    assert "TLS Web Server" in text and "DNS:gate.example.net" in text and "IP Address:10.0.0.1" in text
    text = run("openssl", "x509", "-in", where / "branch.crt", "-noout", "-ext", "extendedKeyUsage,subjectAltName").stdout
    assert "TLS Web Client" in text and "DNS:branch" in text
    run(USHER_PKI, "revoke", where, "branch")
    assert "revoked" in run(USHER_PKI, "list", where).stdout
    text = run("openssl", "crl", "-in", where / "crl.pem", "-noout", "-text").stdout
    assert "Serial Number" in text


def test_json_is_one_object(tunnel, lab):
    portal, gate = tunnel
    for argv in ((USHER_TUN, "status", portal.name, "--json"), (USHER_TUN, "flows", portal.name, "--json"),
                 (USHER_GATE, "status", gate.name, "--json")):
        assert isinstance(json.loads(lab.portal.run(*argv).stdout), dict)
