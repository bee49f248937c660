"""What the remedy costs: a process beside each service, which dies, hangs, and is told things."""

from tests.promises.failures import Disagrees
from tests.promises.scenarios import sidecars as when
from tests.promises.table.cells import STABLE, Absent, Cell, Not, Promise

ADMINISTRATOR = "there is one administrator"

NOTHING_BESIDE: dict[str, Cell] = dict.fromkeys(
    "01234", Absent("nothing stands beside a service: what guards it dies with it, see kill -9")
)
NO_FILE: dict[str, Cell] = dict.fromkeys(
    "01234", Absent("no file is read while a service runs: see a policy change without restart")
)
NO_OTHER_FLOOR: dict[str, Cell] = dict.fromkeys(
    "01234", Absent("who tries again is told so in its own code, if at all: nobody edits a file")
)
EACH_FOR_ITSELF = (
    "each sidecar is told in its own file how often to try, and no file knows of the others:"
    " attempts multiply from floor to floor (era 6)"
)
ONE_FILE_TWO_FLOORS = (
    "one file says both numbers, side by side, and whoever reads it can do the sum; but a proxy"
    " tries again without knowing of those above it, and the numbers still multiply"
)

ROWS = [
    Promise(
        "kill -9 of an inventory's sidecar",
        "the sidecar of an instance dies: another one takes its place, and no customer is refused",
        STABLE,
        when.an_inventory_s_sidecar_dies,
        NOTHING_BESIDE | dict.fromkeys("56", True),
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "kill -9 of orders' sidecar",
        "the shop's edge dies and comes back by itself: who was cut off repeats, and is served",
        STABLE,
        when.orders_sidecar_dies,
        NOTHING_BESIDE | dict.fromkeys("56", True),
        trouble="elsewhere",
    ),
    Promise(
        "a sidecar that hangs",
        "a sidecar stands still: it is found out and replaced, and no customer is refused",
        STABLE,
        when.a_sidecar_hangs,
        NOTHING_BESIDE | dict.fromkeys("56", True),
        trouble="elsewhere",
        instances=2,
    ),
    Promise(
        "a sidecar's bad configuration",
        "nonsense from an operator is refused with its line, and what was said before goes on",
        ADMINISTRATOR,
        when.a_sidecar_is_told_nonsense,
        NO_FILE | dict.fromkeys("56", True),
        trouble="elsewhere",
    ),
    Promise(
        "two sidecars that try again",
        "how often a request is tried does not grow with the number of sidecars on its way",
        ADMINISTRATOR,
        when.two_sidecars_try_again,
        NO_OTHER_FLOOR
        | {"5": Not(EACH_FOR_ITSELF, Disagrees), "6": Not(ONE_FILE_TWO_FLOORS, Disagrees)},
        trouble="elsewhere",
    ),
]
