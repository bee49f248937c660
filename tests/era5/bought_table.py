"""Which promises a bought proxy keeps beside the same services, told the same file.

`python -m tests.era5.bought_table` writes it for the docs; test_bought_promises.py asks each cell.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from era5_sidecar.bought import PROGRAMS
from lab.contract import CutOff, ShopClosed
from tests.promises.failures import NeedsRestart, Unavailable
from tests.promises.table import PROMISES, Absent, Promise
from tests.promises.table import Not as Broken

RECORD = Path(__file__).resolve().parents[2] / "docs" / "captured" / "bought-promises.json"


@dataclass(frozen=True)
class Lacks:
    """Not kept: why, what the docs call it ("": nothing), and what the trial shows."""

    why: str
    shows: type[Exception] | None = None
    raises: type[Exception] | tuple[type[Exception], ...] = AssertionError


Cell = bool | Lacks | Absent
CALLED = {"haproxy": "HAProxy", "nginx": "nginx", "envoy": "Envoy"}
NO_HINT = "refused at once, but nobody is told when to come again"
WINDOW = "its quota is a window of a second at least: another rate alone changes nothing"
STATIC = "its policies are read once; only who lives where is read again"
ITS_OWN_SOCKETS = "its listening sockets die with it: whoever comes until it is back is refused"
BY_ITSELF = "it can replace itself by means of its own, which this era does not use"

TABLE: dict[str, dict[str, Cell]] = {
    "death in mid-answer": {},
    "kill -9 of one of several": {},
    "one of several hangs": {},
    "a repeated request on an empty shelf": {},
    "a caller who may not": {},
    "kill -9 of an inventory's sidecar": {},
    "kill -9 of orders' sidecar": dict.fromkeys(
        PROGRAMS, Lacks(ITS_OWN_SOCKETS, Unavailable, (ShopClosed, CutOff))
    ),
    "overload": dict.fromkeys(PROGRAMS, Lacks(NO_HINT)),
    "a quota exceeded": dict.fromkeys(PROGRAMS, Lacks(NO_HINT, raises=KeyError)),
    "a policy change without restart": {
        "haproxy": Lacks(WINDOW),
        "envoy": Lacks(STATIC, NeedsRestart),
    },
    "an upgrade of the policies under load": dict.fromkeys(PROGRAMS, Absent(BY_ITSELF)),
}


def promise(name: str) -> Promise:
    """The promise of this name."""
    return next(each for each in PROMISES if each.name == name)


def cell(name: str, program: str) -> Cell:
    """What is expected of this program; what is not written is kept."""
    return TABLE[name].get(program, True)


def told() -> dict[str, Any]:
    """The table as the docs have it, with our own proxy beside them."""
    rows = []
    for name in TABLE:
        known = promise(name)
        ours = known.kept["5"]
        columns = {CALLED[each]: _told(cell(name, each)) for each in PROGRAMS}
        columns["ours"] = _told(ours)
        eras = {column: {"portable": what} for column, what in columns.items()}
        rows.append({"promise": name, "claim": known.claim, "eras": eras})
    return {"promises": rows}


def _told(what: object) -> dict[str, Any]:
    match what:
        case Absent(why):
            return {"kept": None, "why": why}
        case Lacks(why, shows) | Broken(why, shows):
            return {"kept": False, "shows": shows.__name__ if shows else "", "why": why}
    return {"kept": True}


if __name__ == "__main__":
    RECORD.write_text(json.dumps(told(), indent=1, ensure_ascii=False) + "\n")
