"""Two instances over one store, requests that are repeated: the real rules, hundreds of histories.

From era 3 on a request is sent again, so it may arrive twice, late, at the other instance, after
its order was cancelled. None of it may be seen in the shop; what is done wrong must be found.
"""

import pytest

from era3_inline_microservice import inventory as era3
from tests.histories.judge import judge
from tests.histories.pair_defects import DEFECTS, Defect
from tests.histories.pair_era4 import Era4Inventory, Era4Orders
from tests.histories.pair_services import Inventory, Orders
from tests.histories.simulated_pair import Pair

# Of the first histories the eleventh at the latest shows each defect below: nearly four times that.
RIGHT_HISTORIES = 40
OFTEN, RARE = 12, 33  # histories of a defect that shows in every other one, and in fewer


class Era3Inventory(Inventory):
    """With what era 3 does in its one transaction."""

    reserve = era3.Inventory.reserve

    def _check_deadline(self) -> None:
        """Here requests come later than any deadline would allow."""


RIGHT = [
    (Inventory, Orders, 0),
    (Era3Inventory, Orders, 3),
    (Era4Inventory, Era4Orders, 4),
]


@pytest.mark.parametrize(("inventory", "orders", "hundred"), RIGHT)
def test_repeating_the_same_request_is_safe(inventory, orders, hundred):
    for seed in range(100 * hundred, 100 * hundred + RIGHT_HISTORIES):
        pair = Pair(seed, inventory, orders)
        history = pair.run()
        accusations = judge(history, pair.stores(), settled=True)
        assert not accusations, f"seed {seed}: {accusations}"


@pytest.mark.parametrize("defect", DEFECTS, ids=str)
def test_what_is_done_wrong_between_two_instances_is_found(defect: Defect):
    histories = OFTEN if defect.found >= 0.5 else RARE
    enough, found = defect.found * histories / 2, 0
    for seed in range(histories):
        pair = Pair(seed, defect.inventory, defect.orders)
        history = pair.run()
        if judge(history, pair.stores(), settled=True):
            assert pair.struck, f"seed {seed}: accused, and nothing was done wrong"
            found += 1
        if found >= enough:
            return
    raise AssertionError(f"in {found} of {histories} histories")


def test_the_world_is_as_hostile_as_it_says():
    told = {call.kind + " " + call.outcome for seed in range(10) for call in Pair(seed).run()}
    wanted = "ok placed, ok already_placed, ok cancelled, fail out_of_stock, fail conflict"
    assert {*wanted.split(", "), "fail unavailable", "info unavailable", "info "} <= told


def test_one_seed_is_one_history_of_the_pair():
    assert Pair(5).run() == Pair(5).run()
