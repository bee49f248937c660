"""Where a message ends, however the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from era2_tcp.framing import LARGEST_MESSAGE, Decoder, FrameTooLarge, frame

messages = st.lists(st.binary(max_size=300), max_size=8)


@given(messages=messages, cuts=st.lists(st.integers(0, 2_500), max_size=12))
def test_messages_survive_any_cutting_of_the_stream(messages, cuts):
    stream = b"".join(map(frame, messages))
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {len(stream)})
    decoder, told, start = Decoder(), [], 0
    for end in ends:
        told += decoder.feed(stream[start:end])
        start = end
    assert told == messages


def test_a_byte_at_a_time():
    decoder = Decoder()
    told = [decoder.feed(bytes([byte])) for byte in frame(b"hello")]
    assert told == [[]] * 8 + [[b"hello"]]


def test_an_empty_message_is_a_message():
    assert Decoder().feed(frame(b"")) == [b""]


def test_an_unfinished_frame_is_no_message():
    assert Decoder().feed(frame(b"hello")[:-1]) == []


@pytest.mark.parametrize(
    "stream", [b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n", b"\x00\x40\x00\x01"]
)
def test_a_frame_too_large_is_refused_before_it_arrives(stream):
    with pytest.raises(FrameTooLarge, match=r"frame of \d+ bytes; accepted: at most 4194304"):
        Decoder().feed(stream)


def test_the_largest_message_is_accepted():
    assert len(Decoder().feed(frame(bytes(LARGEST_MESSAGE)))[0]) == LARGEST_MESSAGE
    with pytest.raises(FrameTooLarge):
        frame(bytes(LARGEST_MESSAGE + 1))
