# SPDX-License-Identifier: GPL-2.0-or-later
"""libusher by ctypes, as a program in another language has it: usher_client.py LIBRARY SCENARIO ARGUMENT... prints what the
test wants to know. Nothing of it knows the tests' rooms; it runs in one of their namespaces."""

import concurrent.futures
import ctypes
import errno
import os
import resource
import signal
import socket
import sys
import threading
import time

WHY_SIZE = 512


class Library:
    def __init__(self, path):
        lib = ctypes.CDLL(path, use_errno=True)
        lib.usher_connect.restype = lib.usher_attach.restype = ctypes.c_void_p
        lib.usher_connect.argtypes = lib.usher_attach.argtypes = [
            ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]
        for call in (lib.usher_open_tcp, lib.usher_open_udp):
            call.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint16, ctypes.c_int]
        lib.usher_close.argtypes = [ctypes.c_void_p]
        lib.usher_why.restype = lib.usher_version.restype = ctypes.c_char_p
        self.lib = lib

    def make(self, how, name, timeout=15000):
        why = ctypes.create_string_buffer(WHY_SIZE)
        handle = how(name.encode(), timeout, why, len(why))
        if not handle:
            raise OSError(ctypes.get_errno(), why.value.decode())
        assert why.value == b""
        return Usher(self.lib, handle)

    def connect(self, name, timeout=15000):
        return self.make(self.lib.usher_connect, name, timeout)

    def attach(self, name, timeout=15000):
        return self.make(self.lib.usher_attach, name, timeout)


class Usher:
    def __init__(self, lib, handle):
        self.lib, self.handle = lib, handle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.lib.usher_close(self.handle)
        self.handle = None

    def open(self, call, host, port, timeout):
        fd = call(self.handle, host.encode(), int(port), timeout)
        if fd < 0:
            raise OSError(ctypes.get_errno(), self.lib.usher_why().decode())
        sock = socket.socket(fileno=fd)
        assert not os.get_inheritable(fd) and os.get_blocking(fd)
        return sock

    def tcp(self, host, port, timeout=15000):
        return self.open(self.lib.usher_open_tcp, host, port, timeout)

    def udp(self, host, port, timeout=15000):
        return self.open(self.lib.usher_open_udp, host, port, timeout)


def failure(action):
    """The name of its errno and what it says; or "none"."""
    try:
        action()
    except OSError as error:
        return f"{errno.errorcode.get(error.errno, error.errno)}: {error.strerror}"
    return "none"


def exchange(sock, data):
    """An echo server's answer."""
    sock.sendall(data)
    return b"".join(iter_exactly(sock, len(data)))


def iter_exactly(sock, left):
    while left:
        part = sock.recv(left)
        assert part
        left -= len(part)
        yield part


def inventory():
    return sorted(os.listdir("/proc/self/fd")), sorted(os.listdir("/proc/self/task"))


def ways(library, name):
    """Of both kinds, by what the first letter says."""
    how, name = name.split(":", 1)
    return library.attach(name) if how == "attach" else library.connect(name)


def crowd(library, name, host, port):
    """200 connections from 8 threads, all there at once."""
    everybody, socks, failures = threading.Barrier(8), [], []

    def visit(number):
        try:
            mine = [usher.tcp(host, port) for _ in range(25)]
            socks.extend(mine)
            everybody.wait(60)
            for i, sock in enumerate(mine):
                said = b"%d %d " % (number, i) * 1000
                assert exchange(sock, said) == said
            everybody.wait(60)
        except Exception as error:
            failures.append(repr(error))
            everybody.abort()

    with ways(library, name) as usher:
        threads = [threading.Thread(target=visit, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for sock in socks:
            sock.close()
    print(len(socks), failures)


def errors(library, name, *places):
    with ways(library, name) as usher:
        for place in places:
            kind, host, port = place.split(",")
            print(f"{place} {failure(lambda: (usher.udp if kind == 'udp' else usher.tcp)(host, port))}")


def datagrams(library, name, host, port):
    """Each comes back as it went, of any size that fits; one that is closed ends."""
    with ways(library, name) as usher, usher.udp(host, port) as sock:
        sock.settimeout(10)
        for size in (1, 0, 1400, 9000, 60000):
            sock.send(b"d" * size)
            print(size, len(sock.recv(65536)))


def gone(library, name, host, port):
    """What is read once the gate is no more; and what a new one says then."""
    with ways(library, name) as usher, usher.tcp(host, port) as sock:
        assert exchange(sock, b"here") == b"here"
        print("ready", flush=True)
        print(failure(lambda: sock.recv(1)), flush=True)
        for _ in range(100):  # written into a tunnel that is gone, with SIGPIPE as it was
            failure(lambda: usher.tcp(host, port, 10))
        print(failure(lambda: usher.tcp(host, port)), flush=True)
        sys.stdin.readline()
        with usher.tcp(host, port) as again:
            print(exchange(again, b"back").decode())


def kept(library, name, host, port):
    """For each line of input: what has been open since the beginning says it, and so does something new."""
    with ways(library, name) as usher, usher.tcp(host, port) as sock:
        print("ready", flush=True)
        for line in sys.stdin:
            word = line.strip().encode()
            with usher.tcp(host, port) as other:
                print(exchange(sock, word).decode(), exchange(other, word).decode(), flush=True)


def reset(library, name, host, port):
    """The far end sends, then resets."""
    with ways(library, name) as usher, usher.tcp(host, port) as sock:
        sock.sendall(b"x")
        print(sock.recv(4, socket.MSG_WAITALL).decode(), failure(lambda: sock.recv(1)))


def life(library, name, host, port):
    """Neither threads nor descriptors are left, also of what is still open at the end."""
    def once():
        usher = ways(library, name)
        socks = [usher.tcp(host, port) for _ in range(10)] + [usher.udp(host, port) for _ in range(5)]
        assert exchange(socks[0], b"x") == b"x"
        usher.close()
        if name.startswith("connect"):
            print({failure(lambda: sock.recv(1)) for sock in socks[:10]}, {sock.recv(1) for sock in socks[10:]})
        for sock in socks:
            sock.close()

    once()  # what libuv keeps for good
    before = inventory()
    for _ in range(3):
        once()
    deadline = time.monotonic() + 5
    while inventory() != before and time.monotonic() < deadline:
        time.sleep(0.01)
    print(inventory() == before, len(before[1]))


def patience(library, name, silent, port):
    """An open that waits: for as long as is said, and no longer than until the end."""
    usher = ways(library, name)
    begun = time.monotonic()
    print(failure(lambda: usher.tcp(silent, port, 300)), 0.2 < time.monotonic() - begun < 2)
    print(failure(lambda: usher.tcp(silent, port, 0)))
    said = []
    thread = threading.Thread(target=lambda: said.append(failure(lambda: usher.tcp(silent, port, -1))))
    thread.start()
    time.sleep(0.3)
    usher.close()
    thread.join()
    print(said[0])


def several(library, *names):
    """Portals' files, each with a tunnel of its own at the same time; then one that is no good among them."""
    *names, host, port = names
    ushers = [library.connect(name) for name in names]
    bad = failure(lambda: library.connect("/nowhere.conf"))
    for usher in ushers:
        with usher.tcp(host, port) as sock:
            print(exchange(sock, b"each").decode())
    ushers[0].close()
    with ushers[1].tcp(host, port) as sock:
        print(exchange(sock, b"still").decode())
    ushers[1].close()
    print(len(inventory()[1]), bad)


def fleet(library, directory, first, count, parallel):
    """COUNT portals from FIRST on, each with a file and a tunnel of its own, so many at a time. Then what each line asks for: as many
    flows of each to HOST PORT, which stay; that each flow carries a byte there and back; the end."""
    resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
    pool, socks = concurrent.futures.ThreadPoolExecutor(int(parallel)), []

    def connect(number):
        begun = time.monotonic()
        return library.connect(f"{directory}/{number}.conf", 60000), time.monotonic() - begun

    begun = time.monotonic()
    ushers, times = zip(*pool.map(connect, range(int(first), int(first) + int(count))))
    print(time.monotonic() - begun, max(times), flush=True)
    for line in sys.stdin:
        what, *words = line.split()
        begun = time.monotonic()
        if what == "flows":
            flows, host, port = words
            socks += pool.map(lambda usher: usher.tcp(host, port, 60000), ushers * int(flows))
        elif what == "echo":
            for sock in socks:
                sock.sendall(b"x")
            assert all(sock.recv(1) == b"x" for sock in socks)
        print(time.monotonic() - begun, flush=True)
    for usher in ushers:
        usher.close()


def wrong(library, how, name, timeout):
    print(failure(lambda: library.make(getattr(library.lib, how), name, int(timeout))))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    globals()[sys.argv[2]](Library(sys.argv[1]), *sys.argv[3:])
