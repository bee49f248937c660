"""When a shop is fast again, from literal orders: due, took; the fault is at 10 s."""

import pytest

from lab.measure.load import Asked, due_within
from lab.measure.recovery import course, p99_s, recovered_after_s

FAULT_S, END_S, HEALTHY_S = 10.0, 15.0, 0.010


def orders(slow: list[float], slow_s: float = 0.5) -> list[Asked]:
    """A hundred a second, all taking 10 ms but the next one due after each of `slow`."""
    due = [FAULT_S + number / 100 for number in range(500)]
    slow_ones = {min(at for at in due if at >= each) for each in slow}
    return [Asked(at, slow_s if at in slow_ones else HEALTHY_S, "placed") for at in due]


def recovered(asked: list[Asked]) -> float:
    return recovered_after_s(asked, FAULT_S, END_S, HEALTHY_S)


def test_who_was_never_slow_recovered_at_once():
    assert recovered(orders([])) == 0.0


def test_one_slow_order_in_a_hundred_is_within_a_p99():
    assert recovered(orders([11.003, 12.503])) == 0.0


def test_recovery_begins_after_the_last_second_with_two_slow_orders():
    assert recovered(orders([10.104, 10.704, 11.304])) == pytest.approx(0.8)


def test_who_is_slow_to_the_end_never_recovered():
    assert recovered(orders([14.5, 14.6, 14.7])) == pytest.approx(END_S - FAULT_S)


def test_a_relapse_counts():
    assert recovered(orders([10.1, 10.2, 13.0, 13.1])) > 3.0


def test_less_than_twice_as_slow_is_healthy():
    assert recovered(orders([10.1, 10.2, 10.3], slow_s=0.0199)) == 0.0
    assert recovered(orders([10.1, 10.2, 10.3], slow_s=0.0201)) > 0.0


def test_a_second_without_any_order_is_no_recovery():
    assert recovered([one for one in orders([]) if one.due_s < 13.5]) == pytest.approx(5.0)


def test_a_course_has_one_list_per_step():
    asked = [Asked(9.9, 1.0, "placed"), Asked(10.0, 2.0, "placed"), Asked(10.6, 3.0, "placed")]
    assert course(asked, FAULT_S, [-0.5, 0.0, 0.5, 1.0]) == [[1.0], [2.0], [3.0]]


def test_an_order_belongs_to_when_it_was_due():
    late = Asked(10.0, 5.0, "placed")
    assert due_within([late], 10.0, 10.5) == [late]
    assert due_within([late], 9.5, 10.0) == []


def test_a_p99_needs_orders():
    with pytest.raises(ValueError, match="no values"):
        p99_s([])
