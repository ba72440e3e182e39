# SPDX-License-Identifier: GPL-2.0-or-later
"""A path that is long and has a deep queue: the tunnel's own connection must not fill that queue, or everything in the
tunnel waits in it."""

import pathlib
import statistics
import threading
import time

import pytest

import lab as net
from lab import Lab, SANITIZED, patience
from traffic import connected, serve_echo

ROUND_TRIP_MS = 40
LONG_WIRE = f"delay={ROUND_TRIP_MS // 2} rate=200 queue=8192"  # holds 1 MB on the way, and 8 in its queue

pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizers are slower than the path")


@pytest.fixture(scope="module")
def lab():
    lab = Lab(LONG_WIRE)
    yield lab
    lab.delete()


def pour(sock, until):
    """Sends for all it is worth."""
    piece = bytes(1 << 18)
    while time.monotonic() < until:
        sock.sendall(piece)


def drink(sock, room=1 << 18):
    """Receives to the end; the bytes."""
    total, piece = 0, bytearray(room)
    while length := sock.recv_into(piece):
        total += length
    return total


def round_trips_ms(client, seconds):
    found, end = [], time.monotonic() + seconds
    while (begin := time.monotonic()) < end:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        found.append((time.monotonic() - begin) * 1000)
    return found


@pytest.mark.parametrize("direction", ["up", "down"])
def test_round_trips_beside_bulk(tunnel, lab, figure, direction):
    if "bbr" not in pathlib.Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text():
        pytest.skip("this kernel has no bbr")  # it would have been loaded with the tunnel
    with connected(lab, net.SERVER4) as (client, server), connected(lab, net.SERVER4) as (asking, answering):
        source, sink = (client, server) if direction == "up" else (server, client)
        received = []
        begin = time.monotonic()
        end = begin + 5
        threads = [threading.Thread(target=pour, args=(source, end)), threading.Thread(target=serve_echo, args=(answering,)),
                   threading.Thread(target=lambda: received.append(drink(sink)))]
        for thread in threads:
            thread.start()
        time.sleep(2.5)  # bbr knows the path by then
        median = statistics.median(round_trips_ms(asking, 2))
        asking.close()
        threads[0].join()
        source.close()
        for thread in threads:
            thread.join()
        rate = received[0] * 8 / 1e6 / (time.monotonic() - begin)
        figure(f"{direction} over {ROUND_TRIP_MS} ms and 200 Mbit/s: {rate:.0f} Mbit/s, round trips beside it {median:.0f} ms")
        # bbr's own queue is 12 to 30 ms, and 60 where others keep the processors busy; a full start-up's is 90.
        assert median < 2.75 * ROUND_TRIP_MS * patience(1)
        assert rate > 100
