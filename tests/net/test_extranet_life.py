# SPDX-License-Identifier: GPL-2.0-or-later
"""Two sites as one, when one end goes: what was routed into the tunnel fails honestly, comes back without a touch, and
nothing is left behind."""

import errno
import os
import signal

from lab import replace_device, wait_until
from programs import USHER_GATE, Gate
from sites import await_exports
from traffic import TIMEOUT, Server, each_connection, listener, receive_all, serve_echo, stream
from test_extranet import ACCESS, CLIENT4, reached, sites


def test_the_portal_goes_and_comes_back(lab, pki, tmp_path):
    with sites(lab, tmp_path, pki) as (portal, gate):
        assert reached(lab, (CLIENT4, 81)) == errno.ECONNREFUSED
        portal.down()
        wait_until(lambda: not gate.status()["portals"], 5, "the portal's end")
        assert reached(lab, (CLIENT4, 81)) == errno.EHOSTUNREACH
        portal.start()
        await_exports(gate)
        assert reached(lab, (CLIENT4, 81)) == errno.ECONNREFUSED
        assert "No such device" not in gate.log()  # what went with the device is no fault


def test_a_worker_that_is_killed(lab, pki, tmp_path):
    with sites(lab, tmp_path, pki) as (portal, gate):
        gate.crashed_on_demand = True
        os.kill(gate.worker_pids()[0], signal.SIGKILL)
        wait_until(lambda: reached(lab, (CLIENT4, 81)) == errno.ECONNREFUSED, 5, "the next worker")


def test_a_deleted_device_is_made_again(lab, pki, tmp_path):
    with sites(lab, tmp_path, pki) as (_, gate):
        worker = gate.worker_pids()
        with Server(listener(lab.client, CLIENT4), each_connection(serve_echo)) as where, \
                stream(lab.server)(CLIENT4, TIMEOUT) as flow:
            flow.connect(where)
            for _ in range(2):
                lab.gate.run("ip", "link", "del", "ux0")
                wait_until(lambda: reached(lab, where) == 0, 2, "the device")
                flow.sendall(b"still there")
                assert receive_all(flow, 11) == b"still there"
        assert gate.worker_pids() == worker
        assert gate.log().count("ux0 was deleted by another program; made again") == 2


def test_a_device_that_cannot_be_made_again(lab, pki, tmp_path):
    """The worker ends, and the next login gets another one."""
    with sites(lab, tmp_path, pki) as (_, gate):
        try:
            replace_device(lab.gate, "ux0", gate.pid())
            wait_until(lambda: "the device of its exports is gone" in gate.log(), 5, "the worker's end")
            wait_until(lambda: reached(lab, (CLIENT4, 81)) == errno.ECONNREFUSED, 10, "the next device")
        finally:
            lab.gate.run("ip", "link", "del", "ux0")


def test_nothing_is_left(lab, pki, tmp_path):
    before = [lab.gate.run("ip", *what).stdout for what in (["rule"], ["-6", "rule"], ["route", "show", "table", "all"])]
    with sites(lab, tmp_path, pki) as (_, gate):
        assert lab.gate.run("ip", "link", "show", "ux0").stdout
        assert lab.gate.run("ip", "rule").stdout != before[0]
    after = [lab.gate.run("ip", *what).stdout for what in (["rule"], ["-6", "rule"], ["route", "show", "table", "all"])]
    assert after == before


def test_a_gate_that_was_killed_comes_back(lab, pki, tmp_path):
    with sites(lab, tmp_path, pki) as (portal, gate):
        gate.crashed_on_demand = True
        gate.kill(signal.SIGKILL)
        wait_until(lambda: reached(lab, (CLIENT4, 81)) == errno.EHOSTUNREACH, 5, "an honest failure")
        gate.start()
        portal.wait_up(15)
        await_exports(gate)
        assert reached(lab, (CLIENT4, 81)) == errno.ECONNREFUSED


def test_one_network_behind_two_portals(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki, access=ACCESS + "[Access other]\nExport = 10.1.0.0/24\n")
    done = lab.gate.run(USHER_GATE, "check", gate.conf, check=False)
    assert done.returncode == 2
    assert "Export: \"10.1.0.0/24\" is exported by [Access branch] already" in done.stderr
