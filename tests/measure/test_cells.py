"""What each group makes of given outcomes: names, ratios, limits, targets."""

import itertools

import pytest

from lab.measure import fairness, goodput, small_requests, standing_queue, transport
from lab.measure.carried import Carried, carried
from lab.measure.fairness import Shared, mbit_between, shared
from lab.measure.figure import Figure
from lab.measure.goodput import Cell
from lab.measure.queueing import waits_of
from lab.measure.side import TrialFailed
from lab.measure.trial import Outcome
from lab.wire import Knobs

SLOW = Cell(rate_bps=10e6, round_trip_s=0.02, loss=0.05)
FAST = Cell(rate_bps=0.0, round_trip_s=0.02, loss=0.05)


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def rounds(**goodputs: list[float]) -> dict[str, list[Carried]]:
    return {
        name: [Carried(value, 0.01, realised_loss=0.1, payload_share=0.9) for value in values]
        for name, values in goodputs.items()
    }


def test_a_figure_is_asked_for_by_cell_and_peer() -> None:
    assert "transport/goodput/10Mbit/20ms/5%/cubic" in goodput.names(SLOW)
    assert "transport/goodput/unlimited/20ms/5%/bbr" in goodput.names(FAST)


def test_the_grid_is_the_one_that_was_asked_for() -> None:
    cells = goodput.cells(quick=False)
    assert len(cells) == len({cell.name for cell in cells}) == 30


def test_no_two_parts_of_the_whole_yield_the_same_figure() -> None:
    names = [name for part in transport.parts(quick=False) for name in part.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("cell", [SLOW, FAST])
def test_a_cell_yields_exactly_the_figures_that_it_announces(cell: Cell) -> None:
    played = rounds(ours=[8.0], cubic=[2.0], bbr=[4.0], aioquic=[3.0])
    assert sorted(by_name(goodput.figures(cell, played))) == sorted(goodput.names(cell))


def test_the_better_kernel_is_the_one_with_the_better_median() -> None:
    played = rounds(
        ours=[8.0] * 3, cubic=[2.0, 5.0, 2.0], bbr=[4.0, 1.0, 4.0], aioquic=[3.0, 3.0, 3.0]
    )
    figure = by_name(goodput.figures(SLOW, played))["transport/goodput/10Mbit/20ms/5%/best-kernel"]
    assert (figure.peer_name, figure.peer_runs) == ("bbr", (4.0, 1.0, 4.0))


def test_the_limit_is_rate_times_what_loss_and_headers_leave() -> None:
    played = rounds(ours=[7.776], cubic=[1.0], bbr=[1.0], aioquic=[1.0])
    figure = by_name(goodput.figures(SLOW, played))["transport/goodput/10Mbit/20ms/5%/limit"]
    assert figure.peer == pytest.approx(10 * 0.9 * 0.9)
    assert figure.ratio == pytest.approx(0.96)
    assert figure.target and not figure.target.is_met(figure)


def test_frames_that_found_no_room_in_the_queue_did_not_use_the_link() -> None:
    wire = {"there": {"sent": 1100, "lost": 100, "queue_full": 100}, "back": {}}
    received = {"bytes": 2_500_000, "seconds": 2.0, "cpu_s": 0.2, "payload_share": 0.9}
    one = carried(Outcome(({"cpu_s": 0.3},), (received,), wire))
    assert one.realised_loss == 0.1
    assert one.goodput_mbit == 10.0
    assert one.cpu_s_per_mb == 0.2


def test_a_sender_that_gave_up_is_no_measurement_of_zero() -> None:
    wire = {"there": {"sent": 1, "lost": 1, "queue_full": 0}, "back": {}}
    received = {"bytes": 0, "seconds": 2.0, "cpu_s": 0.2, "payload_share": 0.9}
    with pytest.raises(TrialFailed, match="refused"):
        carried(Outcome(({"cpu_s": 0.3, "error": "refused"},), (received,), wire))


def test_a_buffer_holds_one_bandwidth_delay_product_but_at_least_50_kb() -> None:
    assert goodput.queue_bytes(10e6, 0.1) == 125_000
    assert goodput.queue_bytes(10e6, 0.001) == 50_000
    assert goodput.queue_bytes(0.0, 0.1) == 0


def test_shares_are_taken_from_where_both_flows_are_settled() -> None:
    first = {"samples": [[t, int(t * 1000)] for t in range(14)]}
    second = {"samples": [[t, max(0, t - 5) * 3000] for t in range(1, 13)]}
    pair = shared(Outcome((), (first, second), {}, (0.01,)), settle_s=2.0)
    # Settled from 3 to 12: 9,000 bytes of the first, 21,000 of the second.
    assert pair.share == pytest.approx(30.0)


def test_flows_that_did_not_overlap_have_no_rate() -> None:
    with pytest.raises(ValueError, match="overlap"):
        mbit_between([[1.0, 0], [2.0, 10]], 5.0, 4.0)


def test_fairness_yields_the_figures_that_it_announces() -> None:
    pairs = {pair: [Shared(6.0, 4.0, (0.01, 0.03))] for pair in fairness.PAIRS}
    figures = by_name(fairness.figures(pairs))
    assert sorted(figures) == sorted(fairness.NAMES)
    assert figures["transport/fairness/beside-cubic/share"].ours == 60.0
    assert figures["transport/queue/beside-cubic/mean"].ours == pytest.approx(20.0)


def test_the_queue_alone_yields_the_figures_that_it_announces() -> None:
    one = Carried(9.0, 0.01, 0.0, 0.9, queued_s=(0.001, 0.003))
    played = {name: [one] for name in goodput.CONTESTANTS}
    figures = by_name(standing_queue.figures(played))
    assert sorted(figures) == sorted(standing_queue.NAMES)
    assert figures["transport/queue/alone/p95/cubic"].ours == pytest.approx(3.0)


def test_the_wait_in_the_queue_is_what_delay_and_length_do_not_explain() -> None:
    knobs = Knobs(delay_s=0.01, rate_bps=1e6)
    events = [
        {"t": 1.0, "what": "send", "from": "orders", "id": 1, "size": 125},
        {"t": 1.0, "what": "send", "from": "inventory", "id": 1, "size": 125},
        {"t": 1.011, "what": "deliver", "from": "orders", "id": 1, "size": 125},
        {"t": 1.0, "what": "send", "from": "orders", "id": 2, "size": 125},
        {"t": 1.016, "what": "deliver", "from": "orders", "id": 2, "size": 125},
        {"t": 1.0, "what": "drop", "from": "orders", "id": 3, "size": 125},
    ]
    waits = list(waits_of(events, knobs, from_s=0.0))
    assert waits == [pytest.approx(0.0, abs=1e-9), pytest.approx(0.005)]


def test_the_queue_while_flows_ramp_up_is_left_out() -> None:
    knobs = Knobs(rate_bps=1e6)
    events = [
        {"t": t, "what": what, "from": "orders", "id": number, "size": 125}
        for number, (sent, came) in enumerate([(1.0, 1.1), (1.9, 2.1), (2.0, 2.031)])
        for t, what in ((sent, "send"), (came, "deliver"))
    ]
    assert list(waits_of(events, knobs, from_s=1.0)) == [pytest.approx(0.03)]


def test_requests_yield_percentiles_beside_each_peer() -> None:
    took = {name: [[0.02] * 199 + [0.4]] for name in small_requests.CONTESTANTS}
    took["ours"] = [[0.02] * 195 + [0.05] * 5]
    figures = by_name(small_requests.figures("20ms/5%", took, 200))
    assert sorted(figures) == sorted(small_requests.names("20ms/5%"))
    worst = figures["transport/requests/20ms/5%/p99/cubic"]
    assert (worst.ours, worst.peer) == (50.0, 20.0)


def test_the_quick_run_plays_one_seed_and_few_cells() -> None:
    assert sum(part.planned_s for part in transport.parts(quick=True)) < 40


def test_every_part_says_how_long_it_takes() -> None:
    assert all(part.planned_s > 0 for part in itertools.chain(transport.parts(quick=False)))
