"""Strangers on the path: what is false is dropped, counted, and answered sparingly if at all."""

import tracemalloc
from random import Random

import pytest

from era1_raw_network.challenges import CHALLENGE_SPAN_S, CHALLENGES
from era1_raw_network.codec import (
    ACK,
    DATA,
    END,
    MAX_WINDOW,
    PART,
    PING,
    RST,
    SYN,
    SYNACK,
    encode,
)
from era1_raw_network.receiver import SACK_BYTES
from era1_raw_network.states import State
from tests.era1.timeline import IDENTITY, Scripted


def test_a_reset_that_names_exactly_what_we_expect_ends_it():
    us = Scripted().established(0.0)
    us.hears(1.0, RST, 5001, 1001)
    assert (us.state, us.error) == (State.CLOSED, "reset by the peer")


@pytest.mark.parametrize("seq", [5002, 5100, 5001 + 8191])
def test_a_reset_elsewhere_in_the_window_is_challenged(seq):
    us = Scripted().established(0.0)
    us.hears(1.0, RST, seq, 1001)
    assert us.state is State.ESTABLISHED
    assert us.says(1.0) == ["ACK 1001 ack 5001"]


@pytest.mark.parametrize("seq", [5000, 4000, 5001 + 8192, 5001 + 2**31])
def test_a_reset_outside_the_window_is_not_even_answered(seq):
    us = Scripted().established(0.0)
    us.hears(1.0, RST, seq, 1001)
    assert us.state is State.ESTABLISHED
    assert us.says(1.0) == []
    assert us.connection.counts["ignored"] == 1


def test_a_peer_that_has_forgotten_answers_the_challenge_with_an_exact_reset():
    us = Scripted().established(0.0)
    us.hears(1.0, SYN, 9999, 0)  # it calls again, with new numbers
    assert us.says(1.0) == ["ACK 1001 ack 5001"]
    us.hears(1.010, RST, 5001, 1001)  # seq = what our ACK acknowledged
    assert us.state is State.CLOSED


def test_a_syn_in_mid_conversation_changes_nothing():
    us = Scripted().established(0.0)
    us.hears(1.0, SYN, 5000, 0)
    assert us.state is State.ESTABLISHED
    assert us.says(1.0) == ["ACK 1001 ack 5001"]
    us.hears(1.1, DATA, 5001, 1001, b"still here", END)
    assert us.connection.take() == [b"still here"]


def test_an_acknowledgement_of_what_was_never_sent_is_challenged_and_its_data_dropped():
    us = Scripted().established(0.0)
    us.hears(1.0, DATA, 5001, 1005, b"splice", END)
    assert us.says(1.0) == ["ACK 1001 ack 5001"]
    assert us.connection.take() == []


def test_a_selective_acknowledgement_of_the_unsent_is_challenged():
    us = Scripted().established(0.0)
    us.connection.send(b"x")
    us.says(0.5)
    us.hears(1.0, ACK, 5001, 1001, payload=b"\xff")
    assert us.connection.counts["challenges"] == 1
    us.hears(1.1, ACK, 5001, 1002)
    assert us.connection.sender.idle


def test_an_acknowledgement_older_than_any_window_is_challenged():
    us = Scripted().established(0.0)
    us.hears(1.0, DATA, 5001, 1001 - MAX_WINDOW - 1, b"from long ago", END)
    assert us.says(1.0) == ["ACK 1001 ack 5001"]
    assert us.connection.take() == []


@pytest.mark.parametrize(
    "attack",
    [
        lambda us, now, n: us.hears(now, RST, 5002 + n % 8000, 1001),
        lambda us, now, n: us.hears(now, SYN, 7000 + n, 0),
        lambda us, now, n: us.hears(now, ACK, 5001, 1002 + n),
        lambda us, now, n: us.hears(now, DATA, 5001, 1001 - MAX_WINDOW - 1 - n, b"x"),
    ],
    ids=["RST", "SYN", "ACK of the unsent", "ACK from long ago"],
)
def test_ten_thousand_blind_packets_get_at_most_ten_challenges_in_five_seconds(attack):
    us = Scripted().established(0.0)
    answered_at = []
    for n in range(10_000):
        now = 0.8 + n * 0.0005  # five seconds of them
        attack(us, now, n)
        answered_at += [now] * us.says(now).count("ACK 1001 ack 5001")  # beside its own PINGs
    for start in answered_at:
        in_a_span = [at for at in answered_at if start <= at < start + CHALLENGE_SPAN_S]
        assert len(in_a_span) <= CHALLENGES == 10
    assert 10 <= len(answered_at) <= 20
    us.hears(5.9, DATA, 5001, 1001, b"unharmed", END)
    assert us.connection.take() == [b"unharmed"]


def test_challenges_are_counted_per_connection_so_that_nobody_reads_them_from_another():
    """A global count told a stranger whether his guess had hit (CVE-2016-5696)."""
    one, other = Scripted().established(0.0), Scripted().established(0.0)
    for n in range(100):
        one.hears(1.0, RST, 5002 + n, 1001)
        one.says(1.0)
    other.hears(1.0, RST, 5002, 1001)
    assert other.says(1.0) == ["ACK 1001 ack 5001"]


def test_a_packet_of_another_conversation_is_ignored():
    us = Scripted().established(0.0)
    us.connection.receive(encode(RST, 0, 0, 0, IDENTITY + 1, 5001, 0, 1001, 0), 1.0)
    assert us.state is State.ESTABLISHED and us.connection.counts["ignored"] == 1


def test_an_old_duplicate_of_an_earlier_incarnation_is_not_taken_for_data():
    """Same address, same identity, other numbers: both of its numbers must fit ours."""
    us = Scripted().established(0.0)
    random = Random(7)
    for _ in range(1000):
        seq, ack = random.getrandbits(32), random.getrandbits(32)
        us.hears(1.0, DATA, seq, ack, b"ghost", END)
    assert us.connection.take() == []
    us.hears(2.0, DATA, 5001, 1001, b"living", END)
    assert us.connection.take() == [b"living"]


def test_other_bytes_for_the_same_place_change_nothing():
    us = Scripted().established(0.0)
    us.hears(1.0, DATA, 5002, 1001, b"first", END)
    us.hears(1.0, DATA, 5002, 1001, b"other", END)
    us.hears(1.0, DATA, 5001, 1001, b"gap", END)
    us.hears(1.0, DATA, 5001, 1001, b"gop", END)
    assert us.connection.take() == [b"gap", b"first"]
    assert us.connection.counts["duplicates"] == 2


def test_a_forged_echo_cannot_freeze_the_window():
    us = Scripted().established(0.0)
    us.connection.send(b"x")
    us.says(1.0)
    us.hears(1.0, ACK, 5001, 1001, window=0, echo=100_000)
    us.hears(1.1, ACK, 5001, 1002, window=50, echo=1)
    assert us.connection.sender.peer_window == 50


def test_a_flood_into_a_full_window_costs_no_memory():
    us = Scripted(window=64).established(0.0)
    payload = bytes(1400)
    tracemalloc.start()
    for n in range(6_000):
        us.hears(1.0, DATA, 5001 + n, 1001, payload[:-1] + b"x", END)
        us.says(1.0 + n * 1e-6)
    bytes_used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bytes_used < 64 * 1500 * 3
    assert len(us.connection.take()) == 64


def test_any_sound_packet_in_any_state_raises_nothing_and_leaves_memory_bounded(seed):
    """25,000 packets with a valid checksum and hostile fields, to connections in every state."""
    random = Random(seed)
    kinds = (SYN, SYNACK, DATA, ACK, PING, RST, PART)
    for n in range(125):
        us = random.choice(
            (
                lambda: Scripted(window=32).connecting(0.0),
                lambda: Scripted(window=32).called(0.0),
                lambda: Scripted(window=32).established(0.0),
            )
        )()
        if random.random() < 0.5:
            us.connection.send(bytes(random.randrange(3000)))
        now = 0.0
        for _ in range(200):
            now += random.choice((0.0, 0.0001, 0.01, 0.3))
            us.hears(
                now,
                random.choice(kinds[1 : 6 + (n % 2)]),
                seq=5000 + random.choice((0, 1, 2, 5, 31, 32, 33, -1, -70_000, 2**31, 2**32 - 1)),
                ack=1000 + random.choice((0, 1, 2, 3, 9, 40, -1, -70_000, 2**31)),
                payload=random.randbytes(random.choice((0, 1, 4, 5, 9, 100))),
                flags=random.randrange(256),
                window=random.choice((0, 1, 50, MAX_WINDOW)),
                echo=random.choice((0, 1, 2, 5, 2**31, 2**32 - 1)),
                packet=random.getrandbits(32),
            )
            us.says(now)
            if random.random() < 0.05:
                us.connection.take()
        receiver = us.connection.receiver
        assert receiver is None or len(receiver._held_segments) <= 32
        assert receiver is None or len(receiver._fragments) <= 32
        assert receiver is None or len(receiver.sack()) <= SACK_BYTES
