# SPDX-License-Identifier: GPL-2.0-or-later
"""What each process may, as the kernel tells it, and that this is enough."""

import pathlib

from lab import SANITIZED, SERVER4, wait_until
from programs import ALLOW_ALL, Gate, Portal
from sites import await_exports
from traffic import PAGE, Server, each_connection, fetch, listener, serve_page

NET_BIND_SERVICE, NET_ADMIN, NET_RAW = 1 << 10, 1 << 12, 1 << 13
DAC_READ_SEARCH, KILL, SETGID, SETUID, SETPCAP, SYS_RESOURCE = 1 << 2, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 24
SUPERVISOR = (NET_BIND_SERVICE | NET_ADMIN | NET_RAW | DAC_READ_SEARCH | KILL | SETGID | SETUID | SETPCAP | SYS_RESOURCE)


def rights(pid):
    """Of a process: user, capabilities by set, no_new_privs, kind of system call filter."""
    told = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    sets = {name: int(told[f"Cap{name}"], 16) for name in ("Prm", "Eff", "Inh", "Bnd", "Amb")}
    return int(told["Uid"].split()[0]), sets, int(told["NoNewPrivs"]), int(told["Seccomp"])


def test_what_each_process_may(lab, pki, tmp_path):
    access = ALLOW_ALL + "Export = 10.1.0.0/24\nForward = tcp 10.73.0.1:80 -> 10.1.0.2:8080\n"
    gate, portal = Gate(lab, tmp_path, pki, access=access).start(), Portal(lab, tmp_path, pki)
    portal.conf.write_text(portal.conf.read_text() + "[Accept]\nAllow = 10.1.0.0/24\n")
    try:
        portal.start()
        await_exports(gate)
        [worker] = gate.worker_pids()
        none = dict.fromkeys(("Prm", "Eff", "Inh", "Bnd", "Amb"), 0)
        uid, sets, no_new_privs, _ = rights(gate.pid())
        assert (uid, sets["Inh"], sets["Amb"], no_new_privs) == (0, 0, 0, 1)
        assert [sets[name] & ~SUPERVISOR for name in ("Prm", "Eff", "Bnd")] == [0, 0, 0]
        uid, sets, no_new_privs, seccomp = rights(worker)
        assert uid != 0 and (sets, no_new_privs, seccomp) == (none, 1, 2)
        uid, sets, no_new_privs, _ = rights(portal.pid())
        assert uid != 0 and (sets, no_new_privs) == (none | {"Prm": NET_ADMIN, "Eff": NET_ADMIN}, 1)

        # A low port, a device and a ping need what is left.
        with Server(listener(lab.client, "10.1.0.2", 8080), each_connection(serve_page)):
            assert fetch(lab.server, "http://10.73.0.1/") == PAGE
            assert fetch(lab.server, "http://10.1.0.2:8080/") == PAGE
        assert " 1 received" in lab.client.run("ping", "-n", "-c", 1, "-W", 5, SERVER4).stdout
        lab.gate.run("ip", "link", "del", "ux0")
        wait_until(lambda: "made again" in gate.log(), 5, "the device")
        assert SANITIZED or "Operation not permitted" not in gate.log()
    finally:
        portal.down(check=False)
        gate.stop()
