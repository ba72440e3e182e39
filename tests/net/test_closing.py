# SPDX-License-Identifier: GPL-2.0-or-later
"""Every order of closing, with every amount of data on the way: data and endings arrive as without a tunnel.

An order says who ends first, how, and what the other then does:

    first    client or server
    ending   "half": shuts down its writing half and goes on reading
             "full": closes both halves after its peer's data was read
             "reset": RST
    answer   what the other does once it has seen the ending: sends its own data and then closes ("late"), has sent its
             data before the ending ("early"), or resets ("reset")
    ways     whether only the first to end has data on the way, or both
"""

import socket
import threading
import time

import pytest

import lab as net
from traffic import connected, pattern, receive_all, reset

AMOUNTS = [0, 1, 65535, 65536, 65537, 1000000]
MANNERS = [("half", "late"), ("half", "early"), ("half", "reset"), ("full", "early"), ("reset", "early"), ("reset", "late")]
ORDERS = [(first, *manner, ways) for first in ("client", "server") for manner in MANNERS for ways in ("one", "both")]
assert len(ORDERS) == 24


def send_in_background(sock, data):
    def send():
        try:
            sock.sendall(data)
        except OSError:
            pass  # the other side may reset it: judged by what arrives

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def ends_with_reset(sock):
    """Reads on until the connection ends; true when it ends by RST."""
    try:
        while sock.recv(1 << 20):
            pass
    except ConnectionResetError:
        return True
    return False


def sends_into_reset(sock, data):
    try:
        sock.sendall(data)
    except (ConnectionResetError, BrokenPipeError):
        return True
    return False


def play_half(one, other, answer, there, back):
    early = send_in_background(other, back) if answer == "early" else None
    sending = send_in_background(one, there)
    if early:
        assert receive_all(one, len(back)) == back
    assert receive_all(other, len(there)) == there
    sending.join()
    one.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    if answer == "reset":
        reset(other)
        assert ends_with_reset(one)
        return
    if answer == "late":
        other.sendall(back) if len(back) < 65536 else send_in_background(other, back)
        assert receive_all(one, len(back)) == back
    other.shutdown(socket.SHUT_WR)
    assert one.recv(1) == b""


def play_full(one, other, there, back):
    sending = send_in_background(other, back)
    assert receive_all(one, len(back)) == back
    sending.join()
    sending = send_in_background(one, there)
    assert receive_all(other, len(there)) == there
    sending.join()
    one.close()
    assert other.recv(1) == b""
    other.close()


def play_reset(one, other, answer, there, back):
    if answer == "early":
        sending = send_in_background(other, back)
        assert receive_all(one, len(back)) == back
        sending.join()
    sending = send_in_background(one, there)
    assert receive_all(other, len(there)) == there
    sending.join()
    reset(one)
    # Late: the other writes before it reads. The RST must reach it all the same, in whichever call comes upon it first.
    assert (answer == "late" and sends_into_reset(other, back)) or ends_with_reset(other)


def play(client, server, amount, first, ending, answer, ways):
    """One order, between two sockets that are connected to each other."""
    there, back = pattern(f"there{amount}", amount), pattern(f"back{amount}", amount if ways == "both" else 0)
    one, other = (client, server) if first == "client" else (server, client)
    if ending == "half":
        play_half(one, other, answer, there, back)
    elif ending == "full":
        play_full(one, other, there, back)
    else:
        play_reset(one, other, answer, there, back)


@pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6])
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_order(tunnel, lab, order, address):
    for amount in AMOUNTS:
        with connected(lab, address) as pair:
            play(*pair, amount, *order)


@pytest.mark.parametrize("address", [net.SERVER4, net.SERVER6])
def test_both_close_at_once(tunnel, lab, address):
    for _ in range(20):
        with connected(lab, address) as (client, server):
            client.sendall(b"c")
            server.sendall(b"s")
            client.shutdown(socket.SHUT_WR)
            server.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b"s"
            assert receive_all(server) == b"c"


@pytest.mark.parametrize("amount", AMOUNTS)
def test_data_right_before_the_end_is_delivered(tunnel, lab, amount):
    """The sender closes both halves at once behind its last byte."""
    data = pattern("last", amount)
    for make_sender in (lambda c, s: (c, s), lambda c, s: (s, c)):
        with connected(lab, net.SERVER4) as pair:
            sender, receiver = make_sender(*pair)

            def send_and_close():
                sender.sendall(data)
                sender.close()

            thread = threading.Thread(target=send_and_close)
            thread.start()
            assert receive_all(receiver) == data
            thread.join()


@pytest.mark.parametrize("first", ["client", "server"])
def test_an_end_passes_a_reader_that_stalls(tunnel, lab, first):
    """Whoever takes nothing stops the bytes, as without a tunnel, and of them each arrives; the end is right behind."""
    with connected(lab, net.SERVER4) as pair:
        one, other = pair if first == "client" else pair[::-1]
        one.setblocking(False)
        sent, quiet = 0, 0
        while quiet < 50:
            try:
                sent += one.send(bytes(65536))
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.01)
        one.shutdown(socket.SHUT_WR)
        assert len(receive_all(other)) == sent
