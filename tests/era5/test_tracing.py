"""Spans: W3C Trace Context, level 1, one case for each rule."""

import random

import pytest

from era5_sidecar.tracing import Span, Spans

TRACE, PARENT = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
GOOD = b"00-%b-%b-01" % (TRACE, PARENT)


@pytest.fixture
def spans(seed) -> Spans:
    return Spans(random.Random(seed))


def test_a_span_below_another_keeps_its_trace_and_flags(spans):
    span = spans.below(GOOD)
    assert (span.trace, span.parent, span.flags) == (TRACE, PARENT, b"01")
    assert span.id != PARENT
    assert span.header() == b"traceparent: 00-%b-%b-01\r\n" % (TRACE, span.id)


def test_who_is_not_sampled_stays_so(spans):
    assert spans.below(GOOD[:-2] + b"00").flags == b"00"


def test_without_a_header_a_trace_begins(spans):
    span = spans.below(None)
    assert (len(span.trace), len(span.id), span.parent, span.flags) == (32, 16, b"", b"01")
    assert spans.below(None).trace != span.trace


def test_what_we_write_we_understand(spans):
    span = spans.below(None)
    below = spans.below(span.header().removeprefix(b"traceparent: ").strip())
    assert (below.trace, below.parent) == (span.trace, span.id)


def test_another_attempt_is_another_span_of_the_same_parent(spans):
    span = spans.below(GOOD)
    other = spans.beside(span)
    assert other == Span(span.trace, other.id, span.parent, span.flags)
    assert other.id != span.id


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"x",
        GOOD.upper(),
        GOOD[:-1],
        GOOD + b"-more",  # version 00 has four parts
        GOOD + b" ",
        b"ff" + GOOD[2:],
        b"00-" + b"0" * 32 + GOOD[35:],
        GOOD[:36] + b"0" * 16 + b"-01",
        GOOD.replace(b"-", b"_"),
        GOOD[:-2] + b"0g",
    ],
)
def test_a_header_that_is_none_begins_a_trace(spans, header):
    span = spans.below(header)
    assert span.trace != TRACE
    assert span.parent == b""


def test_a_later_version_is_read_as_far_as_we_know_it(spans):
    for header in (b"01" + GOOD[2:], b"01" + GOOD[2:] + b"-more"):
        assert spans.below(header).parent == PARENT


def test_no_id_is_all_zeros():
    class Zero(random.Random):
        def getrandbits(self, bits: int) -> int:
            return 0

    span = Spans(Zero()).below(None)
    assert int(span.trace, 16)
    assert int(span.id, 16)
    assert int(Spans(Zero()).beside(span).id, 16)
