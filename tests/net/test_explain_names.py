# SPDX-License-Identifier: GPL-2.0-or-later
"""Whom a name is asked of, and what an application would hear: names behind the tunnel, mapped and bridged."""

import pytest

from lab import NAMESERVER4
from programs import Gate, Portal
from test_explain import explain, words
from test_names_mapped import name_server
from traffic import listener


@pytest.mark.parametrize("mode", ["mapped", "bridged"])
def test_names_behind_the_tunnel(lab, pki, tmp_path, mode):
    keys = "Domains = corp.example\n" + ("Names = mapped" if mode == "mapped" else f"Dns = {NAMESERVER4}")
    access = "[Access branch]\nAllow = tcp:web.corp.example:80, udp:10.73.0.53:53, 10.73.0.2/32\n"
    with name_server(lab):
        gate = Gate(lab, tmp_path, pki, access=access, extra=f"DNS = {NAMESERVER4}").start()
        portal = Portal(lab, tmp_path, pki, extra=keys)
        try:
            portal.start()
            with listener(lab.server, "10.73.0.2", 80):
                steps = explain(portal, portal.conf, "web.corp.example:80")
            said = words(steps, "name", "ok")
            if mode == "mapped":
                assert "web.corp.example is 198.18." in said and "gives an address that stands for it" in said
                assert words(steps, "probe", "ok").startswith("tcp opened through the tunnel as web.corp.example")
            else:
                assert "web.corp.example is 10.73.0.2, fd73::2, by the portal's resolver at 198.18.0.1, which asks behind" in said
            assert steps["route"][0]["result"] == "ok" and "(SystemDns)" in said
            said = words(explain(portal, portal.conf, "no-such-name.corp.example:80", code=1), "name", "failed")
            assert ("usher-gate explain there" if mode == "mapped" else "the servers of Dns") in said
            said = words(explain(portal, portal.conf, "elsewhere.test:80", code=1), "name", "failed")
            assert "lies in none of the Domains" in said
            steps = explain(gate, "branch", "web.corp.example:80")
            assert "web.corp.example is allowed" in steps["name"][0]["text"]
            assert {one["result"] for one in steps["address"]} <= {"ok", "note"}
            portal.down()
            said = words(explain(portal, portal.conf, "web.corp.example:80", code=1), "name", "failed")
            assert "the portal that would answer is down" in said
        finally:
            portal.down(check=False)
            gate.stop()
