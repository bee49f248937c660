"""A chunked body, however it is cut into pieces on its way (RFC 9112, section 7.1)."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from era5_sidecar.chunked import (
    LAST,
    MOST_LINE_BYTES,
    MOST_TRAILER_BYTES,
    ChunkedBody,
    chunk_of,
)
from era5_sidecar.fields import BadMessage

NEXT = b"GET / HTTP/1.1\r\n"
BODY = b'4;ext="a b"\r\nWiki\r\n00A \t\r\npedia in\r\n\r\n0;last\r\nTrailer: 1\r\nOther:\r\n\r\n'
INSIDE = b"Wikipedia in\r\n"


def read(*pieces: bytes) -> tuple[bytes, bytes]:
    """The data in it, and what follows it."""
    body = ChunkedBody()
    data, after = [], b""
    for piece in pieces:
        if body.is_over:
            after += piece
            continue
        data.append(body.feed(piece))
    assert body.is_over
    return b"".join(data), body.rest + after


def test_extensions_and_trailers_end_here():
    assert read(BODY) == (INSIDE, b"")


def test_what_follows_belongs_to_the_next_message():
    assert read(BODY + NEXT) == (INSIDE, NEXT)


@pytest.mark.parametrize("at", range(1, len(BODY + NEXT)))
def test_every_split_point_gives_the_same_data(at):
    assert read((BODY + NEXT)[:at], (BODY + NEXT)[at:]) == (INSIDE, NEXT)


def test_one_byte_after_the_other_too():
    assert read(*(bytes([each]) for each in BODY + NEXT)) == (INSIDE, NEXT)


chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=8)


@settings(max_examples=60)
@given(chunks, st.lists(st.integers(1, 30), min_size=1, max_size=12))
def test_whatever_we_frame_is_read_as_it_was(data, steps):
    wire = b"".join(map(chunk_of, data)) + LAST + NEXT
    pieces, at = [], 0
    while at < len(wire):
        step = steps[len(pieces) % len(steps)]
        pieces.append(wire[at : at + step])
        at += step
    assert read(*pieces) == (b"".join(data), NEXT)


def test_no_data_is_no_chunk_as_that_would_be_the_end():
    assert chunk_of(b"") == b""
    assert chunk_of(b"x" * 17) == b"11\r\n" + b"x" * 17 + b"\r\n"


@pytest.mark.parametrize(
    "bad",
    [
        b"\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b" 1\r\n",
        b"1 1\r\n",
        b"1\n",
        b"1\r\r\n",
        b"\xb2\r\n",
        b"1" * 16 + b"\r\n",  # 2**60 and more
        b"1;a\x00b\r\n",
        b"1;a\rb\r\n",
        b"1\r\nab",  # longer than its size
        b"1\r\na\n",
        b"1\r\na\r\r\n",
        b"1\r\na0\r\n\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\nA: \x00\r\n\r\n",
        b"0\r\nA: 1\n\r\n",
        b"0\r\nGET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_chunk_is_refused_however_it_is_cut(bad):
    # at the last byte at the latest: nothing that follows is waited for
    for pieces in ([bad], [bad[:1], bad[1:]], [bytes([each]) for each in bad]):
        body = ChunkedBody()
        with pytest.raises(BadMessage):
            for piece in pieces:
                body.feed(piece)


@pytest.mark.parametrize("start", [b"1;", b"0" * 5 + b";"])
def test_a_line_that_does_not_end_is_refused_before_it_fills_the_memory(start):
    body = ChunkedBody()
    with pytest.raises(BadMessage):
        fed(body, start, b"a" * 100, MOST_LINE_BYTES + 200)


def test_so_are_trailers_without_end():
    for piece in (b"A: 1\r\n", b"a" * 100):
        body = ChunkedBody()
        body.feed(b"0\r\n")
        with pytest.raises(BadMessage):
            fed(body, b"", piece, 2 * MOST_TRAILER_BYTES)


def fed(body: ChunkedBody, start: bytes, piece: bytes, most_bytes: int) -> None:
    body.feed(start)
    for _ in range(most_bytes // len(piece)):
        body.feed(piece)


def test_lines_of_the_longest_that_may_be_are_read():
    extended = b"1;" + b"a" * (MOST_LINE_BYTES - 2)
    trailer = b"A: " + b"1" * (MOST_TRAILER_BYTES - 3)
    assert read(extended + b"\r\nx\r\n0\r\n" + trailer + b"\r\n\r\n") == (b"x", b"")


def test_the_smallest_chunks_take_no_more_than_their_share_of_time():
    def seconds_for(count: int) -> float:
        body, wire = ChunkedBody(), chunk_of(b"a") * count
        began = time.process_time()
        assert body.feed(wire) == b"a" * count
        return time.process_time() - began

    assert min(seconds_for(40_000) for _ in range(2)) < 16 * seconds_for(5_000)
