# SPDX-License-Identifier: GPL-2.0-or-later
"""A SOCKS client by hand, for what curl does not say: reply codes, halves, datagrams, bad manners."""

import ipaddress
import struct

from traffic import TIMEOUT, datagram, receive_all, stream

CONNECT, BIND, UDP_ASSOCIATE = 1, 2, 3
GRANTED, FAILED, DENIED, NO_NET, NO_HOST, REFUSED, TIMED_OUT, NO_COMMAND = range(8)
PORT = 1080
NOWHERE = ("0.0.0.0", 0)


def target(host, port):
    """An address or a name, as RFC 1928 section 5 writes it."""
    try:
        address = ipaddress.ip_address(host)
        kind = b"\1" if address.version == 4 else b"\4"
        return kind + address.packed + struct.pack("!H", port)
    except ValueError:
        return b"\3" + bytes([len(host)]) + host.encode() + struct.pack("!H", port)


def read_target(data):
    """The host and port at the head of `data`, and what is behind."""
    if data[0] == 3:
        end = 2 + data[1]
        host = data[2:end].decode()
    else:
        end = 5 if data[0] == 1 else 17
        host = str(ipaddress.ip_address(data[1:end]))
    return (host, struct.unpack("!H", data[end:end + 2])[0]), data[end + 2:]


def reach(host, proxy=("127.0.0.1", PORT), timeout=TIMEOUT):
    """A connection to the proxy, nothing said yet."""
    sock = stream(host)(proxy[0], timeout)
    sock.connect(proxy)
    return sock


def request(sock, far, command=CONNECT, early=b""):
    """Says all of it at once, what is for the far end included."""
    sock.sendall(b"\5\1\0" + b"\5" + bytes([command]) + b"\0" + target(*far) + early)


def read_reply(sock):
    """The code, and the address in the reply."""
    assert receive_all(sock, 2) == b"\5\0"
    version, code, _, kind = receive_all(sock, 4)
    assert version == 5
    at, rest = read_target(bytes([kind]) + receive_all(sock, 6 if kind == 1 else 18))
    assert rest == b""
    return code, at


def connect(host, far, proxy=("127.0.0.1", PORT)):
    """A connection through the proxy."""
    sock = reach(host, proxy)
    request(sock, far)
    assert read_reply(sock)[0] == GRANTED
    return sock


def outcome(host, far, proxy=("127.0.0.1", PORT)):
    """The code of a reply that ends the connection."""
    with reach(host, proxy) as sock:
        request(sock, far, early=b"what nobody will read")
        code, _ = read_reply(sock)
        assert receive_all(sock) == b""
        return code


class Association:
    """UDP ASSOCIATE: a connection, and a socket that speaks through the port it is told."""

    def __init__(self, host, proxy=("127.0.0.1", PORT)):
        self.control = reach(host, proxy)
        request(self.control, ("::" if ":" in proxy[0] else "0.0.0.0", 0), UDP_ASSOCIATE)
        code, self.port = read_reply(self.control)
        assert code == GRANTED
        assert self.port[0] == proxy[0]
        self.sock = datagram(host, proxy[0])

    def send(self, data, far, fragment=0):
        self.sock.sendto(bytes([0, 0, fragment]) + target(*far) + data, self.port)

    def receive(self):
        """What came, and from where."""
        data, sender = self.sock.recvfrom(65536)
        assert sender[:2] == self.port
        assert data[:3] == bytes(3)
        far, payload = read_target(data[3:])
        return payload, far

    def close(self):
        self.control.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def is_closed(sock):
    """By its other end, in order or not."""
    try:
        return sock.recv(1) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True

