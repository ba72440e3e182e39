# SPDX-License-Identifier: GPL-2.0-or-later
"""Why does it not work: each step towards a far end with what was found, and with what helps where it fails."""

import contextlib
import json

import pytest

from lab import run
from programs import USHER_GATE, USHER_TUN, USHER_PKI, Gate, Portal
from traffic import datagram, listener

ACCESS = """
[Access branch]
Deny = 10.73.0.66/32
Allow = 10.73.0.0/24, fd73::/64, tcp:*.corp.example:22
Export = 10.71.0.0/24
[Access shop-*]
Allow = 10.73.0.4/32
[Access other]
Local = yes
Allow = tcp:10.73.0.3:80
"""


@pytest.fixture(scope="module")
def pair(lab, pki, tmp_path_factory):
    directory = tmp_path_factory.mktemp("explain")
    gate = Gate(lab, directory, pki, access=ACCESS).start()
    portal = Portal(lab, directory, pki, extra="Map = 10.50.0.0/24 -> 10.73.0.0/24")
    try:
        yield portal.start(), gate
    finally:
        portal.down(check=False)
        gate.stop()


def explain(program, *argv, code=0):
    command = USHER_GATE if isinstance(program, Gate) else USHER_TUN
    done = program.host.run(command, "explain", *argv, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["works"] == (code == 0)
    steps = {}
    for step in answer["steps"]:
        steps.setdefault(step["step"], []).append(step)
    return steps


def words(steps, step, result):
    """The one text of that step, which has to have that result; a failure has a remedy."""
    assert [one["result"] for one in steps[step]] == [result], steps
    (one,) = steps[step]
    assert result != "failed" or one.get("remedy") or step == "verdict", one
    return one["text"] + " | " + one.get("remedy", "")


def test_all_is_well(lab, pair):
    portal, _ = pair
    with listener(lab.server, "10.73.0.2", 8080):
        steps = explain(portal, portal.conf, "10.73.0.2:8080")
    assert "is up since 20" in words(steps, "portal", "ok")
    assert "10.3.0.2:4433, gate.example.net, " in words(steps, "gate", "ok")
    assert "10.73.0.2 goes into the tunnel: 10.73.0.0/24 through usher0 (table 30" in words(steps, "route", "ok")
    assert words(steps, "probe", "ok").startswith("tcp opened through the tunnel, and closed again")
    assert 0 < steps["probe"][0]["took_us"] < 2_000_000
    assert portal.flows() == [] or all(flow["via"] != "handed" for flow in portal.flows())


@pytest.mark.parametrize("where,protocol,text,remedy", [
    ("10.73.0.2:9", "tcp", "Connection refused", "start the service"),
    ("10.73.0.66:22", "tcp", "not permitted", "usher-gate explain"),
    ("10.73.0.88:22", "tcp", "No route to host", "the gate's host finds no way"),
    ("[fd73::2]:9", "tcp", "Connection refused", "start the service"),
])
def test_what_the_far_side_says(pair, where, protocol, text, remedy):
    portal, _ = pair
    steps = explain(portal, portal.conf, where, protocol, code=1)
    said = words(steps, "probe", "failed")
    assert text in said and remedy in said


def test_udp_ping_and_map(lab, pair):
    portal, _ = pair
    with datagram(lab.server, "10.73.0.2", ("10.73.0.2", 5353)):
        assert "UDP does not say" in words(explain(portal, portal.conf, "10.73.0.2:5353", "udp"), "probe", "ok")
    assert "10.73.0.2 answered a ping" in words(explain(portal, portal.conf, "10.73.0.2"), "probe", "ok")
    assert "fd73::2 answered a ping" in words(explain(portal, portal.conf, "fd73::2"), "probe", "ok")
    assert "no answer to a ping of 10.73.0.66" in words(explain(portal, portal.conf, "10.73.0.66", code=1), "probe", "failed")
    steps = explain(portal, portal.conf, "10.50.0.2:9", code=1)
    assert words(steps, "map", "ok").startswith("10.50.0.2 is 10.73.0.2 over there")


def test_routes_that_lead_elsewhere(lab, pair):
    portal, _ = pair
    steps = explain(portal, portal.conf, "10.3.0.2:9", code=1)
    said = words(steps, "route", "failed")
    assert "10.3.0.2 is in no Route of" in said and "leaves by 0.0.0.0/0 via 10.2.0.1 through wan (table 254)" in said
    assert "add a prefix with 10.3.0.2 to Route" in said
    portal.host.run("ip", "route", "add", "10.73.0.0/28", "via", "10.2.0.1")
    try:
        steps = explain(portal, portal.conf, "10.73.0.2:9", code=1)
        said = words(steps, "route", "failed")
        assert "by a more specific route of this machine: 10.73.0.0/28 via 10.2.0.1 through wan (table 254)" in said
        assert "10.73.0.0/24 is the longest there" in said
    finally:
        portal.host.run("ip", "route", "del", "10.73.0.0/28")
    assert "is this machine's own address" in words(explain(portal, portal.conf, "10.1.0.1:22", code=1), "route", "failed")


@pytest.mark.parametrize("argv,words", [
    (["10.73.0.2:0"], "is no destination"), (["10.73.0.2:x"], "is no destination"), (["a b"], "is no destination"),
    (["10.73.0.2", "tcp"], "tcp needs a port"), (["10.73.0.2:1", "sctp"], "is no protocol"), ([], "DESTINATION is missing"),
    (["10.73.0.2:1", "tcp", "more"], "one argument too many"),
])
def test_wrong_usage(pair, argv, words):
    for program, first in zip(pair, (pair[0].conf, "branch")):
        command = USHER_GATE if isinstance(program, Gate) else USHER_TUN
        done = program.host.run(command, "explain", first, *argv, check=False)
        assert done.returncode == 2 and words in done.stderr, done.stderr


def test_as_text(lab, pair):
    portal, _ = pair
    text = portal.host.run(USHER_TUN, "explain", portal.conf, "10.73.0.2:9", check=False).stdout
    assert text.splitlines()[0] == f"portal {portal.name} to 10.73.0.2:9, tcp"
    assert "  FAILED  probe" in text and "\n          remedy       " in text


# The gate, without traffic.


def test_the_gate_says_who_may(pair):
    _, gate = pair
    line = gate.conf.read_text().splitlines().index("Deny = 10.73.0.66/32") + 1
    steps = explain(gate, "branch", "10.73.0.66:22", code=1)
    assert "branch is connected from 10.2.0.2:" in words(steps, "portal", "ok")
    assert f"of [Access branch] in {gate.conf}; the first that matches" in words(steps, "rules", "ok")
    said = words(steps, "address", "failed")
    assert f"10.73.0.66 is denied: {gate.conf}:{line}: Deny = 10.73.0.66/32" in said
    assert f"put Allow = tcp:10.73.0.66:22 above line {line}" in said
    assert words(explain(gate, "shop-7", "10.73.0.4:22"), "rules", "ok").startswith("of [Access shop-*] in ")
    steps = explain(gate, "branch", "10.73.0.2:22")
    assert f"10.73.0.2 is allowed: {gate.conf}:{line + 1}: Allow = 10.73.0.0/24" in words(steps, "address", "ok")
    assert "this host reaches 10.73.0.2 by 10.73.0.0/24 through inner" in words(steps, "route", "ok")
    said = words(explain(gate, "branch", "192.0.2.1:80", code=1), "address", "failed")
    assert "no rule allows it" in said and "add Allow = tcp:192.0.2.1:80 to [Access branch]" in said
    said = words(explain(gate, "branch", "10.3.0.2:22", code=1), "address", "failed")
    assert "no rule allows it" in said
    said = words(explain(gate, "branch", "127.0.0.1:22", code=1), "address", "failed")
    assert "no rule allows it" in said


def test_the_gate_knows_sections_exports_and_local(pair):
    _, gate = pair
    assert "has none for nobody" in words(explain(gate, "nobody", "10.73.0.2:22", code=1), "rules", "failed")
    steps = explain(gate, "other", "10.73.0.3:80")
    assert "no portal other is connected now" in words(steps, "portal", "note")
    assert "Local = yes" in words(steps, "local", "note")
    steps = explain(gate, "other", "10.71.0.7:80", code=1)
    assert words(steps, "export", "note").startswith("10.71.0.0/24 is routed into the tunnel of branch: ")


def test_the_gate_judges_names(pair, tmp_path):
    _, gate = pair
    steps = explain(gate, "branch", "a.corp.example:23", code=1)
    assert steps["name"][0]["text"].startswith("a.corp.example is resolved: no rule decides by the name alone")
    steps = explain(gate, "other", "a.corp.example:22", code=1)
    assert steps["name"][0]["text"].startswith("a.corp.example is denied without being resolved") or \
        "is resolved" in steps["name"][0]["text"]
    hosts = tmp_path / "hosts"
    hosts.write_text("10.73.0.2 db.test\n10.73.0.66 db.test\n127.0.0.1 localhost\n")
    with bound(gate, hosts) as enter:
        done = run(*enter, USHER_GATE, "explain", "branch", "db.test:22", "--config", gate.conf, "--json", check=False)
    answer = json.loads(done.stdout)
    found = {(one["result"], one["text"].split(":")[0]) for one in answer["steps"] if one["step"] == "address"}
    assert found == {("ok", "10.73.0.2 is allowed"), ("note", "10.73.0.66 is denied")} and answer["works"], answer


@contextlib.contextmanager
def bound(program, hosts):
    """A command line before another, which then has this /etc/hosts."""
    yield [*program.host.argv("unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh")]


def test_the_file_alone_is_enough(pair, tmp_path):
    _, gate = pair
    conf = tmp_path / "elsewhere.conf"
    conf.write_text(gate.conf.read_text().replace("10.73.0.66", "10.73.0.67"))
    steps = explain(gate, "branch", "10.73.0.67:22", "--config", conf, code=1)
    assert "this is what the file says" in words(steps, "portal", "note")
    conf.write_text("[Gate]\nListne = 1\n")
    done = gate.host.run(USHER_GATE, "explain", "branch", "10.73.0.67:22", "--config", conf, check=False)
    assert done.returncode == 2 and "elsewhere.conf:2" in done.stderr


# Without a tunnel: the way to the gate.


def down(lab, directory, pki, **kwargs):
    return Portal(lab, directory, pki, name="lost", device="usher9", **kwargs)


def test_the_way_to_a_gate_that_is_well(lab, pair, pki, tmp_path):
    portal = down(lab, tmp_path, pki, certificate="other")
    steps = explain(portal, portal.conf, "10.73.0.2:80", code=1)
    assert "is not running" in words(steps, "portal", "failed") and "usher-tun up" in words(steps, "portal", "failed")
    assert "in date" in words(steps, "certificate", "ok")
    assert "10.3.0.2:4433 is connected to" in words(steps, "connect", "ok")
    assert "has proved who it is" in words(steps, "tls", "ok") and steps["tls"][0]["took_us"] > 0
    assert "the gate gate.example.net lets us in" in words(steps, "login", "ok")
    assert "probe" not in steps


def test_where_the_way_ends(lab, pair, pki, tmp_path):
    portal = down(lab, tmp_path, pki, address="10.3.0.2:4499")
    said = words(explain(portal, portal.conf, "10.73.0.2:80", code=1), "connect", "failed")
    assert "Connection refused" in said and "usher-gate status shows where it listens" in said
    portal = down(lab, tmp_path, pki, gate_name="elsewhere.example")
    said = words(explain(portal, portal.conf, "10.73.0.2:80", code=1), "tls", "failed")
    assert "elsewhere.example" in said and "compare CA and Name" in said
    portal = down(lab, tmp_path, pki, address="no-such-gate.invalid:4433")
    said = words(explain(portal, portal.conf, "10.73.0.2:80", code=1), "resolve", "failed")
    assert "no-such-gate.invalid" in said and "[Gate] Address" in said
    portal = down(lab, tmp_path, pki)
    portal.conf.write_text(portal.conf.read_text().replace("branch.key", "other.key"))
    assert "usher-tun check" in words(explain(portal, portal.conf, "10.73.0.2:80", code=1), "certificate", "failed")


def test_a_revoked_certificate(lab, pki, tmp_path):
    run("cp", "-r", pki, tmp_path / "pki")
    run(USHER_PKI, "issue", tmp_path / "pki", "portal", "gone")
    run(USHER_PKI, "revoke", tmp_path / "pki", "gone")
    gate = Gate(lab, tmp_path, tmp_path / "pki", name="strict", listen="10.3.0.2:4455").start()
    try:
        portal = down(lab, tmp_path, tmp_path / "pki", certificate="gone", address="10.3.0.2:4455")
        steps = explain(portal, portal.conf, "10.73.0.2:80", code=1)
        said = words(steps, "tls", "failed")
        assert "refused our certificate" in said and "the gate's log says why" in said
    finally:
        gate.stop()
