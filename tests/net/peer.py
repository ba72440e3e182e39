# SPDX-License-Identifier: GPL-2.0-or-later
"""A portal by hand: Python's TLS, and the records as bytes."""

import socket
import ssl
import struct

from lab import patience

TCP, UDP = 6, 17
OPEN, OPEN_REPLY, SEND, SEND_UDP = 1, -1, 3, 4
HEADER = struct.Struct(">ihH")


class Peer:
    """One record out, one record in."""

    def __init__(self, lab, pki, certificate="branch", host=None, source=None):
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        context.load_cert_chain(pki / f"{certificate}.crt", pki / f"{certificate}.key")
        context.set_alpn_protocols(["usher/1"])
        with (host or lab.portal).enter():
            plain = socket.create_connection(("10.3.0.2", 4433), timeout=patience(10),
                                             source_address=(source, 0) if source else None)
        self.tls = context.wrap_socket(plain, server_hostname="gate.example.net")
        self.next_id = 2

    def send(self, kind, session, body):
        self.tls.sendall(HEADER.pack(len(body), kind, session) + body)

    def read(self, length):
        data = b""
        while len(data) < length:
            part = self.tls.recv(length - len(data))
            assert part, "the gate ended the tunnel"
            data += part
        return data

    def receive(self, kind, session):
        """The body of the next record of that kind and session."""
        while True:
            length, got_kind, got_session = HEADER.unpack(self.read(HEADER.size))
            body = self.read(length)
            if (got_kind, got_session) == (kind, session):
                return body

    def open(self, protocol, host, port):
        """The session's id and "", or None and the reason."""
        session, self.next_id = self.next_id, self.next_id + 2
        self.send(OPEN, session, struct.pack(">hhH", protocol, 2, port) + host.encode() + b"\0")
        body = self.receive(OPEN_REPLY, session)
        if struct.unpack(">H", body[:2])[0] == session:
            return session, ""
        return None, body[2:-1].decode()

    def close(self):
        self.tls.close()
