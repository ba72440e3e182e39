# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is no longer trusted is out at once, and nobody else notices."""

import json

import pytest

from lab import SERVER4, wait_until
from programs import USHER_GATE, Gate, Portal
from traffic import connected

ACCESS = """
[Access branch]
Allow = 10.73.0.0/24
[Access other]
Allow = 10.73.0.0/24
"""


@pytest.fixture
def gate(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki, access=ACCESS).start()
    yield gate
    gate.stop()


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


def test_ending_says_when_there_is_nobody(lab, gate):
    done = end(lab, "branch")
    assert (done.returncode, done.stderr) == (1, "usher-gate: no portal branch is connected\n")
    done = end(lab, "branch", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["ended"] == 0
    assert lab.gate.run(USHER_GATE, "end", check=False).returncode == 2
