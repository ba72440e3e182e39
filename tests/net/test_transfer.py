# SPDX-License-Identifier: GPL-2.0-or-later
"""Large transfers arrive byte for byte, both ways at both versions, and a slow reader loses nothing."""

import hashlib
import os
import socket
import struct
import threading
import time

import pytest

import lab as net
from lab import patience
from traffic import (BLOCK, Server, connected, each_connection, listener, numbered_block, pattern, receive_all,
                     serve_sink, serve_source, stream)

MIB = int(os.environ.get("TRANSFER_MIB", 1024))
ADDRESSES = pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6])


def expected_digest(count):
    digest = hashlib.sha256()
    for number in range(count):
        digest.update(numbered_block(number))
    return digest.digest()


@ADDRESSES
def test_download(tunnel, lab, address):
    digest, room = hashlib.sha256(), bytearray(1 << 20)
    with Server(listener(lab.server, address), each_connection(serve_source)) as where:
        with stream(lab.client)(address) as sock:
            sock.connect(where)
            sock.sendall(struct.pack("!I", MIB))
            while got := sock.recv_into(room):
                digest.update(memoryview(room)[:got])
    assert digest.digest() == expected_digest(MIB)


@ADDRESSES
def test_upload(tunnel, lab, address):
    with Server(listener(lab.server, address), each_connection(serve_sink)) as where:
        with stream(lab.client)(address, 60) as sock:
            sock.connect(where)
            for number in range(MIB):
                sock.sendall(numbered_block(number))
            sock.shutdown(socket.SHUT_WR)
            assert receive_all(sock) == expected_digest(MIB)


@ADDRESSES
def test_both_ways_at_once(tunnel, lab, address):
    there, back = pattern("there", 20 << 20), pattern("back", 20 << 20)
    with connected(lab, address) as (client, server):
        got = {}
        threads = [
            threading.Thread(target=client.sendall, args=(there,)),
            threading.Thread(target=server.sendall, args=(back,)),
            threading.Thread(target=lambda: got.update(client=receive_all(client, len(back)))),
            threading.Thread(target=lambda: got.update(server=receive_all(server, len(there)))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(patience(60))
        assert got["server"] == there
        assert got["client"] == back


@ADDRESSES
def test_a_slow_reader_stops_the_sender_and_loses_nothing(tunnel, lab, address):
    data = pattern("slow", 40 << 20)
    with connected(lab, address) as (client, server):
        sender = threading.Thread(target=lambda: (server.sendall(data), server.shutdown(socket.SHUT_WR)))
        sender.start()
        time.sleep(1)
        assert sender.is_alive()  # 40 MiB do not fit into the windows on the way
        assert receive_all(client) == data
        sender.join(patience(10))


@ADDRESSES
def test_a_stalled_flow_does_not_stall_its_neighbour(tunnel, lab, address):
    data = pattern("neighbour", 8 << 20)
    with connected(lab, address) as (_, stuck_server):
        stuck_server.setblocking(False)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            try:
                stuck_server.send(BLOCK)
            except BlockingIOError:
                time.sleep(0.01)
        with connected(lab, address) as (client, server):
            sender = threading.Thread(target=lambda: (server.sendall(data), server.shutdown(socket.SHUT_WR)))
            sender.start()
            assert receive_all(client) == data
            sender.join()
