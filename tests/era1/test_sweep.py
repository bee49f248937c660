"""Seeded histories of faults on virtual time: what must hold in all of them, holds."""

import subprocess
import sys
from itertools import islice

import pytest

from era1_raw_network import scenario as cards
from era1_raw_network.scenario import deal, stage
from era1_raw_network.sweep import History, judge, run, sweep

HISTORIES = 200  # of the thousand that `python -m era1_raw_network.sweep` plays


def test_no_history_breaks_a_law(seed):
    first = seed * 1000
    broken = [history for history in sweep(range(first, first + HISTORIES), 1) if history.broken]
    assert not broken, "\n".join(
        f"python -m era1_raw_network.sweep --seed {history.seed}  # {history.broken}"
        for history in broken
    )


def test_the_cards_hold_every_fault_and_most_histories_end_in_order():
    scenarios = [deal(seed) for seed in range(300)]
    for fault in ("loss", "duplicate", "reorder", "corrupt", "rate_bps", "queue_bytes", "jitter_s"):
        assert sum(bool(getattr(s.knobs[0], fault)) for s in scenarios) > 20, fault
    assert sum(s.cut is not None for s in scenarios) > 20
    assert sum(s.forgets_at_s is not None for s in scenarios) > 10
    assert sum(s.knobs[0].mtu_bytes < 1500 for s in scenarios) > 20
    assert sum(not s.excused for s in scenarios) > 100


def test_a_seed_is_a_history_byte_for_byte():
    told = []
    for _ in range(2):
        virtual, _ = stage(deal(17))
        virtual.run(60.0)
        told.append(virtual.history())
    assert told[0] == told[1] and len(told[0]) > 10


def test_processes_do_not_change_what_happens():
    assert sweep(range(30), processes=2) == sweep(range(30), processes=1)


def test_one_seed_can_be_told_alone():
    command = [sys.executable, "-m", "era1_raw_network.sweep", "--seed", "17"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "orders->inventory #0 send" in ran.stdout


# --- the judge itself


def ended(seed_filter):
    """A scenario that fits, played, with its stations."""
    for seed in range(1000):
        scenario = deal(seed)
        if seed_filter(scenario):
            virtual, stations = stage(scenario)
            virtual.run(60.0, lambda stations=stations: all(s.over for s in stations))
            if all(station.said for station in stations):
                yield scenario, stations


@pytest.fixture
def calm():
    """An honest history: both sides said something, and ended in order."""
    [found] = islice(ended(lambda s: not s.excused), 1)
    for station in found[1]:
        station.listen(99.0)
    return found


def test_an_honest_history_is_acquitted(calm):
    assert judge(*calm, ()) == ""


@pytest.mark.parametrize(
    "crime",
    [
        lambda heard: heard.append(heard[-1]),
        lambda heard: heard.pop(),
        lambda heard: heard.insert(0, b"never said"),
        lambda heard: heard.__setitem__(-1, heard[-1] + b"."),
    ],
    ids=["twice", "lost", "invented", "altered"],
)
@pytest.mark.parametrize("side", [0, 1])
def test_a_message_lost_doubled_altered_or_invented_is_noticed(calm, crime, side):
    scenario, stations = calm
    crime(stations[side].heard)
    assert judge(scenario, stations, ())


def test_an_error_on_a_wire_that_is_merely_bad_is_noticed(calm):
    assert "without a cause" in judge(*calm, ("the peer was silent for 6 s",))


def test_a_history_that_never_ends_or_raises_is_noticed(monkeypatch):
    monkeypatch.setattr(cards.Station, "close", lambda self, now: None)
    assert "not over" in run(17).broken
    monkeypatch.setattr(cards.Station, "wake", lambda self, now: 1 / 0)
    assert "ZeroDivisionError" in run(17).broken


def test_a_history_s_words_are_a_value():
    assert run(17) == run(17) and isinstance(run(17), History)
