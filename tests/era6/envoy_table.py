"""Which promises of era 6 hold with real Envoy in the place of our proxy, told by the same pilot.

`python -m tests.era6.envoy_table` writes it for the docs; test_promises_envoy.py asks each cell.
Left out is what sidecars have no part in.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.contract import CutOff, ShopClosed
from tests.promises.failures import Slow, StaysDown, Unavailable
from tests.promises.table import PROMISES, Not, Promise

RECORD = Path(__file__).resolve().parents[2] / "docs" / "captured" / "envoy-promises.json"


@dataclass(frozen=True)
class Differs:
    """Our proxy keeps it, Envoy does not: why, what the docs call it ("": nothing), and what the
    trial raises. is_chance: it may also go well.
    """

    why: str
    shows: type[Exception] | None = None
    raises: tuple[type[Exception], ...] = (AssertionError,)
    is_chance: bool = False


ASKED_AGAIN = (
    "who has failed too often is left alone for a while and then asked by everybody at once, until"
    " he has failed as often again: our breaker lets one request try"
)
NO_HINT = "refused at once, but nobody is told when to come again"
ITS_OWN_SOCKETS = "its listening sockets die with it: whoever comes until it is back is refused"
NOT_PROBED = "who looks after it sees whether it runs, not whether it answers"
ENDS_IN_BETWEEN = (
    "two share the ports for a moment; who asks on a connection of the old one just as that ends"
    " is cut off, and must ask again"
)

DIFFERENT = {
    "one of several always fails": Differs(ASKED_AGAIN, Slow, (Slow,), is_chance=True),
    "overload": Differs(NO_HINT),
    "kill -9 of orders' sidecar": Differs(
        ITS_OWN_SOCKETS, Unavailable, (ShopClosed, CutOff, Unavailable)
    ),
    "a sidecar that hangs": Differs(NOT_PROBED, StaysDown, (StaysDown,)),
    "an upgrade of the policies under load": Differs(
        ENDS_IN_BETWEEN, Unavailable, (CutOff, ShopClosed), is_chance=True
    ),
}
ASKED = (
    "death in mid-answer",
    "reset in mid-answer",
    "kill -9 of one of several",
    "one of several hangs",
    "one of several always fails",
    "an instance moves",
    "an upgrade under load",
    "kill -9 of the registry",
    "overload",
    "a retry storm",
    "a quota exceeded",
    "a repeated request on an empty shelf",
    "a late request",
    "kill -9 of an inventory's sidecar",
    "kill -9 of orders' sidecar",
    "a sidecar that hangs",
    "a sidecar's bad configuration",
    "two sidecars that try again",
    "a policy change without restart",
    "one policy for all instances",
    "an upgrade of the policies under load",
    "a bad token",
    "a caller who may not",
    "a false instance",
    "another service at the address",
    "a liar at the address",
    "an overheard lease",
    "a listener on the path",
    "a control plane that hangs",
    "a control plane cut off",
    "a control plane that comes last",
    "a control plane that comes and goes",
    "a canary",
    "a fault on purpose",
    "a permission withdrawn",
    "a direct call",
    "certificates that end",
    "another authority",
)


def promise(name: str) -> Promise:
    """The promise of this name."""
    return next(each for each in PROMISES if each.name == name)


def form_of(row: Promise) -> str:
    """The form of the wire over which Envoy is asked it."""
    return "real" if row.trouble == "packets" else "portable"


def told() -> dict[str, Any]:
    """The table as the docs have it, with our own proxy beside Envoy."""
    rows = []
    for name in ASKED:
        row = promise(name)
        ours = row.kept["6"]
        columns = {"ours": ours, "Envoy": DIFFERENT.get(name, ours)}
        eras = {of: {form_of(row): _told(cell)} for of, cell in columns.items()}
        rows.append({"promise": name, "claim": row.claim, "eras": eras})
    return {"promises": rows}


def _told(cell: object) -> dict[str, Any]:
    match cell:
        case Differs(why, shows) | Not(why, shows):
            return {"kept": False, "shows": getattr(shows, "__name__", ""), "why": why}
    return {"kept": True}


if __name__ == "__main__":
    RECORD.write_text(json.dumps(told(), indent=1, ensure_ascii=False) + "\n")
