"""The model of the path, as a timeline of acknowledgements: when it yields, what a probe costs."""

import pytest

from era1_raw_network.congestion import LEAST_WINDOW, PROBE_RTT_S, Phase, RateModel

RATE, RTT_S, QUEUED_S = 1000.0, 0.020, 0.030  # 20 segments fit on this path
FITS = RATE * RTT_S


def rounds(model: RateModel, begin: float, end: float, rtt_s: float, lost: int = 0) -> None:
    """One acknowledgement a round, each of 20 segments and showing the path's rate."""
    now = begin
    while now < end:
        now += rtt_s
        model.on_lost(lost)
        model.on_ack(now, 20, RATE, rtt_s, rtt_s, 20, round_ended=True)


def cruising() -> RateModel:
    model = RateModel()
    rounds(model, 0.0, 1.0, RTT_S)
    assert model.phase is Phase.CRUISE
    return model


def test_loss_under_a_standing_queue_yields_and_loss_without_one_does_not():
    accident, crowded = cruising(), cruising()
    window = accident.cwnd
    rounds(accident, 1.0, 1.1, RTT_S, lost=2)
    assert accident.cwnd >= window
    rounds(crowded, 1.0, 1.1, QUEUED_S, lost=2)
    assert crowded.cwnd == pytest.approx(FITS, abs=2)


def test_a_probe_of_the_round_trip_empties_the_path_and_forgets_no_neighbour():
    model = cruising()
    rounds(model, 1.0, 1.1, QUEUED_S, lost=2)
    yielded = model.cwnd
    now = 1.1
    while model.phase is not Phase.PROBE_RTT:
        rounds(model, now, now + QUEUED_S, QUEUED_S, lost=2)
        now += QUEUED_S
    assert 10.0 < now < 11.5
    rounds(model, now, now + QUEUED_S, QUEUED_S)
    assert model.cwnd <= max(LEAST_WINDOW, FITS / 2)
    rounds(model, now + QUEUED_S, now + 2 * PROBE_RTT_S, QUEUED_S)
    assert model.phase is Phase.CRUISE
    assert model.cwnd < 2 * yielded
