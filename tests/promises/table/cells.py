"""What a row and its cells are, and the reasons that stand in many of them."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.promises.failures import Broken, Hangs
from tests.promises.trial import Trial


@dataclass(frozen=True)
class Not:
    """A promise that is not kept. `shows`: one of these is what is seen; `only`: over this form."""

    why: str
    shows: type[Broken] | tuple[type[Broken], ...]
    only: str = ""

    def may_be(self, failure: type[Broken]) -> bool:
        return failure in (self.shows if isinstance(self.shows, tuple) else (self.shows,))


@dataclass(frozen=True)
class Absent:
    """Nobody to keep or break it: the era has not what the promise is about."""

    why: str


Cell = bool | Not | Absent


@dataclass(frozen=True)
class Promise:
    """A row of the table.

    fallacy: which of the eight fallacies of distributed computing it is the price of. trouble:
    "packets" or "connections" if only a wire of packets, or only a relay of byte streams, makes it;
    "elsewhere" if the wire plays no part, so that an era is asked over one form only. instances:
    how many inventories there are, from era 3 on. in_node: they are the one in JavaScript.
    witnessed: it is looked up what a service has dealt with.
    """

    name: str
    claim: str
    fallacy: str
    when: Callable[[Trial], None]
    kept: dict[str, Cell]
    trouble: str = ""
    slow: bool = False
    instances: int = 1
    in_node: bool = False
    witnessed: bool = False


RELIABLE = "the network is reliable"
SECURE = "the network is secure"
STABLE = "topology does not change"

WAITS = "it waits for ever for what will never come"
ONE_INSTANCE = "there is one address and one instance behind it"
NOBODY_KNOWS_IT = "inventory takes whatever arrives twice for two orders"
ANYBODY = "whoever can send to inventory is obeyed: nothing says who is asking"

ALL_KEPT: dict[str, Cell] = {"3": True, "4": True, "5": True, "6": True}


def before_http(cell: Cell) -> dict[str, Cell]:
    """The same in eras 0 to 2."""
    return dict.fromkeys("012", cell)


def nobody_else_to_ask(seen: type[Broken]) -> dict[str, Cell]:
    """The one instance is in trouble: era 0 waits for it, eras 1 and 2 give up after a while."""
    late = Not(ONE_INSTANCE, seen)
    return {"0": Not(WAITS, Hangs), "1": late, "2": late}
