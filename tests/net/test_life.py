# SPDX-License-Identifier: GPL-2.0-or-later
"""How a portal's life begins and ends as the person sees it who typed the command, and what is left afterwards."""

import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from lab import patience, run, wait_until
from programs import USHER_GATE, USHER_PKI, USHER_TUN, Gate, Portal, joined, make_pki

RUN = pathlib.Path("/run/usher")


def assert_nothing_left(lab):
    assert "usher0" not in lab.portal.run("ip", "link").stdout
    for family in ("-4", "-6"):
        assert "0x7573" not in lab.portal.run("ip", family, "rule").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_up_is_interrupted(lab, pki, tmp_path, number):
    """Nobody listens at the gate's address and UpTimeout is for ever; the person loses patience first."""
    portal = Portal(lab, tmp_path, pki, extra="UpTimeout = 0", name="interrupted")
    command = lab.portal.start(USHER_TUN, "up", portal.conf, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: "0x7573" in lab.portal.run("ip", "rule").stdout, 5, "the rules")
    command.send_signal(number)
    _, told = command.communicate(timeout=patience(10))
    assert command.returncode == 1 and "interrupted" in told
    assert_nothing_left(lab)
    assert not (RUN / portal.name).exists()


def test_a_refusal_is_told_at_once(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki).start()
    try:
        portal = Portal(lab, tmp_path, pki, gate_name="other.example.net", extra="UpTimeout = 0", name="refused")
        begun = time.monotonic()
        done = lab.portal.run(USHER_TUN, "up", portal.conf, check=False)
        assert time.monotonic() - begun < patience(5)
        assert done.returncode == 1
        assert done.stderr.count("is for another name") == 1  # one sentence, once
        assert_nothing_left(lab)
    finally:
        gate.stop()


def test_an_orderly_end_gives_the_slot_back(lab, pki, tmp_path):
    """Without rights by then, it leaves a shell of its place; whoever starts next sweeps it up."""
    gate = Gate(lab, tmp_path, pki).start()
    try:
        first = Portal(lab, tmp_path, pki, name="first").start()
        place = RUN / first.name
        assert (place / "slot").read_text().strip() != "0"
        assert first.kill(signal.SIGTERM) == 0
        assert_nothing_left(lab)
        assert not place.exists() or (place / "slot").read_text() == ""
        second = Portal(lab, tmp_path, pki, name="second").start()
        assert not place.exists()
        second.down()
    finally:
        gate.stop()


def test_the_log_is_bounded(lab, pki, tmp_path):
    """It lies in memory: past 1 MiB it begins anew with the next line."""
    gate = Gate(lab, tmp_path, pki).start()
    portal = Portal(lab, tmp_path, pki, name="talkative")
    log = RUN / portal.name / "log"
    try:
        lab.portal.run(USHER_TUN, "up", portal.conf)
        with log.open("a") as file:
            file.write("x" * 2**20)
        gate.stop()
        wait_until(lambda: log.stat().st_size < 2**20, 5, "a new log")
        assert "begins anew" in log.read_text()
    finally:
        portal.down(check=False)
        gate.stop()


@pytest.fixture
def anybodys_usher_tun():
    """A copy that whoever may run: the tree may lie where nobody else can look."""
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory).chmod(0o755)
        yield shutil.copy(USHER_TUN, directory)


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_without_rights_the_person_is_told_what_to_do(lab, pki, anybodys_usher_tun, command):
    conf = Portal(lab, pathlib.Path(anybodys_usher_tun).parent, pki).conf
    done = lab.portal.run("setpriv", "--reuid=65534", "--clear-groups", anybodys_usher_tun, command, conf, check=False)
    assert done.returncode == 1 and "sudo" in done.stderr


def test_what_runs_out_is_said_in_time(lab, tmp_path):
    """A warning is no mistake."""
    pki = make_pki(tmp_path / "pki")
    run(USHER_PKI, "crl", pki, "5")
    portal, gate = Portal(lab, tmp_path, pki), Gate(lab, tmp_path, pki)
    for program, conf in ((USHER_TUN, portal.conf), (USHER_GATE, gate.conf)):
        done = run(program, "check", conf)
        line = conf.read_text().splitlines().index(f"CRL = {pki}/crl.pem") + 1
        assert done.stderr.startswith(f"{conf}:{line}: warning: CRL: {pki}/crl.pem is valid until ")
        assert re.search(r", for [45] more days: make a fresh one \(usher-pki crl DIR\)\n\Z", done.stderr)
        assert done.stderr.count("\n") == 1


def test_status_tells_until_when(lab, pki, tmp_path):
    """At both ends, as an object for programs and as a table for people."""
    with joined(lab, tmp_path, pki) as (portal, gate):
        for program, own, name in ((USHER_TUN, portal, "branch"), (USHER_GATE, gate, "gate.example.net")):
            told = {item["credential"]: item for item in own.status()["validity"]}
            assert {key: item["file"] for key, item in told.items()} == {
                "CA": f"{pki}/ca.crt", "Certificate": f"{pki}/{name}.crt", "CRL": f"{pki}/crl.pem"}
            assert told["Certificate"]["days_left"] == 824 and told["CRL"]["days_left"] == 179
            assert 3640 < told["CA"]["days_left"] < 3660
            text = own.host.run(program, "status", own.name).stdout
            expires = told["Certificate"]["expires"]
            assert re.search(rf"^Certificate +{expires} +824  {pki}/{name}.crt$", text, re.M), text


def test_a_congestion_control_that_is_not_there_is_said(lab, pki, tmp_path):
    portal = Portal(lab, tmp_path, pki, extra="Congestion = nosuch")
    done = run(USHER_TUN, "check", portal.conf)
    line = portal.conf.read_text().splitlines().index("Congestion = nosuch") + 1
    assert done.stderr == f"{portal.conf}:{line}: warning: this kernel has no congestion control nosuch: its own will be used\n"


@pytest.mark.parametrize("argv", [(USHER_TUN, "up", "--help"), (USHER_TUN, "-h"), (USHER_GATE, "status", "--help")])
def test_help_is_no_mistake(argv):
    done = run(*argv)
    assert done.stdout.startswith("usage: ") and not done.stderr
