# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing that a portal was in the middle of keeps the next one from coming up, and nothing of it stays."""

import os
import pathlib
import random
import shutil
import time

import pytest

import lab as net
from lab import wait_until
from programs import USHER_TUN, Gate, Portal
from traffic import Server, each_connection, listener, serve_echo, stream

RUN = pathlib.Path("/run/usher")
KILLS = int(os.environ.get("REBOOT_KILLS", 25))


@pytest.fixture(scope="module")
def gate(lab, pki, tmp_path_factory):
    gate = Gate(lab, tmp_path_factory.mktemp("gate"), pki).start()
    yield gate
    gate.stop()


@pytest.fixture
def portal(lab, pki, gate, tmp_path):
    portal = Portal(lab, tmp_path, pki)
    yield portal
    portal.down(check=False)
    shutil.rmtree(RUN / portal.name, ignore_errors=True)


@pytest.fixture
def echo(lab):
    with Server(listener(lab.server, net.SERVER4), each_connection(serve_echo)) as where:
        yield where


def kernel_state(lab):
    """Everything of the portal's kind that the kernel holds."""
    state = {words: lab.portal.run("ip", *words.split()).stdout for words in (
        "-4 rule", "-6 rule", "-4 route show table all", "-6 route show table all type unreachable")}
    return state | {"links": [line.split()[0] for line in lab.portal.run("ip", "-br", "link").stdout.splitlines()]}


def comes_up(lab, portal, echo):
    lab.portal.run(USHER_TUN, "up", portal.conf)
    with stream(lab.client)(echo[0], 5) as sock:
        sock.connect(echo)
        sock.sendall(b"ping")
        assert sock.recv(10) == b"ping"
    assert len(pathlib.Path(RUN / portal.name / "slot").read_text().split()) == 1
    assert lab.portal.run("ip", "rule").stdout.count("0x7573") == 1  # one portal's, and nobody else's


def test_killed_at_any_moment(lab, portal, echo):
    """Some get killed before they have done anything, some when the tunnel is up."""
    before, seed = kernel_state(lab), random.randrange(1 << 32)
    rng, stages = random.Random(seed), set()
    print(f"seed {seed}")
    for _ in range(KILLS):
        portal.launch(USHER_TUN, "up", "-f", portal.conf)
        if stages:  # the first is killed before it has done anything
            time.sleep(rng.choice((0.02, 0.06, 0.15)) * rng.random())
        portal.kill()
        stages.add(("device" if (RUN / portal.name).exists() else "nothing", "0x7573" in lab.portal.run("ip", "rule").stdout))
        if rng.random() < 0.4:
            comes_up(lab, portal, echo)
            if rng.random() < 0.5:
                os.kill(portal.status()["pid"], 9)
                wait_until(lambda: "usher0" not in lab.portal.run("ip", "-br", "link").stdout, 2, "the device goes with it")
            else:
                lab.portal.run(USHER_TUN, "down", portal.conf)
                assert kernel_state(lab) == before
    assert len(stages) > 1, stages
    comes_up(lab, portal, echo)
    portal.down()
    assert kernel_state(lab) == before
    assert not (RUN / portal.name).exists()


@pytest.mark.parametrize("left", ["nothing", "no pid", "a stranger's pid", "no slot", "garbage"])
def test_whatever_is_left_in_run(lab, portal, echo, left):
    """After a kill, with what a reboot, a cleaner or a full disk leaves of it."""
    before = kernel_state(lab)
    portal.start()
    portal.kill()
    place = RUN / portal.name
    if left == "nothing":
        shutil.rmtree(place)
    elif left == "no pid":
        (place / "pid").unlink()
    elif left == "a stranger's pid":
        (place / "pid").write_text(f"{os.getpid()}\n")  # it has been given to somebody else
    elif left == "no slot":
        (place / "slot").unlink()
    else:
        for name in ("pid", "slot"):
            (place / name).write_bytes(b"\xff\x00\xff")
    if left == "a stranger's pid":
        assert portal.status(check=False) is None
    comes_up(lab, portal, echo)
    portal.down()
    assert kernel_state(lab) == before
