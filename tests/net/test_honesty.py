# SPDX-License-Identifier: GPL-2.0-or-later
"""An application behind the portal sees what it would see without a tunnel (interface.md, "How opens fail")."""

import errno
import socket

import pytest

import lab as net
from lab import patience
from traffic import (PAGE, Server, connect_error, connected, datagram, each_connection, listener, refusal, reset,
                     serve_echo, serve_page, stream)

BOTH = pytest.mark.parametrize("version", [4, 6])


def pick(version, v4, v6):
    return v4 if version == 4 else v6


def ping(lab, count, address, *options):
    """What ping(8) printed. It waits for the last answer no longer than its interval once an earlier one has come: over a
    wire that loses packets, that has to be time for one more sending."""
    interval = 1 if lab.round_trip else 0.2  # seconds
    return lab.client.run("ping", "-n", "-c", count, "-i", interval, "-W", 2, *options, address, check=False).stdout


@BOTH
def test_a_web_page(tunnel, lab, version):
    with Server(listener(lab.server, pick(version, net.SERVER4, net.SERVER6)), each_connection(serve_page)) as where:
        url = "http://%s:%d/" % (where[0] if version == 4 else f"[{where[0]}]", where[1])
        assert lab.client.run("curl", "-sS", "--max-time", "10", url).stdout == PAGE


@BOTH
def test_names_over_udp_and_tcp(tunnel, lab, version):
    address = pick(version, net.NAMESERVER4, net.NAMESERVER6)
    names = lab.server.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
                             "--bind-interfaces", f"--listen-address={address}",
                             f"--address=/web.corp.example/{net.SERVER4}")
    try:
        for transport in ("+notcp", "+tcp"):
            done = lab.client.run("dig", f"@{address}", transport, "+short", "+tries=5", "+time=2", "web.corp.example")
            assert done.stdout.strip() == net.SERVER4
    finally:
        names.kill()
        names.wait()


@BOTH
def test_ping_is_real(tunnel, lab, version):
    assert "3 received" in ping(lab, 3, pick(version, net.SERVER4, net.SERVER6))
    assert "0 received, 100%" in ping(lab, 1, pick(version, net.SILENT4, net.SILENT6))


@BOTH
def test_a_large_ping(tunnel, lab, version):
    assert "2 received" in ping(lab, 2, pick(version, net.SERVER4, net.SERVER6), "-s", 20000)


@BOTH
def test_a_closed_port_is_refused_at_once(tunnel, lab, version):
    error, seconds = refusal(lab, pick(version, net.SERVER4, net.SERVER6), 1)
    assert error == errno.ECONNREFUSED
    assert seconds < lab.round_trip + patience(0.05)


@BOTH
def test_an_address_without_a_host_is_unreachable(tunnel, lab, version):
    error, _ = connect_error(lab, pick(version, net.ABSENT4, net.ABSENT6), 80)
    assert error == errno.EHOSTUNREACH


@BOTH
def test_a_denied_address_is_prohibited(tunnel, lab, version):
    error, seconds = refusal(lab, pick(version, net.DENIED4, net.DENIED6), 80)
    assert error == pick(version, errno.EHOSTUNREACH, errno.EACCES)
    assert seconds < lab.round_trip + patience(0.05)


@BOTH
def test_a_silent_address_stays_silent(tunnel, lab, version):
    error, seconds = connect_error(lab, pick(version, net.SILENT4, net.SILENT6), 80, timeout=12)
    assert error == errno.ETIMEDOUT
    assert seconds >= 12


@BOTH
def test_the_gates_own_addresses_are_denied(tunnel, lab, version):
    for address in pick(version, ("10.73.0.1",), ("fd73::1",)):
        error, _ = connect_error(lab, address, 22)
        assert error == pick(version, errno.EHOSTUNREACH, errno.EACCES)


@BOTH
def test_a_reset_by_the_server_is_a_reset(tunnel, lab, version):
    with connected(lab, pick(version, net.SERVER4, net.SERVER6)) as (client, server):
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        reset(server)
        with pytest.raises(ConnectionResetError):
            client.recv(1)


@BOTH
def test_a_reset_by_the_client_is_a_reset(tunnel, lab, version):
    with connected(lab, pick(version, net.SERVER4, net.SERVER6)) as (client, server):
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        reset(client)
        with pytest.raises(ConnectionResetError):
            server.recv(1)


@BOTH
def test_a_closed_udp_port_is_refused(tunnel, lab, version):
    address = pick(version, net.SERVER4, net.SERVER6)
    with datagram(lab.client, address) as sock:
        sock.connect((address, 1))
        sock.settimeout(patience(5))
        sock.send(b"anyone?")
        with pytest.raises(ConnectionRefusedError):
            sock.recv(100)


@BOTH
def test_traffic_of_the_portal_itself_goes_through_too(tunnel, lab, version):
    address = pick(version, net.SERVER4, net.SERVER6)
    with Server(listener(lab.server, address), each_connection(serve_echo)) as where:
        with stream(lab.portal)(address) as sock:
            sock.connect(where)
            sock.sendall(b"from the router")
            assert sock.recv(100) == b"from the router"
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(100) == b""
