"""Load shedding: so many inside and no more."""

import pytest

from era4_framework.policies.shedder import Shedder


def test_twelve_are_let_in_and_the_13th_is_not():
    shedder = Shedder(12)
    assert [shedder.try_enter() for _ in range(14)] == 12 * [True] + 2 * [False]
    assert shedder.in_flight == 12


def test_who_leaves_makes_room_for_one():
    shedder = Shedder(2)
    shedder.try_enter()
    shedder.try_enter()
    shedder.leave()
    assert [shedder.try_enter(), shedder.try_enter()] == [True, False]


def test_who_was_refused_took_no_room():
    shedder = Shedder(1)
    shedder.try_enter()
    shedder.try_enter()
    shedder.leave()
    assert shedder.in_flight == 0


def test_to_leave_without_having_entered_is_a_mistake():
    shedder = Shedder(1)
    with pytest.raises(ValueError, match="left more often than entered"):
        shedder.leave()
    assert shedder.in_flight == 0


def test_its_repr_tells_how_full_it_is():
    shedder = Shedder(3)
    shedder.try_enter()
    assert repr(shedder) == "<Shedder 1 of 3>"
