"""Sequences nobody thought of: hypothesis draws them, the era and the rules must agree on each."""

import itertools

from hypothesis import HealthCheck, given, settings

from tests.contract.strategies import sequences

EXAMPLES = {"portable": 25, "real": 10}  # the same seed draws the same: on the second wire fewer do
EXAMPLES_AT_A_URL = 25


def test_any_sequence_is_answered_as_the_rules_say(launched, twins, fresh, skus, speaks_http):
    """One launched shop serves all examples: the ids of each carry its number."""
    most, numbers = EXAMPLES.get(launched.target.form, EXAMPLES_AT_A_URL), itertools.count()

    @settings(max_examples=most, suppress_health_check=[HealthCheck.too_slow])
    @given(sequences(skus, speaks_http))
    def agree(operations: list[dict]) -> None:
        number = next(numbers)
        twins.story(f"generated sequence {number}")
        asked = [own_ids(operation, fresh, number) for operation in operations]
        try:
            for operation in asked:
                twins.ask(operation)
        finally:
            give_back(twins, asked)

    agree()


def own_ids(operation: dict, fresh, number: int) -> dict:
    """The same operation on an order of this example; an id that is no id stays as it is."""
    order_id = operation["order_id"]
    if order_id not in ("a", "b", "c", "d.e_F-9"):
        return operation
    return operation | {"order_id": fresh(f"{number}-{order_id}")}


def give_back(twins, operations: list[dict]) -> None:
    """Cancel on both sides without comparing: also after a disagreement, for the next example."""
    for order_id in {o["order_id"] for o in operations if isinstance(o["order_id"], str)}:
        twins.customer.cancel(order_id)
        twins.oracle.cancel(order_id)
