# SPDX-License-Identifier: GPL-2.0-or-later
"""Two sites of two hosts each, with real programs and much traffic, in both directions at once: whatever goes out of the
branch goes into it just so."""

import concurrent.futures
import contextlib
import errno
import getpass
import json
import os
import socket
import struct
import subprocess
import threading

import pytest

from lab import patience, wait_until
from sites import MIB, Sites, check_keystream, joined_sites, keystream, reached, send_keystream, spoken_to, start_sshd, ways
from sites import ssh_options
from test_closing import AMOUNTS, ORDERS, play
from traffic import Server, datagram, each_connection, receive_all

# In each of four streams at once, of which two go each way; 1024 for the whole of it.
MEBIBYTES = int(os.environ.get("EXTRANET_MIB", 64))
FLOWS = 200  # each way
ACCESS = """
[Access branch]
Deny = 10.73.0.66, fd73::66
Allow = 10.73.0.0/24, fd73::/64
Export = 10.1.0.0/24, fd01::/64
"""
ACCEPT = """
[Accept]
Deny = 10.1.0.66, fd01::66
Allow = 10.1.0.0/24, fd01::/64
"""
ABSENT = ("10.73.0.88", "fd73::88"), ("10.1.0.88", "fd01::88")
DENIED = ("10.73.0.66", "fd73::66"), ("10.1.0.66", "fd01::66")
BOTH = pytest.mark.parametrize("version", [4, 6])
DIRECTIONS = pytest.mark.parametrize("direction", [0, 1], ids=["portal-to-gate", "gate-to-portal"])


@pytest.fixture(scope="module")
def lab():
    lab = Sites()
    yield lab
    lab.delete()


@pytest.fixture(scope="module")
def joint(lab, pki, tmp_path_factory):
    with joined_sites(lab, tmp_path_factory.mktemp("traffic"), pki, ACCESS, ACCEPT) as both:
        yield both


def at_once(*calls):
    """What each returns."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(call) for call in calls]]


# How opens fail


@BOTH
@DIRECTIONS
def test_how_opens_fail(joint, lab, direction, version):
    way = ways(lab)[direction]
    for call in (reached, spoken_to):
        assert call(way, version, 81) == errno.ECONNREFUSED
        assert call(way, version, 81, DENIED[direction][version == 6]) == (errno.EACCES if version == 6 else
                                                                          errno.EHOSTUNREACH)


@DIRECTIONS
def test_one_socket_and_two_far_ends(joint, lab, direction):
    """Each datagram to a closed port is refused, and the association with who answers stays what it is."""
    way = ways(lab)[direction]
    with datagram(way.target, way.pick(4), (way.pick(4), 7)) as far, way.datagram(4) as sock:
        sock.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        way.target.sysctl("net.ipv4.icmp_ratelimit", 0)
        seen = set()
        for _ in range(4):
            sock.sendto(b"good", (way.pick(4), 7))
            seen.add(far.recvfrom(100)[1])
            sock.sendto(b"bad", (way.pick(4), 69))
            with pytest.raises(ConnectionRefusedError):
                sock.recv(100)
            assert sock.recvmsg(100, 512, socket.MSG_ERRQUEUE)[3] == (way.pick(4), 69)
        way.target.sysctl("net.ipv4.icmp_ratelimit", 1000)
        assert len(seen) == 1


def test_nobody_there(joint, lab):
    cases = [(way, version, absent[version == 6]) for way, absent in zip(ways(lab), ABSENT) for version in (4, 6)]
    for call in (reached, spoken_to):
        seen = at_once(*(lambda case=case: call(case[0], case[1], 81, case[2]) for case in cases))
        assert seen == [errno.EHOSTUNREACH] * len(cases)


@BOTH
def test_pings_between_all_hosts(joint, lab, version):
    outputs = at_once(*(lambda way=way: way.ping(version, count=5) for second in (False, True)
                        for way in ways(lab, second)))
    assert all("5 received" in output for output in outputs)
    for way in ways(lab):
        assert "1 received" in way.ping(version, "-s", "20000", count=1)


# Closing


@BOTH
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_order_into_the_branch(joint, lab, order, version):
    """The same table as out of it (test_closing.py)."""
    for amount in AMOUNTS:
        with ways(lab)[1].connected(version) as pair:
            play(*pair, amount, *order)


def test_every_order_in_two_hundred_flows_each_way(joint, lab):
    """All are open before the first one ends."""
    begin = threading.Barrier(2 * FLOWS, timeout=patience(60))

    def one(number):
        order, amount = ORDERS[number % len(ORDERS)], AMOUNTS[number // len(ORDERS) % len(AMOUNTS)]
        direction, version = number // FLOWS, 4 + 2 * (number % 5 == 0)
        with ways(lab, second=number % 2)[direction].connected(version) as pair:
            begin.wait()
            try:
                play(*pair, amount, *order)
            except (AssertionError, OSError) as failure:
                return f"{direction} IPv{version} {amount} {order}: {failure!r}"
        return None

    wrong = [why for why in at_once(*(lambda number=number: one(number) for number in range(2 * FLOWS))) if why]
    assert not wrong


# Much


def serve_volume(sock):
    """Checks a stream and sends one of its own at the same time; the verdict comes last."""
    with sock:
        seed, back, mebibytes = struct.unpack("!QQI", receive_all(sock, 20))
        sender = threading.Thread(target=send_keystream, args=(sock, back, mebibytes))
        sender.start()
        verdict = check_keystream(sock, seed, mebibytes)
        sender.join()
        sock.sendall((verdict or "good").encode())


def volume(way, version, seed):
    with Server(way.listener(version), each_connection(serve_volume)) as where, way.stream(version, 600) as sock:
        sock.connect(where)
        sock.sendall(struct.pack("!QQI", seed, seed + 1, MEBIBYTES))
        sender = threading.Thread(target=send_keystream, args=(sock, seed, MEBIBYTES))
        sender.start()
        verdict = check_keystream(sock, seed + 1, MEBIBYTES)
        sender.join()
        return verdict or receive_all(sock).decode()


def test_streams_differ_everywhere():
    """No MiB of one is another's, nor another one of its own: what is misplaced is seen."""
    blocks = [next(stream) for stream in (keystream(seed) for seed in range(4)) for _ in range(4)]
    assert len({block[at:at + 4096] for block in blocks for at in range(0, MIB, 4096)}) == len(blocks) * MIB // 4096


def test_volume_both_ways_at_once(joint, lab):
    """Of two connections that either side has opened, each full both ways: every byte at its offset."""
    out, into = ways(lab)
    assert at_once(lambda: volume(out, 4, 100), lambda: volume(into, 6, 200)) == ["good", "good"]


# Real programs


@contextlib.contextmanager
def running(*processes):
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def iperf3(way, version, *options):
    done = way.source.run("timeout", patience(15), "iperf3", "-c", way.pick(version), "-B", way.own[version == 6], "-t", 1, "-J", *options, check=False)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)["end"]


@BOTH
def test_iperf3(joint, lab, version):
    both = ways(lab)
    with running(*(way.target.start("iperf3", "-s", "-B", way.pick(version), stdout=subprocess.DEVNULL) for way in both)):
        for way in both:
            wait_until(lambda: ":5201 " in way.target.run("ss", "-Hlnt").stdout, 5, "iperf3")
        for end in at_once(*(lambda way=way: iperf3(way, version, "-P", 4) for way in both)):
            assert end["sum_sent"]["bytes"] > 0
            assert abs(end["sum_sent"]["bytes"] - end["sum_received"]["bytes"]) < 64 * MIB  # of which the rest was on its way
        for end in at_once(*(lambda way=way: iperf3(way, version, "-u", "-b", "20M", "-l", 1200) for way in both)):
            assert end["sum"]["packets"] > 2000 and end["sum"]["lost_percent"] < 10  # a busy machine loses some


def ssh(way, keys, version, *command, **kwargs):
    return way.source.run("timeout", patience(20), "ssh", *ssh_options(keys), "-b", way.own[version == 6],
                          f"{getpass.getuser()}@{way.pick(version)}", *command, **kwargs)


@BOTH
def test_ssh(joint, lab, tmp_path, version):
    both = ways(lab)
    for way in both:
        (tmp_path / way.target.name).mkdir()
    with running(*(start_sshd(way.target, tmp_path / way.target.name) for way in both)):
        for way in both:
            keys = tmp_path / way.target.name
            seen = ssh(way, keys, version, "echo $SSH_CONNECTION; exit 7", check=False)
            assert seen.returncode == 7 and seen.stdout.split()[2:] == [way.pick(version), "22"]
            assert ssh(way, keys, version, "wc -c", input="x" * 300000).stdout.strip() == "300000"


@BOTH
def test_names(joint, lab, version):
    both = ways(lab)
    servers = [way.target.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
                                "--pid-file=", "--bind-interfaces", f"--listen-address={way.pick(version)}",
                                f"--address=/web.example/{way.pick(4)}") for way in both]
    with running(*servers):
        for way in both:
            for transport in ("+notcp", "+tcp"):
                done = way.source.run("dig", f"@{way.pick(version)}", "-b", way.own[version == 6], transport, "+short",
                                      "+tries=5", "+time=2", "web.example")
                assert done.stdout.strip() == way.pick(4)


def test_a_look_at_it_all(joint, lab):
    """The listings of both ends say which way a flow goes."""
    portal, gate = joint
    out, into = ways(lab)
    with out.connected(4), into.connected(4):
        via = {flow["via"] for flow in portal.flows()}
        assert {"capture", "dial"} <= via
    assert portal.status()["state"] == "up" and len(gate.status()["portals"]) == 1
