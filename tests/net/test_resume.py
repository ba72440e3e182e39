# SPDX-License-Identifier: GPL-2.0-or-later
"""A lost connection is a pause: whatever takes it away, what is open in the tunnel goes on byte for byte over the next.

RESUME_CUTS sets how often the line is cut in the long test.
"""

import contextlib
import os
import threading
import time

import pytest

from lab import SERVER4, wait_until
from programs import USHER_TUN, Gate, Portal, joined
from traffic import connected, pattern, receive_all

CUTS = int(os.environ.get("RESUME_CUTS", 10))


@pytest.fixture
def ends(lab, pki, tmp_path):
    with joined(lab, tmp_path, pki) as both:
        yield both


def cut(host):
    """The kernel takes the link's connection away from both who had it."""
    host.run("ss", "-K", "-t", "( sport = :4433 or dport = :4433 )")


def say(client, server, text):
    client.sendall(text)
    assert receive_all(server, len(text)) == text
    server.sendall(text)
    assert receive_all(client, len(text)) == text


def pauses(portal):
    return portal.status()["pauses"]


def wait_resumed(portal, count):
    wait_until(lambda: (status := portal.status())["state"] == "up" and status["pauses"] >= count, 10, "the pause is over")


def test_both_ways_are_shown(lab, ends):
    portal, _ = ends
    assert "pauses" not in lab.portal.run(USHER_TUN, "status", portal.name).stdout
    cut(lab.gate)
    wait_resumed(portal, 1)
    assert "  pauses      1, the last of " in lab.portal.run(USHER_TUN, "status", portal.name).stdout


@pytest.mark.parametrize("side", ["portal", "gate"])
def test_cut(lab, ends, side):
    portal, gate = ends
    time.sleep(0.3)
    with connected(lab, SERVER4) as (client, server):
        say(client, server, b"before")
        before = gate.worker_pids()
        cut(getattr(lab, side))
        say(client, server, b"after")
        assert gate.worker_pids() == before
        assert portal.status()["pauses"] == 1 and gate.status()["portals"][0]["tunnel"]["pauses"] == 1
    assert "the tunnel goes on over another connection" in portal.log()
    assert "branch: goes on over another connection, from 10.2.0.2:" in gate.log()
