"""The receiving half alone: order, once, the first copy, and never more than fits."""

import itertools
import struct
import tracemalloc

import pytest

from era1_raw_network import receiver as receiving
from era1_raw_network.codec import END, FIN
from era1_raw_network.receiver import Fate, Receiver


def part(offset, total, chunk):
    return struct.pack("!HH", offset, total) + chunk


def test_segments_in_order_become_messages():
    receiver = Receiver(1, capacity=8)
    assert receiver.accept(1, 0, b"ab") is Fate.IN_ORDER
    assert receiver.take() == []
    assert receiver.accept(2, END, b"c") is Fate.IN_ORDER
    assert receiver.take() == [b"abc"]
    assert receiver.take() == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(1, 5))))
def test_any_order_of_arrival_gives_the_same_message(order):
    receiver = Receiver(1, capacity=8)
    for seq in order:
        receiver.accept(seq, END if seq == 4 else 0, b"abcd"[seq - 1 : seq])
    assert receiver.take() == [b"abcd"]
    assert receiver.next == 5 and not receiver.held


def test_a_second_copy_is_a_duplicate_before_and_after_delivery():
    receiver = Receiver(1, capacity=8)
    assert receiver.accept(2, END, b"b") is Fate.HELD
    assert receiver.accept(2, END, b"b") is Fate.DUPLICATE
    receiver.accept(1, 0, b"a")
    assert receiver.accept(1, 0, b"a") is Fate.DUPLICATE
    assert receiver.accept(2, END, b"b") is Fate.DUPLICATE
    assert receiver.take() == [b"ab"]


def test_a_copy_with_other_bytes_never_replaces_the_first():
    receiver = Receiver(1, capacity=8)
    receiver.accept(2, END, b"true")
    receiver.accept(2, END, b"false")
    receiver.accept(1, 0, b"is ")
    receiver.accept(1, 0, b"was ")
    assert receiver.take() == [b"is true"]


def test_what_is_missing_is_told_by_one_number_and_a_bitmap():
    receiver = Receiver(10, capacity=32)
    for seq in (11, 13, 20):
        receiver.accept(seq, END, b"")
    assert receiver.next == 10
    assert receiver.sack() == bytes([0b00001010, 0b00000100])


def test_beyond_the_window_nothing_is_taken_not_even_the_next():
    receiver = Receiver(1, capacity=2)
    assert receiver.accept(3, END, b"") is Fate.BEYOND_WINDOW
    receiver.accept(1, END, b"")
    receiver.accept(2, END, b"")
    assert receiver.offer() == 0
    assert receiver.accept(3, END, b"") is Fate.BEYOND_WINDOW
    receiver.take()
    assert receiver.offer() == 2
    assert receiver.accept(3, END, b"") is Fate.IN_ORDER


def test_the_window_s_right_edge_never_moves_back():
    receiver = Receiver(1, capacity=8)
    edge = 0
    for seq in range(1, 200):
        receiver.accept(seq, END if seq % 5 else 0, b"x")
        assert receiver.next + receiver.offer() >= edge
        edge = receiver.next + receiver.offer()
        if seq % 7 == 0:
            receiver.take()


def test_a_message_larger_than_the_window_still_gets_through():
    receiver = Receiver(1, capacity=4)
    for seq in range(1, 101):
        assert receiver.offer() > 0
        assert receiver.accept(seq, END if seq == 100 else 0, b"x") is Fate.IN_ORDER
    assert receiver.take() == [b"x" * 100]


def test_a_gibibyte_offered_out_of_order_keeps_no_more_than_the_window():
    receiver = Receiver(1, capacity=64)
    payload = bytes(1 << 16)
    tracemalloc.start()
    for seq in range(2, 2 + (1 << 14)):  # 2^14 segments of 2^16 bytes; the first never comes
        receiver.accept(seq, END, payload[:-1] + b"x")
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert receiver.held.bit_length() <= 64
    assert held_bytes < 65 << 16


def test_the_end_counts_only_when_everything_before_it_is_here():
    receiver = Receiver(1, capacity=8)
    assert receiver.accept(3, FIN, b"") is Fate.HELD
    receiver.accept(1, 0, b"a")
    assert not receiver.ended
    receiver.accept(2, END, b"b")
    assert receiver.ended and receiver.take() == [b"ab"]


def test_nothing_comes_after_the_end():
    receiver = Receiver(1, capacity=8)
    receiver.accept(1, FIN, b"")
    receiver.accept(2, END, b"a ghost")
    assert receiver.take() == []


def test_an_empty_message_is_a_message():
    receiver = Receiver(1, capacity=8)
    receiver.accept(1, END, b"")
    assert receiver.take() == [b""]


def test_a_message_without_end_is_refused_when_it_is_too_long(monkeypatch):
    monkeypatch.setattr(receiving, "MAX_MESSAGE_BYTES", 100)
    receiver = Receiver(1, capacity=20)
    fates = [receiver.accept(seq, 0, b"x" * 10) for seq in range(1, 12)]
    assert fates == [Fate.IN_ORDER] * 10 + [Fate.MESSAGE_TOO_LONG]


def test_a_message_of_endless_empty_segments_is_refused_too(monkeypatch):
    monkeypatch.setattr(receiving, "MAX_MESSAGE_SEGMENTS", 100)
    receiver = Receiver(1, capacity=200)
    fates = [receiver.accept(seq, 0, b"") for seq in range(1, 102)]
    assert fates == [Fate.IN_ORDER] * 100 + [Fate.MESSAGE_TOO_LONG]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_parts_in_any_order_make_their_segment(order):
    receiver = Receiver(1, capacity=8)
    parts = [part(0, 8, b"abc"), part(3, 8, b"def"), part(6, 8, b"gh")]
    fates = [receiver.accept_part(1, END, parts[i]) for i in order]
    assert fates == [Fate.HELD, Fate.HELD, Fate.IN_ORDER]
    assert receiver.take() == [b"abcdefgh"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0\0\0",
        part(0, 5, b""),
        part(0, 2, b"abc"),
        part(0xFFFF, 0xFFFF, b"a"),
        part(0, 0, b"a"),
    ],
    ids=["empty", "half a header", "no bytes", "past the end", "at the very end", "of nothing"],
)
def test_a_part_that_cannot_be_true_is_malformed(payload):
    assert Receiver(1, capacity=8).accept_part(1, END, payload) is Fate.MALFORMED


def test_overlapping_parts_are_never_spliced():
    receiver = Receiver(1, capacity=8)
    receiver.accept_part(1, END, part(0, 8, b"abcd"))
    receiver.accept_part(1, END, part(2, 8, b"XXXX"))
    assert receiver.accept_part(1, END, part(6, 8, b"gh")) is Fate.HELD
    assert receiver.take() == []


def test_a_second_part_for_the_same_place_does_not_replace_the_first():
    receiver = Receiver(1, capacity=8)
    receiver.accept_part(1, END, part(0, 6, b"abc"))
    receiver.accept_part(1, END, part(0, 6, b"XYZ"))
    receiver.accept_part(1, END, part(3, 6, b"def"))
    assert receiver.take() == [b"abcdef"]


def test_parts_of_one_segment_are_few():
    receiver = Receiver(1, capacity=8)
    for offset in range(0, 2000, 2):
        receiver.accept_part(1, END, part(offset, 4000, b"x"))
    assert len(receiver._fragments[1]) == receiving.MOST_PARTS


def test_parts_are_forgotten_when_the_whole_segment_came_another_way():
    receiver = Receiver(1, capacity=8)
    for seq in range(1, 1000):
        receiver.accept_part(seq, END, part(0, 6, b"abc"))
        receiver.accept(seq, END, b"abcdef")
        receiver.take()
        receiver.offer()
    assert not receiver._fragments


def test_parts_beyond_the_window_are_not_kept():
    receiver = Receiver(1, capacity=8)
    assert receiver.accept_part(9, END, part(0, 6, b"abc")) is Fate.BEYOND_WINDOW
    assert not receiver._fragments
