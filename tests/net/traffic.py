# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets of both ends in one process: listeners and servers in the server's namespace, clients in the client's."""

import contextlib
import errno
import hashlib
import multiprocessing
import os
import random
import socket
import statistics
import struct
import threading
import time

from lab import patience, wait_until

TIMEOUT = patience(20)  # seconds that any one socket call may take in a test


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listener(host, address, port=0, backlog=1024):
    with host.enter():
        sock = socket.socket(family(address), socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(TIMEOUT)
    sock.bind((address, port))
    sock.listen(backlog)
    return sock


def stream(host):
    """A function of the address: a fresh client socket in `host`, not yet connected."""

    def make(address, timeout=TIMEOUT):
        with host.enter():
            sock = socket.socket(family(address), socket.SOCK_STREAM)
        sock.settimeout(timeout)
        return sock

    return make


@contextlib.contextmanager
def connected(lab, address):
    """A client's socket and the server's, joined through the tunnel."""
    with listener(lab.server, address) as listening:
        with stream(lab.client)(address) as client:
            client.connect(listening.getsockname()[:2])
            server, _ = listening.accept()
            server.settimeout(TIMEOUT)
            with server:
                yield client, server


def datagram(host, address, bind=None):
    with host.enter():
        sock = socket.socket(family(address), socket.SOCK_DGRAM)
    sock.settimeout(TIMEOUT)
    if bind is not None:
        sock.bind(bind)
    return sock


def reset(sock):
    """Closes with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def connect(sock, where):
    """As sock.connect(), which calls it success when an ICMP error wakes its poll() a moment before SO_ERROR has the
    number: once in some ten thousand times, when the error is taken in by another processor."""
    sock.connect(where)
    try:
        sock.getpeername()
    except OSError:
        error = wait_until(lambda: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 1, "the error of a connect")
        raise OSError(error, os.strerror(error)) from None


def connect_error(lab, address, port, timeout=15):
    """The errno of a connect from the client, and the seconds it took."""
    with stream(lab.client)(address, timeout) as sock:
        begin = time.monotonic()
        try:
            connect(sock, (address, port))
        except TimeoutError as error:
            return error.errno or errno.ETIMEDOUT, time.monotonic() - begin
        except OSError as error:
            return error.errno, time.monotonic() - begin
    return 0, time.monotonic() - begin


def refusal(lab, address, port):
    """The errno that every one of five connects gets, and the seconds that the median one took: a single one may wait for
    a lost packet, or for the machine."""
    results = [connect_error(lab, address, port) for _ in range(5)]
    (error,) = {error for error, _ in results}
    return error, statistics.median(seconds for _, seconds in results)


def outcome(host, where, say=b"GET / HTTP/1.0\r\n\r\n"):
    """What an application sees that connects, says something and reads: the bytes, or its errno."""
    with stream(host)(where[0]) as sock:
        try:
            sock.connect(where)
            sock.sendall(say)
            return receive_all(sock)
        except OSError as error:
            return error.errno


def fetch(host, url, *options):
    return host.run("curl", "-sS", "--max-time", patience(10), *options, url).stdout


def pattern(seed, length):
    return random.Random(seed).randbytes(length)


def receive_all(sock, length=None):
    """Up to end-of-file, or `length` bytes."""
    parts, have = [], 0
    while length is None or have < length:
        part = sock.recv(1 << 20 if length is None else min(1 << 20, length - have))
        if not part:
            break
        parts.append(part)
        have += len(part)
    return b"".join(parts)


class Server:
    """A server process in a namespace; `serve(sock)` handles the listening socket until the process is ended."""

    def __init__(self, sock, serve):
        self.sock = sock
        self.process = multiprocessing.get_context("fork").Process(target=serve, args=(sock,), daemon=True)
        self.process.start()

    def __enter__(self):
        return self.sock.getsockname()[:2]

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()
        self.sock.close()


def each_connection(handle):
    def serve(listening):
        listening.settimeout(None)
        while True:
            sock, _ = listening.accept()
            threading.Thread(target=handle, args=(sock,), daemon=True).start()

    return serve


PAGE = "A page from the far side.\n" * 1000


def serve_sink(sock):
    """Reads to end-of-file and answers with the digest of what came."""
    digest, room = hashlib.sha256(), bytearray(1 << 20)
    with sock:
        while got := sock.recv_into(room):
            digest.update(memoryview(room)[:got])
        sock.sendall(digest.digest())


BLOCK = pattern("block", 1 << 20)


def serve_source(sock):
    """Reads how many MiB are wanted and sends them."""
    with sock:
        (count,) = struct.unpack("!I", receive_all(sock, 4))
        for number in range(count):
            sock.sendall(numbered_block(number))


def numbered_block(number):
    """One MiB that no other number has."""
    return struct.pack("!Q", number) + BLOCK[8:]


def serve_echo(sock):
    with sock:
        while data := sock.recv(65536):
            sock.sendall(data)


def serve_page(sock):
    """Answers one HTTP request with PAGE."""
    with sock:
        request = b""
        while b"\r\n\r\n" not in request:
            request += sock.recv(65536)
        sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + PAGE.encode())


def serve_datagram_echo(sock):
    sock.settimeout(None)
    while True:
        data, sender = sock.recvfrom(65536)
        sock.sendto(data, sender)
