"""What the laws and the search have to say against a history."""

from collections.abc import Sequence

from lab.history import Operation, Stores
from lab.laws import Violation, check
from lab.linear import Verdict, check_shelves


def judge(history: Sequence[Operation], stores: Stores, settled: bool = False) -> list[Violation]:
    """The broken laws; without any, the shelves that are not shown to be linearizable."""
    return check(history, stores, settled) or [
        Violation("linearizable", sku, verdict.value)
        for sku, verdict in check_shelves(history, stores).items()
        if verdict is not Verdict.YES
    ]
