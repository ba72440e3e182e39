# SPDX-License-Identifier: GPL-2.0-or-later
"""README and the tutorials, word for word: their commands and their files, on hosts of the lab."""

import contextlib

import pytest

from documents import Machine, Reader
from lab import ROOT, SERVER4, Lab, wait_until, wire
from sites import Way
from test_names import name_server
from traffic import Server, datagram, each_connection, listener, receive_all, serve_datagram_echo, serve_echo

BEHIND_THE_BRANCH = "10.71.0.2"
HOSTS = "10.3.0.2 gate.example.net\n"


@pytest.fixture(scope="module")
def lab():
    """The branch's network is the documents'."""
    lab = Lab()
    lab.client.address("lan", f"{BEHIND_THE_BRANCH}/24")
    lab.portal.address("lan", "10.71.0.1/24")
    yield lab
    lab.delete()


def beside(lab, name, host, device, own, address, via):
    """Another host on a wire to one of the lab's, by whose `own` address it goes everywhere."""
    new = lab.host(name)
    wire(new, "wan", host, device)
    if own:
        host.address(device, own)
    new.address("wan", address)
    new.run("ip", "route", "add", "default", "via", via)
    return new


@pytest.fixture(scope="module")
def fleet(lab):
    """Two more gates beside the one, two branches elsewhere, and the host in the middle as a balancer."""
    lab.wan.run("ip", "link", "add", "site", "type", "bridge")
    lab.wan.run("ip", "address", "flush", "dev", "right")
    lab.wan.address("site", "10.3.0.1/24", "fd03::1/64")
    lab.wan.run("ip", "link", "set", "right", "master", "site")
    hosts = {"gate1": lab.gate, "balancer": lab.wan}
    for number in (2, 3):
        gate = beside(lab, f"gate{number}", lab.wan, f"gate{number}", None, f"10.3.0.{number + 1}/24", "10.3.0.1")
        lab.wan.run("ip", "link", "set", f"gate{number}", "master", "site", "up")
        wire(gate, "inner", lab.server, f"gate{number}")
        gate.address("inner", f"10.73.{number}.1/24")
        lab.server.address(f"gate{number}", f"10.73.{number}.2/24")
        gate.run("ip", "route", "add", "10.73.0.0/24", "via", f"10.73.{number}.2")
        hosts[f"gate{number}"] = gate
    for number, name in ((5, "north"), (6, "south")):
        hosts[name] = beside(lab, name, lab.wan, name, f"10.{number}.0.1/24", f"10.{number}.0.2/24", f"10.{number}.0.1")
    return hosts


@contextlib.contextmanager
def readers(lab, hosts=None, known=HOSTS):
    for router in (lab.portal, lab.gate):
        router.sysctl("net.ipv4.ip_forward", 0)
    with contextlib.ExitStack() as stack:
        hosts = hosts or {"gate": lab.gate, "branch": lab.portal, "client": lab.client, "server": lab.server}
        machines = {name: stack.enter_context(contextlib.closing(Machine(host, known))) for name, host in hosts.items()}
        if "branch" in machines:
            machines["laptop"] = machines["branch"]
        yield Reader(machines)


def serve_text(text):
    """A web server of one page."""
    def serve(sock):
        with sock:
            while b"\r\n\r\n" not in sock.recv(65536):
                pass
            sock.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + text.encode())

    return each_connection(serve)


def page(host, address, text):
    return Server(listener(host, address, 80), serve_text(text))


def read(name):
    return (ROOT / name).read_text()


def test_readme(lab):
    """Both directions then work for all protocols, and end in the way that is promised."""
    with readers(lab) as reader:
        reader.follow(read("README.md"))
        gate, branch = reader.machines["gate"], reader.machines["branch"]
        for machine in (gate, branch):
            machine.run("sysctl net.ipv4.ip_forward=1")
        wait_until(lambda: "exports" in gate.run("usher-gate status --json"), 5, "the export")
        out = Way(lab.client, (BEHIND_THE_BRANCH, ""), lab.server, (SERVER4, ""))
        into = Way(lab.server, (SERVER4, ""), lab.client, (BEHIND_THE_BRANCH, ""))
        for way in (out, into):
            with Server(way.listener(4), each_connection(serve_echo)) as where, way.stream(4) as sock:
                sock.connect(where)
                sock.sendall(b"hello")
                assert receive_all(sock, 5) == b"hello"
            with Server(datagram(way.target, way.pick(4), (way.pick(4), 7)), serve_datagram_echo), way.datagram(4) as sock:
                sock.sendto(b"hello", (way.pick(4), 7))
                assert sock.recv(100) == b"hello"
            assert "3 received" in way.ping(4)
        branch.run("usher-tun down branch")
        assert "Unreachable" in into.ping(4, count=1)


def test_fleet(lab, fleet):
    with readers(lab, fleet, "10.2.0.1 gate.example.net\n") as reader, page(lab.server, SERVER4, "hello\n"):
        reader.follow(read("doc/tutorials/fleet.md"))
        assert len(reader.done) > 30


@pytest.mark.parametrize("name", sorted({path.stem for path in (ROOT / "doc/tutorials").glob("*.md")} - {"fleet"}))
def test_tutorial(lab, name):
    with readers(lab) as reader, contextlib.ExitStack() as stack:
        stack.enter_context(name_server(lab))
        stack.enter_context(page(lab.server, SERVER4, "hello\n"))
        stack.enter_context(page(lab.gate, "127.0.0.1", "hello from loopback\n"))
        stack.enter_context(Server(listener(lab.server, SERVER4, 7), each_connection(serve_echo)))
        reader.follow(read(f"doc/tutorials/{name}.md"))
        assert len(reader.done) > 5
