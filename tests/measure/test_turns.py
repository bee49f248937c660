"""Parts are chosen by the names of their figures; the remaining time follows the real pace."""

import pytest

from lab.measure.turns import Part, Remaining, chosen, duration

PARTS = [
    Part((f"transport/goodput/{cell}/cubic", f"transport/goodput/{cell}/bbr"), 1.0, lambda _: [])
    for cell in ("10Mbit/1ms/0%", "10Mbit/20ms/5%", "unlimited/20ms/5%")
]


def test_no_pattern_chooses_everything() -> None:
    assert chosen(PARTS, "") == PARTS


def test_a_pattern_chooses_parts_by_any_of_their_figures() -> None:
    assert chosen(PARTS, "20ms.*bbr") == PARTS[1:]


def test_a_pattern_that_names_nothing_is_refused_with_examples() -> None:
    with pytest.raises(ValueError, match=r"'30ms'.*transport/goodput/10Mbit/1ms/0%/cubic"):
        chosen(PARTS, "30ms")


def test_a_broken_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="not a regular expression"):
        chosen(PARTS, "(")


def test_the_remaining_time_scales_with_how_late_the_plan_runs() -> None:
    now = 100.0
    told: list[str] = []
    remaining = Remaining(planned_s=10.0, tell=told.append, clock=lambda: now)
    now = 104.0
    remaining.step("seed 1: cubic", planned_s=2.0)
    assert told == ["seed 1: cubic (about 16 s left)"]


@pytest.mark.parametrize(("seconds", "said"), [(0.2, "0 s"), (89.0, "89 s"), (90.0, "2 min")])
def test_a_duration_is_said_in_the_unit_that_fits(seconds: float, said: str) -> None:
    assert duration(seconds) == said
