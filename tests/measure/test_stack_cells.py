"""What `eras measure stack` makes of given rounds: names, ratios, targets, what is left out."""

import pytest

from lab.measure import amplification, call_cost, instance_lost, retry_storm, stack, start
from lab.measure.amplified import Amplified
from lab.measure.asker import Calls
from lab.measure.calls import Cost, cost, take_turns
from lab.measure.figure import Figure
from lab.measure.instance_lost import Lost
from lab.measure.load import Asked
from lab.measure.retry_storm import Course, per_second


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures}


def asked(due_s: float, took_s: float = 0.01, outcome: str = "placed") -> Asked:
    return Asked(due_s, took_s, outcome)


def lost(before: list[Asked], after: list[Asked]) -> Lost:
    return Lost(before, after, fault_s=10.0, end_s=13.0)


@pytest.mark.parametrize("measurement", [stack, start])
@pytest.mark.parametrize("quick", [True, False])
def test_no_two_parts_of_the_whole_yield_the_same_figure(measurement, quick):
    names = [name for part in measurement.parts(quick) for name in part.names]
    assert len(names) == len(set(names))


def test_the_quick_run_yields_names_of_the_whole():
    whole = {name for part in stack.parts(False) for name in part.names}
    assert {name for part in stack.parts(True) for name in part.names} <= whole


def test_the_quick_run_is_quick():
    assert sum(part.planned_s for part in stack.parts(quick=True)) < 60


@pytest.mark.parametrize("end", ["client", "server"])
def test_an_end_of_a_call_yields_the_figures_that_it_announces(end):
    sides = [*call_cost.OURS, *call_cost.PEERS[end]]
    costs = {name: [Cost([1.0, 2.0], 700.0)] for name in sides}
    assert sorted(by_name(call_cost.figures(end, costs))) == sorted(call_cost.names(end))


def test_fifteen_percent_over_is_met_and_sixteen_is_missed():
    costs = {"flask": [Cost([1.0], 1000.0)], "tracing-off": [Cost([1.15], 1160.0)]}
    figures = by_name(call_cost.figures("server", costs | {"tracing-on": [Cost([1.0], 1.0)]}))
    p50, cpu = (figures[f"stack/server/tracing-off/flask/{label}"] for label in ("p50", "cpu"))
    assert p50.target and p50.target.is_met(p50)
    assert cpu.target and not cpu.target.is_met(cpu)


def test_sides_take_turns_block_by_block():
    asked_of = []

    def side(name):
        def block(count):
            asked_of.append((name, count))
            return Calls([0.001] * count, 0.01)

        return block

    costs = take_turns({"ours": side("ours"), "peer": side("peer")}, blocks=2, block_calls=5)
    assert asked_of == [("ours", 5), ("peer", 5)] * 2
    assert costs["ours"].took_ms == [1.0] * 10
    assert costs["ours"].cpu_us == pytest.approx(2000.0)


def test_cpu_is_per_call_of_all_blocks():
    assert cost([Calls([0.001], 0.1), Calls([0.002] * 3, 0.1)]).cpu_us == pytest.approx(50_000.0)


def test_retries_that_the_floor_paid_for_are_not_counted():
    one = Amplified(orders=600, attempts=820, seconds=6.0)
    assert one.per_order == pytest.approx(820 / 600)
    assert one.beyond_floor == pytest.approx(1.2)


def test_the_floor_grows_with_time_only_beyond_the_ttl():
    assert Amplified(orders=1000, attempts=1400, seconds=20.0).beyond_floor == pytest.approx(1.2)


def test_amplification_yields_the_figures_that_it_announces():
    in_eras = {era: [Amplified(600, 820, 6.0)] for era in amplification.ERAS}
    found = by_name(amplification.figures("busy", in_eras, [Amplified(10, 640)]))
    assert sorted(found) == sorted(amplification.names("busy"))
    attempts = found["stack/amplification/busy/era-4/attempts"]
    assert (attempts.peer, attempts.ours) == (64.0, pytest.approx(1.367, abs=1e-3))


def test_a_lost_instance_yields_the_figures_that_it_announces():
    seen = {
        era: [lost([asked(9.5)] * 3, [asked(10 + n / 10) for n in range(30)])]
        for era in instance_lost.ERAS
    }
    found = by_name(instance_lost.figures("hung", seen, look_s=3.0))
    assert sorted(found) == sorted(instance_lost.names("hung", 3.0))
    assert found["stack/hung/era-4/recovery"].ours == 0.0
    assert found["stack/hung/p99-from/era-3/-0.5s"].ours == pytest.approx(10.0)
    assert found["stack/hung/p99-from/era-3/-1s"].ours is None


def test_one_failed_order_of_all_rounds_misses_the_target():
    fine = lost([asked(9.5)], [asked(10 + n / 10) for n in range(30)])
    one_failed = lost(fine.before, [*fine.after, asked(11.0, outcome="unavailable")])
    rounds = {era: [fine, fine, one_failed] for era in instance_lost.ERAS}
    figure = by_name(instance_lost.figures("killed", rounds, 3.0))["stack/killed/era-4/failed"]
    assert figure.ours == 1.0
    assert figure.target and not figure.target.is_met(figure)


def test_only_the_hung_instance_has_a_time_to_recover_in():
    assert "stack/killed/era-3/recovery" in instance_lost.names("killed", 3.0)
    fine = lost([asked(9.5)], [asked(10 + n / 10) for n in range(30)])
    rounds = {era: [fine] for era in instance_lost.ERAS}
    found = by_name(instance_lost.figures("killed", rounds, 3.0))
    assert found["stack/killed/era-3/recovery"].target is None


def course(attempts: int, goodput: list[int]) -> Course:
    return Course((attempts,) * retry_storm.END_S, tuple(goodput))


def test_a_storm_yields_the_figures_that_it_announces():
    calm = course(150, [150] * retry_storm.END_S)
    found = by_name(retry_storm.figures({way: [calm] for way in retry_storm.WAYS}))
    assert sorted(found) == sorted(retry_storm.names())
    assert found["stack/retry-storm/naive/attempts/7s"].ours == 150.0


def test_a_storm_is_over_when_goodput_is_back_for_good():
    well, end = retry_storm.WELL_S, retry_storm.END_S
    assert course(150, [150] * end).recovery == 0.0
    relapse = [150] * (well + 1) + [0] + [150] * (end - well - 2)
    assert course(150, relapse).recovery == 2.0
    assert course(600, [0] * end).recovery == float(end - well)


def test_moments_are_counted_by_the_second():
    assert per_second([0.0, 0.99, 1.0])[:3] == (2, 1, 0)
