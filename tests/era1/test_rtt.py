"""The timeout, with the numbers of RFC 6298 written out, and who may be measured (Karn's rule)."""

import pytest

from era1_raw_network.codec import ACK, SYNACK
from era1_raw_network.rtt import Estimator
from tests.era1.timeline import Scripted


def test_the_first_sample_sets_mean_and_half_of_it_as_variation():
    rtt = Estimator()
    rtt.sample(0.100)
    assert (rtt.srtt_s, rtt.rttvar_s) == pytest.approx((0.100, 0.050))
    assert rtt.rto_s == pytest.approx(0.300)


def test_later_samples_move_the_variation_by_a_quarter_and_the_mean_by_an_eighth():
    rtt = Estimator()
    rtt.sample(0.100)
    rtt.sample(0.200)
    assert rtt.rttvar_s == pytest.approx(0.050 * 3 / 4 + 0.100 / 4)  # against the old mean
    assert rtt.srtt_s == pytest.approx(0.100 * 7 / 8 + 0.200 / 8)
    assert rtt.rto_s == pytest.approx(0.1125 + 4 * 0.0625)


def test_a_steady_path_brings_the_timeout_down_to_the_round_trip_and_the_clock_s_grain():
    rtt = Estimator()
    for _ in range(200):
        rtt.sample(0.100)
    assert rtt.rto_s == pytest.approx(0.101)


def test_a_timeout_is_never_shorter_than_its_floor():
    rtt = Estimator()
    for _ in range(200):
        rtt.sample(0.000_050)
    assert rtt.rto_s == 0.010


def test_jitter_keeps_the_timeout_above_the_slowest_round_trip():
    rtt = Estimator()
    for _ in range(100):
        rtt.sample(0.050)
        rtt.sample(0.150)
    assert rtt.rto_s > 0.150


def test_the_opening_is_measured_if_one_syn_was_enough():
    peer = Scripted().connecting(0.0)
    peer.says(0.0)
    peer.hears(0.040, SYNACK, 5000, 1001)
    assert peer.connection.rtt.srtt_s == pytest.approx(0.040)


def test_an_answer_to_a_repeated_syn_is_not_measured_for_nobody_knows_which_it_answers():
    peer = Scripted().connecting(0.0)
    peer.says(0.0)
    assert peer.says(0.25) == ["SYN 1000 ack 0"]
    peer.hears(0.26, SYNACK, 5000, 1001)
    assert peer.connection.rtt.srtt_s == 0.0


def test_a_repeated_segment_may_be_measured_for_the_echo_names_the_copy():
    peer = Scripted().established(0.0)
    peer.connection.rtt.srtt_s = 0.0  # the opening took no time here: begin afresh
    peer.connection.rtt.rto_s = 0.25
    peer.connection.send(b"x")
    assert peer.says(1.0) == ["DATA 1001 ack 5001 END"]
    assert "DATA 1001 ack 5001 END" in peer.says(1.25)  # the second copy
    peer.hears(1.30, ACK, 5001, 1002, echo=2)
    assert peer.connection.rtt.srtt_s == pytest.approx(0.050)


def test_before_anything_has_arrived_the_echo_acknowledges_nothing():
    """A packet that crossed our first one must not be taken for its answer."""
    peer = Scripted().established(0.0)
    before = peer.connection.rtt.srtt_s
    peer.connection.send(b"x")
    peer.says(1.0)
    peer.hears(1.001, ACK, 5001, 1001, echo=0)
    assert peer.connection.rtt.srtt_s == before
    assert peer.connection.sender.congestion.min_rtt_s == 0.0


def test_the_time_the_peer_held_an_acknowledgement_back_is_not_the_path_s():
    peer = Scripted().established(0.0)
    sender = peer.connection.sender
    for sent_at, rtt_s, held_s in ((1.0, 0.025, 0.0), (2.0, 0.050, 0.020)):
        peer.connection.send(b"x")
        peer.says(sent_at)
        sender.on_ack(sent_at + rtt_s, sender.next, 0, sender.packet - 1, held_s, window=100)
    assert sender.rtt.latest_s == pytest.approx(0.030)


def test_a_peer_cannot_make_the_path_shorter_than_it_ever_was():
    peer = Scripted().established(0.0)
    sender = peer.connection.sender
    peer.connection.send(b"x")
    peer.says(1.0)
    sender.on_ack(1.050, 1002, 0, echo=1, ack_delay_s=0.049, window=100)
    assert sender.rtt.latest_s == pytest.approx(0.050)
