# SPDX-License-Identifier: GPL-2.0-or-later
"""The audit file where it is not simply there: rotated, full, moved; and gates that are upgraded, left, or taken down."""

import errno
import gzip
import json
import pathlib
import socket
import struct
import subprocess
import threading
import time

import pytest

from audited import ACCESS, Audited, await_sessions, count, lines, sessions, shown
from lab import NAMESERVER4, ROOT, SERVER2, SERVER3, SERVER4, SILENT4, run, wait_until
from peer import OPEN, OPEN_REPLY, TCP, Peer
from programs import USHER_GATE, USHER_PKI, Gate, make_pki
from sites import await_exports
from test_drain import Opener, held
from test_upgrade import Upgradable
from traffic import (Server, connect_error, connected, datagram, each_connection, listener, serve_datagram_echo, serve_echo,
                     stream)


def test_names_as_asked(lab, pki, tmp_path):
    """Whatever a portal asks for, the line is JSON, and says it as the log would."""
    hostile = ['"', "\\", "a\nb", "\x7f", "\x01" * 255, "\xff\xfe", "</script>", '","event":"up', "é", "%s%n", "x" * 255, "*"]
    names = [name.encode("latin-1") for name in hostile]
    with Audited(lab, tmp_path, pki, access=ACCESS) as both:
        both.portal.down()
        peer = Peer(lab, pki)
        for name in names:
            session, peer.next_id = peer.next_id, peer.next_id + 2
            peer.send(OPEN, session, struct.pack(">hhH", TCP, 2, 80) + name + b"\0")
            peer.receive(OPEN_REPLY, session)
        found = await_sessions(both.path, len(names))
    escaped = ["".join(chr(c) if 0x20 <= c < 0x7f and c not in b'\\"' else f"\\x{c:02x}" for c in name) for name in names]
    assert sorted(line["destination"] for line in found) == \
        sorted(f"[{name}]:80" if ":" in name else f"{name}:80" for name in escaped)
    assert {(line["end"], line["why"], line["text"]) for line in found} == {("refused", "resolve", "not a host name")} | \
        {(line["end"], line["why"], line["text"]) for line in found if line["destination"][0] == "x"}


def numbered(lab, where, count):
    """So many connections, one after the other; the ports that they were from."""
    ports = []
    for _ in range(count):
        with stream(lab.client)(where[0]) as sock:
            sock.connect(where)
            ports.append(sock.getsockname()[1])
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
    return ports


LOGROTATE = """/var/log/usher/*.json {
    create 0640 root root
    rotate 200
    nocompress
}
"""
RULES = {
    "created anew": (LOGROTATE, 0.2, 10),
    "not created": (LOGROTATE.replace("create 0640 root root", "nocreate"), 0.2, 10),
    "as packaged": ((ROOT / "scripts/debian/usher-gate.logrotate").read_text(), 1.1, 3),  # its names have seconds
}


def read_rotated(path):
    """The sessions in a file that may be compressed by now."""
    if path.suffix != ".gz":
        return sessions(path)
    return [line for line in map(json.loads, gzip.decompress(path.read_bytes()).splitlines()) if line["event"] == "session"]


@pytest.mark.parametrize("rules, pause, count", RULES.values(), ids=RULES)
def test_rotation_under_load_loses_no_line(lab, pki, tmp_path, rules, pause, count):
    file, state = tmp_path / "rules", tmp_path / "state"
    with Audited(lab, tmp_path, pki) as both, \
            Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where:
        file.write_text(rules.replace("/var/log/usher/*.json", str(both.path)))
        file.chmod(0o644)
        ports, over = [], threading.Event()
        opener = threading.Thread(target=lambda: [ports.extend(numbered(lab, where, 1)) for _ in iter(over.is_set, True)])
        opener.start()
        for _ in range(count):
            time.sleep(pause)
            run("logrotate", "--force", "--state", state, file)
        over.set()
        opener.join()

        def found():
            return [int(line["from"].rsplit(":", 1)[1]) for path in both.directory.iterdir() for line in read_rotated(path)]

        wait_until(lambda: len(found()) >= len(ports), 5, "all of them")
        assert sorted(found()) == sorted(ports) and len(ports) > 200
        assert len(list(both.directory.iterdir())) > count / 2
        assert both.gate.status()["audit"] == {"file": str(both.path), "lines": len(ports) + 1, "lines_lost": 0}


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "none", disk)
    yield disk
    run("umount", disk)


def test_a_full_disk(lab, pki, tmp_path, small_disk):
    """Said once, lines are whole, tunnels go on; what was lost is counted where there is room again."""
    path, filler = small_disk / "audit.json", small_disk / "filler"
    with Audited(lab, tmp_path, pki, path=path) as both:
        filler.write_bytes(bytes(48 * 1024))
        done = 0
        while both.gate.status()["audit"]["lines_lost"] < 20:
            assert connect_error(lab, SERVER4, 9)[0] == errno.ECONNREFUSED
            done += 1
        kept = lines(path)
        assert both.gate.status()["audit"]["error"] == "No space left on device"
        text = lab.gate.run(USHER_GATE, "status", both.gate.name).stdout
        assert f"  cannot write {path}: No space left on device\n  lines that are not in {path}: " in text
        said = [line for line in both.gate.log().splitlines() if "Audit:" in line]
        assert len(said) == 1 and said[0].endswith(
            f"Audit: {path}: No space left on device: what happens is not recorded until that is mended; tunnels go on"), said
        filler.unlink()
        assert connect_error(lab, SERVER4, 9)[0] == errno.ECONNREFUSED
        wait_until(lambda: "error" not in both.gate.status()["audit"], 5, "room again")
        told = [line for line in lines(path) if line["event"] == "lines_lost"]  # the first may have had room where others had not
        assert {(line["why"], line["gate"]) for line in told} == {("No space left on device", both.gate.name)}
        lost = sum(line["lines"] for line in told)
        wait_until(lambda: lost + len(sessions(path)) == done + 1, 5, "every session is there or counted")
        assert lines(path)[:len(kept)] == kept
        assert f"Audit: {path} is written again; lines lost so far: {lost}" in both.gate.log()


def test_upgrade_and_drain_keep_it(lab, pki, tmp_path):
    with Audited(lab, tmp_path, pki, kind=Upgradable) as both, \
            Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where:
        (early,) = held(lab, where)
        with Opener(lab, where) as opener:
            time.sleep(0.3)
            both.gate.exchange()
            assert both.gate.upgrade().stdout.startswith("upgraded: ")
            wait_until(lambda: both.portal.status()["leaving"], 5, "another tunnel")
            time.sleep(0.3)
        assert not opener.errors
        near = shown(early.getsockname())
        early.close()
        wait_until(lambda: len(both.gate.worker_pids()) == 1, 10, "the end of the old one")
        found = await_sessions(both.path, opener.count + 1)
        assert len(found) == opener.count + 1 and {line["end"] for line in found} <= {"closed", "reset"}
        events = [line for line in lines(both.path) if line["event"] != "session"]
        assert [line.get("act", line["event"]) for line in events] == ["up", "upgrade", "up", "down"]
        assert (events[-1]["end"], events[-1]["tunnel"]) == ("drained", events[0]["tunnel"])
        assert {line["tunnel"] for line in found if line.get("from") == near} == {events[0]["tunnel"]}
        assert {line["tunnel"] for line in found} == {events[0]["tunnel"], events[2]["tunnel"]}
        children = run("ps", "--ppid", both.gate.pid(), "-o", "stat=,comm=").stdout
        assert "Z" not in children, children


def test_revoked_and_drained(lab, tmp_path):
    pki = make_pki(tmp_path / "pki")
    with Audited(lab, tmp_path, pki) as both:
        with connected(lab, SERVER4) as (client, _):
            run(USHER_PKI, "revoke", pki, "branch")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        (line,) = await_sessions(both.path, 1)
        assert (line["end"], line["text"]) == ("revoked", lines(both.path)[-1]["text"])
        assert "revoked" in line["text"]


def test_drain_timeout(lab, pki, tmp_path):
    with Audited(lab, tmp_path, pki) as both:
        both.gate.conf.write_text(both.gate.conf.read_text().replace("[Gate]", "[Gate]\nDrainTimeout = 1s"))
        lab.gate.run(USHER_GATE, "reload", both.gate.name)
        with connected(lab, SERVER4) as (client, _):
            lab.gate.run(USHER_GATE, "drain", both.gate.name)
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        both.gate.wait()
        (line,) = sessions(both.path)
        assert (line["end"], line["text"]) == ("drained", "the gate is to be left, and DrainTimeout is over")
        both.gate.start()


def test_what_the_gate_opens(lab, pki, tmp_path):
    """Into what a portal exports, and by forwards: who is who is the other way round."""
    access = ACCESS + "[Access branch]\nExport = 10.71.0.0/24\nForward = tcp 10.73.0.1:8080 -> 10.71.0.2:9\n"
    with Audited(lab, tmp_path, pki, access=access) as both:
        both.portal.conf.write_text(both.portal.conf.read_text() + "\n[Accept]\nAllow = 10.71.0.0/25\n")
        both.portal.down()
        both.portal.start()
        await_exports(both.gate)
        before = count(both)
        with lab.gate.enter():
            sock = socket.socket()
        with sock, pytest.raises(OSError):
            sock.settimeout(5)
            sock.connect(("10.71.0.200", 80))
        with lab.server.enter():
            sock = socket.socket()
        with sock, pytest.raises(OSError):
            sock.settimeout(5)
            sock.connect(("10.73.0.1", 8080))
            sock.recv(1) or (_ for _ in ()).throw(ConnectionResetError)
        exported, forwarded = await_sessions(both.path, before + 2)[before:]
        assert {key: exported[key] for key in ("opened_by", "via", "destination", "end", "by", "why")} == {
            "opened_by": "gate", "via": "capture", "destination": "10.71.0.200:80", "end": "denied", "by": "portal",
            "why": "denied"}
        assert "rule" not in exported and exported["from"].startswith("10.")
        assert {key: forwarded[key] for key in ("opened_by", "via", "destination", "end", "by")} == {
            "opened_by": "gate", "via": "forward", "destination": "10.71.0.2:9", "end": "refused", "by": "portal"}


def of_far_ends(both, before=0):
    """Where sessions went since then, by destination, without what is the same in all lines."""
    same = ("time", "event", "gate", "portal", "serial", "peer", "tunnel", "opened_by", "via", "duration_ms")
    return {line["destination"]: {key: line[key] for key in line if key not in same} for line in sessions(both.path)[before:]}


def test_one_port_asks_two_name_servers(lab, pki, tmp_path):
    """`dig`, from one port: a line for each of the two, by its own rule; what is denied is in none."""
    access = "[Access branch]\nAllow = udp:10.73.0.53:53\nAllow = udp:10.73.0.3\n"
    argv = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces"]
    with Audited(lab, tmp_path, pki, access=access) as both:
        servers = [lab.server.start(*argv, f"--listen-address={address}", f"--host-record=a.test,192.0.2.{number}",
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for number, address in enumerate((NAMESERVER4, SERVER2[0]))]

        def ask(address, options=()):
            return lab.client.run("dig", "-b", "10.1.0.2#5300", f"@{address}", "a.test", "A", "+short", "+noedns", "+nocookie",
                                  "+timeout=1", *options, check=False).stdout.strip()

        wait_until(lambda: ask(NAMESERVER4) == "192.0.2.0", 5, "the first")
        lab.gate.run(USHER_GATE, "end", "branch")
        both.portal.wait_up(10)
        before = count(both)
        assert ask(NAMESERVER4) == "192.0.2.0"
        assert ask(SERVER2[0]) == "192.0.2.1"
        assert ask(SERVER2[0]) == "192.0.2.1"
        assert ask(SERVER3[0], ["+tries=1"]) != "192.0.2.0"
        assert count(both) == before
        (flow,) = json.loads(lab.gate.run(USHER_GATE, "flows", "--json").stdout)["flows"]
        assert flow["destination"] == f"{NAMESERVER4}:53"
        lab.gate.run(USHER_GATE, "end", "branch")
        await_sessions(both.path, before + 2)
        query, answer = 24, 40  # 12 of the head, 12 of the question, 16 of the answer
        shared = {"protocol": "udp", "from": "10.1.0.2:5300", "association": 1, "end": "ended",
                  "text": "an operator of the gate has ended it"}
        assert of_far_ends(both, before) == {
            f"{NAMESERVER4}:53": shared | {
                "destination": f"{NAMESERVER4}:53", "rule": "Allow = udp:10.73.0.53/32:53",
                "place": both.place("Allow = udp:10.73.0.53:53"), "bytes_in": query, "bytes_out": answer},
            f"{SERVER2[0]}:53": shared | {
                "destination": f"{SERVER2[0]}:53", "rule": "Allow = udp:10.73.0.3/32", "place": both.place("Allow = udp:10.73.0.3"),
                "bytes_in": 2 * query, "bytes_out": 2 * answer}}
        assert count(both) == before + 2
        for server in servers:
            server.kill()
            server.wait()


def test_a_far_end_that_gives_way(lab, pki, tmp_path):
    """A socket with more than 64 far ends: those that are forgotten have their lines at once, pings have none of this."""
    with Audited(lab, tmp_path, pki, access=ACCESS) as both, datagram(lab.client, SERVER4) as sock, \
            Server(datagram(lab.server, SERVER4, (SERVER4, 53)), serve_datagram_echo) as where:
        sock.sendto(b"first", where)
        assert sock.recv(20) == b"first"
        for port in range(7000, 7070):
            sock.sendto(b"x", (SILENT4, port))
        lab.client.run("ping", "-c", 1, "-W", 5, SERVER4)
        lab.client.run("ping", "-c", 1, "-W", 5, SERVER2[0])
        # The session's own was the first of seven; its line is that of the session.
        found = await_sessions(both.path, 6)
        assert [(line["destination"], line["end"], line["text"], line["bytes_in"], line["bytes_out"]) for line in found] == \
            [(f"{SILENT4}:{port}", "closed", "gave way to another far end", 1, 0) for port in range(7000, 7006)]
        sock.sendto(b"again", where)
        assert sock.recv(20) == b"again"
        sock.close()
        lab.gate.run(USHER_GATE, "end", "branch")
        await_sessions(both.path, 74)
        found = [line for line in sessions(both.path) if line["protocol"] == "udp"]
        assert [line["destination"] for line in found] == \
            [f"{SILENT4}:{port}" for port in range(7000, 7070)] + [f"{where[0]}:{where[1]}"] * 2
        assert [(line["bytes_in"], line["bytes_out"], line["end"]) for line in found[-2:]] == [(5, 5, "ended")] * 2
        assert len({(line["association"], line["from"]) for line in found}) == 1
        pings = [line for line in sessions(both.path) if line["protocol"] == "icmp"]
        assert pings and not any("association" in line for line in pings)
        assert both.gate.status()["audit"]["lines_lost"] == 0


def datagrams_out(host):
    """How many its kernel has sent."""
    names, values = [line.split() for line in host.run("cat", "/proc/net/snmp").stdout.splitlines() if line.startswith("Udp:")]
    return int(values[names.index("OutDatagrams")])


def test_more_far_ends_than_are_written(lab, pki, tmp_path):
    """A socket that sprays: its tunnel stays, and what is in no line is counted in the file."""
    with Audited(lab, tmp_path, pki, access=ACCESS) as both, datagram(lab.client, SERVER4) as sock, \
            Server(datagram(lab.server, SERVER4, (SERVER4, 53)), serve_datagram_echo) as where:
        (worker,) = both.gate.worker_pids()
        sock.sendto(b"first", where)  # what is sent before an association stands may be dropped
        assert sock.recv(20) == b"first"
        sent, began = datagrams_out(lab.gate) - 1, time.monotonic()
        for port in range(1, 12001):
            sock.sendto(b"x", (SILENT4, port))
            if port % 100 == 0:
                time.sleep(0.005)
        lost = wait_until(lambda: [line for line in lines(both.path) if line["event"] == "lines_lost"], 5, "the loss")
        assert {(line["portal"], line["why"]) for line in lost} == {("branch", "there were more than are told of at a time")}
        assert both.gate.worker_pids() == [worker]
        lab.gate.run(USHER_GATE, "end", "branch")
        wait_until(lambda: lines(both.path)[-1]["event"] in ("down", "up"), 5, "its end")
        sent, took = datagrams_out(lab.gate) - sent, time.monotonic() - began
        found = lines(both.path)
        told = [line["destination"] for line in found if line["event"] == "session"]
        missing = sum(line["lines"] for line in found if line["event"] == "lines_lost")
        # A thousand visits a second are told of, and 4096 at once.
        assert 4096 <= len(told) == len(set(told)) <= 4096 + 1000 * (took + 1)
        assert len(told) + missing == sent > 6000
        assert both.gate.status()["audit"]["lines_lost"] == missing


def test_on_and_off_while_it_runs(lab, pki, tmp_path):
    with Audited(lab, tmp_path, pki) as both:
        text = both.gate.conf.read_text()
        both.gate.conf.write_text(text.replace(f"Audit = {both.path}", ""))
        lab.gate.run(USHER_GATE, "reload", both.gate.name)
        wait_until(lambda: both.writer() is None, 5, "its end")
        before = both.path.read_text()
        assert connect_error(lab, SERVER4, 9)[0] == errno.ECONNREFUSED
        assert "audit" not in both.gate.status()
        elsewhere = both.directory / "elsewhere.json"
        both.gate.conf.write_text(text.replace(str(both.path), str(elsewhere)))
        lab.gate.run(USHER_GATE, "reload", both.gate.name)
        # Its worker hears of it a moment later.
        wait_until(lambda: connect_error(lab, SERVER4, 9)[0] == errno.ECONNREFUSED and elsewhere.exists() and sessions(elsewhere),
                   5, "a line elsewhere")
        assert {line["destination"] for line in sessions(elsewhere)} == {f"{SERVER4}:9"}
        assert both.path.read_text() == before


@pytest.mark.parametrize("path, why", (
    ("/nowhere/audit.json", "No such file or directory"),
    ("/etc", "Is a directory"),
    ("/dev/null", "Operation not supported"),
    ("/proc/version", "Permission denied"),
), ids=("no directory", "a directory", "a device", "no rights"))
def test_what_cannot_be_written_is_told_at_the_start(lab, pki, tmp_path, path, why):
    gate = Gate(lab, tmp_path, pki, extra=f"Audit = {path}").start()
    wait_until(lambda: f"Audit: {path}: {why}: what happens is not recorded" in gate.log(), 5, gate.log())
    assert gate.status()["audit"]["error"] == why
    assert gate.stop() == 0


def test_what_it_costs(lab, pki, tmp_path, figure):
    """Processor time of the gate for each connection, with the file and without: supervisor, worker and writer together."""
    count = 1000

    def used(pid):
        return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000

    def each(both, where):
        (worker,) = both.gate.worker_pids()
        pids = [pid for pid in (both.gate.pid(), worker, both.writer()) if pid]
        before = sum(map(used, pids))
        numbered(lab, where, count)
        time.sleep(0.3)  # what was gathered goes
        return (sum(map(used, pids)) - before) / count

    with Audited(lab, tmp_path, pki) as both, \
            Server(listener(lab.server, SERVER4), each_connection(serve_echo)) as where:
        numbered(lab, where, 200)
        with_it = each(both, where)
        text = both.gate.conf.read_text()
        both.gate.conf.write_text(text.replace(f"Audit = {both.path}", ""))
        lab.gate.run(USHER_GATE, "reload", both.gate.name)
        wait_until(lambda: both.writer() is None, 5, "the writer's end")
        numbered(lab, where, 200)
        without = each(both, where)
    figure(f"audit: {with_it:.0f} us of processor time for each connection at the gate, {without:.0f} without it")
    assert with_it < 2 * without
