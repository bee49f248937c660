"""Bad paths: what arrives is what was sent, in bounded time, and without needless copies."""

import hashlib
from random import Random

import pytest

from era1_raw_network.codec import PART, decode
from era1_raw_network.flight import SAFE_PAYLOAD
from era1_raw_network.states import State
from lab.wire import Knobs
from tests.era1.timeline import HEADER_BYTES, frame_mtu, pair

MIB = 1 << 20


def sha(message):
    return hashlib.sha256(message).hexdigest()


def arrives(virtual, speaker, listener, message, within_s):
    """Say `message`, once; the same must be heard, once, at the latest at `within_s`."""
    speaker.connection.send(message)
    assert virtual.run(within_s, lambda: bool(listener.heard)), repr(speaker.connection)
    assert [sha(heard) for heard in listener.heard] == [sha(message)]


@pytest.mark.parametrize("seed", range(20))
def test_a_mebibyte_through_a_third_lost_arrives_whole(seed):
    message = Random(seed).randbytes(MIB)
    virtual, speaker, listener = pair(Knobs(loss=0.3, delay_s=0.010), seed=seed)
    arrives(virtual, speaker, listener, message, within_s=60.0)
    assert speaker.connection.sender.counts["resent"] > 200


def test_half_of_all_packets_doubled_is_delivered_once():
    message = Random(7).randbytes(MIB // 4)
    virtual, speaker, listener = pair(Knobs(duplicate=0.5, delay_s=0.010))
    arrives(virtual, speaker, listener, message, within_s=10.0)
    assert listener.connection.counts["duplicates"] > 50
    assert speaker.connection.sender.counts["resent"] == 0


def test_everything_doubled_and_disordered_is_delivered_once_and_in_order():
    virtual, speaker, listener = pair(Knobs(duplicate=1.0, reorder=0.5, delay_s=0.010))
    messages = [b"%d" % n for n in range(500)]
    for message in messages:
        speaker.connection.send(message)
    assert virtual.run(10.0, lambda: len(listener.heard) >= 500)
    virtual.run(virtual.now + 1)
    assert listener.heard == messages


def test_a_packet_overtaken_by_three_is_not_sent_again():
    """At 10 Mbit/s a packet held back 4 ms is overtaken by three of 1.2 ms each."""
    message = Random(7).randbytes(MIB // 4)
    knobs = Knobs(reorder=0.02, reorder_by_s=0.0036, delay_s=0.020, rate_bps=1e7)
    virtual, speaker, listener = pair(knobs, Knobs(delay_s=0.020))
    arrives(virtual, speaker, listener, message, within_s=10.0)
    assert virtual.wire.lines[0].counts["reordered"] >= 3
    assert speaker.connection.sender.counts["resent"] <= 1


def test_every_packet_damaged_now_and_then_is_still_the_same_message():
    message = Random(7).randbytes(MIB // 4)
    virtual, speaker, listener = pair(Knobs(corrupt=0.2, delay_s=0.010))
    arrives(virtual, speaker, listener, message, within_s=20.0)
    assert listener.connection.counts["malformed"] > 20


@pytest.mark.parametrize("delay_s", [0.0005, 0.010, 0.050])
def test_a_path_that_swallows_large_packets_from_the_start(delay_s):
    """A black hole (RFC 2923): nothing larger than 1280 bytes passes, and nobody says so."""
    message = Random(7).randbytes(MIB // 4)
    virtual, speaker, listener = pair(Knobs(mtu_bytes=frame_mtu(1280), delay_s=delay_s))
    arrives(virtual, speaker, listener, message, within_s=5.0)
    assert speaker.connection.sender.counts["black_holes"] == 1


@pytest.mark.parametrize("delay_s", [0.0005, 0.010, 0.050])
def test_a_path_that_begins_to_swallow_large_packets_in_mid_connection(delay_s):
    message = Random(7).randbytes(MIB)
    parts = []
    virtual, speaker, listener = pair(Knobs(delay_s=delay_s, rate_bps=2e7))
    receive = listener.receive

    def watched(frame, now):
        parts.append(decode(frame).kind == PART)
        receive(frame, now)

    listener.receive = watched
    shrinks_at_s = 0.1

    def shrink():
        virtual.wire.lines[0].knobs = Knobs(mtu_bytes=frame_mtu(1280), delay_s=delay_s)

    virtual.at(shrinks_at_s, shrink)
    arrives(virtual, speaker, listener, message, within_s=shrinks_at_s + 5.0)
    assert speaker.connection.sender.counts["black_holes"] == 1
    assert any(parts)  # what had been cut for the larger path was fragmented


def test_after_a_black_hole_all_packets_are_small():
    virtual, speaker, listener = pair(Knobs(mtu_bytes=frame_mtu(1280), delay_s=0.010))
    arrives(virtual, speaker, listener, b"x" * 20_000, within_s=5.0)
    too_big = virtual.wire.lines[0].counts["too_big"]
    speaker.connection.send(b"y" * 100_000)
    assert virtual.run(10.0, lambda: len(listener.heard) == 2)
    assert virtual.wire.lines[0].counts["too_big"] == too_big
    assert SAFE_PAYLOAD + HEADER_BYTES + 20 == 1200


@pytest.mark.parametrize("before_the_wrap", [1, 2, 300, 700])
def test_a_mebibyte_across_the_wrap_of_the_sequence_numbers(before_the_wrap):
    message = Random(7).randbytes(MIB)
    first = 2**32 - before_the_wrap
    virtual, speaker, listener = pair(
        Knobs(loss=0.05, duplicate=0.05, reorder=0.05, delay_s=0.005), first_seqs=(first, first + 7)
    )
    listener.connection.send(message)
    arrives(virtual, speaker, listener, message, within_s=20.0)
    assert virtual.run(20.0, lambda: bool(speaker.heard))
    assert sha(speaker.heard[0]) == sha(message)
    assert speaker.connection.sender.una > 2**32 - 1


def test_a_mebibyte_across_the_wrap_of_the_packet_numbers():
    message = Random(7).randbytes(MIB)
    virtual, speaker, listener = pair(Knobs(loss=0.05, reorder=0.05, delay_s=0.005))
    for talker in (speaker, listener):
        talker.connection.sender.flight.packet = 2**32 - 100
    listener.connection.send(message)
    arrives(virtual, speaker, listener, message, within_s=20.0)
    assert virtual.run(20.0, lambda: bool(speaker.heard))
    assert speaker.connection.sender.packet > 2**32
    assert speaker.connection.sender.rtt.srtt_s == pytest.approx(0.010, abs=0.005)


def test_a_cut_shorter_than_patience_is_survived_and_a_longer_one_reported():
    for cut_s, survives in ((4.0, True), (9.0, False)):
        virtual, speaker, listener = pair(Knobs(delay_s=0.010))
        virtual.run(0.5)
        for at, cut in ((1.0, True), (1.0 + cut_s, False)):
            virtual.at(at, lambda cut=cut, wire=virtual.wire: sever(wire, cut))
        virtual.at(1.1, lambda speaker=speaker: speaker.connection.send(b"in the dark"))
        assert virtual.run(30.0, lambda heard=listener.heard: bool(heard)) is survives
        assert (speaker.connection.state is State.ESTABLISHED) is survives
        assert speaker.connection.error == ("" if survives else "the peer was silent for 6 s")


def test_after_a_cut_the_first_packet_that_passes_is_at_most_a_second_late():
    virtual, speaker, listener = pair(Knobs(delay_s=0.010))
    virtual.run(0.5)
    for at, cut in ((1.0, True), (4.0, False)):
        virtual.at(at, lambda cut=cut: sever(virtual.wire, cut))
    virtual.at(1.1, lambda: speaker.connection.send(b"in the dark"))
    assert virtual.run(5.2, lambda: bool(listener.heard))


def sever(wire, cut):
    for line in wire.lines:
        line.knobs = Knobs(delay_s=0.010, partitioned=cut)


def test_both_directions_lose_and_both_messages_arrive_and_both_sides_end_in_order():
    virtual, one, other = pair(Knobs(loss=0.2, delay_s=0.020))
    for talker in (one, other):
        talker.connection.send(b"z" * 50_000)
        virtual.at(2.0, lambda talker=talker: talker.connection.close(virtual.now))
    ends = (one.connection, other.connection)
    assert virtual.run(30.0, lambda: all(end.state is State.CLOSED for end in ends))
    assert [end.error for end in ends] == ["", ""]
    assert len(one.heard) == len(other.heard) == 1


def test_the_same_seed_is_the_same_history_byte_for_byte():
    histories = []
    for _ in range(2):
        virtual, speaker, listener = pair(Knobs(loss=0.1, reorder=0.1, delay_s=0.01), seed=11)
        arrives(virtual, speaker, listener, b"again" * 10_000, within_s=10.0)
        histories.append(virtual.history())
    assert histories[0] == histories[1]


def test_loss_by_accident_does_not_slow_the_sender_down_but_a_full_queue_does():
    """Where RFC 5681 would halve on either, the rate model tells them apart."""
    message = Random(7).randbytes(MIB)
    accident = pair(Knobs(loss=0.05, delay_s=0.010, rate_bps=1e7), Knobs(delay_s=0.010))
    arrives(*accident, message, within_s=1.5)  # the link alone needs 0.86 s
    crowd = pair(Knobs(delay_s=0.010, rate_bps=1e7, queue_bytes=20_000), Knobs(delay_s=0.010))
    arrives(*crowd, message, within_s=1.5)
    sender = crowd[1].connection.sender
    assert sender.congestion.cwnd < 60  # path and queue hold 22 segments, not thousands
    assert sender.counts["lost"] < 0.15 * sender.counts["sent"]
