# SPDX-License-Identifier: GPL-2.0-or-later
"""A long path that loses packets changes how long things take, and nothing else: the tests of the other files once more,
between a portal and a gate that are 20 ms apart."""

import asyncio

import pytest

import lab as net
from lab import Lab
from test_closing import (ORDERS, play, test_both_close_at_once, test_data_right_before_the_end_is_delivered)  # noqa: F401
from test_honesty import (test_a_closed_port_is_refused_at_once, test_a_closed_udp_port_is_refused,  # noqa: F401
                          test_a_denied_address_is_prohibited, test_a_large_ping, test_a_reset_by_the_client_is_a_reset,
                          test_a_reset_by_the_server_is_a_reset, test_a_web_page,
                          test_an_address_without_a_host_is_unreachable, test_names_over_udp_and_tcp)
from test_many_flows import echo_all, serve_forever
from test_transfer import test_a_stalled_flow_does_not_stall_its_neighbour, test_both_ways_at_once  # noqa: F401
from test_udp import test_no_datagram_reaches_a_wrong_socket, test_size  # noqa: F401
from traffic import Server, connected, listener

LONG_WIRE = "delay=10 rate=200 loss=0.5 seed=7"


@pytest.fixture(scope="module")
def lab():
    lab = Lab(LONG_WIRE)
    yield lab
    lab.delete()


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_order(tunnel, lab, order):
    for address, amount in ((net.SERVER4, 1), (net.SERVER6, 65537)):
        with connected(lab, address) as pair:
            play(*pair, amount, *order)


@pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6])
def test_two_hundred_flows(tunnel, lab, address):
    with Server(listener(lab.server, address, backlog=4096), serve_forever) as where:
        asyncio.run(echo_all(lab.client, where, 200))
