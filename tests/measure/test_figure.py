"""A figure says by how much, how surely, and whether the target is met."""

import json

import pytest

from lab.measure.figure import Target, alone, compare, compare_percentile

NAME = "transport/goodput/10Mbit/20ms/5%/cubic"


def test_the_ratio_is_that_of_the_medians_with_the_extremes_of_the_rounds() -> None:
    figure = compare(NAME, "Mbit/s", [8.0, 9.0, 10.0], [2.0, 3.0, 2.5], "cubic")
    assert (figure.ours, figure.peer, figure.ratio) == (9.0, 2.5, 3.6)
    assert (figure.ratio_min, figure.ratio_max) == (3.0, 4.0)
    assert figure.runs == 3


def test_rounds_are_pairs() -> None:
    with pytest.raises(ValueError):
        compare(NAME, "Mbit/s", [1.0, 2.0], [1.0], "cubic")


def test_a_peer_that_carried_nothing_gives_no_ratio() -> None:
    figure = compare(NAME, "Mbit/s", [1.0], [0.0], "cubic")
    assert (figure.ratio, figure.ratio_min, figure.ratio_max) == (None, None, None)


def test_a_percentile_is_taken_over_all_rounds_together() -> None:
    ours = [[1.0] * 50, [1.0] * 49 + [7.0]]
    peer = [[2.0] * 50, [2.0] * 50]
    assert compare_percentile("p99", "ms", 0.99, ours, peer, "enet").ratio == 0.5
    worst = compare_percentile("max", "ms", 1.0, ours, peer, "enet")
    assert (worst.ratio, worst.ratio_min, worst.ratio_max) == (3.5, 0.5, 3.5)


def test_a_side_that_never_finished_has_no_value() -> None:
    figure = compare_percentile("p99", "ms", 0.99, [[1.0]], [[]], "cubic")
    assert (figure.ours, figure.peer, figure.ratio) == (1.0, None, None)


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("ratio", at_least=3.6), True),
        (Target("ratio", at_least=3.7), False),
        (Target("ratio", at_least=3.0, at_most=3.5), False),
        (Target("ours", at_most=9.0), True),
    ],
)
def test_a_target_is_met_or_not(target: Target, met: bool) -> None:
    figure = compare(NAME, "Mbit/s", [9.0], [2.5], "cubic", target)
    assert figure.as_json()["met"] is met


def test_a_missing_value_meets_no_target() -> None:
    figure = compare(NAME, "Mbit/s", [9.0], [0.0], "cubic", Target("ratio", at_most=1.0))
    assert figure.as_json()["met"] is False


def test_the_json_has_the_fields_that_readers_ask_for() -> None:
    fields = json.loads(json.dumps(compare(NAME, "Mbit/s", [2 / 3], [1 / 3], "cubic").as_json()))
    asked = ("name", "unit", "ours", "peer", "peer_name", "ratio", "ratio_min", "ratio_max", "runs")
    assert set(asked) <= set(fields)
    assert fields["ours"] == 0.6667
    assert "met" not in fields


def test_a_figure_alone_has_a_median_and_no_ratio() -> None:
    figure = alone("transport/queue/ours", "ms", [4.0, 2.0, 3.0])
    assert (figure.ours, figure.peer, figure.ratio) == (3.0, None, None)
