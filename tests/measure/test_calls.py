"""The processes between which a call's cost is measured: they stand, call, and are called."""

import pytest

from lab.measure import CannotMeasure, call_cost
from lab.measure.calls import Sides, take_turns


@pytest.mark.parametrize("end", ["client", "server"])
def test_every_side_makes_its_calls(end):
    with Sides() as started:
        sides_of = {"client": call_cost.client_sides, "server": call_cost.server_sides}[end]
        costs = take_turns(sides_of(started), blocks=1, block_calls=3)
    assert set(costs) == {*call_cost.OURS, *call_cost.PEERS[end]}
    assert {len(cost.took_ms) for cost in costs.values()} == {3}


def test_a_caller_whose_call_fails_says_why():
    with Sides() as started:
        call = started.caller("plain", "http://127.0.0.1:9")
        with pytest.raises(CannotMeasure, match=r"caller plain ended.*ConnectionRefused"):
            call(1)
