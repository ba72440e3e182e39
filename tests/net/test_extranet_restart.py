# SPDX-License-Identifier: GPL-2.0-or-later
"""The portal of a branch goes and comes back while two hundred flows run each way: all end as they should, and new ones work
without a touch."""

import collections
import contextlib
import errno
import itertools
import selectors
import signal
import threading

import pytest

from lab import wait_until
from sites import Sites, await_exports, joined_sites, reached, ways
from test_extranet_traffic import ACCEPT, ACCESS
from traffic import Server, connect, each_connection, receive_all, serve_echo

FLOWS = 200  # each way
MESSAGE = b"x" * 2000
OUT, INTO, NEAR, FAR = 0, 1, 0, 1  # directions, as of ways(), and ends
RESET = {errno.ECONNRESET: FLOWS}


@pytest.fixture(scope="module")
def lab():
    lab = Sites()
    yield lab
    lab.delete()


class Flow:
    """One that asks and is answered for ever; how each of its ends has ended: None, "end", or an errno."""

    def __init__(self, direction, near, far):
        self.direction, self.ends, self.fates, self.rounds, self.have = direction, (near, far), [None, None], 0, 0

    def step(self, side):
        """That end is readable."""
        if self.fates[side] is not None:
            return False
        try:
            data = self.ends[side].recv(65536)
            if not data:
                self.fates[side] = self.fates[side] or "end"
            elif side == 1:
                self.ends[1].send(data)
            else:
                self.have += len(data)
                if self.have == len(MESSAGE):
                    self.have, self.rounds = 0, self.rounds + 1
                    self.ends[0].send(MESSAGE)
        except BlockingIOError:
            pass
        except OSError as error:
            self.fates[side] = error.errno
        return self.fates[side] is None


class Load:
    """Two hundred such flows each way, in a thread of their own."""

    def __init__(self, lab):
        self.flows, self.stopped, self.stack = [], False, contextlib.ExitStack()
        self.selector = selectors.DefaultSelector()
        for direction, way in enumerate(ways(lab)):
            for number in range(FLOWS):
                pair = self.stack.enter_context(way.connected(6 if number % 4 == 0 else 4))
                flow = Flow(direction, *pair)
                self.flows.append(flow)
                for side, sock in enumerate(pair):
                    sock.setblocking(False)
                    self.selector.register(sock, selectors.EVENT_READ, (flow, side))
                pair[0].send(MESSAGE)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped:
            for key, _ in self.selector.select(0.1):
                flow, side = key.data
                if not flow.step(side):
                    self.selector.unregister(key.fileobj)

    def __enter__(self):
        wait_until(lambda: all(flow.rounds > 3 for flow in self.flows), 20, "every flow to be busy")
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join()
        self.stack.close()

    def fates(self, direction, side):
        """How those ends have ended: how many of each."""
        return collections.Counter(flow.fates[side] for flow in self.flows if flow.direction == direction)

    def await_resets(self, direction, side):
        try:
            wait_until(lambda: self.fates(direction, side) == RESET, 10, "all of them to be reset")
        except AssertionError as late:
            raise AssertionError(f"direction {direction}, end {side}: {self.fates(direction, side)}") from late

    def prod(self):
        """What has been acknowledged and not answered waits for ever: its application says more. Who hears then of a reset
        has heard of it: whoever reads next finds an end."""
        for flow in self.flows:
            if flow.fates[0] is None:
                try:
                    flow.ends[0].send(b"?")
                except BlockingIOError:
                    pass
                except OSError as error:
                    flow.fates[0] = error.errno


def echoes(lab):
    """Whether new flows work, each way and in each version."""
    for way in ways(lab):
        for version in (4, 6):
            with Server(way.listener(version), each_connection(serve_echo)) as where, way.stream(version) as sock:
                connect(sock, where)
                sock.sendall(b"new")
                assert receive_all(sock, 3) == b"new"


def test_down_and_up(lab, pki, tmp_path):
    with joined_sites(lab, tmp_path, pki, ACCESS, ACCEPT) as (portal, gate), Load(lab) as load:
        portal.down()
        for direction, side in itertools.product((OUT, INTO), (NEAR, FAR)):
            load.await_resets(direction, side)
        wait_until(lambda: not gate.status()["portals"], 5, "the portal's end")
        for version in (4, 6):
            assert reached(ways(lab)[1], version) == (errno.ENETUNREACH if version == 6 else errno.EHOSTUNREACH)
        portal.start()
        await_exports(gate)
        echoes(lab)


def test_a_portal_that_is_killed(lab, pki, tmp_path):
    with joined_sites(lab, tmp_path, pki, ACCESS, ACCEPT) as (portal, gate), Load(lab) as load:
        portal.crashed_on_demand = True
        portal.kill(signal.SIGKILL)
        # In the branch the kernel resets what the dead one had connected. Who was captured hears nothing: what they send is
        # held back until there is a portal again. To the gate it is a connection that was lost, until somebody else logs in.
        load.await_resets(INTO, FAR)
        assert load.fates(OUT, NEAR) == {None: FLOWS}
        portal.start()
        load.prod()
        for direction, side in ((OUT, FAR), (INTO, NEAR), (OUT, NEAR)):
            load.await_resets(direction, side)
        await_exports(gate)
        echoes(lab)
        assert len(gate.status()["portals"]) == 1
