"""How a promise is broken: what a customer, or the shop's owner, sees.

The table of promises names one of these for every cell that is not kept. A scenario raises
exactly one; anything else is a failure of the test.
"""

from lab.laws import Violation


class Broken(AssertionError):
    """A promise that was not kept."""


class Hangs(Broken):
    """The customer waits, and nothing ever comes."""


class Slow(Broken):
    """The customer waits for what somebody else is slow at, though nobody need."""


class StaysDown(Broken):
    """Every order is refused until a person restarts something."""


class Unavailable(Broken):
    """The order is refused, or its fate unknown, though a path to the goods exists."""


class DoubleBooked(Broken):
    """One order, two reservations."""


class WrongAnswer(Broken):
    """The answer of another order is believed, or one that is not true."""


class WrongContent(Broken):
    """Spoilt bytes are taken for goods: what is reserved or shown is not what was asked."""


class ForNobody(Broken):
    """The work is done although whoever asked for it has gone."""


class Unlimited(Broken):
    """One caller takes all it can, and nothing tells it to stop."""


class NeedsRestart(Broken):
    """What the operator wants otherwise stays as it is until every service is started again."""


class Disagrees(Broken):
    """Processes that should act as one were told different things, and nobody noticed."""


class Obeys(Broken):
    """A stranger asks, and the shop does it."""


class Readable(Broken):
    """A listener on the path reads the order."""


_BY_LAW = {
    "at most one effect": DoubleBooked,
    "what was asked is reserved": WrongContent,
    "only known goods are reserved": WrongContent,
    "what was asked is shown": WrongContent,
}


def broken_law(violations: list[Violation]) -> Broken:
    """The failure that these violations of the laws are, the most telling one first."""
    telling = [v for v in violations if v.law in _BY_LAW] or violations
    return _BY_LAW.get(telling[0].law, WrongAnswer)("; ".join(map(str, violations)))
