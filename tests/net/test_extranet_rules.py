# SPDX-License-Identifier: GPL-2.0-or-later
"""Two portals behind one gate: what one rule less means, and which of two exports that overlap is the right one."""

import errno
import itertools

import pytest

from lab import wait_until
from programs import Gate
from sites import CLIENTS, FAR4, FAR6, FAR_PART, SERVERS, Sites, Way, await_exports, joined_sites, reached, spoken_to, third_portal
from test_extranet_portals import ACCEPT, ACCESS, BOTH, ROUTES, THIRD, back, there
from traffic import TIMEOUT, Server, each_connection, receive_all, serve_echo


@pytest.fixture(scope="module")
def lab():
    lab = Sites()
    yield lab
    lab.delete()


UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH}
SILENCE = {0, errno.ETIMEDOUT}  # the wan host knows no way back to whom it would tell
DENIED = {4: {errno.EHOSTUNREACH}, 6: {errno.EACCES}}
LACKS = {
    "a route of the one": (ACCESS, "10.73.0.0/24, fd73::/64", THIRD, {4: SILENCE, 6: SILENCE}),
    "leave of the gate": (ACCESS.replace(", 10.5.0.0/24, fd05::/64", ""), ROUTES, THIRD, DENIED),
    "an export of the other": (ACCESS.replace("Export = 10.5.0.0/24, fd05::/64\n", ""), ROUTES, THIRD,
                               {4: UNREACHABLE, 6: UNREACHABLE}),
    "leave of the other": (ACCESS, ROUTES, (THIRD[0], THIRD[1].replace("10.5.0.0/24, fd05::/64, ", "")), DENIED),
}


@pytest.mark.parametrize("lacking", LACKS)
def test_without_any_of_them(lab, pki, tmp_path, lacking):
    access, routes, third, errors = LACKS[lacking]
    with joined_sites(lab, tmp_path, pki, access, ACCEPT, routes, third):
        for version in (4, 6):
            with Server(there(lab).listener(version), each_connection(serve_echo)) as where:
                seconds = 1 if errors[version] is SILENCE else TIMEOUT
                assert reached(there(lab), version, where[1], timeout=seconds) in errors[version]
            assert spoken_to(there(lab), version, seconds=seconds) in errors[version]
            assert " 0 received" in there(lab).ping(version, count=1)
            assert reached(back(lab), version) == errno.ECONNREFUSED  # the other way round nothing is lacking


def test_two_gates_on_one_host(lab, pki, tmp_path):
    """Each with an export of its own: devices, tables and rules of the one are not the other's."""
    second = Gate(lab, tmp_path, pki, name="gate2", listen="10.3.0.2:4434", access="[Access other]\nExport = 10.5.0.0/24\n")
    other = third_portal(lab, tmp_path, pki, "10.73.0.0/24", "\n[Accept]\nAllow = 10.5.0.0/24\n")
    other.conf.write_text(other.conf.read_text().replace("10.3.0.2:4433", "10.3.0.2:4434"))
    to_other = Way(lab.server, SERVERS[0], lab.far, (FAR4, FAR6))
    to_branch = Way(lab.server, SERVERS[0], lab.client, CLIENTS[0])
    with joined_sites(lab, tmp_path, pki, "[Access branch]\nExport = 10.1.0.0/24\n", ACCEPT):
        second.start()
        try:
            other.start()
            await_exports(second)
            assert reached(to_other, 4) == errno.ECONNREFUSED
            assert reached(to_branch, 4) == errno.ECONNREFUSED
        finally:
            other.down(check=False)
            second.stop()
        assert reached(to_branch, 4) == errno.ECONNREFUSED


def test_the_longest_prefix_wins(lab, pki, tmp_path):
    """Where exports overlap, and also while the portal of the longer one is away: what is its own goes nowhere else."""
    part = Way(lab.server, SERVERS[0], lab.far, FAR_PART)
    whole = Way(lab.server, SERVERS[0], lab.client, CLIENTS[0])
    with joined_sites(lab, tmp_path, pki, ACCESS, ACCEPT, ROUTES, THIRD) as (_, other, gate):
        for way, version in itertools.product((part, whole), (4, 6)):
            with Server(way.listener(version), each_connection(serve_echo)) as where, way.stream(version) as sock:
                sock.connect(where)
                sock.sendall(b"hello")
                assert receive_all(sock, 5) == b"hello"
        other.down()
        wait_until(lambda: len(gate.status()["portals"]) == 1, 5, "the end of the other portal")
        for version in (4, 6):
            assert reached(part, version) in UNREACHABLE
            assert reached(whole, version) == errno.ECONNREFUSED
