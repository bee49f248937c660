"""The wire's rules, in pure code: what happens to a frame depends on seed, direction and number."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.wire import KnobError, Knobs, Line, Wire

FRAMES = 20_000


def line(seed=7, name="there", **knobs):
    return Line(seed, name, Knobs(**knobs))


def fates(line, frames=FRAMES, size=100):
    """Push numbered frames, far apart in time; return {number: [(delivered after, frame)]}."""
    return {
        n: [
            (at - n, frame) for at, frame in line.push(float(n), n.to_bytes(4, "big") * (size // 4))
        ]
        for n in range(frames)
    }


def lost(line, frames=FRAMES):
    return {n for n, copies in fates(line, frames).items() if not copies}


def is_near(count, probability, frames=FRAMES):
    """Within five standard deviations of a binomial: one run in two million strays further."""
    deviation = math.sqrt(frames * probability * (1 - probability))
    return abs(count - frames * probability) <= 5 * deviation


def test_a_perfect_wire_delivers_every_frame_at_once_and_intact():
    wire = line()
    assert wire.push(1.5, b"hello") == ((1.5, b"hello"),)
    assert wire.stats["delivered"] == 1


def test_one_seed_is_one_history_byte_for_byte():
    knobs = {"loss": 0.1, "duplicate": 0.1, "reorder": 0.1, "corrupt": 0.1, "jitter_s": 0.01}
    assert fates(line(3, delay_s=0.02, **knobs)) == fates(line(3, delay_s=0.02, **knobs))
    assert fates(line(3, **knobs), 500) != fates(line(4, **knobs), 500)


def test_the_two_directions_have_different_fates():
    assert lost(line(7, "there", loss=0.2), 500) != lost(line(7, "back", loss=0.2), 500)


def test_more_loss_loses_the_same_frames_and_some_more():
    some, more = lost(line(loss=0.01)), lost(line(loss=0.05))
    assert some < more


def test_other_knobs_do_not_change_who_is_lost():
    plain = lost(line(loss=0.05))
    others = {"duplicate": 0.3, "reorder": 0.3, "corrupt": 0.3, "jitter_s": 0.01, "delay_s": 0.1}
    assert lost(line(loss=0.05, **others)) == plain
    assert lost(line(loss=0.05, rate_bps=1e6)) == plain


def test_knobs_turned_in_mid_flight_do_not_shift_later_fates():
    turned, plain = line(loss=0.05), line(loss=0.05)
    turned.knobs = Knobs(partitioned=True)
    for _ in range(100):
        turned.push(0.0, b"x")
        plain.push(0.0, b"x")
    turned.knobs = Knobs(loss=0.05)
    assert lost(turned, 5000) == lost(plain, 5000)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.2, 1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_dealt_rates_are_the_asked_rates(rate, seed):
    assert is_near(len(lost(line(seed, loss=rate))), rate)
    copies = fates(line(seed, duplicate=rate))
    assert is_near(sum(len(c) == 2 for c in copies.values()), rate)
    copies = fates(line(seed, reorder=rate, delay_s=0.1))
    assert is_near(sum(c[0][0] > 0.1005 for c in copies.values()), rate)
    clean = fates(line(seed))
    copies = fates(line(seed, corrupt=rate))
    assert is_near(sum(c[0][1] != clean[n][0][1] for n, c in copies.items()), rate)


def test_corruption_flips_exactly_one_bit_anywhere_in_the_frame():
    spoilt_bits = set()
    wire = line(corrupt=1.0)
    for _ in range(2000):
        ((_, frame),) = wire.push(0.0, bytes(8))
        bits = int.from_bytes(frame, "big")
        assert bits.bit_count() == 1
        spoilt_bits.add(bits)
    assert len(spoilt_bits) == 64


def test_an_empty_frame_cannot_be_corrupted():
    assert line(corrupt=1.0).push(0.0, b"") == ((0.0, b""),)


def test_jitter_varies_the_delay_evenly_and_keeps_the_order():
    delays = [copies[0][0] for copies in fates(line(delay_s=0.1, jitter_s=0.05)).values()]
    assert 0.05 <= min(delays) < 0.0505
    assert 0.1495 < max(delays) <= 0.15 + 1e-9
    wire = line(delay_s=0.1, jitter_s=0.05)
    times = [wire.push(n * 0.001, b"x")[0][0] for n in range(1000)]
    assert times == sorted(times)


def test_jitter_beyond_the_delay_never_delivers_before_sending():
    assert all(c[0][0] >= 0 for c in fates(line(delay_s=0.01, jitter_s=0.05)).values())


def test_a_reordered_frame_is_overtaken():
    wire = Wire(1, Knobs(delay_s=0.01, script=("delay:0.005",)))
    wire.push(0.0, 0, b"first")
    wire.push(0.001, 0, b"second")
    assert [frame for _, frame in wire.pop_due(1.0)] == [b"second", b"first"]


def test_reorder_by_says_for_how_long():
    ((at, _),) = line(reorder=1.0, delay_s=0.1, reorder_by_s=0.3).push(0.0, b"x")
    assert at == pytest.approx(0.4)
    ((at, _),) = line(reorder=1.0, delay_s=0.1).push(0.0, b"x")
    assert at == pytest.approx(0.1 + 0.052)


def test_a_slow_link_serialises():
    wire = line(rate_bps=8000)
    times = [wire.push(0.0, bytes(100))[0][0] for _ in range(5)]
    assert times == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert wire.push(10.0, bytes(100))[0][0] == pytest.approx(10.1)


def test_a_full_queue_drops_from_the_tail():
    wire = line(rate_bps=8000, queue_bytes=300)
    delivered = [bool(wire.push(0.0, bytes(100))) for _ in range(6)]
    assert delivered == [True, True, True, False, False, False]
    assert wire.stats["queue_full"] == 3
    assert wire.push(0.1, bytes(100)), "one frame has left, so there is room for one"
    assert not wire.push(0.1, bytes(100))


def test_an_idle_link_takes_a_frame_larger_than_its_queue():
    assert line(rate_bps=8000, queue_bytes=50).push(0.0, bytes(100))


def test_lost_frames_have_used_the_bandwidth():
    wire = line(rate_bps=8000, script=("drop", "deliver"))
    wire.push(0.0, bytes(100))
    assert wire.push(0.0, bytes(100))[0][0] == pytest.approx(0.2)


def test_frames_beyond_the_mtu_vanish():
    wire = line(mtu_bytes=100)
    assert wire.push(0.0, bytes(100))
    assert not wire.push(0.0, bytes(101))
    assert wire.stats["too_big"] == 1


def test_a_partition_lets_nothing_in_until_it_heals():
    wire = Wire(1, Knobs(delay_s=1.0))
    wire.push(0.0, 0, b"under way")
    for line_ in wire.lines:
        line_.knobs = Knobs(delay_s=1.0, partitioned=True)
    wire.push(0.5, 0, b"cut")
    wire.push(0.5, 1, b"cut")
    wire.lines[0].knobs = Knobs(delay_s=1.0)
    wire.push(0.6, 0, b"healed")
    wire.push(0.6, 1, b"still cut")
    assert list(wire.pop_due(9.0)) == [(1, b"under way"), (1, b"healed")]
    assert [line_.stats["partitioned"] for line_ in wire.lines] == [1, 2]


def test_a_script_rules_the_next_frames_and_then_chance_again():
    wire = line(script=("drop", "drop", "deliver", "duplicate", "corrupt", "delay:0.2"), loss=1.0)
    results = [wire.push(0.0, b"\0") for _ in range(7)]
    assert results[0] == results[1] == ()
    assert results[2] == ((0.0, b"\0"),)
    assert results[3] == ((0.0, b"\0"), (0.0, b"\0"))
    assert results[4][0][1] != b"\0"
    assert results[5] == ((0.2, b"\0"),)
    assert results[6] == (), "loss is 1: after the script every frame is lost"


def test_turning_a_knob_keeps_what_is_left_of_the_script():
    wire = line(script=("drop", "drop"))
    wire.push(0.0, b"x")
    wire.knobs = dataclasses.replace(wire.knobs, delay_s=0.5)
    assert not wire.push(0.0, b"x")
    assert wire.push(0.0, b"x") == ((0.5, b"x"),)


def test_less_delay_does_not_let_frames_overtake():
    wire = line(delay_s=1.0)
    wire.push(0.0, b"slow")
    wire.knobs = Knobs()
    assert wire.push(0.5, b"fast")[0][0] == 1.0


def test_the_counts_add_up():
    wire = line(loss=0.1, duplicate=0.1, reorder=0.1, corrupt=0.1, mtu_bytes=1000, delay_s=0.01)
    delivered = sum(len(copies) for copies in fates(wire).values())
    wire.push(0.0, bytes(2000))
    stats = wire.stats
    assert stats["sent"] == FRAMES + 1
    assert stats["bytes"] == FRAMES * 100 + 2000
    assert stats["delivered"] == delivered
    assert stats["delivered"] == stats["sent"] + stats["duplicated"] - stats["lost"] - 1


def test_each_direction_has_its_own_knobs():
    wire = Wire(1, Knobs(), back=Knobs(loss=1.0))
    wire.push(0.0, 0, b"there")
    wire.push(0.0, 1, b"back")
    assert list(wire.pop_due(0.0)) == [(1, b"there")]


def test_next_time_is_when_the_next_frame_comes_out():
    wire = Wire(1, Knobs(delay_s=0.25))
    assert wire.next_time() is None
    wire.push(1.0, 0, b"x")
    assert wire.next_time() == 1.25
    assert list(wire.pop_due(1.2)) == []


@pytest.mark.parametrize(
    ("knob", "value", "accepted"),
    [
        ("loss", 1.5, "from 0 to 1"),
        ("loss", -0.1, "from 0 to 1"),
        ("loss", "much", "from 0 to 1"),
        ("loss", True, "from 0 to 1"),
        ("loss", math.nan, "from 0 to 1"),
        ("duplicate", 2, "from 0 to 1"),
        ("reorder", None, "from 0 to 1"),
        ("corrupt", 7, "from 0 to 1"),
        ("delay_s", -1, "seconds"),
        ("delay_s", math.inf, "seconds"),
        ("jitter_s", "1", "seconds"),
        ("reorder_by_s", -0.5, "seconds"),
        ("rate_bps", -1, "bits per second"),
        ("queue_bytes", 1.5, "whole bytes"),
        ("mtu_bytes", 0, "from 1 to 65535"),
        ("mtu_bytes", 65536, "from 1 to 65535"),
        ("partitioned", "yes", "true or false"),
        ("script", ("deliver", "explode"), "delay:SECONDS"),
        ("script", ("delay:soon",), "delay:SECONDS"),
        ("script", ("delay:-1",), "delay:SECONDS"),
        ("script", "drop", "a list"),
    ],
)
def test_a_refused_knob_names_itself_its_value_and_what_is_accepted(knob, value, accepted):
    with pytest.raises(KnobError) as refusal:
        Knobs(**{knob: value})
    named = value[-1] if isinstance(value, tuple) else value
    assert knob in str(refusal.value)
    assert repr(named) in str(refusal.value)
    assert accepted in str(refusal.value)


PROBABILITY = st.floats(0, 1)
TIME_S = st.floats(0, 10)
ANY_KNOBS = st.builds(
    Knobs,
    loss=PROBABILITY,
    duplicate=PROBABILITY,
    reorder=PROBABILITY,
    reorder_by_s=TIME_S,
    corrupt=PROBABILITY,
    delay_s=TIME_S,
    jitter_s=TIME_S,
    rate_bps=st.sampled_from([0.0, 1e3, 1e9]),
    queue_bytes=st.integers(0, 5000),
    mtu_bytes=st.integers(1, 2000),
    partitioned=st.booleans(),
    script=st.lists(st.sampled_from(["deliver", "drop", "duplicate", "corrupt", "delay:3"])),
)


@given(
    seed=st.integers(),
    turns=st.lists(st.tuples(ANY_KNOBS, st.lists(st.tuples(TIME_S, st.binary()))), max_size=4),
)
def test_whatever_is_turned_every_frame_has_a_fate_and_the_counts_add_up(seed, turns):
    line, now, delivered, last_at = Line(seed, "there", Knobs()), 0.0, 0, 0.0
    for knobs, frames in turns:
        line.knobs = knobs
        for wait_s, frame in frames:
            now += wait_s
            copies = line.push(now, frame)
            delivered += len(copies)
            assert len(copies) <= 2
            assert all(at >= now and len(copy) == len(frame) for at, copy in copies)
            assert copies or line.fate, "a frame that vanished must have a reason"
            if copies and "reorder" not in dict(line.fate):
                assert copies[0][0] >= last_at, "only frames held back may be overtaken"
                last_at = copies[0][0]
    stats = line.stats
    dropped = sum(stats[why] for why in ("lost", "partitioned", "too_big", "queue_full"))
    assert stats["delivered"] == delivered == stats["sent"] - dropped + stats["duplicated"]
